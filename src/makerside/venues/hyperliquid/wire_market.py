"""Public shapes of the wire: books, trades, prices and the descriptions of what is traded.

The same structs read what the venue sent and write what the local exchange sends. Numbers stay the
decimal text that they are; `numbers.py` turns them into integers. Fields that the venue leaves out
stand last, with the default that means "absent"; unknown fields are skipped. Pure.
Next: `wire_account.py`.
"""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from makerside.venues.hyperliquid.codec import TimeMs, Uint

Side = Literal["A", "B"]  # ask, bid; in a trade the aggressor's


class Shape(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A JSON object of this venue: camelCase keys, absent fields left out."""


class Level(msgspec.Struct, frozen=True, gc=False):
    """One price of a book. size : total;  n_orders : how many orders make it."""

    price: str = msgspec.field(name="px")
    size: str = msgspec.field(name="sz")
    n_orders: int = msgspec.field(name="n", default=0)


class Book(msgspec.Struct, frozen=True, omit_defaults=True):
    """A full book. levels : (bids, asks), best first;  spread : only when prices are aggregated."""

    coin: str
    time: TimeMs
    levels: tuple[list[Level], list[Level]]
    spread: str | None = None
    is_fast: bool = msgspec.field(name="fast", default=False)


class Bbo(msgspec.Struct, frozen=True):
    """The best bid and ask; None for an empty side."""

    coin: str
    time: TimeMs
    bbo: tuple[Level | None, Level | None]


class Trade(msgspec.Struct, frozen=True, omit_defaults=True):
    """One print. side : the aggressor's;  hash : all zeros for a TWAP slice;  users : buyer, seller."""

    coin: str
    side: Side
    price: str = msgspec.field(name="px")
    size: str = msgspec.field(name="sz")
    time: TimeMs
    hash: str = ""
    trade_id: Uint | None = msgspec.field(name="tid", default=None)
    users: tuple[str, str] | None = None


class PerpAsset(Shape, frozen=True):
    """One perpetual of a DEX; its index in the universe is its asset id, delisted ones keep their place."""

    sz_decimals: Uint
    name: str
    max_leverage: Uint
    margin_table_id: Uint | None = None
    only_isolated: bool | None = None
    is_delisted: bool | None = None
    margin_mode: str | None = None  # "strictIsolated", "noCross"
    growth_mode: str | None = None  # "enabled"
    last_growth_mode_change_time: str | None = None
    deployer_fee_scale: str | None = None  # of builder DEXs; moved here from the DEX in 2026 (uncertain)


class MarginTier(Shape, frozen=True):
    lower_bound: str
    max_leverage: Uint


class MarginTable(Shape, frozen=True):
    description: str
    margin_tiers: tuple[MarginTier, ...]


class Meta(Shape, frozen=True):
    """One perp DEX. Margin tables below 50 have a single tier of that leverage and may be left out."""

    universe: tuple[PerpAsset, ...]
    margin_tables: tuple[tuple[Uint, MarginTable], ...] | None = None
    collateral_token: Uint | UnsetType = UNSET  # index of a spot token; 0 is USDC


class SpotToken(Shape, frozen=True):
    name: str
    sz_decimals: Uint
    wei_decimals: Uint
    index: Uint
    token_id: str
    is_canonical: bool
    evm_contract: dict[str, Any] | UnsetType | None = UNSET
    full_name: str | UnsetType | None = UNSET
    deployer_trading_fee_share: str | UnsetType = UNSET


class SpotPair(Shape, frozen=True):
    """A spot market. tokens : (base, quote), looked up by their `index`: the list of tokens is sparse."""

    tokens: tuple[Uint, Uint]
    name: str
    index: Uint
    is_canonical: bool


class SpotMeta(Shape, frozen=True):
    universe: tuple[SpotPair, ...]
    tokens: tuple[SpotToken, ...]


class PerpDex(Shape, frozen=True):
    """A builder DEX; its place in the list of DEXs is the index that asset ids are made of."""

    name: str
    full_name: str
    deployer: str
    oracle_updater: str | UnsetType | None = UNSET
    fee_recipient: str | UnsetType | None = UNSET
    asset_to_streaming_oi_cap: tuple[tuple[str, str], ...] | UnsetType = UNSET
    sub_deployers: tuple[tuple[str, tuple[str, ...]], ...] | UnsetType = UNSET
    deployer_fee_scale: str | UnsetType = UNSET
    last_deployer_fee_scale_change_time: str | UnsetType = UNSET
    asset_to_funding_multiplier: tuple[tuple[str, str], ...] | UnsetType = UNSET
    asset_to_funding_interest_rate: tuple[tuple[str, str], ...] | UnsetType = UNSET


class AssetContext(Shape, frozen=True):
    """Prices and sizes of one perpetual. funding : the current hourly rate;  openInterest : in coins."""

    funding: str
    open_interest: str
    prev_day_price: str = msgspec.field(name="prevDayPx")
    day_notional_volume: str = msgspec.field(name="dayNtlVlm")
    oracle_price: str = msgspec.field(name="oraclePx")
    mark_price: str = msgspec.field(name="markPx")
    premium: str | UnsetType | None = UNSET
    mid_price: str | UnsetType | None = msgspec.field(name="midPx", default=UNSET)
    impact_prices: tuple[str, str] | UnsetType | None = msgspec.field(name="impactPxs", default=UNSET)
    day_base_volume: str | UnsetType = msgspec.field(name="dayBaseVlm", default=UNSET)


class AssetContextOf(Shape, frozen=True):
    coin: str
    context: AssetContext = msgspec.field(name="ctx")


class AllMids(Shape, frozen=True):
    mids: dict[str, str]
    dex: str | None = None


class VenueStatus(Shape, frozen=True):
    """Answer to exchangeStatus. special_statuses : null in normal times."""

    time: TimeMs
    special_statuses: Any = None
