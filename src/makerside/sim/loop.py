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
from makerside.core.kernel import Record, kernel, records
from makerside.core.numbers import lowest_bit
from makerside.core.observe import (
    bot_in,
    end_market_message,
    observe_market_row,
    observe_own,
    observe_prices,
)
from makerside.core.step import is_due, observe_timer
from makerside.model.account import account_t
from makerside.model.action import ActionKind, action_detail_t
from makerside.model.desk import ACTIONS_CAPACITY, desk_t
from makerside.model.event import Flag, Kind, account_detail_t, event_t, order_detail_t
from makerside.model.market import market_t
from makerside.model.trader import trader_t
from makerside.model.units import NEVER_NS, SELL
from makerside.sim.house import house_before, house_closed, house_end, house_row
from makerside.sim.matching import cancel_order, place_order
from makerside.sim.pit import note_levels, pit_end, pit_row, report_too_late
from makerside.sim.records import IN_FLIGHT_CAPACITY, house_t, pit_t, walk_t, world_t

LAST = int(Flag.LAST)
SELL_FLAG, TAKER = int(Flag.SELL), int(Flag.TAKER)
DELTA, PRICES, TIMER, FILL = int(Kind.DELTA), int(Kind.PRICES), int(Kind.TIMER), int(Kind.FILL)
PLACE = int(ActionKind.PLACE)
MESSAGE_ROWS_MAX = 1 << 14  # rows of one market message; a longer one is cut
OWN_ROWS_MIN = 2 * (IN_FLIGHT_CAPACITY + ACTIONS_CAPACITY)  # what a world may write at one time


@kernel
def _earliest(times: Record, n: int) -> int:
    """Return the least of the first n entries."""
    found = times[0]
    for i in range(1, n):
        found = min(found, times[i])
    return found


# --- the exchange -----------------------------------------------------------------------------------


@kernel
def _feed(
    house: Record, pits: Record, worlds: Record, walk: Record, event: Record, m: int, n_markets: int
) -> None:
    """Let one row of the house happen, to the pits that it concerns; their reports leave."""
    mask = house_before(house, event)
    while mask != 0:
        note_levels(house, pits[lowest_bit(mask) * n_markets + m])
        mask &= mask - 1
    mask = house_row(house, event)
    while mask != 0:
        w = lowest_bit(mask)
        pit_row(house, pits[w * n_markets + m], event)
        _send_reports(pits[w * n_markets + m], worlds[w], walk, w, event["ts_venue_ns"])
        mask &= mask - 1
    if int(event["flags"]) & LAST:
        mask = house_end(house)
        while mask != 0:
            w = lowest_bit(mask)
            pit_end(house, pits[w * n_markets + m])
            _send_reports(pits[w * n_markets + m], worlds[w], walk, w, event["ts_venue_ns"])
            mask &= mask - 1
        house_closed(house)


@kernel
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


@kernel
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
    house = houses[m]
    pit = pits[w * n_markets + m]
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
    n = len(venue_order)
    n_worlds = len(worlds)
    n_markets = len(houses)
    until_ns = due_ns + entry_ns
    action_ns = _earliest(walk["action_ns"], n_worlds)
    i = walk["i_venue"]
    while True:
        while i < n:
            event = tape[venue_order[i]]
            row_ns = event["ts_venue_ns"]
            if row_ns > until_ns or row_ns > action_ns:
                break
            m = int(event["instrument"])
            _feed(houses[m], pits, worlds, walk, event, m, n_markets)
            i += 1
            until_ns = min(until_ns, walk["news_ns"] + entry_ns)
        if action_ns > until_ns:
            break
        for w in range(n_worlds):
            while walk["action_ns"][w] <= action_ns:
                _execute(houses, pits, worlds[w], walk, w, n_markets)
        action_ns = _earliest(walk["action_ns"], n_worlds)
        until_ns = min(until_ns, walk["news_ns"] + entry_ns)
    walk["i_venue"] = i
    return until_ns


# --- the traders ------------------------------------------------------------------------------------


