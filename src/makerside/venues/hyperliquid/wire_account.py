"""Private shapes of the wire: orders, fills, positions, balances, fees and limits of one account.

As `wire_market.py`: one struct for both directions, decimal text kept as text. Pure.
Next: `wire_info.py`.
"""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from makerside.venues.hyperliquid.codec import TimeMs, Uint
from makerside.venues.hyperliquid.wire_market import Shape, Side

AccountMode = Literal["unifiedAccount", "portfolioMargin", "disabled", "default"]


class OpenOrder(Shape, frozen=True):
    """A working order. size : what is open;  original_size : what was placed."""

    coin: str
    side: Side
    limit_price: str = msgspec.field(name="limitPx")
    size: str = msgspec.field(name="sz")
    oid: Uint
    timestamp: TimeMs
    original_size: str | None = msgspec.field(name="origSz", default=None)
    cloid: str | None = None
    reduce_only: bool | None = None


class FrontendOrder(Shape, frozen=True, omit_defaults=False):
    """A working order with everything that a trading page shows; all fields are always present."""

    coin: str
    side: Side
    limit_price: str = msgspec.field(name="limitPx")
    size: str = msgspec.field(name="sz")
    oid: Uint
    timestamp: TimeMs
    original_size: str = msgspec.field(name="origSz")
    trigger_condition: str = "N/A"
    is_trigger: bool = False
    trigger_price: str = msgspec.field(name="triggerPx", default="0.0")
    children: tuple[Any, ...] = ()
    is_position_tpsl: bool = False
    reduce_only: bool = False
    order_type: str = "Limit"
    tif: str | None = None
    cloid: str | None = None


class OrderUpdate(Shape, frozen=True):
    """One change of an order. status : see `reasons.ORDER_STATES`."""

    order: OpenOrder
    status: str
    status_timestamp: TimeMs


class OrderRecord(Shape, frozen=True):
    order: FrontendOrder
    status: str
    status_timestamp: TimeMs


class FoundOrder(msgspec.Struct, frozen=True, tag_field="status", tag="order"):
    order: OrderRecord


class UnknownOrder(msgspec.Struct, frozen=True, tag_field="status", tag="unknownOid"):
    """The venue has no record: it never came, or it is older than about 2,000 orders."""


OrderStatus = FoundOrder | UnknownOrder


class LiquidationMark(Shape, frozen=True):
    mark_price: str = msgspec.field(name="markPx")
    method: str
    liquidated_user: str | None = None


DUST = "Spot Dust Conversion"  # the `direction` of such a fill


class Fill(Shape, frozen=True):
    """One execution of ours. crossed : taker;  fee : a cost when positive, builder fee included.

    A conversion of spot dust comes as a fill as well, without a trade id and off every grid.
    """

    coin: str
    price: str = msgspec.field(name="px")
    size: str = msgspec.field(name="sz")
    side: Side
    time: TimeMs
    start_position: str
    direction: str = msgspec.field(name="dir")
    closed_pnl: str
    hash: str
    oid: Uint
    crossed: bool
    fee: str
    trade_id: Uint | None = msgspec.field(name="tid", default=None)  # absent in answers of 2023
    fee_token: str | None = None
    twap_id: Uint | UnsetType | None = UNSET
    cloid: str | None = None
    builder_fee: str | None = None
    fee_trial_escrow: str | None = None
    liquidation: LiquidationMark | None = None

    @property
    def is_dust(self) -> bool:
        """Whether it is no trade but the venue's conversion of a spot rest below one lot."""
        return not self.trade_id and self.direction == DUST


class Funding(Shape, frozen=True):
    """One hourly payment. usdc : received when positive, paid when negative."""

    time: TimeMs
    coin: str
    usdc: str
    position: str = msgspec.field(name="szi")
    funding_rate: str
    n_samples: int | UnsetType | None = UNSET


class MarginSummary(Shape, frozen=True):
    account_value: str
    total_notional: str = msgspec.field(name="totalNtlPos")
    total_raw_usd: str
    total_margin_used: str


