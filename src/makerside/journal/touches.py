"""The best prices after each message of a recording, straight from its floats: nothing is repaired.

The book of `core/book.py` mends what it can (older rows, prices outside its window); whoever looks for
defects must see what is left without that. May import model only. Next: `defects.py`.
"""

import heapq
from collections.abc import Callable, Iterator
from math import inf

import numpy as np
from numpy.typing import NDArray

from makerside.journal.recording_file import KIND_BBO, KIND_GAP, KIND_SNAPSHOT, KIND_TRADE, Columns, last_rows

_PIECE_ROWS = 1 << 17
Progress = Callable[[int, int], None]  # (rows done, rows in all)


class _Side:
    """The levels of one side. sign : -1 for bids, so that the best is always the lowest key."""

    __slots__ = ("heap", "levels", "sign")

    def __init__(self, sign: int) -> None:
        self.sign = sign
        self.levels: set[float] = set()
        self.heap: list[float] = []  # keys, those of removed levels among them until they reach the top

    def clear(self) -> None:
        self.levels.clear()
        self.heap.clear()

    def set(self, price: float, size: float) -> None:
        key = self.sign * price
        if size <= 0:
            self.levels.discard(key)
        elif key not in self.levels:
            self.levels.add(key)
            heapq.heappush(self.heap, key)

    def best(self) -> float:
        """Return the key of the best level, inf when there is none."""
        heap, levels = self.heap, self.levels
        while heap and heap[0] not in levels:
            heapq.heappop(heap)
        return heap[0] if heap else inf


def touches_of(
    columns: Columns, on_progress: Progress | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (bids, asks): the best prices that its feed tells, at the last row of each message.

    Updates with snapshots are one feed, best prices another: a venue sends them side by side, each in its
    own order, and together they cross for an instant without anything being wrong.
    NaN at other rows, at trades, and for an empty side.
    """
    n = len(columns["kind"])
    bids, asks = np.full(n, np.nan), np.full(n, np.nan)
    bid_side, ask_side = _Side(-1), _Side(1)
    best_bid = best_ask = np.nan
    in_snapshot = False
    for row, (kind, side, price, size, is_end) in enumerate(_rows(columns, on_progress)):
        if kind == KIND_BBO:
            told = price if size > 0 else np.nan
            best_bid, best_ask = (told, best_ask) if side > 0 else (best_bid, told)
        elif kind == KIND_GAP:
            bid_side.clear()
            ask_side.clear()
            best_bid = best_ask = np.nan
        elif kind != KIND_TRADE:
            if kind == KIND_SNAPSHOT and not in_snapshot:
                bid_side.clear()
                ask_side.clear()
                in_snapshot = True
            (bid_side if side > 0 else ask_side).set(price, size)
        if not is_end:
            continue
        in_snapshot = False
        if kind == KIND_BBO:
            bids[row], asks[row] = best_bid, best_ask
        elif kind != KIND_TRADE:
            bid, ask = bid_side.best(), ask_side.best()
            bids[row], asks[row] = (-bid if bid < inf else np.nan), (ask if ask < inf else np.nan)
    return bids, asks


def _rows(columns: Columns, on_progress: Progress | None) -> Iterator[tuple[int, int, float, float, bool]]:
    """Yield kind, side, price, size of each row, and whether it ends a message, as Python's numbers."""
    n = len(columns["kind"])
    values = [columns[name] for name in ("kind", "side", "price", "size")] + [last_rows(columns)]
    for begin in range(0, n, _PIECE_ROWS):
        yield from zip(*(one[begin : begin + _PIECE_ROWS].tolist() for one in values), strict=True)
        if on_progress is not None:
            on_progress(min(n, begin + _PIECE_ROWS), n)
