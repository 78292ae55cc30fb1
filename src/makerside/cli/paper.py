"""`makerside paper`: real market data, simulated fills."""

from pathlib import Path
from typing import Annotated, Any

import typer

from makerside.cli.options import (
    ConfigOption,
    MinutesOption,
    ProfileOption,
    SetOption,
    StrategyOption,
    UrlOption,
    console,
    load_kernels,
    strategy_setting,
)


def paper(
    config: ConfigOption = None,
    strategy: StrategyOption = None,
    settings: SetOption = None,
    url: UrlOption = None,
    minutes: MinutesOption = None,
    profile: ProfileOption = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the results.")] = Path("out/paper"),
) -> None:
    """Trade on paper: the venue's market data, our own simulated exchange, no key."""
    from makerside.cli.results import write_results
    from makerside.cli.view import watch
    from makerside.config.load import load
    from makerside.net.clock import Clock
    from makerside.runtime.loop import run
    from makerside.runtime.paper import run_paper
    from makerside.runtime.until import until_stopped

    chosen = strategy_setting(strategy, settings)
    if url:
        chosen += ["venue.network=local", f"venue.url={url}"]
    loaded = load(config, chosen, profile=profile)
    screen = console()
    load_kernels(screen)
    ready = {
        "venue": loaded.config.venue.name,
        "url": loaded.config.venue.url or loaded.config.venue.network,
        "facts": {"market": "paper"},
        "clock": {"speed": 1.0},
    }

    async def show(shell: Any) -> None:
        await until_stopped(watch(shell, ready, screen), minutes)

    left = run(run_paper(loaded.config, Clock(), out, show))
    write_results(out, orders_left=left)
    if left != 0:
        raise typer.Exit(1)
