"""Fees of fills: maker and taker rates by tier, rebates, the fee of a liquidation; exact integers.

The loop calls `fill_fee_e8` for each fill instead of using the instrument's own rates. Pure.
"""

from makerside.core.kernel import Record, kernel
from makerside.core.numbers import mul_div
from makerside.core.positions import fee_e8
from makerside.model.units import E9


@kernel
def rounded_fee_e8(fees: Record, notional_e8: int, rate_e9: int) -> int:
    """Return notional x rate in steps of the venue's quantum, by the venue's rounding.

    fees    : fees_t
    returns : money of 10^-8, negative for a rebate. Against us: a cost up, a rebate down; nearest: halves
              away from zero
    """
    if fees["is_nearest"] == 0:
        return fee_e8(notional_e8, rate_e9, fees["quantum_e8"])
    whole = E9 * fees["quantum_e8"]
    steps, rest = mul_div(notional_e8, abs(rate_e9), whole)
    steps += 1 if 2 * rest >= whole else 0
    return (steps if rate_e9 >= 0 else -steps) * fees["quantum_e8"]


@kernel
def fill_fee_e8(fees: Record, notional_e8: int, index_notional_e8: int, is_taker: bool) -> int:
    """Return the fee of a fill.

    notional_e8 : size x fill price;  index_notional_e8 : size x index price, for venues that charge on it
    """
    basis = index_notional_e8 if fees["is_on_index"] == 1 else notional_e8
    return rounded_fee_e8(fees, basis, fees["taker_e9"] if is_taker else fees["maker_e9"])


@kernel
def liquidation_fee_e8(fees: Record, notional_e8: int, index_notional_e8: int, improvement_e8: int) -> int:
    """Return what a liquidation fill costs beside its taker fee.

    improvement_e8 : how much better the fill was than its limit, in money; read where the venue's fee is
                     taken from it, and then never more than it
    """
    basis = index_notional_e8 if fees["is_on_index"] == 1 else notional_e8
    fee = rounded_fee_e8(fees, basis, fees["liquidation_e9"])
    if fees["is_of_improvement"] == 1:
        whole = max(0, improvement_e8) // fees["quantum_e8"] * fees["quantum_e8"]
        fee = min(fee, whole)
    return fee
