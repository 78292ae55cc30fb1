"""`makerside backtest`: a recording through the compiled loop."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from makerside.cli.options import (
    QUEUE_NAMES,
    ConfigOption,
    SetOption,
    StrategyOption,
    console,
    load_kernels,
    progress_bar,
    strategy_setting,
)

if TYPE_CHECKING:
    from makerside.config.tree import Config
    from makerside.journal.recording import Recording


def backtest(
    data: Annotated[
        list[Path],
        typer.Option(
            "--data",
            "-d",
            help="Recording: Parquet file, or folder of a record or paper run; repeat for several.",
        ),
    ],
    strategy: StrategyOption = None,
    settings: SetOption = None,
    queue: Annotated[str | None, typer.Option("--queue", metavar=QUEUE_NAMES, help="Queue model.")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the results.")] = Path("out/backtest"),
    config: ConfigOption = None,
) -> None:
    """Run a strategy over recorded market data and write journal, summary and report."""
    from makerside.config.load import load

    chosen = strategy_setting(strategy, settings)
    if queue is not None:
        chosen.append(f"simulation.queue={queue}")
    loaded = load(config, chosen)
    recordings = [_with_fees(one, loaded.config) for path in data for one in _load(path)]
    screen = console()
    for recording in recordings:
        screen.print(_describe(recording))
    load_kernels(screen)
    run(loaded.config, recordings, out)


def run(config: "Config", recordings: "list[Recording]", out: Path) -> None:
    """Run the backtest, then write and print its results."""
    from makerside.cli.results import write_results
    from makerside.journal.folder import write_timings
    from makerside.journal.reader import read_journal
    from makerside.journal.recording import merge
    from makerside.model.run import JOURNAL_NAME
    from makerside.research.backtest import first_mid_ticks, run_backtest, time_decisions
    from makerside.runtime.run import RunRecord, start_run

    tape = merge(recordings)
    defects: dict[str, int] = {}
    for recording in recordings:
        for name, number in recording.defects.items():
            defects[name] = defects.get(name, 0) + number
    record = RunRecord(
        mode="backtest",
        config=config,
        instruments=[recording.instrument for recording in recordings],
        reference_ticks=[first_mid_ticks(tape, i) for i in range(len(recordings))],
        has_own_in_book=False,
        facts={"data": [recording.path.name for recording in recordings], "defects": defects},
    )
    with start_run(out, record) as journal, progress_bar("backtest") as bar:
        task = bar.add_task("", total=len(tape))
        result = run_backtest(
            config, recordings, journal, lambda done, total: bar.update(task, completed=done, total=total)
        )
    if not result.is_complete:
        console().print("[yellow]interrupted: the results cover the part that was run[/]")
    write_timings(out, decision_ns=time_decisions(record, read_journal(out / JOURNAL_NAME)))
    write_results(out, orders_left=None)


def _load(path: Path) -> "list[Recording]":
    from makerside.journal.recording import load_recordings

    return load_recordings(path)


def _with_fees(recording: "Recording", config: "Config") -> "Recording":
    """Return the recording with the configured fees where it has none: a data file does not know them."""
    settings = config.simulation
    if recording.instrument.taker_fee:
        return recording
    instrument = replace(
        recording.instrument,
        maker_fee=Decimal(repr(settings.maker_fee_bps)) / 10_000,
        taker_fee=Decimal(repr(settings.taker_fee_bps)) / 10_000,
    )
    return replace(recording, instrument=instrument)


def _describe(recording: "Recording") -> str:
    instrument = recording.instrument
    defects = ", ".join(f"{name} {number:,}" for name, number in recording.defects.items()) or "none"
    return (
        f"{recording.path.name}: {len(recording.events):,} rows, {recording.duration_ns / 6e10:,.1f} min, "
        f"tick {instrument.tick_size:f}, lot {instrument.lot_size:f}; defects handled: {defects}"
    )
