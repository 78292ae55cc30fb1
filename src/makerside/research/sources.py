"""Where data comes from: a path, or the URI of any store that pyarrow's filesystems know.

`file://` is read where it lies. What lies elsewhere (s3, gs, abfs, hdfs, ...) is fetched into a folder that
goes away after use; a tape of it stays (`tapes.py`), so that the next run fetches nothing. Access keys come
from where the store's own tools take them (environment, profile, role), or stand in the URI: texts for
people never hold what stands before an @ or behind a ?.

May import model, journal, core. Next: `tapes.py`.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from makerside.core.kernel import cache_root
from makerside.journal.whole_file import first_line, is_alive
from makerside.model.errors import DataError, JournalError, MakersideError, UserError
from makerside.model.run import JOURNAL_NAME, RUN_NAME

_URI = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]+://")
_SECRET_NAME = re.compile("key|token|secret|sas|sig|password", re.I)  # of a setting behind the ?
_SECRET_MIN = 4  # characters: shorter parts of a URI would be found in innocent words
_CHUNK_BYTES = 4 << 20
_PATIENCE_S = 20
ACCEPTED = "accepted are a path, or a URI that starts with file, s3, gs, abfs, abfss or hdfs"
Progress = Callable[[int, int], None]  # (bytes done, bytes in all)


@dataclass(frozen=True, slots=True)
class Stored:
    """A file or folder of a store. version : changes with its content"""

    uri: str = field(repr=False)  # it may hold access keys
    path: str
    is_folder: bool
    version: str
    filesystem: Any


def is_uri(source: str) -> bool:
    """Return whether a source is a URI rather than a path."""
    return _URI.match(source) is not None


def shown(source: str) -> str:
    """Return a source as people may read it: without access keys."""
    if not is_uri(source):
        return source
    scheme, _, rest = source.partition("://")
    return f"{scheme}://{rest.partition('?')[0].rpartition('@')[2]}"


def hide(text: str, source: str) -> str:
    """Return a text without the access keys of a source, whoever put them there."""
    text = text.replace(source, shown(source))
    rest, _, query = source.partition("://")[2].partition("?")
    keys = rest.rpartition("@")[0]
    settings = [one.partition("=") for one in query.split("&")]
    secrets = [value for name, _, value in settings if _SECRET_NAME.search(name)]
    for secret in (keys, *keys.split(":"), *secrets):
        for form in (secret, unquote(secret)):
            if len(form) >= _SECRET_MIN:
                text = text.replace(form, "***")
    return text


def look_up(uri: str) -> Stored:
    """Return what is stored under a URI. errors : DataError when there is nothing, or no way to ask"""
    from pyarrow import fs

    with _told_about(uri):
        filesystem, path = fs.FileSystem.from_uri(_with_patience(uri))
        info = filesystem.get_file_info(path)
        if info.type == fs.FileType.NotFound:
            raise DataError(f"{shown(uri)}: there is no such file")
        is_folder = info.type == fs.FileType.Directory
        if is_folder:
            info = filesystem.get_file_info(f"{path}/{JOURNAL_NAME}")
            if info.type != fs.FileType.File:
                raise DataError(f"{shown(uri)}: is a folder, and no run is in it ({JOURNAL_NAME} is missing)")
        return Stored(uri, path, is_folder, f"{info.size} {info.mtime_ns}", filesystem)


def _with_patience(uri: str) -> str:
    """Limit how long a store is asked again and again: for one of them it is a quarter of an hour else."""
    scheme = uri.partition("://")[0].lower()
    if scheme not in ("gs", "gcs") or "retry_limit_seconds" in uri:
        return uri
    return f"{uri}{'&' if '?' in uri else '?'}retry_limit_seconds={_PATIENCE_S}"


@contextmanager
def at_hand(source: str, on_progress: Progress | None = None) -> Iterator[Path]:
    """Give the path of a source: its own, or of a copy that is removed afterwards.

    Errors of what is done with it name the source, not the copy.
    errors : DataError when it cannot be fetched
    """
    if not is_uri(source):
        yield Path(source)
        return
    stored = look_up(source)
    if stored.filesystem.type_name == "local":
        yield Path(stored.path)
        return
    folder = _empty_folder(source)
    copy = folder / stored.path.rstrip("/").rpartition("/")[2]
    try:
        with _told_about(source):
            _fetch(stored, copy, on_progress)
        yield copy
    except MakersideError as error:
        raise type(error)(hide(str(error).replace(str(copy), shown(source)), source)) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _empty_folder(source: str) -> Path:
    """Return a new folder for copies, of this process; those of killed processes are removed."""
    parent = cache_root() / "fetched"
    try:
        parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        for old in parent.iterdir():
            pid = old.name.partition("-")[0]
            if pid.isdigit() and not is_alive(int(pid)):
                shutil.rmtree(old, ignore_errors=True)
        return Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=parent))
    except OSError as error:
        raise UserError(f"{parent}: cannot keep a copy of {shown(source)} ({error.strerror})") from None


@contextmanager
def _told_about(uri: str) -> Iterator[None]:
    """Turn what a store's library raises into an error for people."""
    import pyarrow as pa

    try:
        yield
    except (OSError, pa.ArrowException, ValueError, NotImplementedError) as error:
        reason = hide(first_line(error), uri)
        if "Unrecognized filesystem" in reason:
            reason = ACCEPTED
        raise DataError(f"{shown(uri)}: cannot be read ({reason})") from None


def _fetch(stored: Stored, copy: Path, on_progress: Progress | None) -> None:
    if not stored.is_folder:
        _fetch_file(stored.filesystem, stored.path, copy, on_progress)
        return
    copy.mkdir()
    for name in (RUN_NAME, JOURNAL_NAME):
        try:
            _fetch_file(stored.filesystem, f"{stored.path}/{name}", copy / name, on_progress)
        except FileNotFoundError:
            raise JournalError(f"{shown(stored.uri)}: holds no run ({name} is missing)") from None


def _fetch_file(filesystem: Any, path: str, copy: Path, on_progress: Progress | None) -> None:
    total = filesystem.get_file_info(path).size or 0
    done = 0
    with filesystem.open_input_stream(path, compression=None) as stream, copy.open("wb") as file:
        while block := stream.read(_CHUNK_BYTES):
            file.write(block)
            done += len(block)
            if on_progress is not None:
                on_progress(done, max(total, done))
