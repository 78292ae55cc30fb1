"""What the market showed at our price while an order of ours rested, and what a queue model makes of it.

A path is the list of what happened at one order's level: its start, changes of the level's size by others,
prints at the price, and what ends the queue's say (a print through the price, a market that crosses it, a gap).
It follows the rules of `sim/pit.py`, so that an exponent that was fitted to paths is the exponent that the
simulated exchange wants. On the way it adds up how long our orders stood at which distance from mid.
"""

from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray

from makerside.core.book import apply_book_row, book_lots, end_message
from makerside.core.kernel import Record, kernel, records
from makerside.model.event import Flag, Kind, event_t
from makerside.model.layout import row_type
from makerside.model.market import NO_ASK, NO_BID, WINDOW_MASK, WINDOW_TICKS, book_t
from makerside.model.units import ASK, BID, BUY, NS_PER_MS, NS_PER_S, SELL
from makerside.research.own_orders import OwnRun, own_order_t
from makerside.sim.records import UNKNOWN_AHEAD

START, LEVEL, PRINT, FORCED = 1, 2, 3, 4
ACTIVE_MAX = 512  # orders of ours that rest on one instrument at once
BLOCK_SLACK_NS = NS_PER_MS  # a live venue tells times in whole ms

BINS_PER_BPS, BPS_MIN, BPS_MAX = 20, -5, 100
BINS = (BPS_MAX - BPS_MIN) * BINS_PER_BPS

_DELTA, _SNAPSHOT, _BBO = int(Kind.DELTA), int(Kind.SNAPSHOT), int(Kind.BBO)
_TRADE, _GAP = int(Kind.TRADE), int(Kind.GAP)
_SELL, _LAST, _UNKNOWN_SIDE = int(Flag.SELL), int(Flag.LAST), int(Flag.UNKNOWN_SIDE)

path_t = row_type(
    [
        ("order", "i8"),  # place among the orders that were walked
        ("kind", "i8"),
        ("ts_ns", "i8"),
        ("before_lots", "f8"),  # START: size of others, UNKNOWN_AHEAD when not told. PRINT: size of the print
        ("after_lots", "f8"),
    ]
)

walk_t = row_type(
    [
        ("has_own_in_book", "i8"),
        ("slack_ns", "i8"),
        ("has_depth", "i8"),
        ("in_snapshot", "i8"),
        ("last_side", "i8"),
        ("used", "i8"),
        ("n_active", "i8"),
        ("active", "i8", (ACTIVE_MAX,)),
        ("is_unknown", "i8", (ACTIVE_MAX,)),  # by place in `active`: the source has not told its queue yet
        ("level_lots", "f8", (ACTIVE_MAX,)),
        ("told_ns", "i8", (2, WINDOW_TICKS)),  # by book side and price modulo the window: when a level was told
        ("epoch", "i8"),
        ("epoch_base_ticks", "i8"),
        ("told", "i8", (2, WINDOW_TICKS)),  # epoch in which a DELTA row told a level
        ("book", book_t),
    ]
)


def paths_of(run: OwnRun, instrument: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.float64]]:
    """Return the resting maker orders of one instrument, their paths, and the time they stood where.

    returns : (n,) own_order_t, a copy with `fill_mid_x2_ticks`; (k,) path_t sorted by order, then time;
              (BINS,) seconds by distance from mid, `distance_bps` gives the bins' middles
    """
    orders = run.orders
    chosen = (orders["instrument"] == instrument) & (orders["rested_ns"] > 0) & (orders["is_taker"] == 0)
    orders = orders[chosen]
    orders = np.ascontiguousarray(orders[np.argsort(orders["rested_ns"], kind="stable")])
    mine = run.market["instrument"] == instrument
    rows, times = np.ascontiguousarray(run.market[mine]), np.ascontiguousarray(run.market_ns[mine])
    exposure_s = np.zeros(BINS)
    n_rows = int(_walk(rows, times, orders, _new_walk(run), np.zeros(0, path_t), exposure_s))
    path = np.zeros(n_rows, path_t)
    exposure_s[:] = 0.0
    _walk(rows, times, orders, _new_walk(run), path, exposure_s)
    return orders, path[np.argsort(path["order"], kind="stable")], exposure_s


def _new_walk(run: OwnRun) -> NDArray[Any]:
    walks = np.zeros(1, walk_t)
    walk = walks[0]
    book = walk["book"]
    for name in ("bid_ticks", "high_ticks", "known_bid_ticks"):
        book[name] = NO_BID
    for name in ("ask_ticks", "low_ticks", "known_ask_ticks"):
        book[name] = NO_ASK
    walk["has_own_in_book"] = int(run.has_own_in_book)
    walk["slack_ns"] = slack_of(run)
    walk["epoch"] = 1
    return walks


def slack_of(run: OwnRun) -> int:
    """Return how far a fill's time and that of its print may be apart, in ns."""
    return BLOCK_SLACK_NS if run.has_own_in_book else 0


def distance_bps() -> NDArray[np.float64]:
    """Return the middles of the bins of distance from mid: (BINS,)."""
    return BPS_MIN + (np.arange(BINS) + 0.5) / BINS_PER_BPS


