"""The house: the market of others of one instrument, recorded or synthetic, which does not react to us.

Clients' orders stand in pits (`pit.py`), one pit for all clients of a local exchange, or one per parameter
set of a sweep: any number of them share the house, since none of them changes it. The house knows which
pits rest at which price, one bit each, and tells after every row whom it concerns. Pure.
"""

from makerside.core.book import apply_book_row, book_lots, end_message
from makerside.core.kernel import Record, inlined, kernel
from makerside.model.event import Flag, Kind
from makerside.model.market import NO_ASK, NO_BID, WINDOW_MASK
from makerside.model.units import ASK, BID, BUY, SELL

SELL_FLAG = int(Flag.SELL)
UNKNOWN_SIDE = int(Flag.UNKNOWN_SIDE)
DELTA, SNAPSHOT, BBO, TRADE = int(Kind.DELTA), int(Kind.SNAPSHOT), int(Kind.BBO), int(Kind.TRADE)
NEAR_TICKS = 64  # a best price that moves further concerns everybody who rests


@kernel
def house_init(house: Record) -> None:
    """Make a zeroed house, whose `instrument` is set, empty and ready."""
    book = house["book"]
    book["bid_ticks"] = NO_BID
    book["ask_ticks"] = NO_ASK
    book["low_ticks"] = NO_ASK
    book["high_ticks"] = NO_BID
    book["known_bid_ticks"] = NO_BID
    book["known_ask_ticks"] = NO_ASK
    house["own_bid_ticks"] = NO_BID
    house["own_ask_ticks"] = NO_ASK
    house["epoch"] = 1


@inlined
def house_before(house: Record, event: Record) -> int:
    """Return the pits that must note the sizes at their prices before a row is applied, one bit each."""
    kind = int(event["kind"])
    if kind == DELTA or house["resting"] == 0:
        return 0
    house["noted"] = _concerned(house, event, kind)
    return house["noted"]


@kernel
def _concerned(house: Record, event: Record, kind: int) -> int:
    """Return the pits whose levels a SNAPSHOT or BBO row may change: with a BBO all in front of it go."""
    if kind == SNAPSHOT:
        return house["resting"] if house["has_snapshot"] == 0 else 0
    if kind != BBO:
        return 0
    side = ASK if int(event["flags"]) & SELL_FLAG else BID
    book = house["book"]
    best = book["bid_ticks"] if side == BID else book["ask_ticks"]
    tick = int(event["price_ticks"])
    if abs(best - tick) > NEAR_TICKS or event["size_lots"] <= 0:
        return house["resting"]
    mask = 0
    for at in range(min(best, tick), max(best, tick) + 1):
        mask |= house["pits"][side, at & WINDOW_MASK]
    return mask


@inlined
def house_row(house: Record, event: Record) -> int:
    """Apply one row of the house; returns the pits that it concerns, one bit each."""
    kind = int(event["kind"])
    flags = int(event["flags"])
    tick = int(event["price_ticks"])
    lots = event["size_lots"]
    ts_ns = event["ts_venue_ns"]
    house["ts_ns"] = max(house["ts_ns"], ts_ns)
    if kind == DELTA:
        return _delta(house, ASK if flags & SELL_FLAG else BID, tick, lots, ts_ns)
    if kind == TRADE:
        side = _aggressor(house, tick, flags)
        house["last_trade_ticks"] = tick
        house["last_trade_side"] = side
        house["n_trades"] += 1
        return pits_at(house, -side, tick)
    if kind in (SNAPSHOT, BBO):
        apply_book_row(house["book"], kind, ASK if flags & SELL_FLAG else BID, tick, lots, ts_ns)
        _look_at_window(house, house["book"])
        if kind == BBO:
            return house["noted"] | house["takers"]
        if house["has_snapshot"] == 0:
            house["epoch"] += 1
        house["has_snapshot"] = 1
        house["has_depth"] = 1
    return 0


@inlined
def _delta(house: Record, side: int, tick: int, lots: int, ts_ns: int) -> int:
    """Apply a DELTA row; returns the pits that it concerns."""
    book = house["book"]
    slot = tick & WINDOW_MASK
    mask = house["pits"][side, slot] | house["takers"]
    if mask != 0:
        house["before_lots"] = book_lots(book, side, tick)
    is_told = apply_book_row(book, DELTA, side, tick, lots, ts_ns)
    _look_at_window(house, book)
    if not is_told or not _is_inside(book, tick):
        return 0
    house["told"][side, slot] = house["epoch"]
    if mask != 0:
        house["after_lots"] = book_lots(book, side, tick)
    return mask


