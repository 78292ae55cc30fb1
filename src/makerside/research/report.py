"""The report of a run: one HTML file that opens without a network.

Shows what a desk asks first: where we quoted and were filled, what inventory we held, which part of
the result came from where, what the market did after our fills, how fast we were, and with which
settings.
"""

import html
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from makerside.config.load import flatten
from makerside.model.units import E8, NS_PER_S
from makerside.research.charts import (
    chart_library,
    latency_chart,
    markout_chart,
    pnl_chart,
    position_chart,
    price_chart,
    to_html,
)
from makerside.research.facts import RunFacts

STYLE = """
:root { --ink: #1c2733; --soft: #5b6b7b; --line: #dde3e9; --paper: #ffffff; --tile: #f5f7f9; }
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; color: var(--ink);
       background: var(--paper); margin: 0 auto; max-width: 1180px; padding: 24px 20px 60px; }
h1 { font-size: 24px; margin: 0 0 2px; } h2 { font-size: 17px; margin: 34px 0 4px; }
p.note { color: var(--soft); margin: 0 0 8px; max-width: 80ch; }
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); gap: 10px;
  margin: 18px 0; }
.tile { background: var(--tile); border: 1px solid var(--line); border-radius: 8px; padding: 10px 12px; }
.tile b { display: block; font-size: 19px; font-variant-numeric: tabular-nums; }
.tile span { color: var(--soft); font-size: 13px; }
table { border-collapse: collapse; font-size: 14px; } td, th { padding: 3px 14px 3px 0; text-align: left;
  border-bottom: 1px solid var(--line); vertical-align: top; } th { color: var(--soft); font-weight: 500; }
td { word-break: break-word; font-variant-numeric: tabular-nums; } th { white-space: nowrap; }
.figures td { word-break: normal; white-space: nowrap; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(440px, 1fr)); gap: 10px 40px; }
.bad { color: #b3261e; } .good { color: #1b7f4d; }
"""


def write_report(
    path: Path, facts: RunFacts, summary: dict[str, Any], timings: dict[str, NDArray[np.int64]]
) -> None:
    """Write the report of a run. timings : durations in ns by name, may be empty."""
    title = f"{summary['strategy']} on {summary['venue']}, {summary['mode']}"
    write_page(path, title, "\n".join(_sections(facts, summary, timings)))


def write_page(path: Path, title: str, body: str) -> None:
    """Write a page that opens without a network, charts included."""
    text = (
        "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{html.escape(title)}</title>"
        f"<style>{STYLE}</style></head>\n"
        f"<body><h1>{html.escape(title)}</h1>{body}{chart_library()}</body></html>\n"
    )
    path.write_text(text)


def _sections(facts: RunFacts, summary: dict[str, Any], timings: dict[str, NDArray[np.int64]]) -> Iterator[str]:
    yield _subtitle(summary)
    yield _tiles(summary)
    for i, instrument in enumerate(facts.engine.instruments):
        curves = _curves(facts, i)
        yield f"<h2>{html.escape(instrument.symbol)}: market, our quotes, our fills</h2>"
        yield to_html(price_chart(facts, i))
        yield f"<h2>{html.escape(instrument.symbol)}: inventory</h2>"
        yield to_html(position_chart(curves))
        yield f"<h2>{html.escape(instrument.symbol)}: where the result came from</h2>"
        yield (
            "<p class='note'>Spread: distance of our fills from the mid before them. Inventory: what holding "
            "the position gained or lost since. Their sum is realised + unrealised PnL, before fees and "
            "funding.</p>"
        )
        yield to_html(pnl_chart(curves))
    yield "<h2>After our fills</h2>"
    yield (
        "<p class='note'>Mean move of the mid after a fill, in our favour, weighted by size, with its 95 % "
        "interval. Below zero: we were picked off.</p>"
    )
    yield to_html(markout_chart(facts.markouts))
    yield "<h2>Speed</h2>"
    yield _speed(summary, timings)
    yield "<div class='columns'>"
    yield _table("Counts", _counts(summary))
    yield _table("Run", _run_rows(summary))
    yield _table("Effective configuration", dict(flatten(facts.record.config.model_dump(mode="json"))))
    yield "</div>"


def _subtitle(summary: dict[str, Any]) -> str:
    parity = summary["parity"]
    state = "replay identical" if parity else "REPLAY DIFFERS" if parity is not None else "not replayed"
    css = "good" if parity else "bad"
    symbols = ", ".join(summary["symbols"])
    return (
        f"<p class='note'>{html.escape(symbols)}, {summary['duration_s']:,.0f} s of market time, "
        f"configuration {summary['config_hash'][:12]}, <span class='{css}'>{state}</span></p>"
    )


