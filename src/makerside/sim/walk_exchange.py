"""The exchange's half of a walk: rows of the house and actions of the worlds, in order; reports leave.

See `loop.py`. Rows and records are handed over as the first of their array (`core/rows.py`). Pure.
"""

from makerside.core.kernel import Record, inlined, kernel
from makerside.core.numbers import lowest_bit
from makerside.core.rows import nth
from makerside.model.action import ActionKind
from makerside.model.event import Flag
from makerside.model.units import NEVER_NS
from makerside.sim.house import house_before, house_closed, house_end, house_row
from makerside.sim.matching import cancel_order, place_order
from makerside.sim.pit import note_levels, pit_end, pit_row
from makerside.sim.pit_reports import report_too_late
from makerside.sim.records import IN_FLIGHT_CAPACITY
from makerside.sim.reports import send_reports
from makerside.sim.settlement import has_room, refuse_for_margin

LAST = int(Flag.LAST)
SELL_FLAG, REDUCE_ONLY = int(Flag.SELL), int(Flag.REDUCE_ONLY)
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
            send_reports(house, pit, nth(worlds, w), walk, w, event["ts_venue_ns"])
        mask &= mask - 1


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
        if (
            walk["margin_ns"] == NEVER_NS
            or flags & REDUCE_ONLY
            or has_room(houses, pits, world["clearing"], walk, w * n_markets, m, side, tick, lots)
        ):
            place_order(house, pit, ts_ns, identity, client, side, tick, lots, flags & ~SELL_FLAG)
        else:
            pit["ts_ns"] = max(pit["ts_ns"], ts_ns)
            refuse_for_margin(pit, identity, client, side, tick)
    elif not cancel_order(house, pit, ts_ns, client, identity):
        report_too_late(pit, identity, client, side, tick)
    send_reports(house, pit, world, walk, w, ts_ns)


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
    """Run the exchange as far as no later decision can reach it, and not beyond the venue's clock.

    returns  : up to when all is done; the clock's own time when that stopped it
    due_ns   : time of the earliest decision that may come;  entry_ns : least time from there to the exchange
    """
    n = walk["n_house_rows"]
    is_in_order = walk["is_in_order"] == 1
    n_worlds = walk["n_worlds"]
    n_markets = walk["n_markets"]
    until_ns = min(due_ns + entry_ns, walk["clock_ns"])
    action_ns = earliest(walk["action_ns"], n_worlds)
    i = walk["i_venue"]
    while True:
        while i < n:
            event = nth(tape, i if is_in_order else nth(venue_order, i)["row"])
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
