"""Pacing: when to decide and how many actions may leave, in event time, so that a backtest feels it.

The budget is a token bucket of actions (formulas d-19). Cancels may use all of it; placing stops
while only the reserve is left, so that what rests can always be taken back. Pure.
"""

from makerside.core.kernel import Record, kernel
from makerside.model.units import NS_PER_S

ONE_ACTION_U6 = 1_000_000


@kernel
def refill_budget(account: Record, now_ns: int) -> None:
    """Add the tokens that time has brought since the last call."""
    since = account["ts_budget_ns"]
    if since == 0:
        account["ts_budget_ns"] = now_ns
        return
    if now_ns <= since:
        return
    missing = account["budget_max_u6"] - account["budget_u6"]
    rate = account["budget_u6_per_s"]
    # Only as much time as fills the bucket matters; the product then stays small.
    full_ns = (missing // max(rate, 1) + 1) * NS_PER_S
    elapsed = min(now_ns - since, full_ns)
    added = elapsed // 1_000 * rate // 1_000_000
    if added > 0 or missing == 0:
        account["budget_u6"] = min(account["budget_max_u6"], account["budget_u6"] + added)
        account["ts_budget_ns"] = now_ns


@kernel
def may_cancel(account: Record) -> bool:
    """Return whether the budget has room for one cancel."""
    return account["budget_u6"] >= ONE_ACTION_U6


@kernel
def may_place(account: Record) -> bool:
    """Return whether the budget has room for one order beside the reserve."""
    return account["budget_u6"] - account["reserve_u6"] >= ONE_ACTION_U6


@kernel
def spend(account: Record) -> None:
    """Take one action out of the budget."""
    account["budget_u6"] -= ONE_ACTION_U6


@kernel
def is_flush_due(trader: Record, now_ns: int) -> bool:
    """Return whether enough time has passed since the last decision that sent something."""
    return now_ns - trader["ts_flush_ns"] >= trader["flush_ns"]
