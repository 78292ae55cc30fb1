"""The pit: orders of clients who meet each other, in the market of a house that does not know of them.

Client orders queue with price-time priority among themselves and an estimated place among the others
(`queue.py`). They fill as makers when prints reach them or the house crosses them, and as takers against
house levels and other clients (`matching.py`). What a client takes from the house is missing for this pit
alone, until the level's next row.

What it assumes, and where that is wrong: nobody reacts to our orders; a print through our price
fills us whole; a locked house book (bid = ask by its own rows) fills nobody at its price, and a crossed
one, of which one side is old, fills nobody at all. Pure.
"""

from makerside.core.book import book_lots, next_ask, next_bid
from makerside.core.kernel import Record, inlined, kernel
from makerside.model.event import Flag, Kind, Reason
from makerside.model.market import NO_ASK, NO_BID, WINDOW_MASK
from makerside.model.units import ASK, BID, BUY, SELL
from makerside.sim.house import is_crossed, is_known
from makerside.sim.pit_reports import new_trade_id, report, report_fill
from makerside.sim.queue import queue_on_level, queue_on_trade
from makerside.sim.records import CLIENT_ORDERS_CAPACITY, TAKEN_CAPACITY, UNKNOWN_AHEAD

TRADE_ID_BITS = 40
SELL_FLAG = int(Flag.SELL)
REDUCE_ONLY = int(Flag.REDUCE_ONLY)
DELTA, TRADE, BBO = int(Kind.DELTA), int(Kind.TRADE), int(Kind.BBO)
ACK, CANCELED = int(Kind.ORDER_ACK), int(Kind.ORDER_CANCELED)
NONE, NO_POSITION = int(Reason.NONE), int(Reason.REDUCE_ONLY)


@kernel
def pit_init(pit: Record, number: int) -> None:
    """Make a zeroed pit, whose `instrument` is set, empty and ready. number : of it at its house"""
    pit["bit"] = 1 << number
    pit["next_trade_id"] = (pit["instrument"] << TRADE_ID_BITS) + 1  # unique over all instruments
    pit["next_priority"] = 1
    pit["n_free"] = CLIENT_ORDERS_CAPACITY
    for i in range(CLIENT_ORDERS_CAPACITY):
        pit["free"][i] = CLIENT_ORDERS_CAPACITY - 1 - i


@kernel
def note_levels(house: Record, pit: Record) -> None:
    """Note the house size at each order's price, to compare it with what comes."""
    for i in range(pit["n_active"]):
        order = pit["orders"][pit["active"][i]]
        order["level_lots"] = float(_level_lots(house, pit, order))


@inlined
def pit_row(house: Record, pit: Record, event: Record) -> None:
    """Let a row that the house has applied happen to the pit; fills are appended to `reports`."""
    kind = int(event["kind"])
    pit["ts_ns"] = max(pit["ts_ns"], house["ts_ns"])
    if kind == TRADE:
        _on_print(house, pit, house["last_trade_side"], int(event["price_ticks"]), event["size_lots"])
        return
    side = ASK if int(event["flags"]) & SELL_FLAG else BID
    tick = int(event["price_ticks"])
    if kind == DELTA:
        missing = give_back(house, pit, side, tick) if pit["n_taken"] > 0 else 0
        _on_level(house, pit, side, tick, house["before_lots"] - missing, house["after_lots"])
        return
    if pit["n_taken"] > 0:
        give_back(house, pit, side, tick)
    if house["noted"] & pit["bit"]:
        _update_queues(house, pit)


@inlined
def _on_level(house: Record, pit: Record, side: int, tick: int, before: int, after: int) -> None:
    """Move the orders at a price whose house size has changed."""
    is_waiting = house["waiting"] & pit["bit"] != 0
    if before == after and not is_waiting:
        return
    order_side = BUY if side == BID else SELL
    for i in range(pit["n_active"]):
        order = pit["orders"][pit["active"][i]]
        if order["price_ticks"] != tick or order["side"] != order_side:
            continue
        if before != after or order["ahead_lots"] >= UNKNOWN_AHEAD:
            _move(pit, order, float(before), float(after))


@inlined
def _move(pit: Record, order: Record, before: float, after: float) -> None:
    lot_size = pit["rules"]["lot_size"]
    queue_on_level(order, before, after, pit["queue_model"], pit["queue_exponent"], lot_size)


@kernel
def _update_queues(house: Record, pit: Record) -> None:
    """Move each order whose level differs from what was noted, unless the source says nothing about it."""
    for i in range(pit["n_active"]):
        order = pit["orders"][pit["active"][i]]
        if not is_known(house, order["side"], order["price_ticks"]):
            continue
        after = float(_level_lots(house, pit, order))
        if after != order["level_lots"] or order["ahead_lots"] >= UNKNOWN_AHEAD:
            _move(pit, order, order["level_lots"], after)


