"""Options and small helpers that several commands share."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

ConfigOption = Annotated[
    Path | None, typer.Option("--config", "-c", help="TOML file with the configuration.", show_default=False)
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        "-s",
        metavar="KEY=VALUE",
        help="Set one configuration value, e.g. risk.position_max_usd=500; a bare key is the strategy's.",
        show_default=False,
    ),
]
StrategyOption = Annotated[
    str | None, typer.Option("--strategy", help="Strategy to run; `makerside config show` lists its settings.")
]

DataOption = Annotated[
    list[str],
    typer.Option(
        "--data",
        "-d",
        help="Recording: Parquet file, or folder of a record or paper run; a path, or a URI such as "
        "s3://BUCKET/FILE. Repeat for several symbols.",
    ),
]
ProfileOption = Annotated[
    Path | None,
    typer.Option("--profile", help="TOML file of `makerside calibrate`.", show_default=False),
]
UrlOption = Annotated[
    str | None,
    typer.Option("--url", help="A local exchange, e.g. http://127.0.0.1:3001.", show_default=False),
]
MinutesOption = Annotated[
    float | None,
    typer.Option("--minutes", "-m", min=0.05, max=525_600, help="Stop after this long; default: Ctrl-C."),
]
QUEUE_NAMES = "risk_averse|log_prob|log2|power|power2|power3"


def console() -> Console:
    """Return the console for people: standard error, so that standard output stays for results."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def progress_bar(what: str) -> Progress:
    """Return a progress bar with the time left."""
    return Progress(
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console(),
        transient=True,
    )


def strategy_setting(strategy: str | None, settings: list[str] | None) -> list[str]:
    """Return the settings with the strategy's name put first."""
    chosen = [f"strategy.name={strategy}"] if strategy else []
    return chosen + (settings or [])


def load_kernels(console: Console) -> None:
    """Compile the kernels, or load them from the cache; with a progress bar when it takes time."""
    from makerside.runtime.kernels import WORK, is_cached, load_all

    if is_cached():
        load_all(None)
        return
    console.print("Compiling the kernels: once per version, a minute or two.")
    with progress_bar("kernels") as bar:
        task: Any = bar.add_task("", total=len(WORK))
        load_all(lambda done, total: bar.update(task, completed=done, total=total))