@kernel
def _observe_message(
    tape: Record, details: Record, markets: Record, desk: Record, walk: Record, start: int
) -> int:
    """Let the market message that starts at a row be seen; returns the index behind it.

    details : the tape as account_detail_t. The message's instrument is left in `walk`, -1 when it was cut
    """
    stop = min(len(tape), start + MESSAGE_ROWS_MAX)
    i = start
    walk["instrument"] = -1
    while i < stop:
        event = tape[i]
        market = markets[int(event["instrument"])]
        is_last = int(event["flags"]) & LAST != 0
        if int(event["kind"]) == PRICES:
            observe_prices(market, details[i + 1])
            i += 2
        else:
            observe_market_row(market, event)
            i += 1
            if is_last:
                end_market_message(market)
        if is_last:
            walk["instrument"] = int(event["instrument"])
            break
    desk["now_ns"] = tape[start]["ts_local_ns"]
    desk["seq"] += i - start
    return i


@kernel
def _next_decision(tape: Record, worlds: Record, walk: Record) -> int:
    """Return the time of the earliest decision that may come, as far as it is known."""
    n_worlds = len(worlds)
    walk["news_ns"] = _earliest(walk["report_ns"], n_worlds)
    due_ns = min(walk["news_ns"], _earliest(walk["timer_ns"], n_worlds))
    if walk["is_timed"] == 0 and walk["i_local"] < len(tape):
        due_ns = min(due_ns, tape[walk["i_local"]]["ts_local_ns"])
    return due_ns


@kernel
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
        trader = traders[w * n_traders + k]
        if is_due(markets, trader, instrument, kind, desk["now_ns"]):
            desk["own_seq"] = world["own_seq"]
            desk["n_actions"] = 0
            decide(markets, account, trader, k, desk)
            if desk["n_actions"] > 0:
                _send_actions(world, walk, w, desk, journal)


@kernel
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
            details = journal.view(action_detail_t)
            _write_action(journal[walk["n_rows"]], details[walk["n_rows"] + 1], action)
            walk["n_rows"] += 2
    world["n_actions"] += desk["n_actions"]


@kernel
def _write_action(row: Record, detail: Record, action: Record) -> None:
    """Write an action as two rows of the journal."""
    row["ts_venue_ns"] = action["event_seq"]
    row["ts_local_ns"] = action["ts_decided_ns"]
    row["size_lots"] = action["size_lots"]
    row["price_ticks"] = action["price_ticks"]
    row["instrument"] = action["instrument"]
    row["kind"] = action["kind"]
    row["flags"] = action["flags"]
    detail["client_order_id"] = action["client_order_id"]
    detail["venue_order_id"] = action["venue_order_id"]
    detail["account"] = action["account"]
    detail["trader"] = action["trader"]
    detail["level"] = action["level"]
    detail["reason"] = action["reason"]
    detail["spare"] = action["spare"]


@kernel
def _observe_report(
    markets: Record, account: Record, traders: Record, world: Record, w: int, event: Record, detail: Record
) -> None:
    """Let a world see one report about an order of its."""
    world["own_seq"] += 2
    n_traders = world["n_traders"]
    bot = bot_in(detail["client_order_id"])
    for k in range(n_traders):
        trader = traders[w * n_traders + k]
        if trader["bot"] == bot:
            observe_own(markets[int(event["instrument"])], account, trader, event, detail, event["ts_local_ns"])
            return
    account["n_strange"] += 1


