"""Selection among many trials: published brackets, brute force, and noise that must not win."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from makerside.research.selection import (
    Fold,
    effective_trials,
    judge,
    luck_threshold,
    overfitting,
    probabilistic_sharpe,
    track_record_min,
    walk_forward,
)


@pytest.mark.parametrize(("trials", "bracket"), [(12, 1.665), (20, 1.901), (60, 2.345), (750, 3.172)])
def test_luck_of_independent_trials(trials, bracket):
    assert luck_threshold(1.0, trials) == pytest.approx(bracket, abs=5e-4)


def test_the_bracket_is_what_the_best_of_noise_reaches(rng):
    best = rng.standard_normal((4_000, 60)).max(axis=1).mean()
    assert luck_threshold(1.0, 60) == pytest.approx(best, rel=0.02)


@pytest.mark.parametrize(("skew", "kurtosis", "deflated"), [(0.0, 3.0, 0.86), (-0.5, 6.0, 0.84)])
def test_a_celebrated_sharpe_ratio_of_4_is_not_significant(skew, kurtosis, deflated):
    """4.26 a year, the best of 750 independent trials without skill, one year of days."""
    per_day = 4.26 / math.sqrt(365)
    threshold = luck_threshold(1.0 / math.sqrt(365), 750)
    assert threshold * math.sqrt(365) == pytest.approx(3.17, abs=0.01)
    assert probabilistic_sharpe(per_day, threshold, 365, skew, kurtosis) == pytest.approx(deflated, abs=0.01)
    fewer = luck_threshold(1.0 / math.sqrt(365), 60)
    assert probabilistic_sharpe(per_day, fewer, 365, skew, kurtosis) > 0.955


def test_the_shortest_track_record_is_just_long_enough():
    n = track_record_min(0.1, 0.02, -0.3, 5.0)
    assert probabilistic_sharpe(0.1, 0.02, math.ceil(n), -0.3, 5.0) >= 0.95
    assert probabilistic_sharpe(0.1, 0.02, math.floor(n) - 1, -0.3, 5.0) < 0.95
    assert track_record_min(0.02, 0.02, 0.0, 3.0) == math.inf


def test_effective_trials_count_copies_once(rng):
    noise = rng.standard_normal((5_000, 40))
    assert effective_trials(noise) == pytest.approx(40, rel=0.05)
    assert effective_trials(np.repeat(noise[:, :1], 40, axis=1)) == pytest.approx(1.0)
    common = noise + 2.0 * rng.standard_normal((5_000, 1))  # correlation 4/5
    assert effective_trials(common) == pytest.approx(0.8 + 0.2 * 40, rel=0.1)
    assert effective_trials(np.zeros((100, 5))) == 1.0


def brute_force(returns, blocks):
    """Return the probability of overfitting as its definition says it, split by split."""
    size = len(returns) // blocks
    parts = returns[len(returns) - size * blocks :].reshape(blocks, size, -1)
    below = []
    for chosen in itertools.combinations(range(blocks), blocks // 2):
        rest = [i for i in range(blocks) if i not in chosen]
        inside, outside = np.concatenate(parts[list(chosen)]), np.concatenate(parts[rest])
        best = (inside.mean(axis=0) / inside.std(axis=0, ddof=1)).argmax()
        ratios = outside.mean(axis=0) / outside.std(axis=0, ddof=1)
        rank = (ratios < ratios[best]).sum() + 1
        share = rank / (returns.shape[1] + 1)
        below.append(math.log(share / (1 - share)) <= 0)
    return np.mean(below)


@given(st.integers(0, 10_000), st.integers(2, 12), st.sampled_from([2, 4, 6, 8]), st.floats(-0.2, 0.2))
@settings(max_examples=25)
def test_overfitting_equals_its_definition(seed, trials, blocks, skill):
    rng = np.random.default_rng(seed)
    returns = rng.standard_normal((blocks * 7 + 3, trials)) + skill * rng.standard_normal(trials)
    assert overfitting(returns, blocks).probability == brute_force(returns, blocks)


def test_overfitting_of_noise_and_of_skill(rng):
    noise = rng.standard_normal((1_600, 50))
    found = overfitting(noise)
    assert found.splits == 12_870
    assert 0.2 < found.probability < 0.8
    assert found.slope < 0  # what shone in one half is missing in the other
    skilled = noise.copy()
    skilled[:, 7] += 0.3
    found = overfitting(skilled)
    assert found.probability < 0.01
    assert found.loss_probability < 0.01


def test_pure_noise_has_no_winner():
    """In 95 % of worlds at least; here the worlds are fixed, and they are many enough to tell 5 % from 10 %."""
    rng = np.random.default_rng(5)
    winners = sum(judge(rng.standard_normal((500, 100))).has_winner for _ in range(100))
    assert winners <= 5


def test_skill_is_found(rng):
    returns = rng.standard_normal((1_000, 100))
    returns[:, 42] += 0.25
    verdict = judge(returns)
    assert verdict.has_winner
    assert verdict.best == 42
    assert verdict.periods_min < 1_000


def test_reasons_are_named(rng):
    losing = judge(rng.standard_normal((200, 10)) - 1.0)
    assert losing.reasons[0] == "no trial made money"
    short = judge(rng.standard_normal((20, 3)))
    assert "20 periods are too few" in short.reasons[0]
    lucky = judge(rng.standard_normal((400, 200)))
    assert any("luck of" in reason for reason in lucky.reasons)


def test_one_trial_is_judged_without_luck(rng):
    verdict = judge(rng.standard_normal((2_000, 1)) + 0.1)
    assert verdict.threshold == 0.0
    assert verdict.overfitting is None
    assert verdict.has_winner


def test_trials_that_never_traded_do_not_disturb(rng):
    returns = np.zeros((640, 20))
    returns[:, 3] = rng.standard_normal(640) + 0.4
    verdict = judge(returns)
    assert verdict.best == 3
    assert math.isfinite(verdict.deflated)


@given(
    st.integers(10, 300),
    st.integers(1, 60),
    st.integers(1, 40),
    st.integers(0, 10),
    st.integers(0, 10),
    st.booleans(),
)
def test_walks_look_at_nothing_twice_and_never_ahead(periods, train, test, purge, embargo, is_anchored):
    if train + purge + embargo + test > periods:
        with pytest.raises(ValueError, match="hold no fold"):
            walk_forward(periods, train, test, purge=purge, embargo=embargo, is_anchored=is_anchored)
        return
    folds = walk_forward(periods, train, test, purge=purge, embargo=embargo, is_anchored=is_anchored)
    for fold in folds:
        assert fold.train_stop + purge + embargo == fold.test_start
        assert fold.test_stop - fold.test_start == test
        assert fold.train_start == (0 if is_anchored else fold.train_stop - train)
    assert all(a.test_stop == b.test_start for a, b in itertools.pairwise(folds))
    assert periods - folds[-1].test_stop < test


def test_a_walk_by_hand():
    assert walk_forward(10, 4, 2, purge=1) == [Fold(0, 4, 5, 7), Fold(2, 6, 7, 9)]
    assert walk_forward(10, 4, 2, purge=1, is_anchored=True) == [Fold(0, 4, 5, 7), Fold(0, 6, 7, 9)]


@pytest.mark.parametrize("shape", [(31, 5), (100, 1)])
def test_too_little_to_cross_validate_is_said(shape, rng):
    with pytest.raises(ValueError, match=f"{shape[0]} periods of {shape[1]} trials"):
        overfitting(rng.standard_normal(shape))


def test_trying_many_alike_is_not_easier_than_trying_one(rng):
    for trials in (1.0, 1.01, 1.1, 1.3, 2.0):
        assert luck_threshold(1.0, trials) >= 0.0
    common = rng.standard_normal((500, 1))
    alike = judge(np.repeat(common, 10, axis=1) + 1e-3 * rng.standard_normal((500, 10)))
    assert alike.deflated <= judge(common).deflated + 0.02


@pytest.mark.parametrize(("correlation", "trials"), [(0.0, 20), (0.5, 20), (0.8, 20), (0.8, 5)])
def test_luck_passes_the_deflated_ratio_in_about_a_twentieth(correlation, trials):
    """No skill, 300 worlds: what is printed as a probability is one, however alike the trials."""
    rng = np.random.default_rng(3)
    passed = 0
    for _ in range(300):
        common = rng.standard_normal((300, 1))
        noise = rng.standard_normal((300, trials))
        returns = math.sqrt(correlation) * common + math.sqrt(1 - correlation) * noise
        means, deviations = returns.mean(axis=0), returns.std(axis=0, ddof=1)
        sharpes = means / deviations
        threshold = luck_threshold(float(sharpes.std(ddof=1)), trials)
        passed += probabilistic_sharpe(float(sharpes.max()), threshold, 300, 0.0, 3.0) >= 0.95
    assert passed / 300 <= 0.075
