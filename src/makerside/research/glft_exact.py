"""Optimal quotes under an inventory bound, exactly: the ODE system of Gueant, Lehalle and Fernandez-Tapia.

With CARA utility, quotes of one unit, |q| <= Q, alpha = k gamma sigma^2 / 2 and
eta = A (1 + gamma/k)^-(1 + k/gamma):

    v_q' = alpha q^2 v_q - eta (v_q-1 + v_q+1),    v_q(T) = 1,    neighbours beyond the bound are 0
    bid depth  delta_b(q) = ln(v_q / v_q+1) / k + ln(1 + gamma/k) / gamma,    ask depth  delta_b(-q)

Far from T, v tends to the ground state of a symmetric tridiagonal matrix. Its components fall like a normal
density and underflow; their ratios do not, and obey a continued fraction from the bound inwards:

    rho_Q = eta / (alpha Q^2 - e),    rho_q = eta / (alpha q^2 - e - eta rho_q+1),    v_q / v_q-1 = rho_q
    and at q = 0, by symmetry,   e = -2 eta rho_1

All terms are positive below the lowest eigenvalue: nothing cancels, and e is found by bisection.

Source: Dealing with the inventory risk, Math. and Financial Economics 7, 2013, theorem 1 and section 3;
formulas d-3. Units as in `strategies/glft.py`, sizes of one lot.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

HALVINGS = 200  # more than the bits of a double: it stops when the interval does not shrink any more


@dataclass(frozen=True, slots=True)
class GlftProblem:
    """A market and a trader. gamma : per (tick x lot);  sigma : ticks per sqrt(s);  q_max : bound, lots"""

    gamma: float
    sigma: float
    a_per_s: float
    k_per_tick: float
    q_max: int

    @property
    def alpha(self) -> float:
        """Return k gamma sigma^2 / 2, 1/s."""
        return 0.5 * self.k_per_tick * self.gamma * self.sigma * self.sigma

    @property
    def eta(self) -> float:
        """Return A (1 + gamma/k)^-(1 + k/gamma), 1/s."""
        x = self.gamma / self.k_per_tick
        return self.a_per_s * math.exp(-(1.0 + 1.0 / x) * math.log1p(x))

    @property
    def edge_ticks(self) -> float:
        """Return ln(1 + gamma/k) / gamma: the depth without inventory risk."""
        return math.log1p(self.gamma / self.k_per_tick) / self.gamma


def bid_depths(problem: GlftProblem) -> NDArray[np.float64]:
    """Return the bid depths far from the horizon, in ticks, for q = -Q ... Q - 1: (2 Q,)."""
    log_ratios = np.log(_ratios(problem))  # of v_q / v_q-1, q = 1 ... Q
    # ln(v_q / v_q+1) is -ln rho_q+1 for q >= 0, and by symmetry ln rho_-q for q < 0.
    steps = np.concatenate([log_ratios[::-1], -log_ratios])
    depths: NDArray[np.float64] = steps / problem.k_per_tick + problem.edge_ticks
    return depths


def _ratios(problem: GlftProblem) -> NDArray[np.float64]:
    """Return rho_q = v_q / v_q-1 of the ground state, q = 1 ... Q."""
    low, high = -2.0 * problem.eta, 0.0  # Gershgorin; and the matrix has a 0 on its diagonal
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        if not low < middle < high:
            break
        if _is_below(problem, middle):
            low = middle
        else:
            high = middle
    ratios = _continued(problem, low)
    assert ratios is not None
    return ratios


def _continued(problem: GlftProblem, energy: float) -> NDArray[np.float64] | None:
    """Return the continued fraction from the bound inwards; None when it leaves the positive numbers."""
    ratios = np.zeros(problem.q_max + 1)
    following = 0.0
    for q in range(problem.q_max, 0, -1):
        below = problem.alpha * q * q - energy - problem.eta * following
        if below <= 0.0:
            return None
        following = problem.eta / below
        ratios[q] = following
    return ratios[1:]


def _is_below(problem: GlftProblem, energy: float) -> bool:
    """Return whether an energy is below the lowest eigenvalue: all pivots are positive."""
    ratios = _continued(problem, energy)
    return ratios is not None and -energy - 2.0 * problem.eta * ratios[0] > 0.0


def bid_depths_at(problem: GlftProblem, left_s: float) -> NDArray[np.float64]:
    """Return the bid depths when `left_s` seconds are left, for q = -Q ... Q - 1: (2 Q,) ticks.

    v is the exponential of a matrix, applied to ones. Shifted by its largest rate the matrix has no negative
    entry: a short step as a Taylor series and its repeated squares add positive numbers only, so that the
    smallest components keep all their digits.
    """
    q = np.arange(-problem.q_max, problem.q_max + 1, dtype=np.float64)
    shift = problem.alpha * problem.q_max**2
    matrix = np.diag(shift - problem.alpha * q * q)
    beside = np.arange(len(q) - 1)
    matrix[beside, beside + 1] = matrix[beside + 1, beside] = problem.eta
    norm = float(matrix.sum(axis=1).max()) * left_s
    doublings = max(0, math.ceil(math.log2(norm)) + 1) if norm > 0.0 else 0
    scaled = matrix * (left_s / 2.0**doublings)
    total = term = np.eye(len(q))
    for n in range(1, 30):
        term = term @ scaled / n
        total = total + term
    for _ in range(doublings):
        total = total @ total
        total /= total.max()
    log_v = np.log(total.sum(axis=1))
    depths: NDArray[np.float64] = -np.diff(log_v) / problem.k_per_tick + problem.edge_ticks
    return depths
