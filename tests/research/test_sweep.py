"""Sweeps: each set as its own backtest would be, the same results however they are run, nothing lost."""

import itertools
import json
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pyarrow.parquet as pq
import pytest

from makerside.journal.reader import read_journal
from makerside.journal.writer import JournalWriter
from makerside.model.errors import ConfigError, UserError
from makerside.model.event import Flag, Kind, event_t
from makerside.model.units import NEVER_NS
from makerside.research.backtest import Simulation, Tape, block_rows, run_backtest, with_fees
from makerside.research.facts import facts_of
from makerside.research.grid import expand, parameter_sets, parse_grid
from makerside.research.shards import run_shard
from makerside.research.summary import summarize
from makerside.research.sweep import (
    LOG_NAME,
    PLAN_NAME,
    TABLE_NAME,
    Progress,
    read_log,
    results_sha256,
    returns_matrix,
    run_sweep,
)
from makerside.research.sweep_charts import pareto
from makerside.research.sweep_summary import summarize_sweep, sweep_facts
from makerside.research.sweep_words import verdict_lines
from makerside.research.trial import Trial, share
from makerside.runtime.run import RunRecord
from sim.test_loop import random_recording

BASE = {
    "strategy": {"name": "glft", "size_usd": 20.0, "half_spread_min_bps": 0.5, "spacing_bps": 1.0},
    "risk": {"position_max_usd": 300.0},
    "pacing": {"flush_ms": 100.0},
    "simulation": {"entry_ms": 60.0, "response_ms": 35.0},
}
GRID = ["gamma_per_usd=0.1,500", "levels=1,2,3", "pacing.flush_ms=100,2000"]


@pytest.fixture(scope="module")
def recordings():
    rng = np.random.default_rng(11)
    return [random_recording(rng, 12_000)]


@pytest.fixture(scope="module")
def sets():
    return parameter_sets(expand(parse_grid(GRID), None, 1), None, [], BASE)


@pytest.fixture(scope="module")
def market(recordings, sets):
    return share(Tape.of(recordings, 0.0), sets[0].config)


@pytest.fixture(scope="module")
def trials(sets, market, tmp_path_factory):
    return run_sweep(sets, market, tmp_path_factory.mktemp("sweep") / "out", jobs=2)


def backtest_of(config, recordings, folder):
    """Return the summary of the single backtest of a set."""
    recordings = [replace(one, instrument=with_fees(one.instrument, config)) for one in recordings]
    with JournalWriter(folder / "journal.bin") as journal:
        run_backtest(config, recordings, journal)
    instruments = [one.instrument for one in recordings]
    tape = Tape.of(recordings, 0.0)
    record = RunRecord("backtest", config, instruments, tape.reference_ticks, False, {})
    facts = facts_of(record, read_journal(folder / "journal.bin"))
    return summarize(facts, None, None, {})


@pytest.mark.parametrize("index", [0, 5, 11])
def test_a_trial_is_the_backtest_of_its_set(index, sets, market, trials, recordings, tmp_path):
    trial = trials[index]
    summary = backtest_of(sets[index].config, recordings, tmp_path)
    assert trial.actions_digest == summary["actions_digest"]
    figures = trial.figures
    assert figures["fills"] == summary["fills"] > 0
    for ours, theirs in (
        ("net", "pnl_net"),
        ("realized", "pnl_realized"),
        ("unrealized", "pnl_unrealized"),
        ("fees", "fees"),
        ("volume", "volume"),
    ):
        assert float(figures[ours]) == float(summary[theirs]), ours
    assert float(figures["spread"]) == float(summary["pnl_parts"]["spread"])
    assert figures["orders_placed"] == summary["orders_placed"]
    assert figures["decisions"] == summary["decisions"]
    for one in summary["markouts"]:
        if one["gross_bps"] is not None:
            assert trial.markouts[f"{one['horizon_s']:g}"] == pytest.approx(one["gross_bps"], abs=1e-4)
        assert trial.equity_e8[-1] == (10_000 + Decimal(figures["net"])) * 10**8 // 1
    assert trial.equity_e8[0] == 10_000 * 10**8


