"""Virtual environments of the peers: one each, made when it is missing or its pins have changed."""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
FOLDER = HERE.parents[1] / ".cache" / "peers"


class InstallError(Exception):
    """A peer could not be installed."""


def python_of(peer: str, say: Callable[[str], None]) -> Path:
    """Return the interpreter of a peer's environment, made by its pins in `PEER.txt`.

    errors : InstallError with what pip said; nothing half-made counts as an environment
    """
    pins = HERE / f"{peer}.txt"
    folder = FOLDER / peer
    stamp = folder / "complete"
    wanted = hashlib.sha256(pins.read_bytes() + sys.version.encode()).hexdigest()
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    say(f"installing {peer} into an environment of its own ...")
    shutil.rmtree(folder, ignore_errors=True)
    for command in (
        [sys.executable, "-m", "venv", str(folder)],
        [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(pins)],
    ):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise InstallError(f"{' '.join(command)}: {done.stderr.strip()[-2_000:]}")
    stamp.write_text(wanted)
    return python
