"""Charts of a sweep, as plotly figures."""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from makerside.model.units import E8, NS_PER_S
from makerside.research.charts import BUY_COLOUR, GREY, INK, LINE, POINTS_MAX, SELL_COLOUR, new_figure, thin
from makerside.research.sweep_summary import Ranked, SweepFacts
from makerside.research.sweep_words import number, settings_text, short

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

CURVES = 5
CURVE_COLOURS = (BUY_COLOUR, SELL_COLOUR, "#8456b8", "#4c8c2b", GREY)
LOSS_TO_GAIN = [(0.0, SELL_COLOUR), (0.5, "#ffffff"), (1.0, BUY_COLOUR)]
CHANCE = [(0.0, "#cfd6dd"), (0.5, "#8fb7bf"), (1.0, "#0b4f59")]
FACETS_MAX = 12
FACETS_WIDE = 3
TEXTS_MAX = 40  # cells of one map that show their number
# Units of time axes, with the length from which each is used.
TIME_UNITS = (("days", 86_400.0, 4 * 86_400.0), ("hours", 3_600.0, 3 * 3_600.0), ("minutes", 60.0, 0.0))


def time_unit(facts: SweepFacts) -> tuple[str, float]:
    """Return the unit of time that suits the length of the data, and its seconds."""
    length_s = float(facts.market.sample_ns[-1] - facts.market.sample_ns[0]) / NS_PER_S
    return next((name, seconds) for name, seconds, least in TIME_UNITS if length_s >= least)


def sample_times(facts: SweepFacts) -> NDArray[np.float64]:
    """Return the sample times since the start, in the unit of the axes."""
    since_ns: NDArray[np.int64] = facts.market.sample_ns - facts.market.sample_ns[0]
    return since_ns / (NS_PER_S * time_unit(facts)[1])


def effects(facts: SweepFacts) -> list[tuple[str, float]]:
    """Return the settings that vary, each with its share of the differences in net PnL, largest first."""
    net = np.array([float(trial.figures["net"]) for trial in facts.trials])
    total = float(((net - net.mean()) ** 2).sum())
    found = []
    for key in facts.varying:
        groups: dict[str, list[int]] = {}
        for i, trial in enumerate(facts.trials):
            groups.setdefault(trial.settings[key], []).append(i)
        between = sum(len(places) * (net[places].mean() - net.mean()) ** 2 for places in groups.values())
        found.append((key, float(between) / total if total > 0 else 0.0))
    return sorted(found, key=lambda one: -one[1])


def values_of(facts: SweepFacts, key: str) -> list[str]:
    """Return the values of a setting: numbers by size, texts as they came."""
    found = list(dict.fromkeys(trial.settings[key] for trial in facts.trials))
    try:
        return sorted(found, key=float)
    except ValueError:
        return found


def facet_keys(facts: SweepFacts, keys: Sequence[str]) -> list[str]:
    """Return the first of these settings whose combinations fit on a page; maps average over the others."""
    chosen, n = [], 1
    for key in keys:
        n *= len(values_of(facts, key))
        if n > FACETS_MAX:
            break
        chosen.append(key)
    return chosen


