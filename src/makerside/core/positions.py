"""The exact ledger: position, cost, realised result, fees, funding (design: section 5, "Money").

Every amount is an integer of 10^-8 of the collateral. The cost basis is an integer; closing part of
a position takes floor(cost x closed / position) of it and the remainder stays open, so that nothing
is ever created or lost by rounding. Identity, exact at every event:

    cash + unrealised = start + realised - fees + funding + unrealised

Pure.
"""

from makerside.core.kernel import Record, inlined, kernel
from makerside.core.numbers import mul_div, mul_div_floor
from makerside.model.units import E9

_NOTIONAL_LIMIT = 1 << 62
_LIMB = 1 << 31


@inlined
def notional_e8(price_ticks: int, size_lots: int, unit_value_e8: int) -> int:
    """Return price x size in money; asserts that it fits into 62 bits.

    price_ticks, size_lots, unit_value_e8 : int64, not negative
    """
    assert price_ticks >= 0
    assert size_lots >= 0
    per_tick = size_lots * unit_value_e8
    if size_lots < _LIMB and unit_value_e8 < _LIMB and per_tick < _LIMB and price_ticks < _LIMB:
        return price_ticks * per_tick  # cannot wrap, and needs no division to know it
    assert size_lots <= _NOTIONAL_LIMIT // unit_value_e8
    assert price_ticks == 0 or per_tick <= _NOTIONAL_LIMIT // price_ticks
    return price_ticks * per_tick


@kernel
def fee_e8(notional: int, rate_e9: int, quantum_e8: int) -> int:
    """Return the fee of a fill, rounded against us to the venue's quantum: a cost up, a rebate down.

    rate_e9 : int64, negative for a rebate
    """
    steps, rest = mul_div(notional, abs(rate_e9), E9 * quantum_e8)
    if rate_e9 < 0:
        return -steps * quantum_e8
    return (steps + (1 if rest > 0 else 0)) * quantum_e8


@kernel
def book_fill(position: Record, account: Record, side: int, price_ticks: int, size_lots: int, fee: int) -> int:
    """Book one execution into a position and its account; returns the realised part, fee excluded.

    position : position_t;  account : account_t
    side     : BUY or SELL;  fee : money of 10^-8, negative for a rebate
    """
    assert size_lots > 0
    assert price_ticks > 0
    held = position["position_lots"]
    value = notional_e8(price_ticks, size_lots, position["unit_value_e8"])
    realized = 0
    if held == 0 or (held > 0) == (side > 0):
        position["cost_e8"] += value
    else:
        realized = _close(position, held, side, price_ticks, size_lots)
    position["position_lots"] = held + side * size_lots
    position["realized_e8"] += realized
    position["fees_e8"] += fee
    position["volume_e8"] += value
    position["n_fills"] += 1
    position["is_opened"] = 1
    position["position_lots_max"] = max(position["position_lots_max"], abs(held + side * size_lots))
    account["cash_e8"] += realized - fee
    return realized


@kernel
def _close(position: Record, held: int, side: int, price_ticks: int, size_lots: int) -> int:
    """Close against the position, and open the rest the other way round when it flips."""
    unit = position["unit_value_e8"]
    closed = min(size_lots, abs(held))
    part = mul_div_floor(position["cost_e8"], closed, abs(held))
    value = notional_e8(price_ticks, closed, unit)
    realized = value - part if held > 0 else part - value
    position["cost_e8"] -= part
    opened = size_lots - closed
    if opened > 0:
        assert position["cost_e8"] == 0
        position["cost_e8"] = notional_e8(price_ticks, opened, unit)
    return realized


@kernel
def book_funding(position: Record, account: Record, amount_e8: int) -> None:
    """Book a funding payment: positive when we receive it."""
    position["funding_e8"] += amount_e8
    account["cash_e8"] += amount_e8


@kernel
def unrealized_e8(position: Record, price_ticks: int) -> int:
    """Return what closing the position at a price would realise."""
    held = position["position_lots"]
    value = notional_e8(price_ticks, abs(held), position["unit_value_e8"])
    return value - position["cost_e8"] if held >= 0 else position["cost_e8"] - value


@inlined
def worst_case_lots(position: Record) -> int:
    """Return the largest absolute position if all our working orders of one side filled."""
    long = position["position_lots"] + position["open_buy_lots"]
    short = position["open_sell_lots"] - position["position_lots"]
    return max(long, short)