@kernel
def _look_at_unknown(house: Record, pit: Record) -> None:
    """Place the orders whose queue was unknown and is told now."""
    has_more = False
    for i in range(pit["n_active"]):
        order = pit["orders"][pit["active"][i]]
        if order["ahead_lots"] < UNKNOWN_AHEAD:
            continue
        if is_known(house, order["side"], order["price_ticks"]):
            after = float(_level_lots(house, pit, order))
            _move(pit, order, after, after)
        has_more = has_more or order["ahead_lots"] >= UNKNOWN_AHEAD
    if not has_more:
        house["waiting"] &= ~pit["bit"]


@kernel
def pit_end(house: Record, pit: Record) -> None:
    """Close a message of the house: queues after a snapshot, and orders that the house now crosses."""
    pit["ts_ns"] = max(pit["ts_ns"], house["ts_ns"])
    if house["has_snapshot"] == 1:
        while pit["n_taken"] > 0:
            _give_back_at(house, pit, 0)
        _update_queues(house, pit)
    if house["waiting"] & pit["bit"]:
        _look_at_unknown(house, pit)
    if pit["n_active"] == 0 or is_crossed(house):
        return
    book = house["book"]
    bid = best_house(house, pit, BID)
    ask = best_house(house, pit, ASK)
    away = 1 if book["bid_ticks"] == book["ask_ticks"] else 0  # at the price of a locked house nobody is filled
    if ask + away <= house["own_bid_ticks"]:
        _fill_from(house, pit, BUY, ask + away, 0, 0)
    if bid - away >= house["own_ask_ticks"]:
        _fill_from(house, pit, SELL, bid - away, 0, 0)


@kernel
def taken_lots(pit: Record, side: int, tick: int) -> int:
    """Return what clients of this pit have taken from a house level since its last row."""
    for i in range(pit["n_taken"]):
        taken = pit["taken"][i]
        if taken["price_ticks"] == tick and taken["side"] == side:
            return taken["lots"]
    return 0


@kernel
def take_lots(house: Record, pit: Record, side: int, tick: int, lots: int) -> None:
    """Note that clients took from a house level."""
    for i in range(pit["n_taken"]):
        taken = pit["taken"][i]
        if taken["price_ticks"] == tick and taken["side"] == side:
            taken["lots"] += lots
            return
    if pit["n_taken"] == TAKEN_CAPACITY:
        _give_back_at(house, pit, 0)
    taken = pit["taken"][pit["n_taken"]]
    pit["n_taken"] += 1
    taken["side"] = side
    taken["price_ticks"] = tick
    taken["lots"] = lots
    house["takers"] |= pit["bit"]


@kernel
def give_back(house: Record, pit: Record, side: int, tick: int) -> int:
    """Forget what was taken from a level, as the house has told it anew; returns how much that was."""
    for i in range(pit["n_taken"]):
        taken = pit["taken"][i]
        if taken["price_ticks"] == tick and taken["side"] == side:
            lots = taken["lots"]
            _give_back_at(house, pit, i)
            return lots
    return 0


@kernel
def _give_back_at(house: Record, pit: Record, index: int) -> None:
    pit["n_taken"] -= 1
    for i in range(index, pit["n_taken"]):
        pit["taken"][i] = pit["taken"][i + 1]
    if pit["n_taken"] == 0:
        house["takers"] &= ~pit["bit"]


@inlined
def house_lots(house: Record, pit: Record, side: int, tick: int) -> int:
    """Return the house size at a price without what this pit's clients took. side : BID or ASK"""
    lots = book_lots(house["book"], side, tick)
    if pit["n_taken"] > 0:
        return max(0, lots - taken_lots(pit, side, tick))
    return lots


@kernel
def best_house(house: Record, pit: Record, side: int) -> int:
    """Return the best price at which the house still has size for this pit: NO_BID or NO_ASK if none."""
    book = house["book"]
    tick = book["bid_ticks"] if side == BID else book["ask_ticks"]
    if pit["n_taken"] == 0:
        return tick
    while tick != NO_BID and tick != NO_ASK and house_lots(house, pit, side, tick) == 0:
        tick = next_bid(book, tick - 1) if side == BID else next_ask(book, tick + 1)
    return tick


@kernel
def _level_lots(house: Record, pit: Record, order: Record) -> int:
    return house_lots(house, pit, BID if order["side"] == BUY else ASK, order["price_ticks"])


@kernel
def _on_print(house: Record, pit: Record, side: int, tick: int, lots: int) -> None:
    """Let a print of the house reach client orders of the passive side, best price and oldest first."""
    passive = -side
    number = house["n_trades"]
    _fill_from(house, pit, passive, tick + passive, 1, number)
    own_filled = 0
    i = 0
    while i < pit["n_active"]:
        slot = pit["active"][i]
        order = pit["orders"][slot]
        priority = order["priority"]
        if order["side"] == passive and order["price_ticks"] == tick:
            filled = min(order["open_lots"], queue_on_trade(order, float(max(0, lots - own_filled))))
            own_filled += filled
            if filled > 0:
                fill_maker(house, pit, slot, filled, new_trade_id(pit), 1, number)
        i = _next_younger(pit, i, priority)


