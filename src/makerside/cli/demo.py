"""`makerside demo`: the whole road in one command, without a key and without a network."""

from pathlib import Path
from typing import Annotated, Any

import typer

from makerside.cli.options import (
    ConfigOption,
    SetOption,
    StrategyOption,
    console,
    load_kernels,
    strategy_setting,
)

# The demo quotes closer and faster than the careful defaults and leans harder against its inventory, so that
# a minute shows something.
DEMO_BASE: dict[str, Any] = {
    "bot": {"name": "demo"},
    "strategy": {
        "name": "glft",
        "levels": 3,
        "size_usd": 300.0,
        "half_spread_min_bps": 0.1,
        "spacing_bps": 0.5,
        "gamma_per_usd": 2.0,
    },
    "risk": {"position_max_usd": 3_000.0},
    "pacing": {"hysteresis_bps": 0.2},
}


def demo(
    minutes: Annotated[
        float, typer.Option("--minutes", "-m", min=0.05, max=1_440, help="How long, on the wall.")
    ] = 1.0,
    speed: Annotated[
        float, typer.Option("--speed", min=0.1, max=1_000, help="Market time per wall time.")
    ] = 1.0,
    data: Annotated[
        list[Path] | None,
        typer.Option(
            "--data", "-d", help="Recording (Parquet) instead of the synthetic market; repeat for several."
        ),
    ] = None,
    markets: Annotated[
        int, typer.Option("--markets", min=1, max=10, help="Synthetic markets in one process.")
    ] = 1,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the synthetic market.")] = 1,
    strategy: StrategyOption = None,
    settings: SetOption = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the results.")] = Path("out/demo"),
    config: ConfigOption = None,
) -> None:
    """Start a local exchange, make a market on it over real sockets, show it, and check it by replay."""
    from makerside.cli.results import write_results
    from makerside.cli.view import watch
    from makerside.config.load import load
    from makerside.model.errors import UserError
    from makerside.runtime.demo import DemoOptions, run_demo
    from makerside.runtime.loop import run
    from makerside.runtime.simserver import LISTED

    for name, is_given in (("--markets", markets != 1), ("--seed", seed != 1)):
        if data and is_given:
            raise UserError(f"{name}: is for the synthetic market; leave it out with --data")
    loaded = load(config, strategy_setting(strategy, settings), base=DEMO_BASE)
    screen = console()
    load_kernels(screen)
    options = DemoOptions(
        minutes=minutes,
        speed=speed,
        data=tuple(data or ()),
        symbols=tuple(LISTED)[:markets],
        seed=seed,
        queue=loaded.config.simulation.queue,
        queue_exponent=loaded.config.simulation.queue_exponent,
        cash_usd=loaded.config.simulation.cash_usd,
    )

    async def show(shell: Any, ready: dict[str, Any]) -> None:
        await watch(shell, ready, screen)

    left = run(run_demo(loaded.config, options, out, show))
    summary = write_results(out, orders_left=left)
    if left != 0 or not summary["parity"]:
        raise typer.Exit(1)
