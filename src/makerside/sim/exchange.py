"""The simulated exchange of one instrument: a market of others, and our clients' orders in it.

The market of others ("the house") comes as event rows, recorded or synthetic, and does not react to
us. Client orders queue in it with price-time priority among themselves and an estimated place among
the others (`queue.py`). They fill as makers when prints reach them or the house crosses them, and as
takers against house levels and other clients. House size that a client takes comes back with the
level's next row.

What it assumes, and where that is wrong: nobody reacts to our orders; a print through our price
fills us whole; a locked house book (bid = ask by its own rows) fills nobody at its price, and a crossed
one, of which one side is old, fills nobody at all. Pure.
"""

from makerside.core.book import apply_book_row, book_lots, end_message, next_ask, next_bid, set_level
from makerside.core.kernel import Record, kernel
from makerside.core.positions import fee_e8, notional_e8
from makerside.model.event import Flag, Kind, Reason
from makerside.model.market import NO_ASK, NO_BID
from makerside.model.units import ASK, BID, BUY, SELL
from makerside.sim.queue import queue_on_level, queue_on_trade
from makerside.sim.records import CLIENT_ORDERS_CAPACITY, REPORTS_CAPACITY, UNKNOWN_AHEAD

TRADE_ID_BITS = 40
SELL_FLAG = int(Flag.SELL)
UNKNOWN_SIDE = int(Flag.UNKNOWN_SIDE)
POST_ONLY = int(Flag.POST_ONLY)
REDUCE_ONLY = int(Flag.REDUCE_ONLY)
IOC = int(Flag.IOC)
DELTA, SNAPSHOT, BBO = int(Kind.DELTA), int(Kind.SNAPSHOT), int(Kind.BBO)
TRADE, FILL = int(Kind.TRADE), int(Kind.FILL)
ACK, REJECT, CANCELED = int(Kind.ORDER_ACK), int(Kind.ORDER_REJECT), int(Kind.ORDER_CANCELED)
SELF_TRADED = int(Kind.ORDER_SELF_TRADE)
NONE, USER, SIZE, NO_MATCH = int(Reason.NONE), int(Reason.USER), int(Reason.SIZE), int(Reason.NO_MATCH)
WOULD_TAKE, SELF_TRADE = int(Reason.POST_ONLY_WOULD_TAKE), int(Reason.SELF_TRADE)
NO_POSITION = int(Reason.REDUCE_ONLY)


@kernel
def exchange_init(exchange: Record) -> None:
    """Make a zeroed exchange record, whose `instrument` is set, empty and ready."""
    exchange["book"]["bid_ticks"] = NO_BID
    exchange["book"]["ask_ticks"] = NO_ASK
    exchange["book"]["low_ticks"] = NO_ASK
    exchange["book"]["high_ticks"] = NO_BID
    exchange["book"]["known_bid_ticks"] = NO_BID
    exchange["book"]["known_ask_ticks"] = NO_ASK
    exchange["next_trade_id"] = (exchange["instrument"] << TRADE_ID_BITS) + 1  # unique over all instruments
    exchange["next_priority"] = 1
    exchange["n_free"] = CLIENT_ORDERS_CAPACITY
    for i in range(CLIENT_ORDERS_CAPACITY):
        exchange["free"][i] = CLIENT_ORDERS_CAPACITY - 1 - i
    _set_range(exchange)


@kernel
def house_row(exchange: Record, event: Record) -> None:
    """Apply one row of the house; fills that it causes are appended to `reports`."""
    kind = int(event["kind"])
    flags = int(event["flags"])
    tick = int(event["price_ticks"])
    lots = event["size_lots"]
    exchange["ts_ns"] = max(exchange["ts_ns"], event["ts_venue_ns"])
    if kind == TRADE:
        side = _aggressor(exchange, tick, flags)
        exchange["last_trade_ticks"] = tick
        exchange["last_trade_side"] = side
        exchange["n_house_trades"] += 1
        if exchange["n_active"] > 0:
            _house_trade(exchange, side, tick, lots)
    elif kind in (DELTA, SNAPSHOT, BBO):
        side = ASK if flags & SELL_FLAG else BID
        _house_level(exchange, kind, side, tick, lots, event["ts_venue_ns"])


