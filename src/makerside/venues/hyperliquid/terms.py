"""Hyperliquid's rules as terms: fees, funding, margin, delays and budgets of one instrument.

Source of every number: `rules_facts.py`. Pure. Read through `venues/lookup.py`.
"""

from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType

from makerside.model.instrument import Instrument
from makerside.model.terms import (
    Budget,
    DelayTerms,
    FeeTerms,
    FundingTerms,
    MarginTerms,
    MarginTier,
    Premium,
    Standing,
)
from makerside.venues.hyperliquid.rules import Rules

TIERS = ("standard",)
_MAJORS = frozenset({"BTC", "ETH"})
_MINUTE_S = 60


def fees(rules: Rules, instrument: Instrument, standing: Standing) -> FeeTerms:
    """Return what fills cost. A builder DEX scales the rates further: `Rules.scale_fees`, with its own data."""
    maker, taker = rules.fee_rates(
        standing.volume_usd,
        instrument.kind == "spot",
        standing.maker_share,
        standing.staked,
        standing.is_referred,
    )
    return FeeTerms(maker, taker, rules.liquidation_fee, decimals=rules.fee_decimals)


def funding(rules: Rules, instrument: Instrument) -> FundingTerms:
    """Return the funding rule; a builder DEX takes the premium of the impact mid (section 7.3)."""
    is_builder = ":" in instrument.symbol
    is_major = instrument.symbol in _MAJORS
    return FundingTerms(
        interval_s=rules.funding_interval_s,
        rate_hours=rules.funding_rate_hours,
        interest=rules.funding_interest,
        clamp=rules.funding_clamp,
        cap=rules.funding_per_hour_max * rules.funding_rate_hours,
        premium=Premium.IMPACT_MID if is_builder else Premium.IMPACT,
        sample_s=rules.premium_sample_s,
        impact_notional_usd=rules.impact_notional_major_usd if is_major else rules.impact_notional_usd,
        is_on_index=rules.funding_paid_on_index,
        decimals=rules.funding_decimals,
    )


def margin(rules: Rules, instrument: Instrument) -> MarginTerms:
    """Return margin tiers and liquidation. source : section 7.5"""
    first = instrument.max_leverage
    table = rules.margin_tiers.get(instrument.symbol) or rules.margin_tiers_other.get(first) or ((0, first),)
    tiers = tuple(
        MarginTier(Decimal(lower), Fraction(1, leverage), rules.maintenance_share / leverage)
        for lower, leverage in table
    )
    return MarginTerms(
        tiers,
        closeout=rules.takeover_share,
        part_usd=Decimal(rules.liquidation_partial_usd),
        part_share=Fraction(rules.liquidation_partial_share),
        cooldown_s=rules.liquidation_cooldown_s,
    )


def delays(rules: Rules, standing: Standing) -> DelayTerms:
    """Return no speed bumps: the venue sorts by class inside a block instead (`rules.block_class`)."""
    del rules, standing
    return DelayTerms()


def budgets(rules: Rules, standing: Standing) -> tuple[Budget, ...]:
    """Return the limits on messages. Of the address budget only what an account's volume has brought so far."""
    ip_costs = {"order": 1, "cancel": 1, "read": rules.info_weight_default}
    return (
        Budget("requests", rules.ip_weight_per_minute, _MINUTE_S, "ip", MappingProxyType(ip_costs)),
        Budget(
            "actions",
            rules.address_budget(standing.volume_usd),
            rules.address_over_budget_interval_s * rules.address_budget(standing.volume_usd),
            "account",
            MappingProxyType({"order": 1, "cancel": 1}),
        ),
    )
