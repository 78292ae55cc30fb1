"""What a client may do at the simulated exchange: place and cancel, and what is published of the book.

A new order is refused, or matched with what it crosses and then rests or ends; everything is reported
(`pit.py`, where the assumptions are). Pure.
"""

from makerside.core.book import next_ask, next_bid
from makerside.core.kernel import Record, inlined, kernel
from makerside.model.event import Flag, Kind, Reason
from makerside.model.market import NO_ASK, NO_BID
from makerside.model.units import ASK, BID, BUY, SELL
from makerside.sim.house import is_crossed, is_known
from makerside.sim.pit import (
    add_order,
    best_house,
    fill_maker,
    free_slot,
    house_lots,
    reducible_lots,
    remove_order,
    shrink_reduce_only,
    take_lots,
)
from makerside.sim.pit_reports import new_trade_id, report, report_fill
from makerside.sim.records import UNKNOWN_AHEAD

POST_ONLY = int(Flag.POST_ONLY)
REDUCE_ONLY = int(Flag.REDUCE_ONLY)
IOC = int(Flag.IOC)
ACK, REJECT, CANCELED = int(Kind.ORDER_ACK), int(Kind.ORDER_REJECT), int(Kind.ORDER_CANCELED)
SELF_TRADED = int(Kind.ORDER_SELF_TRADE)
NONE, USER, SIZE, NO_MATCH = int(Reason.NONE), int(Reason.USER), int(Reason.SIZE), int(Reason.NO_MATCH)
WOULD_TAKE, SELF_TRADE = int(Reason.POST_ONLY_WOULD_TAKE), int(Reason.SELF_TRADE)
NO_POSITION = int(Reason.REDUCE_ONLY)


@kernel
def place_order(
    house: Record,
    pit: Record,
    ts_ns: int,
    order_id: int,
    client: int,
    side: int,
    price_ticks: int,
    size_lots: int,
    flags: int,
) -> None:
    """Accept an order: reject it, match what crosses, rest or cancel what is left. Everything is reported.

    flags : POST_ONLY, IOC, REDUCE_ONLY of `event.Flag`; neither POST_ONLY nor IOC is good till cancelled
    """
    pit["ts_ns"] = max(pit["ts_ns"], max(ts_ns, house["ts_ns"]))
    assert pit["n_free"] > 0
    pit["n_free"] -= 1
    slot = pit["free"][pit["n_free"]]
    order = pit["orders"][slot]
    order["order_id"] = order_id
    order["price_ticks"] = price_ticks
    order["size_lots"] = size_lots
    order["open_lots"] = size_lots
    order["side"] = side
    order["client"] = client
    order["flags"] = flags
    order["priority"] = pit["next_priority"]
    order["traded_lots"] = 0.0
    pit["next_priority"] += 1
    reason = _why_rejected(house, pit, order)
    if reason != NONE:
        order["open_lots"] = 0
        report(pit, order, REJECT, 0, reason)
        free_slot(pit, slot)
        return
    if flags & REDUCE_ONLY:
        order["open_lots"] = min(size_lots, reducible_lots(pit, client, side))
    before = order["open_lots"]
    if not flags & POST_ONLY:
        _take(house, pit, order)
        if order["open_lots"] < before:
            shrink_reduce_only(house, pit, client)
    _settle_new(house, pit, slot, before)


@inlined
def _settle_new(house: Record, pit: Record, slot: int, before: int) -> None:
    """Rest what is left of a new order, or end it."""
    order = pit["orders"][slot]
    left = order["open_lots"]
    if left == 0:
        free_slot(pit, slot)
    elif order["flags"] & IOC:
        order["open_lots"] = 0
        if left == before:
            report(pit, order, REJECT, 0, NO_MATCH)
        else:
            report(pit, order, CANCELED, left, NO_MATCH)
        free_slot(pit, slot)
    else:
        side, tick = order["side"], order["price_ticks"]
        if is_known(house, side, tick):
            order["ahead_lots"] = float(house_lots(house, pit, BID if side == BUY else ASK, tick))
        else:
            order["ahead_lots"] = UNKNOWN_AHEAD
        add_order(house, pit, slot)
        report(pit, order, ACK, left, NONE)


