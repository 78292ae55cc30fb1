"""The exchange's door: entry points for callers outside compiled loops (the local exchange, paper).

Arrays and integers in, reports out, all kinds of one call in one place and compiled at import. Pure.
"""

from numba import types

from makerside.core.kernel import Record, kernel, records
from makerside.model.event import Flag, Kind, event_t
from makerside.model.layout import row_type
from makerside.model.market import NO_ASK, NO_BID
from makerside.model.units import BID
from makerside.sim.house import house_before, house_closed, house_end, house_row
from makerside.sim.matching import cancel_order, next_published, place_order, published_lots
from makerside.sim.pit import house_lots, note_levels, pit_end, pit_row
from makerside.sim.records import exchange_t

LAST = int(Flag.LAST)
TRADE = int(Kind.TRADE)

level_t = row_type([("price_ticks", "i8"), ("size_lots", "i8"), ("n_orders", "i8")])

_I = types.int64


@kernel
def _feed_one(exchanges: Record, event: Record) -> None:
    exchange = exchanges[int(event["instrument"])]
    house, pit = exchange["house"], exchange["pit"]
    if house_before(house, event) != 0:
        note_levels(house, pit)
    if house_row(house, event) != 0:
        pit_row(house, pit, event)
    if int(event["flags"]) & LAST:
        if house_end(house) != 0:
            pit_end(house, pit)
        house_closed(house)


@kernel
def _n_waiting(exchanges: Record) -> int:
    waiting = 0
    for m in range(len(exchanges)):
        waiting += exchanges[m]["pit"]["n_reports"]
    return waiting


@kernel(types.int64(records(exchange_t), records(event_t)))
def feed_house(exchanges: Record, events: Record) -> int:
    """Let rows of the house happen; returns how many reports wait over all exchanges.

    exchanges : (m,) exchange_t, by instrument index;  events : (n,) event_t by venue time
    """
    for i in range(len(events)):
        _feed_one(exchanges, events[i])
    return _n_waiting(exchanges)


@kernel(types.int64(records(exchange_t), records(event_t), types.Array(_I, 1, "C")))
def feed_house_sides(exchanges: Record, events: Record, sides: Record) -> int:
    """Do as `feed_house` and note who was the aggressor of each print, also where the source is silent.

    sides : (n,) int64, BUY or SELL is written for prints
    """
    for i in range(len(events)):
        event = events[i]
        _feed_one(exchanges, event)
        if int(event["kind"]) == TRADE:
            sides[i] = exchanges[int(event["instrument"])]["house"]["last_trade_side"]
    return _n_waiting(exchanges)


@kernel(types.int64(records(exchange_t), _I, _I, _I, _I, _I, _I, _I, _I))
def place(
    exchanges: Record,
    index: int,
    ts_ns: int,
    order_id: int,
    client: int,
    side: int,
    price_ticks: int,
    size_lots: int,
    flags: int,
) -> int:
    """Place an order; returns how many reports wait at its exchange. See `matching.place_order`."""
    exchange = exchanges[index]
    pit = exchange["pit"]
    place_order(exchange["house"], pit, ts_ns, order_id, client, side, price_ticks, size_lots, flags)
    return pit["n_reports"]


@kernel(types.boolean(records(exchange_t), _I, _I, _I, _I))
def cancel(exchanges: Record, index: int, ts_ns: int, client: int, order_id: int) -> bool:
    """Cancel an order; returns whether it rested."""
    exchange = exchanges[index]
    return cancel_order(exchange["house"], exchange["pit"], ts_ns, client, order_id)


@kernel
def _count_orders(house: Record, pit: Record, side: int, tick: int) -> int:
    count = 1 if house_lots(house, pit, side, tick) > 0 else 0
    order_side = 1 if side == BID else -1
    for i in range(pit["n_active"]):
        order = pit["orders"][pit["active"][i]]
        if order["side"] == order_side and order["price_ticks"] == tick:
            count += 1
    return count


@kernel(types.int64(records(exchange_t), _I, _I, records(level_t)))
def depth(exchanges: Record, index: int, side: int, out: Record) -> int:
    """Write the best published levels of a side, best first; returns how many.

    side : BID or ASK;  out : (n,) level_t. The number of orders is the clients' plus one for the house.
    """
    exchange = exchanges[index]
    house, pit = exchange["house"], exchange["pit"]
    tick = next_published(house, pit, side, NO_ASK if side == BID else NO_BID)
    n = 0
    while n < len(out) and tick != NO_BID and tick != NO_ASK:
        level = out[n]
        level["price_ticks"] = tick
        level["size_lots"] = published_lots(house, pit, side, tick)
        level["n_orders"] = _count_orders(house, pit, side, tick)
        n += 1
        tick = next_published(house, pit, side, tick - 1 if side == BID else tick + 1)
    return n
