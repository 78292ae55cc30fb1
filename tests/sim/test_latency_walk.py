"""Latency laws inside the walk: what is measured is what was configured, alone or among other sets."""

from dataclasses import replace

import numpy as np
import pytest

from builders import IS_INTERPRETED, MS, config_of, events_of
from makerside.config.load import validate
from makerside.journal.reader import read_journal
from makerside.journal.writer import JournalWriter
from makerside.model.event import Flag
from makerside.research import backtest
from makerside.research.backtest import Tape, run_backtest, with_fees
from makerside.research.facts import facts_of
from makerside.research.grid import ParameterSet
from makerside.research.own_latency import own_latency
from makerside.research.own_orders import own_run
from makerside.research.replay import actions_digest, actions_sha256
from makerside.research.trial import run_trials, share
from makerside.runtime.run import RunRecord
from sim.test_loop import SETTINGS, Run, random_recording

ENTRY = ((0.0, 15.0), (0.5, 40.0), (0.9, 80.0), (1.0, 400.0))
RESPONSE = ((0.0, 5.0), (0.5, 10.0), (1.0, 60.0))
LAWS = {"simulation.entry_quantiles_ms": ENTRY, "simulation.response_quantiles_ms": RESPONSE}
# Lighter Standard, and Premium without LIT: venue rules, account types, 2026-07.
STANDARD = {"post_only_bump_ms": 200, "taker_bump_ms": 300, "cancel_bump_ms": 200}
PREMIUM = {"post_only_bump_ms": 0, "taker_bump_ms": 200, "cancel_bump_ms": 0}


@pytest.fixture(scope="module")
def recording():
    """A random market."""
    return random_recording(np.random.default_rng(12), events_of(30_000))


def delays_of(run):
    """Return the measured delays of a finished run, in ms: (by class, responses)."""
    instruments = run.result.engine.instruments
    record = RunRecord("backtest", run.config, instruments, run.result.engine.reference_ticks, False, {})
    found = own_latency([own_run("run", record, run.journal)])
    assert found.shift_ms == 0.0
    return found.entry_ms, found.response_ms


def check_law(found_ms, law, slack):
    """Assert that the quartiles of delays are those of a law, up to its orders waiting for one another."""
    shares, times = zip(*law, strict=True)
    assert found_ms.min() >= times[0]
    assert found_ms.max() <= times[-1] + 1e-6
    for quartile in (0.25, 0.5, 0.75):
        below = (found_ms <= np.interp(quartile, shares, times)).mean()
        assert below == pytest.approx(quartile, abs=slack)


@pytest.mark.skipif(IS_INTERPRETED, reason="too few orders for a distribution")
def test_the_round_trip_is_the_configured_one(recording, tmp_path):
    """Decisions a second apart: no order waits for an earlier one, so the draws are seen as they are."""
    apart = {"pacing.flush_ms": 1_000, "pacing.budget_per_s": 1_000}
    run = Run(tmp_path, [recording], {**LAWS, **apart})
    entry, responses = delays_of(run)
    n = len(entry["post_only"])
    assert n > 500
    slack = 4 * 0.5 / (n / 2) ** 0.5  # two orders of one decision are one message
    check_law(entry["post_only"], ENTRY, slack)
    check_law(entry["cancel"], ENTRY, slack)
    # Fills come in bursts, and then an answer waits for the one before it: slower, never faster.
    assert (responses >= 5.0).all()
    check_law(responses, RESPONSE, 0.06)


@pytest.mark.parametrize("tier", [STANDARD, PREMIUM], ids=["standard", "premium"])
def test_a_tier_is_felt_by_class(recording, tmp_path, tier):
    bumps = {f"simulation.{name}": ms for name, ms in tier.items()}
    run = Run(tmp_path, [recording], {**bumps, "simulation.entry_ms": 10})
    entry, _ = delays_of(run)
    assert len(entry["post_only"]) > 50
    assert set(entry["post_only"].tolist()) == {10.0 + tier["post_only_bump_ms"]}
    assert set(entry["cancel"].tolist()) == {10.0 + tier["cancel_bump_ms"]}
    assert all(action["flags"] & Flag.POST_ONLY for action in run.journal.actions if action["kind"] == 128)


