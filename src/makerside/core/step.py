"""`step`: the one function from facts to decisions, the same in backtest, paper, live and replay.

    rows in  ->  observe each  ->  on LAST: close the message, decide for whom it concerns  ->  actions

It may be called with any number of rows at a time: all state is in the records, so that the cuts
between calls change nothing. Strategies are called by address (`signature.py`), hence this loop is
compiled once for all of them. Pure.
"""

from numba import types

from makerside.core.decide import decide
from makerside.core.kernel import Record, inlined, kernel, records
from makerside.core.observe import end_market_message, observe_account, observe_market_row, observe_report
from makerside.core.orders import orders_on_time
from makerside.core.pacing import is_flush_due
from makerside.core.rows import nth
from makerside.model.account import account_t
from makerside.model.desk import ACTIONS_CAPACITY, ACTIONS_PER_DECISION, desk_t
from makerside.model.event import (
    DETAIL_ROWS,
    IS_EVENT,
    Command,
    Flag,
    Kind,
    account_detail_t,
    event_t,
    order_detail_t,
)
from makerside.model.market import market_t
from makerside.model.order import EPOCH_BITS
from makerside.model.trader import trader_t

LAST = int(Flag.LAST)
PRICES, TIMER = int(Kind.PRICES), int(Kind.TIMER)
FIRST_PRIVATE = int(Kind.ORDER_ACK)
LAST_ORDER_KIND = int(Kind.SEND_FAILED)
_EPOCH_MASK = (1 << EPOCH_BITS) - 1


@kernel
def observe_clock(accounts: Record, traders: Record, event: Record) -> None:
    """Apply an EPOCH, CONNECT, DISCONNECT or COMMAND row."""
    kind = int(event["kind"])
    if kind == Kind.CONNECT:
        accounts[int(event["price_ticks"])]["is_connected"] = 1
    elif kind == Kind.DISCONNECT:
        accounts[int(event["price_ticks"])]["is_connected"] = 0
    elif kind == Kind.COMMAND:
        for a in range(len(accounts)):
            if accounts[a]["command"] != Command.STOP:  # which is for good
                accounts[a]["command"] = int(event["price_ticks"])
    for k in range(len(traders)):
        trader = traders[k]
        trader["is_dirty"] = 1
        if kind == Kind.EPOCH:
            # It wraps: by then the orders of the run that had this number are long gone.
            trader["epoch"] = event["size_lots"] & _EPOCH_MASK
            trader["counter"] = 0


@inlined
def observe_timer(account: Record, trader: Record, now_ns: int) -> None:
    """Let time pass for a trader: it is news when an answer is overdue or something depends on time."""
    if orders_on_time(trader, account, now_ns) > 0 or now_ns >= trader["ts_wake_ns"]:
        trader["is_dirty"] = 1


@inlined
def has_news(markets: Record, trader: Record, instrument: int) -> bool:
    """Return whether a trader has something new to look at: a fact of its own, or its market's message.

    markets    : first of the market_t records
    instrument : of the message that has just ended, -1 when it was no market's
    """
    if trader["is_dirty"] == 1:
        return True
    if instrument < 0 or nth(markets, instrument)["is_dirty"] == 0:
        return False
    for i in range(trader["n_legs"]):
        if trader["legs"][i]["instrument"] == instrument:
            return True
    return False


@inlined
def is_due(markets: Record, trader: Record, instrument: int, kind: int, now_ns: int) -> bool:
    """Return whether a trader is to decide after a message: it has news, or had some and pacing held it back.

    instrument : see `has_news`;  kind : of the message's last row
    """
    if trader["is_timed"] == 1:
        return kind == TIMER
    if has_news(markets, trader, instrument):
        trader["is_waiting"] = 1
        return True
    return trader["is_waiting"] == 1 and is_flush_due(trader, now_ns)


@kernel
def decide_all(
    markets: Record, accounts: Record, traders: Record, desk: Record, instrument: int, kind: int
) -> None:
    """Decide for every trader that is due."""
    first = markets[0]
    for k in range(len(traders)):
        trader = traders[k]
        if is_due(first, trader, instrument, kind, desk["now_ns"]):
            decide(first, accounts[trader["account"]], trader, k, desk)
    if instrument >= 0:
        markets[instrument]["is_dirty"] = 0


@kernel(
    types.int64(records(event_t), records(market_t), records(account_t), records(trader_t), records(desk_t))
)
def step(events: Record, markets: Record, accounts: Record, traders: Record, desks: Record) -> int:
    """Observe event rows and decide; returns the number of actions written to `desks[0]["actions"]`.

    events   : (n,) event_t, continuation rows included; a cut between a row and its continuation is
               allowed: the row is left for the next call
    markets  : (m,) market_t;  accounts : (a,) account_t;  traders : (t,) trader_t
    desks    : (1,) desk_t; `n_consumed` tells how many rows were taken. It is less than n when the
               actions might not fit or the last row misses its continuation; call again with the rest
    errors   : asserts on a row that breaks an invariant of ours
    """
    desk = desks[0]
    desk["n_actions"] = 0
    order_details = events.view(order_detail_t)
    account_details = events.view(account_detail_t)
    n = len(events)
    i = 0
    while i < n:
        event = events[i]
        kind = int(event["kind"])
        assert IS_EVENT[kind] == 1
        extra = DETAIL_ROWS[kind]
        room = ACTIONS_CAPACITY - desk["n_actions"]
        if i + extra >= n or room < ACTIONS_PER_DECISION * len(traders):
            break
        now_ns = event["ts_local_ns"]
        assert now_ns >= desk["now_ns"]
        desk["now_ns"] = now_ns
        desk["seq"] += 1 + extra
        if kind < FIRST_PRIVATE:
            if kind == PRICES:
                observe_account(markets, accounts, event, account_details[i + 1])
            else:
                observe_market_row(markets[int(event["instrument"])], event)
        elif kind <= LAST_ORDER_KIND:
            observe_report(markets, accounts, traders, event, order_details[i + 1], now_ns)
        elif extra == 1:
            observe_account(markets, accounts, event, account_details[i + 1])
        elif kind == TIMER:
            for k in range(len(traders)):
                observe_timer(accounts[traders[k]["account"]], traders[k], now_ns)
        else:
            observe_clock(accounts, traders, event)
        if int(event["flags"]) & LAST:
            instrument = -1
            if kind < FIRST_PRIVATE:
                instrument = int(event["instrument"])
                if kind != PRICES:
                    end_market_message(markets[instrument])
            decide_all(markets, accounts, traders, desk, instrument, kind)
        i += 1 + extra
    desk["n_consumed"] = i
    return desk["n_actions"]
