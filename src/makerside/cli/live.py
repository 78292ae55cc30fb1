"""`makerside live`: real orders on a venue."""

from pathlib import Path
from typing import Annotated, Any

import typer

from makerside.cli.options import (
    ConfigOption,
    MinutesOption,
    SetOption,
    StrategyOption,
    console,
    load_kernels,
    strategy_setting,
)


def live(
    config: ConfigOption = None,
    strategy: StrategyOption = None,
    settings: SetOption = None,
    minutes: MinutesOption = None,
    adopt: Annotated[bool, typer.Option("--adopt", help="Take over an open position that is there.")] = False,
    cancel_strangers: Annotated[
        bool, typer.Option("--cancel-strangers", help="Cancel open orders on our symbols that are not ours.")
    ] = False,
    allow_master_key: Annotated[
        bool, typer.Option("--allow-master-key", help="Trade with a key that can also withdraw.")
    ] = False,
    i_understand: Annotated[
        bool,
        typer.Option("--i-understand-this-trades-real-money", help="Needed for mainnet."),
    ] = False,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for the results; an earlier run in it is renamed.")
    ] = Path("out/live"),
) -> None:
    """Trade on a venue: testnet by default, mainnet only with the flag that says what it does."""
    from makerside.cli.results import write_results
    from makerside.cli.view import watch
    from makerside.config.load import load
    from makerside.config.secrets import load_key_text
    from makerside.model.errors import ConfigError
    from makerside.net.clock import Clock
    from makerside.runtime.live import LiveOptions, run_live
    from makerside.runtime.loop import run
    from makerside.runtime.until import until_stopped
    from makerside.venues.hyperliquid.signer import Signer

    loaded = load(config, strategy_setting(strategy, settings))
    if loaded.config.venue.network == "mainnet" and not i_understand:
        raise ConfigError("venue.network is mainnet: live needs --i-understand-this-trades-real-money")
    signer = Signer.from_text(load_key_text(loaded.config.venue.key_file))
    screen = console()
    load_kernels(screen)
    ready = {
        "venue": loaded.config.venue.name,
        "url": loaded.config.venue.url or loaded.config.venue.network,
        "facts": {"market": loaded.config.venue.network},
        "clock": {"speed": 1.0},
    }

    async def show(shell: Any) -> None:
        await until_stopped(watch(shell, ready, screen), minutes)

    options = LiveOptions(may_adopt=adopt, cancel_strangers=cancel_strangers, allow_master_key=allow_master_key)
    left = run(run_live(loaded.config, signer, Clock(), out, show, options))
    write_results(out, orders_left=left)
    if left != 0:
        raise typer.Exit(1)
