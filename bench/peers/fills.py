"""Fills of two backtesters side by side: which orders did the same, which did not, and why.

An order is known by the time at which the exchange accepted it, its side and its price. Where both sides had
the same order and it filled differently, the queue at its price is walked again over the tape, twice: once as
makerside keeps it and once as hftbacktest does. Where one side had an order that the other had not, the
strategy decided differently, which it only does after it was filled differently: a consequence.

The peer's rules that are told apart here, as its version 2.4.4 has them (models/queue.rs, proc/*.rs):

* below zero: a cancel at our price may take the estimated queue below zero. The next print then fills more
  than itself, or, once ln(1 + queue) is no number, the order stands at the end of the queue again.
* same size told: a level told with the size that it had closes the account of prints at it; ours waits for a
  change.
"""

import math
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from makerside.model.event import Flag, Kind
from makerside.model.units import ASK, BID

Order = tuple[int, int, int]  # accepted at ns, side, price in ticks
Fills = dict[int, int]  # lots by time of the fill in ns
NEVER_NS = 1 << 62
LOOK_BACK_ROWS = 200_000  # enough to know the levels around the touch


@dataclass
class Life:
    """What happened to an order on one side."""

    fills: Fills = field(default_factory=dict)
    canceled_ns: int = NEVER_NS


class Cause(Enum):
    """Why an order filled differently."""

    BELOW_ZERO = "the peer's queue estimate went below zero at a cancel"
    SAME_SIZE = "a level was told again with the size it had, after prints"
    WITHIN_MESSAGE = "the book crossed the order within a message, not at its end"
    CROSSED = "the book was locked or crossed: our exchange fills nobody on a stale book"
    UNKNOWN_LEVEL = "the level lies beyond what the source has told: its queue is unknown to ours"
    WHOLE = "the peer's exchange without partial fills: whatever reaches an order fills it whole"
    CONSEQUENCE = "the strategies had been filled differently before"
    UNEXPLAINED = "unexplained"


@dataclass(frozen=True)
class Difference:
    """One order that did not do the same. ours, theirs : None when that side had no such order"""

    order: Order
    ours: Fills | None
    theirs: Fills | None
    cause: Cause

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        accepted_ns, side, price_ticks = self.order
        return {
            "accepted_ns": accepted_ns,
            "side": side,
            "price_ticks": price_ticks,
            "ours": _pairs(self.ours),
            "theirs": _pairs(self.theirs),
            "cause": self.cause.value,
        }


def _pairs(fills: Fills | None) -> list[list[int]] | None:
    return None if fills is None else [[ts_ns, lots] for ts_ns, lots in sorted(fills.items())]


@dataclass(frozen=True)
class Comparison:
    """Two runs of one case. Executions at one time of one order count once: the peer's log joins them."""

    fills_ours: int
    fills_theirs: int
    lots_ours: int
    lots_theirs: int
    orders_same: int  # of those that filled on either side
    differences: list[Difference]

    @property
    def worst(self) -> float:
        """Largest relative difference of number and volume."""
        pairs = ((self.fills_ours, self.fills_theirs), (self.lots_ours, self.lots_theirs))
        return max(abs(a - b) / max(b, 1) for a, b in pairs)

    def causes(self) -> dict[str, int]:
        """Return how many orders differ by cause, most first."""
        return dict(Counter(one.cause.value for one in self.differences).most_common())


def by_order(log: NDArray[Any]) -> dict[Order, Life]:
    """Return what happened to every accepted order of a log. log : (n,) log_t of the two sides' programs"""
    found: dict[Order, Life] = {}
    for ts_ns, accepted_ns, price_ticks, side, lots in log.tolist():
        life = found.setdefault((accepted_ns, side, price_ticks), Life())
        if lots > 0:
            life.fills[ts_ns] = life.fills.get(ts_ns, 0) + lots
        elif lots < 0:
            life.canceled_ns = ts_ns
    return found


def compare(
    ours: NDArray[Any], theirs: NDArray[Any], tape: "QueueTape", queue: str, is_whole: bool = False
) -> Comparison:
    """Compare two order logs over their tape.

    queue : log_prob or risk_averse;  is_whole : the peer ran without partial fills
    """
    mine, other = by_order(ours), by_order(theirs)
    differences = []
    orders_same = 0
    for order in sorted(mine.keys() | other.keys()):
        a, b = mine.get(order), other.get(order)
        fills_a, fills_b = (None if one is None else one.fills for one in (a, b))
        if fills_a == fills_b:
            orders_same += bool(fills_a)
        elif fills_a or fills_b:
            cause = (
                Cause.CONSEQUENCE if a is None or b is None else cause_of(order, a, b, tape, queue, is_whole)
            )
            differences.append(Difference(order, fills_a, fills_b, cause))
    return Comparison(
        fills_ours=sum(len(life.fills) for life in mine.values()),
        fills_theirs=sum(len(life.fills) for life in other.values()),
        lots_ours=sum(sum(life.fills.values()) for life in mine.values()),
        lots_theirs=sum(sum(life.fills.values()) for life in other.values()),
        orders_same=orders_same,
        differences=differences,
    )


