"""The market without ourselves: what we rested when, and the touch that is left without it.

The book is kept as the venue sends it, our orders included. Every level carries the venue time at
which it was told, every note the venue times between which so much of an order rested; a level is
looked at without what rested when it was told. Notes are made only where the feed shows our orders.

Facts about one order come in any order of time (fills overtake acks, answers overtake the stream): a
fact about an earlier time never changes what a later one has said. An order that is not acked yet is
in doubt: it counts as ours when its level has grown by exactly its size since it was sent. So does one
that ended at an untold time, while its level shows what it showed with it. Pure.
"""

from makerside.core.book import book_lots, next_ask, next_bid, set_level
from makerside.core.kernel import Record, inlined, kernel
from makerside.model.market import (
    NO_ASK,
    NO_BID,
    OWN_CAPACITY,
    SURE,
    WINDOW_MASK,
    WINDOW_TICKS,
    MarketStatus,
)
from makerside.model.units import ASK, BID, NEVER_NS, NS_PER_S

FADING_NS = NS_PER_S  # a feed that is further behind the answers is of little use anyway


@kernel
def own_time_ns(market: Record, ts_venue_ns: int, now_ns: int) -> int:
    """Return the venue time of a fact; for one that tells none, the time that a book would carry now.

    Hyperliquid's answers to actions carry no time. The venue's clock is read off its last message, so
    that the offset between its clock and ours does not matter.
    """
    if ts_venue_ns > 0:
        return ts_venue_ns
    if market["ts_venue_ns"] == 0:
        return now_ns
    return market["ts_venue_ns"] + max(0, now_ns - market["ts_local_ns"]) + 1


@kernel
def note_told(market: Record, side: int, tick: int, ts_venue_ns: int) -> None:
    """Note when a level was told, unless its price is outside the book's window."""
    base = market["book"]["base_ticks"]
    if base <= tick < base + WINDOW_TICKS:
        market["told_ns"][side, tick & WINDOW_MASK] = ts_venue_ns


@kernel
def told_ns(market: Record, side: int, tick: int) -> int:
    """Return the venue time at which the size at a price was told, 0 when it is outside the window."""
    base = market["book"]["base_ticks"]
    if base <= tick < base + WINDOW_TICKS:
        return market["told_ns"][side, tick & WINDOW_MASK]
    return 0


@kernel
def own_lots(market: Record, side: int, tick: int, shown_lots: int, ts_venue_ns: int) -> int:
    """Return how much of the `shown_lots` that a book of a venue time tells at a price are ours."""
    sure = 0
    has_doubt = False
    for i in range(market["n_own"]):
        own = market["own"][i]
        if own["price_ticks"] == tick and own["side"] == side and own["from_ns"] <= ts_venue_ns < own["to_ns"]:
            if own["others_lots"] == SURE:
                sure += own["size_lots"]
            else:
                has_doubt = True
    return _with_doubtful(market, side, tick, shown_lots, sure, ts_venue_ns) if has_doubt else sure


@kernel
def _with_doubtful(
    market: Record, side: int, tick: int, shown_lots: int, sure_lots: int, ts_venue_ns: int
) -> int:
    """Return how much at a level is ours when orders are on their way to it, the oldest arriving first.

    sure_lots : ours that rested when we heard last; an order that one on its way replaces may have gone
    """
    others = -1
    sent = 0
    found = sure_lots
    for i in range(market["n_own"]):
        own = market["own"][i]
        if own["price_ticks"] != tick or own["side"] != side or own["others_lots"] == SURE:
            continue
        if own["from_ns"] <= ts_venue_ns < own["to_ns"]:
            others = own["others_lots"] if others < 0 else others
            sent += own["size_lots"]
            if shown_lots == others + sure_lots + sent:
                found = sure_lots + sent
            elif shown_lots == others + sent:
                found = sent
            elif shown_lots == own["others_lots"] + own["size_lots"]:  # those before it have gone
                found = max(found, own["size_lots"])
    return found


@kernel
def own_sent(market: Record, client_order_id: int, side: int, tick: int, lots: int) -> None:
    """Note that an order is on its way: no book so far contains it, any later one may."""
    if market["has_own_in_book"] == 0:
        return
    from_ns = market["ts_venue_ns"] + 1
    _add(market, client_order_id, side, tick, lots, from_ns, NEVER_NS, _others_lots(market, side, tick))


@kernel
def _others_lots(market: Record, side: int, tick: int) -> int:
    """Return what others rest at a price, as far as we know."""
    book = market["book"]
    shown = book_lots(book, side, tick)
    return max(0, shown - own_lots(market, side, tick, shown, told_ns(market, side, tick)))


@kernel
def own_begins(market: Record, client_order_id: int, side: int, tick: int, lots: int, ts_venue_ns: int) -> None:
    """Note that from a venue time on no more than `lots` of our order rest."""
    if market["has_own_in_book"] == 0:
        return
    until_ns = NEVER_NS
    is_known = False
    for i in range(market["n_own"]):
        own = market["own"][i]
        if own["client_order_id"] != client_order_id or own["to_ns"] <= ts_venue_ns:
            continue
        if own["others_lots"] != SURE:
            own["to_ns"] = ts_venue_ns
        elif own["from_ns"] >= ts_venue_ns:
            own["size_lots"] = min(own["size_lots"], lots)
            until_ns = min(until_ns, own["from_ns"])
        elif own["size_lots"] > lots:
            until_ns = min(until_ns, own["to_ns"])
            own["to_ns"] = ts_venue_ns
        else:
            is_known = True
    if lots > 0 and until_ns > ts_venue_ns and not is_known:
        _add(market, client_order_id, side, tick, lots, ts_venue_ns, until_ns, SURE)


