"""Is luck told from skill? Sweeps of pure noise must have no winner, and known answers must come out.

A noise sweep is a matrix of returns without skill, judged as `makerside sweep` judges: independent trials,
trials that are much alike, and trials with fat tails. A winner in them is a false one.

Sources: formulas d-21; Bailey and Lopez de Prado, J. Portfolio Management 40(5), 2014. The champion is the
celebrated backtest of the specification: a Sharpe ratio of 4.26 a year, best of 750 trials, a year of days.
"""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from makerside.research.selection import CONFIDENCE, judge, luck_threshold, probabilistic_sharpe
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

SEED = 21
SWEEPS, SWEEPS_QUICK = 1_000, 100
PERIODS, TRIALS = 365, 60
CORRELATION, TAIL = 0.8, 4  # of the trials that are alike; degrees of freedom of Student's t
FALSE_MAX = 0.05
CHAMPION, CHAMPION_TRIALS, DAYS = 4.26, 750, 365
BRACKETS = {12: 1.665, 20: 1.901, 60: 2.345, 750: 3.172}
MAXIMA = 4_000  # worlds in which the best of N is looked at

Noise = Callable[[np.random.Generator], NDArray[np.float64]]
ABOUT = (
    "Whole sweeps without skill, judged as makerside sweep judges; and known answers. The expected best "
    "of N is an approximation, up to 2.5 % above the truth for few trials."
)


def _independent(rng: np.random.Generator) -> NDArray[np.float64]:
    return rng.standard_normal((PERIODS, TRIALS))


def _alike(rng: np.random.Generator) -> NDArray[np.float64]:
    common = rng.standard_normal((PERIODS, 1))
    own = rng.standard_normal((PERIODS, TRIALS))
    mixed: NDArray[np.float64] = math.sqrt(CORRELATION) * common + math.sqrt(1.0 - CORRELATION) * own
    return mixed


def _fat(rng: np.random.Generator) -> NDArray[np.float64]:
    return rng.standard_t(TAIL, (PERIODS, TRIALS))


NOISES: dict[str, Noise] = {
    "independent trials": _independent,
    f"trials of correlation {CORRELATION:g}": _alike,
    f"fat tails (t of {TAIL})": _fat,
}


def deflated_champion(trials: int, skew: float = 0.0, kurtosis: float = 3.0) -> float:
    """Return the probability that the champion is better than the luck of so many trials without skill."""
    per_day = 1.0 / math.sqrt(DAYS)
    threshold = luck_threshold(per_day, trials)
    return probabilistic_sharpe(CHAMPION * per_day, threshold, DAYS, skew, kurtosis)


def check(scale: Scale, on_progress: Progress) -> Finding:
    """Judge sweeps of noise, the champion, and the brackets of luck."""
    sweeps = scale.of(SWEEPS, SWEEPS_QUICK)
    total = len(NOISES) * sweeps + len(BRACKETS)
    rng = np.random.default_rng(SEED)
    rows: list[Row] = []
    deflated: dict[str, NDArray[np.float64]] = {}
    done = 0
    for name, draw in NOISES.items():
        winners, probabilities = 0, np.zeros(sweeps)
        for i in range(sweeps):
            returns = draw(rng)
            verdict = judge(returns, is_cross_validated=False)
            winners += verdict.has_winner and judge(returns).has_winner
            probabilities[i] = verdict.deflated
            done += 1
            on_progress(done, total)
        deflated[name] = probabilities
        passed = int((probabilities >= CONFIDENCE).sum())
        share, alone = share_and_half(winners, sweeps), share_and_half(passed, sweeps)
        rows.append(Row(f"noise, {name}: sweeps with a winner", "at most 5 %", *share, 0.0, FALSE_MAX, ".1%"))
        what = f"noise, {name}: past the deflated ratio alone"
        rows.append(Row(what, "at most 5 %", *alone, 0.0, FALSE_MAX, ".1%"))
    rows += _champion_rows()
    for trials, bracket in BRACKETS.items():
        rows += _bracket_rows(trials, bracket, rng)
        done += 1
        on_progress(done, total)
    settings = {
        "seed": SEED,
        "sweeps": sweeps,
        "periods": PERIODS,
        "trials": TRIALS,
        "maxima": MAXIMA,
        "champion": {"sharpe_annual": CHAMPION, "trials": CHAMPION_TRIALS, "days": DAYS},
    }
    charts = (
        Chart(
            "A Sharpe ratio of 4.26, the best of N",
            "Probability that it is more than luck, by the trials that it took. Below the line: no winner.",
            _champion_chart,
        ),
        Chart(
            "What the best of noise is given",
            "Deflated Sharpe ratio of the best of each noise sweep; right of the line it would pass.",
            lambda: _noise_chart(deflated),
        ),
    )
    source = "formulas d-21; Bailey and Lopez de Prado 2014"
    return Finding("Deflated Sharpe ratio on noise and on a champion", ABOUT, source, settings, rows, charts)


