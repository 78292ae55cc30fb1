"""The compiled backtest: recording, exchange, latencies and `step` on one clock.

Two cursors walk the same rows: the exchange sees them at venue time, the traders at local time.
Decisions travel `entry_ns` to the exchange, reports `response_ns` back; a report that is due before
the next row is delivered first. Every row that reaches `step`, and every action, goes to the journal,
so that a backtest can be replayed like a live run. Pure.
"""

from numba import types

from makerside.core.kernel import Record, kernel, records
from makerside.core.step import step
from makerside.model.account import account_t
from makerside.model.action import ActionKind, action_detail_t
from makerside.model.desk import ACTIONS_CAPACITY, desk_t
from makerside.model.event import Flag, Kind, event_t, order_detail_t
from makerside.model.market import market_t
from makerside.model.trader import trader_t
from makerside.model.units import BUY, SELL
from makerside.sim.exchange import cancel_order, house_end_message, house_row, place_order
from makerside.sim.records import IN_FLIGHT_CAPACITY, exchange_t, simulation_t

LAST = int(Flag.LAST)
SELL_FLAG = int(Flag.SELL)
TAKER = int(Flag.TAKER)
TIMER = int(Kind.TIMER)
FILL = int(Kind.FILL)
PLACE = int(ActionKind.PLACE)
NEVER_NS = 1 << 62
MESSAGE_ROWS_MAX = 1 << 14  # rows of one market message; a longer one is cut
INBOX_ROWS = 256


@kernel
def _advance_exchange(tape: Record, venue_order: Record, exchanges: Record, sim: Record, until_ns: int) -> int:
    """Run the exchange up to a time, or until a report of its is due earlier; returns that time."""
    n = len(tape)
    while True:
        action_ns = NEVER_NS
        if sim["action_head"] < sim["action_tail"]:
            action_ns = sim["actions"][sim["action_head"] % IN_FLIGHT_CAPACITY]["ts_arrival_ns"]
        row_ns = NEVER_NS
        i = sim["i_venue"]
        if i < n:
            row_ns = tape[venue_order[i]]["ts_venue_ns"]
        if min(action_ns, row_ns) > until_ns:
            return until_ns
        if row_ns <= action_ns:
            event = tape[venue_order[i]]
            exchange = exchanges[int(event["instrument"])]
            house_row(exchange, event)
            if int(event["flags"]) & LAST:
                house_end_message(exchange)
            sim["i_venue"] = i + 1
            ts_ns = row_ns
        else:
            flight = sim["actions"][sim["action_head"] % IN_FLIGHT_CAPACITY]
            sim["action_head"] += 1
            exchange = exchanges[int(flight["action"]["instrument"])]
            _execute(exchange, flight["action"], action_ns)
            ts_ns = action_ns
        if exchange["n_reports"] > 0:
            _send_reports(exchange, sim, ts_ns)
            due_ns = sim["reports"][sim["report_head"] % IN_FLIGHT_CAPACITY]["ts_arrival_ns"]
            until_ns = min(until_ns, due_ns)


@kernel
def _execute(exchange: Record, action: Record, ts_ns: int) -> None:
    """Carry out one action at the exchange."""
    client = int(action["account"])
    identity = action["client_order_id"]
    if int(action["kind"]) == PLACE:
        flags = int(action["flags"])
        side = SELL if flags & SELL_FLAG else BUY
        tick = int(action["price_ticks"])
        place_order(exchange, ts_ns, identity, client, side, tick, action["size_lots"], flags & ~SELL_FLAG)
    elif not cancel_order(exchange, ts_ns, client, identity):
        row = exchange["reports"][exchange["n_reports"]]
        exchange["n_reports"] += 1
        row["ts_ns"] = ts_ns
        row["kind"] = Kind.CANCEL_TOO_LATE
        row["order_id"] = identity
        row["client"] = client
        row["side"] = SELL if int(action["flags"]) & SELL_FLAG else BUY
        row["price_ticks"] = int(action["price_ticks"])
        row["size_lots"] = 0
        row["trade_id"] = 0
        row["is_taker"] = 0
        row["is_print"] = 0
        row["fee_e8"] = 0
        row["reason"] = 0


@kernel
def _send_reports(exchange: Record, sim: Record, ts_ns: int) -> None:
    for i in range(exchange["n_reports"]):
        assert sim["report_tail"] - sim["report_head"] < IN_FLIGHT_CAPACITY
        flight = sim["reports"][sim["report_tail"] % IN_FLIGHT_CAPACITY]
        sim["report_tail"] += 1
        flight["ts_arrival_ns"] = ts_ns + sim["response_ns"]
        flight["instrument"] = exchange["instrument"]
        flight["report"] = exchange["reports"][i]
    exchange["n_reports"] = 0


@kernel
def _write_report(event: Record, detail: Record, flight: Record) -> None:
    """Turn a report into an event row and its continuation."""
    report = flight["report"]
    flags = LAST
    if report["side"] == SELL:
        flags |= SELL_FLAG
    if report["is_taker"] == 1:
        flags |= TAKER
    event["ts_venue_ns"] = report["ts_ns"]
    event["ts_local_ns"] = flight["ts_arrival_ns"]
    event["size_lots"] = report["size_lots"]
    event["price_ticks"] = report["price_ticks"]
    event["instrument"] = flight["instrument"]
    event["kind"] = report["kind"]
    event["flags"] = flags
    detail["client_order_id"] = report["order_id"]
    detail["venue_order_id"] = report["order_id"]
    detail["reference"] = report["trade_id"] if report["kind"] == FILL else report["reason"]
    detail["fee_e8"] = report["fee_e8"]


