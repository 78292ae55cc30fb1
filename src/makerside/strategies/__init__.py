"""The strategies, by name, and those of users, by path. A file is imported when it is asked for.

Each file has: `Config` (a pydantic model, built on `ladder.LadderConfig`), `fill_params(config,
unit_value_usd, params)` and the kernel `targets(market, trader, desk)`. A user's file may import makerside
and installed packages; kernels that it calls stand in the file itself, since a cached kernel does not
notice that another file has changed.
"""

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any, Protocol

from makerside.model.errors import ConfigError

NAMES = ("avellaneda_stoikov", "glft")
SUFFIX = ".py"
_OFFERS = ("Config", "fill_params", "targets")


class StrategyModule(Protocol):
    """What a strategy's file offers."""

    Config: Any
    fill_params: Any
    targets: Any


def load(name: str) -> StrategyModule:
    """Return the module of a strategy: one of `NAMES`, or the path of a file that ends in .py.

    errors : ConfigError when there is none of that name, or the file cannot be imported or offers less
    """
    if name.endswith(SUFFIX):
        return _load_file(name)
    if name not in NAMES:
        raise ConfigError(
            f"strategy.name: there is no strategy {name!r}; there are {', '.join(NAMES)}, "
            f"or give the path of a file, e.g. my_strategy{SUFFIX}"
        )
    module: Any = importlib.import_module(f"makerside.strategies.{name}")
    return module


def _load_file(name: str) -> StrategyModule:
    """Import a user's file once per process, however it is spelled."""
    path = Path(name).resolve()
    known: Any = sys.modules.get(_module_name(path))
    if known is not None:
        return known
    spec = importlib.util.spec_from_file_location(_module_name(path), path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise ConfigError(f"strategy.name: there is no file {name}")
    module: Any = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (ImportError, SyntaxError, NameError, AttributeError, TypeError, ValueError) as error:
        raise ConfigError(f"strategy.name: {name} cannot be imported ({error})") from error
    missing = [offer for offer in _OFFERS if not hasattr(module, offer)]
    if missing:
        raise ConfigError(
            f"strategy.name: {name} has no {missing[0]}; a strategy's file has {', '.join(_OFFERS)}"
        )
    sys.modules[spec.name] = module
    return module


def _module_name(path: Path) -> str:
    return f"makerside_strategy:{path}"
