"""The report of a sweep: one HTML file; the honest probability stands next to every best."""

import html
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from makerside.model.units import E8
from makerside.research.charts import BUY_COLOUR, GREY, INK, SELL_COLOUR, new_figure, to_html
from makerside.research.report import write_page
from makerside.research.sweep_summary import SHOWN, Ranked, SweepFacts, verdict_lines

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

CURVES = 5
MAPS_MAX = 6
CURVE_COLOURS = (BUY_COLOUR, SELL_COLOUR, "#8456b8", "#4c8c2b", GREY)


def write_sweep_report(path: Path, facts: SweepFacts, title: str) -> None:
    """Write the report of a complete sweep."""
    write_page(path, title, "\n".join(_sections(facts)))


def _sections(facts: SweepFacts) -> Iterator[str]:
    verdict = facts.verdict
    css = "good" if verdict.has_winner else "bad"
    lines = verdict_lines(verdict)
    yield f"<h2 class='{css}'>{html.escape(lines[0])}</h2>"
    yield "".join(f"<p class='note'>{html.escape(line)}</p>" for line in lines[1:])
    yield "<h2>Best sets</h2>"
    yield "<p class='note'>By Sharpe ratio. The order is that of one stretch of data: mind the verdict.</p>"
    yield _table(facts)
    yield "<h2>Net PnL and deepest fall</h2>"
    yield "<p class='note'>Each point is a set. On the line, none is better in both.</p>"
    yield to_html(_pareto(facts))
    for first, second in _varying_pairs(facts):
        yield f"<h2>{html.escape(short(first))} and {html.escape(short(second))}</h2>"
        yield "<p class='note'>Mean net PnL over all other settings, USD. Islands are luck.</p>"
        yield to_html(_heat_map(facts, first, second))
    yield "<h2>Equity of the best</h2>"
    yield to_html(_equity(facts))


def _table(facts: SweepFacts) -> str:
    shown = facts.ranked[:SHOWN]
    keys = list(facts.trials[0].settings)
    head = [
        *(short(key) for key in keys),
        "net",
        "Sharpe/y",
        "deflated",
        "Calmar",
        "drawdown",
        "fills",
        "volume",
        "spread",
        "markout 5 s",
    ]
    rows = [[*(one.trial.settings[key] for key in keys), *_cells(one, facts, i)] for i, one in enumerate(shown)]
    cells = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return (
        "<table class='figures'><tr>"
        + "".join(f"<th>{html.escape(text)}</th>" for text in head)
        + f"</tr>{cells}</table>"
    )


def _cells(one: Ranked, facts: SweepFacts, place: int) -> list[str]:
    figures, found = one.trial.figures, one.performance
    deflated = f"{facts.verdict.deflated:.3f}" if place == 0 else ""
    return [
        f"{one.net:+,.2f}",
        _number(found.sharpe_annual if found else np.nan, ".2f"),
        deflated,
        _number(found.calmar if found else np.nan, ".2f"),
        f"{one.drawdown_usd:,.2f}",
        f"{figures['fills']:,}",
        f"{float(figures['volume']):,.0f}",
        f"{float(figures['spread']):,.2f}",
        _number(one.trial.markouts.get("5", np.nan), "+.2f"),
    ]


def short(key: str) -> str:
    """Return a setting's name without the room that most of them are in."""
    return key.removeprefix("strategy.")


def _number(value: float, form: str) -> str:
    return "n/a" if not np.isfinite(value) else format(value, form)


def _varying_pairs(facts: SweepFacts) -> list[tuple[str, str]]:
    settings = [trial.settings for trial in facts.trials]
    keys = [key for key in settings[0] if len({one[key] for one in settings}) > 1]
    return [(a, b) for i, a in enumerate(keys) for b in keys[i + 1 :]][:MAPS_MAX]


def _values(facts: SweepFacts, key: str) -> list[str]:
    """Return the values of a key: numbers by size, texts as they came."""
    found = list(dict.fromkeys(trial.settings[key] for trial in facts.trials))
    try:
        return sorted(found, key=float)
    except ValueError:
        return found


def _heat_map(facts: SweepFacts, first: str, second: str) -> "Figure":
    import plotly.graph_objects as go

    columns, rows = _values(facts, first), _values(facts, second)
    sums, counts = np.zeros((len(rows), len(columns))), np.zeros((len(rows), len(columns)))
    for trial in facts.trials:
        place = rows.index(trial.settings[second]), columns.index(trial.settings[first])
        sums[place] += float(trial.figures["net"])
        counts[place] += 1
    mean = np.full_like(sums, np.nan)
    np.divide(sums, counts, out=mean, where=counts > 0)
    figure = new_figure(120 + 36 * len(rows), short(second), short(first))
    limit = float(np.nanmax(np.abs(mean))) or 1.0
    figure.add_trace(
        go.Heatmap(
            z=mean,
            x=columns,
            y=rows,
            zmin=-limit,
            zmax=limit,
            colorscale=[(0.0, SELL_COLOUR), (0.5, "#ffffff"), (1.0, BUY_COLOUR)],
            texttemplate="%{z:,.2f}" if mean.size <= 120 else None,
            colorbar={"title": "USD"},
        )
    )
    figure.update_xaxes(type="category")
    figure.update_yaxes(type="category")
    return figure


def pareto(points: list[tuple[float, float]]) -> list[int]:
    """Return the places of (gain, loss) that no other beats in both, by rising loss."""
    best, found = -np.inf, []
    for i in sorted(range(len(points)), key=lambda i: (points[i][1], -points[i][0])):
        if points[i][0] > best:
            best = points[i][0]
            found.append(i)
    return found


def _pareto(facts: SweepFacts) -> "Figure":
    import plotly.graph_objects as go

    points = [(one.net, one.drawdown_usd) for one in facts.ranked]
    names = ["<br>".join(f"{short(k)} {v}" for k, v in one.trial.settings.items()) for one in facts.ranked]
    figure = new_figure(360, "net PnL, USD", "deepest fall of the equity, USD")
    figure.add_trace(
        go.Scatter(
            x=[loss for _, loss in points],
            y=[gain for gain, _ in points],
            mode="markers",
            name="sets",
            text=names,
            marker={"color": GREY, "size": 7},
        )
    )
    front = pareto(points)
    figure.add_trace(
        go.Scatter(
            x=[points[i][1] for i in front],
            y=[points[i][0] for i in front],
            mode="lines+markers",
            name="none is better in both",
            text=[names[i] for i in front],
            line={"color": BUY_COLOUR, "shape": "hv"},
            marker={"color": BUY_COLOUR, "size": 9},
        )
    )
    return figure


def _equity(facts: SweepFacts) -> "Figure":
    import plotly.graph_objects as go

    figure = new_figure(360, "equity since the start, USD", "hours")
    hours = (facts.market.sample_ns - facts.market.sample_ns[0]) / 3.6e12
    for one, colour in zip(facts.ranked[:CURVES], CURVE_COLOURS, strict=False):
        equity: Any = (one.trial.equity_e8 - one.trial.equity_e8[0]) / E8
        name = ", ".join(f"{short(key)} {value}" for key, value in one.trial.settings.items())
        figure.add_trace(
            go.Scatter(x=hours, y=equity, name=name or "the set", line={"color": colour, "width": 1.4})
        )
    figure.add_hline(y=0, line_color=INK, line_width=0.6)
    return figure
