"""Records of perp accounting from terms: `fill_fees`, `fill_funding`, `fill_margin`, whole accounts.

Terms are those of one day (`venues/lookup.py` finds them); a tape that crosses a day on which rules change is
run up to it and goes on with newly filled records. Pure.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from math import lcm
from typing import Any

import numpy as np
from numpy.typing import NDArray

from makerside.model.errors import ConfigError
from makerside.model.instrument import Instrument
from makerside.model.order import VENUE_SLOT, client_order_id
from makerside.model.terms import FeeTerms, FundingTerms, MarginTerms, MarginTier, Terms
from makerside.model.units import E8, E9, E12, MONEY_DECIMALS, NEVER_NS, NS_PER_S, money_to_e8, to_steps
from makerside.sim.build import Walk
from makerside.sim.funding import funding_begin
from makerside.sim.perp_records import (
    LEGS_CAPACITY,
    TIERS_CAPACITY,
    FundingSource,
    clearing_t,
    funding_rate_t,
    perp_t,
)

SOURCES = {source.name.lower(): source for source in FundingSource}
NO_CAP_E12 = 1 << 60
TAKEOVER_TRADES = 1 << 61  # first trade id of takeovers: beyond those of the exchange
RETRY_NS = NS_PER_S  # a liquidation is tried again at most this often, where a venue has no longer cooldown
HOUR_S = 3_600


@dataclass(frozen=True, slots=True)
class AccountSettings:
    """How an account trades. leverage : of its own setting, None for the most that is allowed"""

    cash_usd: Decimal
    is_isolated: bool = True
    leverage: int | None = None
    bot: int = 1  # bot id of the first instrument's bot; one more for each further one


def fill_fees(record: Any, terms: FeeTerms) -> None:
    """Write fees into a `fees_t` scalar record. errors : DataError for a rate finer than 10^-9"""
    record["maker_e9"] = to_steps(terms.maker, Decimal(1) / E9, "maker fee")
    record["taker_e9"] = to_steps(terms.taker, Decimal(1) / E9, "taker fee")
    record["liquidation_e9"] = to_steps(terms.liquidation, Decimal(1) / E9, "liquidation fee")
    record["quantum_e8"] = 10 ** (MONEY_DECIMALS - terms.decimals)
    record["is_nearest"] = terms.is_nearest
    record["is_on_index"] = terms.is_on_index
    record["is_of_improvement"] = terms.is_of_improvement


def fill_funding(record: Any, terms: FundingTerms | None, source: FundingSource = FundingSource.RULE) -> None:
    """Write a funding rule into a `funding_t` scalar record. terms : None for spot, which has none"""
    record["ts_due_ns"] = record["ts_sample_ns"] = NEVER_NS
    if terms is None:
        record["source"] = FundingSource.NONE
        return
    is_accruing = terms.is_accruing and source != FundingSource.RECORDED
    paid_s = terms.sample_s if is_accruing else terms.interval_s
    share = Fraction(paid_s, terms.rate_hours * HOUR_S)
    record["source"] = source
    record["interval_ns"] = terms.interval_s * NS_PER_S
    record["offset_ns"] = terms.offset_s * NS_PER_S
    record["sample_ns"] = terms.sample_s * NS_PER_S
    record["interest_e12"] = rate_e12(terms.interest)
    record["clamp_e12"] = rate_e12(terms.clamp)
    record["cap_e12"] = NO_CAP_E12 if terms.cap is None else rate_e12(terms.cap)
    record["multiplier_e9"] = to_steps(terms.multiplier, Decimal(1) / E9, "funding multiplier")
    record["premium"] = terms.premium
    record["impact_e8"] = terms.impact_notional_usd * E8
    record["is_accruing"] = is_accruing
    record["is_on_index"] = terms.is_on_index
    record["quantum_e8"] = 10 ** (MONEY_DECIMALS - terms.decimals)
    record["share_num"], record["share_den"] = share.numerator, share.denominator


def rate_e12(rate: Decimal) -> int:
    """Return a funding rate in 10^-12. errors : DataError when it is finer"""
    return to_steps(rate, Decimal(1) / E12, "funding rate")


def fill_margin(record: Any, terms: MarginTerms, leverage: int | None = None) -> None:
    """Write margin tiers and the rule of liquidation into a `margin_t` scalar record.

    leverage : the account's own setting, None for the most that the first tier allows
    errors   : ConfigError for a leverage above it
    """
    tiers = terms.tiers
    assert 1 <= len(tiers) <= TIERS_CAPACITY
    assert tiers[0].lower_usd == 0
    own = tiers[0].initial if leverage is None else Fraction(1, leverage)
    if own < tiers[0].initial:
        raise ConfigError(
            f"leverage {leverage} is above what the venue allows; at most {int(1 / tiers[0].initial)}"
        )
    den = lcm(*(part.denominator for tier in tiers for part in (tier.initial, tier.maintenance)))
    record["den"] = den
    record["n_tiers"] = len(tiers)
    for name in ("initial", "maintenance"):
        fractions = [getattr(tier, name) for tier in tiers]
        record[f"{name}_num"][: len(tiers)] = [int(fraction * den) for fraction in fractions]
        record[f"{name}_less"][: len(tiers)] = _deductions(tiers, fractions, den)
    record["lower_e8"][: len(tiers)] = [money_to_e8(tier.lower_usd, "margin tier") for tier in tiers]
    record["leverage_num"], record["leverage_den"] = own.numerator, own.denominator
    record["closeout_num"], record["closeout_den"] = terms.closeout.numerator, terms.closeout.denominator
    record["part_e8"] = money_to_e8(terms.part_usd, "liquidation part")
    record["part_num"], record["part_den"] = terms.part_share.numerator, terms.part_share.denominator
    record["cooldown_ns"] = max(RETRY_NS, terms.cooldown_s * NS_PER_S)
    record["execution"] = terms.execution
    record["is_on_index"] = terms.is_on_index


def _deductions(tiers: Sequence[MarginTier], fractions: Sequence[Fraction], den: int) -> list[int]:
    """Return what each tier's fraction on the whole notional asks too much, in 10^-8 / den."""
    less = [Fraction(0)]
    for k in range(1, len(tiers)):
        less.append(less[-1] + Fraction(tiers[k].lower_usd) * (fractions[k] - fractions[k - 1]))
    return [int(part * den * E8) for part in less]


