"""`makerside sweep`: many parameter sets over recorded data, and whether the best is more than luck."""

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from makerside.cli.options import (
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
    from makerside.research.sweep_summary import SweepFacts

INTERRUPTED = 130


def sweep(
    data: DataOption,
    grid: Annotated[
        list[str],
        typer.Option(
            "--grid",
            "-g",
            metavar="KEY=A,B,C",
            help="Values of one setting; repeat for several. A bare key is the strategy's.",
        ),
    ],
    strategy: StrategyOption = None,
    settings: SetOption = None,
    random: Annotated[
        int | None,
        typer.Option("--random", min=1, help="Draw so many of the sets instead of all.", show_default=False),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the drawing.")] = 1,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", "-j", min=1, help="Threads; default: one per core.", show_default=False),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the results.")] = Path("out/sweep"),
    config: ConfigOption = None,
) -> None:
    """Run every set of a grid over recorded data, on all cores; Ctrl-C and the same command again resume it."""
    from makerside.cli.backtest import describe
    from makerside.research.backtest import Tape, with_fees
    from makerside.research.grid import expand, parameter_sets, parse_grid, refuse_overlap
    from makerside.research.sweep import run_sweep
    from makerside.research.sweep_summary import sweep_facts
    from makerside.research.trial import share

    axes, chosen = parse_grid(grid), strategy_setting(strategy, settings)
    refuse_overlap(axes, chosen)
    sets = parameter_sets(expand(axes, random, seed), config, chosen)
    first = sets[0].config
    recordings = read_recordings(data)
    screen = console()
    start_ns = min(int(one.events["ts_local_ns"][0]) for one in recordings)
    for recording in recordings:
        instrument = with_fees(recording.instrument, first, start_ns)
        screen.print(describe(replace(recording, instrument=instrument)))
    load_kernels(screen)
    begun = time.perf_counter()
    market = share(Tape.of(recordings, first.simulation.feed_ms), first)
    with progress_bar("sweep") as bar:
        task = bar.add_task("", total=len(sets))
        trials = run_sweep(
            sets,
            market,
            out,
            jobs or os.cpu_count() or 1,
            lambda done, total: bar.update(task, completed=done, total=total),
        )
    if trials is None:
        screen.print("[yellow]interrupted: the same command resumes it[/]")
        raise typer.Exit(INTERRUPTED)
    taken_s = time.perf_counter() - begun
    facts = sweep_facts(trials, market)
    best = sets[facts.verdict.best].config.model_dump(mode="json")
    _write(out, facts, best, taken_s)


def _write(out: Path, facts: "SweepFacts", best: dict[str, Any], taken_s: float) -> None:
    from makerside.journal.folder import write_json
    from makerside.model.run import REPORT_NAME, SUMMARY_NAME
    from makerside.research.sweep_report import write_sweep_report
    from makerside.research.sweep_summary import summarize_sweep, verdict_lines

    summary = summarize_sweep(facts, best, taken_s)
    write_json(out / SUMMARY_NAME, summary)
    symbols = ", ".join(summary["symbols"])
    write_sweep_report(out / REPORT_NAME, facts, f"Sweep of {best['strategy']['name']} on {symbols}")
    lines = [
        ("sets", f"{summary['sets']:,} over {summary['rows']:,} rows in {taken_s:,.1f} s"),
        *(("best" if i == 0 else "", _describe(one)) for i, one in enumerate(summary["best"][:3])),
        *(("verdict" if i == 0 else "", line) for i, line in enumerate(verdict_lines(facts.verdict))),
        ("results sha256", summary["results_sha256"]),
        ("report", str(out / REPORT_NAME)),
    ]
    for name, text in lines:
        typer.echo(f"{name:<18}{text}")


def _describe(one: dict[str, Any]) -> str:
    settings = ", ".join(f"{key.removeprefix('strategy.')} {value}" for key, value in one["settings"].items())
    sharpe = one["performance"] and one["performance"]["sharpe_annual"]
    ratio = "n/a" if sharpe is None else f"{sharpe:,.1f}"
    net, fills = float(one["figures"]["net"]), one["figures"]["fills"]
    return f"{settings}: net {net:+,.2f}, {fills:,} fills, Sharpe {ratio} a year"
