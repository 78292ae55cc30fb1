"""`makerside data`: look at recordings, fit the synthetic market to one."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from makerside.cli.options import console, progress_bar

app = typer.Typer(help="Recordings and the synthetic market.", no_args_is_help=True)


@app.command("show")
def show(path: Annotated[Path, typer.Argument(help="Recording: a Parquet file.")]) -> None:
    """Print what is in a recording, the defects that were handled, and its market's facts."""
    from makerside.journal.recording import load_recording
    from makerside.research.market_facts import market_facts

    recording = load_recording(path)
    instrument = recording.instrument
    rows: dict[str, object] = {
        "symbol": f"{instrument.venue} {instrument.symbol}",
        "rows": f"{len(recording.events):,}",
        "minutes": f"{recording.duration_ns / 6e10:.1f}",
        "tick, lot": f"{instrument.tick_size:f}, {instrument.lot_size:f}",
    }
    rows.update({f"defect: {name}": f"{number:,}" for name, number in recording.defects.items()})
    facts = market_facts(recording.events, instrument)
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, value in rows.items():
        table.add_row(name, str(value))
    for name, value in facts.rows():
        table.add_row(name, value)
    Console(highlight=False).print(table)


@app.command("fit")
def fit(
    path: Annotated[Path, typer.Argument(help="Recording to fit.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="JSON file for the fitted model.")] = Path(
        "model.json"
    ),
    symbol: Annotated[
        str | None, typer.Option("--symbol", help="Put the recording on this symbol's Hyperliquid grid first.")
    ] = None,
) -> None:
    """Fit the synthetic market's order flow to a recording, and show both side by side."""
    from datetime import UTC, datetime

    from makerside.journal.recording import load_recording
    from makerside.research.fit_market import fit_market
    from makerside.runtime.simserver import listed_instrument
    from makerside.venues.hyperliquid.rules import rules_at

    recording = load_recording(path)
    target = listed_instrument(symbol, 0, rules_at(datetime.now(UTC).date())) if symbol else None
    with progress_bar("fit") as bar:
        task = bar.add_task("", total=None)
        model = fit_market(recording, target, lambda done, total: bar.update(task, completed=done, total=total))
    out.write_text(json.dumps(model.as_dict(), indent=1) + "\n")
    console().print(f"fitted model: {out}")
