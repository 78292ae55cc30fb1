"""Files that are there whole or not at all: written beside their place under another name, then renamed.

A process that is killed on the way leaves a hidden file `.NAME.PID.part` that nothing reads; whoever writes
NAME next removes it. May import model only.
"""

import os
from collections.abc import Callable
from pathlib import Path

from makerside.model.errors import UserError


def write_whole(path: Path, write: Callable[[Path], None]) -> int:
    """Let `write` make a file, then give it its name; returns its bytes.

    write  : called with the path to write to; whatever it raises leaves things as they were
    errors : UserError when the file cannot be written
    """
    import pyarrow as pa

    # Of this process alone: two imports into one folder do not meet. Same folder: a rename stays one step.
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        drop_dead_parts(path.parent, path.name)
        try:
            write(part)
            _to_disk(part)
            n_bytes = part.stat().st_size
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        _to_disk(path.parent)
    except (OSError, pa.ArrowException) as error:
        reason = getattr(error, "strerror", None) or first_line(error)
        raise UserError(f"{path}: cannot be written ({reason})") from None
    return n_bytes


def first_line(error: Exception) -> str:
    """Return the first line of an error's text: libraries append pages."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def drop_dead_parts(folder: Path, name: str = "*") -> None:
    """Remove what killed processes have left of a file; parts of living processes stay."""
    for part in folder.glob(f".{name}.*.part"):
        number = part.name.split(".")[-2]
        if number.isdigit() and not is_alive(int(number)):
            part.unlink(missing_ok=True)


def is_alive(pid: int) -> bool:
    """Return whether a process of this machine lives; True where the system cannot be asked without harm."""
    if os.name == "nt":  # there this call would end it
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's, but alive; or a system that cannot say
        return True
    return True


def _to_disk(path: Path) -> None:
    """Wait until the bytes of a file, or the names in a folder, are on the disk: power may fail any time."""
    if os.name == "nt":
        return
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    except OSError:
        if not path.is_dir():  # some network file systems sync no folders
            raise
    finally:
        os.close(number)
