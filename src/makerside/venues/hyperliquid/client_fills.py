"""Which fills are known for certain, so that what a stream kept from us can be asked for exactly.

While the stream is trusted, everything up to its newest fill is known. From the moment in which it may
have kept something back (a lost connection, a frame that could not be read) the mark stays where it
is, whatever the stream tells, until an answer of the venue has closed the hole.

Fills of the stream are held back for that long, since what a fill realises depends on the fills before
it: in another order, cash and entry price would not be the venue's. They are held for two questions at
most: a position that is late is worse than an entry price that is off. Next: `client.py`.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from makerside.model.event import Flag, order_detail_t
from makerside.model.units import NS_PER_MS

OVERLAP_MS = 2_000  # fills are asked for from a little before the mark: blocks of different feeds overtake
BEGIN_MS = 60_000  # before the statement: fills that may be told again around the start
HOLD_TRIES = 2
TRADE_IDS_MAX = 1 << 14  # above what the venue answers at all (10,000, section 1.5)


class FillBook:
    """Remembers the trade ids that were told, and up to when nothing can be missing."""

    def __init__(self) -> None:
        self._trade_ids: dict[int, None] = {}
        self._certain_ms: int | None = None
        self._newest_ms = 0
        self._is_sure = True
        self.n_losses = 0  # how often the stream may have kept something back
        self._tries_left = 0
        self._held: list[NDArray[Any]] = []

    def begin(self, statement_ms: int) -> int:
        """Start from a statement of the account; returns from when its last fills have to be known.

        statement_ms : the venue's time of the statement
        """
        self._certain_ms = self._newest_ms = statement_ms
        return max(0, statement_ms - BEGIN_MS)

    @property
    def since_ms(self) -> int | None:
        """From when on fills must be asked for; None before `begin`."""
        return None if self._certain_ms is None else max(0, self._certain_ms - OVERLAP_MS)

    def is_known(self, trade_id: int | None) -> bool:
        """Return whether a fill was told, or was part of the statement."""
        return trade_id in self._trade_ids

    def know(self, trade_ids: Iterable[int | None]) -> None:
        """Note fills that will not have to be told."""
        for trade_id in trade_ids:
            if trade_id is not None:
                self._trade_ids[trade_id] = None
        while len(self._trade_ids) > TRADE_IDS_MAX:
            del self._trade_ids[next(iter(self._trade_ids))]

    def note(self, rows: NDArray[Any]) -> None:
        """Note fills that were told. rows : (2n,) event_t, FILL rows with their continuations"""
        self.know(rows.view(order_detail_t)["reference"][1::2].tolist())
        self._newest_ms = max(self._newest_ms, int(rows["ts_venue_ns"][::2].max()) // NS_PER_MS)
        if self._is_sure and self._certain_ms is not None:
            self._certain_ms = max(self._certain_ms, self._newest_ms)

    def lose_track(self) -> None:
        """From now on a fill may be missing."""
        if self._is_sure:
            self._tries_left = HOLD_TRIES
        self._is_sure = False
        self.n_losses += 1

    @property
    def is_holding(self) -> bool:
        """Whether fills of the stream have to wait for an answer."""
        return self._tries_left > 0 and self._certain_ms is not None

    def hold(self, rows: NDArray[Any]) -> None:
        """Keep fills of the stream. rows : as in `note`, copied"""
        self._held.append(rows.copy())

    def fail(self) -> None:
        """Note that a question was not answered, or that the answer lacked what the stream has told."""
        self._tries_left = max(0, self._tries_left - 1)

    def release(self) -> list[NDArray[Any]]:
        """Return what was held and was not told since, one message each; nothing is held any more."""
        parts, self._held = self._held, []
        found = []
        for rows in parts:
            ids = rows.view(order_detail_t)["reference"][1::2].tolist()
            is_new = np.repeat([not self.is_known(trade_id) for trade_id in ids], 2)
            if is_new.any():
                left = rows[is_new]
                left[-2]["flags"] |= Flag.LAST
                found.append(left)
        return found

    @property
    def lacks_held(self) -> bool:
        """Whether something is held that no answer has told."""
        return any(
            not self.is_known(trade_id)
            for rows in self._held
            for trade_id in rows.view(order_detail_t)["reference"][1::2].tolist()
        )

    def regain_track(self) -> None:
        """Everything that was missing has been told, and the stream tells what follows."""
        assert not self.lacks_held
        self._is_sure = True
        self._tries_left = 0
        self._held.clear()
        if self._certain_ms is not None:
            self._certain_ms = max(self._certain_ms, self._newest_ms)