@kernel
def _aggressor(exchange: Record, tick: int, flags: int) -> int:
    """Return the aggressor's side of a print; when the source does not tell it, by the book."""
    if not flags & UNKNOWN_SIDE:
        return SELL if flags & SELL_FLAG else BUY
    book = exchange["book"]
    if book["bid_ticks"] != NO_BID and book["ask_ticks"] != NO_ASK:
        distance = 2 * tick - book["bid_ticks"] - book["ask_ticks"]
        if distance != 0:
            return BUY if distance > 0 else SELL
    if tick != exchange["last_trade_ticks"] and exchange["last_trade_ticks"] != 0:
        return BUY if tick > exchange["last_trade_ticks"] else SELL
    return BUY if exchange["last_trade_side"] >= 0 else SELL


@kernel
def _house_level(exchange: Record, kind: int, side: int, tick: int, lots: int, ts_venue_ns: int) -> None:
    book = exchange["book"]
    if exchange["n_active"] == 0:
        apply_book_row(book, kind, side, tick, lots, ts_venue_ns)
        if kind == SNAPSHOT:
            exchange["has_snapshot"] = 1
            exchange["has_depth"] = 1
        return
    is_near = exchange["low_ticks"] <= tick <= exchange["high_ticks"]
    is_change = kind == BBO or (kind == DELTA and is_near)
    if is_change or (kind == SNAPSHOT and exchange["has_snapshot"] == 0):
        _remember_levels(exchange)
    apply_book_row(book, kind, side, tick, lots, ts_venue_ns)
    if kind == SNAPSHOT:
        exchange["has_snapshot"] = 1
        exchange["has_depth"] = 1
    elif is_change:
        _update_queues(exchange)


@kernel
def _remember_levels(exchange: Record) -> None:
    """Note the house size at each client order's price, to compare it with what comes."""
    for i in range(exchange["n_active"]):
        order = exchange["orders"][exchange["active"][i]]
        order["level_lots"] = float(_house_lots(exchange, order))


@kernel
def _update_queues(exchange: Record) -> None:
    """Move each client order whose level changed, unless the source says nothing about it."""
    for i in range(exchange["n_active"]):
        order = exchange["orders"][exchange["active"][i]]
        if not _is_known(exchange, order["side"], order["price_ticks"]):
            continue
        after = float(_house_lots(exchange, order))
        if after != order["level_lots"] or order["ahead_lots"] >= UNKNOWN_AHEAD:
            model, exponent = exchange["queue_model"], exchange["queue_exponent"]
            queue_on_level(order, order["level_lots"], after, model, exponent)


@kernel
def _is_known(exchange: Record, side: int, tick: int) -> bool:
    """Return whether the source tells the size at a price: at the touch, or in the window of its snapshots.

    A source that sends no snapshots, best prices only, says nothing of what lies behind the touch.
    """
    book = exchange["book"]
    has_depth = exchange["has_depth"] == 1
    if side == BUY:
        is_touch = book["bid_ticks"] != NO_BID and tick >= book["bid_ticks"]
        return is_touch or (has_depth and tick >= book["known_bid_ticks"])
    is_touch = book["ask_ticks"] != NO_ASK and tick <= book["ask_ticks"]
    return is_touch or (has_depth and tick <= book["known_ask_ticks"])


@kernel
def _house_lots(exchange: Record, order: Record) -> int:
    return book_lots(exchange["book"], BID if order["side"] == BUY else ASK, order["price_ticks"])


