"""Charts of a walk-forward, as plotly figures."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from makerside.model.units import E8
from makerside.research.charts import BUY_COLOUR, GREY, INK, SELL_COLOUR, new_figure
from makerside.research.sweep_charts import line, sample_times, style, time_unit
from makerside.research.sweep_summary import SweepFacts
from makerside.research.walk import Walk

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def walk_bands(walks: Sequence[Walk], facts: SweepFacts) -> "Figure":
    """Draw what each test was chosen on, what was left out, and what the test gave."""
    from plotly.subplots import make_subplots

    figure = make_subplots(
        rows=1,
        cols=len(walks),
        shared_yaxes=True,
        horizontal_spacing=0.04,
        subplot_titles=[f"{one.name}: {one.net_usd:+,.2f} USD in all" for one in walks],
    )
    style(figure, 120 + 34 * max(len(one.steps) for one in walks))
    unit, seconds = time_unit(facts)
    for column, one in enumerate(walks, 1):
        _draw_bands(figure, one, facts.market.period_s / seconds, column)
        figure.update_xaxes(title=unit, col=column)
    figure.update_layout(barmode="overlay")
    figure.update_yaxes(type="category", autorange="reversed")
    return figure


def _draw_bands(figure: "Figure", one: Walk, period: float, column: int) -> None:
    import plotly.graph_objects as go

    names = [f"test {i + 1}" for i in range(len(one.steps))]
    folds = [step.fold for step in one.steps]
    nets = [step.net_usd for step in one.steps]
    bands: tuple[tuple[str, list[float], list[float], Any, list[str]], ...] = (
        (
            "chosen on",
            [f.train_start for f in folds],
            [f.train_stop for f in folds],
            "#cfd6dd",
            [""] * len(folds),
        ),
        (
            "left out",
            [f.train_stop for f in folds],
            [f.test_start for f in folds],
            "#f3e3c8",
            [""] * len(folds),
        ),
        (
            "test",
            [f.test_start for f in folds],
            [f.test_stop for f in folds],
            [BUY_COLOUR if net > 0 else SELL_COLOUR for net in nets],
            [f"{net:+,.2f}" for net in nets],
        ),
    )
    for name, starts, stops, colour, texts in bands:
        figure.add_trace(
            go.Bar(
                y=names,
                x=[(stop - start) * period for start, stop in zip(starts, stops, strict=True)],
                base=[start * period for start in starts],
                orientation="h",
                name=name,
                marker_color=colour,
                text=texts,
                textposition="inside",
                insidetextanchor="middle",
                textfont={"color": "white"},
                showlegend=column == 1 and name != "test",
                hovertemplate=f"{name}: from %{{base:.3f}}, for %{{x:.3f}} %{{text}}<extra></extra>",
            ),
            row=1,
            col=column,
        )


def walk_curves(walks: Sequence[Walk], facts: SweepFacts) -> "Figure":
    """Draw what choosing by the past made, test after test, beside the best by hindsight."""
    figure = new_figure(300, "USD since the first test", time_unit(facts)[0])
    equity = np.column_stack([trial.equity_e8 for trial in facts.trials]) / E8
    all_times = sample_times(facts)
    for one, colour in zip(walks, (BUY_COLOUR, SELL_COLOUR), strict=False):
        total, times, made = 0.0, [], []
        for step in one.steps:
            part = equity[step.fold.test_start : step.fold.test_stop + 1, step.chosen]
            times.append(all_times[step.fold.test_start : step.fold.test_stop + 1])
            made.append(total + part - part[0])
            total = float(made[-1][-1])
        line(
            figure,
            np.concatenate(times),
            np.concatenate(made),
            f"best by the past, {one.name}",
            {"color": colour, "width": 2},
        )
    first = min(one.steps[0].fold.test_start for one in walks)
    best = equity[first:, facts.verdict.best]
    line(
        figure,
        all_times[first:],
        best - best[0],
        "best by hindsight",
        {"color": GREY, "width": 1.2, "dash": "dot"},
    )
    figure.add_hline(y=0, line_color=INK, line_width=0.6)
    return figure
