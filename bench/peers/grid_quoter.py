"""The strategy of the comparison with other backtesters: a grid around a skewed mid, once per timer.

    variance    = (1 - ALPHA) variance + ALPHA (change of mid)^2         per decision
    half-spread = half_spread_ticks + volatility_factor sqrt(variance)
    skew        = -skew_ticks position / size                             size of one quote
    bid 0, ask 0 = mid + skew -/+ half-spread, rounded outward, never inside the touch

Deeper levels follow at `interval_ticks`. A side stops at `position_max_lots`. It is written to be said in the
same words in any backtester, hence ticks and lots instead of bps and USD.
"""

import math
from collections.abc import MutableMapping
from enum import IntEnum

from pydantic import Field

from makerside.core.kernel import Record, kernel
from makerside.core.quoting import add_quote
from makerside.model.units import BUY, SELL
from makerside.strategies.ladder import FIRST_FREE, LadderConfig, LadderParam

ALPHA = 0.05  # weight of the newest squared change


class Param(IntEnum):
    """Indices of this strategy's settings behind the ladder's."""

    HALF_SPREAD_TICKS = FIRST_FREE
    VOLATILITY_FACTOR = FIRST_FREE + 1
    SKEW_TICKS = FIRST_FREE + 2
    INTERVAL_TICKS = FIRST_FREE + 3
    POSITION_MAX_LOTS = FIRST_FREE + 4


class State(IntEnum):
    """Indices of what it remembers."""

    VARIANCE = 0
    MID_TICKS = 1  # 0 before the first decision


class Config(LadderConfig):
    """Settings of the grid; of the ladder's it reads levels and size."""

    half_spread_ticks: float = Field(2.0, ge=0, description="half-spread in a calm market [ticks]")
    volatility_factor: float = Field(1.0, ge=0, description="added per tick of volatility [1]")
    skew_ticks: float = Field(0.3, ge=0, description="shift against the position, per quote's size [ticks]")
    interval_ticks: int = Field(1, ge=1, description="distance between two levels [ticks]")
    position_max_lots: int = Field(1_000, ge=1, description="a side stops here [lots]")


def fill_params(config: Config, unit_value_usd: float, params: MutableMapping[int, float]) -> None:
    """Write this strategy's own parameters by index."""
    params[Param.HALF_SPREAD_TICKS] = config.half_spread_ticks
    params[Param.VOLATILITY_FACTOR] = config.volatility_factor
    params[Param.SKEW_TICKS] = config.skew_ticks
    params[Param.INTERVAL_TICKS] = config.interval_ticks
    params[Param.POSITION_MAX_LOTS] = config.position_max_lots


@kernel
def update_variance(state: Record, mid_ticks: float) -> float:
    """Take in the mid of this decision; returns the variance in ticks^2 per decision."""
    if state[State.MID_TICKS] > 0.0:
        change = mid_ticks - state[State.MID_TICKS]
        state[State.VARIANCE] = (1.0 - ALPHA) * state[State.VARIANCE] + ALPHA * change * change
    state[State.MID_TICKS] = mid_ticks
    return state[State.VARIANCE]


@kernel
def targets(market: Record, trader: Record, desk: Record) -> int:
    """Lay the grid on the desk; returns how many quotes."""
    params = trader["params"]
    view = desk["legs"][0]
    mid = view["mid_ticks"]
    variance = update_variance(trader["state"], mid)
    half = params[Param.HALF_SPREAD_TICKS] + params[Param.VOLATILITY_FACTOR] * math.sqrt(variance)
    size = params[LadderParam.SIZE_LOTS]
    position = view["position_lots"]
    center = mid - params[Param.SKEW_TICKS] * (position / size)
    first_bid = min(math.floor(center - half), view["bid_ticks"])
    first_ask = max(math.ceil(center + half), view["ask_ticks"])
    n = 0
    for side in (BUY, SELL):
        if side * position >= params[Param.POSITION_MAX_LOTS]:
            continue
        first = float(first_bid if side == BUY else first_ask)
        for level in range(int(params[LadderParam.LEVELS])):
            deeper = level * params[Param.INTERVAL_TICKS]
            n += add_quote(market, desk, 0, side, level, int(size), first, 0.0, 0.0, deeper)
    return n
