"""Bipower variation on simulated diffusions with and without jumps, against what the theory promises.

A day has 1,440 returns of a minute. Volatility is constant, or exp of an Ornstein-Uhlenbeck process that the
estimator does not know. Asked: is the integrated variance inside its 95 % interval, does the test reject
without jumps as often as it says, does it find jumps, and does a jump leave BV alone while it adds to RV.

Source: formulas d-7; Barndorff-Nielsen and Shephard 2004; Huang and Tauchen 2005.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from makerside.research.bipower import bipower
from makerside.research.validation.rows import (
    Chart,
    Finding,
    Progress,
    Row,
    Scale,
    mean_and_half,
    near,
    share_and_half,
)

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

SEED = 7
RETURNS = 1_440
DAYS, DAYS_QUICK = 4_000, 400
SIGNIFICANCE = 0.05
MEAN_REVERSION, LOG_DEVIATION = 5.0, 0.5  # of log volatility, per day
JUMP = math.sqrt(0.1)  # a tenth of a calm day's variance, in one jump
CURVE = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)  # jumps, in deviations of a day
ABOUT = (
    "Days of 1,440 returns with constant or random volatility; a jump is a tenth of a calm day's "
    "variance. With jumps BV keeps a bias of 2 %: a jump's neighbours are small, not 0."
)


@dataclass(frozen=True, slots=True, eq=False)
class Days:
    """What was found on each day: (n,) arrays; ratios to the true integrated variance."""

    bipower: NDArray[np.float64]
    realized: NDArray[np.float64]
    z: NDArray[np.float64]
    covered: int
    rejected: int


def simulate(days: int, jump: float, is_random: bool, rng: np.random.Generator) -> Days:
    """Return days of a diffusion, each with one jump of a size and a random sign at a random time.

    jump      : in deviations of a calm day; 0 for none
    is_random : whether volatility moves
    """
    found = []
    covered = rejected = 0
    for _ in range(days):
        deviation = _volatility(rng) if is_random else np.full(RETURNS, 1.0 / math.sqrt(RETURNS))
        returns = deviation * rng.standard_normal(RETURNS)
        returns[rng.integers(RETURNS)] += jump * (1.0 if rng.random() < 0.5 else -1.0)
        truth = float((deviation**2).sum())
        one = bipower(returns)
        covered += one.low <= truth <= one.high
        rejected += one.p_value < SIGNIFICANCE
        found.append((one.bipower / truth, one.realized / truth, one.z))
    two, realized, z = np.array(found).T
    return Days(two, realized, z, covered, rejected)


def _volatility(rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the deviation of each return of a day; its log is an Ornstein-Uhlenbeck process in its balance."""
    keep = math.exp(-MEAN_REVERSION / RETURNS)
    noise = rng.standard_normal(RETURNS) * LOG_DEVIATION
    noise[1:] *= math.sqrt(1.0 - keep * keep)
    powers = keep ** np.arange(RETURNS)
    log_volatility = powers * np.cumsum(noise / powers)
    scaled: NDArray[np.float64] = np.exp(log_volatility) / math.sqrt(RETURNS)
    return scaled


