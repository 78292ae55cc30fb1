"""`makerside calibrate`: a profile of the simulated exchange from our own runs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from makerside.cli.options import console, load_kernels, progress_bar

if TYPE_CHECKING:
    from makerside.research.calibrate import Figure


def calibrate_command(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN_DIR...", help="Folders of runs: live, paper, demo or backtest.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="TOML file for the profile.")] = Path(
        "out/profile.toml"
    ),
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the bootstrap.")] = 1,
) -> None:
    """Fit queue, latencies, own fill intensity and slippage to what happened to our own orders."""
    load_kernels(console())
    with progress_bar("calibrate") as bar:
        task: Any = bar.add_task("", total=None)
        # Inside: the first time its kernels are compiled, and the bar says that something goes on.
        from makerside.research.calibrate import calibrate
        from makerside.research.profile_text import write_profile

        found = calibrate(runs, seed, lambda what, done, total: bar.update(task, completed=done, total=total))
    _print_figures(found.figures)
    if not any(found.settings.values()):
        typer.echo("profile: none written; nothing was seen often enough, all settings keep their defaults")
        raise typer.Exit(1)
    write_profile(out, found)
    typer.echo(f"profile: {out}")


def _print_figures(figures: "list[Figure]") -> None:
    from makerside.research.profile_text import missing_of

    table = Table(box=None, pad_edge=False)
    for name in ("figure", "low", "middle", "high", "n", ""):
        table.add_column(name, justify="left" if name in ("figure", "") else "right", overflow="fold")
    for one in figures:
        name = f"{one.name} [{one.unit}]" if one.unit and not one.name.endswith(one.unit) else one.name
        if one.low is None or one.middle is None or one.high is None:
            note = f"not enough: {missing_of(one)}; the default stays; {one.note}"
            table.add_row(name.replace("[", "\\["), "", "", "", f"{one.n:,}", note)
            continue
        numbers = (f"{value:.4g}" for value in (one.low, one.middle, one.high))
        table.add_row(name.replace("[", "\\["), *numbers, f"{one.n:,}", one.note)
    Console(highlight=False).print(table)
