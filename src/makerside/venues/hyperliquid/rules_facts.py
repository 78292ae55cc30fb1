"""The facts of Hyperliquid as dated data: name, value, since when, where it is from, how sure it is.

"docs" is the official documentation (hyperliquid.gitbook.io, read 2026-09 and 2026-10), the number the
section of our protocol notes that quotes it; other sources are named. Pure. Read through `rules.py`.
"""

from datetime import date
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType
from typing import NamedTuple

from makerside.venues.facts import Fact, Mark


class FeeTier(NamedTuple):
    """Rates above a 14-day volume (perp + 2 x spot), as fractions of the notional."""

    volume_usd: int
    taker: Decimal
    maker: Decimal


def _tiers(*lines: tuple[int, str, str]) -> tuple[FeeTier, ...]:
    """Return tiers from (volume in USD, taker in percent, maker in percent)."""
    return tuple(FeeTier(volume, Decimal(taker) / 100, Decimal(maker) / 100) for volume, taker, maker in lines)


def _steps(*pairs: tuple[str | int, str]) -> tuple[tuple[Decimal, Decimal], ...]:
    return tuple((Decimal(above), Decimal(value)) for above, value in pairs)


M = 1_000_000
HOURLY = date(2023, 6, 8)
MAINNET_TIERS = MappingProxyType(
    {
        "BTC": ((0, 40), (150 * M, 20)),
        "ETH": ((0, 25), (100 * M, 15)),
        "SOL": ((0, 20), (70 * M, 10)),
        "XRP": ((0, 20), (40 * M, 10)),
    }
)
_FEES = "docs; notes 7.1"
_TICKS = "docs; notes 5.1"
_LIMITS = "docs; notes 6"
_WEBSOCKET = "docs; notes 4"
_NONCES = "docs; notes 3.5"
_EXCHANGE = "docs; notes 2.2"
_FUNDING = "docs; notes 7.3"
_LIQUIDATION = "docs; notes 7.5"
_LATENCY = "docs; notes 4.7"
_HIP3 = "docs; notes 7.2"

_LIGHT = ("l2Book", "allMids", "clearinghouseState", "orderStatus", "spotClearinghouseState", "exchangeStatus")
_PER_ITEM = (
    "recentTrades",
    "historicalOrders",
    "userFills",
    "userFillsByTime",
    "fundingHistory",
    "userFunding",
    "userNonFundingLedgerUpdates",
    "twapHistory",
    "userTwapSliceFills",
    "userTwapSliceFillsByTime",
    "validatorStats",
)

