"""Walk-forward: nothing of the future, at least the holding time left out, and luck that does not pay."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from makerside.research.selection import judge, luck_deviation, luck_threshold, probabilistic_sharpe, sharpes_of
from makerside.research.walk import TEST_MIN, TESTS, walk


def equity_of(returns):
    """Return the equity of 10,000 USD with simple returns added up, so that USD and returns tell the same."""
    return 10_000.0 * (1.0 + np.vstack([np.zeros(returns.shape[1]), np.cumsum(returns, axis=0)]))


def walk_of(returns, held, is_anchored=False):
    return walk(returns, equity_of(returns), np.asarray(held, float), is_anchored)


@given(st.integers(40, 400), st.integers(1, 8), st.integers(0, 10_000), st.booleans())
def test_each_test_is_after_its_past_and_at_least_the_holding_time_away(periods, sets, seed, is_anchored):
    rng = np.random.default_rng(seed)
    returns = 1e-3 * rng.standard_normal((periods, sets))
    held = rng.uniform(0.0, 12.0, sets)
    found = walk_of(returns, held, is_anchored)
    if not found.steps:
        assert "held too long" in found.reason
        return
    assert len(found.steps) == TESTS
    assert found.steps[-1].fold.test_stop == periods
    for step in found.steps:
        fold = step.fold
        assert fold.test_start - fold.train_stop == found.purge + found.embargo
        assert min(found.purge, found.embargo) >= held[step.chosen]
        assert fold.test_stop - fold.test_start >= TEST_MIN
        assert fold.train_start == 0 or not is_anchored
        train = returns[fold.train_start : fold.train_stop]
        assert step.chosen == (train.mean(axis=0) / train.std(axis=0, ddof=1)).argmax()
        test = returns[fold.test_start : fold.test_stop, step.chosen]
        assert step.net_usd == pytest.approx(10_000 * test.sum(), abs=1e-6)
    assert found.net_usd == pytest.approx(sum(step.net_usd for step in found.steps))


def test_the_future_changes_no_choice(rng):
    returns = 1e-3 * rng.standard_normal((200, 6))
    first = walk_of(returns, np.full(6, 3.0))
    other = returns.copy()
    other[first.steps[2].fold.train_stop :] *= -1.0
    again = walk_of(other, np.full(6, 3.0))
    assert [s.chosen for s in first.steps[:3]] == [s.chosen for s in again.steps[:3]]


def test_skill_is_paid_and_luck_is_a_reason(rng):
    returns = 1e-3 * rng.standard_normal((400, 20))
    returns[:, 7] += 0.5e-3
    for is_anchored in (False, True):
        found = walk_of(returns, np.full(20, 2.0), is_anchored)
        assert all(step.chosen == 7 for step in found.steps)
        assert found.net_usd > 0
        assert found.reason == ""
        assert found.probability > 0.99
    losing = walk_of(returns - 2e-3, np.full(20, 2.0))
    assert losing.net_usd < 0
    assert f"{losing.net_usd:+,.2f} USD in the 5 tests" in losing.reason


def test_positions_held_for_most_of_the_data_leave_no_room(rng):
    returns = 1e-3 * rng.standard_normal((100, 3))
    found = walk_of(returns, [60.0, 60.0, 60.0])
    assert found.steps == ()
    assert "60 of the 100 periods, twice before each test, leave no room" in found.reason


def test_only_who_is_chosen_says_how_much_is_left_out(rng):
    """A set that is never chosen may hold for ever."""
    returns = 1e-3 * rng.standard_normal((200, 3))
    returns[:, 1] += 2e-3
    found = walk_of(returns, [500.0, 4.2, 500.0])
    assert (found.purge, found.embargo, found.held) == (5, 5, 4.2)


def test_a_set_alone_is_walked_too(rng):
    found = walk_of(1e-3 * rng.standard_normal((100, 1)), [1.0])
    assert {step.chosen for step in found.steps} == {0}


# Luck, with sets in the grid that nobody would trade.


def test_hopeless_sets_do_not_make_the_luck_of_others_larger(rng):
    returns = rng.standard_normal((500, 40))
    returns[:, 3] += 0.35
    hopeless = rng.standard_normal((500, 40)) - np.linspace(0.0, 3.0, 40)
    together = judge(np.hstack([returns, hopeless]))
    assert together.best == 3
    assert together.deflated > 0.99
    # Without the bound it would be lost among them.
    sharpes = sharpes_of(np.hstack([returns, hopeless]))
    unbound = luck_threshold(float(sharpes.std(ddof=1)), 80)
    assert probabilistic_sharpe(float(sharpes[3]), unbound, 500, 0.0, 3.0) < 0.01


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.8])
@pytest.mark.parametrize("hopeless", [0, 20])
def test_the_bound_lets_no_more_luck_pass(correlation, hopeless):
    """No skill, 300 worlds: one in twenty passes, with sets beside them that lose or without."""
    rng = np.random.default_rng(7)
    passed = 0
    for _ in range(300):
        common = rng.standard_normal((300, 1))
        returns = np.sqrt(correlation) * common + np.sqrt(1 - correlation) * rng.standard_normal((300, 20))
        losers = rng.standard_normal((300, hopeless)) - 0.5
        sharpes = sharpes_of(np.hstack([returns, losers]))
        threshold = luck_threshold(luck_deviation(sharpes, 300), len(sharpes))
        passed += probabilistic_sharpe(float(sharpes.max()), threshold, 300, 0.0, 3.0) >= 0.95
    assert passed / 300 <= 0.075