def test_where_it_stops_changes_nothing(sets, market):
    """The same bytes of state: in one piece, in many, or in blocks that are nearly full."""
    states = []
    for stops, extra in (([], 1 << 14), (market.sample_ns[::3].tolist(), 1 << 14), ([], 1)):
        simulation = Simulation([sets[7].config], market.tape, [market.tape.instruments])
        block = np.zeros(block_rows(extra), event_t)
        for stop in [*stops, NEVER_NS]:
            simulation.advance(block, stop)
            while simulation.is_full:
                simulation.advance(block, stop)
        assert simulation.is_done
        simulation.settle()
        states.append(simulation.engine.state_bytes())
    assert states[0] == states[1] == states[2]


@pytest.mark.parametrize("decide_on", ["news", "timer"])
def test_a_world_among_many_is_the_world_alone(decide_on, sets, market):
    """Orders, money, strategy: every byte of account and trader, and every action."""
    base = {**BASE, "pacing": {"flush_ms": 100.0, "decide_on": decide_on}}
    configs = [one.config for one in parameter_sets(expand(parse_grid(GRID), None, 1), None, [], base)]

    def walk(configs, is_lean):
        simulation = Simulation(configs, market.tape, [market.tape.instruments] * len(configs), is_lean)
        block = np.zeros(block_rows(1 << 14, len(configs)), event_t)
        simulation.advance(block)
        while simulation.is_full:
            simulation.advance(block)
        simulation.settle()
        return [
            (engine.accounts.tobytes(), engine.traders.tobytes(), simulation.digest(w))
            for w, engine in enumerate(simulation.engines)
        ]

    together = walk(configs, True)
    assert [walk([config], False)[0] for config in configs] == together
    assert len(set(together)) > len(configs) // 2
    assert [walk([config], True)[0] for config in configs[:3]] == together[:3]


@pytest.mark.parametrize("jobs", [1, 4])
def test_results_do_not_depend_on_threads(jobs, sets, market, trials, tmp_path):
    assert results_sha256(run_sweep(sets, market, tmp_path / "out", jobs)) == results_sha256(trials)


def test_sets_differ(trials):
    assert len({trial.actions_digest for trial in trials}) > len(trials) // 2


def interrupt_after(n):
    """Return a progress callback that is interrupted when n more trials are done."""

    def look(at):
        look.seen.append(at.sets_done)
        if at.sets_done - look.seen[0] >= n:
            raise KeyboardInterrupt

    look.seen = []
    return look


def test_an_interrupted_sweep_goes_on(sets, market, trials, tmp_path):
    folder = tmp_path / "out"
    assert run_sweep(sets, market, folder, 2, interrupt_after(3), shard_max=2) is None
    kept = read_log(folder / LOG_NAME)
    assert 3 <= len(kept) < len(sets)
    assert not (folder / TABLE_NAME).exists()
    seen = []
    resumed = run_sweep(sets, market, folder, 2, seen.append)  # cut into other shards
    rows = len(market.tape.events)
    assert seen[0] == Progress(len(kept), len(sets), len(kept) * rows, len(sets) * rows)
    assert seen[-1] == Progress(len(sets), len(sets), len(sets) * rows, len(sets) * rows)
    assert all(a.rows_done <= b.rows_done for a, b in itertools.pairwise(seen))
    assert results_sha256(resumed) == results_sha256(trials)
    again = run_sweep(sets, market, folder, 2)  # complete: nothing runs
    assert results_sha256(again) == results_sha256(trials)


def test_a_torn_line_is_run_again(sets, market, trials, tmp_path):
    folder = tmp_path / "out"
    run_sweep(sets, market, folder, 2)
    log = folder / LOG_NAME
    whole = log.read_bytes()
    log.write_bytes(whole[: len(whole) - 100])
    assert results_sha256(run_sweep(sets, market, folder, 2)) == results_sha256(trials)
    assert len(log.read_bytes().splitlines()) == len(sets)