class Leverage(Shape, frozen=True):
    kind: Literal["cross", "isolated"] = msgspec.field(name="type")
    value: Uint
    raw_usd: str | None = None  # isolated only


class FundingTotals(Shape, frozen=True):
    all_time: str
    since_open: str
    since_change: str


class Position(Shape, frozen=True):
    """One open position. position : signed size;  liquidation_price : None when there is none."""

    coin: str
    position: str = msgspec.field(name="szi")
    leverage: Leverage
    entry_price: str | None = msgspec.field(name="entryPx")
    position_value: str
    unrealized_pnl: str
    return_on_equity: str
    liquidation_price: str | None = msgspec.field(name="liquidationPx")
    margin_used: str
    max_leverage: Uint | UnsetType = UNSET
    cum_funding: FundingTotals | UnsetType = UNSET


class AssetPosition(Shape, frozen=True):
    position: Position
    kind: str = msgspec.field(name="type")


class ClearinghouseState(Shape, frozen=True):
    """Margin and positions on one DEX; not meaningful for unified accounts (use the spot state)."""

    asset_positions: tuple[AssetPosition, ...]
    cross_margin_summary: MarginSummary
    withdrawable: str
    margin_summary: MarginSummary | UnsetType = UNSET
    cross_maintenance_margin_used: str | UnsetType = UNSET
    time: TimeMs | UnsetType = UNSET


class SpotBalance(Shape, frozen=True):
    coin: str
    token: Uint
    total: str
    hold: str
    entry_notional: str = msgspec.field(name="entryNtl")


class SpotState(Shape, frozen=True):
    balances: tuple[SpotBalance, ...]
    portfolio_margin_enabled: bool | UnsetType = UNSET


class RateLimit(Shape, frozen=True):
    """The address budget: requests used so far and allowed so far."""

    volume: str = msgspec.field(name="cumVlm")
    n_requests_used: Uint
    n_requests_cap: Uint
    n_requests_surplus: Uint | UnsetType = UNSET


class VipTier(Shape, frozen=True):
    notional_cutoff: str = msgspec.field(name="ntlCutoff")
    cross: str
    add: str
    spot_cross: str | UnsetType = UNSET
    spot_add: str | UnsetType = UNSET


class MakerTier(Shape, frozen=True):
    maker_fraction_cutoff: str
    add: str


class FeeTiers(Shape, frozen=True):
    vip: tuple[VipTier, ...]
    mm: tuple[MakerTier, ...]


class StakingTier(Shape, frozen=True):
    bps_of_max_supply: str
    discount: str


class FeeSchedule(Shape, frozen=True):
    cross: str
    add: str
    tiers: FeeTiers
    referral_discount: str
    spot_cross: str | UnsetType = UNSET
    spot_add: str | UnsetType = UNSET
    staking_discount_tiers: tuple[StakingTier, ...] | UnsetType = UNSET


class UserFees(Shape, frozen=True):
    """The account's own rates, as fractions. cross : taker;  add : maker; before any builder DEX's scale."""

    daily_user_volume: tuple[dict[str, str], ...] = msgspec.field(name="dailyUserVlm")
    fee_schedule: FeeSchedule
    user_cross_rate: str
    user_add_rate: str
    user_spot_cross_rate: str | UnsetType = UNSET
    user_spot_add_rate: str | UnsetType = UNSET
    active_referral_discount: str | UnsetType = UNSET
    trial: Any = UNSET
    fee_trial_escrow: Any = UNSET
    next_trial_available_timestamp: Any = UNSET
    staking_link: Any = UNSET
    active_staking_discount: StakingTier | UnsetType | None = UNSET


class UserRole(Shape, frozen=True):
    """What an address is. data : {"user": master} of an agent, {"master": master} of a sub-account."""

    role: str  # "missing", "user", "vault", "agent", "subAccount"
    data: dict[str, str] | None = None


class ActiveAssetData(Shape, frozen=True):
    user: str
    coin: str
    leverage: Leverage
    max_trade_sizes: tuple[str, str] = msgspec.field(name="maxTradeSzs")
    available_to_trade: tuple[str, str]
    mark_price: str = msgspec.field(name="markPx")
