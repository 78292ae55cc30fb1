"""`makerside data check` and `makerside data import`: what is wrong with a file, and other formats."""

import json
from dataclasses import asdict
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from makerside.journal.defects import Findings

EXIT_CLEAN, EXIT_DEFECTS, EXIT_UNREADABLE = 0, 1, 2


def check(
    paths: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Recordings: Parquet files.")],
    gap_s: Annotated[
        float, typer.Option("--gap-s", help="Silence from which on it is a gap, in seconds.")
    ] = 10.0,
    far_bps: Annotated[
        float, typer.Option("--far-bps", help="Distance from which on a price is an outlier, in basis points.")
    ] = 100.0,
    is_json: Annotated[bool, typer.Option("--json", help="Print JSON, one object per file and line.")] = False,
) -> None:
    """Look for defects in recordings as they are: exit code 0 clean, 1 defects, 2 not readable.

    Gaps, crossed books, steps of the clocks, repeated messages and trades, outliers, impossible values:
    each counted, with the first rows (from 0) and their local times in UTC. Nothing is changed.
    """
    from makerside.journal.defects import Limits, find_defects
    from makerside.model.errors import ConfigError, UserError
    from makerside.model.units import NS_PER_S

    for name, value in (("--gap-s", gap_s), ("--far-bps", far_bps)):
        if not 0 < value < 1e9:
            raise ConfigError(f"{name} {value}: must be above 0 and below 10^9")
    limits = Limits(gap_ns=round(gap_s * NS_PER_S), far_bps=far_bps)
    code = EXIT_CLEAN
    for path in paths:
        try:
            findings = find_defects(path, limits)
        except UserError as error:
            # The other files are still worth a look.
            typer.echo(f"error: {error}", err=True)
            if is_json:
                typer.echo(json.dumps({"path": str(path), "error": str(error)}))
            code = EXIT_UNREADABLE
            continue
        _print_json(findings) if is_json else _print_table(findings)
        code = max(code, EXIT_DEFECTS if findings.defects else EXIT_CLEAN)
    raise typer.Exit(code)


def _print_json(findings: "Findings") -> None:
    typer.echo(json.dumps(asdict(findings) | {"path": str(findings.path)}))


def _print_table(findings: "Findings") -> None:
    minutes = (findings.last_ns - findings.first_ns) / 6e10
    words = f"{len(findings.defects)} sorts of defects" if findings.defects else "clean"
    start = _utc(findings.first_ns, "%Y-%m-%d %H:%M:%S")
    typer.echo(f"{findings.path}: {findings.n_rows:,} rows, {minutes:,.1f} min from {start} UTC: {words}")
    if not findings.defects:
        return
    table = Table(box=None, pad_edge=False)
    for name in ("defect", "count", "row", "local time", "detail"):
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
    source: Annotated[
        Path,
        typer.Argument(
            help="hftbacktest .npz, Parquet of our schema, or wire messages of Hyperliquid (.jsonl, .zst, .gz)."
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
    """Turn market data of another format into a recording that every command reads.

    Every row is checked first; a defect ends the import with its row (from 0) or line (from 1), and
    nothing is written. Times may be in s, ms, us or ns, all in one unit.
    """
    from makerside.research.data_import import Wanted, import_recording

    wanted = Wanted(venue, symbol, _step("--tick-size", tick_size), _step("--lot-size", lot_size))
    done = import_recording(source, out, wanted)
    recording, instrument = done.recording, done.recording.instrument
    grid = "found" if done.is_grid_found else "given"
    typer.echo(
        f"{out}: {done.n_rows:,} rows, {recording.duration_ns / 6e10:,.1f} min, {done.n_bytes / 1e6:,.2f} MB; "
        f"{instrument.venue} {instrument.symbol}, "
        f"tick {instrument.tick_size:f}, lot {instrument.lot_size:f} ({grid})"
    )
    if done.time_unit != "ns":
        typer.echo(f"times were in {done.time_unit}")
    for name, number in done.notes.items():
        typer.echo(f"left out: {name} {number:,}")
    for name, number in recording.defects.items():
        typer.echo(f"handled on loading: {name} {number:,}")


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