def test_another_sweep_does_not_mix_with_it(sets, market, trials, tmp_path):
    folder = tmp_path / "out"
    run_sweep(sets, market, folder, 2, interrupt_after(1), shard_max=1)
    with pytest.raises(UserError, match=r"holds another sweep \(sets was 12, is 6"):
        run_sweep(sets[:6], market, folder, 2)
    (folder / PLAN_NAME).write_text("{")
    with pytest.raises(UserError, match="cannot be read"):
        run_sweep(sets, market, folder, 2)


def test_folders_of_others_are_left_alone(sets, market, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match=r"holds notes.txt"):
        run_sweep(sets, market, tmp_path, 2)
    with pytest.raises(UserError, match="is a file"):
        run_sweep(sets, market, tmp_path / "notes.txt", 2)


def test_a_failing_shard_ends_the_sweep_with_its_error(sets, market, tmp_path, monkeypatch):
    from makerside.research import crew

    def failing(shared, shard, stop, on_rows):
        if shard[0].index == 4:
            raise ZeroDivisionError("a defect")
        return run_shard(shared, shard, stop, on_rows)

    monkeypatch.setattr(crew, "run_shard", failing)
    with pytest.raises(ZeroDivisionError, match="a defect"):
        run_sweep(sets, market, tmp_path / "out", 1, shard_max=2)
    assert 0 < len(read_log(tmp_path / "out" / LOG_NAME)) < len(sets)


def test_the_table_holds_every_trial(sets, market, trials, tmp_path):
    run_sweep(sets, market, tmp_path / "out", 2)
    table = pq.read_table(tmp_path / "out" / TABLE_NAME).to_pydict()
    assert table["index"] == list(range(len(sets)))
    assert table["strategy.levels"] == [one.settings["strategy.levels"] for one in sets]
    assert table["net"] == [trial.figures["net"] for trial in trials]
    assert table["equity_e8"] == [trial.equity_e8.tolist() for trial in trials]


def test_trials_come_back_from_their_line(trials):
    for trial in trials:
        again = Trial.from_dict(json.loads(json.dumps(trial.as_dict())))
        assert again.as_dict() == trial.as_dict()


def test_the_shared_market_is_what_a_lone_bot_sees(market):
    """Every touch change once, by time; and samples at equal distances up to the end."""
    trace = market.trace
    assert (np.diff(trace["ts_local_ns"]) >= 0).all()
    assert (trace["position_lots"] == 0).all()
    assert (trace["own_bid_ticks"] == 0).all()
    steps = np.diff(market.sample_ns)
    assert (steps == steps[0]).all()
    end_ns = int(market.tape.events["ts_local_ns"][-1])
    assert end_ns - steps[0] < market.sample_ns[-1] <= end_ns


def test_summary_and_verdict_say_the_same(trials, market, sets):
    facts = sweep_facts(trials, market)
    assert facts.ranked[0].trial.index == facts.verdict.best
    sharpes = [one.performance.sharpe_annual for one in facts.ranked]
    assert sharpes == sorted(sharpes, reverse=True)
    summary = json.loads(json.dumps(summarize_sweep(facts, {}, 1.0), allow_nan=False))
    assert summary["results_sha256"] == results_sha256(trials)
    assert summary["best"][0]["index"] == facts.verdict.best
    lines = verdict_lines(facts)
    assert lines[0] == ("There is a winner." if summary["verdict"]["has_winner"] else "No winner.")


def test_returns_after_ruin_are_none():
    equities = [[100, 50, 0, 10, 20], [100, 110, 121, 121, 242]]
    trials = [Trial(i, {}, {}, {}, "", np.array(e, np.int64)) for i, e in enumerate(equities)]
    returns = returns_matrix(trials)
    assert returns[:, 0].tolist() == [-0.5, -1.0, 0.0, 0.0]
    assert returns[:, 1] == pytest.approx([0.1, 0.1, 0.0, 1.0])


# The grid.


def test_grid_is_the_product_in_order():
    combinations = expand(parse_grid(["a=1,2", "risk.b=x,y,z"]), None, 1)
    expected = [{"strategy.a": a, "risk.b": b} for a, b in itertools.product("12", "xyz")]
    assert combinations == expected


