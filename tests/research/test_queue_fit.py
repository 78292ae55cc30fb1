"""The queue exponent from own fills: paths agree with the exchange, exponents come back, bands cover."""

from pathlib import Path

import numpy as np
import pytest

from builders import (
    IS_INTERPRETED,
    MS,
    START_NS,
    book_row,
    config_of,
    plain,
    tape,
    trade,
)
from makerside.journal.reader import read_journal
from makerside.journal.recording import Recording
from makerside.journal.writer import JournalWriter
from makerside.model.event import Kind
from makerside.model.units import ASK, BID, BUY, SELL
from makerside.research.backtest import run_backtest
from makerside.research.order_flow import FlowLaw, synthetic_flow
from makerside.research.own_orders import own_run
from makerside.research.queue_fit import INFORMATIVE_NEEDED, Paths, fit_queue
from makerside.research.queue_margins import score_paths
from makerside.research.queue_paths import paths_of, slack_of
from makerside.research.queue_truth import Trial, queue_truth
from makerside.runtime.run import RunRecord
from makerside.sim.build import QUEUES
from makerside.sim.records import QueueModel, client_order_t
from research.own_runs import fifo_run, market_rows

pytestmark = pytest.mark.skipif(IS_INTERPRETED, reason="hours of market: too slow interpreted")

SMALL_ORDERS = {"adds_per_s": 20.0, "takers_per_s": 0.5, "taker_lots": 60.0, "order_lots": 3.0}
AT_THE_TOUCH = {
    "strategy.name": "glft",
    "strategy.size_usd": 0.15,
    "strategy.half_spread_min_bps": 4.9,
    "strategy.half_spread_max_bps": 4.9,
    "strategy.skew": 0,
    "risk.position_max_usd": 100_000,
    "risk.total_max_usd": 1_000_000,
    "pacing.flush_ms": 0,
    "pacing.hysteresis_bps": 1,
    "pacing.budget_per_s": 1_000,
    "simulation.entry_ms": 30,
}
WANDERING = {**AT_THE_TOUCH, "strategy.levels": 3, "strategy.spacing_bps": 10, "strategy.size_step": 2}


def backtested(folder, rows, settings):
    """Return a backtest as calibration reads it."""
    config, path = config_of(settings), folder / "journal"
    recording = Recording(Path("random"), plain(), rows, {})
    with JournalWriter(path) as writer:
        made = run_backtest(config, [recording], writer)
    record = RunRecord("backtest", config, [plain()], made.engine.reference_ticks, False, {})
    return own_run("test", record, read_journal(path))


def quiet_market(seed, hours=2.0):
    """Return a market whose touch stays, as a backtest's recording."""
    rows = market_rows(synthetic_flow(FlowLaw(10.0, 0.04, 0.5, 3.0, 40.0), hours * 3_600, seed))
    rows["ts_venue_ns"] += START_NS
    rows["ts_local_ns"] = rows["ts_venue_ns"] + 5_000_000
    return rows


def wandering_market(seed, n=20_000, levels=4):
    """Return a market that moves a tick now and then: snapshots, best prices, deltas, prints of any size."""
    rng, bid, ts, parts = np.random.default_rng(seed), 1_000, START_NS, []
    for i in range(n):
        ts += int(rng.exponential(50 * MS))
        side, lots = int(rng.integers(0, 2)), int(rng.integers(1, 40))
        touch_ticks = bid + side
        draw = rng.random()
        if draw < 0.03 or i == 0:
            bid += 0 if i == 0 else int(rng.integers(-1, 2))
            both = [(s, bid + s + (k if s else -k)) for s in (BID, ASK) for k in range(levels)]
            lots = rng.integers(1, 40, len(both)).tolist()
            for j, (s, price) in enumerate(both):
                parts.append(book_row(Kind.SNAPSHOT, s, price, lots[j], ts, last=j == len(both) - 1))
        elif draw < 0.1:
            parts.append(book_row(Kind.BBO, side, touch_ticks, lots, ts))
        elif draw < 0.25:
            parts.append(trade(BUY if side == ASK else SELL, touch_ticks, lots, ts))
        else:
            behind = int(rng.integers(0, levels))
            parts.append(book_row(Kind.DELTA, side, touch_ticks + (behind if side else -behind), lots, ts))
    return tape(parts)


def lot_of(run):
    """Return one lot of a run's market in coins."""
    return float(run.record.instruments[0].lot_size)


def fitted(*runs):
    """Return the fit of some runs."""
    fit, _ = fit_queue([Paths(*paths_of(run, 0)[:2], slack_of(run), lot_of(run)) for run in runs])
    return fit


