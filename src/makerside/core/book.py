"""The order book of one instrument: rows in, best prices out; our own orders included (see `own.py`).

Levels live in a ring of `WINDOW_TICKS` slots a side, indexed by tick modulo the window; when the
touch nears its edge the window moves and the slots that leave are cleared. What lies outside is
unknown, not empty. Rows of one message are applied one by one and looked at only at its end.

How several feeds combine (venues/hyperliquid: `bbo` is newer than `l2Book`): every book row carries
its venue time. The touch remembers the newest time it was told; an older row may change what lies
behind the touch but never the touch itself, nor put a level in front of it. Pure.
"""

from makerside.core.kernel import Record, inlined, kernel
from makerside.model.event import Flag, Kind
from makerside.model.market import NO_ASK, NO_BID, WINDOW_MASK, WINDOW_TICKS
from makerside.model.units import ASK, BID, BUY

SELL_FLAG = int(Flag.SELL)
MARGIN_TICKS = WINDOW_TICKS // 8  # the window moves when the touch is nearer than this to its edge
DELTA, SNAPSHOT, BBO = int(Kind.DELTA), int(Kind.SNAPSHOT), int(Kind.BBO)


@kernel
def book_clear(book: Record) -> None:
    """Forget every level; the window stays where it is."""
    if book["low_ticks"] <= book["high_ticks"]:
        for tick in range(book["low_ticks"], book["high_ticks"] + 1):
            slot = tick & WINDOW_MASK
            book["lots"][BID, slot] = 0
            book["lots"][ASK, slot] = 0
    book["bid_ticks"] = NO_BID
    book["ask_ticks"] = NO_ASK
    book["low_ticks"] = NO_ASK
    book["high_ticks"] = NO_BID
    book["known_bid_ticks"] = NO_BID
    book["known_ask_ticks"] = NO_ASK


@kernel
def book_lots(book: Record, side: int, tick: int) -> int:
    """Return the size at a price, 0 when there is none or the price is outside the window."""
    if tick < book["base_ticks"] or tick >= book["base_ticks"] + WINDOW_TICKS:
        return 0
    return book["lots"][side, tick & WINDOW_MASK]


@kernel
def _is_empty(book: Record) -> bool:
    return book["bid_ticks"] == NO_BID and book["ask_ticks"] == NO_ASK


@kernel
def _center(tick: int, other: int) -> int:
    """Return where the window's middle goes: between both best prices when it holds both, else at `tick`."""
    return (tick + other) // 2 if abs(tick - other) < WINDOW_MASK else tick


@kernel
def move_window(book: Record, center: int) -> None:
    """Move the window so that `center` is in its middle; levels that leave it are forgotten."""
    base = center - WINDOW_TICKS // 2
    old = book["base_ticks"]
    low = book["low_ticks"]
    high = book["high_ticks"]
    for tick in range(low, high + 1):
        if tick < base or tick >= base + WINDOW_TICKS:
            slot = tick & WINDOW_MASK
            book["lots"][BID, slot] = 0
            book["lots"][ASK, slot] = 0
    book["base_ticks"] = base
    if low <= high and base != old:
        book["low_ticks"] = max(low, base)
        book["high_ticks"] = min(high, base + WINDOW_TICKS - 1)
        book["known_bid_ticks"] = max(book["known_bid_ticks"], base)
        book["known_ask_ticks"] = min(book["known_ask_ticks"], base + WINDOW_TICKS - 1)
        if book["bid_ticks"] < base or book["bid_ticks"] >= base + WINDOW_TICKS:
            book["bid_ticks"] = next_bid(book, base + WINDOW_TICKS - 1)
        if book["ask_ticks"] < base or book["ask_ticks"] >= base + WINDOW_TICKS:
            book["ask_ticks"] = next_ask(book, base)


@kernel
def next_bid(book: Record, tick: int) -> int:
    """Return the best bid price at or below `tick`, NO_BID when there is none."""
    low = max(book["low_ticks"], book["base_ticks"])
    while tick >= low:
        if book["lots"][BID, tick & WINDOW_MASK] > 0:
            return tick
        tick -= 1
    return NO_BID


@kernel
def next_ask(book: Record, tick: int) -> int:
    """Return the best ask price at or above `tick`, NO_ASK when there is none."""
    high = min(book["high_ticks"], book["base_ticks"] + WINDOW_MASK)
    while tick <= high:
        if book["lots"][ASK, tick & WINDOW_MASK] > 0:
            return tick
        tick += 1
    return NO_ASK


@inlined
def set_level(book: Record, side: int, tick: int, lots: int) -> int:
    """Set the size at a price and keep the best price right; returns the size that stood there before.

    A price outside the window is dropped and counted, unless it is a new touch: then the window moves.
    """
    base = book["base_ticks"]
    if tick < base or tick >= base + WINDOW_TICKS:
        is_touch = tick > book["bid_ticks"] if side == BID else tick < book["ask_ticks"]
        if lots <= 0 or not (is_touch or _is_empty(book)):
            book["n_outside"] += 1
            return 0
        move_window(book, _center(tick, book["ask_ticks"] if side == BID else book["bid_ticks"]))
    slot = tick & WINDOW_MASK
    before = book["lots"][side, slot]
    book["lots"][side, slot] = lots
    book["low_ticks"] = min(book["low_ticks"], tick)
    book["high_ticks"] = max(book["high_ticks"], tick)
    # Without branches on side and size, which nobody can predict: half the time of a row.
    is_bid = side == BID
    bid = book["bid_ticks"]
    ask = book["ask_ticks"]
    if lots <= 0 and tick == (bid if is_bid else ask):
        if is_bid:
            book["bid_ticks"] = next_bid(book, tick - 1)
        else:
            book["ask_ticks"] = next_ask(book, tick + 1)
        return before
    book["bid_ticks"] = max(bid, tick if is_bid and lots > 0 else NO_BID)
    book["ask_ticks"] = min(ask, NO_ASK if is_bid or lots <= 0 else tick)
    return before


