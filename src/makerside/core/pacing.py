"""Pacing: when to decide and how many actions may leave, in event time, so that a backtest feels it.

The budget is a token bucket of actions (formulas d-19). Cancels may use all of it; placing stops
while only the reserve is left, so that what rests can always be taken back. Pure.
"""

from makerside.core.kernel import Record, inlined
from makerside.core.numbers import mul_div_e9
from makerside.model.units import NS_PER_S

ONE_ACTION_U6 = 1_000_000


@inlined
def refill_budget(account: Record, now_ns: int) -> None:
    """Add the tokens that time has brought since the last call, exactly: what is left over waits for the next.

    account : account_t; its `budget_rest` is below one millionth of an action, in 10^-9 of it
    """
    since = account["ts_budget_ns"]
    if since == 0:
        account["ts_budget_ns"] = now_ns
        return
    if now_ns <= since:
        return
    elapsed_ns = now_ns - since
    account["ts_budget_ns"] = now_ns
    missing = account["budget_max_u6"] - account["budget_u6"]
    if missing == 0:
        account["budget_rest"] = 0
        return
    rate = account["budget_u6_per_s"]
    if elapsed_ns > NS_PER_S and rate > 0 and elapsed_ns // NS_PER_S > missing // rate:
        account["budget_u6"] = account["budget_max_u6"]
        account["budget_rest"] = 0
        return
    added, rest = mul_div_e9(elapsed_ns, rate)
    rest += account["budget_rest"]
    if rest >= NS_PER_S:  # both parts are below it
        rest -= NS_PER_S
        added += 1
    is_full = added >= missing
    account["budget_u6"] += missing if is_full else added
    account["budget_rest"] = 0 if is_full else rest


@inlined
def may_cancel(account: Record) -> bool:
    """Return whether the budget has room for one cancel."""
    return account["budget_u6"] >= ONE_ACTION_U6


@inlined
def may_place(account: Record) -> bool:
    """Return whether the budget has room for one order beside the reserve."""
    return account["budget_u6"] - account["reserve_u6"] >= ONE_ACTION_U6


@inlined
def spend(account: Record) -> None:
    """Take one action out of the budget."""
    account["budget_u6"] -= ONE_ACTION_U6


@inlined
def is_flush_due(trader: Record, now_ns: int) -> bool:
    """Return whether enough time has passed since the last decision that sent something."""
    return now_ns - trader["ts_flush_ns"] >= trader["flush_ns"]
