"""What Hyperliquid allows, costs and limits on a given day: `rules_at(day)`.

The values are dated facts (`rules_facts.py`), each with its source and how sure it is; the formulas
that combine them are here. Exact decimals and integers only. Pure: imports model.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from makerside.model.instrument import Instrument
from makerside.venues.facts import Fact, facts_at
from makerside.venues.hyperliquid.rules_facts import FACTS, FeeTier

ZERO, ONE = Decimal(0), Decimal(1)

# Order of actions inside a consensus batch. source : venue file, section 7.6 (docs, optimizing latency).
CLASS_QUIET = 1  # sends no GTC or IOC order: post-only batches, leverage changes, ...
CLASS_CANCEL = 2
CLASS_TAKING = 3  # at least one GTC or IOC order
_CANCEL_TYPES = frozenset({"cancel", "cancelByCloid", "scheduleCancel"})


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one day. Money in USD, rates as fractions, times in the unit that the name ends with."""

    day: date
    facts: Mapping[str, Fact]
    perp_fee_tiers: tuple[FeeTier, ...]
    spot_fee_tiers: tuple[FeeTier, ...]
    maker_rebates: tuple[tuple[Decimal, Decimal], ...]
    staking_discounts: tuple[tuple[Decimal, Decimal], ...]
    referral_discount: Decimal
    referral_volume_usd_max: int
    fee_decimals: int
    growth_fee_factor: Decimal
    builder_fee_perp_tenth_bps_max: int
    builder_fee_spot_tenth_bps_max: int
    min_notional_usd: Decimal
    significant_figures: int
    perp_price_decimals_max: int
    spot_price_decimals_max: int
    reference_band: Decimal
    market_order_usd_max: tuple[tuple[Decimal, Decimal], ...]
    ip_weight_per_minute: int
    orders_per_weight: int
    info_weight_default: int
    info_weights: Mapping[str, int]
    info_items_per_weight: Mapping[str, int]
    address_budget_initial: int
    address_budget_usd: int
    address_growth_volume_factor: Decimal
    address_over_budget_interval_s: int
    cancel_budget_extra: int
    cancel_budget_factor: int
    expired_action_cost: int
    unified_actions_per_day: int
    action_weight_max: int
    open_orders_initial: int
    open_orders_volume_usd: int
    open_orders_max: int
    ws_connections_max: int
    ws_connects_per_minute: int
    ws_subscriptions_max: int
    ws_users_max: int
    ws_messages_per_minute: int
    ws_posts_in_flight_max: int
    ws_silence_close_s: int
    ws_ping_interval_s: int
    block_ms: int
    book_fast_interval_ms: int
    book_fast_levels: int
    book_slow_interval_ms: int
    book_slow_levels: int
    silent_book_s: int
    modify_needs_post_only: bool
    schedule_cancel_delay_ms_min: int
    schedule_cancels_per_day: int
    schedule_cancel_volume_usd: int
    nonces_kept: int
    nonce_behind_ms_max: int
    nonce_ahead_ms_max: int
    agent_days_max: int
    orders_remembered: int
    trigger_slippage: Decimal
    funding_interval_s: int
    funding_rate_hours: int
    funding_interest: Decimal
    funding_clamp: Decimal
    funding_per_hour_max: Decimal
    premium_sample_s: int
    impact_notional_major_usd: int
    impact_notional_usd: int
    funding_paid_on_index: bool
    funding_decimals: int
    margin_tiers: Mapping[str, tuple[tuple[int, int], ...]]
    margin_tiers_other: Mapping[int, tuple[tuple[int, int], ...]]
    maintenance_share: Fraction
    liquidation_fee: Decimal
    takeover_share: Fraction
    liquidation_partial_usd: int
    liquidation_partial_share: Decimal
    liquidation_cooldown_s: int
    withdrawable_share_min: Decimal

    def fee_rates(
        self,
        volume_usd: int = 0,
        is_spot: bool = False,
        maker_share: Decimal = ZERO,
        staked_hype: Decimal = ZERO,
        is_referred: bool = False,
    ) -> tuple[Decimal, Decimal]:
        """Return the (maker, taker) rates of an account before any scaling by a builder DEX.

        volume_usd  : of 14 days, perp + 2 x spot;  maker_share : of the venue's maker volume
        source      : section 7.1. That a rebate stands instead of the tier's maker rate is inferred
        """
        tiers = self.spot_fee_tiers if is_spot else self.perp_fee_tiers
        tier = [line for line in tiers if volume_usd >= line.volume_usd][-1]
        rebate = _last_above(self.maker_rebates, maker_share)
        factor = ONE - _last_above(self.staking_discounts, staked_hype)
        maker, taker = (rebate or tier.maker) * factor, tier.taker * factor
        if is_referred and volume_usd <= self.referral_volume_usd_max:
            taker *= ONE - self.referral_discount
            maker *= ONE - self.referral_discount if maker > 0 else ONE
        return maker, taker

    def scale_fees(
        self, rates: tuple[Decimal, Decimal], deployer_fee_scale: Decimal, is_growth: bool
    ) -> tuple[Decimal, Decimal]:
        """Return (maker, taker) rates on a builder DEX. source : section 7.2; rebates scale by growth only."""
        scale = deployer_fee_scale + ONE if deployer_fee_scale < ONE else 2 * deployer_fee_scale
        growth = self.growth_fee_factor if is_growth else ONE
        maker, taker = rates
        return maker * growth * (scale if maker > 0 else ONE), taker * growth * scale

    def action_weight(self, batch_length: int = 1) -> int:
        """Return what an action costs of the IP's weight. source : section 6."""
        return 1 + batch_length // self.orders_per_weight

    def info_weight(self, kind: str, items_returned: int = 0) -> int:
        """Return what an info request costs of the IP's weight. source : section 6."""
        per_item = self.info_items_per_weight.get(kind)
        extra = items_returned // per_item if per_item else 0
        return self.info_weights.get(kind, self.info_weight_default) + extra

    def address_budget(self, volume_usd: int) -> int:
        """Return how many single actions an address may have sent in its life. source : section 6."""
        return self.address_budget_initial + volume_usd // self.address_budget_usd

    def cancel_budget(self, volume_usd: int) -> int:
        """Return the same limit as it holds for cancels."""
        limit = self.address_budget(volume_usd)
        return min(limit + self.cancel_budget_extra, self.cancel_budget_factor * limit)

    def open_orders_cap(self, volume_usd: int) -> int:
        """Return how many orders an account may have open. source : section 6."""
        extra = volume_usd // self.open_orders_volume_usd
        return min(self.open_orders_max, self.open_orders_initial + extra)

    def funding_per_hour(self, premium: Decimal) -> Decimal:
        """Return the hourly funding rate that follows from the hour's mean premium. source : section 7.3."""
        pull = max(-self.funding_clamp, min(self.funding_clamp, self.funding_interest - premium))
        rate = (premium + pull) / self.funding_rate_hours
        return max(-self.funding_per_hour_max, min(self.funding_per_hour_max, rate))


