"""Reading a journal: its rows, and the events and actions in them.

May import model only.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from makerside.journal.writer import HEADER_BYTES, MAGIC, VERSION, header_t
from makerside.model.action import action_t
from makerside.model.errors import JournalError
from makerside.model.event import DETAIL_ROWS, FIRST_ACTION, ROW_BYTES, event_t


@dataclass(frozen=True, slots=True)
class Journal:
    """A journal that was read.

    rows         : (n,) event_t, everything as it was written
    is_head      : (n,) bool, False for continuation rows
    state_sha256 : of the engine's final state; None when the run did not end in order, or was cut since
    """

    rows: NDArray[Any]
    is_head: NDArray[np.bool_]
    state_sha256: str | None = None

    @property
    def events(self) -> NDArray[Any]:
        """All event rows with their continuations, as `step` was fed: (m,) event_t."""
        is_event = self.is_head & (self.rows["kind"] < FIRST_ACTION)
        return self.rows[_with_details(self.rows, is_event)]

    @property
    def actions(self) -> NDArray[Any]:
        """All actions in the order in which they were decided: (k,) action_t."""
        is_action = self.is_head & (self.rows["kind"] >= FIRST_ACTION)
        rows: NDArray[Any] = np.ascontiguousarray(self.rows[_with_details(self.rows, is_action)])
        return rows.view(action_t)


def read_journal(path: Path) -> Journal:
    """Return a journal; JournalError when the file is missing, foreign or shorter than its count."""
    try:
        size = path.stat().st_size
        header = np.fromfile(path, header_t, 1)
    except OSError as error:
        raise JournalError(f"{path}: cannot be read ({error.strerror})") from None
    if len(header) != 1 or header["magic"][0] != MAGIC:
        raise JournalError(f"{path}: this is no makerside journal")
    if header["version"][0] != VERSION:
        raise JournalError(f"{path}: version {header['version'][0]} of the format; this is version {VERSION}")
    if header["row_bytes"][0] != ROW_BYTES:
        raise JournalError(f"{path}: rows of {header['row_bytes'][0]} bytes; this version has {ROW_BYTES}")
    n = int(header["n_rows"][0])
    if n < 0 or size < HEADER_BYTES + n * ROW_BYTES:
        raise JournalError(f"{path}: the file is cut off: {n} rows are counted, {size} bytes are there")
    if n == 0:
        return Journal(np.zeros(0, event_t), np.zeros(0, bool))
    rows = np.memmap(path, event_t, "r", HEADER_BYTES, (n,))
    is_sealed = int(header["n_rows_sealed"][0]) == n
    return Journal(rows, heads(rows), header["state_sha256"][0].tobytes().hex() if is_sealed else None)


def heads(rows: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which rows start a fact; the others continue the row before them.

    A continuation is known by the row before it only, so the walk goes from candidate to candidate.
    """
    is_head = np.ones(len(rows), bool)
    continued = -1
    for i in np.flatnonzero(DETAIL_ROWS[rows["kind"]]).tolist():
        if i != continued:
            continued = i + 1
            if continued < len(rows):
                is_head[continued] = False
    return is_head


def _with_details(rows: NDArray[Any], chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the mask of chosen head rows and the continuations of those that have one."""
    has_detail = chosen & (DETAIL_ROWS[rows["kind"]] == 1)
    mask = chosen.copy()
    mask[1:] |= has_detail[:-1]
    return mask