@kernel
def _fill_from(
    house: Record, pit: Record, side: int, limit_ticks: int, is_print: int, print_number: int
) -> None:
    """Fill client orders of a side whole whose price is `limit_ticks` or better, best price and oldest first.

    The order matters: a fill may end reduce-only orders of the same client, which are reached no more then.
    """
    while True:
        found = -1
        for i in range(pit["n_active"]):
            slot = pit["active"][i]
            order = pit["orders"][slot]
            if order["side"] != side or (order["price_ticks"] - limit_ticks) * side < 0:
                continue
            if found < 0 or (order["price_ticks"] - pit["orders"][found]["price_ticks"]) * side > 0:
                found = slot
        if found < 0:
            return
        lots = pit["orders"][found]["open_lots"]
        fill_maker(house, pit, found, lots, new_trade_id(pit), is_print, print_number)


@kernel
def _next_younger(pit: Record, i: int, priority: int) -> int:
    """Return where a walk of `active` that was at index `i` goes on behind an arrival number.

    What was at `i` may have ended, and others with it (reduce-only): all behind them have moved forward.
    """
    i = min(i + 1, pit["n_active"])
    while i > 0 and pit["orders"][pit["active"][i - 1]]["priority"] > priority:
        i -= 1
    return i


@kernel
def fill_maker(
    house: Record, pit: Record, slot: int, lots: int, trade_id: int, is_print: int, print_number: int
) -> None:
    """Execute `lots` of a resting order at its price and report it. The last two: see `report_t`."""
    order = pit["orders"][slot]
    row = report_fill(pit, order, order["price_ticks"], lots, trade_id, False)
    row["is_print"] = is_print
    row["print_number"] = print_number
    if order["open_lots"] == 0:
        remove_order(house, pit, slot)
    shrink_reduce_only(house, pit, order["client"])


@inlined
def add_order(house: Record, pit: Record, slot: int) -> None:
    """Let an order rest, and the house know where."""
    order = pit["orders"][slot]
    tick = order["price_ticks"]
    pit["active"][pit["n_active"]] = slot
    pit["n_active"] += 1
    bit = pit["bit"]
    house["resting"] |= bit
    if order["side"] == BUY:
        house["pits"][BID, tick & WINDOW_MASK] |= bit
        house["own_bid_ticks"] = max(house["own_bid_ticks"], tick)
    else:
        house["pits"][ASK, tick & WINDOW_MASK] |= bit
        house["own_ask_ticks"] = min(house["own_ask_ticks"], tick)
    if order["ahead_lots"] >= UNKNOWN_AHEAD:
        house["waiting"] |= bit


@kernel
def remove_order(house: Record, pit: Record, slot: int) -> None:
    """Take an order off the book."""
    at = 0
    while pit["active"][at] != slot:
        at += 1
    order = pit["orders"][slot]
    side = order["side"]
    place = order["price_ticks"] & WINDOW_MASK
    pit["n_active"] -= 1
    n = pit["n_active"]
    is_alone = True
    for i in range(at):
        other = pit["orders"][pit["active"][i]]
        is_alone = is_alone and not (other["side"] == side and other["price_ticks"] & WINDOW_MASK == place)
    for i in range(at, n):
        pit["active"][i] = pit["active"][i + 1]
        other = pit["orders"][pit["active"][i]]
        is_alone = is_alone and not (other["side"] == side and other["price_ticks"] & WINDOW_MASK == place)
    if is_alone:
        house["pits"][BID if side == BUY else ASK, place] &= ~pit["bit"]
    if n == 0:
        house["resting"] &= ~pit["bit"]
        house["waiting"] &= ~pit["bit"]
    free_slot(pit, slot)


@inlined
def free_slot(pit: Record, slot: int) -> None:
    """Give a slot back that no order uses."""
    pit["free"][pit["n_free"]] = slot
    pit["n_free"] += 1


@kernel
def reducible_lots(pit: Record, client: int, side: int) -> int:
    """Return how much a reduce-only order of a client may close on a side."""
    return max(0, -side * pit["positions"][client])


@kernel
def shrink_reduce_only(house: Record, pit: Record, client: int) -> None:
    """Shrink resting reduce-only orders to the position; those with nothing left to reduce end."""
    i = 0
    while i < pit["n_active"]:
        slot = pit["active"][i]
        order = pit["orders"][slot]
        i += 1
        if order["client"] != client or not order["flags"] & REDUCE_ONLY:
            continue
        room = reducible_lots(pit, client, order["side"])
        if room == 0:
            left = order["open_lots"]
            order["open_lots"] = 0
            report(pit, order, CANCELED, left, NO_POSITION)
            remove_order(house, pit, slot)
            i -= 1
        elif order["open_lots"] > room:
            order["open_lots"] = room
            report(pit, order, ACK, room, NO_POSITION)
