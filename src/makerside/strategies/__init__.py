"""The strategies, by name. A strategy's file is imported when it is asked for.

Each file has: `Config` (a pydantic model), `fill_params(config, unit_value_usd, params)` and the
kernel `targets(market, trader, desk)`.
"""

import importlib
from typing import Any, Protocol

from makerside.model.errors import ConfigError

NAMES = ("avellaneda_stoikov", "glft")


class StrategyModule(Protocol):
    """What a strategy's file offers."""

    Config: Any
    fill_params: Any
    targets: Any


def load(name: str) -> StrategyModule:
    """Return the module of a strategy; ConfigError when there is none of that name."""
    if name not in NAMES:
        raise ConfigError(f"strategy.name: there is no strategy {name!r}; there are {', '.join(NAMES)}")
    module: Any = importlib.import_module(f"makerside.strategies.{name}")
    return module
