"""What Thalex allows, costs and limits on a given day: `rules_at(day)`.

The values are dated facts (`rules_facts.py`), each with its source and how sure it is; the formulas that
combine them are here. Exact decimals and integers only. Pure. Next: `terms.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from makerside.venues.facts import Fact, facts_at
from makerside.venues.thalex.rules_facts import FACTS, FeeTier


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one day. Money in USD, rates as fractions, times in the unit that the name ends with."""

    day: date
    facts: Mapping[str, Fact]
    fee_tiers: tuple[FeeTier, ...]
    fee_on_index: bool
    fee_decimals: int
    fee_rounds_to_nearest: bool
    liquidation_fee: Decimal
    orders_per_s: int
    orders_per_s_persistent: int
    cancels_per_s: int
    throttle_penalty_s: int
    open_orders_max: int
    post_only_moves_price: bool
    mark_half_time_s: int
    fair_size_base: Mapping[str, int]
    funding_interval_s: int
    funding_offset_s: int
    funding_sample_s: int
    funding_rate_hours: int
    funding_dead_band: Decimal
    funding_paid_on_index: bool
    funding_decimals: int
    initial_margin: Fraction
    maintenance_share: Fraction
    liquidation_order_s: int

    def fee_rates(self, volume_usd: int = 0) -> tuple[Decimal, Decimal]:
        """Return (maker, taker) rates of an account. volume_usd : of 30 days"""
        tier = [line for line in self.fee_tiers if volume_usd > line.volume_usd or line.volume_usd == 0][-1]
        return tier.maker, tier.taker


_NAMES = tuple(f.name for f in fields(Rules) if f.name not in ("day", "facts"))


def rules_at(day: date, **overrides: Any) -> Rules:
    """Return the rules that are valid on a day (UTC).

    overrides : values that you know better, by name, e.g. `open_orders_max=100`
    errors    : ConfigError for a name that is no rule
    """
    valid = facts_at("thalex", FACTS, _NAMES, day, overrides)
    return Rules(day, valid, **{name: valid[name].value for name in _NAMES})