@kernel
def _house_trade(exchange: Record, side: int, tick: int, lots: int) -> None:
    """Let a print of the house reach client orders of the passive side, best price and oldest first."""
    passive = -side
    if tick > exchange["high_ticks"] if passive == BUY else tick < exchange["low_ticks"]:
        return
    number = exchange["n_house_trades"]
    _fill_from(exchange, passive, tick + passive, 1, number)
    own_filled = 0
    i = 0
    while i < exchange["n_active"]:
        slot = exchange["active"][i]
        order = exchange["orders"][slot]
        priority = order["priority"]
        if order["side"] == passive and order["price_ticks"] == tick:
            filled = min(order["open_lots"], queue_on_trade(order, float(max(0, lots - own_filled))))
            own_filled += filled
            if filled > 0:
                _fill(exchange, slot, filled, _new_trade_id(exchange), 1, number)
        i = _next_younger(exchange, i, priority)


@kernel
def _fill_from(exchange: Record, side: int, limit_ticks: int, is_print: int, print_number: int) -> None:
    """Fill client orders of a side whole whose price is `limit_ticks` or better, best price and oldest first.

    The order matters: a fill may end reduce-only orders of the same client, which are reached no more then.
    """
    while True:
        found = -1
        for i in range(exchange["n_active"]):
            slot = exchange["active"][i]
            order = exchange["orders"][slot]
            if order["side"] != side or (order["price_ticks"] - limit_ticks) * side < 0:
                continue
            if found < 0 or (order["price_ticks"] - exchange["orders"][found]["price_ticks"]) * side > 0:
                found = slot
        if found < 0:
            return
        lots = exchange["orders"][found]["open_lots"]
        _fill(exchange, found, lots, _new_trade_id(exchange), is_print, print_number)


@kernel
def _next_younger(exchange: Record, i: int, priority: int) -> int:
    """Return where a walk of `active` that was at index `i` goes on behind an arrival number.

    What was at `i` may have ended, and others with it (reduce-only): all behind them have moved forward.
    """
    i = min(i + 1, exchange["n_active"])
    while i > 0 and exchange["orders"][exchange["active"][i - 1]]["priority"] > priority:
        i -= 1
    return i


@kernel
def house_end_message(exchange: Record) -> None:
    """Close a message of the house: queues after a snapshot, and orders that the house now crosses."""
    book = exchange["book"]
    end_message(book)
    if exchange["has_snapshot"] == 1:
        exchange["has_snapshot"] = 0
        if exchange["n_active"] > 0:
            _update_queues(exchange)
    bid = book["bid_ticks"]
    ask = book["ask_ticks"]
    if exchange["n_active"] == 0 or (ask > exchange["high_ticks"] and bid < exchange["low_ticks"]):
        return
    if _is_crossed(exchange):
        return
    away = 1 if bid == ask else 0  # at the price of a locked house nobody is filled
    _fill_from(exchange, BUY, ask + away, 0, 0)
    _fill_from(exchange, SELL, bid - away, 0, 0)


@kernel
def _fill(exchange: Record, slot: int, lots: int, trade_id: int, is_print: int, print_number: int) -> None:
    """Execute `lots` of a resting order at its price and report it. The last two: see `report_t`."""
    order = exchange["orders"][slot]
    row = _report_fill(exchange, order, order["price_ticks"], lots, trade_id, False)
    row["is_print"] = is_print
    row["print_number"] = print_number
    if order["open_lots"] == 0:
        remove_order(exchange, slot)
    _shrink_reduce_only(exchange, order["client"])


@kernel
def _new_trade_id(exchange: Record) -> int:
    trade_id = exchange["next_trade_id"]
    exchange["next_trade_id"] = trade_id + 1
    return trade_id


@kernel
def _report_fill(
    exchange: Record, order: Record, price_ticks: int, lots: int, trade_id: int, is_taker: bool
) -> Record:
    """Take `lots` off an order, move its client's position and append the FILL report."""
    assert 0 < lots <= order["open_lots"]
    order["open_lots"] -= lots
    exchange["positions"][order["client"]] += order["side"] * lots
    exchange["n_fills"] += 1
    rules = exchange["rules"]
    rate = rules["taker_fee_e9"] if is_taker else rules["maker_fee_e9"]
    row = _report(exchange, order, FILL, lots, NONE)
    row["price_ticks"] = price_ticks
    row["is_taker"] = 1 if is_taker else 0
    row["trade_id"] = trade_id
    row["fee_e8"] = fee_e8(
        notional_e8(price_ticks, lots, rules["unit_value_e8"]), rate, rules["fee_quantum_e8"]
    )
    return row