@kernel
def trim_side(book: Record, side: int, tick: int, lots: int) -> None:
    """Make `tick` the best price of a side with `lots`; levels in front of it go. lots 0 empties the side."""
    if side == BID:
        best = book["bid_ticks"]
        floor = book["low_ticks"] - 1 if lots <= 0 else tick
        while best > floor and best != NO_BID:
            book["lots"][BID, best & WINDOW_MASK] = 0
            best = next_bid(book, best - 1)
        book["bid_ticks"] = best
    else:
        best = book["ask_ticks"]
        ceiling = book["high_ticks"] + 1 if lots <= 0 else tick
        while best < ceiling and best != NO_ASK:
            book["lots"][ASK, best & WINDOW_MASK] = 0
            best = next_ask(book, best + 1)
        book["ask_ticks"] = best
    if lots > 0:
        set_level(book, side, tick, lots)


@inlined
def _is_behind_touch(book: Record, side: int, tick: int) -> bool:
    return tick < book["bid_ticks"] if side == BID else tick > book["ask_ticks"]


@inlined
def apply_book_row(book: Record, kind: int, side: int, tick: int, lots: int, ts_venue_ns: int) -> bool:
    """Apply one DELTA, SNAPSHOT or BBO row; the caller closes the message with `end_message`.

    book    : book_t
    kind    : Kind.DELTA, SNAPSHOT or BBO; anything else is an error of the caller
    side    : BID or ASK
    returns : whether it told its level; False for what an older message would have put over newer rows
    """
    is_older = ts_venue_ns < book["ts_touch_ns"]
    if kind == DELTA:
        if is_older and not _is_behind_touch(book, side, tick):
            book["n_older"] += 1
            return False
        set_level(book, side, tick, lots)
        book["ts_depth_ns"] = max(book["ts_depth_ns"], ts_venue_ns)
    elif kind == SNAPSHOT:
        if not _apply_snapshot_row(book, side, tick, lots, ts_venue_ns, is_older):
            return False
    else:
        if is_older:
            book["n_older"] += 1
            return False
        trim_side(book, side, tick, lots)
    if not is_older:
        book["ts_touch_ns"] = ts_venue_ns
    return True


@kernel
def _apply_snapshot_row(
    book: Record, side: int, tick: int, lots: int, ts_venue_ns: int, is_older: bool
) -> bool:
    if book["in_snapshot"] == 0:
        _begin_snapshot(book, is_older)
    if lots <= 0:
        return False
    if side == BID:
        known = book["known_bid_ticks"]
        book["known_bid_ticks"] = tick if known == NO_BID else min(known, tick)
    else:
        known = book["known_ask_ticks"]
        book["known_ask_ticks"] = tick if known == NO_ASK else max(known, tick)
    if is_older and not _is_behind_touch(book, side, tick):
        book["n_older"] += 1
        return False
    set_level(book, side, tick, lots)
    book["ts_depth_ns"] = ts_venue_ns
    return True


@kernel
def _begin_snapshot(book: Record, is_older: bool) -> None:
    """Clear the book for a snapshot; one that is older than the touch leaves the touch in place."""
    bid = book["bid_ticks"]
    ask = book["ask_ticks"]
    bid_lots = book_lots(book, BID, bid)
    ask_lots = book_lots(book, ASK, ask)
    book_clear(book)
    book["in_snapshot"] = 1
    if is_older:
        if bid != NO_BID:
            set_level(book, BID, bid, bid_lots)
        if ask != NO_ASK:
            set_level(book, ASK, ask, ask_lots)


@inlined
def end_message(book: Record) -> None:
    """Close a message: the next SNAPSHOT row begins a new snapshot; keep the touch inside the window."""
    book["in_snapshot"] = 0
    bid = book["bid_ticks"]
    ask = book["ask_ticks"]
    low = book["base_ticks"] + MARGIN_TICKS
    high = book["base_ticks"] + WINDOW_TICKS - MARGIN_TICKS
    if low <= bid < high and low <= ask < high:
        return
    # A wide market leaves less room beside it; it is moved when half of that is gone.
    spread = abs(ask - bid)
    margin = min(MARGIN_TICKS, (WINDOW_TICKS - spread) // 4) if spread < WINDOW_TICKS else MARGIN_TICKS
    if _is_at_edge(book, bid, margin):
        move_window(book, _center(bid, ask))
    elif _is_at_edge(book, ask, margin):
        move_window(book, _center(ask, bid))


@kernel
def _is_at_edge(book: Record, tick: int, margin: int) -> bool:
    """Return whether a best price, if there is one, is nearer than `margin` to an edge of the window."""
    if tick in (NO_BID, NO_ASK):
        return False
    base = book["base_ticks"]
    return tick < base + margin or tick >= base + WINDOW_TICKS - margin


@kernel
def infer_side(market: Record, tick: int) -> int:
    """Return the likely aggressor of a print whose source does not tell it: by the book, else as before."""
    if market["ask_ticks"] != NO_ASK and market["bid_ticks"] != NO_BID:
        distance = 2 * tick - market["bid_ticks"] - market["ask_ticks"]
        if distance != 0:
            return BUY if distance > 0 else -BUY
    if tick != market["last_trade_ticks"] and market["last_trade_ticks"] != 0:
        return BUY if tick > market["last_trade_ticks"] else -BUY
    return BUY if market["last_trade_side"] >= 0 else -BUY