def heat_maps(facts: SweepFacts) -> "Figure":
    """Draw net PnL over the two settings that matter most, one map for each combination of the others."""
    from plotly.subplots import make_subplots

    first, second, *others = [key for key, _ in effects(facts)]
    if len(values_of(facts, first)) < len(values_of(facts, second)):
        first, second = second, first
    facets = facet_keys(facts, others)
    combinations = list(itertools.product(*(values_of(facts, key) for key in facets)))
    maps = [_cells(facts, first, second, dict(zip(facets, one, strict=True))) for one in combinations]
    wide = min(FACETS_WIDE, len(maps))
    high = math.ceil(len(maps) / wide)
    titles = [", ".join(f"{short(k)} {v}" for k, v in zip(facets, one, strict=True)) for one in combinations]
    figure = make_subplots(
        rows=high, cols=wide, subplot_titles=titles if facets else None, shared_xaxes=True, shared_yaxes=True,
        horizontal_spacing=0.03, vertical_spacing=min(0.12, 0.3 / high),
    )  # fmt: skip
    style(figure, 90 + high * (60 + 30 * len(values_of(facts, second))))
    best = facts.ranked[0].trial.settings
    for i, (mean, texts) in enumerate(maps):
        place = (i // wide + 1, i % wide + 1)
        _draw_map(figure, facts, (first, second), mean, texts, place)
        if tuple(best[key] for key in facets) == combinations[i]:
            _outline(figure, facts, (first, second), place)
    limit = max((float(np.nanmax(np.abs(mean))) for mean, _ in maps if not np.isnan(mean).all()), default=1.0)
    scale = {
        "colorscale": LOSS_TO_GAIN,
        "cmin": -(limit or 1.0),
        "cmax": limit or 1.0,
        "colorbar": {"title": "USD"},
    }
    figure.update_layout(coloraxis=scale)
    figure.update_xaxes(type="category", title=None)
    figure.update_yaxes(type="category", title=None)
    figure.update_xaxes(title=short(first), row=high)
    figure.update_yaxes(title=short(second), col=1)
    return figure


def _cells(
    facts: SweepFacts, first: str, second: str, where: dict[str, str]
) -> tuple[NDArray[np.float64], list[list[str]]]:
    """Return mean net PnL, (rows, columns), NaN where no set is, and what is said of each cell."""
    columns, rows = values_of(facts, first), values_of(facts, second)
    cells: dict[tuple[int, int], list[Ranked]] = {}
    for one in facts.ranked:
        settings = one.trial.settings
        if all(settings[key] == value for key, value in where.items()):
            cells.setdefault((rows.index(settings[second]), columns.index(settings[first])), []).append(one)
    mean = np.full((len(rows), len(columns)), np.nan)
    texts = [[""] * len(columns) for _ in rows]
    for (row, column), found in cells.items():
        mean[row, column] = np.mean([one.net for one in found])
        chance = number(max(one.probability for one in found), ".3f")
        texts[row][column] = f"{len(found)} set{'s' if len(found) > 1 else ''}, better than luck {chance}"
    return mean, texts


def _draw_map(
    figure: "Figure",
    facts: SweepFacts,
    keys: tuple[str, str],
    mean: NDArray[np.float64],
    texts: list[list[str]],
    place: tuple[int, int],
) -> None:
    import plotly.graph_objects as go

    is_open = mean.size <= TEXTS_MAX
    figure.add_trace(
        go.Heatmap(
            z=np.round(mean, 6).astype(object),
            x=values_of(facts, keys[0]),
            y=values_of(facts, keys[1]),
            customdata=texts,
            coloraxis="coloraxis",
            texttemplate="%{z:,.2f}" if is_open else None,
            hovertemplate=f"{short(keys[0])} %{{x}}, {short(keys[1])} %{{y}}<br>net USD %{{z:+,.2f}}"
            "<br>%{customdata}<extra></extra>",
            xgap=1,
            ygap=1,
        ),
        row=place[0],
        col=place[1],
    )


def _outline(figure: "Figure", facts: SweepFacts, keys: tuple[str, str], place: tuple[int, int]) -> None:
    """Outline the cell of the best set."""
    x, y = (values_of(facts, key).index(facts.ranked[0].trial.settings[key]) for key in keys)
    box = {"x0": x - 0.5, "x1": x + 0.5, "y0": y - 0.5, "y1": y + 0.5}
    figure.add_shape(type="rect", line={"color": INK, "width": 2}, row=place[0], col=place[1], **box)


def one_setting(facts: SweepFacts, key: str) -> "Figure":
    """Draw net PnL over the only setting that varies."""
    import plotly.graph_objects as go

    by_value = {one.trial.settings[key]: one for one in facts.ranked}
    values = values_of(facts, key)
    figure = new_figure(300, "net USD", short(key))
    nets = [by_value[value].net for value in values]
    texts = [f"better than luck {number(by_value[value].probability, '.3f')}" for value in values]
    colours = [BUY_COLOUR if net > 0 else SELL_COLOUR for net in nets]
    figure.add_trace(go.Bar(x=values, y=nets, marker_color=colours, hovertext=texts))
    figure.update_xaxes(type="category")
    return figure


def pareto(points: list[tuple[float, float]]) -> list[int]:
    """Return the places of (gain, loss) that no other beats in both, by rising loss."""
    best, found = -np.inf, []
    for i in sorted(range(len(points)), key=lambda i: (points[i][1], -points[i][0])):
        if points[i][0] > best:
            best = points[i][0]
            found.append(i)
    return found


def pareto_chart(facts: SweepFacts) -> "Figure":
    """Draw net PnL against what was risked for it: the deepest fall, and the mean position."""
    from plotly.subplots import make_subplots

    figure = make_subplots(rows=1, cols=2, shared_yaxes=True, horizontal_spacing=0.03)
    style(figure, 400)
    risks: tuple[tuple[str, Callable[[Ranked], float]], ...] = (
        ("drawdown USD", lambda one: one.drawdown_usd),
        ("inventory USD", lambda one: one.activity.inventory_usd),
    )
    for column, (word, risk) in enumerate(risks, 1):
        points = [(one.net, risk(one)) for one in facts.ranked]
        front = pareto(points)
        _draw_front(figure, [points[i] for i in front], column)
        # Of very many sets, every n-th by rank, and all of the front.
        drawn = sorted({*front, *range(0, len(points), math.ceil(len(points) / POINTS_MAX))})
        _draw_points(figure, facts, [facts.ranked[i] for i in drawn], [points[i] for i in drawn], column)
        figure.update_xaxes(title=word, col=column)
    figure.update_yaxes(title="net USD", col=1)
    scale = {"colorscale": CHANCE, "cmin": 0, "cmax": 1, "colorbar": {"title": "better<br>than luck"}}
    figure.update_layout(coloraxis=scale)
    return figure


def _draw_front(figure: "Figure", front: list[tuple[float, float]], column: int) -> None:
    import plotly.graph_objects as go

    figure.add_trace(
        go.Scatter(
            x=[loss for _, loss in front],
            y=[gain for gain, _ in front],
            mode="lines",
            name="none is better in both",
            line={"color": INK, "shape": "hv", "width": 1.2},
            hoverinfo="skip",
            showlegend=column == 1,
        ),
        row=1,
        col=column,
    )


def _draw_points(
    figure: "Figure", facts: SweepFacts, sets: list[Ranked], points: list[tuple[float, float]], column: int
) -> None:
    import plotly.graph_objects as go

    chances = [0.0 if math.isnan(one.probability) else round(one.probability, 4) for one in sets]
    names = [
        f"{settings_text(one, facts, '<br>')}<br>better than luck {number(one.probability, '.3f')}"
        for one in sets
    ]
    figure.add_trace(
        go.Scatter(
            x=[round(loss, 4) for _, loss in points],
            y=[round(gain, 4) for gain, _ in points],
            mode="markers",
            text=names,
            marker={
                "color": chances,
                "coloraxis": "coloraxis",
                "size": 8,
                "line": {"width": 0.5, "color": GREY},
            },
            hovertemplate="net USD %{y:+,.2f}, risk %{x:,.2f}<br>%{text}<extra></extra>",
            showlegend=False,
        ),
        row=1,
        col=column,
    )


def equity_chart(facts: SweepFacts) -> "Figure":
    """Draw the equity of the best sets, each with its probability."""
    figure = new_figure(360, "equity since the start, USD", time_unit(facts)[0])
    times = sample_times(facts)
    for one, colour in zip(facts.ranked[:CURVES], CURVE_COLOURS, strict=False):
        equity: Any = (one.trial.equity_e8 - one.trial.equity_e8[0]) / E8
        chance = number(one.probability, ".3f")
        name = f"{settings_text(one, facts)}: better than luck {chance}"
        line(figure, times, equity, name, {"color": colour, "width": 1.6})
    figure.update_layout(height=330 + 20 * CURVES, legend={"orientation": "v", "y": 1.02, "yanchor": "bottom"})
    figure.add_hline(y=0, line_color=INK, line_width=0.6)
    return figure


def markout_chart(facts: SweepFacts) -> "Figure":
    """Draw the mean move of the mid after the fills of the best sets, by horizon, with its interval."""
    import plotly.graph_objects as go

    figure = new_figure(270 + 20 * CURVES, "bps", "seconds after the fill (log scale)")
    horizons = sorted({key for one in facts.ranked[:CURVES] for key in one.trial.markouts}, key=float)
    for one, colour in zip(facts.ranked[:CURVES], CURVE_COLOURS, strict=False):
        known = [key for key in horizons if key in one.trial.markouts]
        widths = [float(one.trial.figures.get(f"markout_ci_bps_{key}s", 0)) for key in known]
        figure.add_trace(
            go.Scatter(
                x=[float(key) for key in known],
                y=[round(one.trial.markouts[key], 4) for key in known],
                error_y={
                    "type": "data",
                    "array": [0.0 if math.isnan(w) else w for w in widths],
                    "thickness": 1,
                },
                mode="lines+markers",
                name=settings_text(one, facts),
                line={"color": colour, "width": 1.6},
            )
        )
    figure.update_xaxes(type="log", tickvals=[float(key) for key in horizons], ticktext=horizons)
    figure.update_layout(legend={"orientation": "v", "y": 1.02, "yanchor": "bottom"})
    figure.add_hline(y=0, line_color=INK, line_width=0.6)
    return figure


def line(figure: "Figure", x: NDArray[Any], y: NDArray[Any], name: str, line: dict[str, Any]) -> None:
    """Draw a series, thinned to what a screen shows."""
    import plotly.graph_objects as go

    x, y = thin(x, y)
    figure.add_trace(go.Scatter(x=np.round(x, 6), y=np.round(y, 4), name=name, mode="lines", line=line))


def style(figure: "Figure", height: int) -> None:
    """Give a figure of several plots the style of the reports."""
    plain = new_figure(height, "").layout
    figure.update_layout(
        height=height,
        margin={"l": 70, "r": 20, "t": 50, "b": 46},
        paper_bgcolor=plain.paper_bgcolor,
        plot_bgcolor=plain.plot_bgcolor,
        font=plain.font,
        legend={**plain.legend.to_plotly_json(), "y": 1.08},
        hovermode="closest",
    )
    figure.update_annotations(font_size=13)
    figure.update_xaxes(gridcolor=LINE, zeroline=False, linecolor=LINE)
    figure.update_yaxes(gridcolor=LINE, zerolinecolor=GREY, linecolor=LINE)
