"""Avellaneda-Stoikov quotes over a rolling horizon (formulas d-1).

    reservation price   r = s - q gamma sigma^2 tau
    half-spread         d = gamma sigma^2 tau / 2 + ln(1 + gamma delta / k) / (gamma delta)

Units: s, r, d in ticks; q in lots; sigma^2 in ticks^2 per second; tau in seconds; k per tick; delta,
the size of one quote, in lots. gamma is absolute risk aversion, per unit of money: with prices in
ticks and sizes in lots it is gamma_per_usd x (money of one lot at one tick). With delta = 1 unit this
is the published form; d follows from the sum of both depths, gamma sigma^2 tau + (2/gamma) ln(...).

Source: Avellaneda and Stoikov, High-frequency trading in a limit order book, Quantitative Finance
8(3), 2008, eqs 3.16 to 3.18; tau rolls instead of running out. It assumes arrivals of exp(-k d), a
driftless mid, and it does not know the queue.
"""

from collections.abc import MutableMapping
from enum import IntEnum

from pydantic import Field

from makerside.core.kernel import Record, kernel
from makerside.core.numbers import log1p
from makerside.strategies.ladder import (
    FIRST_FREE,
    LadderConfig,
    LadderParam,
    intensity,
    lay_ladder,
    reference_ticks,
)


class Param(IntEnum):
    """Indices of this strategy's settings behind the ladder's."""

    GAMMA = FIRST_FREE  # per (tick x lot)
    HORIZON_S = FIRST_FREE + 1


class Config(LadderConfig):
    """Settings of Avellaneda-Stoikov."""

    gamma_per_usd: float = Field(0.1, gt=0, description="absolute risk aversion [1/USD]")
    horizon_s: float = Field(60.0, gt=0, le=86_400, description="how long inventory is expected to be held [s]")


def fill_params(config: Config, unit_value_usd: float, params: MutableMapping[int, float]) -> None:
    """Write this strategy's own parameters, in kernel units, by index."""
    params[Param.GAMMA] = config.gamma_per_usd * unit_value_usd
    params[Param.HORIZON_S] = config.horizon_s


@kernel
def quote_terms(
    gamma: float, horizon_s: float, variance: float, k: float, position_lots: float, size_lots: float
) -> tuple[float, float]:
    """Return (inventory shift, half-spread) in ticks.

    gamma    : per (tick x lot), > 0;  horizon_s : seconds;  variance : ticks^2 per second, >= 0
    k        : per tick, > 0;  position_lots, size_lots : lots, size > 0
    source   : formulas d-1
    """
    risk = gamma * variance * horizon_s  # ticks per lot
    per_trade = gamma * size_lots
    edge = log1p(per_trade / k) / per_trade
    return -position_lots * risk, 0.5 * risk * size_lots + edge


@kernel
def targets(market: Record, trader: Record, desk: Record) -> int:
    """Lay the wanted quotes on the desk; returns how many."""
    params = trader["params"]
    k = intensity(market, params)[1]
    position_lots = desk["legs"][0]["position_lots"]
    inventory, half_spread = quote_terms(
        params[Param.GAMMA],
        params[Param.HORIZON_S],
        market["volatility"]["variance"],
        k,
        position_lots,
        params[LadderParam.SIZE_LOTS],
    )
    return lay_ladder(market, trader, desk, reference_ticks(market, params), inventory, half_spread)
