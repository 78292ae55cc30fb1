"""The ladder that quoting strategies share: levels, sizes and bounds around a first pair of quotes.

A strategy works out a fair value, an inventory shift and a first half-spread; the ladder adds deeper
levels, keeps the half-spread within its floor and cap, and puts the quotes on the desk. Its settings
stand first in every such strategy's parameter block. Pure.
"""

from collections.abc import MutableMapping
from decimal import Decimal
from enum import IntEnum

from pydantic import BaseModel, ConfigDict, Field

from makerside.core.kernel import Record, kernel
from makerside.core.quoting import add_quote
from makerside.model.units import BUY, SELL

BPS = 1e-4
LOTS_MAX = float(1 << 62)  # more than any limit; deeper levels may grow beyond what an integer holds


class LadderParam(IntEnum):
    """Indices of the ladder's settings in a trader's parameter block."""

    LEVELS = 0
    SIZE_LOTS = 1
    SIZE_STEP = 2
    SPACING_BPS = 3
    SPACING_RATIO = 4
    HALF_SPREAD_MIN_BPS = 5
    HALF_SPREAD_MAX_BPS = 6
    REFERENCE = 7
    A_PER_S = 8
    K_PER_TICK = 9
    FITTED = 10


FIRST_FREE = len(LadderParam)


class LadderConfig(BaseModel):
    """Settings of the ladder. Sizes are money at the market's price when the bot starts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(description="which strategy")
    levels: int = Field(1, ge=1, le=16, description="quotes per side")
    size_usd: float = Field(200.0, gt=0, description="size of the first level [USD of notional]")
    size_step: float = Field(1.0, gt=0, le=10, description="each deeper level is this times as large")
    spacing_bps: float = Field(1.0, ge=0, le=1_000, description="distance between the first two levels [bps]")
    spacing_ratio: float = Field(1.0, ge=1, le=5, description="each further distance is this times as large")
    half_spread_min_bps: float = Field(0.5, ge=0, le=1_000, description="floor of the half-spread [bps]")
    half_spread_max_bps: float = Field(100.0, gt=0, le=10_000, description="cap of the half-spread [bps]")
    reference: str = Field("mid", pattern="^(mid|micro)$", description="fair value: mid or micro (microprice)")
    intensity: str = Field(
        "fit", pattern="^(fit|fixed)$", description="flow of orders: fitted to the trades, or as given"
    )
    intensity_k_per_bps: float = Field(1.0, gt=0, description="k until fitted, or fixed [1/bps]")


def fill_ladder(
    config: LadderConfig, price_ticks: int, lot_value_usd: Decimal, params: MutableMapping[int, float]
) -> None:
    """Write the ladder's settings, in kernel units, by index.

    price_ticks   : price at which money is turned into lots and bps into ticks
    lot_value_usd : money of one lot at that price; sizes are rounded down to lots exactly
    """
    bps_ticks = price_ticks * BPS
    params[LadderParam.LEVELS] = config.levels
    params[LadderParam.SIZE_LOTS] = float(max(1, int(Decimal(repr(config.size_usd)) // lot_value_usd)))
    params[LadderParam.SIZE_STEP] = config.size_step
    params[LadderParam.SPACING_BPS] = config.spacing_bps
    params[LadderParam.SPACING_RATIO] = config.spacing_ratio
    params[LadderParam.HALF_SPREAD_MIN_BPS] = config.half_spread_min_bps
    params[LadderParam.HALF_SPREAD_MAX_BPS] = config.half_spread_max_bps
    params[LadderParam.REFERENCE] = 1.0 if config.reference == "micro" else 0.0
    params[LadderParam.FITTED] = 1.0 if config.intensity == "fit" else 0.0
    params[LadderParam.K_PER_TICK] = config.intensity_k_per_bps / bps_ticks


@kernel
def reference_ticks(market: Record, params: Record) -> float:
    """Return the fair value that the settings choose, in ticks."""
    if params[LadderParam.REFERENCE] > 0.0:
        return market["micro_ticks"]
    return market["mid_ticks"]


@kernel
def intensity(market: Record, params: Record) -> tuple[float, float]:
    """Return (A, k): arrivals per second and side, and their decay per tick; fitted when ready.

    A strategy whose formula has an A fills in its setting; elsewhere the first number means nothing.
    """
    flow = market["intensity"]
    if params[LadderParam.FITTED] > 0.0 and flow["is_ready"] == 1:
        return flow["a_per_s"], flow["k_per_tick"]
    return params[LadderParam.A_PER_S], params[LadderParam.K_PER_TICK]


@kernel
def lay_ladder(
    market: Record, trader: Record, desk: Record, reference: float, inventory: float, half_spread: float
) -> int:
    """Put both sides' quotes of leg 0 on the desk; returns how many.

    reference   : fair value in ticks;  inventory : shift of it, in ticks
    half_spread : what the model wants for level 0, in ticks, before floor and cap
    """
    params = trader["params"]
    bps_ticks = reference * BPS
    half = max(half_spread, params[LadderParam.HALF_SPREAD_MIN_BPS] * bps_ticks)
    half = min(half, params[LadderParam.HALF_SPREAD_MAX_BPS] * bps_ticks)
    n = 0
    for side in (BUY, SELL):
        deeper = 0.0
        spacing = params[LadderParam.SPACING_BPS] * bps_ticks
        lots = params[LadderParam.SIZE_LOTS]
        for level in range(int(params[LadderParam.LEVELS])):
            n += add_quote(
                market, desk, 0, side, level, int(min(lots, LOTS_MAX)), reference, inventory, half, deeper
            )
            deeper += spacing
            spacing *= params[LadderParam.SPACING_RATIO]
            lots *= params[LadderParam.SIZE_STEP]
    return n