def check(scale: Scale, on_progress: Progress) -> Finding:
    """Simulate days of four kinds, and a curve of power."""
    days = scale.of(DAYS, DAYS_QUICK)
    curve_days = days // 4
    total = 4 * days + len(CURVE) * curve_days
    rng = np.random.default_rng(SEED)
    kinds: dict[tuple[bool, float], Days] = {}
    done = 0
    for is_random in (False, True):
        for jump in (0.0, JUMP):
            kinds[is_random, jump] = simulate(days, jump, is_random, rng)
            done += days
            on_progress(done, total)
    curve = []
    for jump in CURVE:
        curve.append(simulate(curve_days, jump, False, rng).rejected)
        done += curve_days
        on_progress(done, total)
    rows = [row for (is_random, jump), found in kinds.items() for row in _rows(is_random, jump, found, days)]
    settings = {
        "seed": SEED,
        "days": days,
        "returns_per_day": RETURNS,
        "significance": SIGNIFICANCE,
        "jump_share_of_variance": JUMP**2,
        "log_volatility": {"mean_reversion_per_day": MEAN_REVERSION, "deviation": LOG_DEVIATION},
    }
    charts = (
        Chart(
            "Power of the test for jumps",
            "Share of days on which one jump of this size is found, at 5 %.",
            lambda: _power_chart(curve, curve_days),
        ),
        Chart(
            "The statistic without jumps",
            "Constant volatility; the line is the standard normal density.",
            lambda: _z_chart(kinds[False, 0.0].z),
        ),
    )
    source = "formulas d-7; Barndorff-Nielsen and Shephard 2004; Huang and Tauchen 2005"
    return Finding("Bipower variation on a simulated jump diffusion", ABOUT, source, settings, rows, charts)


def _rows(is_random: bool, jump: float, found: Days, days: int) -> list[Row]:
    kind = "random volatility" if is_random else "constant volatility"
    kind += ", one jump a day" if jump else ", no jump"
    rejected = share_and_half(found.rejected, days)
    ratio = mean_and_half(found.bipower)
    if jump:
        others = mean_and_half(found.realized)
        power = Row(f"{kind}: days on which it is found", "at least 80 %", *rejected, 0.8, 1.0, ".1%")
        rows = [near(f"{kind}: BV over the truth", 1.0, 0.03, *ratio, "without bias", form=".4f")]
        if not is_random:  # with the other the day's variance, and the jump's share of it, vary
            rows += [
                near(f"{kind}: RV over the truth", 1.0 + jump**2, 0.005, *others, "by the jump", form=".4f"),
                power,
            ]
        return rows
    coverage = share_and_half(found.covered, days)
    return [
        near(f"{kind}: BV over the truth", 1.0, 0.01, *ratio, "without bias", form=".4f"),
        near(f"{kind}: truth inside the 95 % interval", 0.95, 0.02, *coverage, "of days", form=".1%"),
        near(f"{kind}: false alarms of the test", SIGNIFICANCE, 0.02, *rejected, "of days", form=".1%"),
    ]


def _power_chart(curve: list[int], days: int) -> "Figure":
    import plotly.graph_objects as go

    from makerside.research.charts import BUY_COLOUR, GREY, new_figure

    figure = new_figure(320, "share of days", "size of the jump, in deviations of a day")
    shares = [share_and_half(one, days) for one in curve]
    bars = {"type": "data", "array": [half for _, half in shares], "color": GREY}
    x = list(CURVE)
    y = [share for share, _ in shares]
    line = {"color": BUY_COLOUR}
    figure.add_trace(go.Scatter(x=x, y=y, error_y=bars, name="found", mode="lines+markers", line=line))
    figure.add_hline(y=SIGNIFICANCE, line={"color": GREY, "dash": "dot"})
    figure.update_yaxes(tickformat=".0%", range=[0, 1.03])
    return figure


def _z_chart(z: NDArray[np.float64]) -> "Figure":
    import plotly.graph_objects as go

    from makerside.research.charts import BUY_COLOUR, INK, new_figure

    edges = np.linspace(-4, 4, 41)
    counts, _ = np.histogram(z, edges)
    middle = 0.5 * (edges[1:] + edges[:-1])
    figure = new_figure(300, "density", "z")
    density = counts / len(z) / (edges[1] - edges[0])
    figure.add_trace(go.Bar(x=middle, y=density, name=f"{len(z):,} days", marker={"color": BUY_COLOUR}))
    fine = np.linspace(-4, 4, 200)
    normal = np.exp(-fine * fine / 2) / math.sqrt(2 * math.pi)
    figure.add_trace(go.Scatter(x=fine, y=normal, name="standard normal", mode="lines", line={"color": INK}))
    return figure
