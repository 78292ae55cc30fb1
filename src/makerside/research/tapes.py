"""The cache of tapes: what a recording became, kept mapped-ready for every later run that reads it.

A tape's name is a hash of the source's content (of a stored object: its URI, size and time), of its name,
which tells venue and symbol, and of the code that makes tapes: nothing stale can be found. A tape that is
cut or changed is noticed when it is opened, and made again. The folder is kept below a limit by removing
what was not used for longest. Everything in it may be deleted at any time.

Environment: MAKERSIDE_TAPES (the folder; else `tapes` in MAKERSIDE_CACHE), MAKERSIDE_TAPES_GB (its limit;
0: no tapes).
May import model, journal, core. Next: `../journal/tape.py`, `sources.py`.
"""

import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from makerside.core.kernel import cache_root
from makerside.journal import recording, recording_file, tape, tape_build
from makerside.journal.recording import Recording, load_recordings
from makerside.journal.recording_file import count_rows
from makerside.journal.tape import TornTape, open_tape
from makerside.journal.tape_build import build_tapes, tape_paths
from makerside.journal.whole_file import drop_dead_parts
from makerside.model import event, instrument, units
from makerside.model.errors import ConfigError, DataError, UserError
from makerside.model.event import ROW_BYTES
from makerside.model.run import JOURNAL_NAME, RUN_NAME
from makerside.research.sources import at_hand, is_uri, look_up, shown

LIMIT_GB = 20.0  # some 600 M rows
_CHUNK_BYTES = 4 << 20
_CODE = (recording, recording_file, tape, tape_build, event, instrument, units)

Report = Callable[[str, int, int], None]  # (what is being done, done, in all), when something takes time
Note = Callable[[str], None]


def open_recordings(source: str, report: Report, note: Note) -> list[Recording]:
    """Return the recordings of a source, their rows mapped from the cache; it is filled when need be.

    source : Parquet file or folder of a run, as a path or a URI
    report : told how far a fetch or a tape is
    note   : told what people should know: a damaged tape, a cache that cannot be written
    errors : DataError as `load_recordings`
    """
    limit_bytes = _limit_bytes()
    folder = Path(os.environ.get("MAKERSIDE_TAPES") or cache_root() / "tapes")
    key = _key(source)
    found = _from_cache(folder, key, note) if limit_bytes else None
    if found is None:
        found = _made(source, folder, key, limit_bytes, report, note)
    name = Path(shown(source))
    return [replace(one, path=name) for one in found]


def _limit_bytes() -> int:
    text = os.environ.get("MAKERSIDE_TAPES_GB", str(LIMIT_GB))
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e9:
        raise ConfigError(f"MAKERSIDE_TAPES_GB={text}: must be a number of gigabytes, 0 or more")
    return int(value * 1e9)


def _key(source: str) -> str:
    digest = hashlib.sha256()
    for module in _CODE:
        digest.update(Path(str(module.__file__)).read_bytes())
    stored = look_up(source) if is_uri(source) else None
    if stored is not None and stored.filesystem.type_name != "local":
        digest.update(f"{shown(source)}\0{stored.version}".encode())
        return digest.hexdigest()[:40]
    path = Path(stored.path if stored else source)
    digest.update(path.name.encode() + b"\0")
    files = [path / RUN_NAME, path / JOURNAL_NAME] if path.is_dir() else [path]
    for file in files:
        digest.update(_file_digest(file))
    return digest.hexdigest()[:40]


def _file_digest(path: Path) -> bytes:
    """Return the hash of a file's content; of nothing when it is not there: reading it tells why."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None


def _from_cache(folder: Path, key: str, note: Note) -> list[Recording] | None:
    """Return what the cache has, None when it has nothing sound."""
    (first,) = tape_paths(folder, key, 1)
    if not first.exists():
        return None
    try:
        one, description = open_tape(first)
        paths = tape_paths(folder, key, description.n_places)
        found = [one, *(open_tape(path)[0] for path in paths[1:])]
    except TornTape as error:
        note(f"{error}; it is made again")
        return None
    for path in paths:
        _touch(path)
    return found


def _touch(path: Path) -> None:
    try:
        os.utime(path)
    except OSError:
        return  # somebody else's cache: then its age is not ours to tell


def _made(source: str, folder: Path, key: str, limit_bytes: int, report: Report, note: Note) -> list[Recording]:
    with at_hand(source, partial(report, "fetch")) as path:
        if _tape_bytes(path) > limit_bytes:
            if limit_bytes:
                note(f"{shown(source)}: its tape would be above MAKERSIDE_TAPES_GB; it is read into memory")
            return load_recordings(path)
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            drop_dead_parts(folder)
            paths = build_tapes(path, folder, key, partial(report, "tape"))
        except DataError:
            raise
        except (UserError, OSError) as error:
            note(f"no tape is kept ({error}); {shown(source)} is read into memory")
            return load_recordings(path)
        keep_below(folder, limit_bytes, keep=paths)
        return [open_tape(path)[0] for path in paths]


def _tape_bytes(path: Path) -> int:
    """Return about how many bytes the tapes of a source will have."""
    if not path.is_dir():
        return count_rows(path) * ROW_BYTES
    journal = path / JOURNAL_NAME
    return journal.stat().st_size if journal.exists() else 0


def keep_below(folder: Path, limit_bytes: int, keep: list[Path]) -> list[Path]:
    """Remove the tapes that were not used for longest until the rest is below a limit; returns them."""
    facts = [(path, path.stat()) for path in folder.glob("*.tape")]
    total = sum(fact.st_size for _, fact in facts)
    gone = []
    for path, fact in sorted(facts, key=lambda one: one[1].st_mtime_ns):
        if total <= limit_bytes:
            break
        if path not in keep:
            path.unlink(missing_ok=True)
            total -= fact.st_size
            gone.append(path)
    return gone
