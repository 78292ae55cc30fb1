"""The best prices after each message of a recording, straight from its floats: nothing is repaired.

The book of `core/book.py` mends what it can (older rows, prices outside its window); whoever looks for
defects must see what is left without that. May import model only. Next: `defects.py`.
"""

import heapq
from math import inf

import numpy as np
from numpy.typing import NDArray

from makerside.journal.recording_file import KIND_BBO, KIND_SNAPSHOT, KIND_TRADE, Columns, last_rows

BID, ASK = 0, 1


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

    def trim(self, price: float, size: float) -> None:
        """Make a price the best; size 0 empties the side."""
        if size <= 0:
            self.clear()
            return
        while (best := self.best()) < self.sign * price:
            self.levels.discard(best)
        self.set(price, size)

    def best(self) -> float:
        """Return the key of the best level, inf when there is none."""
        heap, levels = self.heap, self.levels
        while heap and heap[0] not in levels:
            heapq.heappop(heap)
        return heap[0] if heap else inf


def touches_of(columns: Columns) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (bids, asks): the best prices after the message of each row; NaN inside messages and where
    there is none."""
    bids, asks = np.full(len(columns["kind"]), np.nan), np.full(len(columns["kind"]), np.nan)
    sides = (_Side(-1), _Side(1))
    in_snapshot = False
    names = ("kind", "side", "price", "size")
    is_last = last_rows(columns).tolist()
    values = (columns[name].tolist() for name in names)
    for row, (kind, side, price, size, is_end) in enumerate(zip(*values, is_last, strict=True)):
        if kind != KIND_TRADE:
            if kind == KIND_SNAPSHOT and not in_snapshot:
                sides[BID].clear()
                sides[ASK].clear()
                in_snapshot = True
            levels = sides[BID] if side > 0 else sides[ASK]
            (levels.trim if kind == KIND_BBO else levels.set)(price, size)
        if is_end:
            in_snapshot = False
            bid, ask = sides[BID].best(), sides[ASK].best()
            bids[row] = -bid if bid < inf else np.nan
            asks[row] = ask if ask < inf else np.nan
    return bids, asks
