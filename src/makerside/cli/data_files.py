"""`makerside data check` and `makerside data import`: what is wrong with a file, and other formats."""

import json
from contextlib import ExitStack
from dataclasses import asdict
from decimal import Decimal, InvalidOperation
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from makerside.journal.defects import Findings
    from makerside.research.data_import import Imported, ImportedCandles

EXIT_CLEAN, EXIT_DEFECTS, EXIT_UNREADABLE = 0, 1, 2


def check(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE...",
            help="Whatever `data import` takes: recordings, candles, other formats; paths or URIs.",
        ),
    ],
    gap_s: Annotated[
        float, typer.Option("--gap-s", help="Silence from which on it is a gap, in seconds.")
    ] = 10.0,
    far_bps: Annotated[
        float, typer.Option("--far-bps", help="Distance from which on a price is an outlier, in basis points.")
    ] = 100.0,
    symbol: Annotated[
        str | None, typer.Option("--symbol", help="Which one, where a source has several.", show_default=False)
    ] = None,
    is_json: Annotated[bool, typer.Option("--json", help="Print JSON, one object per file and line.")] = False,
) -> None:
    """Look for defects in market data as it is: exit code 0 clean, 1 defects, 2 not readable.

    Gaps, crossed books, steps of the clocks, repeated messages and trades, outliers, impossible values; of
    candles gaps, repeats, outliers, impossible values: each counted, with the first rows (from 0; lines of
    text files from 1) and their times in UTC. Nothing is changed.
    """
    from makerside.cli.tapes import reported
    from makerside.journal.defects import Limits
    from makerside.model.errors import ConfigError, MakersideError
    from makerside.model.units import NS_PER_S
    from makerside.research.data_check import check_source
    from makerside.research.sources import at_hand, shown

    for name, value in (("--gap-s", gap_s), ("--far-bps", far_bps)):
        if not 0 < value < 1e9:
            raise ConfigError(f"{name} {value}: must be above 0 and below 10^9")
    limits = Limits(gap_ns=round(gap_s * NS_PER_S), far_bps=far_bps)
    code = EXIT_CLEAN
    for source in sources:
        try:
            with reported() as report, at_hand(source, partial(report, "fetch")) as path:
                findings = check_source(path, limits, symbol, partial(report, "check"))
        except MakersideError as error:
            # The other files are still worth a look.
            typer.echo(f"error: {error}", err=True)
            if is_json:
                typer.echo(json.dumps({"path": shown(source), "error": str(error)}))
            code = EXIT_UNREADABLE
            continue
        _print_json(shown(source), findings) if is_json else _print_table(shown(source), findings)
        code = max(code, EXIT_DEFECTS if findings.defects else EXIT_CLEAN)
    raise typer.Exit(code)


def _print_json(source: str, findings: "Findings") -> None:
    typer.echo(json.dumps(asdict(findings) | {"path": source}))


def _print_table(source: str, findings: "Findings") -> None:
    minutes = (findings.last_ns - findings.first_ns) / 6e10
    words = f"{len(findings.defects)} sorts of defects" if findings.defects else "clean"
    start = _utc(findings.first_ns, "%Y-%m-%d %H:%M:%S")
    typer.echo(f"{source}: {findings.n_rows:,} rows, {minutes:,.1f} min from {start} UTC: {words}")
    if not findings.defects:
        return
    table = Table(box=None, pad_edge=False)
    for name in ("defect", "count", "row", "time", "detail"):
        is_number = name in ("count", "row")
        table.add_column(name, justify="right" if is_number else "left", no_wrap=name != "detail")
    for defect in findings.defects:
        table.add_row(defect.name, f"{defect.count:,}", "", "", defect.meaning)
        for place in defect.places:
            table.add_row("", "", str(place.row), _utc(place.ts_local_ns, "%m-%d %H:%M:%S"), place.detail)
    Console(highlight=False).print(table)


def _utc(ts_ns: int, pattern: str) -> str:
    """Return a time as text with milliseconds; the bare number when no calendar has it."""
    from datetime import UTC, datetime

    try:
        moment = datetime.fromtimestamp(ts_ns // 10**9, UTC)
    except (ValueError, OverflowError, OSError):
        return str(ts_ns)
    return f"{moment:{pattern}}.{ts_ns % 10**9 // 10**6:03}"


def import_command(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE...",
            help="Parquet of our schema, folder of a record or paper run, hftbacktest .npz, wire messages of "
            "Hyperliquid (.jsonl), Tardis CSV (book and trades together), candles in CSV or Parquet; "
            "paths or URIs such as s3://BUCKET/FILE.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Parquet file to write; replaced when it exists.")],
    venue: Annotated[
        str | None, typer.Option("--venue", help="Venue; else from the file, or its name VENUE-SYMBOL-....")
    ] = None,
    symbol: Annotated[
        str | None, typer.Option("--symbol", help="Symbol; for wire messages of several, the one to take.")
    ] = None,
    tick_size: Annotated[
        str | None, typer.Option("--tick-size", help="Price step; found in the prices when not given.")
    ] = None,
    lot_size: Annotated[
        str | None, typer.Option("--lot-size", help="Size step; found in the sizes when not given.")
    ] = None,
) -> None:
    """Turn market data of another format into a recording, or candles, that every command reads.

    Every row is checked first; a defect ends the import with its row (from 0) or line (from 1), and
    nothing is written. Times may be in s, ms, us or ns, all in one unit. Candles stay candles.
    """
    from makerside.cli.tapes import reported
    from makerside.research.data_import import Imported, import_recording
    from makerside.research.data_sources import Wanted
    from makerside.research.sources import at_hand

    wanted = Wanted(venue, symbol, _step("--tick-size", tick_size), _step("--lot-size", lot_size))
    with reported() as report, ExitStack() as stack:
        paths = [stack.enter_context(at_hand(source, partial(report, "fetch"))) for source in sources]
        done = import_recording(paths, out, wanted, report)
    _print_import(out, done) if isinstance(done, Imported) else _print_candles(out, done)
    if done.time_unit != "ns":
        typer.echo(f"times were in {done.time_unit}")
    for name, number in done.notes.items():
        typer.echo(f"left out: {name} {number:,}")


def _print_import(out: Path, done: "Imported") -> None:
    instrument = done.instrument
    grid = "found" if done.is_grid_found else "given"
    typer.echo(
        f"{out}: {done.n_rows:,} rows, {done.duration_ns / 6e10:,.1f} min, {done.n_bytes / 1e6:,.2f} MB; "
        f"{instrument.venue} {instrument.symbol}, "
        f"tick {instrument.tick_size:f}, lot {instrument.lot_size:f} ({grid})"
    )
    for name, number in done.defects.items():
        typer.echo(f"handled on loading: {name} {number:,}")


def _print_candles(out: Path, done: "ImportedCandles") -> None:
    typer.echo(
        f"{out}: {done.n_rows:,} candles of {done.interval_ns / 1e9:g} s, {done.n_bytes / 1e6:,.2f} MB; "
        f"{done.venue} {done.symbol}"
    )
    for name, number in done.defects.items():
        typer.echo(f"left as it is: {name} {number:,}")


def _step(name: str, text: str | None) -> Decimal | None:
    from makerside.model.errors import ConfigError

    if text is None:
        return None
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal(0)
    if not value.is_finite() or value <= 0:
        raise ConfigError(f"{name} {text}: must be a decimal number above 0, such as 0.01")
    return value
