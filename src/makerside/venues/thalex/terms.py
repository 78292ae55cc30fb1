"""Thalex's rules as terms: fees, funding, margin, delays and budgets of one instrument.

Source of every number: `rules_facts.py`. Pure. Read through `venues/lookup.py`.
"""

from decimal import Decimal
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
from makerside.venues.thalex.rules import Rules

TIERS = ("cancel_on_disconnect", "persistent")


def fees(rules: Rules, instrument: Instrument, standing: Standing) -> FeeTerms:
    """Return what fills of a perpetual or future cost; there is no rebate."""
    del instrument
    maker, taker = rules.fee_rates(standing.volume_usd)
    return FeeTerms(
        maker,
        taker,
        rules.liquidation_fee,
        decimals=rules.fee_decimals,
        is_nearest=rules.fee_rounds_to_nearest,
        is_on_index=rules.fee_on_index,
    )


def funding(rules: Rules, instrument: Instrument) -> FundingTerms:
    """Return the funding rule: the premium of the mark, with a dead band. source : section 6.2"""
    del instrument
    return FundingTerms(
        interval_s=rules.funding_interval_s,
        offset_s=rules.funding_offset_s,
        rate_hours=rules.funding_rate_hours,
        clamp=rules.funding_dead_band,
        premium=Premium.MARK,
        sample_s=rules.funding_sample_s,
        is_accruing=True,
        is_on_index=rules.funding_paid_on_index,
        decimals=rules.funding_decimals,
    )


def margin(rules: Rules, instrument: Instrument) -> MarginTerms:
    """Return margin by the rule of thumb; the auction after the IOC orders is not modelled."""
    del instrument
    initial = rules.initial_margin
    return MarginTerms(
        (MarginTier(Decimal(0), initial, initial * rules.maintenance_share),),
        cooldown_s=rules.liquidation_order_s,
        is_on_index=True,
    )


def delays(rules: Rules, standing: Standing) -> DelayTerms:
    """Return no speed bumps: none is documented."""
    del rules, standing
    return DelayTerms()


def budgets(rules: Rules, standing: Standing) -> tuple[Budget, ...]:
    """Return the limits on messages of one connection; its kind of session is the account's tier here."""
    orders = rules.orders_per_s_persistent if standing.tier == "persistent" else rules.orders_per_s
    return (
        Budget("orders", orders, 1, "connection", MappingProxyType({"order": 1})),
        Budget("cancels", rules.cancels_per_s, 1, "connection", MappingProxyType({"cancel": 1})),
    )
