"""Funding: when it is due, how its rate follows from the premium, what a position pays (formulas d-18).

    rate of the rule's hours = clip(P + clip(interest - P, -clamp, +clamp), -cap, +cap)

A dead band is interest 0 and clamp = band. Rates and premiums are integers of 10^-12, money of 10^-8.
Rounding, all of it: a premium towards 0, a mean of premiums down, a notional down, a payment (seen from the
account) down to the venue's quantum, which is against us whether we pay or receive.

When the loop calls what. The exchange's clock must stop at `funding_next_ns` of each perpetual (never, if
there is no funding). There, in this order: `funding_sample` when `is_sample_due`, and for accruing rules
`clearing.accrue_funding` for each account; then, when `funding_is_due`, `clearing.pay_funding` for each
account, which writes a FUNDING row for each position that is not flat, and `funding_close` once. With
recorded rates, `load_rate` before the payment tells the rate of the moment. Pure.
"""

from makerside.core.kernel import Record, kernel
from makerside.core.numbers import mul_div, mul_div_floor
from makerside.model.terms import Premium
from makerside.model.units import BUY, E9, E12, NEVER_NS, SELL
from makerside.sim.perp_prices import impact_price_e8
from makerside.sim.perp_records import FundingSource

MARK, IMPACT_MID = int(Premium.MARK), int(Premium.IMPACT_MID)
NONE, RULE = int(FundingSource.NONE), int(FundingSource.RULE)
RECORDED, TOLD = int(FundingSource.RECORDED), int(FundingSource.TOLD)


@kernel
def funding_begin(funding: Record, rates: Record, ts_ns: int) -> None:
    """Set the clock of a funding record: what is due first after a time. Call it once, with the first row.

    rates : (k,) funding_rate_t, per instrument by time, read for recorded funding; it may be empty otherwise
    """
    funding["ts_due_ns"] = NEVER_NS
    funding["ts_sample_ns"] = NEVER_NS
    if funding["source"] == RECORDED:
        while funding["i_rate"] < funding["i_rate_end"] and rates[funding["i_rate"]]["ts_ns"] <= ts_ns:
            funding["i_rate"] += 1
        _next_recorded(funding, rates)
    elif funding["source"] != NONE:
        funding["ts_due_ns"] = _next_multiple(ts_ns, funding["interval_ns"], funding["offset_ns"])
        if funding["source"] == RULE or funding["is_accruing"] == 1:
            funding["ts_sample_ns"] = _next_multiple(ts_ns, funding["sample_ns"], 0)


@kernel
def _next_multiple(ts_ns: int, step_ns: int, offset_ns: int) -> int:
    return (ts_ns - offset_ns) // step_ns * step_ns + step_ns + offset_ns


@kernel
def _next_recorded(funding: Record, rates: Record) -> None:
    i = funding["i_rate"]
    funding["ts_due_ns"] = rates[i]["ts_ns"] if i < funding["i_rate_end"] else NEVER_NS


@kernel
def funding_next_ns(funding: Record) -> int:
    """Return when the loop has to look at this record again; NEVER_NS without funding."""
    return min(funding["ts_due_ns"], funding["ts_sample_ns"])


@kernel
def is_sample_due(funding: Record, ts_ns: int) -> bool:
    """Return whether the premium is to be sampled now."""
    return ts_ns >= funding["ts_sample_ns"]


@kernel
def funding_is_due(funding: Record, ts_ns: int) -> bool:
    """Return whether a payment is due now."""
    return ts_ns >= funding["ts_due_ns"]


@kernel
def premium_e12(perp: Record, book: Record) -> int:
    """Return the premium over the index now, by the venue's definition; 0 when there is no index.

    book : book_t, of the house. A side that is not deep enough for its impact price shows no premium
    """
    funding = perp["funding"]
    index = perp["index_e8"]
    if index == 0:
        return 0
    if funding["premium"] == MARK:
        return _share_e12(perp["mark_e8"] - index, index)
    bid = impact_price_e8(perp, book, SELL, funding["impact_e8"])
    ask = impact_price_e8(perp, book, BUY, funding["impact_e8"])
    if funding["premium"] == IMPACT_MID:
        return 0 if bid == 0 or ask == 0 else _share_e12(bid + ask - 2 * index, 2 * index)
    above = max(0, bid - index) if bid > 0 else 0
    below = max(0, index - ask) if ask > 0 else 0
    return _share_e12(above - below, index)


@kernel
def _share_e12(part: int, whole: int) -> int:
    share = mul_div_floor(abs(part), E12, whole)
    return share if part >= 0 else -share