@pytest.mark.parametrize("queue", list(QUEUES))
@pytest.mark.parametrize("market", ["quiet", "wandering"])
def test_paths_tell_what_the_exchange_did(tmp_path, queue, market):
    """By the model that ran, no print that left an order alone should have filled it; each that did should."""
    if market == "quiet":
        run = backtested(tmp_path, quiet_market(3, 0.5), {**AT_THE_TOUCH, "simulation.queue": queue})
    else:
        run = backtested(tmp_path, wandering_market(4), {**WANDERING, "simulation.queue": queue})
    orders, path, exposure_s = paths_of(run, 0)
    passed, reached = np.full((2, len(orders), 1), -np.inf)
    scratch = np.zeros(1, client_order_t)
    score_paths(path, orders, 0, QUEUES[queue], np.array([3.0]), lot_of(run), passed, reached, scratch)
    assert (reached > -np.inf).sum() > 20, "some were filled by a print at their price"
    assert (passed < 0).all()
    assert (reached[reached > -np.inf] >= 0).all()
    ends = np.where(orders["fill_ns"] > 0, orders["fill_ns"], orders["end_ns"])
    stood_s = (ends - orders["rested_ns"]).sum() / 1e9
    # Where the book is locked or crossed there is no mid to be distant from.
    assert 0.9 * stood_s <= exposure_s.sum() <= stood_s + 1e-6


@pytest.mark.parametrize(("queue", "exponent"), [("power", 2.0), ("power2", 1.6), ("power3", 0.5)])
def test_a_known_exponent_comes_back(tmp_path, queue, exponent):
    """A backtest with an exponent that is no default: the family is found, the band is narrow and holds it."""
    settings = {**AT_THE_TOUCH, "simulation.queue": queue, "simulation.queue_exponent": exponent}
    fit = fitted(backtested(tmp_path, quiet_market(5), settings))
    assert fit.family.name.lower() == queue
    assert fit.low <= exponent <= fit.high
    assert fit.low <= fit.middle <= fit.high
    assert fit.high / fit.low < 1.15
    assert abs(fit.middle / exponent - 1) < 0.03
    assert {fit.slow, fit.fast} == {fit.low, fit.high}
    assert min(fit.behind.values()) > 10


@pytest.mark.parametrize("back_bias", [0.0, -0.7, 1.2])
def test_a_fitted_model_halves_the_error_of_the_best_default(back_bias):
    """Many small orders, first in first out, cancels by rank: the truth is power3(1 + back_bias).

    Fill times on a market of another seed, against every model with its default exponent.
    """
    law = FlowLaw(back_bias=back_bias, **SMALL_ORDERS)
    fit = fitted(fifo_run(synthetic_flow(law, 3_600, 1), every_s=10.0))
    trial = Trial(every_s=15, horizon_s=60, levels=1, warmup_s=100)
    exponent = round(fit.middle, 3)
    _, rows = queue_truth(synthetic_flow(law, 2_400, 77), (3.0, exponent), trial)
    error_s = {row.model: row.error_abs_s.value for row in rows}
    ours = error_s[f"{fit.family.name.lower()}({exponent:g})"]
    best = min(error_s[name] for name in error_s if "(" not in name or name.endswith("(3)"))
    assert ours < 0.5 * best
    if back_bias != 0.0:
        assert fit.family == QueueModel.POWER3
    assert abs(fit.middle / (1 + back_bias) - 1) < 0.12


def test_runs_add_up():
    """Two runs of one market: as many orders as both, and a band that is not wider."""
    law = FlowLaw(back_bias=1.2, **SMALL_ORDERS)
    one, other = (fifo_run(synthetic_flow(law, 1_800, seed), every_s=10.0) for seed in (1, 2))
    alone, together = fitted(one), fitted(one, other)
    assert together.n_orders == len(one.orders) + len(other.orders)
    assert together.high / together.low < 1.05 * alone.high / alone.low


def test_too_little_is_no_fit():
    run = fifo_run(synthetic_flow(FlowLaw(**SMALL_ORDERS), 420, 1))
    fit, n = fit_queue([Paths(*paths_of(run, 0)[:2], 0, lot_of(run))])
    assert fit is None
    assert 0 < n < INFORMATIVE_NEEDED


def test_the_same_runs_give_the_same_fit_and_progress_is_told():
    run = fifo_run(synthetic_flow(FlowLaw(**SMALL_ORDERS), 1_800, 1))
    paths, told = [Paths(*paths_of(run, 0)[:2], 0, lot_of(run))], []
    first = fit_queue(paths, 1, lambda done, total: told.append((done, total)))
    assert fit_queue(paths, 1) == first
    assert told == sorted(told)
    assert told[-1][0] <= told[-1][1]
