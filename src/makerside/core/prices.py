"""Allowed prices: rounding to the venue's grid, in integers (formulas d-22).

Where the step grows with the price (Hyperliquid: five significant figures, whole prices always),
bids round down and asks up to the step that holds at that price. Idempotent. Pure.
"""

from makerside.core.kernel import Record, inlined, kernel
from makerside.model.units import BUY


@kernel
def price_step(rules: Record, tick: int) -> int:
    """Return the step between allowed prices at `tick`, in ticks.

    rules : instrument_t; significant_figures 0 means that every tick is allowed
    """
    figures = rules["significant_figures"]
    if figures <= 0:
        return 1
    step = 1
    limit = 1
    for _ in range(figures):
        limit *= 10
    while tick >= limit:
        limit *= 10
        step *= 10
    if rules["integer_step_ticks"] > 0:
        step = min(step, rules["integer_step_ticks"])
    return step


@inlined
def round_price(rules: Record, tick: int, side: int) -> int:
    """Return the nearest allowed price that is not more aggressive: down for BUY, up for SELL."""
    step = price_step(rules, tick)
    if step == 1:
        return tick
    below = tick // step * step
    if side == BUY or below == tick:
        return below
    return below + step