@kernel
def _keep(walk: Record, world: Record, w: int, journal: Record, event: Record, detail: Record) -> None:
    """Write a report into the journal; of a lean walk only fills, each world's in its own part."""
    if walk["is_lean"] == 0:
        at = walk["n_rows"]
        walk["n_rows"] += 2
    elif int(event["kind"]) == FILL:
        at = w * (len(journal) // walk["n_worlds"]) + world["n_rows"]
        world["n_rows"] += 2
        walk["n_rows"] = max(walk["n_rows"], world["n_rows"])
    else:
        return
    journal[at] = event
    journal.view(order_detail_t)[at + 1] = detail


@kernel
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
    for w in range(len(worlds)):
        world = worlds[w]
        while world["report_head"] < world["report_tail"]:
            if world["reports"][world["report_head"] % IN_FLIGHT_CAPACITY]["ts_local_ns"] > until_ns:
                break
            _deliver(markets, accounts[w], traders, desk, world, walk, w, journal)


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
    for w in range(len(worlds)):
        if walk["timer_ns"][w] > now_ns:
            continue
        world = worlds[w]
        walk["timer_ns"][w] += world["timer_ns"]
        world["own_seq"] += 1
        desk["now_ns"] = now_ns
        if walk["is_lean"] == 0:
            _write_timer(journal[walk["n_rows"]], now_ns)
            walk["n_rows"] += 1
        for k in range(world["n_traders"]):
            observe_timer(accounts[w], traders[w * world["n_traders"] + k], now_ns)
        _decide(markets, accounts[w], traders, desk, world, walk, w, -1, TIMER, journal)


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
    tape_details = tape.view(account_detail_t)
    n = len(tape)
    i = walk["i_local"]
    while i < n and tape[i]["ts_local_ns"] <= until_ns and walk["n_rows"] < room:
        start = i
        i = _observe_message(tape, tape_details, markets, desk, walk, start)
        if walk["is_lean"] == 0:
            for j in range(start, i):
                journal[walk["n_rows"]] = tape[j]
                walk["n_rows"] += 1
        instrument = walk["instrument"]
        if instrument < 0:
            continue
        if walk["is_timed"] == 0:
            for w in range(len(worlds)):
                _decide(markets, accounts[w], traders, desk, worlds[w], walk, w, instrument, DELTA, journal)
        markets[instrument]["is_dirty"] = 0
    walk["i_local"] = i


@kernel
def _advance_traders(
    tape: Record,
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
    n_worlds = len(worlds)
    until_ns = min(known_ns, walk["ts_stop_ns"])
    while walk["n_rows"] < room:
        report_ns = _earliest(walk["report_ns"], n_worlds)
        timer_ns = _earliest(walk["timer_ns"], n_worlds)
        before_ns = min(report_ns, timer_ns) - 1
        _walk_messages(
            tape, markets, accounts, traders, desk, worlds, walk, min(before_ns, until_ns), journal, room
        )
        if walk["i_local"] >= len(tape):
            if walk["has_late"] == 1:
                end_ns = tape[len(tape) - 1]["ts_local_ns"]
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
                    _deliver(markets, accounts[w], traders, desk, worlds[w], walk, w, journal)
        else:
            _on_timers(markets, accounts, traders, desk, worlds, walk, timer_ns, journal)
    walk["is_full"] = 1
    return False


@kernel(
    types.int64(
        records(event_t),
        types.Array(types.int64, 1, "C"),
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

    tape        : (n,) event_t by local time;  venue_order : (k,) int64, its rows of the house by venue time
    houses      : (m,) house_t, markets : (m,) market_t, by instrument
    worlds      : (p,) world_t, accounts : (p,) account_t, pits : (p * m,) pit_t, traders : (p * t,) trader_t
    walks       : (1,) walk_t, carries the walk between calls; `is_done` 1 at the end. Where a call stops
                  changes nothing: the next one goes on as if it had not
    journal     : (r,) event_t. Of one world: all its rows, r above MESSAGE_ROWS_MAX + OWN_ROWS_MIN. In a lean
                  walk each world has r / p rows for its fills, above OWN_ROWS_MIN: `n_rows` of it are used
    """
    walk = walks[0]
    desk = desks[0]
    n_worlds = len(worlds)
    walk["n_rows"] = 0
    walk["is_full"] = 0
    for w in range(n_worlds):
        worlds[w]["n_rows"] = 0
    entry_ns = worlds[0]["entry_ns"]
    response_ns = worlds[0]["response_ns"]
    for w in range(1, n_worlds):
        entry_ns = min(entry_ns, worlds[w]["entry_ns"])
        response_ns = min(response_ns, worlds[w]["response_ns"])
    room = len(journal) // n_worlds - OWN_ROWS_MIN
    if walk["is_lean"] == 0:
        room -= MESSAGE_ROWS_MAX
    is_open = True
    while is_open:
        due_ns = _next_decision(tape, worlds, walk)
        known_ns = (
            _advance_exchange(tape, venue_order, houses, pits, worlds, walk, due_ns, entry_ns) + response_ns
        )
        is_open = _advance_traders(
            tape, worlds, walk, markets, accounts, traders, desk, journal, known_ns, room
        )
    return walk["n_rows"]