@kernel
def _report(exchange: Record, order: Record, kind: int, lots: int, reason: int) -> Record:
    """Append a report about an order and return its row."""
    assert exchange["n_reports"] < REPORTS_CAPACITY
    row = exchange["reports"][exchange["n_reports"]]
    exchange["n_reports"] += 1
    row["ts_ns"] = exchange["ts_ns"]
    row["kind"] = kind
    row["order_id"] = order["order_id"]
    row["client"] = order["client"]
    row["side"] = order["side"]
    row["price_ticks"] = order["price_ticks"]
    row["size_lots"] = lots
    row["open_lots"] = order["open_lots"]
    row["trade_id"] = 0
    row["is_taker"] = 0
    row["is_print"] = 0
    row["print_number"] = 0
    row["fee_e8"] = 0
    row["reason"] = reason
    return row


@kernel
def remove_order(exchange: Record, slot: int) -> None:
    """Take an order off the book."""
    for i in range(exchange["n_active"]):
        if exchange["active"][i] == slot:
            exchange["n_active"] -= 1
            for j in range(i, exchange["n_active"]):
                exchange["active"][j] = exchange["active"][j + 1]
            break
    exchange["free"][exchange["n_free"]] = slot
    exchange["n_free"] += 1
    _set_range(exchange)


@kernel
def _set_range(exchange: Record) -> None:
    low = NO_ASK
    high = NO_BID
    for i in range(exchange["n_active"]):
        tick = exchange["orders"][exchange["active"][i]]["price_ticks"]
        low = min(low, tick)
        high = max(high, tick)
    exchange["low_ticks"] = low
    exchange["high_ticks"] = high


@kernel
def reducible_lots(exchange: Record, client: int, side: int) -> int:
    """Return how much a reduce-only order of a client may close on a side."""
    return max(0, -side * exchange["positions"][client])


@kernel
def _shrink_reduce_only(exchange: Record, client: int) -> None:
    """Shrink resting reduce-only orders to the position; those with nothing left to reduce end."""
    i = 0
    while i < exchange["n_active"]:
        slot = exchange["active"][i]
        order = exchange["orders"][slot]
        i += 1
        if order["client"] != client or not order["flags"] & REDUCE_ONLY:
            continue
        room = reducible_lots(exchange, client, order["side"])
        if room == 0:
            left = order["open_lots"]
            order["open_lots"] = 0
            _report(exchange, order, CANCELED, left, NO_POSITION)
            remove_order(exchange, slot)
            i -= 1
        elif order["open_lots"] > room:
            order["open_lots"] = room
            _report(exchange, order, ACK, room, NO_POSITION)


