"""The probability that the price reaches a quote in time, against a simulated walk.

    P(d, t) = 2 Phi(-d / (sigma sqrt t)) = erfc(d / (sigma sqrt(2 t)))

It is two-tailed: a price that has reached d is above it at the end in one half of the cases only. The one-sided
Phi, 0.159 instead of 0.317 at d = sigma sqrt t, is a factor two off. A walk of steps of dt sees the barrier
0.5826 sigma sqrt(dt) further away: it may have been there between two steps.

Sources: formulas d-6 (reflection principle); the correction, -zeta(1/2) / sqrt(2 pi), is of Broadie, Glasserman
and Kou, Mathematical Finance 7(4), 1997.
"""

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from makerside.research.validation.rows import Chart, Finding, Progress, Row, Scale, near, share_and_half

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

SEED = 6
WALKS, WALKS_QUICK = 100_000, 10_000
CHUNK = 2_000
STEPS = 1_000
DISTANCES = (0.25, 0.5, 1.0, 1.5, 2.0, 2.5)  # in sigma sqrt t
OVERSHOOT = 0.5826  # of a step
TOLERANCE = 0.005
ABOUT = (
    "Does the price reach a quote in time? Gaussian walks of 1,000 steps, against the formula with the "
    "barrier moved by what a walk does not see between its steps."
)


def touch_probability(distance: float, sigma: float, seconds: float) -> float:
    """Return the probability that a driftless Brownian price reaches a distance in time.

    distance : >= 0, in the price's unit;  sigma : of it per sqrt(s), > 0;  seconds : > 0
    source   : formulas d-6
    """
    return math.erfc(distance / (sigma * math.sqrt(2.0 * seconds)))


def check(scale: Scale, on_progress: Progress) -> Finding:
    """Walk, note how far each walk came, and compare."""
    walks = scale.of(WALKS, WALKS_QUICK)
    rng = np.random.default_rng(SEED)
    furthest = np.zeros(walks)
    for start in range(0, walks, CHUNK):
        steps = rng.standard_normal((min(CHUNK, walks - start), STEPS)) / math.sqrt(STEPS)
        furthest[start : start + CHUNK] = np.maximum(0.0, steps.cumsum(axis=1).max(axis=1))
        on_progress(min(walks, start + CHUNK), walks)
    rows: list[Row] = [
        near(
            "P at d = sigma sqrt t, formula",
            0.317,
            0.0005,
            touch_probability(2.0, 0.5, 16.0),
            0.0,
            "d-6",
            form=".4f",
        )
    ]
    reached = {distance: share_and_half(int((furthest >= distance).sum()), walks) for distance in DISTANCES}
    for distance, (share, half) in reached.items():
        seen = touch_probability(distance + OVERSHOOT / math.sqrt(STEPS), 1.0, 1.0)
        what = f"d = {distance:g} sigma sqrt t: share of walks"
        rows.append(near(what, seen, TOLERANCE, share, half, "formula for a walk", form=".4f"))
    settings = {"seed": SEED, "walks": walks, "steps": STEPS, "barrier_further_away_by_steps": OVERSHOOT}
    charts = (
        Chart(
            "Reached in time",
            "Formula, and the share of walks with 95 % intervals; dotted: the one-sided error.",
            lambda: _chart(reached),
        ),
    )
    return Finding("First-passage fill probability", ABOUT, "formulas d-6", settings, rows, charts)


def _chart(reached: dict[float, tuple[float, float]]) -> "Figure":
    import plotly.graph_objects as go

    from makerside.research.charts import BUY_COLOUR, GREY, INK, new_figure

    figure = new_figure(320, "probability", "distance, in sigma sqrt t")
    x: NDArray[np.float64] = np.linspace(0, 3, 200)
    y = np.array([touch_probability(float(d), 1.0, 1.0) for d in x])
    figure.add_trace(go.Scatter(x=x, y=y, name="formula", mode="lines", line={"color": BUY_COLOUR}))
    line = {"color": GREY, "dash": "dot"}
    figure.add_trace(go.Scatter(x=x, y=y / 2, name="one-sided: wrong by two", mode="lines", line=line))
    shares = list(reached.values())
    bars = {"type": "data", "array": [half for _, half in shares], "color": INK}
    marker = {"color": INK, "size": 7}
    points = go.Scatter(
        x=list(reached),
        y=[share for share, _ in shares],
        error_y=bars,
        name="walks",
        mode="markers",
        marker=marker,
    )
    figure.add_trace(points)
    return figure
