"""The rows of a regridded recording: apply each message to the source book, write what its sums became.

Levels are ranked, per side, so that a higher rank is a better price: both sides then obey the same code.
The source book follows the rules of venue time of `core/book.py`. Called by `regrid.py`. Pure.
"""

from typing import Any

import numpy as np

from makerside.core.kernel import Record, kernel
from makerside.model.event import Flag, Kind
from makerside.model.units import ASK, BID

DELTA, SNAPSHOT, TRADE, BBO, GAP = (
    int(Kind.DELTA),
    int(Kind.SNAPSHOT),
    int(Kind.TRADE),
    int(Kind.BBO),
    int(Kind.GAP),
)
LAST, SELL_FLAG, UNKNOWN_SIDE = int(Flag.LAST), int(Flag.SELL), int(Flag.UNKNOWN_SIDE)
NONE = -1  # no rank

# A source level: its size, and the target level that it is summed into.
fine_t = np.dtype([("lots", "i8"), ("coarse", "i8")])

coarse_t = np.dtype(
    [
        ("price_ticks", "i8"),
        ("lots", "i8"),  # sum of the source levels, in source lots
        ("shown_lots", "i8"),  # what the rows written so far say, in target lots
        ("row", "i8"),  # last row of the present message that concerns this level
    ]
)

regrid_t = np.dtype(
    [
        ("ts_touch_ns", "i8"),
        ("ts_newest_ns", "i8"),  # newest venue time of the present message
        ("is_in_gap", "i8"),
        ("is_older_snapshot", "i8"),
        ("n_out", "i8"),
        ("last_written", "i8"),  # row of `out`; a continuation row does not count
        ("lots_up", "i8"),  # target lots = source lots x up / down
        ("lots_down", "i8"),
        ("n_raised", "i8"),
        ("n_retimed", "i8"),
        ("n_below_grid", "i8"),
        ("best", "i8", (2,)),  # best rank of the source book, -1 when the side is empty
        ("low", "i8", (2,)),  # lowest rank that may hold a level
        ("bbo_low", "i8", (2,)),  # lowest target rank that a BBO row of this message has changed
        ("shown_best", "i8", (2,)),  # rank in the target's levels
    ]
)


@kernel
def regrid_rows(
    events: Any, rank: Any, prices: Any, fine: Any, coarse: Any, states: Any, details: Any, out: Any
) -> int:
    """Walk the messages: apply each to the source book, then write what changed; returns messages written."""
    state = states[0]
    messages = 0
    begin = 0
    while begin < len(events):
        stop = begin
        is_last = False
        while stop < len(events) and not is_last:
            is_last = (int(events[stop]["flags"]) & LAST) != 0
            stop = min(len(events), stop + 1 + details[int(events[stop]["kind"])])
        before = state["n_out"]
        _apply_message(events, rank, fine, coarse, state, begin, stop, details)
        _write_message(events, rank, prices, fine, coarse, state, begin, stop, details, out)
        messages += 1 if state["n_out"] > before else 0
        begin = stop
    return messages


@kernel
def _apply_message(
    events: Any, rank: Any, fine: Any, coarse: Any, state: Record, begin: int, stop: int, details: Any
) -> None:
    state["is_older_snapshot"] = 0
    state["ts_newest_ns"] = 0
    state["bbo_low"][BID] = state["bbo_low"][ASK] = coarse.shape[1]
    in_snapshot = False
    i = begin
    while i < stop:
        event = events[i]
        kind = int(event["kind"])
        if kind == GAP:
            _clear(fine, coarse, state)
            state["ts_touch_ns"] = 0
            state["is_in_gap"] = 1
        elif kind in (SNAPSHOT, BBO) or (kind == DELTA and state["is_in_gap"] == 0):
            state["is_in_gap"] = 0
            state["ts_newest_ns"] = max(state["ts_newest_ns"], event["ts_venue_ns"])
            side = ASK if int(event["flags"]) & SELL_FLAG else BID
            if kind == SNAPSHOT and not in_snapshot:
                in_snapshot = True
                _begin_snapshot(fine, coarse, state, event["ts_venue_ns"])
            _apply_row(fine, coarse, state, kind, side, rank[i], event["size_lots"], event["ts_venue_ns"], i)
            coarse[side, fine[side, rank[i]]["coarse"]]["row"] = i
        i += 1 + details[kind]


@kernel
def _apply_row(
    fine: Any, coarse: Any, state: Record, kind: int, side: int, rank: int, lots: int, ts_ns: int, row: int
) -> None:
    """Apply one book row to the source book by the rules of `core.book.apply_book_row`."""
    is_older = ts_ns < state["ts_touch_ns"]
    if kind == SNAPSHOT and lots <= 0:
        return
    if is_older and (kind == BBO or rank >= state["best"][side]):
        return
    if kind == BBO:
        floor = state["low"][side] - 1 if lots <= 0 else rank
        low = fine[side, rank]["coarse"]
        while state["best"][side] > floor and state["best"][side] != NONE:
            low = min(low, fine[side, state["best"][side]]["coarse"])
            coarse[side, fine[side, state["best"][side]]["coarse"]]["row"] = row
            _set_level(fine, coarse, state, side, state["best"][side], 0)
        state["bbo_low"][side] = min(state["bbo_low"][side], low)
    if kind != BBO or lots > 0:
        _set_level(fine, coarse, state, side, rank, lots)
    if not is_older:
        state["ts_touch_ns"] = ts_ns


