"""The compiled walk: one pass over a recording for any number of parameter sets ("worlds") at once.

Market and house are read once for all: they depend on nothing but the data. Each world has a pit of its own
at each house, an account, traders, and its own actions and reports under way; worlds know nothing of each
other, so that a world among many is, byte for byte, the world alone.

Two cursors walk the same rows: the house sees them at venue time, the traders at local time. A decision
travels `entry_ns` to the exchange, a report `response_ns` back. So the exchange may run ahead of the traders
by an entry and the traders ahead of the exchange by a response, and each side walks a stretch of rows before
it looks at the other. At one time the order is: reports, timers, market rows; at the exchange: rows, actions.

A walk of one world writes a journal, so that a backtest is replayed like a live run. Pure.
"""

from numba import types

from makerside.core.decide import decide
from makerside.core.digest import mix_action
from makerside.core.kernel import Record, inlined, kernel, records
from makerside.core.numbers import lowest_bit
from makerside.core.observe import (
    bot_in,
    end_market_message,
    observe_market_row,
    observe_own,
    observe_prices,
)
from makerside.core.rows import copy_record, nth
from makerside.core.step import is_due, observe_timer
from makerside.model.account import account_t
from makerside.model.action import ActionKind
from makerside.model.desk import ACTIONS_CAPACITY, desk_t
from makerside.model.event import Flag, Kind, account_detail_t, event_t
from makerside.model.market import market_t
from makerside.model.trader import trader_t
from makerside.model.units import NEVER_NS, SELL
from makerside.sim.house import house_before, house_closed, house_end, house_row
from makerside.sim.matching import cancel_order, place_order
from makerside.sim.pit import note_levels, pit_end, pit_row, report_too_late
from makerside.sim.records import IN_FLIGHT_CAPACITY, house_t, pit_t, row_t, walk_t, world_t

LAST = int(Flag.LAST)
SELL_FLAG, TAKER = int(Flag.SELL), int(Flag.TAKER)
DELTA, PRICES, TIMER, FILL = int(Kind.DELTA), int(Kind.PRICES), int(Kind.TIMER), int(Kind.FILL)
PLACE = int(ActionKind.PLACE)
MESSAGE_ROWS_MAX = 1 << 14  # rows of one market message; a longer one is cut
OWN_ROWS_MIN = 2 * (IN_FLIGHT_CAPACITY + ACTIONS_CAPACITY)  # what a world may write at one time


@inlined
def _earliest(times: Record, n: int) -> int:
    """Return the least of the first n entries."""
    found = times[0]
    for i in range(1, n):
        found = min(found, times[i])
    return found


