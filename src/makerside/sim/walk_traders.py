"""The traders' half of a walk: market rows once for all, reports and timers of each world, decisions.

See `loop.py`. Rows and records are handed over as the first of their array (`core/rows.py`). Pure.
"""

from makerside.core.decide import decide
from makerside.core.digest import mix_action
from makerside.core.kernel import Record, inlined, kernel
from makerside.core.observe import (
    bot_in,
    end_market_message,
    observe_market_row,
    observe_money,
    observe_own,
    observe_prices,
)
from makerside.core.rows import copy_record, nth
from makerside.core.step import is_due, observe_timer
from makerside.model.desk import ACTIONS_CAPACITY
from makerside.model.event import Flag, Kind, account_detail_t
from makerside.model.units import NEVER_NS
from makerside.sim.latency import delay_ns, what_of
from makerside.sim.records import IN_FLIGHT_CAPACITY
from makerside.sim.walk_exchange import earliest

LAST, FUNDING = int(Flag.LAST), int(Kind.FUNDING)
DELTA, PRICES, TIMER, FILL = int(Kind.DELTA), int(Kind.PRICES), int(Kind.TIMER), int(Kind.FILL)
MESSAGE_ROWS_MAX = 1 << 14  # rows of one market message; a longer one is cut
OWN_ROWS_MIN = 2 * (IN_FLIGHT_CAPACITY + ACTIONS_CAPACITY)  # what a world may write at one time


@kernel
def next_decision(tape: Record, walk: Record) -> int:
    """Return the time of the earliest decision that may come, as far as it is known."""
    n_worlds = walk["n_worlds"]
    walk["news_ns"] = earliest(walk["report_ns"], n_worlds)
    due_ns = min(walk["news_ns"], earliest(walk["timer_ns"], n_worlds))
    if walk["is_timed"] == 0 and walk["i_local"] < walk["n_tape_rows"]:
        due_ns = min(due_ns, nth(tape, walk["i_local"])["ts_local_ns"])
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
        assert world["action_tail"] - world["action_head"] < IN_FLIGHT_CAPACITY
        arrival_ns = action["ts_decided_ns"] + world["entry_ns"]
        at = world["action_tail"] % IN_FLIGHT_CAPACITY
        if world["is_plain"] == 0:
            what = what_of(int(action["kind"]), int(action["flags"]))
            arrival_ns = action["ts_decided_ns"] + delay_ns(world["latency"], what, action["ts_decided_ns"])
            at = _make_room(world, arrival_ns)
        world["action_tail"] += 1
        world["actions"][at] = action
        world["arrivals"][at] = arrival_ns
        if world["is_plain"] == 0 or world["action_tail"] == world["action_head"] + 1:
            walk["action_ns"][w] = world["arrivals"][world["action_head"] % IN_FLIGHT_CAPACITY]
        mix_action(world["digest"], action)
        if walk["is_lean"] == 0:
            copy_record(nth(journal, walk["n_rows"]), action)
            walk["n_rows"] += 2
    world["n_actions"] += desk["n_actions"]


@kernel
def _make_room(world: Record, arrival_ns: int) -> int:
    """Move the actions that arrive later one place back; returns the place for one that arrives at a time."""
    at = world["action_tail"]
    while at > world["action_head"] and world["arrivals"][(at - 1) % IN_FLIGHT_CAPACITY] > arrival_ns:
        world["arrivals"][at % IN_FLIGHT_CAPACITY] = world["arrivals"][(at - 1) % IN_FLIGHT_CAPACITY]
        world["actions"][at % IN_FLIGHT_CAPACITY] = world["actions"][(at - 1) % IN_FLIGHT_CAPACITY]
        at -= 1
    return int(at % IN_FLIGHT_CAPACITY)


@inlined
def _observe_report(
    markets: Record, account: Record, traders: Record, world: Record, w: int, event: Record, at: int
) -> None:
    """Let a world see one report about an order of its, or its funding. at : where it stands"""
    world["own_seq"] += 2
    if int(event["kind"]) == FUNDING:
        observe_money(account, event, world["details"].view(account_detail_t)[at])
        return
    detail = world["details"][at]
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
    _observe_report(markets, account, traders, world, w, event, at)
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
def advance_traders(
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
        report_ns = earliest(walk["report_ns"], n_worlds)
        timer_ns = earliest(walk["timer_ns"], n_worlds)
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