def _last_above(steps: tuple[tuple[Decimal, Decimal], ...], value: Decimal) -> Decimal:
    found = [result for above, result in steps if value > above]
    return found[-1] if found else ZERO


_NAMES = tuple(f.name for f in fields(Rules) if f.name not in ("day", "facts"))


def rules_at(day: date, **overrides: Any) -> Rules:
    """Return the rules that are valid on a day (UTC).

    overrides : values that you know better, by name, e.g. `ws_connections_max=15`
    errors    : ConfigError for a name that is no rule
    """
    valid = facts_at("hyperliquid", FACTS, _NAMES, day, overrides)
    return Rules(day, valid, **{name: valid[name].value for name in _NAMES})


def block_class(action_type: str, times_in_force: Iterable[str]) -> int:
    """Return the class by which an action is sorted inside a consensus batch, 1 first.

    times_in_force : of its orders, or of the new orders of a modify. source : section 7.6
    """
    if action_type in _CANCEL_TYPES:
        return CLASS_CANCEL
    return CLASS_QUIET if all(tif == "Alo" for tif in times_in_force) else CLASS_TAKING


def price_step_ticks(instrument: Instrument, price_ticks: int) -> int:
    """Return the step between allowed prices at a price, in ticks.

    At most five significant figures, but whole prices are always allowed (section 5.1).
    """
    figures = instrument.significant_figures
    n_digits = len(str(price_ticks))
    if figures == 0 or n_digits <= figures:
        return 1
    step: int = 10 ** min(n_digits - figures, instrument.tick_decimals)
    return step


def is_price_allowed(instrument: Instrument, price_ticks: int) -> bool:
    """Return whether the venue accepts a price."""
    return price_ticks > 0 and price_ticks % price_step_ticks(instrument, price_ticks) == 0
