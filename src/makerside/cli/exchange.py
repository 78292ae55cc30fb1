"""`makerside exchange`: the local exchange, for any client."""

import signal
from pathlib import Path
from typing import Annotated

import typer

from makerside.cli.options import QUEUE_NAMES, console, load_kernels


def exchange(
    venue: Annotated[str, typer.Option("--venue", help="Whose protocol to speak.")] = "hyperliquid",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65_535, help="Port on 127.0.0.1; 0: a free one.")
    ] = 3001,
    data: Annotated[
        list[Path] | None,
        typer.Option("--data", "-d", help="Recording (Parquet) to replay; repeat for several."),
    ] = None,
    synthetic: Annotated[bool, typer.Option("--synthetic", help="Synthetic market (the default).")] = False,
    symbols: Annotated[
        str, typer.Option("--symbols", help="Symbols of the synthetic market, by comma.")
    ] = "BTC",
    speed: Annotated[
        float, typer.Option("--speed", min=0.1, max=1_000, help="Market time per wall time.")
    ] = 1.0,
    fund: Annotated[
        list[str] | None,
        typer.Option(
            "--fund", metavar="ADDRESS=USD", help="Admit an account with a deposit; repeat for several."
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the synthetic market.")] = 1,
    queue: Annotated[str, typer.Option("--queue", metavar=QUEUE_NAMES, help="Queue model.")] = "log_prob",
    queue_exponent: Annotated[
        float, typer.Option("--queue-exponent", max=100, help="Exponent of power, power2, power3.")
    ] = 3.0,
    lifeline: Annotated[
        bool,
        typer.Option(
            "--lifeline", help="End when standard input ends, and leave signals to whoever holds its other end."
        ),
    ] = False,
) -> None:
    """Run a local exchange that speaks a venue's own protocol.

    Prints one JSON line when it is ready; ends on SIGINT and SIGTERM. Accounts that are not funded are
    refused with the venue's own error.
    """
    from makerside.model.errors import ConfigError
    from makerside.runtime.loop import run
    from makerside.runtime.simserver import ExchangeOptions, parse_fund, serve
    from makerside.sim.build import QUEUES

    if venue != "hyperliquid":
        raise ConfigError(f"--venue {venue}: this exchange speaks hyperliquid")
    if lifeline:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
    if data and synthetic:
        raise ConfigError("--synthetic and --data: choose one")
    if queue not in QUEUES:
        raise ConfigError(f"--queue {queue}: there are {', '.join(QUEUES)}")
    if not queue_exponent > 0:
        raise ConfigError(f"--queue-exponent {queue_exponent:g}: it must be above 0")
    options = ExchangeOptions(
        port=port,
        data=tuple(data or ()),
        symbols=tuple(name.strip() for name in symbols.split(",") if name.strip()),
        speed=speed,
        seed=seed,
        queue=queue,
        queue_exponent=queue_exponent,
        funds=tuple(parse_fund(text) for text in fund or ()),
        has_lifeline=lifeline,
    )
    load_kernels(console())
    run(serve(options, lambda line: typer.echo(line)))
