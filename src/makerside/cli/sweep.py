"""`makerside sweep`: many parameter sets over recorded data, and whether the best is more than luck."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from makerside.cli.options import (
    ConfigOption,
    DataOption,
    SetOption,
    StrategyOption,
    console,
    load_kernels,
    strategy_setting,
)
from makerside.cli.tapes import read_recordings
from makerside.model.errors import UserError

if TYPE_CHECKING:
    from makerside.research.crew import Crew
    from makerside.research.sweep import Progress as SweepProgress
    from makerside.research.sweep_summary import SweepFacts

INTERRUPTED = 130
BEST_SHOWN = 5


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
    shard: Annotated[
        int | None,
        typer.Option(
            "--shard",
            min=1,
            max=62,
            help="Sets run together, at most; fewer lose less when interrupted. Default: 62.",
            show_default=False,
        ),
    ] = None,
    engine: Annotated[
        Literal["threads", "ray"],
        typer.Option("--engine", help="Who runs the sets: this process, or a Ray cluster."),
    ] = "threads",
    address: Annotated[
        str | None,
        typer.Option(
            "--address",
            metavar="HOST:PORT",
            help="Ray cluster that this machine has joined; default: the one it finds.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the results.")] = Path("out/sweep"),
    config: ConfigOption = None,
) -> None:
    """Run every set of a grid over recorded data, on all cores or a cluster; the same command resumes it."""
    from makerside.cli.backtest import describe
    from makerside.research.backtest import Tape, with_fees
    from makerside.research.grid import expand, n_combinations, parameter_sets, parse_grid, refuse_overlap
    from makerside.research.shards import SETS_MAX
    from makerside.research.sweep import run_sweep
    from makerside.research.sweep_summary import sweep_facts
    from makerside.research.trial import share

    axes, chosen = parse_grid(grid), strategy_setting(strategy, settings)
    refuse_overlap(axes, chosen)
    _refuse_mixture(engine, address, jobs)
    sets = parameter_sets(expand(axes, random, seed), config, chosen)
    drawn = None if random is None else {"drawn": random, "of": n_combinations(axes), "seed": seed}
    first = sets[0].config
    recordings = read_recordings(data)
    screen = console()
    for recording in recordings:
        screen.print(describe(replace(recording, instrument=with_fees(recording.instrument, first))))
    if drawn is not None:
        screen.print(f"{random:,} of {drawn['of']:,} sets, drawn with seed {seed}")
    load_kernels(screen)
    begun = time.perf_counter()
    market = share(Tape.of(recordings, first.simulation.feed_ms), first)
    with _crew(engine, address, jobs) as crew, _bar() as bar:
        task = bar.add_task("", total=None, sets_done=0, sets=len(sets))

        def look(at: "SweepProgress") -> None:
            bar.update(task, completed=at.rows_done, total=at.rows, sets_done=at.sets_done)

        trials = run_sweep(
            sets, market, out, on_progress=look, crew=crew, shard_max=shard or SETS_MAX, drawn=drawn
        )
    if trials is None:
        screen.print("[yellow]interrupted: the same command resumes it[/]")
        raise typer.Exit(INTERRUPTED)
    taken_s = time.perf_counter() - begun
    facts = sweep_facts(trials, market, drawn)
    best = sets[facts.verdict.best].config.model_dump(mode="json")
    _write(out, facts, best, taken_s)


def _refuse_mixture(engine: str, address: str | None, jobs: int | None) -> None:
    if engine == "threads" and address is not None:
        raise UserError(f"--address {address}: is for --engine ray")
    if engine == "ray" and jobs is not None:
        raise UserError(f"--jobs {jobs}: a cluster's processors are all used; --jobs is for --engine threads")


@contextmanager
def _crew(engine: str, address: str | None, jobs: int | None) -> "Iterator[Crew]":
    if engine == "ray":
        from makerside.research.ray_crew import ray_crew

        with ray_crew(address or "auto") as crew:
            yield crew
    else:
        from makerside.research.crew import ThreadCrew

        yield ThreadCrew(jobs or os.cpu_count() or 1)


class _Rate(ProgressColumn):
    """Rows x sets a second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed / 1e6:,.1f} M rows x sets/s")


def _bar() -> Progress:
    return Progress(
        TextColumn("sweep"),
        BarColumn(),
        TextColumn("{task.fields[sets_done]:,}/{task.fields[sets]:,} sets"),
        _Rate(),
        TimeRemainingColumn(),
        console=console(),
        transient=True,
    )


def _write(out: Path, facts: "SweepFacts", best: dict[str, Any], taken_s: float) -> None:
    from makerside.journal.folder import write_json
    from makerside.model.run import REPORT_NAME, SUMMARY_NAME
    from makerside.research.sweep_report import write_sweep_report
    from makerside.research.sweep_summary import summarize_sweep
    from makerside.research.sweep_words import sets_text, table_lines, verdict_lines

    summary = summarize_sweep(facts, best, taken_s)
    write_json(out / SUMMARY_NAME, summary)
    symbols = ", ".join(summary["symbols"])
    write_sweep_report(
        out / REPORT_NAME, facts, f"Sweep of {best['strategy']['name']} on {symbols}", summary["results_sha256"]
    )
    for line in table_lines(facts, BEST_SHOWN):
        typer.echo(line)
    typer.echo()
    lines = [
        ("sweep", f"{sets_text(facts)}, in {taken_s:,.1f} s"),
        *(("verdict" if i == 0 else "", line) for i, line in enumerate(verdict_lines(facts))),
        ("results sha256", summary["results_sha256"]),
        ("report", str(out / REPORT_NAME)),
    ]
    for name, text in lines:
        typer.echo(f"{name:<18}{text}")