@inlined
def _why_rejected(house: Record, pit: Record, order: Record) -> int:
    """Return why an order is refused before it is matched, NONE when it is not."""
    side = order["side"]
    if order["size_lots"] <= 0 or order["price_ticks"] <= 0:
        return SIZE
    if order["flags"] & REDUCE_ONLY and reducible_lots(pit, order["client"], side) == 0:
        return NO_POSITION
    if order["flags"] & POST_ONLY and _would_take(house, pit, side, order["price_ticks"]):
        return WOULD_TAKE
    return NONE


@inlined
def best_opposite(house: Record, pit: Record, side: int) -> int:
    """Return the best price that an order of `side` could take, clients included; NO_ASK or NO_BID if none."""
    return _best_of_clients(pit, side, best_house(house, pit, ASK if side == BUY else BID))


@inlined
def _would_take(house: Record, pit: Record, side: int, price_ticks: int) -> bool:
    """Return whether an order would meet size of the house or of a client; looks at clients only if it may."""
    if side == BUY:
        if best_house(house, pit, ASK) <= price_ticks:
            return True
        return house["own_ask_ticks"] <= price_ticks and _best_of_clients(pit, BUY, NO_ASK) <= price_ticks
    if best_house(house, pit, BID) >= price_ticks:
        return True
    return house["own_bid_ticks"] >= price_ticks and _best_of_clients(pit, SELL, NO_BID) >= price_ticks


@inlined
def _best_of_clients(pit: Record, side: int, best: int) -> int:
    """Return `best`, or the better price of a client that an order of `side` could take."""
    for i in range(pit["n_active"]):
        order = pit["orders"][pit["active"][i]]
        if order["side"] == -side:
            best = min(best, order["price_ticks"]) if side == BUY else max(best, order["price_ticks"])
    return best


@kernel
def _take(house: Record, pit: Record, taker: Record) -> None:
    """Match a taker against house and clients, level by level, until its limit or its size is reached."""
    side = taker["side"]
    crossed = is_crossed(house)
    book_side = ASK if side == BUY else BID
    best = best_house(house, pit, book_side)
    while taker["open_lots"] > 0:
        if crossed:
            best = NO_ASK if side == BUY else NO_BID
        best = _best_of_clients(pit, side, best)
        if best in (NO_ASK, NO_BID):
            return
        if best > taker["price_ticks"] if side == BUY else best < taker["price_ticks"]:
            return
        _take_level(house, pit, taker, best, crossed)
        # Behind it, whatever has been given back meanwhile: an order takes every level once.
        best = _next_house(house, pit, book_side, best + side)


@kernel
def _take_level(house: Record, pit: Record, taker: Record, tick: int, crossed: bool) -> None:
    """Match a taker at one price: house size, if it counts, and client orders in the order of the queue."""
    book_side = ASK if taker["side"] == BUY else BID
    shown = 0 if crossed else house_lots(house, pit, book_side, tick)
    taken = 0
    while taker["open_lots"] > 0:
        slot = _first_at(pit, -taker["side"], tick)
        if slot < 0:
            break
        maker = pit["orders"][slot]
        before_maker = min(shown - taken, int(min(maker["ahead_lots"], 1e15)))
        part = min(taker["open_lots"], before_maker)
        if part > 0:
            report_fill(pit, taker, tick, part, new_trade_id(pit), True)
            taken += part
            _advance_queues(pit, -taker["side"], tick, part)
            continue
        if maker["client"] == taker["client"]:
            left = maker["open_lots"]
            maker["open_lots"] = 0
            report(pit, maker, SELF_TRADED, left, SELF_TRADE)
            remove_order(house, pit, slot)
            continue
        part = min(taker["open_lots"], maker["open_lots"])
        trade_id = new_trade_id(pit)
        report_fill(pit, taker, tick, part, trade_id, True)
        fill_maker(house, pit, slot, part, trade_id, 1, 0)  # told by the taker's print
    part = min(taker["open_lots"], shown - taken)
    if part > 0:
        report_fill(pit, taker, tick, part, new_trade_id(pit), True)
        taken += part
    if taken > 0:
        take_lots(house, pit, book_side, tick, taken)