@kernel
def _set_level(fine: Any, coarse: Any, state: Record, side: int, rank: int, lots: int) -> None:
    level = fine[side, rank]
    coarse[side, level["coarse"]]["lots"] += lots - level["lots"]
    level["lots"] = lots
    if lots > 0:
        state["best"][side] = max(state["best"][side], rank)
        state["low"][side] = min(state["low"][side], rank)
    elif rank == state["best"][side]:
        rank -= 1
        while rank >= state["low"][side] and fine[side, rank]["lots"] == 0:
            rank -= 1
        state["best"][side] = rank if rank >= state["low"][side] else NONE


@kernel
def _clear_side(fine: Any, coarse: Any, state: Record, side: int) -> None:
    for rank in range(state["low"][side], state["best"][side] + 1):
        level = fine[side, rank]
        coarse[side, level["coarse"]]["lots"] = 0
        level["lots"] = 0
    state["best"][side] = NONE
    state["low"][side] = fine.shape[1]


@kernel
def _clear(fine: Any, coarse: Any, state: Record) -> None:
    """Forget the source book and what was shown of it."""
    for side in range(2):
        _clear_side(fine, coarse, state, side)
        for c in range(state["shown_best"][side] + 1):
            coarse[side, c]["shown_lots"] = 0
        state["shown_best"][side] = NONE


@kernel
def _begin_snapshot(fine: Any, coarse: Any, state: Record, ts_ns: int) -> None:
    """Clear the source book; a snapshot that is older than the touch leaves the touch in place."""
    is_older = ts_ns < state["ts_touch_ns"]
    state["is_older_snapshot"] = 1 if is_older else 0
    for side in range(2):
        best = state["best"][side]
        lots = fine[side, best]["lots"] if best != NONE else 0
        _clear_side(fine, coarse, state, side)
        if is_older and best != NONE:
            _set_level(fine, coarse, state, side, best, lots)


@kernel
def _write_message(
    events: Any,
    rank: Any,
    prices: Any,
    fine: Any,
    coarse: Any,
    state: Record,
    begin: int,
    stop: int,
    details: Any,
    out: Any,
) -> None:
    """Write the rows of a message whose sums have changed, each level once, at its last row."""
    first = state["n_out"]
    in_snapshot = False
    i = begin
    while i < stop:
        event = events[i]
        kind = int(event["kind"])
        side = ASK if int(event["flags"]) & SELL_FLAG else BID
        if kind == TRADE:
            _write_trade(event, i, prices, fine, coarse, state, out)
        elif kind == SNAPSHOT:
            level = fine[side, rank[i]]["coarse"]
            if not in_snapshot:
                in_snapshot = True
                _open_snapshot(event, fine, coarse, state, side, level, out)
            if coarse[side, level]["shown_lots"] == 0 and coarse[side, level]["lots"] > 0:
                _write_level(event, SNAPSHOT, fine, coarse, state, side, level, out)
        elif kind == DELTA:
            level = fine[side, rank[i]]["coarse"]
            if coarse[side, level]["row"] == i:
                _write_level(event, DELTA, fine, coarse, state, side, level, out)
        elif kind == BBO:
            _write_bbo(event, prices[side, i], fine, coarse, state, side, out)
            _write_behind_bbo(event, i, fine, coarse, state, side, out)
        else:
            _write(state, out, event, kind, int(event["price_ticks"]), event["size_lots"], event["ts_venue_ns"])
            if details[kind] > 0 and i + 1 < stop:
                out[state["n_out"]] = events[i + 1]
                state["n_out"] += 1
        i += 1 + details[kind]
    if state["n_out"] > first:
        last = out[state["last_written"]]
        last["flags"] = int(last["flags"]) | LAST


@kernel
def _write(state: Record, out: Any, event: Record, kind: int, price: int, lots: int, ts_ns: int) -> None:
    row = out[state["n_out"]]
    row["ts_venue_ns"] = ts_ns
    row["ts_local_ns"] = event["ts_local_ns"]
    row["size_lots"] = lots
    row["price_ticks"] = price
    row["instrument"] = event["instrument"]
    row["kind"] = kind
    row["flags"] = int(event["flags"]) & ~LAST
    state["last_written"] = state["n_out"]
    state["n_out"] += 1
    state["n_retimed"] += 1 if ts_ns != event["ts_venue_ns"] else 0


@kernel
def _target_lots(state: Record, lots: int) -> int:
    """Return source lots as target lots, rounded down; what is there stays at least one lot."""
    if lots <= 0:
        return 0
    converted: int = lots * state["lots_up"] // state["lots_down"]
    if converted > 0:
        return converted
    state["n_raised"] += 1
    return 1