def make_perps(
    instruments: Sequence[Instrument],
    terms: Sequence[Terms],
    source: FundingSource,
    rates: Sequence[NDArray[Any]] = (),
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return ((m,) perp_t, (k,) funding_rate_t): prices and funding of instruments, and all recorded rates.

    rates  : per instrument (n,) funding_rate_t by time (`make_rates`); needed for recorded funding
    errors : ConfigError when recorded funding is asked for and an instrument has no rates
    """
    perps = np.zeros(len(instruments), perp_t)
    start = 0
    for i, instrument in enumerate(instruments):
        perp = perps[i]
        perp["unit_value_e8"] = instrument.unit_value_e8
        perp["tick_e8"] = money_to_e8(instrument.tick_size, f"{instrument.symbol}: tick size")
        funding = perp["funding"]
        fill_funding(funding, terms[i].funding, source)
        own = rates[i] if i < len(rates) else np.zeros(0, funding_rate_t)
        if source == FundingSource.RECORDED and not len(own) and terms[i].funding is not None:
            raise ConfigError(
                f"{instrument.symbol}: there are no recorded funding rates; give some, or use funding by rule"
            )
        funding["i_rate"], funding["i_rate_end"] = start, start + len(own)
        start += len(own)
    return perps, np.concatenate([np.zeros(0, funding_rate_t), *rates])


def make_rates(payments: Iterable[tuple[int, Decimal | float, Decimal | None]]) -> NDArray[Any]:
    """Return recorded funding payments, sorted by time: (n,) funding_rate_t.

    payments : (time in ns, rate of the interval that ended, price that it was paid on or None)
    """
    rows = sorted(payments, key=lambda row: row[0])
    rates = np.zeros(len(rows), funding_rate_t)
    for row, (ts_ns, rate, price) in zip(rates, rows, strict=True):
        exact = Decimal(repr(rate)) if isinstance(rate, float) else rate
        row["ts_ns"] = ts_ns
        row["rate_e12"] = int((exact * E12).to_integral_value(ROUND_HALF_EVEN))
        row["price_e8"] = 0 if price is None else int((price * E8).to_integral_value(ROUND_HALF_EVEN))
    return rates


@dataclass(frozen=True, slots=True)
class Accounting:
    """What a walk needs to account as a venue does.

    perps : (m,) perp_t, by instrument;  rates : (r,) funding_rate_t, recorded payments of all instruments
    clearings : (p,) clearing_t, by world
    """

    perps: NDArray[Any]
    rates: NDArray[Any]
    clearings: NDArray[Any]
    has_margin: bool


def add_accounting(walk: Walk, accounting: Accounting, start_ns: int) -> None:
    """Give a fresh walk the venue's books and its clock. start_ns : time of its first row"""
    perps = walk.walks[0]["perps"]
    perps[: len(accounting.perps)] = accounting.perps
    walk.worlds["clearing"] = accounting.clearings
    for perp in perps[: len(accounting.perps)]:
        funding_begin(perp["funding"], accounting.rates, start_ns)
    walk.walks["has_clearing"] = 1
    if accounting.has_margin:
        walk.walks["margin_ns"] = start_ns // NS_PER_S * NS_PER_S + NS_PER_S


def make_clearing(
    instruments: Sequence[Instrument], terms: Sequence[Terms], settings: AccountSettings
) -> NDArray[Any]:
    """Return the venue's books of one account, empty but for its cash: (1,) clearing_t."""
    assert len(instruments) <= LEGS_CAPACITY
    clearings = np.zeros(1, clearing_t)
    clearing = clearings[0]
    clearing["cash_e8"] = money_to_e8(settings.cash_usd, "cash")
    clearing["n_legs"] = len(instruments)
    clearing["next_trade_id"] = TAKEOVER_TRADES
    for i, instrument in enumerate(instruments):
        leg = clearing["legs"][i]
        margin = terms[i].margin
        leg["position"]["instrument"] = i
        leg["position"]["unit_value_e8"] = instrument.unit_value_e8
        leg["is_spot"] = margin is None
        leg["is_isolated"] = settings.is_isolated and margin is not None
        leg["liquidation_id"] = client_order_id(settings.bot + i, 0, 0, VENUE_SLOT)
        fill_fees(leg["fees"], terms[i].fees)
        if margin is not None:
            fill_margin(leg["margin"], margin, settings.leverage)
        else:
            leg["margin"]["den"] = leg["margin"]["leverage_den"] = leg["margin"]["n_tiers"] = 1
    return clearings