@kernel
def _advance_queues(pit: Record, side: int, tick: int, lots: int) -> None:
    """Bring client orders at a price forward by house size that a client took."""
    for i in range(pit["n_active"]):
        order = pit["orders"][pit["active"][i]]
        if order["side"] == side and order["price_ticks"] == tick and order["ahead_lots"] < UNKNOWN_AHEAD:
            order["ahead_lots"] = max(0.0, order["ahead_lots"] - lots)


@kernel
def _first_at(pit: Record, side: int, tick: int) -> int:
    """Return the slot of the oldest client order at a price, -1 when there is none."""
    found = -1
    for i in range(pit["n_active"]):
        slot = pit["active"][i]
        order = pit["orders"][slot]
        if order["side"] != side or order["price_ticks"] != tick:
            continue
        if found < 0 or order["priority"] < pit["orders"][found]["priority"]:
            found = slot
    return found


@inlined
def find_client_order(pit: Record, client: int, order_id: int) -> int:
    """Return the slot of a client's resting order, -1 when it has none of that id."""
    for i in range(pit["n_active"]):
        slot = pit["active"][i]
        order = pit["orders"][slot]
        if order["order_id"] == order_id and order["client"] == client:
            return slot
    return -1


@inlined
def cancel_order(house: Record, pit: Record, ts_ns: int, client: int, order_id: int) -> bool:
    """Cancel a resting order and report it; returns whether it was there."""
    pit["ts_ns"] = max(pit["ts_ns"], max(ts_ns, house["ts_ns"]))
    slot = find_client_order(pit, client, order_id)
    if slot < 0:
        return False
    order = pit["orders"][slot]
    left = order["open_lots"]
    order["open_lots"] = 0
    report(pit, order, CANCELED, left, USER)
    remove_order(house, pit, slot)
    return True


@kernel
def published_lots(house: Record, pit: Record, side: int, tick: int) -> int:
    """Return the size that the exchange shows at a price: the house's and the clients'. side: BID or ASK."""
    total = house_lots(house, pit, side, tick)
    order_side = BUY if side == BID else SELL
    for i in range(pit["n_active"]):
        order = pit["orders"][pit["active"][i]]
        if order["side"] == order_side and order["price_ticks"] == tick:
            total += order["open_lots"]
    return total


@kernel
def next_published(house: Record, pit: Record, side: int, tick: int) -> int:
    """Return the best published price at or behind `tick`: NO_BID or NO_ASK when there is none."""
    best = _next_house(house, pit, side, tick)
    order_side = BUY if side == BID else SELL
    for i in range(pit["n_active"]):
        order = pit["orders"][pit["active"][i]]
        if order["side"] != order_side:
            continue
        if side == BID and order["price_ticks"] <= tick:
            best = max(best, order["price_ticks"])
        elif side == ASK and order["price_ticks"] >= tick:
            best = min(best, order["price_ticks"])
    return best


@kernel
def _next_house(house: Record, pit: Record, side: int, tick: int) -> int:
    """Return the best price at or behind `tick` where the house has size for this pit."""
    book = house["book"]
    at = min(tick, book["bid_ticks"]) if side == BID else max(tick, book["ask_ticks"])
    at = next_bid(book, at) if side == BID else next_ask(book, at)
    while at != NO_BID and at != NO_ASK and house_lots(house, pit, side, at) == 0:
        at = next_bid(book, at - 1) if side == BID else next_ask(book, at + 1)
    return at
