"""Charts of the report, as plotly figures.

Long series are thinned to what a screen can show, keeping the extremes of each stretch.
"""

import base64
import gzip
import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from makerside.model.units import NS_PER_S
from makerside.research.facts import Markout, RunFacts

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

POINTS_MAX = 3_000
BUY_COLOUR, SELL_COLOUR = "#0f7b8a", "#c8561b"
INK, GREY, LINE = "#1c2733", "#8a97a5", "#e6eaee"
PARTS = {"spread": "#0f7b8a", "inventory": "#8456b8", "fees": "#c8561b", "net": INK}


# The library is two thirds smaller when packed; the browser unpacks it and then draws every chart on the page.
_DRAW = """
const packed = Uint8Array.from(atob(document.getElementById("library").textContent), c => c.charCodeAt(0));
const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
new Response(stream).text().then(text => {
  const script = document.createElement("script");
  script.textContent = text;
  document.head.appendChild(script);
  for (const place of document.querySelectorAll("div.chart")) {
    const figure = JSON.parse(place.firstElementChild.textContent);
    place.textContent = "";
    Plotly.newPlot(place, figure.data, figure.layout, {displayModeBar: false, responsive: true});
  }
});
"""


def to_html(figure: "Figure") -> str:
    """Return a figure as a piece of HTML; `chart_library`, at the end of the page, draws it."""
    text = figure.to_json().replace("</", "<\\/")
    height = int(figure.layout.height)
    return f"<div class='chart' style='height:{height}px'><script type='application/json'>{text}</script></div>"


def chart_library() -> str:
    """Return what draws the charts of a page, for its end."""
    from plotly.offline import get_plotlyjs

    packed = base64.b64encode(gzip.compress(get_plotlyjs().encode(), mtime=0)).decode()
    return f"<script type='text/plain' id='library'>{packed}</script><script>{_DRAW}</script>"


def new_figure(height: int, y_title: str, x_title: str = "seconds of the run") -> "Figure":
    """Return an empty figure in the style of the reports."""
    import plotly.graph_objects as go

    figure = go.Figure()
    figure.update_layout(
        height=height,
        margin={"l": 70, "r": 20, "t": 20, "b": 46},
        paper_bgcolor="white",
        plot_bgcolor="white",
        font={"family": "system-ui, sans-serif", "color": INK, "size": 12},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        hovermode="closest",
    )
    figure.update_xaxes(title=x_title, gridcolor=LINE, zeroline=False, linecolor=LINE)
    figure.update_yaxes(title=y_title, gridcolor=LINE, zerolinecolor=GREY, linecolor=LINE)
    return figure