@kernel
def own_ends(market: Record, client_order_id: int, ts_venue_ns: int) -> None:
    """Note that our order rests no more from a venue time on."""
    for i in range(market["n_own"]):
        own = market["own"][i]
        if own["client_order_id"] == client_order_id and own["to_ns"] > ts_venue_ns:
            own["to_ns"] = ts_venue_ns


@kernel
def own_fades(market: Record, client_order_id: int, side: int, tick: int, lots: int, ts_venue_ns: int) -> None:
    """Note that our order ended near a venue time: books of a little later may still contain it."""
    if market["has_own_in_book"] == 0:
        return
    others = _others_lots(market, side, tick)
    own_ends(market, client_order_id, ts_venue_ns)
    if lots > 0:
        _add(market, client_order_id, side, tick, lots, ts_venue_ns, ts_venue_ns + FADING_NS, others)


@kernel
def own_never(market: Record, client_order_id: int) -> None:
    """Forget an order that never rested."""
    own_ends(market, client_order_id, 0)


@kernel
def own_is_acked(market: Record, client_order_id: int) -> None:
    """Drop the doubt about an order: the time from which it rests is known now."""
    for i in range(market["n_own"]):
        own = market["own"][i]
        if own["client_order_id"] == client_order_id and own["others_lots"] != SURE:
            own["to_ns"] = own["from_ns"]


@kernel
def _add(
    market: Record,
    client_order_id: int,
    side: int,
    tick: int,
    lots: int,
    from_ns: int,
    to_ns: int,
    others_lots: int,
) -> None:
    _make_room(market)
    i = market["n_own"]
    assert i < OWN_CAPACITY
    own = market["own"][i]
    own["client_order_id"] = client_order_id
    own["price_ticks"] = tick
    own["size_lots"] = lots
    own["side"] = side
    own["from_ns"] = from_ns
    own["to_ns"] = to_ns
    own["others_lots"] = others_lots
    market["n_own"] = i + 1


@kernel
def _make_room(market: Record) -> None:
    """Forget what no book can need; when that is not enough, what only a late message might."""
    book = market["book"]
    # A feed of best prices never tells the depth.
    depth_ns = book["ts_depth_ns"] if book["ts_depth_ns"] > 0 else book["ts_touch_ns"]
    _forget(market, min(book["ts_touch_ns"], depth_ns))
    if market["n_own"] == OWN_CAPACITY:
        _forget(market, NEVER_NS - 1)
    if market["n_own"] == OWN_CAPACITY:
        _settle(market)


@kernel
def _is_shown(market: Record, own: Record) -> bool:
    """Return whether the book still shows a level that contains this order."""
    side, tick = own["side"], own["price_ticks"]
    return (
        book_lots(market["book"], side, tick) > 0
        and own["from_ns"] <= told_ns(market, side, tick) < own["to_ns"]
    )


@kernel
def _forget(market: Record, horizon_ns: int) -> None:
    """Drop the notes that ended before a venue time and that the book does not show any more."""
    kept = 0
    for i in range(market["n_own"]):
        own = market["own"][i]
        is_over = own["to_ns"] <= horizon_ns and not _is_shown(market, own)
        if not is_over and own["from_ns"] < own["to_ns"]:
            if kept != i:
                market["own"][kept] = own
            kept += 1
    market["n_own"] = kept


@kernel
def _settle(market: Record) -> None:
    """Take ended orders out of the levels that still show them, and forget them: the last resort."""
    book = market["book"]
    kept = 0
    for i in range(market["n_own"]):
        own = market["own"][i]
        if own["to_ns"] == NEVER_NS:
            if kept != i:
                market["own"][kept] = own
            kept += 1
        elif own["others_lots"] == SURE and _is_shown(market, own):
            side, tick = own["side"], own["price_ticks"]
            set_level(book, side, tick, max(0, book_lots(book, side, tick) - own["size_lots"]))
    market["n_own"] = kept


@inlined
def set_touch(market: Record) -> None:
    """Write the touch without our own orders into the market record, and its status."""
    book = market["book"]
    bid = book["bid_ticks"]
    ask = book["ask_ticks"]
    bid_lots = book_lots(book, BID, bid)
    ask_lots = book_lots(book, ASK, ask)
    if market["n_own"] > 0:
        bid, bid_lots = _touch_without_us(market, BID, bid, bid_lots)
        ask, ask_lots = _touch_without_us(market, ASK, ask, ask_lots)
    market["bid_ticks"] = bid
    market["ask_ticks"] = ask
    market["bid_lots"] = bid_lots
    market["ask_lots"] = ask_lots
    if bid == NO_BID or ask == NO_ASK:
        market["status"] = MarketStatus.EMPTY
    elif bid > ask:
        market["status"] = MarketStatus.CROSSED
        market["n_crossed"] += 1
    else:
        market["status"] = MarketStatus.OK
        market["n_locked"] += 1 if bid == ask else 0


@kernel
def _touch_without_us(market: Record, side: int, tick: int, lots: int) -> tuple[int, int]:
    book = market["book"]
    while tick != NO_BID and tick != NO_ASK:
        others = lots - own_lots(market, side, tick, lots, told_ns(market, side, tick))
        if others > 0:
            return tick, others
        tick = next_bid(book, tick - 1) if side == BID else next_ask(book, tick + 1)
        lots = book_lots(book, side, tick)
    return tick, 0
