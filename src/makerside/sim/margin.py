"""Margin: initial and maintenance by tiers of the notional, exact; when a position is liquidated, how much.

A tier's fraction applies to the part of the notional above its lower bound (venue file of Hyperliquid,
section 7.5: notional x rate - deduction is the same). Margins are rounded up to 10^-8, against us. The loop
calls nothing here by itself: `clearing.py` and `liquidation.py` do. Pure.
"""

from makerside.core.kernel import Record, kernel
from makerside.core.numbers import mul_div
from makerside.sim.perp_records import MarginState

HEALTHY, REDUCE_ONLY = int(MarginState.HEALTHY), int(MarginState.REDUCE_ONLY)
LIQUIDATE, TAKE_OVER = int(MarginState.LIQUIDATE), int(MarginState.TAKE_OVER)


@kernel
def tier_of(margin: Record, notional_e8: int) -> int:
    """Return the index of the tier that a notional reaches into."""
    k = 0
    while k + 1 < margin["n_tiers"] and notional_e8 > margin["lower_e8"][k + 1]:
        k += 1
    return k


@kernel
def _tiered(notional_e8: int, num: int, den: int, less: int) -> int:
    """Return (notional x num - less) / den, rounded up."""
    whole, rest = mul_div(notional_e8, num, den)
    less_whole = less // den
    less_rest = less % den
    return whole - less_whole + (1 if rest > less_rest else 0)


@kernel
def maintenance_e8(margin: Record, notional_e8: int) -> int:
    """Return the margin below which a position of a notional is liquidated. margin : margin_t"""
    k = tier_of(margin, notional_e8)
    return _tiered(notional_e8, margin["maintenance_num"][k], margin["den"], margin["maintenance_less"][k])


@kernel
def initial_e8(margin: Record, notional_e8: int) -> int:
    """Return the margin that opening needs: by the account's leverage, at least what the tiers ask."""
    k = tier_of(margin, notional_e8)
    tiered = _tiered(notional_e8, margin["initial_num"][k], margin["den"], margin["initial_less"][k])
    return max(tiered, _tiered(notional_e8, margin["leverage_num"], margin["leverage_den"], 0))


@kernel
def is_liquidatable(equity_e8: int, maintenance: int) -> bool:
    """Return whether an equity is below the maintenance margin. Exactly at it nothing happens."""
    return equity_e8 < maintenance


@kernel
def state_of(equity_e8: int, initial: int, maintenance: int, closeout: int) -> int:
    """Return the `MarginState` of an equity. A negative one is taken over, whatever the closeout margin."""
    if equity_e8 < 0 or equity_e8 < closeout:
        return TAKE_OVER if maintenance > 0 else HEALTHY
    if is_liquidatable(equity_e8, maintenance):
        return LIQUIDATE
    return REDUCE_ONLY if equity_e8 < initial else HEALTHY


@kernel
def part_lots(margin: Record, held_lots: int, notional_e8: int, is_part_sent: int) -> int:
    """Return how many lots a liquidation sends: all, or first a share of a large position, rounded up."""
    if is_part_sent == 1 or notional_e8 <= margin["part_e8"] or margin["part_num"] == margin["part_den"]:
        return abs(held_lots)
    lots, rest = mul_div(abs(held_lots), margin["part_num"], margin["part_den"])
    return lots + (1 if rest > 0 else 0)
