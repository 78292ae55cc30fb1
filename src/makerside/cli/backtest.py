"""`makerside backtest`: a recording through the compiled loop."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from makerside.cli.options import (
    QUEUE_NAMES,
    ConfigOption,
    DataOption,
    SetOption,
    StrategyOption,
    console,
    load_kernels,
    progress_bar,
    strategy_setting,
)
from makerside.cli.tapes import read_recordings

if TYPE_CHECKING:
    from makerside.config.tree import Config
    from makerside.journal.recording import Recording


def backtest(
    data: DataOption,
    strategy: StrategyOption = None,
    settings: SetOption = None,
    queue: Annotated[str | None, typer.Option("--queue", metavar=QUEUE_NAMES, help="Queue model.")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the results.")] = Path("out/backtest"),
    config: ConfigOption = None,
) -> None:
    """Run a strategy over recorded market data and write journal, summary and report."""
    from makerside.config.load import load
    from makerside.research.backtest import with_fees

    chosen = strategy_setting(strategy, settings)
    if queue is not None:
        chosen.append(f"simulation.queue={queue}")
    loaded = load(config, chosen)
    recordings = [
        replace(one, instrument=with_fees(one.instrument, loaded.config)) for one in read_recordings(data)
    ]
    screen = console()
    for recording in recordings:
        screen.print(describe(recording))
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

    tape = merge(recordings, may_share=True)
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


def describe(recording: "Recording") -> str:
    """Return a recording in one line."""
    instrument = recording.instrument
    defects = ", ".join(f"{name} {number:,}" for name, number in recording.defects.items()) or "none"
    return (
        f"{recording.path.name}: {len(recording.events):,} rows, {recording.duration_ns / 6e10:,.1f} min, "
        f"tick {instrument.tick_size:f}, lot {instrument.lot_size:f}; defects handled: {defects}"
    )
