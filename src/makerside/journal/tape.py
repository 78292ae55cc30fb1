"""Tapes: event rows of one recording in a file that is mapped into memory, with what is known of them.

    offset 0        header: magic, version, bytes and sha256 of the description
    after it        the description, JSON: instrument, defects, number and sha256 of the rows
    offset 65536    rows, 32 bytes each, exactly as kernels read them

A tape is derived from a file that stays what counts: whatever is wrong with it, it is made again. Rows are
hashed in blocks, and the hashes of the blocks once more, so that several threads can check them; that runs
at the speed of reading them. The mapping is private: whoever writes into the rows changes a copy of the page.

May import model only. Next: `recording.py`.
"""

import hashlib
import json
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from makerside.journal.recording import Recording
from makerside.journal.whole_file import write_whole
from makerside.model.errors import ConfigError, DataError
from makerside.model.event import ROW_BYTES, event_t
from makerside.model.instrument import Instrument

MAGIC = b"MKSDTAPE"
VERSION = 1
HEADER_BYTES = 1 << 16
HASH_ROWS = 1 << 17  # of one block: 4 MiB
_THREADS_MAX = 8  # more read no faster from one memory

header_t = np.dtype(
    [("magic", "S8"), ("version", "i8"), ("description_bytes", "i8"), ("description_sha256", "u1", (32,))]
)


class TornTape(DataError):
    """A tape that is not what was written: cut, changed, or of another version."""


@dataclass(slots=True)
class Description:
    """What a tape says of its rows.

    defects : what was handled while the rows were made;  place, n_places : of the recordings in one source
    """

    instrument: Instrument
    defects: dict[str, int] = field(default_factory=dict)
    place: int = 0
    n_places: int = 1


def write_tape(path: Path, description: Description, blocks: Iterable[NDArray[Any]]) -> int:
    """Write a tape, whole or not at all; returns its bytes.

    description : read after the last block: making the rows may count defects in it
    blocks      : (n,) event_t each, in order
    errors      : UserError when it cannot be written, and what the blocks raise
    """
    return write_whole(path, lambda part: _write(part, description, blocks))


def _write(path: Path, description: Description, blocks: Iterable[NDArray[Any]]) -> None:
    with path.open("wb") as file:
        file.truncate(HEADER_BYTES)
        file.seek(HEADER_BYTES)
        writer = _Rows(file)
        for block in blocks:
            writer.append(block)
        values = {
            "instrument": description.instrument.as_dict(),
            "defects": description.defects,
            "place": description.place,
            "n_places": description.n_places,
            "n_rows": writer.n_rows,
            "rows_sha256": writer.digest(),
        }
        text = json.dumps(values).encode()
        header = np.zeros(1, header_t)
        header["magic"], header["version"], header["description_bytes"] = MAGIC, VERSION, len(text)
        header["description_sha256"] = np.frombuffer(hashlib.sha256(text).digest(), np.uint8)
        assert len(text) + header_t.itemsize <= HEADER_BYTES
        file.seek(0)
        file.write(header.tobytes() + text)


class _Rows:
    """Writes rows and hashes them in blocks of `HASH_ROWS`, however they come."""

    def __init__(self, file: IO[bytes]) -> None:
        self.n_rows = 0
        self._file = file
        self._digests = hashlib.sha256()
        self._block = hashlib.sha256()

    def append(self, rows: NDArray[Any]) -> None:
        assert rows.dtype == event_t
        rows = np.ascontiguousarray(rows)
        begin = 0
        while begin < len(rows):
            room = HASH_ROWS - self.n_rows % HASH_ROWS
            piece = rows[begin : begin + room].view(np.uint8).data
            self._file.write(piece)
            self._block.update(piece)
            n = len(piece) // ROW_BYTES
            self.n_rows, begin = self.n_rows + n, begin + n
            if self.n_rows % HASH_ROWS == 0:
                self._close_block()

    def digest(self) -> str:
        if self.n_rows % HASH_ROWS:
            self._close_block()
        return self._digests.hexdigest()

    def _close_block(self) -> None:
        self._digests.update(self._block.digest())
        self._block = hashlib.sha256()


def open_tape(path: Path) -> tuple[Recording, Description]:
    """Return the recording on a tape, its rows mapped and checked.

    errors : TornTape that says what is wrong
    """
    description, n_rows, sha256 = _read_description(path)
    try:
        rows = np.memmap(path, event_t, "c", HEADER_BYTES, (n_rows,)) if n_rows else np.zeros(0, event_t)
    except (OSError, ValueError) as error:
        raise TornTape(f"{path}: cannot be mapped ({error})") from None
    if rows_sha256(rows) != sha256:
        raise TornTape(f"{path}: the rows are not those that were written")
    # A plain array over the same pages: what is done with it costs no more than with any other.
    return Recording(path, description.instrument, np.asarray(rows), description.defects), description


def _read_description(path: Path) -> tuple[Description, int, str]:
    try:
        with path.open("rb") as file:
            head = file.read(HEADER_BYTES)
            size = os.fstat(file.fileno()).st_size
    except OSError as error:
        raise TornTape(f"{path}: cannot be read ({error.strerror})") from None
    if len(head) < HEADER_BYTES:
        raise TornTape(f"{path}: cut off in the header")
    header = np.frombuffer(head, header_t, 1)[0]
    if header["magic"] != MAGIC or header["version"] != VERSION:
        raise TornTape(f"{path}: no tape of version {VERSION}")
    n_bytes = int(header["description_bytes"])
    text = head[header_t.itemsize : header_t.itemsize + max(0, n_bytes)]
    if hashlib.sha256(text).digest() != header["description_sha256"].tobytes():
        raise TornTape(f"{path}: the description is not the one that was written")
    try:
        values = json.loads(text)
        instrument = Instrument.from_dict(values["instrument"])
        description = Description(instrument, values["defects"], values["place"], values["n_places"])
        n_rows, sha256 = int(values["n_rows"]), str(values["rows_sha256"])
    except (ValueError, KeyError, TypeError, ArithmeticError, ConfigError) as error:
        raise TornTape(f"{path}: the description is unreadable ({error})") from None
    if size != HEADER_BYTES + n_rows * ROW_BYTES:
        raise TornTape(f"{path}: {size} bytes are there, {n_rows} rows were written")
    return description, n_rows, sha256


def rows_sha256(rows: NDArray[Any]) -> str:
    """Return the hash of rows as a tape has it: sha256 over the sha256 of each block."""
    data = rows.view(np.uint8).data
    step = HASH_ROWS * ROW_BYTES

    def of_block(begin: int) -> bytes:
        return hashlib.sha256(data[begin : begin + step]).digest()

    with ThreadPoolExecutor(min(_THREADS_MAX, os.cpu_count() or 1)) as pool:
        digests = list(pool.map(of_block, range(0, len(data), step)))
    return hashlib.sha256(b"".join(digests)).hexdigest()
