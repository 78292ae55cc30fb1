"""Profiles: settings of the simulated exchange that `makerside calibrate` found, at three levels.

    version = 1
    runs = ["live", "live-1"]            where they come from
    [figures.<name>]                     low, middle, high, n, needed, note: for readers
    [low.simulation]                     settings that fill us less: the careful end of the band
    [middle.simulation]                  the most likely ones
    [high.simulation]                    settings that fill us more

Only section `simulation` may be set: a profile tells what the exchange does, not what the strategy should do.
"""

from pathlib import Path
from typing import Any

from makerside.model.errors import ConfigError

VERSION = 1
LEVELS = ("low", "middle", "high")
SECTION = "simulation"
_KNOWN = ("version", "makerside", "runs", "figures", *LEVELS)


def settings_of(path: Path, tree: dict[str, Any], level: str) -> dict[str, Any]:
    """Return the settings of a profile at a level, as a part of the configuration's tree.

    path   : names the profile in messages;  tree : its parsed TOML;  level : of `LEVELS`
    errors : ConfigError when it is no profile of this version
    """
    assert level in LEVELS
    for key in tree:
        if key not in _KNOWN:
            raise ConfigError(f"{path}: {key}: unknown key; a profile has {', '.join(_KNOWN)}")
    if tree.get("version") != VERSION:
        raise ConfigError(
            f"{path}: version: {tree.get('version', 'none')}; profiles of version {VERSION} are read, "
            "as `makerside calibrate` writes them"
        )
    for one in LEVELS:
        _check_level(path, one, tree.get(one))
    found: dict[str, Any] = tree[level]
    return found


def _check_level(path: Path, level: str, table: Any) -> None:
    if not isinstance(table, dict) or not isinstance(table.get(SECTION), dict):
        raise ConfigError(f"{path}: no table [{level}.{SECTION}]; a profile has one for low, middle and high")
    others = [key for key in table if key != SECTION]
    if others:
        raise ConfigError(f"{path}: {level}.{others[0]}: a profile sets section {SECTION} only")