@kernel
def _send_actions(sim: Record, desk: Record, journal: Record, details: Record, used: int) -> int:
    """Put the desk's actions on their way and into the journal; returns the journal rows used."""
    for i in range(desk["n_actions"]):
        assert sim["action_tail"] - sim["action_head"] < IN_FLIGHT_CAPACITY
        action = desk["actions"][i]
        flight = sim["actions"][sim["action_tail"] % IN_FLIGHT_CAPACITY]
        sim["action_tail"] += 1
        sim["n_actions"] += 1
        flight["ts_arrival_ns"] = action["ts_decided_ns"] + sim["entry_ns"]
        flight["action"] = action
        row = journal[used]
        row["ts_venue_ns"] = action["event_seq"]
        row["ts_local_ns"] = action["ts_decided_ns"]
        row["size_lots"] = action["size_lots"]
        row["price_ticks"] = action["price_ticks"]
        row["instrument"] = action["instrument"]
        row["kind"] = action["kind"]
        row["flags"] = action["flags"]
        detail = details[used + 1]
        detail["client_order_id"] = action["client_order_id"]
        detail["venue_order_id"] = action["venue_order_id"]
        detail["account"] = action["account"]
        detail["trader"] = action["trader"]
        detail["level"] = action["level"]
        detail["reason"] = action["reason"]
        detail["spare"] = action["spare"]
        used += 2
    return used


@kernel
def _message_end(tape: Record, start: int) -> int:
    """Return the index behind the message that starts at a row."""
    n = len(tape)
    stop = min(n, start + MESSAGE_ROWS_MAX)
    i = start
    while i < stop:
        if int(tape[i]["flags"]) & LAST:
            return i + 1
        i += 1
    return i


@kernel(
    types.int64(
        records(event_t),
        types.Array(types.int64, 1, "C"),
        records(exchange_t),
        records(simulation_t),
        records(market_t),
        records(account_t),
        records(trader_t),
        records(desk_t),
        records(event_t),
        records(event_t),
    )
)
def simulate(
    tape: Record,
    venue_order: Record,
    exchanges: Record,
    sims: Record,
    markets: Record,
    accounts: Record,
    traders: Record,
    desks: Record,
    inbox: Record,
    journal: Record,
) -> int:
    """Run until the journal block is full, `ts_stop_ns` or the end of the tape is reached; returns rows used.

    tape        : (n,) event_t by local time;  venue_order : (n,) int64, its indices by venue time
    sims        : (1,) simulation_t, carries the run between calls; `is_done` 1 at the end. Where a call stops
                  changes nothing: the next one goes on as if it had not
    inbox       : (INBOX_ROWS,) event_t, scratch
    journal     : (m,) event_t, m > MESSAGE_ROWS_MAX + 2 * ACTIONS_CAPACITY + INBOX_ROWS
    """
    sim = sims[0]
    desk = desks[0]
    details = inbox.view(order_detail_t)
    journal_details = journal.view(action_detail_t)
    used = 0
    n = len(tape)
    reserve = MESSAGE_ROWS_MAX + 2 * ACTIONS_CAPACITY + INBOX_ROWS
    while used + reserve < len(journal):
        start = sim["i_local"]
        if start >= n:
            sim["is_done"] = 1
            break
        tape_ns = tape[start]["ts_local_ns"]
        due_ns = min(tape_ns, sim["ts_timer_ns"])
        if sim["report_head"] < sim["report_tail"]:
            due_ns = min(due_ns, sim["reports"][sim["report_head"] % IN_FLIGHT_CAPACITY]["ts_arrival_ns"])
        if due_ns > sim["ts_stop_ns"]:
            break
        due_ns = _advance_exchange(tape, venue_order, exchanges, sim, due_ns)
        rows = 0
        while rows + 2 <= INBOX_ROWS and sim["report_head"] < sim["report_tail"]:
            flight = sim["reports"][sim["report_head"] % IN_FLIGHT_CAPACITY]
            if flight["ts_arrival_ns"] > due_ns:
                break
            _write_report(inbox[rows], details[rows + 1], flight)
            sim["report_head"] += 1
            rows += 2
        if rows > 0:
            events = inbox[:rows]
        elif sim["ts_timer_ns"] <= due_ns:
            timer = inbox[0]
            timer["ts_venue_ns"] = 0
            timer["ts_local_ns"] = sim["ts_timer_ns"]
            timer["size_lots"] = 0
            timer["price_ticks"] = 0
            timer["instrument"] = 0
            timer["kind"] = TIMER
            timer["flags"] = LAST
            sim["ts_timer_ns"] += sim["timer_ns"]
            events = inbox[:1]
        else:
            end = _message_end(tape, start)
            events = tape[start:end]
            sim["i_local"] = end
        if rows > 0 or sim["is_lean"] == 0:
            for i in range(len(events)):
                journal[used + i] = events[i]
            used += len(events)
        step(events, markets, accounts, traders, desks)
        assert desk["n_consumed"] == len(events)
        used = _send_actions(sim, desk, journal, journal_details, used)
    return used
