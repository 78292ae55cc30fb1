"""Avellaneda-Stoikov as published: the horizon runs out, and the symmetric strategy that it is compared with.

    inventory    r = s - q gamma sigma^2 (T - t),  half-spread of what time is left (formulas d-1)
    symmetric    r = s,  half-spread constant: the time average of the other's over [0, T]

The clock starts at the first decision. Formula, variance and price rules are those of the shipped
`avellaneda_stoikov`; only the horizon and the missing skew differ. It is not offered by name: a bot whose
horizon is over has nothing left to say. `makerside validate` runs it.

Source: Avellaneda and Stoikov, Quantitative Finance 8(3), 2008, section 3.3. Pure.
"""

from collections.abc import MutableMapping
from enum import IntEnum

from makerside.core.kernel import Record, kernel
from makerside.core.quoting import add_quote
from makerside.model.units import BUY, NS_PER_S, SELL
from makerside.strategies.avellaneda_stoikov import quote_terms


class Param(IntEnum):
    """Indices of the settings."""

    GAMMA = 0  # per (tick x lot)
    K_PER_TICK = 1
    HORIZON_S = 2  # T
    IS_SYMMETRIC = 3
    SIZE_LOTS = 4


class State(IntEnum):
    """Indices of what is remembered."""

    HAS_BEGUN = 0
    START_NS = 1  # exact below 2^53 ns, a hundred days: simulated clocks start near 0


def fill_params(
    gamma: float, k_per_tick: float, horizon_s: float, is_symmetric: bool, params: MutableMapping[int, float]
) -> None:
    """Write the settings by index, size one lot. gamma : per (tick x lot)"""
    params[Param.GAMMA] = gamma
    params[Param.K_PER_TICK] = k_per_tick
    params[Param.HORIZON_S] = horizon_s
    params[Param.IS_SYMMETRIC] = float(is_symmetric)
    params[Param.SIZE_LOTS] = 1.0


@kernel
def targets(market: Record, trader: Record, desk: Record) -> int:
    """Lay one quote a side on the desk; returns how many."""
    params, state = trader["params"], trader["state"]
    if state[State.HAS_BEGUN] == 0.0:
        state[State.HAS_BEGUN] = 1.0
        state[State.START_NS] = float(desk["now_ns"])
    horizon_s = params[Param.HORIZON_S]
    left_s = max(0.0, horizon_s - (desk["now_ns"] - state[State.START_NS]) / NS_PER_S)
    position_lots = float(desk["legs"][0]["position_lots"])
    if params[Param.IS_SYMMETRIC] > 0.0:
        left_s = 0.5 * horizon_s
        position_lots = 0.0
    inventory, half_spread = quote_terms(
        params[Param.GAMMA],
        left_s,
        market["volatility"]["variance"],
        params[Param.K_PER_TICK],
        position_lots,
        params[Param.SIZE_LOTS],
    )
    lots = int(params[Param.SIZE_LOTS])
    n = 0
    for side in (BUY, SELL):
        n += add_quote(market, desk, 0, side, 0, lots, market["mid_ticks"], inventory, half_spread, 0.0)
    return n
