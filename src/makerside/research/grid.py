"""Parameter sets of a sweep: from `key=a,b,c` texts to configurations."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from makerside.config.load import load
from makerside.config.tree import Config
from makerside.model.errors import ConfigError

SETS_MAX = 100_000
# What the tape is made with: one tape serves all sets.
SHARED_KEYS = ("simulation.feed_ms",)


@dataclass(frozen=True, slots=True)
class ParameterSet:
    """One point of the grid: its own settings as texts, and the whole configuration."""

    index: int
    settings: dict[str, str]
    config: Config


def parse_grid(texts: Sequence[str]) -> dict[str, list[str]]:
    """Return the values of each key, in the order given; a bare key is the strategy's.

    errors : ConfigError for a text without values, a key given twice, a value given twice
    """
    grid: dict[str, list[str]] = {}
    for text in texts:
        key, equals, values = text.partition("=")
        key = key.strip()
        chosen = [value.strip() for value in values.split(",")]
        if not equals or not key or not all(chosen):
            raise ConfigError(f"--grid {text}: write it as key=a,b,c, e.g. --grid gamma_per_usd=0.1,0.5,2")
        key = key if "." in key else f"strategy.{key}"
        if key in grid:
            raise ConfigError(f"--grid {text}: {key} is given twice; put all its values into one")
        if len(set(chosen)) != len(chosen):
            raise ConfigError(f"--grid {text}: a value is given twice")
        if key in SHARED_KEYS:
            raise ConfigError(f"--grid {text}: {key} is one for all sets; use --set, one sweep for each value")
        grid[key] = chosen
    return grid


def refuse_overlap(grid: dict[str, list[str]], settings: Sequence[str]) -> None:
    """Raise ConfigError when a setting is given both as an axis of the grid and for all sets."""
    for text in settings:
        key = text.partition("=")[0].strip()
        if (key if "." in key else f"strategy.{key}") in grid:
            raise ConfigError(f"--set {text}: is an axis of the grid as well; leave one of them out")


def n_combinations(grid: dict[str, list[str]]) -> int:
    """Return how many sets the whole grid has."""
    return math.prod(len(values) for values in grid.values())


def expand(grid: dict[str, list[str]], n_random: int | None, seed: int) -> list[dict[str, str]]:
    """Return all combinations, the last key changing fastest; or a sample of them, in the same order.

    n_random : how many to draw without replacement, None for all
    errors   : ConfigError when there are more than SETS_MAX, or fewer than asked for
    """
    n = n_combinations(grid)
    wanted = n if n_random is None else n_random
    if not 1 <= wanted <= min(n, SETS_MAX):
        raise ConfigError(
            f"the grid has {n:,} sets, and {wanted:,} are asked for; 1 to {min(n, SETS_MAX):,} are possible"
        )
    chosen = range(n) if n_random is None else np.sort(_draw(n, n_random, seed)).tolist()
    return [_combination(grid, place) for place in chosen]


def _draw(n: int, n_random: int, seed: int) -> NDArray[np.int64]:
    """Return distinct places of a grid that may be too large to list."""
    return np.random.default_rng(seed).choice(n, n_random, replace=False)


def _combination(grid: dict[str, list[str]], place: int) -> dict[str, str]:
    found = {}
    for key, values in reversed(grid.items()):
        place, i = divmod(place, len(values))
        found[key] = values[i]
    return dict(reversed(found.items()))


def parameter_sets(
    combinations: Sequence[dict[str, str]],
    path: Path | None,
    settings: Sequence[str],
    base: dict[str, Any] | None = None,
) -> list[ParameterSet]:
    """Return the configuration of every combination, all checked before anything runs.

    path, settings : as for `config.load`; a combination wins over both
    errors         : ConfigError with the set that is refused
    """
    found = []
    for index, combination in enumerate(combinations):
        own = [f"{key}={value}" for key, value in combination.items()]
        try:
            config = load(path, [*settings, *own], base=base).config
        except ConfigError as error:
            raise ConfigError(f"set {index} ({', '.join(own)}): {error}") from None
        found.append(ParameterSet(index, combination, config))
    return found
