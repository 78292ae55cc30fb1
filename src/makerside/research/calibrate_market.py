"""Calibration of a market model by simulation: indirect inference.

The model is run, the same facts are counted in its rows as were counted in the recording, and the model's
numbers are moved by the ratio of wanted to found. Rounds are bounded and seeded; so is the result.

Source of the idea: Gouriéroux, Monfort, Renault, "Indirect inference", J. Applied Econometrics 8 (1993).

May import model, core and sim. Called by `fit_market.py`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from makerside.model.event import event_t
from makerside.model.instrument import Instrument
from makerside.model.units import NS_PER_S
from makerside.research.flow_facts import FlowFacts, flow_facts
from makerside.research.market_facts import MarketFacts, facts_of, walk_market
from makerside.sim.market_model import MarketModel
from makerside.sim.synthetic import generate, open_market

Progress = Callable[[int, int], None]

ROWS_MAX = 6_000_000
LEVEL_MIN, LEVEL_MAX = 0.1, 4.0  # of the usual size of a level over its mean
JUMP_SHARE_MIN = 0.02  # of the variance
RUSH_MIN_PER_S, RUSH_MAX_PER_S = 0.1, 500.0
_BLOCK_ROWS = 200_000


@dataclass(frozen=True, slots=True)
class Counted:
    """What is compared between a recording and the model: the same function gives both."""

    facts: MarketFacts
    flow: FlowFacts


def synthetic_rows(
    model: MarketModel, instrument: Instrument, seconds: float, seed: int, price: float | None = None
) -> NDArray[Any]:
    """Return the first rows of a synthetic market.

    price   : where it opens; the model's own when not given
    returns : (n,) event_t, at most ROWS_MAX rows
    """
    states = open_market(model, instrument, price or model.price, seed)
    until_ns = int(states[0]["ts_open_ns"] + seconds * NS_PER_S)
    parts, total = [], 0
    out = np.zeros(_BLOCK_ROWS, event_t)
    while total < ROWS_MAX:
        n = generate(states[0], until_ns, out, len(out))
        if n == 0:
            break
        parts.append(out[:n].copy())
        total += n
    return np.concatenate(parts)[:ROWS_MAX]


def count(events: NDArray[Any], instrument: Instrument, edges_steps: tuple[int, ...]) -> Counted:
    """Return the facts and the flow of rows; DataError when they show no market."""
    return Counted(
        facts_of(walk_market(events, instrument), instrument), flow_facts(events, instrument, edges_steps)
    )


def calibrate(
    model: MarketModel,
    instrument: Instrument,
    wanted: Counted,
    rounds: int,
    round_s: float,
    seed: int,
    on_progress: Progress | None = None,
) -> MarketModel:
    """Return the model moved so that its rows count as wanted; rounds of round_s seconds each."""
    for i in range(rounds):
        rows = synthetic_rows(model, instrument, round_s, seed + i)
        found = count(rows, instrument, wanted.flow.edges_steps)
        # Later rounds move less, so that their noise averages out.
        model = _moved(model, wanted, found, weight=0.7 / (1.0 + max(0, i - rounds // 2) / 3.0))
        if on_progress is not None:
            on_progress(i + 1, rounds)
    return model.rounded()


def _within(value: float, low: float, high: float) -> float:
    return min(high, max(low, value))


def _ratio(wanted: float, found: float, weight: float) -> float:
    """Return by what to multiply a number that raises what was found; bounded, 1 where nothing is known."""
    if not (wanted > 0 and found > 0 and math.isfinite(wanted) and math.isfinite(found)):
        return 1.0
    return math.pow(_within(wanted / found, 0.5, 2.0), weight)


def _ratios(wanted: NDArray[Any], found: NDArray[Any], weight: float) -> NDArray[np.float64]:
    return np.array([_ratio(float(a), float(b), weight) for a, b in zip(wanted, found, strict=True)])


def _moved(model: MarketModel, wanted: Counted, found: Counted, weight: float) -> MarketModel:
    """Return the model after one round."""
    flow, now = wanted.flow, found.flow
    arrivals = np.array(model.arrivals_per_s) * _ratios(flow.arrivals_per_s, now.arrivals_per_s, weight)
    cancels = np.array(model.cancels_per_s) * _ratios(flow.cancels_per_s, now.cancels_per_s, weight)
    levels = np.array(model.level_usd) * _ratios(flow.level_lots, now.level_lots, 0.5 * weight)
    # Below the usual size only the quotient of rate and size matters: keep the size near the mean.
    depths = np.array(model.depth_usd)
    usual = np.clip(levels, LEVEL_MIN * depths, LEVEL_MAX * depths)
    cancels *= usual / levels
    model = replace(
        model,
        arrivals_per_s=tuple(arrivals.tolist()),
        cancels_per_s=tuple(cancels.tolist()),
        level_usd=tuple(np.maximum(usual, 1.0).tolist()),
    )
    model = _moved_trades(model, wanted.facts, found.facts, weight)
    return _moved_price(model, wanted.facts, found.facts, weight)


def _moved_trades(model: MarketModel, want: MarketFacts, have: MarketFacts, weight: float) -> MarketModel:
    """Move how many trades there are, how alike their signs, and how many meet stale quotes."""
    prints = _ratio(
        want.prints_per_minute * have.trades_per_minute, want.trades_per_minute * have.prints_per_minute, weight
    )
    signs = _ratio(
        want.sign_autocorrelation_5 * want.sign_autocorrelation_20,
        have.sign_autocorrelation_5 * have.sign_autocorrelation_20,
        0.5 * weight,
    )
    rush = model.rush_per_s * _ratio(want.markout_bps_100ms, have.markout_bps_100ms, weight)
    return replace(
        model,
        trades_per_s=model.trades_per_s * _ratio(want.trades_per_minute, have.trades_per_minute, weight),
        prints_per_trade=max(1.0, model.prints_per_trade * prints),
        sign_weights=tuple(signs * each for each in model.sign_weights),
        rush_per_s=_within(rush, RUSH_MIN_PER_S, RUSH_MAX_PER_S),
    )


def _moved_price(model: MarketModel, want: MarketFacts, have: MarketFacts, weight: float) -> MarketModel:
    """Move what drives the price: spread, impact, how much of it is expected, and jumps."""
    wide = _ratio(1.0 - want.spread_min_share, 1.0 - have.spread_min_share, weight)
    over = _ratio(want.spread_bps_mean - model.step_bps, have.spread_bps_mean - model.step_bps, weight)
    widest = max(model.step_bps, 2.0 * want.spread_bps_p90)
    near = _ratio(want.markout_bps_1s, have.markout_bps_1s, weight)
    far = _ratio(want.markout_bps_10s, have.markout_bps_10s, weight)
    impact = model.impact_bps * math.sqrt(near * _ratio(want.markout_bps_5s, have.markout_bps_5s, weight))
    # Markouts grow with the horizon when the expected part of the flow still moves the price.
    share = model.impact_expected_share - 0.5 * weight * math.log(far / near)
    moves = _ratio(have.touch_moves_per_s, want.touch_moves_per_s, 0.5 * weight)
    wanted = want.volatility_bps_1s * want.volatility_bps_10s
    found = have.volatility_bps_1s * have.volatility_bps_10s
    floor = JUMP_SHARE_MIN * wanted
    variance = 2.0 * model.jumps_per_s * model.jump_bps**2 + weight * (wanted - found)
    if not variance > floor:
        # Trades alone move the price too much: volatility and markouts share the difference.
        variance = floor
        impact *= math.sqrt(_ratio(wanted, found, weight))
    return replace(
        model,
        wide_share=_within(model.wide_share * wide, 1e-4, 1.0),
        half_spread_bps=_within(model.half_spread_bps * over / wide, 0.25 * model.step_bps, widest),
        impact_bps=impact,
        impact_expected_share=_within(share, -1.0, 1.0),
        tolerance_bps=_within(model.tolerance_bps * moves, 0.01 * model.step_bps, 2.0 * want.volatility_bps_1s),
        jump_bps=math.sqrt(variance / (2.0 * model.jumps_per_s)),
    )