@kernel
def _emit(walk: Record, out: Record, order: int, kind: int, ts_ns: int, before: float, after: float) -> None:
    if walk["used"] < len(out):
        row = out[walk["used"]]
        row["order"] = order
        row["kind"] = kind
        row["ts_ns"] = ts_ns
        row["before_lots"] = before
        row["after_lots"] = after
    walk["used"] += 1


@kernel
def _admit(walk: Record, orders: Record, i: int, out: Record) -> None:
    order = orders[i]
    if walk["n_active"] == ACTIVE_MAX:
        return
    is_known = _is_known(walk, order["side"], order["price_ticks"])
    ahead = _others_lots(walk, orders, order) if is_known else UNKNOWN_AHEAD
    walk["active"][walk["n_active"]] = i
    walk["is_unknown"][walk["n_active"]] = 0 if is_known else 1
    walk["n_active"] += 1
    _emit(walk, out, i, START, order["rested_ns"], ahead, 0.0)


@kernel
def _retire(walk: Record, orders: Record, ts_ns: int) -> None:
    """Forget orders that have ended before a row. A filled one waits for the rows of its own fill."""
    kept = 0
    for j in range(walk["n_active"]):
        order = orders[walk["active"][j]]
        fill_ns = order["fill_ns"]
        is_over = ts_ns > fill_ns + walk["slack_ns"] if fill_ns > 0 else ts_ns >= order["end_ns"]
        if not is_over:
            walk["active"][kept] = walk["active"][j]
            walk["is_unknown"][kept] = walk["is_unknown"][j]
            kept += 1
    walk["n_active"] = kept


@kernel
def _expose(walk: Record, orders: Record, last_ns: int, ts_ns: int, exposure_s: Record) -> None:
    """Add the time since the row before to the distances of our orders, and note the mid before a fill."""
    bid, ask = walk["book"]["bid_ticks"], walk["book"]["ask_ticks"]
    if bid == NO_BID or ask == NO_ASK or bid >= ask:
        return
    for j in range(walk["n_active"]):
        order = orders[walk["active"][j]]
        fill_ns = order["fill_ns"]
        end_ns = fill_ns if fill_ns > 0 else order["end_ns"]
        if fill_ns > 0 and ts_ns >= fill_ns and order["fill_mid_x2_ticks"] == 0:
            order["fill_mid_x2_ticks"] = bid + ask
        stood_ns = min(ts_ns, end_ns) - max(last_ns, order["rested_ns"])
        if stood_ns > 0:
            distance = _distance_bps(order["side"], order["price_ticks"], bid + ask)
            place = int((distance - BPS_MIN) * BINS_PER_BPS)
            exposure_s[max(0, min(BINS - 1, place))] += stood_ns / NS_PER_S


@kernel
def _distance_bps(side: int, price_ticks: int, mid_x2_ticks: int) -> float:
    return side * (mid_x2_ticks - 2 * price_ticks) / mid_x2_ticks * 1e4


@kernel
def _others_lots(walk: Record, orders: Record, order: Record) -> float:
    """Return the size of others at an order's price."""
    book, side, tick = walk["book"], order["side"], order["price_ticks"]
    lots = book_lots(book, BID if side == BUY else ASK, tick)
    if walk["has_own_in_book"] == 1:
        told_ns = walk["told_ns"][BID if side == BUY else ASK, tick & WINDOW_MASK]
        for j in range(walk["n_active"]):
            own = orders[walk["active"][j]]
            if own["side"] == side and own["price_ticks"] == tick and own["rested_ns"] <= told_ns:
                lots -= own["size_lots"]
    return float(max(0, lots))


@kernel
def _is_known(walk: Record, side: int, tick: int) -> bool:
    """Return whether the source tells the size at a price; as `house` knows it."""
    book = walk["book"]
    is_inside = book["base_ticks"] <= tick < book["base_ticks"] + WINDOW_TICKS
    if is_inside and walk["told"][BID if side == BUY else ASK, tick & WINDOW_MASK] == walk["epoch"]:
        return True
    has_depth = walk["has_depth"] == 1
    if side == BUY:
        is_touch = book["bid_ticks"] != NO_BID and tick >= book["bid_ticks"]
        return bool(is_touch or (has_depth and tick >= book["known_bid_ticks"]))
    is_touch = book["ask_ticks"] != NO_ASK and tick <= book["ask_ticks"]
    return bool(is_touch or (has_depth and tick <= book["known_ask_ticks"]))


@kernel
def _note_epoch(walk: Record, kind: int, side: int, tick: int, is_told: bool) -> None:
    """Note which levels a row has told since the last snapshot, or since the book's window moved."""
    base = walk["book"]["base_ticks"]
    if kind == _SNAPSHOT and walk["in_snapshot"] == 0:
        walk["epoch"] += 1
    elif kind == _DELTA:
        if base != walk["epoch_base_ticks"]:
            walk["epoch_base_ticks"] = base
            walk["epoch"] += 1
        if is_told and base <= tick < base + WINDOW_TICKS:
            walk["told"][side, tick & WINDOW_MASK] = walk["epoch"]


