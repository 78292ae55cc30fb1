"""The closed form of `strategies/glft.py` against the exact solution under an inventory bound.

The closed form is an asymptote: exact for no inventory risk, linear in the position. The exact depths come
from `research/glft_exact.py`, by a continued fraction of ratios, and once more from the ODE system a long time
before its end. Unless said the bound stands six standard
deviations of the inventory away, rounded (the ground state's square is its law: its deviation is
(eta/alpha)^(1/4) / sqrt 2). Near the bound the exact maker stops quoting one side, and the closed form knows
nothing of it: beyond half of the bound nothing is asked.

Errors are those of both depths, relative to the deeper one. Source: formulas d-3.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from makerside.research.glft_exact import GlftProblem, bid_depths, bid_depths_at
from makerside.research.validation.rows import Chart, Finding, Progress, Row, Scale
from makerside.strategies.glft import coefficients

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

LONG = 1e5  # arrivals that are waited for until the ODE system has forgotten its end
ABOUT = (
    "The shipped coefficients against the optimal quotes of a bounded inventory, found by a recursion "
    "over ratios and confirmed by the ODE system. Errors are relative to the deeper of the two depths."
)


@dataclass(frozen=True, slots=True)
class Case:
    """A market with tolerances at no position, and up to half of the bound."""

    name: str
    problem: GlftProblem
    tolerance: float
    tolerance_half: float


# Markets of two papers, a calm and a wild one, and one like BTC at a tick of 1 USD and a lot of 0.01. Errors
# grow with the curvature of the exact depths: each has its tolerances, none above 1 % and 5 %. The far bound is
# twelve deviations away.
CASES = (
    Case("paper of 2013", GlftProblem(0.01, 0.3, 0.9, 0.3, 30), 0.001, 0.001),
    Case("calm", GlftProblem(0.001, 0.3, 0.9, 0.3, 53), 0.001, 0.001),
    Case("like BTC", GlftProblem(2e-4, 20.0, 0.5, 0.02, 16), 0.001, 0.005),
    Case("A.-S., gamma 0.1", GlftProblem(0.1, 2.0, 140.0, 1.5, 15), 0.002, 0.005),
    Case("A.-S., gamma 0.1, far bound", GlftProblem(0.1, 2.0, 140.0, 1.5, 30), 0.002, 0.03),
    Case("A.-S., gamma 1", GlftProblem(1.0, 2.0, 140.0, 1.5, 8), 0.01, 0.02),
    Case("wild", GlftProblem(0.01, 3.0, 0.9, 0.3, 10), 0.005, 0.02),
)


def closed_form_depths(problem: GlftProblem) -> NDArray[np.float64]:
    """Return the bid depths of the shipped coefficients for q = -Q ... Q - 1: (2 Q,) ticks."""
    c1, c2 = coefficients(problem.gamma, problem.gamma, problem.a_per_s, problem.k_per_tick, 1.0)
    q = np.arange(-problem.q_max, problem.q_max)
    depths: NDArray[np.float64] = np.asarray(c1 + (0.5 + q) * problem.sigma * c2, np.float64)
    return depths


def relative_error(problem: GlftProblem, q: int) -> float:
    """Return the larger error of the two depths at a position, relative to the deeper depth. q : 0 ... Q - 1"""
    exact, closed = bid_depths(problem), closed_form_depths(problem)
    sides = [problem.q_max + q, problem.q_max - q]  # the ask's depth at q is the bid's at -q
    return float(np.abs(closed[sides] - exact[sides]).max() / exact[sides].max())


def check(scale: Scale, on_progress: Progress) -> Finding:
    """Compare both forms; nothing is random here, and quick is no quicker."""
    rows = []
    for i, case in enumerate(CASES):
        problem = case.problem
        on_progress(i, len(CASES))
        half = problem.q_max // 2
        for where, q_last, tolerance in (
            ("at q = 0", 0, case.tolerance),
            (f"up to q = {half}", half, case.tolerance_half),
        ):
            rows.append(
                Row(
                    f"{case.name}: error of the depths {where} of {problem.q_max}",
                    f"exact solution, below {tolerance:.1%}",
                    max(relative_error(problem, q) for q in range(q_last + 1)),
                    0.0,
                    0.0,
                    tolerance,
                    ".3%",
                )
            )
    worst = max(_ode_error(case.problem) for case in CASES)
    rows.append(Row("recursion and ODE system, largest difference in ticks", "0", worst, 0.0, 0.0, 1e-9, ".1e"))
    on_progress(len(CASES), len(CASES))
    settings = {
        case.name: {
            "gamma": case.problem.gamma,
            "sigma": case.problem.sigma,
            "A": case.problem.a_per_s,
            "k": case.problem.k_per_tick,
            "Q": case.problem.q_max,
            "inventory_deviation": inventory_deviation(case.problem),
        }
        for case in CASES
    }
    charts = (
        Chart(
            "Closed form and exact solution",
            "Depths of both quotes over the position, market of the paper of 2013. They part at the bound.",
            _depth_chart,
        ),
        Chart(
            "Error of the closed form",
            "Relative to the deeper depth, over the share of the bound.",
            _error_chart,
        ),
    )
    return Finding("GLFT closed form against the exact solution", ABOUT, "formulas d-3", settings, rows, charts)


def inventory_deviation(problem: GlftProblem) -> float:
    """Return the standard deviation of the inventory of an optimal maker, lots, in the Gaussian limit."""
    return math.sqrt(math.sqrt(problem.eta / problem.alpha) / 2.0)


def _ode_error(problem: GlftProblem) -> float:
    return float(np.abs(bid_depths(problem) - bid_depths_at(problem, LONG / problem.eta)).max())


def _depth_chart() -> "Figure":
    import plotly.graph_objects as go

    from makerside.research.charts import BUY_COLOUR, SELL_COLOUR, new_figure

    problem = CASES[0].problem
    q = np.arange(-problem.q_max, problem.q_max)
    figure = new_figure(360, "distance from the mid, ticks", "position, lots")
    exact, closed = bid_depths(problem), closed_form_depths(problem)
    for name, sign, colour in (("bid", 1, BUY_COLOUR), ("ask", -1, SELL_COLOUR)):
        markers = {"color": colour, "size": 5}
        figure.add_trace(go.Scatter(x=sign * q, y=exact, name=f"{name}, exact", mode="markers", marker=markers))
        line = {"color": colour, "width": 1.4}
        figure.add_trace(go.Scatter(x=sign * q, y=closed, name=f"{name}, closed form", mode="lines", line=line))
    return figure


def _error_chart() -> "Figure":
    import plotly.graph_objects as go

    from makerside.research.charts import new_figure

    figure = new_figure(320, "relative error", "position over bound")
    for case in CASES:
        positions = range(case.problem.q_max)
        errors = [max(1e-7, relative_error(case.problem, q)) for q in positions]
        x = [q / case.problem.q_max for q in positions]
        figure.add_trace(go.Scatter(x=x, y=errors, name=case.name, mode="lines"))
    figure.update_yaxes(type="log", tickformat=".3%")
    return figure
