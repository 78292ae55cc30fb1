"""What every run ends with: replay, summary, report, and the figures on the screen."""

from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table


def write_results(folder: Path, orders_left: int | None, is_quiet: bool = False) -> dict[str, Any]:
    """Replay a run, write summary.json and report.html, print the figures unless quiet; returns the summary."""
    from makerside.journal.folder import read_timings, write_json
    from makerside.model.run import REPORT_NAME, SUMMARY_NAME
    from makerside.research.facts import read_facts
    from makerside.research.replay import replay
    from makerside.research.report import write_report
    from makerside.research.summary import summarize

    parity = replay(folder)
    facts = read_facts(folder)
    timings = read_timings(folder)
    summary = summarize(facts, orders_left, parity.is_identical, timings)
    write_json(folder / SUMMARY_NAME, summary)
    write_report(folder / REPORT_NAME, facts, summary, timings)
    if not is_quiet:
        print_summary(summary)
    if parity.difference is not None:
        typer.echo(f"replay differs at {parity.difference}")
    if not is_quiet:
        typer.echo(f"report            {folder / REPORT_NAME}")
    return summary


def print_summary(summary: dict[str, Any]) -> None:
    """Print the figures of a run, one a line."""
    parts = summary["pnl_parts"]
    lines = [
        ("events", f"{summary['events']:,} in {summary['duration_s']:,.0f} s"),
        ("decisions", f"{summary['decisions']:,}"),
        ("orders", f"{summary['orders_placed']:,} placed, {summary['orders_canceled']:,} cancelled"),
        ("fills", f"{summary['fills']:,} ({summary['maker_fills']:,} as maker), volume {summary['volume']}"),
        ("PnL", f"{summary['pnl_net']} = " + " ".join(f"{name} {value}" for name, value in parts.items())),
        ("largest position", ", ".join(f"{size} {name}" for name, size in summary["position_max"].items())),
    ]
    for one in summary["markouts"]:
        if one["horizon_s"] in (1.0, 10.0) and one["gross_bps"] is not None:
            text = f"{one['gross_bps']:+.2f} ± {one['ci95_bps'] or 0:.2f} bps"
            lines.append((f"markout {one['horizon_s']:.0f} s", text))
    for name, key in (("decision", "decision_us"), ("bytes to bytes", "bytes_in_to_signed_out_us")):
        if summary[key]:
            lines.append((name, f"p50 {summary[key]['p50']} us, p99 {summary[key]['p99']} us"))
    if summary["defects"]:
        lines.append(("defects handled", ", ".join(f"{k} {v:,}" for k, v in summary["defects"].items())))
    lines.append(("orders left", _left(summary["orders_left"])))
    lines.append(("parity", "actions identical" if summary["parity"] else "REPLAY DIFFERS"))
    lines.append(("actions sha256", summary["actions_sha256"]))
    for name, text in lines:
        typer.echo(f"{name:<18}{text}")


def _left(orders: int | None) -> str:
    if orders is None:
        return "not asked"
    return str(orders) if orders >= 0 else "unknown: the venue did not answer at the end"


def print_band(summaries: dict[str, dict[str, Any]], out: Path) -> None:
    """Print a profile's levels side by side, and what their result is worth; writes band.json."""
    from makerside.journal.folder import write_json
    from makerside.research.band import band_facts

    facts = band_facts(summaries)
    write_json(out / "band.json", facts)
    table = Table(box=None, pad_edge=False)
    for name in ("level", *facts["levels"]):
        table.add_column(name, justify="left" if name == "level" else "right")
    for name in facts["rows"]:
        table.add_row(name, *facts["rows"][name])
    Console(highlight=False).print(table)
    typer.echo(f"band of net PnL   {facts['width']} wide, middle {facts['net_middle']}")
    typer.echo(f"verdict           {facts['verdict']}")
    typer.echo(f"reports           {out}/{{{','.join(facts['levels'])}}}/report.html")
