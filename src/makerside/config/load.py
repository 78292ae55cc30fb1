"""Loading: defaults, files, environment, flags; later layers win, and each value knows its source.

    makerside.toml            the file given with --config
    makerside.local.toml      beside it, when it exists: what is yours alone
    profile                   what `makerside calibrate` found, given with --profile
    .env, environment         MAKERSIDE__RISK__POSITION_MAX_USD=500
    --set risk.position_max_usd=500

Secrets are no part of the tree: see `secrets.py`.
"""

import hashlib
import json
import math
import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from makerside.config.profile import settings_of
from makerside.config.tree import Config
from makerside.model.errors import ConfigError
from makerside.strategies.ladder import LadderConfig

ENV_PREFIX = "MAKERSIDE__"
DEFAULT_SOURCE = "default"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration and where each of its values came from, by dotted path."""

    config: Config
    sources: Mapping[str, str]

    def rows(self) -> Iterator[tuple[str, Any, str]]:
        """Yield (dotted path, value, source) of every setting."""
        for path, value in flatten(self.config.model_dump()):
            yield path, value, self.sources.get(path, DEFAULT_SOURCE)


def load(
    path: Path | None = None,
    settings: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    base: Mapping[str, Any] | None = None,
    profile: Path | None = None,
    level: str = "middle",
) -> Loaded:
    """Return the effective configuration.

    path        : TOML file, or None for defaults
    settings    : `key=value` texts of the command line; a bare key of the strategy needs no prefix
    environment : os.environ and .env when None
    base        : values under everything else, e.g. what a command prefers
    profile     : file of `makerside calibrate`, and the level of it that counts: low, middle or high
    errors      : ConfigError with the path of the value and what would be accepted
    """
    tree: dict[str, Any] = {}
    sources: dict[str, str] = {}
    if base:
        _merge(tree, base, "command", sources)
    if path is not None:
        _merge(tree, _read_toml(path), str(path), sources)
        local = path.with_suffix(".local.toml")
        if local.exists():
            _merge(tree, _read_toml(local), str(local), sources)
    if profile is not None:
        found = settings_of(profile, _read_toml(profile), level)
        _merge(tree, found, f"{profile} ({level})", sources)
    for key, text in _environment(environment).items():
        dotted = key[len(ENV_PREFIX) :].lower().replace("__", ".")
        _drop_law(tree, dotted, sources)
        _assign(tree, dotted, _parse_value(text), key, sources)
    for text in settings:
        dotted, value = _parse_setting(text)
        _drop_law(tree, dotted, sources)
        _assign(tree, dotted, value, "--set", sources)
    return Loaded(validate(tree), sources)


def validate(tree: Mapping[str, Any]) -> Config:
    """Return the configuration of a plain tree; ConfigError names the first bad value."""
    try:
        config = Config.model_validate(tree)
    except ValidationError as error:
        raise ConfigError(_explain(error, tree)) from None
    for path, value in flatten(config.model_dump()):
        if isinstance(value, float) and not math.isfinite(value):
            raise ConfigError(f"{path}: must be a finite number, not {value}")
    _check_ladder(config)
    return config


def _check_ladder(config: Config) -> None:
    """Refuse bounds that exclude each other: the strategy would let one of them win silently."""
    ladder = config.strategy
    if isinstance(ladder, LadderConfig) and ladder.half_spread_min_bps > ladder.half_spread_max_bps:
        raise ConfigError(
            f"strategy.half_spread_min_bps: {ladder.half_spread_min_bps} is above "
            f"strategy.half_spread_max_bps, {ladder.half_spread_max_bps}"
        )


def config_hash(config: Config) -> str:
    """Return the SHA-256 of a configuration's canonical JSON."""
    text = json.dumps(config.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def flatten(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield (dotted path, value) of every leaf."""
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except FileNotFoundError:
        raise ConfigError(
            f"{path}: there is no such file; give a TOML file, or none for the defaults"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error})") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from None


def _environment(given: Mapping[str, str] | None) -> dict[str, str]:
    if given is not None:
        return {key: value for key, value in given.items() if key.startswith(ENV_PREFIX)}
    from dotenv import dotenv_values

    values = {**dotenv_values(".env"), **os.environ}
    return {key: value for key, value in values.items() if key.startswith(ENV_PREFIX) and value is not None}


def _merge(tree: dict[str, Any], values: Mapping[str, Any], source: str, sources: dict[str, str]) -> None:
    for path, value in flatten(values):
        _assign(tree, path, value, source, sources)


def _drop_law(tree: dict[str, Any], path: str, sources: dict[str, str]) -> None:
    """Forget the latency law of an earlier layer where a constant is set now: the later one wins."""
    section, _, leaf = path.partition(".")
    law = leaf.removesuffix("_ms") + "_quantiles_ms"
    if section == "simulation" and isinstance(tree.get(section), dict) and law in tree[section]:
        del tree[section][law]
        sources.pop(f"{section}.{law}", None)


def _assign(tree: dict[str, Any], path: str, value: Any, source: str, sources: dict[str, str]) -> None:
    *parents, leaf = path.split(".")
    node = tree
    for parent in parents:
        node = node.setdefault(parent, {})
        if not isinstance(node, dict):
            raise ConfigError(f"{path}: {parent} is a value, not a table")
    node[leaf] = value
    sources[path] = source


def _parse_setting(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    key = key.strip()
    if not equals or not key:
        raise ConfigError(f"--set {text}: write it as key=value, e.g. --set risk.position_max_usd=500")
    if "." not in key:
        key = f"strategy.{key}"
    return key, _parse_value(value.strip())


def _parse_value(text: str) -> Any:
    """Read a value as TOML would, else as plain text. An address is text, not a hexadecimal number."""
    if text.startswith("0x"):
        return text
    try:
        return tomllib.loads(f"v = {text}")["v"]
    except tomllib.TOMLDecodeError:
        return text


def _explain(error: ValidationError, tree: Mapping[str, Any]) -> str:
    first = error.errors(include_url=False)[0]
    path = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"{path}: unknown key; known here: {', '.join(_known_keys(first['loc'][:-1], tree))}"
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{path}: {first['msg']}, not {first['input']!r}{more}"


def _known_keys(location: tuple[Any, ...], tree: Mapping[str, Any]) -> list[str]:
    model: type[BaseModel] = Config
    for part in location:
        if part == "strategy":
            from makerside import strategies

            section = tree.get("strategy", {})
            return list(strategies.load(str(section.get("name", "glft"))).Config.model_fields)
        annotation = model.model_fields[str(part)].annotation
        assert isinstance(annotation, type)
        model = annotation
    return list(model.model_fields)
