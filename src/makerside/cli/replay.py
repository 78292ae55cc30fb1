"""`makerside replay`: does the journal give the same decisions again?"""

from pathlib import Path
from typing import Annotated

import typer

from makerside.cli.options import console, load_kernels


def replay_command(
    run_dir: Annotated[Path, typer.Argument(help="Folder of a run: what --out named.")],
    block: Annotated[int, typer.Option("--block", min=0, help="Rows per call of step; 0: all at once.")] = 0,
) -> None:
    """Feed a run's events to step again and compare every action and the final state byte for byte.

    Exit code 1 when they differ; the first difference is shown.
    """
    from makerside.research.replay import replay

    load_kernels(console())
    result = replay(run_dir, block)
    typer.echo(f"event rows        {result.n_events:,}")
    typer.echo(f"actions           {result.n_actions:,} in the journal, {result.n_replayed:,} replayed")
    typer.echo(f"sha256 journal    {result.journaled_sha256}")
    typer.echo(f"sha256 replay     {result.replayed_sha256}")
    typer.echo(f"state journal     {result.journaled_state_sha256 or 'none: the run did not end in order'}")
    typer.echo(f"state replay      {result.replayed_state_sha256}")
    if result.is_identical:
        typer.echo("identical")
        return
    typer.echo(f"DIFFERENT at {result.difference}")
    raise typer.Exit(1)