def _champion_rows() -> list[Row]:
    what = f"champion: Sharpe {CHAMPION} of {CHAMPION_TRIALS}"
    return [
        near(what, 0.86, 0.01, deflated_champion(CHAMPION_TRIALS), 0.0, "specification", form=".3f"),
        near(
            f"{what}, skew -0.5, kurtosis 6",
            0.84,
            0.01,
            deflated_champion(CHAMPION_TRIALS, -0.5, 6.0),
            0.0,
            "specification",
            form=".3f",
        ),
        Row("the same, of 60", "0.96 to 0.97, specification", deflated_champion(60), 0.0, 0.955, 0.975, ".3f"),
    ]


def _bracket_rows(trials: int, bracket: float, rng: np.random.Generator) -> list[Row]:
    formula = luck_threshold(1.0, trials)
    best = np.concatenate([rng.standard_normal((500, trials)).max(axis=1) for _ in range(MAXIMA // 500)])
    mean, half = mean_and_half(best)
    rows = [
        near(f"luck of {trials} trials, formula", bracket, 0.001, formula, 0.0, "specification", form=".3f")
    ]
    what = f"luck of {trials} trials, mean of the best of noise"
    return [*rows, near(what, formula, 0.03 * formula, mean, half, "formula, 3 %", form=".3f")]


def _champion_chart() -> "Figure":
    import plotly.graph_objects as go

    from makerside.research.charts import BUY_COLOUR, GREY, INK, new_figure

    figure = new_figure(320, "probability", "trials (log scale)")
    trials = np.unique(np.geomspace(1, 10_000, 160).astype(int))
    y = [deflated_champion(int(n)) for n in trials]
    figure.add_trace(go.Scatter(x=trials, y=y, name="deflated", mode="lines", line={"color": BUY_COLOUR}))
    here = deflated_champion(CHAMPION_TRIALS)
    label = f"of {CHAMPION_TRIALS}: {here:.2f}"
    marker = {"color": INK, "size": 10}
    figure.add_trace(go.Scatter(x=[CHAMPION_TRIALS], y=[here], name=label, mode="markers", marker=marker))
    figure.add_hline(y=CONFIDENCE, line={"color": GREY, "dash": "dot"})
    figure.update_xaxes(type="log")
    return figure


def _noise_chart(deflated: dict[str, NDArray[np.float64]]) -> "Figure":
    import plotly.graph_objects as go

    from makerside.research.charts import BUY_COLOUR, GREY, INK, SELL_COLOUR, new_figure

    figure = new_figure(320, "share of sweeps", "deflated Sharpe ratio of the best")
    edges = np.linspace(0, 1, 21)
    middle = 0.5 * (edges[1:] + edges[:-1])
    for (name, values), colour in zip(deflated.items(), (BUY_COLOUR, SELL_COLOUR, INK), strict=True):
        counts, _ = np.histogram(values, edges)
        line = {"color": colour, "shape": "hvh"}
        shares = counts / len(values)
        figure.add_trace(go.Scatter(x=middle, y=shares, name=name, mode="lines", line=line))
    figure.add_vline(x=CONFIDENCE, line={"color": GREY, "dash": "dot"})
    return figure
