"""The order book with two dictionaries, and the market without ourselves by subtraction."""

BID, ASK = 0, 1


class BookTwin:
    """The rules of `core/book.py`: newer rows rule the touch, what is outside the window is forgotten."""

    def __init__(self, window_ticks):
        self.window = window_ticks
        self.margin = window_ticks // 8
        self.base = 0
        self.levels = ({}, {})
        self.ts_touch = 0
        self.in_snapshot = False

    def bid(self):
        """Return the best bid or None."""
        return max(self.levels[BID], default=None)

    def ask(self):
        """Return the best ask or None."""
        return min(self.levels[ASK], default=None)

    def best(self, side):
        """Return the best price of a side or None."""
        return self.bid() if side == BID else self.ask()

    def _is_inside(self, tick):
        return self.base <= tick < self.base + self.window

    def _beats(self, side, tick):
        best = self.best(side)
        return best is None or (tick > best if side == BID else tick < best)

    def _move(self, center):
        self.base = center - self.window // 2
        for levels in self.levels:
            for tick in [tick for tick in levels if not self._is_inside(tick)]:
                del levels[tick]

    def _center(self, tick, other):
        fits = other is not None and abs(tick - other) < self.window - 1
        return (tick + other) // 2 if fits else tick

    def _set(self, side, tick, lots):
        if not self._is_inside(tick):
            is_empty = not self.levels[BID] and not self.levels[ASK]
            if lots <= 0 or not (self._beats(side, tick) or is_empty):
                return
            self._move(self._center(tick, self.best(1 - side)))
        if lots > 0:
            self.levels[side][tick] = lots
        else:
            self.levels[side].pop(tick, None)

    def _is_behind(self, side, tick):
        best = self.best(side)
        return best is not None and (tick < best if side == BID else tick > best)

    def row(self, kind, side, tick, lots, ts):
        """Apply one row. kind : "delta", "snapshot" or "bbo" """
        is_older = ts < self.ts_touch
        if kind == "snapshot" and not self.in_snapshot:
            self._begin_snapshot(is_older)
        if kind == "bbo":
            if is_older:
                return
            for other in list(self.levels[side]):
                if lots <= 0 or (other > tick if side == BID else other < tick):
                    del self.levels[side][other]
            if lots > 0:
                self._set(side, tick, lots)
        else:
            if kind == "snapshot" and lots <= 0:
                return
            if is_older and not self._is_behind(side, tick):
                return
            self._set(side, tick, lots)
        if not is_older:
            self.ts_touch = ts

    def _begin_snapshot(self, is_older):
        self.in_snapshot = True
        kept = [(side, self.best(side)) for side in (BID, ASK)]
        sizes = [self.levels[side].get(best) for side, best in kept]
        for levels in self.levels:
            levels.clear()
        if is_older:
            for (side, best), lots in zip(kept, sizes, strict=True):
                if best is not None:
                    self._set(side, best, lots)

    def gap(self):
        """Forget everything: the feed was interrupted."""
        for levels in self.levels:
            levels.clear()
        self.ts_touch = 0

    def end_message(self):
        """Close a message; keep the touch away from the window's edge."""
        self.in_snapshot = False
        bid, ask = self.bid(), self.ask()
        margin = self.margin
        if None not in (bid, ask):
            margin = min(margin, (self.window - abs(ask - bid)) // 4)
        for best, other in ((bid, ask), (ask, bid)):
            if best is None:
                continue
            if best < self.base + margin or best >= self.base + self.window - margin:
                self._move(self._center(best, other))
                return


def touch_without(levels, own, side):
    """Return (price, lots) of the best level of others, None when there is none.

    levels : {tick: lots} as published;  own : {tick: our lots in it}
    """
    others = {tick: lots - own.get(tick, 0) for tick, lots in levels.items()}
    left = {tick: lots for tick, lots in others.items() if lots > 0}
    if not left:
        return None
    best = max(left) if side == BID else min(left)
    return best, left[best]
