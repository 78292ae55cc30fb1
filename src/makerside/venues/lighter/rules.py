"""What Lighter allows, costs and limits on a given day: `rules_at(day)`.

The values are dated facts (`rules_facts.py`), each with its source and how sure it is; the formulas that
combine them are here. Exact decimals and integers only. Pure. Next: `terms.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from makerside.model.errors import ConfigError
from makerside.venues.facts import Fact, facts_at
from makerside.venues.lighter.rules_facts import FACTS, AccountTier, Fractions

FRACTION_STEPS = 10_000


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one day. Money in USD, rates as fractions, times in the unit that the name ends with."""

    day: date
    facts: Mapping[str, Fact]
    account_tiers: tuple[AccountTier, ...]
    fee_decimals: int
    gtt_counts_as_taker: bool
    tier_switch_interval_s: int
    requests_per_minute: Mapping[str, int]
    weight_per_minute: Mapping[str, int]
    request_weight_default: int
    request_weights: Mapping[str, int]
    sends_per_minute: Mapping[str, tuple[tuple[int, int], ...]]
    other_transactions_per_minute: int
    batch_max: int
    quota_initial: int
    quota_max: int
    quota_usd: int
    quota_free_interval_s: int
    ws_connections_max: int
    ws_connects_per_minute: int
    ws_subscriptions_max: int
    ws_messages_per_minute: int
    ws_in_flight_max: int
    ws_silence_close_s: int
    orders_max: int
    orders_per_market_max: int
    pending_orders_max: int
    pending_orders_per_market_max: int
    order_expiry_s_min: int
    order_expiry_s_max: int
    schedule_cancel_s_min: int
    schedule_cancel_s_max: int
    modify_keeps_priority: bool
    funding_interval_s: int
    funding_rate_hours: int
    funding_interest: Decimal
    funding_clamp: Decimal
    funding_cap: Decimal
    premium_sample_s: int
    impact_margin_usd: int
    funding_paid_on_index: bool
    funding_decimals: int
    margin_fractions: Mapping[str, Fractions]
    maintenance_share: Fraction
    closeout_share: Fraction
    liquidation_fee: Decimal
    liquidation_fee_is_of_improvement: bool

    @property
    def tier_names(self) -> tuple[str, ...]:
        """The kinds of account of that day, the first one first."""
        return tuple(dict.fromkeys(tier.name for tier in self.account_tiers))

    def tier(self, name: str = "", staked_lit: Decimal = Decimal(0)) -> AccountTier:
        """Return fees and speed bumps of an account.

        name   : "" for the first kind
        errors : ConfigError for a kind that did not exist that day
        """
        wanted = name or self.account_tiers[0].name
        steps = [tier for tier in self.account_tiers if tier.name == wanted and tier.staked_lit <= staked_lit]
        if not steps:
            raise ConfigError(
                f"lighter: account tier {name!r} did not exist on {self.day}; "
                f"known are {', '.join(self.tier_names)}"
            )
        return steps[-1]

    def sends(self, name: str, staked_lit: Decimal = Decimal(0)) -> int:
        """Return how many transactions an account may send per minute."""
        return next(n for staked, n in reversed(self.sends_per_minute[name]) if staked <= staked_lit)

    def request_weight(self, endpoint: str) -> int:
        """Return what a request costs of the weight."""
        return self.request_weights.get(endpoint, self.request_weight_default)

    def quota(self, volume_usd: int) -> int:
        """Return how many orders and modifies a premium account has earned in its life."""
        return min(self.quota_max, self.quota_initial + volume_usd // self.quota_usd)

    def fractions(self, symbol: str, max_leverage: int) -> tuple[Fraction, Fraction, Fraction]:
        """Return (initial, maintenance, closeout) of a market; by its leverage where the table has no line."""
        found = self.margin_fractions.get(symbol)
        if found is not None:
            return (
                Fraction(found.initial, FRACTION_STEPS),
                Fraction(found.maintenance, FRACTION_STEPS),
                Fraction(found.closeout, FRACTION_STEPS),
            )
        initial = Fraction(1, max_leverage)
        maintenance = initial * self.maintenance_share
        return initial, maintenance, maintenance * self.closeout_share


_NAMES = tuple(f.name for f in fields(Rules) if f.name not in ("day", "facts"))


def rules_at(day: date, **overrides: Any) -> Rules:
    """Return the rules that are valid on a day (UTC).

    overrides : values that you know better, by name, e.g. `quota_usd=5`
    errors    : ConfigError for a name that is no rule
    """
    valid = facts_at("lighter", FACTS, _NAMES, day, overrides)
    return Rules(day, valid, **{name: valid[name].value for name in _NAMES})