@kernel
def _venue_time(event: Record, state: Record, is_at_touch: bool) -> int:
    """Return the venue time of a written row: that of the newest part of its sum.

    An older row behind the source's touch may concern the target's touch level. With its own time a
    book that obeys venue times would drop it.
    """
    ts_ns: int = event["ts_venue_ns"]
    if is_at_touch or state["is_older_snapshot"] == 1 or state["ts_newest_ns"] >= state["ts_touch_ns"]:
        return max(ts_ns, state["ts_touch_ns"])
    return ts_ns


@kernel
def _write_level(
    event: Record, kind: int, fine: Any, coarse: Any, state: Record, side: int, level: int, out: Any
) -> None:
    target = coarse[side, level]
    lots = _target_lots(state, target["lots"])
    if kind == DELTA and lots == target["shown_lots"]:
        return
    if target["price_ticks"] <= 0:
        state["n_below_grid"] += 1
        return
    best = state["best"][side]
    is_at_touch = best == NONE or level >= fine[side, best]["coarse"]
    _write(state, out, event, kind, target["price_ticks"], lots, _venue_time(event, state, is_at_touch))
    row = out[state["last_written"]]
    row["flags"] = int(row["flags"]) | SELL_FLAG if side == ASK else int(row["flags"]) & ~SELL_FLAG
    target["shown_lots"] = lots
    if lots > 0:
        state["shown_best"][side] = max(state["shown_best"][side], level)


@kernel
def _open_snapshot(
    event: Record, fine: Any, coarse: Any, state: Record, side: int, level: int, out: Any
) -> None:
    """Begin a snapshot of the target: nothing is shown yet, and its first row is always written."""
    for s in range(2):
        for c in range(state["shown_best"][s] + 1):
            coarse[s, c]["shown_lots"] = 0
        state["shown_best"][s] = NONE
    if coarse[side, level]["lots"] == 0:
        ts_ns = _venue_time(event, state, True)
        _write(state, out, event, SNAPSHOT, coarse[side, level]["price_ticks"], 0, ts_ns)
    if state["is_older_snapshot"] == 1:
        for s in range(2):
            best = state["best"][s]
            if best != NONE:
                _write_level(event, SNAPSHOT, fine, coarse, state, s, fine[s, best]["coarse"], out)


@kernel
def _write_bbo(
    event: Record, empty_price: int, fine: Any, coarse: Any, state: Record, side: int, out: Any
) -> None:
    """Write the best target price of a side and the sum there, when either has changed."""
    best = state["best"][side]
    touch = fine[side, best]["coarse"] if best != NONE else NONE
    price = coarse[side, touch]["price_ticks"] if best != NONE else empty_price
    if best != NONE and price <= 0:
        state["n_below_grid"] += 1
        return
    is_changed = False
    for c in range(touch + 1, state["shown_best"][side] + 1):
        is_changed = is_changed or coarse[side, c]["shown_lots"] > 0
        coarse[side, c]["shown_lots"] = 0
    state["shown_best"][side] = min(state["shown_best"][side], touch)
    lots = 0
    if best != NONE:
        lots = _target_lots(state, coarse[side, touch]["lots"])
        is_changed = is_changed or lots != coarse[side, touch]["shown_lots"]
        coarse[side, touch]["shown_lots"] = lots
        state["shown_best"][side] = touch
    if is_changed:
        _write(state, out, event, BBO, price, lots, _venue_time(event, state, True))


@kernel
def _write_behind_bbo(
    event: Record, i: int, fine: Any, coarse: Any, state: Record, side: int, out: Any
) -> None:
    """Write the levels that a BBO row changed, and that a later row of its message put behind the touch."""
    best = state["best"][side]
    touch = fine[side, best]["coarse"] if best != NONE else NONE
    for c in range(state["bbo_low"][side], touch):
        if coarse[side, c]["row"] == i:
            _write_level(event, DELTA, fine, coarse, state, side, c, out)


@kernel
def _write_trade(event: Record, i: int, prices: Any, fine: Any, coarse: Any, state: Record, out: Any) -> None:
    """Write a print on its passive side's grid; without a side, on the grid of the nearer touch."""
    flags = int(event["flags"])
    is_sell = (flags & SELL_FLAG) != 0
    best = state["best"]
    if flags & UNKNOWN_SIDE and best[BID] != NONE and best[ASK] != NONE:
        bid = coarse[BID, fine[BID, best[BID]]["coarse"]]["price_ticks"]
        ask = coarse[ASK, fine[ASK, best[ASK]]["coarse"]]["price_ticks"]
        is_sell = prices[BID, i] + prices[ASK, i] <= bid + ask
    price = prices[BID, i] if is_sell else prices[ASK, i]
    lots = _target_lots(state, event["size_lots"])
    _write(state, out, event, TRADE, max(1, price), lots, event["ts_venue_ns"])
