"""`makerside config`: what the configuration is, and where each value comes from."""

import typing
from typing import Any

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from makerside.cli.options import ConfigOption, ProfileOption, SetOption, StrategyOption, strategy_setting

PLAIN_WIDTH = 220  # a value of 42 characters, an address, beside the longest list of choices

app = typer.Typer(help="Look at the configuration.", no_args_is_help=True)


@app.command("show")
def show(
    config: ConfigOption = None,
    strategy: StrategyOption = None,
    settings: SetOption = None,
    profile: ProfileOption = None,
) -> None:
    """Print every setting with its value, its source and its meaning."""
    from makerside.config.load import config_hash, load

    loaded = load(config, strategy_setting(strategy, settings), profile=profile)
    meanings = dict(_meanings(loaded.config))
    table = Table(box=None, pad_edge=False)
    for title in ("key", "value", "source", "accepted", "meaning"):
        table.add_column(title, overflow="fold", no_wrap=title == "key")
    for path, value, source in loaded.rows():
        accepted, meaning = meanings.get(path, ("", ""))
        table.add_row(path, _text(value), source, escape(accepted), escape(meaning))
    screen = Console(highlight=False)
    screen.width = screen.width if screen.is_terminal else PLAIN_WIDTH
    screen.print(table)
    typer.echo(f"hash {config_hash(loaded.config)}")


def _text(value: Any) -> str:
    return ", ".join(str(one) for one in value) if isinstance(value, tuple) else str(value)


def _meanings(model: Any, prefix: str = "") -> "list[tuple[str, tuple[str, str]]]":
    """Return (dotted path, (what is accepted, description)) of every leaf of a pydantic model."""
    found: list[tuple[str, tuple[str, str]]] = []
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            found += _meanings(value, f"{prefix}{name}.")
        else:
            found.append((f"{prefix}{name}", (accepted(field), field.description or "")))
    return found


def accepted(field: Any) -> str:
    """Return what a field takes, e.g. "> 0, <= 10000" or "mid|micro"."""
    parts = []
    for rule in field.metadata:
        for name, sign in (("gt", ">"), ("ge", ">="), ("lt", "<"), ("le", "<=")):
            bound = getattr(rule, name, None)
            if bound is not None:
                parts.append(f"{sign} {bound:g}")
        pattern = getattr(rule, "pattern", None)
        if pattern is not None:
            parts.append(pattern.strip("^$()?"))
    choices = typing.get_args(field.annotation) if typing.get_origin(field.annotation) is typing.Literal else ()
    return ", ".join(parts) or "|".join(str(choice) for choice in choices)
