"""The exact solution under a bound: against dense linear algebra, plain time steps, and its limits."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from makerside.research.glft_exact import GlftProblem, bid_depths, bid_depths_at

problems = st.builds(
    GlftProblem,
    gamma=st.floats(1e-3, 2.0),
    sigma=st.floats(0.1, 3.0),
    a_per_s=st.floats(0.1, 100.0),
    k_per_tick=st.floats(0.05, 3.0),
    q_max=st.integers(1, 6),
)


def matrix_of(problem):
    """Return M of v' = M v, dense."""
    q = np.arange(-problem.q_max, problem.q_max + 1.0)
    beside = np.ones(len(q) - 1) * problem.eta
    return np.diag(problem.alpha * q * q) - np.diag(beside, 1) - np.diag(beside, -1)


def depths_of(v, problem):
    return (
        np.log(v[:-1] / v[1:]) / problem.k_per_tick
        + math.log1p(problem.gamma / problem.k_per_tick) / problem.gamma
    )


@given(problems)
def test_far_from_the_end_it_is_the_ground_state(problem):
    """Dense eigenvectors are exact as far as their smallest component is above rounding."""
    _, vectors = np.linalg.eigh(matrix_of(problem))
    ground = np.abs(vectors[:, 0])
    known = np.minimum(ground[:-1], ground[1:]) > 1e-8
    assert bid_depths(problem)[known] == pytest.approx(
        depths_of(ground, problem)[known], abs=1e-5 / problem.k_per_tick
    )


@given(problems)
def test_the_ode_forgets_its_end(problem):
    """After times that are long for the gap between the two lowest states."""
    energies = np.linalg.eigvalsh(matrix_of(problem))
    left_s = 60.0 / (energies[1] - energies[0])
    assert bid_depths_at(problem, left_s) == pytest.approx(bid_depths(problem), abs=1e-8 / problem.k_per_tick)


@given(problems, st.floats(0.01, 2.0))
@settings(max_examples=25)
def test_the_ode_equals_small_time_steps(problem, left):
    matrix = matrix_of(problem)
    left_s = left / float(np.abs(matrix).sum(axis=1).max())
    v, n = np.ones(len(matrix)), 200
    h = left_s / n
    for _ in range(n):
        k1 = -matrix @ v
        k2 = -matrix @ (v + h / 2 * k1)
        k3 = -matrix @ (v + h / 2 * k2)
        k4 = -matrix @ (v + h * k3)
        v = v + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    assert bid_depths_at(problem, left_s) == pytest.approx(depths_of(v, problem), abs=1e-8 / problem.k_per_tick)


def test_at_the_end_there_is_no_inventory_risk():
    problem = GlftProblem(0.1, 2.0, 140.0, 1.5, 10)
    assert bid_depths_at(problem, 0.0) == pytest.approx(np.full(20, math.log1p(0.1 / 1.5) / 0.1))


def test_a_large_bound_does_not_underflow():
    """Components fall to e^-800 here: nobody can divide them, and everybody can add their ratios."""
    problem = GlftProblem(0.01, 0.3, 0.9, 0.3, 400)
    depths = bid_depths(problem)
    assert np.isfinite(depths).all()
    assert (np.diff(depths) > 0).all()
    small = bid_depths(GlftProblem(0.01, 0.3, 0.9, 0.3, 60))
    assert depths[400 - 20 : 400 + 20] == pytest.approx(small[60 - 20 : 60 + 20], abs=1e-9)


def test_a_bound_of_one_by_hand():
    """e = -2 eta rho, rho = eta / (alpha - e): e^2 - alpha e - 2 eta^2 = 0, the lower root."""
    problem = GlftProblem(0.5, 1.0, 2.0, 1.0, 1)
    energy = (problem.alpha - math.sqrt(problem.alpha**2 + 8 * problem.eta**2)) / 2
    rho = problem.eta / (problem.alpha - energy)
    edge = math.log1p(0.5) / 0.5
    assert bid_depths(problem) == pytest.approx([edge + math.log(rho), edge - math.log(rho)], rel=1e-12)
