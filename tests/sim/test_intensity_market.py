"""The market of intensities: its fills by hand, and whole paths through `step` against a plain simulation."""

import math

import numpy as np
import pytest

from builders import events_of
from makerside.model.units import BUY, E8, SELL
from makerside.research.validation import avellaneda_stoikov as paper
from makerside.research.validation.avellaneda_stoikov import Case, make_engine, make_house, run_case
from makerside.sim.intensity_market import FillModel, fill_probability
from makerside.sim.random import seed_random
from reference.intensity_market import Path

LINEAR = Case(0.1, False, 65.0)
SYMMETRIC = Case(0.1, True, 68.4)
EXACT = Case(0.1, False, 57.17, fills=FillModel.EXACT)
AVERSE = Case(1.0, False, 31.4)
PATHS = events_of(24)


def plain_paths(case, n, seed):
    """Return the same paths, told without the engine."""
    random = make_house(case, seed)[0]["random"]
    seed_random(random, seed)
    return [
        Path(
            random,
            gamma=case.gamma * paper.TICK_SIZE,
            k=paper.K * paper.TICK_SIZE,
            a=paper.A_PER_S,
            dt=paper.HORIZON_S / paper.PERIODS,
            periods=paper.PERIODS,
            move=paper.MOVE_TICKS,
            start=round(paper.PRICE / paper.TICK_SIZE),
            variance=paper.MOVE_TICKS**2 * paper.PERIODS / paper.HORIZON_S,
            horizon=paper.HORIZON_S,
            is_symmetric=case.is_symmetric,
            is_exact=case.fills == FillModel.EXACT,
        ).run()
        for _ in range(n)
    ]


@pytest.mark.parametrize("case", [LINEAR, SYMMETRIC, EXACT, AVERSE], ids=lambda case: case.name)
def test_paths_through_step_are_those_of_a_plain_simulation(case):
    """Same random numbers: the same profits to the last unit of money, positions, fills and quoted spreads."""
    found = run_case(case, PATHS, 5)
    expected = plain_paths(case, PATHS, 5)
    unit_e8 = make_engine(case).instruments[0].unit_value_e8
    assert np.rint(found.profit * E8).astype(int).tolist() == [one.profit * unit_e8 for one in expected]
    assert found.position.tolist() == [one.position for one in expected]
    assert found.fills_per_path == np.mean([one.fills for one in expected])
    spreads = [np.mean(one.spreads) * paper.TICK_SIZE for one in expected]
    assert found.spread == pytest.approx(spreads, rel=1e-12)
    assert found.n_refused == found.n_bound == 0


def test_the_first_path_is_noted():
    found = run_case(LINEAR, 1, 5)
    periods = found.periods
    change = np.select([periods["filled"] == BUY, periods["filled"] == SELL], [1, -1], 0)
    held = np.concatenate([[0], np.cumsum(change)])
    assert (periods["position_lots"] == held[:-1]).all()
    assert held[-1] == found.position[0]
    assert (periods["bid_ticks"] < periods["ask_ticks"]).all()
    assert set(np.abs(np.diff(periods["mid_ticks"]))) == {paper.MOVE_TICKS}


def test_paths_do_not_depend_on_where_a_call_ends(monkeypatch):
    whole = run_case(LINEAR, 6, 9)
    monkeypatch.setattr(paper, "CHUNK", 4)
    parts = run_case(LINEAR, 6, 9)
    assert whole.profit.tolist() == parts.profit.tolist()
    assert whole.profit.tolist() != run_case(LINEAR, 6, 10).profit.tolist()


def test_quotes_beyond_the_mid_are_clipped_where_the_touch_is():
    free = run_case(AVERSE, PATHS, 3)
    clipped = run_case(Case(1.0, False, 38.2, half_width_ticks=paper.AT_MID_TICKS), PATHS, 3)
    assert free.n_beyond > 0 == free.n_bound
    assert clipped.n_bound > 0 == clipped.n_beyond
    assert clipped.profit.mean() > free.profit.mean()


@pytest.mark.parametrize("distance", [-2_000.0, -100.0, 0.0, 250.0, 3_000.0])
def test_fill_probability(distance):
    expected = 140.0 * math.exp(-1.5 * paper.TICK_SIZE * distance) * 0.005
    linear, exact = make_house(LINEAR, 1)[0], make_house(EXACT, 1)[0]
    assert fill_probability(linear, distance) == pytest.approx(min(1.0, expected), rel=1e-12)
    assert fill_probability(exact, distance) == pytest.approx(-math.expm1(-expected), rel=1e-9)
