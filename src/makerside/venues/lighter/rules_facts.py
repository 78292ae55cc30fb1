"""The facts of Lighter as dated data: name, value, since when, where it is from, how sure it is.

"docs" is the official documentation (docs.lighter.xyz and apidocs.lighter.xyz, copies of 2026-06 and
2026-07), "prover" the official circuits; the number is the section of our protocol notes that quotes them.
Market metadata (`orderBookDetails`) is live and wins over what stands here for a market. Pure. Read through
`rules.py`.
"""

from datetime import date
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType
from typing import NamedTuple

from makerside.venues.facts import Fact, Mark


class AccountTier(NamedTuple):
    """Fees as fractions of the notional, speed bumps in ms, by kind of account and staked LIT above."""

    name: str
    staked_lit: int
    maker: Decimal
    taker: Decimal
    maker_ms: int  # post-only orders and cancels
    taker_ms: int


class Fractions(NamedTuple):
    """Margin fractions of a market, 1 / 10,000 of the notional."""

    initial: int  # the least that a leverage setting may ask for
    maintenance: int
    closeout: int


def _tier(name: str, staked: int, maker: str, taker: str, maker_ms: int, taker_ms: int) -> AccountTier:
    """Return a tier from rates in percent."""
    return AccountTier(name, staked, Decimal(maker) / 100, Decimal(taker) / 100, maker_ms, taker_ms)


_TIERS = "docs, account types; notes 7.1"
_LIMITS = "docs, rate limits; notes 6.1"
_QUOTA = "docs, volume quota; notes 6.2"
_WEBSOCKET = "docs; notes 3.5"
_MARGIN = "docs and prover; notes 7.3"
_FUNDING = "docs; notes 7.4"
_ORDERS = "signer and prover; notes 4.2"

TIERS_OF_2026 = date(2026, 7, 1)
QUOTA_OF_2026 = date(2026, 6, 1)
_STANDARD = _tier("standard", 0, "0", "0", 200, 300)
_STEPS = ((0, 200), (1_000, 195), (3_000, 190), (10_000, 180), (30_000, 170), (100_000, 160), (300_000, 150))

# Weights of requests that are not 300 (notes 2.1).
_WEIGHTS = MappingProxyType(
    {
        "sendTx": 6,
        "sendTxBatch": 6,
        "nextNonce": 6,
        "recentTrades": 600,
        "trades": 600,
        "apikeys": 150,
        "accountInactiveOrders": 100,
        "publicPools": 50,
        "txFromL1TxHash": 50,
        "deposit/latest": 100,
        "transferFeeInfo": 500,
        "changeAccountTier": 3_000,
        "setAccountMetadata": 3_000,
        "fastwithdraw": 3_000,
        "tokens/revoke": 3_000,
        "tokens/create": 23_000,
    }
)

