"""Lighter's rules as terms: fees, funding, margin, delays and budgets of one instrument.

Source of every number: `rules_facts.py`. Pure. Read through `venues/lookup.py`.
"""

from decimal import Decimal
from types import MappingProxyType

from makerside.model.instrument import Instrument
from makerside.model.terms import (
    Budget,
    DelayTerms,
    Execution,
    FeeTerms,
    FundingTerms,
    MarginTerms,
    MarginTier,
    Standing,
)
from makerside.venues.lighter.rules import Rules

TIERS = ("standard", "plus", "premium")
_MINUTE_S = 60


def fees(rules: Rules, instrument: Instrument, standing: Standing) -> FeeTerms:
    """Return what fills cost; spot and perpetuals alike."""
    del instrument
    tier = rules.tier(standing.tier, standing.staked)
    return FeeTerms(
        tier.maker,
        tier.taker,
        rules.liquidation_fee,
        decimals=rules.fee_decimals,
        is_of_improvement=rules.liquidation_fee_is_of_improvement,
    )


def funding(rules: Rules, instrument: Instrument) -> FundingTerms:
    """Return the funding rule. source : section 7.4"""
    initial, _, _ = rules.fractions(instrument.symbol, instrument.max_leverage)
    return FundingTerms(
        interval_s=rules.funding_interval_s,
        rate_hours=rules.funding_rate_hours,
        interest=rules.funding_interest,
        clamp=rules.funding_clamp,
        cap=rules.funding_cap,
        sample_s=rules.premium_sample_s,
        impact_notional_usd=int(rules.impact_margin_usd / initial),
        is_on_index=rules.funding_paid_on_index,
        decimals=rules.funding_decimals,
    )


def margin(rules: Rules, instrument: Instrument) -> MarginTerms:
    """Return margin and liquidation: first at the zero price, below the closeout margin by takeover."""
    initial, maintenance, closeout = rules.fractions(instrument.symbol, instrument.max_leverage)
    return MarginTerms(
        (MarginTier(Decimal(0), initial, maintenance),),
        closeout=closeout / maintenance,
        execution=Execution.ZERO_PRICE,
    )


def delays(rules: Rules, standing: Standing) -> DelayTerms:
    """Return the speed bumps of a kind of account.

    An order that is neither post-only nor IOC counts as a taker's by default (`gtt_counts_as_taker`).
    """
    tier = rules.tier(standing.tier, standing.staked)
    return DelayTerms(tier.maker_ms, tier.maker_ms, tier.taker_ms)


def budgets(rules: Rules, standing: Standing) -> tuple[Budget, ...]:
    """Return the limits on messages."""
    name = rules.tier(standing.tier, standing.staked).name
    weights = {"order": rules.request_weight("sendTx"), "cancel": rules.request_weight("sendTx")}
    sends = {"order": 1, "cancel": 1}
    found = [
        Budget(
            "weight",
            rules.weight_per_minute[name],
            _MINUTE_S,
            "account",
            MappingProxyType({**weights, "read": rules.request_weight_default}),
        ),
        Budget("sends", rules.sends(name, standing.staked), _MINUTE_S, "account", MappingProxyType(sends)),
    ]
    if name in rules.requests_per_minute:
        costs = MappingProxyType({**sends, "read": 1})
        found.append(Budget("requests", rules.requests_per_minute[name], _MINUTE_S, "account", costs))
    if name == "premium":
        quota = rules.quota(standing.volume_usd)
        period_s = rules.quota_free_interval_s * quota
        found.append(Budget("quota", quota, period_s, "account", MappingProxyType({"order": 1})))
    return tuple(found)