FACTS: tuple[Fact, ...] = (
    # Fees.
    Fact(
        "perp_fee_tiers",
        _tiers(
            (0, "0.045", "0.015"),
            (5 * M, "0.040", "0.012"),
            (25 * M, "0.035", "0.008"),
            (100 * M, "0.030", "0.004"),
            (500 * M, "0.028", "0"),
            (2_000 * M, "0.026", "0"),
            (7_000 * M, "0.024", "0"),
        ),
        _FEES,
    ),
    Fact(
        "spot_fee_tiers",
        _tiers(
            (0, "0.070", "0.040"),
            (5 * M, "0.060", "0.030"),
            (25 * M, "0.050", "0.020"),
            (100 * M, "0.040", "0.010"),
            (500 * M, "0.035", "0"),
            (2_000 * M, "0.030", "0"),
            (7_000 * M, "0.025", "0"),
        ),
        _FEES,
    ),
    # (share of the venue's 14-day maker volume above, maker rate)
    Fact("maker_rebates", _steps(("0.005", "-0.00001"), ("0.015", "-0.00002"), ("0.03", "-0.00003")), _FEES),
    # (staked HYPE above, discount)
    Fact(
        "staking_discounts",
        _steps((10, "0.05"), (100, "0.1"), (1_000, "0.15"), (10_000, "0.2"), (100_000, "0.3"), (500_000, ".4")),
        _FEES,
    ),
    Fact("referral_discount", Decimal("0.04"), _FEES),
    Fact("referral_volume_usd_max", 25 * M, _FEES),
    Fact("fee_decimals", 6, "seen in fills; whether it rounds up is inferred", Mark.UNCERTAIN),
    Fact("growth_fee_factor", Decimal("0.1"), _HIP3),
    Fact("builder_fee_perp_tenth_bps_max", 100, _EXCHANGE),
    Fact("builder_fee_spot_tenth_bps_max", 1_000, _EXCHANGE),
    # Prices and sizes.
    Fact("min_notional_usd", Decimal(10), _TICKS),
    Fact("significant_figures", 5, _TICKS),
    Fact("perp_price_decimals_max", 6, _TICKS),
    Fact("spot_price_decimals_max", 8, _TICKS),
    Fact("reference_band", Decimal("0.8"), "error text; 0.95 in older texts", Mark.UNCERTAIN),
    # (max leverage at least, largest market order in USD); limit orders ten times that
    Fact("market_order_usd_max", _steps((25, "30e6"), (20, "5e6"), (10, "2e6"), (0, "0.5e6")), _LIQUIDATION),
    # Requests per IP.
    Fact("ip_weight_per_minute", 1_200, _LIMITS),
    Fact("orders_per_weight", 40, f"{_LIMITS}: 1 + floor(n / 40)"),
    Fact("info_weight_default", 20, _LIMITS),
    Fact("info_weights", MappingProxyType({**dict.fromkeys(_LIGHT, 2), "userRole": 60}), _LIMITS),
    Fact(
        "info_items_per_weight",
        MappingProxyType({**dict.fromkeys(_PER_ITEM, 20), "candleSnapshot": 60}),
        f"{_LIMITS}: 1 more per so many items returned",
    ),
    # Requests per address.
    Fact("address_budget_initial", 10_000, _LIMITS),
    Fact("address_budget_usd", 1, f"{_LIMITS}: one request per so much volume"),
    Fact("address_growth_volume_factor", Decimal("0.1"), _LIMITS),
    Fact("address_over_budget_interval_s", 10, _LIMITS),
    Fact("cancel_budget_extra", 100_000, f"{_LIMITS}: min(limit + extra, factor x limit)"),
    Fact("cancel_budget_factor", 2, _LIMITS),
    Fact("expired_action_cost", 5, f"{_EXCHANGE}: a stale expiresAfter costs five requests"),
    Fact("unified_actions_per_day", 50_000, _LIMITS),
    Fact("action_weight_max", 200, "probe: more than 200 cancels are refused", Mark.REPORTED),
    Fact("open_orders_initial", 1_000, _LIMITS),
    Fact("open_orders_volume_usd", 5 * M, f"{_LIMITS}: one more open order per so much volume"),
    Fact("open_orders_max", 5_000, _LIMITS),
    # WebSocket, per IP.
    Fact("ws_connections_max", 10, f"{_WEBSOCKET}; 15 observed in 2026", Mark.UNCERTAIN),
    Fact("ws_connects_per_minute", 30, _WEBSOCKET),
    Fact("ws_subscriptions_max", 1_000, _WEBSOCKET),
    Fact("ws_users_max", 10, f"{_WEBSOCKET}; 15 observed in 2026", Mark.UNCERTAIN),
    Fact("ws_messages_per_minute", 2_000, _WEBSOCKET),
    Fact("ws_posts_in_flight_max", 100, _WEBSOCKET),
    Fact("ws_silence_close_s", 60, _WEBSOCKET),
    Fact("ws_ping_interval_s", 20, "a third of ws_silence_close_s: two pings may be lost", Mark.OURS),
    # Timing.
    Fact("block_ms", 70, _LATENCY),
    Fact("book_fast_interval_ms", 500, f"{_WEBSOCKET}; nktkas/hyperliquid PR#142"),
    Fact("book_fast_levels", 5, "nktkas/hyperliquid PR#142"),
    Fact("book_slow_interval_ms", 500, f"{_WEBSOCKET}: each block, at least 0.5 s apart"),
    Fact("book_slow_interval_ms", 2_000, "nktkas/hyperliquid PR#142", Mark.REPORTED, date(2026, 6, 1)),
    Fact("book_slow_interval_ms", 5_000, "pmxt-dev/pmxt#1879", Mark.REPORTED, date(2026, 7, 25)),
    Fact("book_slow_levels", 20, _WEBSOCKET),
    Fact("silent_book_s", 3, "a fast book that is silent for six of its intervals is stale", Mark.OURS),
    # Orders.
    Fact("modify_needs_post_only", False, "nktkas/hyperliquid PR#145"),
    Fact("modify_needs_post_only", True, "nktkas/hyperliquid PR#145", Mark.REPORTED, date(2026, 6, 1)),
    Fact("schedule_cancel_delay_ms_min", 5_000, _EXCHANGE),
    Fact("schedule_cancels_per_day", 10, f"{_EXCHANGE}; reset at 00:00 UTC"),
    Fact("schedule_cancel_volume_usd", M, "error text; the threshold may have moved", Mark.UNCERTAIN),
    Fact("nonces_kept", 100, _NONCES),
    Fact("nonce_behind_ms_max", 2 * 86_400_000, _NONCES),
    Fact("nonce_ahead_ms_max", 86_400_000, _NONCES),
    Fact("agent_days_max", 180, _NONCES),
    Fact("orders_remembered", 2_000, "probe: orderStatus forgets older ones", Mark.REPORTED),
    Fact("trigger_slippage", Decimal("0.1"), "docs; notes 2.6"),
    # Funding: the rate is of 8 hours, an eighth is paid every hour.
    Fact("funding_interval_s", 28_800, "recorded rates: every 8 hours up to 2023-06-08 00:00", Mark.REPORTED),
    Fact("funding_interval_s", 3_600, f"{_FUNDING}; hourly since 2023-06-08 01:00", since=HOURLY),
    Fact("funding_rate_hours", 8, _FUNDING),
    Fact("funding_interest", Decimal("0.0001"), f"{_FUNDING}: per 8 hours"),
    Fact("funding_clamp", Decimal("0.0003"), "recorded rates of 2023-05: premium + 0.0003", Mark.REPORTED),
    Fact(
        "funding_clamp", Decimal("0.0005"), f"{_FUNDING}; the day it came is inferred", Mark.UNCERTAIN, HOURLY
    ),
    Fact("funding_per_hour_max", Decimal("0.04"), _FUNDING),
    Fact("premium_sample_s", 5, _FUNDING),
    Fact("impact_notional_major_usd", 20_000, f"{_FUNDING}: BTC and ETH"),
    Fact("impact_notional_usd", 6_000, _FUNDING),
    Fact("funding_paid_on_index", True, f"{_FUNDING}: on the oracle price"),
    Fact("funding_decimals", 6, "seen in funding payments; rounded against us", Mark.UNCERTAIN),
    # Margin: (notional in USD above, leverage at most); maintenance is half of the margin at that leverage.
    Fact("margin_tiers", MAINNET_TIERS, f"{_LIQUIDATION}: mainnet; the live table is meta.marginTables"),
    Fact(
        "margin_tiers_other",
        MappingProxyType({10: ((0, 10), (3 * M, 5))}),
        f"{_LIQUIDATION}: by first leverage, where no table is known; large coins change at 20M",
        Mark.UNCERTAIN,
    ),
    Fact("maintenance_share", Fraction(1, 2), f"{_LIQUIDATION}: of the initial margin at the tier's leverage"),
    # Liquidation.
    Fact("liquidation_fee", Decimal(0), f"{_LIQUIDATION}: no clearance fee; taker fees apply"),
    Fact("takeover_share", Fraction(2, 3), f"{_LIQUIDATION}: of maintenance, then the backstop takes over"),
    Fact("liquidation_partial_usd", 100_000, f"{_LIQUIDATION}: larger positions go in parts"),
    Fact("liquidation_partial_share", Decimal("0.2"), _LIQUIDATION),
    Fact("liquidation_cooldown_s", 30, _LIQUIDATION),
    Fact("withdrawable_share_min", Decimal("0.1"), f"{_LIQUIDATION}: of the total notional"),
)
