"""Private keys: from the environment or a file that only its owner can read; never from the configuration.

No text that is made here holds a key or a part of one.
"""

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from makerside.model.errors import KeyFileError

KEY_VARIABLE = "MAKERSIDE_KEY"


def load_key_text(key_file: str, environment: Mapping[str, str] | None = None) -> str:
    """Return the text of the private key.

    key_file : path of a file with mode 0600; "" takes MAKERSIDE_KEY
    errors   : KeyFileError that says where the key is expected
    """
    values = os.environ if environment is None else environment
    if not key_file:
        text = values.get(KEY_VARIABLE, "")
        if not text:
            raise KeyFileError(
                f"no private key: set {KEY_VARIABLE}, or venue.key_file to a file with mode 0600"
            )
        return text.strip()
    path = Path(key_file)
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            raise KeyFileError(f"{path}: mode {mode:04o} lets others read the key; chmod 600 it")
        return path.read_text().strip()
    except OSError as error:
        raise KeyFileError(f"{path}: the key file cannot be read ({error.strerror})") from None