def test_blocks_are_felt(recording, tmp_path):
    run = Run(tmp_path, [recording], {"simulation.block_ms": 70})
    rows, _ = run.reports()
    answered = rows["ts_venue_ns"][np.isin(rows["kind"], (32, 34))]
    assert len(answered) > 50
    assert set((answered % (70 * MS)).tolist()) <= {0, 1}, "makers first, cancels behind them"


def test_a_law_of_one_value_is_the_constant(recording, tmp_path):
    constant = Run(tmp_path, [recording], name="constant")
    laws = {
        "simulation.entry_quantiles_ms": ((0.0, 60.0), (1.0, 60.0)),
        "simulation.response_quantiles_ms": ((0.0, 35.0), (1.0, 35.0)),
    }
    drawn = Run(tmp_path, [recording], laws, name="drawn")
    assert constant.bytes == drawn.bytes


@pytest.mark.parametrize("more", [{}, {"simulation.cancel_bump_ms": 150}, {"simulation.block_ms": 70}])
@pytest.mark.parametrize("block_rows", [1, 2_000])
def test_where_a_walk_stops_changes_no_draw(recording, tmp_path, monkeypatch, block_rows, more):
    whole = Run(tmp_path, [recording], {**LAWS, **more}, name="whole")
    monkeypatch.setattr(backtest, "BLOCK_ROWS", block_rows)
    assert Run(tmp_path, [recording], {**LAWS, **more}, name="blocks").bytes == whole.bytes


def test_nothing_is_lost_on_the_way(recording, tmp_path):
    """Cancels that are faster than orders: every order ends once, and the ledger knows all fills."""
    more = {"simulation.post_only_bump_ms": 200, "pacing.flush_ms": 0}
    run = Run(tmp_path, [recording], {**LAWS, **more})
    account = run.result.engine.accounts[0]
    assert account["n_impossible"] == account["n_strange"] == account["n_duplicate_fills"] == 0
    assert run.result.engine.traders[0]["n_fills"] > 20
    instruments = run.result.engine.instruments
    record = RunRecord("backtest", run.config, instruments, run.result.engine.reference_ticks, False, {})
    assert facts_of(record, run.journal).engine.state_bytes() == run.result.engine.state_bytes()


def test_a_set_draws_the_same_alone_and_among_others(recording, tmp_path):
    """Sets of a sweep with laws of their own, against the backtest of each; other seeds draw otherwise."""
    configs = []
    for seed, gamma in ((1, 0.1), (2, 0.1), (1, 500.0)):
        more = {**LAWS, "simulation.latency_seed": seed, "strategy.gamma_per_usd": gamma}
        configs.append(config_of({**SETTINGS, **more}))
    configs.append(config_of(SETTINGS))
    sets = [ParameterSet(i, {}, config) for i, config in enumerate(configs)]
    market = share(Tape.of([recording]), configs[0])
    digests = [trial.actions_digest for trial in run_trials(sets, market)]
    assert len(set(digests)) == len(digests)
    for config, digest, one in zip(configs, digests, sets, strict=True):
        assert run_trials([one], market)[0].actions_digest == digest
        with JournalWriter(tmp_path / f"journal-{one.index}") as writer:
            given = replace(recording, instrument=with_fees(recording.instrument, config))
            simulated = run_backtest(config, [given], writer)
        assert actions_digest(read_journal(tmp_path / f"journal-{one.index}").actions) == digest
        assert simulated.n_actions > 100
    first = Run(tmp_path, [recording], LAWS, name="first")
    other = Run(tmp_path, [recording], {**LAWS, "simulation.latency_seed": 2}, name="other")
    assert actions_sha256(first.journal.actions) != actions_sha256(other.journal.actions)


def test_a_drawn_feed_delays_whole_messages(recording):
    config = config_of({"simulation.feed_quantiles_ms": RESPONSE})
    late, plain = Tape.of([recording], config.simulation), Tape.of([recording])
    delay = late.events["ts_local_ns"] - plain.events["ts_local_ns"]
    assert delay.min() >= 5 * MS
    assert 8 * MS <= np.median(delay) <= 30 * MS
    assert (np.diff(late.events["ts_local_ns"]) >= 0).all()
    assert (late.order == plain.order).all(), "the exchange sees what it saw"
    assert validate(config.model_dump(mode="json")) == config, "a run's record holds the law"
