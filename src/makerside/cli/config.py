"""`makerside config`: what the configuration is, and where each value comes from."""

from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from makerside.cli.options import ConfigOption, SetOption, StrategyOption, strategy_setting

app = typer.Typer(help="Look at the configuration.", no_args_is_help=True)


@app.command("show")
def show(config: ConfigOption = None, strategy: StrategyOption = None, settings: SetOption = None) -> None:
    """Print every setting with its value, its source and its meaning."""
    from makerside.config.load import config_hash, load

    loaded = load(config, strategy_setting(strategy, settings))
    meanings = dict(_meanings(loaded.config))
    table = Table(box=None, pad_edge=False)
    for title in ("key", "value", "source", "meaning"):
        table.add_column(title, overflow="fold")
    for path, value, source in loaded.rows():
        table.add_row(path, _text(value), source, meanings.get(path, ""))
    Console(highlight=False).print(table)
    typer.echo(f"hash {config_hash(loaded.config)}")


def _text(value: Any) -> str:
    return ", ".join(str(one) for one in value) if isinstance(value, tuple) else str(value)


def _meanings(model: Any, prefix: str = "") -> "list[tuple[str, str]]":
    """Return (dotted path, description) of every leaf of a pydantic model."""
    found: list[tuple[str, str]] = []
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        if hasattr(value, "model_fields"):
            found += _meanings(value, f"{prefix}{name}.")
        else:
            found.append((f"{prefix}{name}", field.description or ""))
    return found