FACTS: tuple[Fact, ...] = (
    # Kinds of account.
    Fact(
        "account_tiers",
        (_STANDARD, _tier("premium", 0, "0.0020", "0.0200", 0, 150)),
        f"{_TIERS}: the older numbers",
        Mark.REPORTED,
    ),
    Fact(
        "account_tiers",
        (
            _STANDARD,
            _tier("plus", 0, "0.0050", "0.0050", 200, 300),
            *(_tier("premium", staked, "0.0040", "0.0280", 0, taker_ms) for staked, taker_ms in _STEPS),
            _tier("premium", 500_000, "0.0028", "0.0196", 0, 140),
        ),
        f"{_TIERS}, copy of 2026-07: the day they came and the fees between the first and last step are not "
        "known; the higher fee stands",
        Mark.UNCERTAIN,
        TIERS_OF_2026,
    ),
    Fact("fee_decimals", 6, "USDC on the wire has six; the direction of rounding is inferred", Mark.UNCERTAIN),
    Fact(
        "gtt_counts_as_taker", True, f"{_TIERS}: good-till-time orders that rest are not told", Mark.UNCERTAIN
    ),
    Fact("tier_switch_interval_s", 86_400, f"{_TIERS}: without positions and orders"),
    # Requests, per IP and per L1 address.
    Fact(
        "requests_per_minute",
        MappingProxyType({"standard": 60}),
        f"{_LIMITS}: unweighted, of any kind",
    ),
    Fact(
        "weight_per_minute",
        MappingProxyType({"standard": 24_000, "plus": 120_000, "premium": 24_000, "builder": 240_000}),
        _LIMITS,
    ),
    Fact("request_weight_default", 300, "docs; notes 2.1"),
    Fact("request_weights", _WEIGHTS, "docs; notes 2.1"),
    Fact(
        "sends_per_minute",
        MappingProxyType(
            {
                "standard": ((0, 60),),
                "plus": ((0, 8_000),),
                "premium": (
                    (0, 4_000),
                    (1_000, 5_000),
                    (3_000, 6_000),
                    (10_000, 7_000),
                    (30_000, 8_000),
                    (100_000, 12_000),
                    (300_000, 24_000),
                    (500_000, 40_000),
                ),
            }
        ),
        f"{_LIMITS}: sendTx and sendTxBatch by staked LIT; a batch counts once",
    ),
    Fact("other_transactions_per_minute", 40, f"{_LIMITS}: e.g. UpdateLeverage"),
    Fact("batch_max", 50, "docs of 2025; notes 3.4", Mark.REPORTED),
    Fact(
        "batch_max",
        15,
        "WebSocket reference; notes 3.4. The REST error text still says 50",
        since=date(2026, 3, 1),
    ),
    # Volume quota of premium accounts: orders and modifies use one each, cancels none.
    Fact("quota_initial", 1_000, _QUOTA),
    Fact("quota_max", 5_000_000, _QUOTA),
    Fact("quota_usd", 10, f"{_QUOTA}: one more per so much volume, the older number", Mark.REPORTED),
    Fact("quota_usd", 7, f"{_QUOTA}; the latest may be 5", Mark.UNCERTAIN, QUOTA_OF_2026),
    Fact("quota_free_interval_s", 15, f"{_QUOTA}: one single transaction even without quota"),
    # WebSocket, per IP.
    Fact("ws_connections_max", 100, f"{_WEBSOCKET}, older copies", Mark.REPORTED),
    Fact("ws_connections_max", 255, _WEBSOCKET, since=TIERS_OF_2026),
    Fact("ws_connects_per_minute", 80, f"{_WEBSOCKET}, older copies", Mark.REPORTED),
    Fact("ws_connects_per_minute", 255, _WEBSOCKET, since=TIERS_OF_2026),
    Fact("ws_subscriptions_max", 100, f"{_WEBSOCKET}, older copies", Mark.REPORTED),
    Fact("ws_subscriptions_max", 500, _WEBSOCKET, since=TIERS_OF_2026),
    Fact("ws_messages_per_minute", 200, _WEBSOCKET),
    Fact("ws_in_flight_max", 50, _WEBSOCKET),
    Fact("ws_silence_close_s", 120, "docs; notes 0, fact 9"),
    # Orders.
    Fact("orders_max", 1_500, "docs; notes 4.2"),
    Fact("orders_per_market_max", 1_000, "docs; notes 4.2"),
    Fact("pending_orders_max", 500, "docs; notes 4.2"),
    Fact("pending_orders_per_market_max", 16, "docs; notes 4.2"),
    Fact("order_expiry_s_min", 300, f"{_ORDERS}; the prover tolerates 240"),
    Fact("order_expiry_s_max", 30 * 86_400, _ORDERS),
    Fact("schedule_cancel_s_min", 300, _ORDERS),
    Fact("schedule_cancel_s_max", 15 * 86_400, _ORDERS),
    Fact("modify_keeps_priority", False, "prover; notes 7.2: not even when it shrinks"),
    # Funding: the rate is of 8 hours, an eighth is paid every hour.
    Fact("funding_interval_s", 3_600, _FUNDING),
    Fact("funding_rate_hours", 8, _FUNDING),
    Fact("funding_interest", Decimal("0.0001"), f"{_FUNDING}: per 8 hours"),
    Fact(
        "funding_clamp", Decimal("0.0005"), f"{_FUNDING}: default of funding_clamp_small, which is per market"
    ),
    Fact("funding_cap", Decimal("0.04"), f"{_FUNDING}: default of funding_clamp_big, of the rate of 8 hours"),
    Fact("premium_sample_s", 60, f"{_FUNDING}: at a random second of each minute; we take its start"),
    Fact("impact_margin_usd", 500, f"{_FUNDING}: impact notional = this / initial margin fraction"),
    Fact("funding_paid_on_index", True, _FUNDING),
    Fact("funding_decimals", 6, "USDC on the wire has six; rounded against us", Mark.UNCERTAIN),
    # Margin and liquidation.
    Fact(
        "margin_fractions",
        MappingProxyType({"ETH": Fractions(200, 120, 80)}),
        "orderBookDetails of 2026-05-05; notes 2.2",
        Mark.REPORTED,
    ),
    Fact(
        "maintenance_share",
        Fraction(3, 5),
        "of the initial fraction, where a market's own is not known: ETH's ratio",
        Mark.UNCERTAIN,
    ),
    Fact("closeout_share", Fraction(2, 3), "of the maintenance fraction, likewise", Mark.UNCERTAIN),
    Fact("liquidation_fee", Decimal("0.01"), f"{_MARGIN}; orderBooks says it per market"),
    Fact(
        "liquidation_fee_is_of_improvement",
        True,
        f"{_MARGIN}: taken from what a fill is better than the zero price, as far as that goes",
        Mark.UNCERTAIN,
    ),
)
