"""The order table of a trader: slots, states, and what each report does to them.

States change only by the table in `model/order.py`. An order's slot is part of its client order id,
so that a report finds it without a map; the whole id is compared before anything is touched.
`open_lots` is what may still fill and is what exposure counts, from the moment of the decision until
the venue's word and the fills agree that nothing can come any more. Pure.
"""

from makerside.core.kernel import Record, inlined, kernel
from makerside.core.own import own_begins, own_ends, own_fades, own_is_acked, own_time_ns
from makerside.model.order import (
    BOT_BITS,
    COUNTER_BITS,
    EPOCH_BITS,
    IMPOSSIBLE,
    NEXT_STATE,
    ORDER_CAPACITY,
    SLOT_BITS,
    OrderInput,
    OrderState,
)
from makerside.model.units import ASK, BID, BUY, NEVER_NS

_SLOT_MASK = (1 << SLOT_BITS) - 1
_COUNTER_LIMIT = 1 << COUNTER_BITS
_EPOCH_LIMIT = 1 << EPOCH_BITS
_BOT_LIMIT = 1 << BOT_BITS

FREE = int(OrderState.FREE)
PENDING_NEW = int(OrderState.PENDING_NEW)
PENDING_CANCEL = int(OrderState.PENDING_CANCEL)
UNKNOWN = int(OrderState.UNKNOWN)
SETTLING = int(OrderState.SETTLING)
FILLED = int(OrderState.FILLED)


@kernel
def orders_init(trader: Record) -> None:
    """Empty the order table."""
    trader["n_active"] = 0
    trader["n_free"] = ORDER_CAPACITY
    for i in range(ORDER_CAPACITY):
        trader["free"][i] = ORDER_CAPACITY - 1 - i
        trader["orders"][i]["state"] = FREE
    trader["ts_deadline_ns"] = NEVER_NS


@inlined
def order_new(
    trader: Record,
    position: Record,
    side: int,
    leg: Record,
    level: int,
    price_ticks: int,
    size_lots: int,
    now_ns: int,
) -> int:
    """Take a slot for an order that is about to be sent and count it as exposure; returns the slot.

    The caller has checked that a slot is free.
    """
    assert trader["n_free"] > 0
    assert size_lots > 0
    trader["n_free"] -= 1
    slot = trader["free"][trader["n_free"]]
    counter = trader["counter"]
    if counter == _COUNTER_LIMIT:  # a million orders in one run: go on in the next epoch
        trader["epoch"] = (trader["epoch"] + 1) % _EPOCH_LIMIT
        counter = 0
    trader["counter"] = counter + 1
    assert 0 <= trader["bot"] < _BOT_LIMIT
    identity = ((trader["bot"] << EPOCH_BITS | trader["epoch"]) << COUNTER_BITS | counter) << SLOT_BITS | slot
    order = trader["orders"][slot]
    order["client_order_id"] = identity
    order["venue_order_id"] = 0
    order["price_ticks"] = price_ticks
    order["size_lots"] = size_lots
    order["filled_lots"] = 0
    order["open_lots"] = 0
    order["ts_sent_ns"] = now_ns
    order["ts_state_ns"] = now_ns
    order["state"] = PENDING_NEW
    order["side"] = side
    order["leg"] = leg
    order["level"] = level
    trader["active"][trader["n_active"]] = slot
    trader["n_active"] += 1
    set_open(order, position, size_lots)
    position["is_opened"] = 1
    trader["ts_deadline_ns"] = min(trader["ts_deadline_ns"], now_ns + trader["timeout_ns"])
    return slot


@inlined
def set_open(order: Record, position: Record, lots: int) -> None:
    """Change what may still fill of an order, and the position's exposure with it."""
    assert lots >= 0
    change = lots - order["open_lots"]
    order["open_lots"] = lots
    if order["side"] > 0:
        position["open_buy_lots"] += change
    else:
        position["open_sell_lots"] += change


@inlined
def find_order(trader: Record, client_order_id: int) -> int:
    """Return the slot of an order of this trader, -1 when it holds no such order."""
    slot = client_order_id & _SLOT_MASK
    if client_order_id <= 0 or slot >= ORDER_CAPACITY:
        return -1
    order = trader["orders"][slot]
    if order["client_order_id"] != client_order_id or order["state"] == FREE:
        return -1
    return slot


@kernel
def order_advance(trader: Record, position: Record, account: Record, slot: int, what: int, now_ns: int) -> bool:
    """Move an order by one line of the state table and free its slot when it has ended.

    returns : False for an input that no line foresees: it is counted and changes nothing
    """
    order = trader["orders"][slot]
    after = NEXT_STATE[order["state"], what]
    if after == IMPOSSIBLE:
        account["n_impossible"] += 1
        return False
    order["state"] = after
    order["ts_state_ns"] = now_ns
    if after == SETTLING:
        trader["ts_deadline_ns"] = min(trader["ts_deadline_ns"], now_ns + trader["timeout_ns"])
    if after >= FILLED:
        set_open(order, position, 0)
        _release(trader, slot)
    return True