def thin(x: NDArray[Any], y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return at most POINTS_MAX points with the lowest and the highest of each stretch."""
    if len(x) <= POINTS_MAX:
        return x, y
    edges = np.linspace(0, len(x), POINTS_MAX // 2 + 1).astype(int)
    keep: list[int] = []
    for start, stop in itertools.pairwise(edges):
        part = y[start:stop]
        if np.isnan(part).all():
            keep.append(int(start))
            continue
        keep += sorted({int(start + np.nanargmin(part)), int(start + np.nanargmax(part))})
    return x[keep], y[keep]


def _line(figure: "Figure", x: NDArray[Any], y: NDArray[Any], name: str, colour: str, **more: Any) -> None:
    import plotly.graph_objects as go

    x, y = thin(x, y)
    line = {"color": colour, "width": more.pop("width", 1.4), "shape": "hv", **more.pop("line", {})}
    figure.add_trace(go.Scatter(x=x, y=y, name=name, mode="lines", line=line, **more))


def price_chart(facts: RunFacts, instrument: int) -> "Figure":
    """Draw mid, our best quotes and our fills over time."""
    import plotly.graph_objects as go

    rows = facts.trace[facts.trace["instrument"] == instrument]
    fills = facts.fills[facts.fills["instrument"] == instrument]
    tick = float(facts.engine.instruments[instrument].tick_size)
    start = rows["ts_local_ns"][0] if len(rows) else 0
    seconds = (rows["ts_local_ns"] - start) / NS_PER_S
    figure = new_figure(430, "price")
    figure.update_yaxes(exponentformat="none", separatethousands=True)
    for name, column, colour in (
        ("our best bid", "own_bid_ticks", BUY_COLOUR),
        ("our best ask", "own_ask_ticks", SELL_COLOUR),
    ):
        quotes = np.where(rows[column] > 0, rows[column] * tick, np.nan)
        _line(figure, seconds, quotes, name, colour, width=1, opacity=0.75)
    _line(figure, seconds, (rows["bid_ticks"] + rows["ask_ticks"]) / 2 * tick, "mid", INK, width=1.2)
    for side, name, symbol, colour in (
        (1, "we bought", "triangle-up", BUY_COLOUR),
        (-1, "we sold", "triangle-down", SELL_COLOUR),
    ):
        part = fills[fills["side"] == side]
        figure.add_trace(
            go.Scatter(
                x=(part["ts_local_ns"] - start) / NS_PER_S,
                y=part["price_ticks"] * tick,
                name=f"{name} ({len(part):,})",
                mode="markers",
                marker={"symbol": symbol, "size": 9, "color": colour, "line": {"width": 1, "color": "white"}},
            )
        )
    return figure


def position_chart(curves: dict[str, NDArray[Any]]) -> "Figure":
    """Draw the signed position over time."""
    figure = new_figure(230, "position")
    _line(figure, curves["seconds"], curves["position"], "position", BUY_COLOUR, fill="tozeroy")
    return figure


def pnl_chart(curves: dict[str, NDArray[Any]]) -> "Figure":
    """Draw the parts of the result over time."""
    figure = new_figure(330, "USD")
    for name, colour in PARTS.items():
        _line(figure, curves["seconds"], curves[name], name, colour, width=2.2 if name == "net" else 1.4)
    return figure


def markout_chart(markouts: list[Markout]) -> "Figure":
    """Draw the mean move after fills by horizon, with its interval."""
    import plotly.graph_objects as go

    known = [one for one in markouts if one.n > 0]
    figure = new_figure(300, "bps", "seconds after the fill (log scale)")
    figure.add_trace(
        go.Scatter(
            x=[one.horizon_s for one in known],
            y=[one.gross_bps for one in known],
            error_y={"type": "data", "array": [one.ci_bps for one in known], "color": GREY},
            name="before fees",
            mode="lines+markers",
            line={"color": BUY_COLOUR},
        )
    )
    figure.add_trace(
        go.Scatter(
            x=[one.horizon_s for one in known],
            y=[one.net_bps for one in known],
            name="after fees",
            mode="lines+markers",
            line={"color": SELL_COLOUR, "dash": "dot"},
        )
    )
    horizons = [one.horizon_s for one in known]
    figure.update_xaxes(type="log", tickvals=horizons, ticktext=[f"{horizon:g}" for horizon in horizons])
    return figure


def latency_chart(series: dict[str, NDArray[np.int64]]) -> "Figure":
    """Draw histograms of durations on a logarithmic axis."""
    import plotly.graph_objects as go

    figure = new_figure(280, "share", "microseconds (log scale)")
    everything = np.concatenate(list(series.values())) / 1_000
    low, high = np.percentile(everything, (0.1, 99.9))
    edges = np.geomspace(max(low, 0.01) * 0.9, max(high, 0.02) * 1.1, 70)
    for (name, values), colour in zip(series.items(), (BUY_COLOUR, SELL_COLOUR, INK), strict=False):
        counts, _ = np.histogram(values / 1_000, edges)
        middle = np.sqrt(edges[:-1] * edges[1:])
        figure.add_trace(
            go.Scatter(
                x=middle,
                y=counts / max(1, len(values)),
                name=f"{name} (n = {len(values):,})",
                mode="lines",
                line={"color": colour, "shape": "hvh"},
                fill="tozeroy",
            )
        )
    ticks = [m * 10.0**e for e in range(-2, 7) for m in (1, 2, 5)]
    figure.update_xaxes(type="log", tickvals=ticks, ticktext=[f"{tick:g}" for tick in ticks])
    return figure
