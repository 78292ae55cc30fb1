"""Fit the synthetic market to a recording: a first estimate by counting, then calibration by simulation.

What can be counted is counted (rates, sizes, trades, signs: `flow_facts.py`, `fit_trades.py`). What cannot,
because prices and quotes interact, is found by running the model and comparing (`calibrate_market.py`).

May import model, core, sim and journal. Next: docs/synthetic-market.md.
"""

import math
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from makerside.journal.recording import Recording
from makerside.model.errors import DataError
from makerside.model.event import Kind
from makerside.model.instrument import Instrument
from makerside.model.units import NS_PER_S
from makerside.research.calibrate_market import Counted, Progress, calibrate, count
from makerside.research.fit_trades import SIGN_KEEPS, fit_excitation, fit_signs, size_table
from makerside.research.flow_facts import band_edges
from makerside.research.market_facts import Walk, markout_bps, trades_of, walk_market
from makerside.sim.market_model import MarketModel
from makerside.sim.regrid import regrid

REACH_BPS = 15.0
STEPS_MAX = 1000
TRADES_MIN = 20
ROUNDS = 40
ROUND_S = 1200.0  # of synthetic market per round
FIT_SEED = 20240718
_BPS = 1e4
_SPEED_MIN, _SPEED_MAX = 2.0, 200.0  # of repricing, per s
_REFILL_MAX = 1000.0
RUSH_PER_S = 20.0  # until the markout after 100 ms says better


def fit_market(
    recording: Recording,
    target: Instrument | None = None,
    *,
    rounds: int = ROUNDS,
    round_s: float = ROUND_S,
    seed: int = FIT_SEED,
    on_progress: Progress | None = None,
) -> MarketModel:
    """Return the model of a recording, on the grid of the target when one is given.

    rounds, round_s : of calibration; the time it takes is proportional to their product
    on_progress     : called with (rounds done, rounds in all)
    errors          : DataError when the recording is too short or has no trades, or shows no book
    """
    instrument = target or recording.instrument
    events = recording.events
    if target is not None:
        events, _ = regrid(events, recording.instrument, target)
    walk = walk_market(events, instrument)
    if len(walk.prints) < TRADES_MIN:
        raise DataError(
            f"{recording.path}: {len(walk.prints)} trades; a market model needs at least {TRADES_MIN}"
        )
    counted = count(events, instrument, band_edges(reach_steps(walk)))
    model = first_estimate(recording, events, instrument, walk, counted)
    return calibrate(model, instrument, counted, rounds, round_s, seed, on_progress)


def reach_steps(walk: Walk) -> int:
    """Return how many steps behind the touch the feed usually shows, up to REACH_BPS."""
    step_bps = _step_bps(walk)
    shown = float(np.quantile(walk.depths["shown_ticks"], 0.1)) / float(np.median(walk.touches["step_ticks"]))
    return int(max(2, min(REACH_BPS / step_bps, shown, STEPS_MAX)))


def _step_bps(walk: Walk) -> float:
    return float(np.median(walk.touches["step_ticks"] / walk.mids) * _BPS)