# --- the exchange -----------------------------------------------------------------------------------


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
def _advance_exchange(
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
    action_ns = _earliest(walk["action_ns"], n_worlds)
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
        action_ns = _earliest(walk["action_ns"], n_worlds)
        until_ns = min(until_ns, walk["news_ns"] + entry_ns)
    walk["i_venue"] = i
    return until_ns


# --- the traders ------------------------------------------------------------------------------------


@kernel
def _next_decision(tape: Record, walk: Record) -> int:
    """Return the time of the earliest decision that may come, as far as it is known."""
    n_worlds = walk["n_worlds"]
    walk["news_ns"] = _earliest(walk["report_ns"], n_worlds)
    due_ns = min(walk["news_ns"], _earliest(walk["timer_ns"], n_worlds))
    if walk["is_timed"] == 0 and walk["i_local"] < walk["n_tape_rows"]:
        due_ns = min(due_ns, nth(tape, walk["i_local"])["ts_local_ns"])
    return due_ns


@inlined
def _decide(
    markets: Record,
    account: Record,
    traders: Record,
    desk: Record,
    world: Record,
    walk: Record,
    w: int,
    instrument: int,
    kind: int,
    journal: Record,
) -> None:
    """Let the traders of a world decide that are due, and put their actions on their way."""
    n_traders = world["n_traders"]
    for k in range(n_traders):
        trader = nth(traders, w * n_traders + k)
        if is_due(markets, trader, instrument, kind, desk["now_ns"]):
            desk["own_seq"] = world["own_seq"]
            desk["n_actions"] = 0
            decide(markets, account, trader, k, desk)
            if desk["n_actions"] > 0:
                _send_actions(world, walk, w, desk, journal)


@inlined
def _send_actions(world: Record, walk: Record, w: int, desk: Record, journal: Record) -> None:
    """Put the desk's actions on their way, and into the journal when there is one."""
    for i in range(desk["n_actions"]):
        action = desk["actions"][i]
        arrival_ns = action["ts_decided_ns"] + world["entry_ns"]
        if world["action_head"] == world["action_tail"]:
            walk["action_ns"][w] = arrival_ns
        assert world["action_tail"] - world["action_head"] < IN_FLIGHT_CAPACITY
        at = world["action_tail"] % IN_FLIGHT_CAPACITY
        world["action_tail"] += 1
        world["actions"][at] = action
        world["arrivals"][at] = arrival_ns
        mix_action(world["digest"], action)
        if walk["is_lean"] == 0:
            copy_record(nth(journal, walk["n_rows"]), action)
            walk["n_rows"] += 2
    world["n_actions"] += desk["n_actions"]


@inlined
def _observe_report(
    markets: Record, account: Record, traders: Record, world: Record, w: int, event: Record, detail: Record
) -> None:
    """Let a world see one report about an order of its."""
    world["own_seq"] += 2
    n_traders = world["n_traders"]
    bot = bot_in(detail["client_order_id"])
    for k in range(n_traders):
        trader = nth(traders, w * n_traders + k)
        if trader["bot"] == bot:
            observe_own(
                nth(markets, int(event["instrument"])), account, trader, event, detail, event["ts_local_ns"]
            )
            return
    account["n_strange"] += 1


@inlined
def _keep(walk: Record, world: Record, w: int, journal: Record, event: Record, detail: Record) -> None:
    """Write a report into the journal; of a lean walk only fills, each world's in its own part."""
    if walk["is_lean"] == 0:
        at = walk["n_rows"]
        walk["n_rows"] += 2
    elif int(event["kind"]) == FILL:
        at = w * walk["n_world_rows"] + world["n_rows"]
        world["n_rows"] += 2
        walk["n_rows"] = max(walk["n_rows"], world["n_rows"])
    else:
        return
    copy_record(nth(journal, at), event)
    copy_record(nth(journal, at + 1), detail)


@inlined
def _take_report(world: Record, walk: Record, w: int) -> int:
    """Take the next report of a world off its way; returns where it stands."""
    at = world["report_head"] % IN_FLIGHT_CAPACITY
    world["report_head"] += 1
    if walk["report_ns"][w] != NEVER_NS:
        walk["report_ns"][w] = NEVER_NS
        if world["report_head"] < world["report_tail"]:
            walk["report_ns"][w] = world["reports"][world["report_head"] % IN_FLIGHT_CAPACITY]["ts_local_ns"]
    return at


@kernel
def _deliver(
    markets: Record,
    account: Record,
    traders: Record,
    desk: Record,
    world: Record,
    walk: Record,
    w: int,
    journal: Record,
) -> None:
    """Let a world see its next report, and decide."""
    at = _take_report(world, walk, w)
    event = world["reports"][at]
    _keep(walk, world, w, journal, event, world["details"][at])
    desk["now_ns"] = event["ts_local_ns"]
    _observe_report(markets, account, traders, world, w, event, world["details"][at])
    _decide(markets, account, traders, desk, world, walk, w, -1, FILL, journal)


@kernel
def _catch_up(
    markets: Record,
    accounts: Record,
    traders: Record,
    desk: Record,
    worlds: Record,
    walk: Record,
    until_ns: int,
    journal: Record,
) -> None:
    """Let worlds that decide on timers only see what has arrived up to a time."""
    for w in range(walk["n_worlds"]):
        world = nth(worlds, w)
        while world["report_head"] < world["report_tail"]:
            if world["reports"][world["report_head"] % IN_FLIGHT_CAPACITY]["ts_local_ns"] > until_ns:
                break
            _deliver(markets, nth(accounts, w), traders, desk, world, walk, w, journal)


@kernel
def _on_timers(
    markets: Record,
    accounts: Record,
    traders: Record,
    desk: Record,
    worlds: Record,
    walk: Record,
    now_ns: int,
    journal: Record,
) -> None:
    """Let the timers of a time happen."""
    if walk["has_late"] == 1:
        _catch_up(markets, accounts, traders, desk, worlds, walk, now_ns, journal)
    for w in range(walk["n_worlds"]):
        if walk["timer_ns"][w] > now_ns:
            continue
        world = nth(worlds, w)
        walk["timer_ns"][w] += world["timer_ns"]
        world["own_seq"] += 1
        desk["now_ns"] = now_ns
        if walk["is_lean"] == 0:
            _write_timer(nth(journal, walk["n_rows"]), now_ns)
            walk["n_rows"] += 1
        for k in range(world["n_traders"]):
            observe_timer(nth(accounts, w), nth(traders, w * world["n_traders"] + k), now_ns)
        _decide(markets, nth(accounts, w), traders, desk, world, walk, w, -1, TIMER, journal)


@kernel
def _write_timer(row: Record, now_ns: int) -> None:
    row["ts_venue_ns"] = 0
    row["ts_local_ns"] = now_ns
    row["size_lots"] = 0
    row["price_ticks"] = 0
    row["instrument"] = 0
    row["kind"] = TIMER
    row["flags"] = LAST


@kernel
def _walk_messages(
    tape: Record,
    tape_details: Record,
    markets: Record,
    accounts: Record,
    traders: Record,
    desk: Record,
    worlds: Record,
    walk: Record,
    until_ns: int,
    journal: Record,
    room: int,
) -> None:
    """Let the market messages up to a time be seen, and everybody decide who looks at them."""
    n = walk["n_tape_rows"]
    i = walk["i_local"]
    is_lean = walk["is_lean"] == 1
    is_timed = walk["is_timed"] == 1
    start = i
    now_ns = desk["now_ns"]
    is_begun = False  # the message: it is seen whole, whatever time its later rows carry
    while i < n:
        event = nth(tape, i)
        if not is_begun:
            if event["ts_local_ns"] > until_ns or walk["n_rows"] >= room:
                break
            is_begun = True
            now_ns = event["ts_local_ns"]
            first = i
        market = nth(markets, int(event["instrument"]))
        is_last = int(event["flags"]) & LAST != 0
        if int(event["kind"]) == PRICES:
            observe_prices(market, nth(tape_details, i + 1))
            i += 2
        else:
            observe_market_row(market, event)
            i += 1
            if is_last:
                end_market_message(market)
        if not is_last and i - first < MESSAGE_ROWS_MAX:
            continue
        is_begun = False
        if not is_lean:
            _keep_rows(tape, journal, walk, first, i)
        if is_last:
            if not is_timed:
                desk["seq"] += i - start
                start = i
                desk["now_ns"] = now_ns
                instrument = int(event["instrument"])
                for w in range(walk["n_worlds"]):
                    _decide(
                        markets,
                        nth(accounts, w),
                        traders,
                        desk,
                        nth(worlds, w),
                        walk,
                        w,
                        instrument,
                        DELTA,
                        journal,
                    )
            market["is_dirty"] = 0
    desk["seq"] += i - start
    desk["now_ns"] = now_ns
    walk["i_local"] = i


@kernel
def _keep_rows(tape: Record, journal: Record, walk: Record, start: int, stop: int) -> None:
    """Write market rows into the journal."""
    for i in range(start, stop):
        copy_record(nth(journal, walk["n_rows"]), nth(tape, i))
        walk["n_rows"] += 1


@kernel
def _advance_traders(
    tape: Record,
    tape_details: Record,
    worlds: Record,
    walk: Record,
    markets: Record,
    accounts: Record,
    traders: Record,
    desk: Record,
    journal: Record,
    known_ns: int,
    room: int,
) -> bool:
    """Let everything be seen that has arrived up to a time; returns whether the walk goes on.

    known_ns : all reports up to here are on their way;  room : journal rows that may be used
    """
    n_worlds = walk["n_worlds"]
    n = walk["n_tape_rows"]
    until_ns = min(known_ns, walk["ts_stop_ns"])
    while walk["n_rows"] < room:
        report_ns = _earliest(walk["report_ns"], n_worlds)
        timer_ns = _earliest(walk["timer_ns"], n_worlds)
        before_ns = min(report_ns, timer_ns) - 1
        _walk_messages(
            tape,
            tape_details,
            markets,
            accounts,
            traders,
            desk,
            worlds,
            walk,
            min(before_ns, until_ns),
            journal,
            room,
        )
        if walk["i_local"] >= n:
            if walk["has_late"] == 1:
                end_ns = nth(tape, n - 1)["ts_local_ns"]
                _catch_up(markets, accounts, traders, desk, worlds, walk, end_ns, journal)
            walk["is_done"] = 1
            return False
        if before_ns >= until_ns:
            if walk["ts_stop_ns"] > known_ns:
                return True
            if walk["has_late"] == 1:
                _catch_up(markets, accounts, traders, desk, worlds, walk, until_ns, journal)
            return False
        if walk["n_rows"] >= room:
            break
        if report_ns <= timer_ns:
            for w in range(n_worlds):
                if walk["report_ns"][w] <= report_ns:
                    _deliver(markets, nth(accounts, w), traders, desk, nth(worlds, w), walk, w, journal)
        else:
            _on_timers(markets, accounts, traders, desk, worlds, walk, timer_ns, journal)
    walk["is_full"] = 1
    return False


@kernel(
    types.int64(
        records(event_t),
        records(row_t),
        records(house_t),
        records(pit_t),
        records(world_t),
        records(walk_t),
        records(market_t),
        records(account_t),
        records(trader_t),
        records(desk_t),
        records(event_t),
    )
)
def simulate(
    tape: Record,
    venue_order: Record,
    houses: Record,
    pits: Record,
    worlds: Record,
    walks: Record,
    markets: Record,
    accounts: Record,
    traders: Record,
    desks: Record,
    journal: Record,
) -> int:
    """Walk until the journal is full, or `ts_stop_ns` or the end of the tape is reached; returns rows used.

    tape        : (n,) event_t by local time;  venue_order : (k,) row_t, its rows of the house by venue time
    houses      : (m,) house_t, markets : (m,) market_t, by instrument
    worlds      : (p,) world_t, accounts : (p,) account_t, pits : (p * m,) pit_t, traders : (p * t,) trader_t
    walks       : (1,) walk_t, carries the walk between calls; `is_done` 1 at the end. Where a call stops
                  changes nothing: the next one goes on as if it had not
    journal     : (r,) event_t. Of one world: all its rows, r above MESSAGE_ROWS_MAX + OWN_ROWS_MIN. In a lean
                  walk each world has r / p rows for its fills, above OWN_ROWS_MIN: `n_rows` of it are used
    """
    walk = walks[0]
    n_worlds = len(worlds)
    assert n_worlds == walk["n_worlds"]
    walk["n_markets"] = len(houses)
    walk["n_tape_rows"] = len(tape)
    walk["n_house_rows"] = len(venue_order)
    walk["n_world_rows"] = len(journal) // n_worlds
    walk["n_rows"] = 0
    walk["is_full"] = 0
    entry_ns = worlds[0]["entry_ns"]
    response_ns = worlds[0]["response_ns"]
    for w in range(n_worlds):
        worlds[w]["n_rows"] = 0
        entry_ns = min(entry_ns, worlds[w]["entry_ns"])
        response_ns = min(response_ns, worlds[w]["response_ns"])
    room = walk["n_world_rows"] - OWN_ROWS_MIN
    if walk["is_lean"] == 0:
        room -= MESSAGE_ROWS_MAX
    while len(tape) > 0:
        due_ns = _next_decision(tape[0], walk)
        known_ns = response_ns + _advance_exchange(
            tape[0], venue_order[0], houses[0], pits[0], worlds[0], walk, due_ns, entry_ns
        )
        is_open = _advance_traders(
            tape[0],
            tape.view(account_detail_t)[0],
            worlds[0],
            walk,
            markets[0],
            accounts[0],
            traders[0],
            desks[0],
            journal[0],
            known_ns,
            room,
        )
        if not is_open:
            break
    return walk["n_rows"]