@kernel
def rule_rate_e12(funding: Record, mean_premium_e12: int) -> int:
    """Return the rate of the rule's hours that follows from a premium."""
    scaled = mul_div_floor(abs(mean_premium_e12), funding["multiplier_e9"], E9)
    premium = scaled if mean_premium_e12 >= 0 else -scaled
    clamp, cap = funding["clamp_e12"], funding["cap_e12"]
    rate = premium + max(-clamp, min(clamp, funding["interest_e12"] - premium))
    return max(-cap, min(cap, rate))


@kernel
def funding_sample(funding: Record, premium: int) -> None:
    """Take one sample of the premium; for an accruing rule it is the rate of now. premium : 10^-12"""
    funding["ts_sample_ns"] += funding["sample_ns"]
    if funding["is_accruing"] == 1:
        if funding["source"] == RULE:
            funding["rate_e12"] = rule_rate_e12(funding, premium)
        elif funding["has_told"] == 1:
            funding["rate_e12"] = funding["told_e12"]
        return
    funding["n_samples"] += 1
    funding["premium_sum_e12"] += premium


@kernel
def load_rate(funding: Record, rates: Record) -> None:
    """Work out the rate of the payment that is due, into `rate_e12`."""
    if funding["source"] == RECORDED:
        funding["rate_e12"] = rates[funding["i_rate"]]["rate_e12"]
    elif funding["is_accruing"] == 1:
        return
    elif funding["source"] == TOLD:
        funding["rate_e12"] = funding["told_e12"]
    else:
        n = max(1, funding["n_samples"])
        funding["rate_e12"] = rule_rate_e12(funding, funding["premium_sum_e12"] // n)


@kernel
def paid_price_e8(perp: Record, rates: Record) -> int:
    """Return the price that the payment is due on: the recorded one if there is one, else index or mark."""
    funding = perp["funding"]
    if funding["source"] == RECORDED:
        recorded = rates[funding["i_rate"]]["price_e8"]
        if recorded > 0:
            return recorded
    return perp["index_e8"] if funding["is_on_index"] == 1 else perp["mark_e8"]


@kernel
def funding_close(funding: Record, rates: Record) -> None:
    """End the interval: no samples, and the next payment's time. Call it after all accounts have paid."""
    funding["n_paid"] += 1
    funding["n_samples"] = 0
    funding["premium_sum_e12"] = 0
    if funding["source"] == RECORDED:
        funding["i_rate"] += 1
        _next_recorded(funding, rates)
    else:
        funding["ts_due_ns"] += funding["interval_ns"]


@kernel
def _is_whole_rate(funding: Record) -> bool:
    """Return whether `rate_e12` is of one interval already: recorded and told rates are."""
    return funding["source"] == RECORDED or (funding["source"] == TOLD and funding["is_accruing"] == 0)


@kernel
def funding_amount_e8(funding: Record, position_lots: int, notional_e8: int) -> int:
    """Return what a position receives (+) or pays (-) at `rate_e12`, rounded down to the quantum.

    notional_e8 : |position| x the price that funding is paid on
    """
    rate = funding["rate_e12"]
    num = 1 if _is_whole_rate(funding) else funding["share_num"]
    den = 1 if _is_whole_rate(funding) else funding["share_den"]
    quantum = funding["quantum_e8"]
    steps, rest = mul_div(notional_e8, abs(rate) * num, E12 * den * quantum)
    if (rate > 0) == (position_lots > 0):
        steps = -steps - (1 if rest > 0 else 0)
    return steps * quantum


@kernel
def funding_accrual(funding: Record, notional_e8: int) -> tuple[int, int]:
    """Return what one sample of an accruing rule moves from long to short: whole 10^-8 and the rest.

    returns : (int64, int64), both of the rate's sign; the rest in parts of `accrual_whole`
    """
    rate = funding["rate_e12"]
    whole, rest = mul_div(notional_e8, abs(rate) * funding["share_num"], accrual_whole(funding))
    return (whole, rest) if rate >= 0 else (-whole, -rest)


@kernel
def accrual_whole(funding: Record) -> int:
    """Return how many parts make 10^-8 of money in an accrual."""
    return E12 * funding["share_den"]


@kernel
def settle_e8(funding: Record, accrued_e8: int) -> int:
    """Return what of an accrued amount is paid: whole quanta, rounded down; the remainder is dropped."""
    quantum = funding["quantum_e8"]
    return accrued_e8 // quantum * quantum
