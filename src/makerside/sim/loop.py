"""The compiled walk: one pass over a recording for any number of parameter sets ("worlds") at once.

Market and house are read once for all: they depend on nothing but the data. Each world has a pit of its own
at each house, an account, traders, and its own actions and reports under way; worlds know nothing of each
other, so that a world among many is, byte for byte, the world alone.

Two cursors walk the same rows: the house sees them at venue time, the traders at local time. A decision
travels `entry_ns` at least to the exchange, a report `response_ns` at least back (`latency.py`). So the
exchange may run ahead of the traders by an entry and the traders ahead of the exchange by a response, and
each side walks a stretch of rows before it looks at the other. At one time the order is: reports, timers,
market rows; at the exchange: rows, actions.

A walk of one world writes a journal, so that a backtest is replayed like a live run. Pure.
"""

import numpy as np
from numba import types

from makerside.core.kernel import Record, kernel, records
from makerside.model.account import account_t
from makerside.model.desk import desk_t
from makerside.model.event import Kind, account_detail_t, event_t
from makerside.model.market import market_t
from makerside.model.price import price_t
from makerside.model.trader import trader_t
from makerside.sim.perp_records import funding_rate_t
from makerside.sim.records import IN_ORDER, house_t, pit_t, row_t, walk_t, world_t
from makerside.sim.venue_clock import clock_set, venue_tick
from makerside.sim.walk_exchange import advance_exchange
from makerside.sim.walk_traders import MESSAGE_ROWS_MAX, OWN_ROWS_MIN, advance_traders, next_decision

IS_HOUSE = np.zeros(256, np.int64)
IS_HOUSE[[Kind.DELTA, Kind.SNAPSHOT, Kind.TRADE, Kind.BBO]] = 1


@kernel(types.int64(records(event_t)))  # type: ignore[untyped-decorator]
def is_in_order(tape: Record) -> int:
    """Return 1 when all rows of a tape are a house's and lie in the order of venue time, else 0."""
    before_ns = 0
    for i in range(len(tape)):
        event = tape[i]
        if event["ts_venue_ns"] < before_ns or IS_HOUSE[int(event["kind"])] == 0:
            return 0
        before_ns = event["ts_venue_ns"]
    return 1 if len(tape) > 0 else 0


@kernel(
    types.int64(
        records(event_t),
        records(row_t),
        records(price_t),
        records(funding_rate_t),
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
    prices: Record,
    rates: Record,
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

    tape        : (n,) event_t by local time;  venue_order : (k,) row_t, its rows of the house by venue time,
                  or IN_ORDER alone
    prices      : (k,) price_t, what the venue tells beside its book;  rates : (r,) funding_rate_t, recorded
                  payments. Both may be empty, and are not read without a clearing (`venue_clock.py`)
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
    walk["is_in_order"] = 1 if venue_order[0]["row"] == IN_ORDER else 0
    walk["n_house_rows"] = len(tape) if walk["is_in_order"] == 1 else len(venue_order)
    walk["n_world_rows"] = len(journal) // n_worlds
    walk["n_rows"] = 0
    walk["is_full"] = 0
    entry_ns = worlds[0]["entry_ns"]
    response_ns = worlds[0]["response_ns"]
    for w in range(n_worlds):
        worlds[w]["n_rows"] = 0
        entry_ns = min(entry_ns, worlds[w]["entry_ns"])
        response_ns = min(response_ns, worlds[w]["response_ns"])
    clock_set(walk, prices)
    room = walk["n_world_rows"] - OWN_ROWS_MIN
    if walk["is_lean"] == 0:
        room -= MESSAGE_ROWS_MAX
    while len(tape) > 0:
        due_ns = next_decision(tape[0], walk)
        done_ns = advance_exchange(
            tape[0], venue_order[0], houses[0], pits[0], worlds[0], walk, due_ns, entry_ns
        )
        if done_ns >= walk["clock_ns"]:
            venue_tick(prices, rates, houses[0], pits[0], worlds[0], walk)
        is_open = advance_traders(
            tape[0],
            tape.view(account_detail_t)[0],
            worlds[0],
            walk,
            markets[0],
            accounts[0],
            traders[0],
            desks[0],
            journal[0],
            done_ns + response_ns,
            room,
        )
        if not is_open:
            break
    return walk["n_rows"]
