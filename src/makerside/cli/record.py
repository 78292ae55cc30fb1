"""`makerside record`: market data into a file that backtest reads."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from makerside.cli.options import ConfigOption, MinutesOption, SetOption, UrlOption, console


def record(
    config: ConfigOption = None,
    settings: SetOption = None,
    symbols: Annotated[
        str | None,
        typer.Option("--symbols", help="What to record, by comma; default: venue.symbols.", show_default=False),
    ] = None,
    url: UrlOption = None,
    minutes: MinutesOption = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the recording.")] = Path("out/record"),
) -> None:
    """Record books and trades of a venue. `makerside backtest --data FOLDER` reads the result."""
    from makerside.config.load import load
    from makerside.net.clock import Clock
    from makerside.runtime.loop import run
    from makerside.runtime.record import run_record
    from makerside.runtime.until import until_stopped

    chosen = list(settings or [])
    if url:
        chosen += ["venue.network=local", f"venue.url={url}"]
    if symbols:
        names = ", ".join(f'"{name.strip()}"' for name in symbols.split(",") if name.strip())
        chosen.append(f"venue.symbols=[{names}]")
    loaded = load(config, chosen)
    screen = console()

    async def show(journal: Any) -> None:
        async def count() -> None:
            while True:
                await asyncio.sleep(1.0)
                screen.print(f"{journal.n_rows:,} rows")

        await until_stopped(count(), minutes)

    n = run(run_record(loaded.config, Clock(), out, show))
    typer.echo(f"{n:,} rows in {out}")
