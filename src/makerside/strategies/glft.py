"""Gueant-Lehalle-Fernandez-Tapia quotes: the asymptotic closed form (formulas d-3).

    c1 = ln(1 + xi delta / k) / (xi delta)
    c2 = sqrt( gamma / (2 A delta k) (1 + xi delta / k)^(k / (xi delta) + 1) )
    half-spread = c1 + delta/2 sigma c2        shift = -q sigma c2

Units: prices in ticks, sizes in lots: sigma in ticks per sqrt(s), A per second, k per tick, delta the
size of one quote in lots, q the position in lots, gamma and xi per (tick x lot). xi = gamma is the
risk-averse form, xi -> 0 the one that is risk-neutral towards execution: c1 -> 1/k, the power -> e.

Source: Gueant, Optimal market making, arXiv 1605.01862, eqs 4.6 and 4.7. It assumes arrivals of
A exp(-k d) on both sides and a long horizon, and it does not know the queue.
"""

import math
from collections.abc import MutableMapping
from enum import IntEnum

from pydantic import Field

from makerside.core.kernel import Record, kernel
from makerside.core.numbers import exp, log1p
from makerside.strategies.ladder import (
    FIRST_FREE,
    LadderConfig,
    LadderParam,
    intensity,
    lay_ladder,
    reference_ticks,
)

E = 2.718281828459045
TINY = 1e-300  # xi delta / k below this: 1/x is no number any more, and the limit is exact


class Param(IntEnum):
    """Indices of this strategy's settings behind the ladder's."""

    GAMMA = FIRST_FREE  # per (tick x lot)
    XI = FIRST_FREE + 1  # per (tick x lot)
    SKEW = FIRST_FREE + 2


class Config(LadderConfig):
    """Settings of GLFT."""

    gamma_per_usd: float = Field(0.1, gt=0, description="aversion to inventory risk [1/USD]")
    xi_per_usd: float | None = Field(
        None, ge=0, description="aversion to execution risk [1/USD]; 0 is risk-neutral; default: gamma"
    )
    intensity_a_per_s: float = Field(0.5, gt=0, description="A until fitted, or fixed [1/s per side]")
    skew: float = Field(1.0, ge=0, le=10, description="factor on the inventory shift; 1 is the model's")


def fill_params(config: Config, unit_value_usd: float, params: MutableMapping[int, float]) -> None:
    """Write this strategy's own parameters, in kernel units, by index."""
    xi = config.gamma_per_usd if config.xi_per_usd is None else config.xi_per_usd
    params[Param.GAMMA] = config.gamma_per_usd * unit_value_usd
    params[Param.XI] = xi * unit_value_usd
    params[Param.SKEW] = config.skew
    params[LadderParam.A_PER_S] = config.intensity_a_per_s


@kernel
def coefficients(gamma: float, xi: float, a: float, k: float, size_lots: float) -> tuple[float, float]:
    """Return (c1, c2) of d-3.

    gamma, xi : per (tick x lot), gamma > 0, xi >= 0;  a : per second, > 0;  k : per tick, > 0
    size_lots : delta, > 0
    returns   : c1 in ticks, c2 in sqrt(s) per lot
    """
    x = xi * size_lots / k
    if x < TINY:
        c1 = 1.0 / k
        growth = E
    else:
        c1 = log1p(x) / (xi * size_lots)
        growth = exp((1.0 / x + 1.0) * log1p(x))
    c2 = math.sqrt(gamma / (2.0 * a * size_lots * k) * growth)
    return c1, c2


@kernel
def targets(market: Record, trader: Record, desk: Record) -> int:
    """Lay the wanted quotes on the desk; returns how many."""
    params = trader["params"]
    a, k = intensity(market, params)
    size_lots = params[LadderParam.SIZE_LOTS]
    c1, c2 = coefficients(params[Param.GAMMA], params[Param.XI], a, k, size_lots)
    sigma = math.sqrt(market["volatility"]["variance"])
    inventory = -desk["legs"][0]["position_lots"] * sigma * c2 * params[Param.SKEW]
    half_spread = c1 + 0.5 * size_lots * sigma * c2
    return lay_ladder(market, trader, desk, reference_ticks(market, params), inventory, half_spread)