@inlined
def _look_at_window(house: Record, book: Record) -> None:
    """Forget what DELTA rows told when the book's window has moved: its slots stand for other prices now."""
    if book["base_ticks"] != house["epoch_base_ticks"]:
        house["epoch_base_ticks"] = book["base_ticks"]
        house["epoch"] += 1


@inlined
def _is_inside(book: Record, tick: int) -> bool:
    return (tick - book["base_ticks"]) & ~WINDOW_MASK == 0


@kernel
def _aggressor(house: Record, tick: int, flags: int) -> int:
    """Return the aggressor's side of a print; when the source does not tell it, by the book."""
    if not flags & UNKNOWN_SIDE:
        return SELL if flags & SELL_FLAG else BUY
    book = house["book"]
    if book["bid_ticks"] != NO_BID and book["ask_ticks"] != NO_ASK:
        distance = 2 * tick - book["bid_ticks"] - book["ask_ticks"]
        if distance != 0:
            return BUY if distance > 0 else SELL
    if tick != house["last_trade_ticks"] and house["last_trade_ticks"] != 0:
        return BUY if tick > house["last_trade_ticks"] else SELL
    return BUY if house["last_trade_side"] >= 0 else SELL


@kernel
def pits_at(house: Record, side: int, tick: int) -> int:
    """Return the pits that may have an order of a side at a price or better; tightens the bound it walks from.

    side : BUY or SELL
    """
    if side == BUY:
        best = house["own_bid_ticks"]
        while best >= tick and house["pits"][BID, best & WINDOW_MASK] == 0:
            best -= 1
        house["own_bid_ticks"] = best
        mask = 0
        for at in range(tick, best + 1):
            mask |= house["pits"][BID, at & WINDOW_MASK]
        return mask
    best = house["own_ask_ticks"]
    while best <= tick and house["pits"][ASK, best & WINDOW_MASK] == 0:
        best += 1
    house["own_ask_ticks"] = best
    mask = 0
    for at in range(best, tick + 1):
        mask |= house["pits"][ASK, at & WINDOW_MASK]
    return mask


@inlined
def house_end(house: Record) -> int:
    """Close a message of the house; returns the pits that have to look at it, one bit each."""
    book = house["book"]
    end_message(book)
    _look_at_window(house, book)
    mask = house["takers"]
    if house["has_snapshot"] == 1:
        mask |= house["resting"]
    elif book["bid_ticks"] != house["end_bid_ticks"] or book["ask_ticks"] != house["end_ask_ticks"]:
        mask |= house["waiting"]
    house["end_bid_ticks"] = book["bid_ticks"]
    house["end_ask_ticks"] = book["ask_ticks"]
    if book["ask_ticks"] <= house["own_bid_ticks"]:
        mask |= pits_at(house, BUY, book["ask_ticks"])
    if book["bid_ticks"] >= house["own_ask_ticks"]:
        mask |= pits_at(house, SELL, book["bid_ticks"])
    return mask


@kernel
def house_closed(house: Record) -> None:
    """Note that all pits have looked at the end of a message."""
    house["has_snapshot"] = 0


@kernel
def is_known(house: Record, side: int, tick: int) -> bool:
    """Return whether the source tells the size at a price: at the touch, in its snapshot, or by a row since.

    A source that sends no snapshots, best prices only, says nothing of what lies behind the touch.
    """
    book = house["book"]
    book_side = BID if side == BUY else ASK
    if house["told"][book_side, tick & WINDOW_MASK] == house["epoch"] and _is_inside(book, tick):
        return True
    has_depth = house["has_depth"] == 1
    if side == BUY:
        is_touch = book["bid_ticks"] != NO_BID and tick >= book["bid_ticks"]
        return is_touch or (has_depth and tick >= book["known_bid_ticks"])
    is_touch = book["ask_ticks"] != NO_ASK and tick <= book["ask_ticks"]
    return is_touch or (has_depth and tick <= book["known_ask_ticks"])


@kernel
def is_crossed(house: Record) -> bool:
    """Return whether one side of the house is old: it fills nobody then."""
    return house["book"]["bid_ticks"] > house["book"]["ask_ticks"]