def first_estimate(
    recording: Recording, events: NDArray[Any], instrument: Instrument, walk: Walk, counted: Counted
) -> MarketModel:
    """Return the model with everything that counting tells, and guesses for the rest."""
    facts, flow = counted.facts, counted.flow
    trades = trades_of(walk.prints)
    known = trades[trades["side"] != 0]
    price_ticks = float(np.median(walk.mids))
    unit_usd = price_ticks * float(instrument.tick_size * instrument.lot_size * instrument.multiplier)
    step_bps = _step_bps(walk)
    branching, decay = fit_excitation(trades["ts_ns"])
    per_level = np.append(1.0, np.full(len(flow.level_lots) - 1, 1.0 / step_bps))
    depth_usd = tuple(np.maximum(1.0, flow.level_lots * unit_usd * per_level).tolist())
    variance = facts.volatility_bps_1s**2
    jumps_per_s = max(0.02, 0.25 * facts.touch_moves_per_s)
    begun = datetime.fromtimestamp(int(events["ts_local_ns"][0]) / NS_PER_S, UTC)
    return MarketModel(
        name=instrument.symbol,
        venue=recording.instrument.venue,
        symbol=recording.instrument.symbol,
        source=f"{recording.path.name}, on the grid of {instrument.venue} {instrument.symbol}",
        date=begun.strftime("%Y-%m-%dT%H:%M:%SZ"),
        duration_s=round(facts.duration_s, 1),
        n_rows=len(events),
        price=price_ticks * float(instrument.tick_size),
        step_bps=step_bps,
        edges_bps=tuple(edge * step_bps for edge in flow.edges_steps),
        arrivals_per_s=tuple(flow.arrivals_per_s.tolist()),
        cancels_per_s=tuple(flow.cancels_per_s.tolist()),
        level_usd=depth_usd,
        depth_usd=depth_usd,
        arrival_usd=tuple(size_table(sizes, unit_usd) for sizes in flow.arrival_lots),
        cancel_usd=tuple(size_table(sizes, unit_usd) for sizes in flow.cancel_lots),
        improve_usd=size_table(flow.improve_lots if len(flow.improve_lots) else flow.arrival_lots[0], unit_usd),
        wide_share=max(0.001, 1.0 - facts.spread_min_share),
        half_spread_bps=max(step_bps, 0.5 * (facts.spread_bps_mean - step_bps)),
        tolerance_bps=step_bps,
        reprice_per_s=_reprice_per_s(walk, known),
        refill_per_s=_refill_per_s(walk),
        trades_per_s=facts.trades_per_minute / 60.0,
        branching=branching,
        excitation_per_s=decay,
        rush_per_s=RUSH_PER_S,
        trade_usd=size_table(trades["size_lots"], unit_usd),
        prints_per_trade=max(1.0, facts.prints_per_minute / facts.trades_per_minute),
        sign_weights=fit_signs(known["side"]),
        sign_keeps=SIGN_KEEPS,
        impact_bps=max(0.0, _or_zero(facts.markout_bps_1s)),
        impact_expected_share=0.5,
        jumps_per_s=jumps_per_s,
        jump_bps=math.sqrt(0.25 * variance / jumps_per_s),
        message_ms=_message_ms(events),
        notes=_what_is_not_identified(events),
    )


def _or_zero(value: float) -> float:
    return value if math.isfinite(value) else 0.0


def _what_is_not_identified(events: NDArray[Any]) -> tuple[str, ...]:
    """Return what the kind of feed keeps from us, in words."""
    if (events["kind"] == Kind.DELTA).any():
        return ()
    return (
        "the feed has snapshots only: arrivals and cancels are net changes between snapshots, not orders;"
        " sizes, spread, trades and volatility are as recorded",
    )


def _reprice_per_s(walk: Walk, trades: NDArray[Any]) -> float:
    """Return the rate at which the mid's response to a trade approaches that after one second."""
    full = _or_zero(markout_bps(walk, trades, 1.0))
    for delay_s in np.geomspace(0.002, 0.5, 24).tolist():
        if full > 0 and markout_bps(walk, trades, delay_s) >= 0.5 * full:
            return float(min(_SPEED_MAX, max(_SPEED_MIN, math.log(2.0) / delay_s)))
    return _SPEED_MIN


def _refill_per_s(walk: Walk) -> float:
    """Return one over the mean time that a spread above its minimum lasts."""
    touches = walk.touches
    is_wide = (touches["ask_ticks"] - touches["bid_ticks"] > touches["step_ticks"])[:-1]
    begins = int(np.count_nonzero(np.diff(is_wide.astype(int)) == 1))
    seconds = float(np.diff(touches["ts_ns"])[is_wide].sum()) / NS_PER_S
    return min(_REFILL_MAX, max(1.0, begins / seconds)) if seconds > 0 else _REFILL_MAX


def _message_ms(events: NDArray[Any]) -> float:
    """Return the median time between messages of several rows: how long a change may wait."""
    last = np.flatnonzero(events["flags"] & 1)
    sizes = np.diff(np.append(-1, last))
    is_deep = (events["kind"][last] == Kind.DELTA) & (sizes > 2)
    times = events["ts_local_ns"][last[is_deep]]
    return float(min(100.0, max(1.0, np.median(np.diff(times)) / 1e6))) if len(times) > 10 else 50.0
