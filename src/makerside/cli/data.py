"""`makerside data`: look at recordings, fit the synthetic market to one."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from makerside.cli.options import console, load_kernels, progress_bar

COMPARED_MINUTES = 30
COMPARED_SEEDS = 4
PRICE_TEXT = "mean over {seeds} seeds of {minutes} synthetic minutes"

app = typer.Typer(help="Recordings and the synthetic market.", no_args_is_help=True)


@app.command("show")
def show(
    path: Annotated[Path, typer.Argument(help="Recording: a Parquet file, or the folder of a record run.")],
) -> None:
    """Print what is in a recording, the defects that were handled, and facts of its market."""
    from makerside.journal.recording import load_recordings
    from makerside.research.market_facts import market_facts

    load_kernels(console())
    for recording in load_recordings(path):
        instrument = recording.instrument
        table = Table(box=None, pad_edge=False, show_header=False)
        table.add_row("symbol", f"{instrument.venue} {instrument.symbol}")
        table.add_row("rows", f"{len(recording.events):,}")
        table.add_row("minutes", f"{recording.duration_ns / 6e10:.1f}")
        table.add_row("tick, lot", f"{instrument.tick_size:f}, {instrument.lot_size:f}")
        for name, number in recording.defects.items():
            table.add_row(f"defect: {name}", f"{number:,}")
        for name, value in market_facts(recording.events, instrument).as_dict().items():
            table.add_row(name, f"{value:,.4g}")
        Console(highlight=False).print(table)


@app.command("fit")
def fit(
    path: Annotated[Path, typer.Argument(help="Recording to fit.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="JSON file for the fitted model.")] = Path(
        "out/market_model.json"
    ),
    symbol: Annotated[
        str | None,
        typer.Option("--symbol", help="Put the recording on this symbol's Hyperliquid price grid first."),
    ] = None,
) -> None:
    """Fit the synthetic market's order flow to a recording, and show both side by side."""
    from datetime import UTC, datetime

    from makerside.journal.recording import load_recording
    from makerside.research.calibrate_market import synthetic_rows
    from makerside.research.fit_market import fit_market
    from makerside.research.market_facts import compare, market_facts, mean_facts
    from makerside.runtime.simserver import listed_instrument
    from makerside.sim.regrid import regrid
    from makerside.venues.hyperliquid.rules import rules_at

    recording = load_recording(path)
    target = listed_instrument(symbol, 0, rules_at(datetime.now(UTC).date())) if symbol else None
    load_kernels(console())
    with progress_bar("fit") as bar:
        task = bar.add_task("", total=None)
        model = fit_market(
            recording,
            target,
            on_progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(model.as_dict(), indent=1) + "\n")
    instrument = target or recording.instrument
    events = recording.events if target is None else regrid(recording.events, recording.instrument, target)[0]
    drawn = mean_facts(
        [
            market_facts(synthetic_rows(model, instrument, 60.0 * COMPARED_MINUTES, seed), instrument)
            for seed in range(1, COMPARED_SEEDS + 1)
        ]
    )
    table = Table(box=None, pad_edge=False)
    for name in ("fact", "recorded", "synthetic", "ratio"):
        table.add_column(name, justify="left" if name == "fact" else "right")
    for row in compare(market_facts(events, instrument), drawn):
        table.add_row(row.name, f"{row.recorded:,.4g}", f"{row.synthetic:,.4g}", f"{row.ratio:.2f}")
    Console(highlight=False).print(table)
    typer.echo(PRICE_TEXT.format(seeds=COMPARED_SEEDS, minutes=COMPARED_MINUTES))
    typer.echo(f"model: {out}")
