"""`makerside backtest`: a recording through the compiled loop."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from makerside.cli.options import (
    QUEUE_NAMES,
    ConfigOption,
    DataOption,
    ProfileOption,
    SetOption,
    StrategyOption,
    console,
    load_kernels,
    progress_bar,
    strategy_setting,
)
from makerside.cli.results import print_band, write_results
from makerside.cli.tapes import read_recordings

if TYPE_CHECKING:
    from makerside.config.tree import Config
    from makerside.journal.recording import Recording

INTERRUPTED = 130


def backtest(
    data: DataOption,
    strategy: StrategyOption = None,
    settings: SetOption = None,
    queue: Annotated[str | None, typer.Option("--queue", metavar=QUEUE_NAMES, help="Queue model.")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the results.")] = Path("out/backtest"),
    config: ConfigOption = None,
    profile: ProfileOption = None,
    band: Annotated[
        bool, typer.Option("--band", help="Run the profile's low, middle and high side by side.")
    ] = False,
) -> None:
    """Run a strategy over recorded market data and write journal, summary and report."""
    from makerside.config.load import load
    from makerside.config.profile import LEVELS

    chosen = strategy_setting(strategy, settings)
    if queue is not None:
        chosen.append(f"simulation.queue={queue}")
    if band and profile is None:
        raise typer.BadParameter("runs the levels of a profile; give one with --profile", param_hint="--band")
    levels = {
        level: load(config, chosen, profile=profile, level=level).config
        for level in (LEVELS if band else ("middle",))
    }
    recordings = read_recordings(data)
    screen = console()
    for recording in _with_fees(recordings, levels["middle"]):
        screen.print(describe(recording))
    load_kernels(screen)
    facts = {} if profile is None else {"profile": profile.name}
    if not band:
        run(levels["middle"], _with_fees(recordings, levels["middle"]), out, facts)
        write_results(out, orders_left=None)
        return
    summaries = {}
    for level, one in levels.items():
        more = {**facts, "level": level}
        if not run(one, _with_fees(recordings, one), out / level, more, f"backtest, {level}"):
            raise typer.Exit(INTERRUPTED)
        summaries[level] = write_results(out / level, orders_left=None, is_quiet=True)
    print_band(summaries, out)


def _with_fees(recordings: "list[Recording]", config: "Config") -> "list[Recording]":
    from makerside.research.backtest import with_fees

    start_ns = min(int(one.events["ts_local_ns"][0]) for one in recordings)
    return [replace(one, instrument=with_fees(one.instrument, config, start_ns)) for one in recordings]


def run(
    config: "Config",
    recordings: "list[Recording]",
    out: Path,
    facts: dict[str, Any],
    title: str = "backtest",
) -> bool:
    """Run the backtest into a folder; returns whether it was not interrupted.

    facts : what else the run's record should say;  title : stands before the progress bar
    """
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
        facts={"data": [recording.path.name for recording in recordings], "defects": defects, **facts},
    )
    with start_run(out, record) as journal, progress_bar(title) as bar:
        task = bar.add_task("", total=len(tape))
        result = run_backtest(
            config, recordings, journal, lambda done, total: bar.update(task, completed=done, total=total)
        )
    if not result.is_complete:
        console().print("[yellow]interrupted: the results cover the part that was run[/]")
    write_timings(out, decision_ns=time_decisions(record, read_journal(out / JOURNAL_NAME)))
    return result.is_complete


def describe(recording: "Recording") -> str:
    """Return a recording in one line."""
    instrument = recording.instrument
    defects = ", ".join(f"{name} {number:,}" for name, number in recording.defects.items()) or "none"
    return (
        f"{recording.path.name}: {len(recording.events):,} rows, {recording.duration_ns / 6e10:,.1f} min, "
        f"tick {instrument.tick_size:f}, lot {instrument.lot_size:f}; defects handled: {defects}"
    )