@kernel
def place_order(
    exchange: Record,
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
    exchange["ts_ns"] = max(exchange["ts_ns"], ts_ns)
    assert exchange["n_free"] > 0
    exchange["n_free"] -= 1
    slot = exchange["free"][exchange["n_free"]]
    order = exchange["orders"][slot]
    order["order_id"] = order_id
    order["price_ticks"] = price_ticks
    order["size_lots"] = size_lots
    order["open_lots"] = size_lots
    order["side"] = side
    order["client"] = client
    order["flags"] = flags
    order["priority"] = exchange["next_priority"]
    order["traded_lots"] = 0.0
    exchange["next_priority"] += 1
    reason = _why_rejected(exchange, order)
    if reason != NONE:
        order["open_lots"] = 0
        _report(exchange, order, REJECT, 0, reason)
        _give_back(exchange, slot)
        return
    if flags & REDUCE_ONLY:
        order["open_lots"] = min(size_lots, reducible_lots(exchange, client, side))
    before = order["open_lots"]
    if not flags & POST_ONLY:
        _take(exchange, order)
        if order["open_lots"] < before:
            _shrink_reduce_only(exchange, client)
    _settle_new(exchange, slot, before)


@kernel
def _settle_new(exchange: Record, slot: int, before: int) -> None:
    """Rest what is left of a new order, or end it."""
    order = exchange["orders"][slot]
    left = order["open_lots"]
    if left == 0:
        _give_back(exchange, slot)
    elif order["flags"] & IOC:
        order["open_lots"] = 0
        if left == before:
            _report(exchange, order, REJECT, 0, NO_MATCH)
        else:
            _report(exchange, order, CANCELED, left, NO_MATCH)
        _give_back(exchange, slot)
    else:
        is_known = _is_known(exchange, order["side"], order["price_ticks"])
        order["ahead_lots"] = float(_house_lots(exchange, order)) if is_known else UNKNOWN_AHEAD
        exchange["active"][exchange["n_active"]] = slot
        exchange["n_active"] += 1
        exchange["low_ticks"] = min(exchange["low_ticks"], order["price_ticks"])
        exchange["high_ticks"] = max(exchange["high_ticks"], order["price_ticks"])
        _report(exchange, order, ACK, left, NONE)


@kernel
def _give_back(exchange: Record, slot: int) -> None:
    exchange["free"][exchange["n_free"]] = slot
    exchange["n_free"] += 1


@kernel
def _why_rejected(exchange: Record, order: Record) -> int:
    """Return why an order is refused before it is matched, NONE when it is not."""
    side = order["side"]
    if order["size_lots"] <= 0 or order["price_ticks"] <= 0:
        return SIZE
    if order["flags"] & REDUCE_ONLY and reducible_lots(exchange, order["client"], side) == 0:
        return NO_POSITION
    if order["flags"] & POST_ONLY:
        best = best_opposite(exchange, side)
        would_take = best <= order["price_ticks"] if side == BUY else best >= order["price_ticks"]
        if would_take:
            return WOULD_TAKE
    return NONE


@kernel
def best_opposite(exchange: Record, side: int) -> int:
    """Return the best price that an order of `side` could take, clients included; NO_ASK or NO_BID if none."""
    book = exchange["book"]
    return _best_of_clients(exchange, side, book["ask_ticks"] if side == BUY else book["bid_ticks"])


@kernel
def _best_of_clients(exchange: Record, side: int, best: int) -> int:
    """Return `best`, or the better price of a client that an order of `side` could take."""
    for i in range(exchange["n_active"]):
        order = exchange["orders"][exchange["active"][i]]
        if order["side"] == -side:
            best = min(best, order["price_ticks"]) if side == BUY else max(best, order["price_ticks"])
    return best


@kernel
def _is_crossed(exchange: Record) -> bool:
    """Return whether one side of the house is old: it fills nobody then."""
    return exchange["book"]["bid_ticks"] > exchange["book"]["ask_ticks"]


@kernel
def _take(exchange: Record, taker: Record) -> None:
    """Match a taker against house and clients, level by level, until its limit or its size is reached."""
    side = taker["side"]
    is_crossed = _is_crossed(exchange)
    while taker["open_lots"] > 0:
        if is_crossed:
            best = _best_of_clients(exchange, side, NO_ASK if side == BUY else NO_BID)
        else:
            best = best_opposite(exchange, side)
        if best in (NO_ASK, NO_BID):
            return
        if best > taker["price_ticks"] if side == BUY else best < taker["price_ticks"]:
            return
        _take_level(exchange, taker, best, is_crossed)


@kernel
def _take_level(exchange: Record, taker: Record, tick: int, is_crossed: bool) -> None:
    """Match a taker at one price: house size, if it counts, and client orders in the order of the queue."""
    book = exchange["book"]
    book_side = ASK if taker["side"] == BUY else BID
    house = 0 if is_crossed else book_lots(book, book_side, tick)
    taken = 0
    while taker["open_lots"] > 0:
        slot = _first_at(exchange, -taker["side"], tick)
        if slot < 0:
            break
        maker = exchange["orders"][slot]
        before_maker = min(house - taken, int(min(maker["ahead_lots"], 1e15)))
        part = min(taker["open_lots"], before_maker)
        if part > 0:
            _report_fill(exchange, taker, tick, part, _new_trade_id(exchange), True)
            taken += part
            _advance_queues(exchange, -taker["side"], tick, part)
            continue
        if maker["client"] == taker["client"]:
            left = maker["open_lots"]
            maker["open_lots"] = 0
            _report(exchange, maker, SELF_TRADED, left, SELF_TRADE)
            remove_order(exchange, slot)
            continue
        part = min(taker["open_lots"], maker["open_lots"])
        trade_id = _new_trade_id(exchange)
        _report_fill(exchange, taker, tick, part, trade_id, True)
        _fill(exchange, slot, part, trade_id, 1, 0)  # told by the taker's print
    part = min(taker["open_lots"], house - taken)
    if part > 0:
        _report_fill(exchange, taker, tick, part, _new_trade_id(exchange), True)
        taken += part
    if taken > 0:
        set_level(book, book_side, tick, house - taken)


@kernel
def _advance_queues(exchange: Record, side: int, tick: int, lots: int) -> None:
    """Bring client orders at a price forward by house size that a client took."""
    for i in range(exchange["n_active"]):
        order = exchange["orders"][exchange["active"][i]]
        if order["side"] == side and order["price_ticks"] == tick and order["ahead_lots"] < UNKNOWN_AHEAD:
            order["ahead_lots"] = max(0.0, order["ahead_lots"] - lots)


@kernel
def _first_at(exchange: Record, side: int, tick: int) -> int:
    """Return the slot of the oldest client order at a price, -1 when there is none."""
    found = -1
    for i in range(exchange["n_active"]):
        slot = exchange["active"][i]
        order = exchange["orders"][slot]
        if order["side"] != side or order["price_ticks"] != tick:
            continue
        if found < 0 or order["priority"] < exchange["orders"][found]["priority"]:
            found = slot
    return found


@kernel
def find_client_order(exchange: Record, client: int, order_id: int) -> int:
    """Return the slot of a client's resting order, -1 when it has none of that id."""
    for i in range(exchange["n_active"]):
        slot = exchange["active"][i]
        order = exchange["orders"][slot]
        if order["order_id"] == order_id and order["client"] == client:
            return slot
    return -1


@kernel
def cancel_order(exchange: Record, ts_ns: int, client: int, order_id: int) -> bool:
    """Cancel a resting order and report it; returns whether it was there."""
    exchange["ts_ns"] = max(exchange["ts_ns"], ts_ns)
    slot = find_client_order(exchange, client, order_id)
    if slot < 0:
        return False
    order = exchange["orders"][slot]
    left = order["open_lots"]
    order["open_lots"] = 0
    _report(exchange, order, CANCELED, left, USER)
    remove_order(exchange, slot)
    return True


@kernel
def published_lots(exchange: Record, side: int, tick: int) -> int:
    """Return the size that the exchange shows at a price: the house's and the clients'. side: BID or ASK."""
    total = book_lots(exchange["book"], side, tick)
    order_side = BUY if side == BID else SELL
    for i in range(exchange["n_active"]):
        order = exchange["orders"][exchange["active"][i]]
        if order["side"] == order_side and order["price_ticks"] == tick:
            total += order["open_lots"]
    return total


@kernel
def next_published(exchange: Record, side: int, tick: int) -> int:
    """Return the best published price at or behind `tick`: NO_BID or NO_ASK when there is none."""
    book = exchange["book"]
    order_side = BUY if side == BID else SELL
    best = (
        next_bid(book, min(tick, book["bid_ticks"]))
        if side == BID
        else next_ask(book, max(tick, book["ask_ticks"]))
    )
    for i in range(exchange["n_active"]):
        order = exchange["orders"][exchange["active"][i]]
        if order["side"] != order_side:
            continue
        if side == BID and order["price_ticks"] <= tick:
            best = max(best, order["price_ticks"])
        elif side == ASK and order["price_ticks"] >= tick:
            best = min(best, order["price_ticks"])
    return best
