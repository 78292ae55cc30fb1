"""Where the house of a simulated exchange comes from: a recording, or synthetic flow, by venue time.

A source gives rows up to a time, once each, in venue order. Times are those of the exchange's clock:
a recording is re-dated so that its first row happens when the source starts. Pure.
"""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from makerside.model.event import event_t
from makerside.sim.synthetic import generate

Rows = NDArray[Any]
BLOCK_ROWS = 1 << 14


class Source(Protocol):
    """Gives the house's rows."""

    def take(self, until_ns: int) -> Rows:
        """Return the rows up to and including a time that were not given yet: (n,) event_t."""

    @property
    def is_done(self) -> bool:
        """Whether no more rows will come."""


class RecordedSource:
    """A recording, told again from `start_ns` on.

    tape : (n,) event_t of all instruments; sorted by venue time here
    """

    def __init__(self, tape: Rows, start_ns: int) -> None:
        order = np.argsort(tape["ts_venue_ns"], kind="stable")
        self._rows = tape[order]
        self._rows["ts_venue_ns"] += start_ns - int(self._rows["ts_venue_ns"][0])
        self._rows["ts_local_ns"] = self._rows["ts_venue_ns"]
        self._next = 0

    def take(self, until_ns: int) -> Rows:
        """Return the rows that are due."""
        stop = int(np.searchsorted(self._rows["ts_venue_ns"], until_ns, side="right"))
        rows = self._rows[self._next : stop]
        self._next = max(self._next, stop)
        return rows

    @property
    def is_done(self) -> bool:
        """Whether the recording has ended."""
        return self._next >= len(self._rows)


class SyntheticSource:
    """Synthetic flow of one or several instruments. states : one (1,) synthetic_t per instrument."""

    is_done = False

    def __init__(self, states: list[Rows]) -> None:
        self._states = states
        self._block = np.zeros(BLOCK_ROWS, event_t)

    def take(self, until_ns: int) -> Rows:
        """Return the rows that are due, of all instruments, in venue order."""
        parts = [self._take_one(state[0], until_ns) for state in self._states]
        if len(parts) == 1:
            return parts[0]
        rows = np.concatenate(parts)
        return rows[np.argsort(rows["ts_venue_ns"], kind="stable")]

    def _take_one(self, state: Any, until_ns: int) -> Rows:
        parts = []
        while True:
            n = generate(state, until_ns, self._block, BLOCK_ROWS)
            parts.append(self._block[:n].copy())
            if n < BLOCK_ROWS // 2:
                return np.concatenate(parts)
