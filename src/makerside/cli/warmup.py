"""`makerside warmup`: compile the kernels, and say how long a start takes."""

import os
import subprocess
import sys
import time
from typing import Annotated

import typer

from makerside.cli.options import console, load_kernels


def warmup(
    timed: Annotated[bool, typer.Option("--time", help="Also measure a start of a new process.")] = False,
    first_decision: Annotated[bool, typer.Option("--first-decision", hidden=True)] = False,
) -> None:
    """Compile the kernels, or load them from the cache.

    With --time: seconds for that, and from the shell to the first decision of a new process.
    """
    if first_decision:
        from makerside.runtime.first_decision import first_decision as decide

        typer.echo(decide())
        return
    started = time.perf_counter()
    from makerside.runtime.kernels import is_cached

    was_cached = is_cached()
    load_kernels(console())
    taken = time.perf_counter() - started
    if not timed:
        return
    typer.echo(f"kernels {'loaded from the cache' if was_cached else 'compiled'} in {taken:.2f} s")
    times = []
    for _ in range(3):
        started = time.perf_counter()
        command = [sys.executable, "-m", "makerside", "warmup", "--first-decision"]
        subprocess.run(command, check=True, capture_output=True, env=os.environ)  # noqa: S603
        times.append(time.perf_counter() - started)
    typer.echo(f"from the shell to the first decision: {sorted(times)[1]:.2f} s (median of 3)")
