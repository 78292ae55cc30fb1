"""Writing a journal: an append-only, memory-mapped file of 32-byte rows.

    offset 0      header, one page: magic, row size, number of rows that are valid, and of a run that
                  ended in order the hash of the final state and the number of rows it belongs to
    offset 4096   rows, events and actions in the order in which they happened

Rows are written first and counted afterwards, both into shared memory: a killed process loses
nothing that was counted. May import model only. Next: `reader.py`.
"""

import hashlib
import mmap
import os
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from makerside.model.errors import JournalError
from makerside.model.event import ROW_BYTES, event_t

MAGIC = b"MKSDJRNL"
VERSION = 1
HEADER_BYTES = 4096
GROWTH_ROWS = 1 << 20  # the file grows by 32 MiB at a time, sparse until written

header_t = np.dtype(
    [
        ("magic", "S8"),
        ("version", "i8"),
        ("row_bytes", "i8"),
        ("n_rows", "i8"),
        ("n_rows_sealed", "i8"),  # 0: the run did not end in order
        ("state_sha256", "u1", (32,)),
    ]
)


class JournalWriter:
    """Appends rows to a new journal.

    path   : must not exist
    errors : JournalError when the file exists or cannot be made
    """

    def __init__(self, path: Path) -> None:
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise JournalError(f"{path}: cannot start a journal here ({error.strerror})") from None
        self.path = path
        self.n_rows = 0
        self._capacity = 0
        self._map: mmap.mmap | None = None
        self._rows: NDArray[Any] = np.zeros(0, event_t)
        self._grow(1)
        self._header["magic"] = MAGIC
        self._header["version"] = VERSION
        self._header["row_bytes"] = ROW_BYTES

    def _grow(self, n_rows: int) -> None:
        if self._file < 0:
            raise JournalError(f"{self.path}: this journal is closed; what happens now is in no record")
        self._capacity += -(-n_rows // GROWTH_ROWS) * GROWTH_ROWS
        size = HEADER_BYTES + self._capacity * ROW_BYTES
        os.ftruncate(self._file, size)
        self._map = mmap.mmap(self._file, size)
        self._header = np.frombuffer(self._map, header_t, 1)
        self._rows = np.frombuffer(self._map, event_t, self._capacity, HEADER_BYTES)

    def block(self, n_rows: int) -> NDArray[Any]:
        """Return the free rows, at least `n_rows`, to be written in place and then counted by `commit`."""
        if self.n_rows + n_rows > self._capacity:
            self._grow(n_rows)
        return self._rows[self.n_rows :]

    def commit(self, n_rows: int) -> None:
        """Count rows that were written into the last block."""
        assert self.n_rows + n_rows <= self._capacity
        self.n_rows += n_rows
        self._header["n_rows"] = self.n_rows

    def append(self, rows: NDArray[Any]) -> None:
        """Write rows and count them. rows : (n,) event_t"""
        n = len(rows)
        if self.n_rows + n > self._capacity:
            self._grow(n)
        self._rows[self.n_rows : self.n_rows + n] = rows
        self.n_rows += n
        self._header["n_rows"] = self.n_rows

    def seal(self, state: bytes) -> None:
        """Note the final state of the engine that was fed these rows, for the replay to compare.

        state : `Engine.state_bytes`; rows that are appended later break the seal
        """
        digest = hashlib.sha256(state).digest()
        self._header["state_sha256"] = np.frombuffer(digest, np.uint8)
        self._header["n_rows_sealed"] = self.n_rows

    def close(self) -> None:
        """Cut the file to its rows and close it."""
        if self._file < 0:
            return
        self._capacity = self.n_rows  # the next row would have to grow the file, which is refused
        self._rows = np.zeros(0, event_t)
        self._header = np.zeros(1, header_t)
        self._map = None  # the arrays were its last users: the mapping goes with them
        os.ftruncate(self._file, HEADER_BYTES + self.n_rows * ROW_BYTES)
        os.close(self._file)
        self._file = -1

    def __enter__(self) -> "JournalWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