@kernel
def _apply(walk: Record, orders: Record, row: Record, ts_ns: int, out: Record) -> None:
    kind, flags, tick = int(row["kind"]), int(row["flags"]), int(row["price_ticks"])
    if kind == _TRADE:
        _print(walk, orders, _aggressor(walk, tick, flags), tick, row["size_lots"], ts_ns, out)
    elif kind == _GAP:
        for j in range(walk["n_active"]):
            _emit(walk, out, walk["active"][j], FORCED, ts_ns, 0.0, 0.0)
    else:
        if walk["in_snapshot"] == 0:
            _remember(walk, orders)
        side = ASK if flags & _SELL else BID
        is_told = apply_book_row(walk["book"], kind, side, tick, row["size_lots"], row["ts_venue_ns"])
        if is_told:
            walk["told_ns"][side, tick & WINDOW_MASK] = ts_ns
        _note_epoch(walk, kind, side, tick, is_told)
        if kind == _SNAPSHOT:
            walk["in_snapshot"] = 1
            walk["has_depth"] = 1
        else:
            _compare(walk, orders, ts_ns, out)
    if flags & _LAST:
        _end_message(walk, orders, ts_ns, out)


@kernel
def _aggressor(walk: Record, tick: int, flags: int) -> int:
    """Return who took; where the source does not tell it, by the side of the mid, else as before."""
    side = SELL if flags & _SELL else BUY
    book = walk["book"]
    if flags & _UNKNOWN_SIDE:
        distance = 2 * tick - book["bid_ticks"] - book["ask_ticks"]
        side = walk["last_side"] if walk["last_side"] != 0 else BUY
        if book["bid_ticks"] != NO_BID and book["ask_ticks"] != NO_ASK and distance != 0:
            side = BUY if distance > 0 else SELL
    walk["last_side"] = side
    return side


@kernel
def _print(walk: Record, orders: Record, side: int, tick: int, lots: int, ts_ns: int, out: Record) -> None:
    for j in range(walk["n_active"]):
        order = orders[walk["active"][j]]
        if order["side"] != -side:
            continue
        beyond = (order["price_ticks"] - tick) * order["side"]
        if beyond > 0:
            _emit(walk, out, walk["active"][j], FORCED, ts_ns, 0.0, 0.0)
        elif beyond == 0:
            _emit(walk, out, walk["active"][j], PRINT, ts_ns, float(lots), 0.0)


@kernel
def _remember(walk: Record, orders: Record) -> None:
    for j in range(walk["n_active"]):
        walk["level_lots"][j] = _others_lots(walk, orders, orders[walk["active"][j]])


@kernel
def _compare(walk: Record, orders: Record, ts_ns: int, out: Record) -> None:
    """Emit the levels that the source tells anew. An unchanged one matters where nothing was known before."""
    for j in range(walk["n_active"]):
        order = orders[walk["active"][j]]
        if not _is_known(walk, order["side"], order["price_ticks"]):
            continue
        after = _others_lots(walk, orders, order)
        if after != walk["level_lots"][j] or walk["is_unknown"][j] == 1:
            walk["is_unknown"][j] = 0
            _emit(walk, out, walk["active"][j], LEVEL, ts_ns, walk["level_lots"][j], after)


@kernel
def _end_message(walk: Record, orders: Record, ts_ns: int, out: Record) -> None:
    end_message(walk["book"])
    if walk["in_snapshot"] == 1:
        walk["in_snapshot"] = 0
        _compare(walk, orders, ts_ns, out)
    bid, ask = walk["book"]["bid_ticks"], walk["book"]["ask_ticks"]
    if bid > ask:
        return
    away = 1 if bid == ask else 0
    for j in range(walk["n_active"]):
        order = orders[walk["active"][j]]
        price = order["price_ticks"]
        is_crossed = price >= ask + away if order["side"] == BUY else price <= bid - away
        if is_crossed:
            _emit(walk, out, walk["active"][j], FORCED, ts_ns, 0.0, 0.0)


@kernel(
    types.int64(
        records(event_t),
        types.Array(types.int64, 1, "C"),
        records(own_order_t),
        records(walk_t),
        records(path_t),
        types.Array(types.float64, 1, "C"),
    )
)
def _walk(rows: Record, times: Record, orders: Record, walks: Record, out: Record, exposure_s: Record) -> int:
    """Walk the market past all orders; returns how many rows `out` needs, and writes those that fit."""
    walk = walks[0]
    waiting = 0
    last_ns = 0
    for i in range(len(rows)):
        ts_ns = times[i]
        if walk["n_active"] > 0:
            _expose(walk, orders, last_ns, ts_ns, exposure_s)
            _retire(walk, orders, ts_ns)
        # At one time the simulated market moves first; at a venue of blocks our post-only orders do.
        bound_ns = ts_ns + walk["has_own_in_book"]
        while waiting < len(orders) and orders[waiting]["rested_ns"] < bound_ns:
            _admit(walk, orders, waiting, out)
            waiting += 1
        _apply(walk, orders, rows[i], ts_ns, out)
        last_ns = ts_ns
    return int(walk["used"])
