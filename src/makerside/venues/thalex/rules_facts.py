"""The facts of Thalex as dated data: name, value, since when, where it is from, how sure it is.

"docs" is the venue's prose documentation and changelog (API 2.52 to 2.55, read 2026-07), the number the
section of our protocol notes that quotes it. Perpetuals and futures only; options and rolls have other fees.
Pure. Read through `rules.py`.
"""

from datetime import date
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType
from typing import NamedTuple

from makerside.venues.facts import Fact, Mark


class FeeTier(NamedTuple):
    """Rates above a volume of 30 days, as fractions of the notional."""

    volume_usd: int
    maker: Decimal
    taker: Decimal


def _bps(volume_usd: int, maker: str, taker: str) -> FeeTier:
    """Return a tier from rates in basis points."""
    return FeeTier(volume_usd, Decimal(maker) / 10_000, Decimal(taker) / 10_000)


_FEES = "docs; notes 6.1"
_LIMITS = "docs; notes 5"
_FUNDING = "docs; notes 6.2"
_MARGIN = "docs; notes 6.3"

FEES_OF_2025 = date(2025, 9, 2)
DEAD_BAND = date(2024, 1, 1)

FACTS: tuple[Fact, ...] = (
    # Fees of futures and perpetuals.
    Fact("fee_tiers", (_bps(0, "2.5", "2.5"),), f"{_FEES}; recorded trades of 2025-03"),
    Fact("fee_tiers", (_bps(0, "1.0", "5.0"), _bps(50_000_000, "0.5", "1.5")), _FEES, since=FEES_OF_2025),
    Fact("fee_on_index", True, f"{_FEES}; recorded trades", Mark.REPORTED),
    Fact("fee_decimals", 2, f"{_FEES}; recorded trades", Mark.REPORTED),
    Fact("fee_rounds_to_nearest", False, "the direction of rounding is inferred", Mark.UNCERTAIN),
    Fact("liquidation_fee", Decimal("0.005"), _FEES),
    # Messages per connection and second.
    Fact("orders_per_s", 50, f"{_LIMITS}: after set_cancel_on_disconnect"),
    Fact("orders_per_s_persistent", 10, f"{_LIMITS}: in a persistent session"),
    Fact("cancels_per_s", 1_000, _LIMITS),
    Fact("throttle_penalty_s", 1, f"{_LIMITS}: 'for some time'", Mark.UNCERTAIN),
    Fact("open_orders_max", 20, "error 49 exists, its number is not known; notes 4.9", Mark.UNCERTAIN),
    # Matching.
    Fact(
        "post_only_moves_price",
        True,
        "spec; notes 4.1: to one tick from the opposite touch, if not told to reject",
    ),
    # Mark: index + average premium.
    Fact("mark_half_time_s", 30, f"{_FUNDING}: exponential average, weight 2 / (1 + this) per second"),
    Fact("fair_size_base", MappingProxyType({"BTC": 1, "ETH": 20}), f"{_FUNDING}: depth of fair bid and ask"),
    # Funding: accrues every second, is settled once a day.
    Fact("funding_interval_s", 86_400, _FUNDING),
    Fact("funding_offset_s", 8 * 3_600, f"{_FUNDING}: at 08:00 UTC"),
    Fact("funding_sample_s", 1, _FUNDING),
    Fact("funding_rate_hours", 24, f"{_FUNDING}: the old rule", Mark.UNCERTAIN),
    Fact("funding_rate_hours", 8, f"{_FUNDING} and official example", Mark.UNCERTAIN, DEAD_BAND),
    Fact("funding_dead_band", Decimal(0), f"{_FUNDING}: the old rule, until about 2024", Mark.UNCERTAIN),
    Fact("funding_dead_band", Decimal("0.00025"), f"{_FUNDING}: changelog, official example", since=DEAD_BAND),
    Fact("funding_paid_on_index", True, _FUNDING),
    Fact("funding_decimals", 2, "as fees", Mark.UNCERTAIN),
    # Margin: the venue values a portfolio in scenarios; this is its rule of thumb for perpetuals alone.
    Fact("initial_margin", Fraction(1, 5), f"{_MARGIN}: of size x index, perpetuals alone", Mark.UNCERTAIN),
    Fact("maintenance_share", Fraction(7, 10), f"{_MARGIN}: of the initial margin"),
    Fact("liquidation_order_s", 30, f"{_MARGIN}: IOC orders, then an auction"),
)