@inlined
def _release(trader: Record, slot: int) -> None:
    for i in range(trader["n_active"]):
        if trader["active"][i] == slot:
            trader["n_active"] -= 1
            # Keep the order of age: the diff and the report of orders walk the oldest first.
            for j in range(i, trader["n_active"]):
                trader["active"][j] = trader["active"][j + 1]
            break
    trader["orders"][slot]["state"] = FREE
    trader["free"][trader["n_free"]] = slot
    trader["n_free"] += 1


@kernel
def _note_rest(market: Record, order: Record, lots: int, ts_venue_ns: int) -> None:
    """Note how much of an order rests from a venue time on; one whose end was told rests no more."""
    if order["state"] != SETTLING:
        side = BID if order["side"] == BUY else ASK
        own_begins(market, order["client_order_id"], side, order["price_ticks"], lots, ts_venue_ns)


@kernel
def note_end(market: Record, order: Record, ts_venue_ns: int, now_ns: int) -> None:
    """Note that an order rests no more; a venue time of 0 is none."""
    identity = order["client_order_id"]
    if ts_venue_ns > 0:
        own_ends(market, identity, ts_venue_ns)
        return
    side = BID if order["side"] == BUY else ASK
    ts_ns = own_time_ns(market, ts_venue_ns, now_ns)
    own_fades(market, identity, side, order["price_ticks"], order["open_lots"], ts_ns)


@kernel
def on_fill(
    trader: Record,
    position: Record,
    account: Record,
    market: Record,
    slot: int,
    size_lots: int,
    ts_venue_ns: int,
    now_ns: int,
) -> None:
    """Account an execution to its order; the ledger has been booked by the caller."""
    order = trader["orders"][slot]
    order["filled_lots"] += size_lots
    left = max(0, order["open_lots"] - size_lots)
    set_open(order, position, left)
    _note_rest(market, order, left, own_time_ns(market, ts_venue_ns, now_ns))
    what = OrderInput.FILL_PART if left > 0 else OrderInput.FILL_LAST
    order_advance(trader, position, account, slot, what, now_ns)


@kernel
def on_ack(
    trader: Record,
    position: Record,
    account: Record,
    market: Record,
    slot: int,
    venue_order_id: int,
    open_lots: int,
    ts_venue_ns: int,
    now_ns: int,
) -> None:
    """The venue says that the order rests with `open_lots`; fills that are not booked yet stay exposure."""
    order = trader["orders"][slot]
    if venue_order_id != 0:
        order["venue_order_id"] = venue_order_id
    if ts_venue_ns > 0:
        own_is_acked(market, order["client_order_id"])
    _note_rest(market, order, open_lots, own_time_ns(market, ts_venue_ns, now_ns))
    order_advance(trader, position, account, slot, OrderInput.ACK, now_ns)


@kernel
def on_end(
    trader: Record,
    position: Record,
    account: Record,
    market: Record,
    slot: int,
    what: int,
    left_lots: int,
    ts_venue_ns: int,
    now_ns: int,
) -> None:
    """The venue says that the order ended with `left_lots` unfilled, by cancel, expiry or self-trade.

    What it had filled before and what we have booked may differ: the difference is still to come.
    """
    order = trader["orders"][slot]
    note_end(market, order, ts_venue_ns, now_ns)
    due = max(0, order["size_lots"] - left_lots - order["filled_lots"])
    if due > 0:
        set_open(order, position, due)
        order_advance(trader, position, account, slot, OrderInput.ENDED_PART_DUE, now_ns)
    else:
        order_advance(trader, position, account, slot, what, now_ns)


@kernel
def on_venue_filled(
    trader: Record, position: Record, account: Record, market: Record, slot: int, ts_venue_ns: int, now_ns: int
) -> None:
    """The venue says "filled": wait for the fills that are not booked yet."""
    order = trader["orders"][slot]
    note_end(market, order, ts_venue_ns, now_ns)
    due = order["size_lots"] - order["filled_lots"]
    if due > 0:
        set_open(order, position, due)
        order_advance(trader, position, account, slot, OrderInput.VENUE_FILLED, now_ns)


@inlined
def orders_on_time(trader: Record, account: Record, now_ns: int) -> int:
    """Turn orders whose answer is overdue into UNKNOWN; returns how many did."""
    if now_ns < trader["ts_deadline_ns"]:
        return 0
    found = 0
    earliest = NEVER_NS
    for i in range(trader["n_active"]):
        slot = trader["active"][i]
        order = trader["orders"][slot]
        state = order["state"]
        if state in (PENDING_NEW, PENDING_CANCEL, SETTLING):
            since = order["ts_state_ns"] if state == SETTLING else order["ts_sent_ns"]
            due = since + trader["timeout_ns"]
            if now_ns >= due:
                position = account["positions"][trader["legs"][int(order["leg"])]["position"]]
                order_advance(trader, position, account, slot, OrderInput.TIMEOUT, now_ns)
                found += 1
            else:
                earliest = min(earliest, due)
    trader["ts_deadline_ns"] = earliest
    return found
