"""Shards: all workers busy, nothing lost or doubled, and the same trials however the sets are cut."""

import itertools
import math
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from makerside.model.units import NS_PER_S
from makerside.research.backtest import Tape
from makerside.research.crew import ThreadCrew
from makerside.research.facts import fill_t
from makerside.research.grid import expand, parameter_sets, parse_grid
from makerside.research.holding import holding_of, pair
from makerside.research.shards import SETS_MAX, cut, likeness, run_shard
from makerside.research.sweep import results_sha256
from makerside.research.trial import Stopped, run_trial, share
from research.test_sweep import BASE
from sim.test_loop import random_recording


@pytest.fixture(scope="module")
def sets():
    return parameter_sets(
        expand(parse_grid(["gamma_per_usd=0.1,500", "levels=1,2,3"]), None, 1), None, [], BASE
    )


@pytest.fixture(scope="module")
def market(sets):
    tape = Tape.of([random_recording(np.random.default_rng(12), 6_000)], 0.0)
    return share(tape, sets[0].config)


@given(st.integers(0, 3_000), st.integers(1, 40), st.integers(1, SETS_MAX))
def test_every_set_is_in_one_shard_and_workers_have_equal_work(n, workers, sets_max):
    shards = cut(range(n), workers, sets_max)
    assert list(itertools.chain.from_iterable(shards)) == list(range(n))
    sizes = [len(shard) for shard in shards]
    if n == 0:
        assert shards == []
        return
    assert 1 <= min(sizes) <= max(sizes) <= min(sets_max, min(sizes) + 1)
    # Either everybody has a shard in every round, or there are too few sets for that.
    assert len(shards) % workers == 0 or len(shards) == n
    assert len(shards) == min(n, workers * math.ceil(n / (workers * sets_max)))  # no more rounds than it takes


def test_sets_that_see_the_same_market_are_alike():
    grid = parse_grid(["levels=1,2", "simulation.maker_fee_bps=0,1", "estimators.volatility_half_life_s=30,60"])
    sets = parameter_sets(expand(grid, None, 1), None, [], BASE)
    groups = {likeness(one) for one in sets}
    assert len(groups) == 4
    for one in sets:
        for other in sets:
            sees_same = all(one.settings[key] == other.settings[key] for key in list(grid)[1:])
            assert (likeness(one) == likeness(other)) == sees_same


def test_a_shard_gives_what_its_sets_give_alone(sets, market):
    together = run_shard(market, sets)
    for one, trial in zip(sets, together, strict=True):
        alone = run_trial(one.config, market, one.index, one.settings)
        assert trial.actions_digest == alone.actions_digest
        assert trial.equity_e8.tolist() == alone.equity_e8.tolist()
        assert alone.figures.items() <= trial.figures.items()
        assert trial.markouts == alone.markouts
    assert [trial.index for trial in together] == [one.index for one in sets]
    backwards = run_shard(market, sets[::-1])[::-1]
    assert results_sha256(backwards) == results_sha256(together)


def test_a_shard_says_how_far_it_is(sets, market):
    seen = []
    run_shard(market, sets, None, seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == len(market.tape.events)


def test_a_shard_stops_when_told(sets, market):
    stop = threading.Event()
    stop.set()
    with pytest.raises(Stopped):
        run_shard(market, sets[:1], stop)


def test_closing_the_crew_ends_its_work(sets, market):
    before = threading.active_count()
    many = sets * 50
    looks = ThreadCrew(2).run(market, cut(many, 2, 1))
    trials, _ = next(looks)
    looks.close()
    assert len(trials) < len(many) // 2
    assert threading.active_count() == before


# How long we hold.


def fills_from(rows):
    """Return fills from (seconds, side, lots) or (seconds, side, lots, price)."""
    fills = np.zeros(len(rows), fill_t)
    for fill, (seconds, side, lots, *price) in zip(fills, rows, strict=True):
        fill["ts_local_ns"], fill["side"], fill["size_lots"] = seconds * NS_PER_S, side, lots
        fill["price_ticks"] = price[0] if price else 100
    return fills


def naive_pairs(rows, end_s):
    """Return (seconds held, price) of every single lot, first in, first out, as a desk would book it."""
    open_lots, found = [], []
    for seconds, side, lots, price in rows:
        for _ in range(lots):
            if open_lots and open_lots[0][1] != side:
                since, _, paid = open_lots.pop(0)
                found.append((seconds - since, paid))
            else:
                open_lots.append((seconds, side, price))
    found += [(end_s - since, paid) for since, _, paid in open_lots]
    return sorted(found)


@given(
    st.lists(
        st.tuples(st.integers(0, 50), st.sampled_from([-1, 1]), st.integers(1, 5), st.integers(90, 110)),
        max_size=30,
    )
)
def test_lots_are_paired_first_in_first_out(steps):
    times = np.cumsum([step[0] for step in steps]).tolist()
    # One fill at a time: at one and the same time, who opened and who closed is a matter of order.
    rows = [
        (2 * t + i, side, lots, price)
        for i, (t, (_, side, lots, price)) in enumerate(zip(times, steps, strict=True))
    ]
    end_s = 1_000_000
    lots, held_ns, prices = pair(fills_from(rows), end_s * NS_PER_S)
    ours = sorted(
        (int(ns) // NS_PER_S, int(price))
        for n, ns, price in zip(lots, held_ns, prices, strict=True)
        for _ in range(n)
    )
    assert ours == naive_pairs(rows, end_s)


def test_holding_by_hand():
    fills = fills_from([(0, 1, 2), (10, -1, 3), (40, 1, 1), (50, 1, 1)])
    found = holding_of(fills, [10**8], 0, 100 * NS_PER_S)
    # Two lots for 10 s, one short for 30 s, one long until the end, 50 s: all of the same price.
    assert found.mean_ns == 25 * NS_PER_S
    assert found.high_ns == 50 * NS_PER_S
    assert found.inventory_usd == pytest.approx((2 * 10 + 30 + 50) * 100 / 100)
    assert found.position_usd_max == 200.0
    assert holding_of(fills[:0], [10**8], 0, NS_PER_S).mean_ns == 0
