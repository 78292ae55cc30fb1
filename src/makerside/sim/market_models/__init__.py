"""Market models that come with the package: fitted numbers, no market data.

    btc    a BTC perpetual, fitted on Hyperliquid's price grid; see its `source`

The one place of `sim` that reads something: package data, through importlib.resources.
"""

import json
from functools import cache
from importlib import resources

from makerside.model.errors import ConfigError
from makerside.sim.market_model import MarketModel


def model_names() -> tuple[str, ...]:
    """Return the names that `load_model` knows."""
    files = resources.files(__package__).iterdir()
    return tuple(sorted(file.name.removesuffix(".json") for file in files if file.name.endswith(".json")))


@cache
def load_model(name: str) -> MarketModel:
    """Return a packaged model; ConfigError for an unknown name."""
    if name not in model_names():
        raise ConfigError(f"market model {name!r} is not one of {', '.join(model_names())}")
    text = resources.files(__package__).joinpath(f"{name}.json").read_text(encoding="utf-8")
    return MarketModel.from_dict(json.loads(text))