def test_a_sample_is_drawn_without_repeats_and_by_its_seed():
    grid = parse_grid([f"k{i}=1,2,3,4,5" for i in range(4)])
    drawn = expand(grid, 50, 3)
    assert len({tuple(one.items()) for one in drawn}) == 50
    assert drawn == expand(grid, 50, 3)
    assert drawn != expand(grid, 50, 4)
    everything = expand(grid, None, 1)
    places = [everything.index(one) for one in drawn]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["gamma"], "write it as key=a,b,c"),
        (["gamma="], "write it as key=a,b,c"),
        (["gamma=1,,2"], "write it as key=a,b,c"),
        (["=1,2"], "write it as key=a,b,c"),
        (["gamma=1", "strategy.gamma=2"], "is given twice"),
        (["gamma=1,1"], "a value is given twice"),
        (["simulation.feed_ms=1,2"], "one for all sets"),
    ],
)
def test_grids_that_cannot_be_read(texts, words):
    with pytest.raises(ConfigError, match=words):
        parse_grid(texts)


def test_grids_that_are_too_large_or_too_small():
    grid = parse_grid([f"k{i}={','.join(map(str, range(10)))}" for i in range(6)])
    with pytest.raises(ConfigError, match="1,000,000 sets, and 1,000,000 are asked for; 1 to 100,000"):
        expand(grid, None, 1)
    assert len(expand(grid, 5, 1)) == 5
    with pytest.raises(ConfigError, match="the grid has 2 sets, and 3"):
        expand(parse_grid(["a=1,2"]), 3, 1)


def test_a_refused_set_is_named():
    with pytest.raises(ConfigError, match=r"set 1 \(strategy.gamma_per_usd=-1\): strategy.gamma_per_usd"):
        parameter_sets(expand(parse_grid(["gamma_per_usd=1,-1"]), None, 1), None, [], BASE)


def test_a_front_has_no_point_that_another_beats():
    points = [(1.0, 1.0), (2.0, 2.0), (0.5, 3.0), (3.0, 2.0), (2.9, 2.5)]
    assert pareto(points) == [0, 3]


def test_equity_is_told_while_the_book_is_empty(rng):
    """The asks are gone at the end: what we hold is worth what it was when both sides were there."""
    given = random_recording(rng, 6_000)
    last = given.events[-1:].copy()
    rows = np.concatenate([given.events, np.repeat(last, 400)])
    asks = np.unique(given.events["price_ticks"][(given.events["flags"] & Flag.SELL) != 0])[:400]
    tail = rows[len(given.events) :]
    tail["kind"], tail["size_lots"], tail["flags"] = Kind.DELTA, 0, Flag.SELL | Flag.LAST
    tail["price_ticks"] = np.resize(asks, len(tail))
    tail["ts_local_ns"] += np.arange(1, len(tail) + 1) * 10**9
    tail["ts_venue_ns"] = tail["ts_local_ns"]
    (one,) = parameter_sets([{"strategy.levels": "2"}], None, [], BASE)
    shared = share(Tape.of([replace(given, events=rows)], 0.0), one.config)
    (trial,) = run_shard(shared, [one])
    assert abs(trial.equity_e8 - 10_000 * 10**8).max() < 5_000 * 10**8
    assert trial.equity_e8[-1] == (10_000 + Decimal(trial.figures["net"])) * 10**8 // 1


def test_a_damaged_log_is_named_with_its_line(sets, market, tmp_path):
    folder = tmp_path / "out"
    run_sweep(sets, market, folder, 2)
    lines = (folder / LOG_NAME).read_bytes().splitlines(keepends=True)
    for bad in (b"nonsense\n", b'{"index": 1}\n', b"[]\n"):
        (folder / LOG_NAME).write_bytes(b"".join([*lines[:3], bad, *lines[4:]]))
        with pytest.raises(UserError, match="line 4 is no trial"):
            run_sweep(sets, market, folder, 2)
    (folder / PLAN_NAME).write_text("[]")
    with pytest.raises(UserError, match="cannot be read"):
        run_sweep(sets, market, folder, 2)
    with pytest.raises(UserError, match="cannot be used for a sweep"):
        run_sweep(sets, market, folder / LOG_NAME / "x", 2)
