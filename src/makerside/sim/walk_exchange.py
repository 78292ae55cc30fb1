"""The exchange's half of a walk: rows of the house and actions of the worlds, in order; reports leave.

See `loop.py`. Rows and records are handed over as the first of their array (`core/rows.py`). Pure.
"""

from makerside.core.kernel import Record, inlined, kernel
from makerside.core.numbers import lowest_bit
from makerside.core.rows import nth
from makerside.model.action import ActionKind
from makerside.model.event import Flag, Kind
from makerside.model.units import NEVER_NS, SELL
from makerside.sim.house import house_before, house_closed, house_end, house_row
from makerside.sim.matching import cancel_order, place_order
from makerside.sim.pit import note_levels, pit_end, pit_row
from makerside.sim.pit_reports import report_too_late
from makerside.sim.records import IN_FLIGHT_CAPACITY

LAST = int(Flag.LAST)
SELL_FLAG, TAKER = int(Flag.SELL), int(Flag.TAKER)
FILL = int(Kind.FILL)
PLACE = int(ActionKind.PLACE)


@inlined
def earliest(times: Record, n: int) -> int:
    """Return the least of the first n entries."""
    found = times[0]
    for i in range(1, n):
        found = min(found, times[i])
    return found


@kernel
def _note(house: Record, pits: Record, mask: int, m: int, n_markets: int) -> None:
    """Let the pits of a mask note the sizes at their prices."""
    while mask != 0:
        note_levels(house, nth(pits, lowest_bit(mask) * n_markets + m))
        mask &= mask - 1


@kernel
def _tell(
    house: Record,
    pits: Record,
    worlds: Record,
    walk: Record,
    event: Record,
    mask: int,
    m: int,
    n_markets: int,
    is_end: bool,
) -> None:
    """Let the pits of a mask feel a row of the house, or the end of its message; their reports leave."""
    while mask != 0:
        w = lowest_bit(mask)
        pit = nth(pits, w * n_markets + m)
        if is_end:
            pit_end(house, pit)
        else:
            pit_row(house, pit, event)
        if pit["n_reports"] > 0:
            _send_reports(pit, nth(worlds, w), walk, w, event["ts_venue_ns"])
        mask &= mask - 1


@inlined
def _expect_report(walk: Record, world: Record, w: int, arrival_ns: int) -> None:
    """Note when a world's next report arrives, unless it has no say in when the world decides."""
    if walk["is_lean"] == 0 or world["is_timed"] == 0:
        walk["report_ns"][w] = arrival_ns
        walk["news_ns"] = min(walk["news_ns"], arrival_ns)


@kernel
def _send_reports(pit: Record, world: Record, walk: Record, w: int, ts_ns: int) -> None:
    """Put a pit's reports on their way to their world."""
    for i in range(pit["n_reports"]):
        report = pit["reports"][i]
        if world["report_head"] == world["report_tail"]:
            world["report_head"] = 0
            world["report_tail"] = 0
            _expect_report(walk, world, w, ts_ns + world["response_ns"])
        at = world["report_tail"] % IN_FLIGHT_CAPACITY
        assert world["report_tail"] - world["report_head"] < IN_FLIGHT_CAPACITY
        world["report_tail"] += 1
        event = world["reports"][at]
        event["ts_venue_ns"] = report["ts_ns"]
        event["ts_local_ns"] = ts_ns + world["response_ns"]
        event["size_lots"] = report["size_lots"]
        event["price_ticks"] = report["price_ticks"]
        event["instrument"] = pit["instrument"]
        event["kind"] = report["kind"]
        event["flags"] = (
            LAST | (SELL_FLAG if report["side"] == SELL else 0) | (TAKER if report["is_taker"] else 0)
        )
        detail = world["details"][at]
        detail["client_order_id"] = report["order_id"]
        detail["venue_order_id"] = report["order_id"]
        detail["reference"] = report["trade_id"] if report["kind"] == FILL else report["reason"]
        detail["fee_e8"] = report["fee_e8"]
    pit["n_reports"] = 0


@inlined
def _execute(houses: Record, pits: Record, world: Record, walk: Record, w: int, n_markets: int) -> None:
    """Carry out the next action that arrives from a world."""
    at = world["action_head"] % IN_FLIGHT_CAPACITY
    world["action_head"] += 1
    action = world["actions"][at]
    ts_ns = world["arrivals"][at]
    walk["action_ns"][w] = NEVER_NS
    if world["action_head"] < world["action_tail"]:
        walk["action_ns"][w] = world["arrivals"][world["action_head"] % IN_FLIGHT_CAPACITY]
    else:
        world["action_head"] = 0
        world["action_tail"] = 0
    m = int(action["instrument"])
    house = nth(houses, m)
    pit = nth(pits, w * n_markets + m)
    flags = int(action["flags"])
    side = -1 if flags & SELL_FLAG else 1
    tick = int(action["price_ticks"])
    client = int(action["account"])
    identity = action["client_order_id"]
    if int(action["kind"]) == PLACE:
        lots = action["size_lots"]
        place_order(house, pit, ts_ns, identity, client, side, tick, lots, flags & ~SELL_FLAG)
    elif not cancel_order(house, pit, ts_ns, client, identity):
        report_too_late(pit, identity, client, side, tick)
    _send_reports(pit, world, walk, w, ts_ns)


@kernel
def advance_exchange(
    tape: Record,
    venue_order: Record,
    houses: Record,
    pits: Record,
    worlds: Record,
    walk: Record,
    due_ns: int,
    entry_ns: int,
) -> int:
    """Run the exchange as far as no later decision can reach it; returns up to when all is done.

    due_ns   : time of the earliest decision that may come;  entry_ns : least time from there to the exchange
    """
    n = walk["n_house_rows"]
    n_worlds = walk["n_worlds"]
    n_markets = walk["n_markets"]
    until_ns = due_ns + entry_ns
    action_ns = earliest(walk["action_ns"], n_worlds)
    i = walk["i_venue"]
    while True:
        while i < n:
            event = nth(tape, nth(venue_order, i)["row"])
            row_ns = event["ts_venue_ns"]
            if row_ns > until_ns or row_ns > action_ns:
                break
            m = int(event["instrument"])
            house = nth(houses, m)
            mask = house_before(house, event)
            if mask != 0:
                _note(house, pits, mask, m, n_markets)
            mask = house_row(house, event)
            if mask != 0:
                _tell(house, pits, worlds, walk, event, mask, m, n_markets, False)
            if int(event["flags"]) & LAST:
                mask = house_end(house)
                if mask != 0:
                    _tell(house, pits, worlds, walk, event, mask, m, n_markets, True)
                house_closed(house)
            i += 1
            until_ns = min(until_ns, walk["news_ns"] + entry_ns)
        if action_ns > until_ns:
            break
        for w in range(n_worlds):
            while walk["action_ns"][w] <= action_ns:
                _execute(houses, pits, nth(worlds, w), walk, w, n_markets)
        action_ns = earliest(walk["action_ns"], n_worlds)
        until_ns = min(until_ns, walk["news_ns"] + entry_ns)
    walk["i_venue"] = i
    return until_ns