def cause_of(order: Order, ours: Life, theirs: Life, tape: "QueueTape", queue: str, is_whole: bool) -> Cause:
    """Return why an order that both sides had filled differently."""
    a, b = ours.fills, theirs.fills
    first_ns = min(ts for ts in a.keys() | b.keys() if a.get(ts) != b.get(ts))
    if first_ns >= min(ours.canceled_ns, theirs.canceled_ns):
        return Cause.CONSEQUENCE  # one of them had taken it back
    if is_whole and first_ns in a and first_ns in b:
        return Cause.WHOLE
    if not tape.is_told(order):
        return Cause.UNKNOWN_LEVEL
    crossing = tape.crossing(order, first_ns) if (first_ns in a) != (first_ns in b) else None
    return crossing or walk(order, first_ns, tape, queue)


def walk(order: Order, until_ns: int, tape: "QueueTape", queue: str) -> Cause:
    """Walk the queue of an order as the peer does, up to a time, and say which of its rules showed."""
    level, rows = tape.history(order, until_ns)
    ahead, traded = level, 0.0
    found = Cause.UNEXPLAINED
    for is_trade, size in rows:
        if is_trade:
            ahead, traded = ahead - size, traded + size
            ahead = 0.0 if ahead < 0.0 else ahead
            continue
        if size == level and traded > 0.0:
            found = Cause.SAME_SIZE
        canceled, traded = level - size - traded, 0.0
        if queue == "log_prob" and canceled >= 0.0:
            behind = level - ahead
            total = math.log1p(behind) + math.log1p(ahead)
            share = math.log1p(behind) / total if total > 0.0 else 1.0
            moved = ahead - (1.0 - share) * canceled + min(behind - share * canceled, 0.0)
            if min(moved, size) < -1e-6 * tape.lot:
                return Cause.BELOW_ZERO
            ahead = max(0.0, min(moved, size))
        else:
            ahead = min(ahead, size)
        level = size
    return found


class QueueTape:
    """The rows of a tape by price, in the venue's order. rows : (n,) event_t;  lot : one lot in coins"""

    def __init__(self, rows: NDArray[Any], lot: float) -> None:
        self.lot = lot
        by_venue = np.argsort(rows["ts_venue_ns"], kind="stable")
        by_price = np.argsort(rows["price_ticks"][by_venue], kind="stable")
        self._at_venue = rows[by_venue]
        self._rows = self._at_venue[by_price]
        self._prices = self._rows["price_ticks"]
        told = rows[rows["kind"] == Kind.SNAPSHOT]["price_ticks"]
        self._told_low, self._told_high = (int(told.min()), int(told.max())) if len(told) else (0, 1 << 31)
        self._touch: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None

    def is_told(self, order: Order) -> bool:
        """Return whether the snapshot reaches the order's price, or a row told its level before."""
        accepted_ns, side, price = order
        if self._told_low <= price <= self._told_high:
            return True
        start, stop = np.searchsorted(self._prices, [price, price + 1])
        rows = self._rows[start:stop]
        is_level = (rows["kind"] != Kind.TRADE) & (((rows["flags"] & Flag.SELL) != 0) == (side < 0))
        return bool((is_level & (rows["ts_venue_ns"] <= accepted_ns)).any())

    def history(self, order: Order, until_ns: int) -> tuple[float, list[tuple[bool, float]]]:
        """Return the level's size when an order was accepted, and what happened at its price until a time.

        returns : coins, and (is it a print that can reach the order, coins) in the venue's order
        """
        accepted_ns, side, price = order
        start, stop = np.searchsorted(self._prices, [price, price + 1])
        rows = self._rows[start:stop]
        is_sell = (rows["flags"] & Flag.SELL) != 0
        is_trade = (rows["kind"] == Kind.TRADE) & (is_sell == (side > 0))
        is_level = (rows["kind"] != Kind.TRADE) & (is_sell == (side < 0))
        before = rows[is_level & (rows["ts_venue_ns"] <= accepted_ns)]
        level = float(before["size_lots"][-1]) * self.lot if len(before) else 0.0
        chosen = (is_trade | is_level) & (rows["ts_venue_ns"] > accepted_ns) & (rows["ts_venue_ns"] <= until_ns)
        sizes = (rows["size_lots"][chosen] * self.lot).tolist()
        return level, list(zip(is_trade[chosen].tolist(), sizes, strict=True))

    def crossing(self, order: Order, ts_ns: int) -> Cause | None:
        """Return the cause when the book itself reached the order's price at a time, else None."""
        start, stop = np.searchsorted(self._at_venue["ts_venue_ns"], [ts_ns, ts_ns + 1])
        rows = self._at_venue[start:stop]
        is_ask = (rows["flags"] & Flag.SELL) != 0
        opposite = (rows["kind"] != Kind.TRADE) & (rows["size_lots"] > 0) & (is_ask == (order[1] > 0))
        reaches = (rows["price_ticks"] - order[2]) * order[1] <= 0
        if not (opposite & reaches).any():
            return None
        ends = self._touch_at_end(stop, order[1])
        return Cause.CROSSED if ends else Cause.WITHIN_MESSAGE

    def _touch_at_end(self, stop: int, side: int) -> bool:
        """Return whether the book is locked or crossed after so many rows."""
        book: dict[int, dict[int, int]] = defaultdict(dict)
        for row in self._at_venue[max(0, stop - LOOK_BACK_ROWS) : stop]:
            if row["kind"] != Kind.TRADE:
                book_side = ASK if row["flags"] & Flag.SELL else BID
                book[book_side][int(row["price_ticks"])] = int(row["size_lots"])
        bids = [price for price, lots in book[BID].items() if lots > 0]
        asks = [price for price, lots in book[ASK].items() if lots > 0]
        return bool(bids and asks and max(bids) >= min(asks))