def _tiles(summary: dict[str, Any]) -> str:
    left = summary["orders_left"]
    tiles = [
        ("net PnL, USD", f"{float(summary['pnl_net']):+,.2f}"),
        ("fills", f"{summary['fills']:,}"),
        ("volume, USD", f"{float(summary['volume']):,.0f}"),
        ("fees, USD", f"{float(summary['fees']):,.2f}"),
        ("orders placed", f"{summary['orders_placed']:,}"),
        ("decisions", f"{summary['decisions']:,}"),
        ("orders left", "not asked" if left is None else str(left)),
    ]
    for name, key in (
        ("decision p50, us", "decision_us"),
        ("bytes to bytes p50, us", "bytes_in_to_signed_out_us"),
    ):
        if summary[key]:
            tiles.append((name, f"{summary[key]['p50']:,.1f}"))
    cells = "".join(
        f"<div class='tile'><b>{html.escape(text)}</b><span>{name}</span></div>" for name, text in tiles
    )
    return f"<div class='tiles'>{cells}</div>"


def _curves(facts: RunFacts, instrument: int) -> dict[str, NDArray[Any]]:
    """Return time series of one instrument for drawing: seconds, position, PnL parts in USD, as floats."""
    engine = facts.engine
    rows = facts.trace[facts.trace["instrument"] == instrument]
    fills = facts.fills[facts.fills["instrument"] == instrument]
    unit = int(engine.accounts[0]["positions"][instrument]["unit_value_e8"]) / E8
    side, lots = fills["side"].astype(float), fills["size_lots"].astype(float)
    price, mid = fills["price_ticks"].astype(float), fills["mid_x2_ticks"] / 2
    spread = np.cumsum(side * (mid - price) * lots * unit)
    paid = np.cumsum(-side * price * lots * unit)
    fees = np.cumsum(fills["fee_e8"] / E8)
    held = np.cumsum(side * lots)
    # Value everything at the rows of the trace: the state after the last fill before each row.
    last = np.searchsorted(fills["ts_local_ns"], rows["ts_local_ns"], side="right")

    def at(series: NDArray[Any]) -> NDArray[Any]:
        values: NDArray[Any] = np.concatenate([[0.0], series])[last]
        return values

    mids = (rows["bid_ticks"] + rows["ask_ticks"]) / 2
    gross = at(paid) + at(held) * mids * unit
    start = rows["ts_local_ns"][0] if len(rows) else 0
    return {
        "seconds": (rows["ts_local_ns"] - start) / NS_PER_S,
        "position": rows["position_lots"] * float(engine.instruments[instrument].lot_size),
        "spread": at(spread),
        "inventory": gross - at(spread),
        "fees": -at(fees),
        "net": gross - at(fees),
    }


def _speed(summary: dict[str, Any], timings: dict[str, NDArray[np.int64]]) -> str:
    series = {
        "one decision (rows in, actions out)": timings.get("decision_ns"),
        "bytes in to signed bytes out": timings.get("wire_ns"),
    }
    known = {name: values for name, values in series.items() if values is not None and len(values)}
    if not known:
        return "<p class='note'>Nothing was timed in this run.</p>"
    return to_html(latency_chart(known))


def _counts(summary: dict[str, Any]) -> dict[str, Any]:
    names = ("events", "decisions", "actions", "orders_placed", "orders_canceled", "orders_rejected", "fills")
    rows: dict[str, Any] = {name.replace("_", " "): f"{summary[name]:,}" for name in names}
    rows.update({f"held back: {name.replace('_', ' ')}": f"{n:,}" for name, n in summary["held_back"].items()})
    rows.update({f"defect: {name.replace('_', ' ')}": f"{n:,}" for name, n in summary["defects"].items()})
    return rows


def _run_rows(summary: dict[str, Any]) -> dict[str, Any]:
    rows = {name: value for name, value in flatten(summary["facts"]) if not name.startswith("defects")}
    rows["actions sha256"] = summary["actions_sha256"]
    rows["makerside"] = summary["makerside"]
    return rows


def _table(title: str, rows: dict[str, Any]) -> str:
    def text(value: Any) -> str:
        return html.escape(", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value))

    cells = "".join(
        f"<tr><th>{html.escape(name)}</th><td>{text(value)}</td></tr>" for name, value in rows.items()
    )
    return f"<div><h2>{title}</h2><table>{cells}</table></div>"
