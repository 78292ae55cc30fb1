"""The text of a profile: TOML that `config/profile.py` reads and a person can."""

import json
import os
from pathlib import Path
from typing import Any

from makerside import __version__
from makerside.config.profile import LEVELS, SECTION, VERSION
from makerside.model.errors import UserError
from makerside.research.calibrate import Calibration, Figure

_HEAD = """\
# What our own runs say about the simulated exchange. `makerside backtest` and `makerside paper` read it
# with --profile; `makerside backtest --band` runs all three levels. low fills us less, high fills us more.
"""


def profile_text(found: Calibration) -> str:
    """Return a profile's text."""
    lines = [
        _HEAD + f"version = {VERSION}",
        f"makerside = {_value(__version__)}",
        f"runs = {_value(found.runs)}",
    ]
    for figure in found.figures:
        lines += ["", f"[figures.{figure.name}]", *_figure_lines(figure)]
    for level in LEVELS:
        settings = found.settings[level]
        lines += ["", f"[{level}.{SECTION}]", *(f"{key} = {_value(value)}" for key, value in settings.items())]
    return "\n".join(lines) + "\n"


def _figure_lines(figure: Figure) -> list[str]:
    numbers = {"low": figure.low, "middle": figure.middle, "high": figure.high}
    lines = [
        f"{name} = {_value(float(f'{value:.6g}'))}" for name, value in numbers.items() if value is not None
    ]
    lines += [f"n = {figure.n}", f"needed = {figure.needed}"]
    for name in ("unit", "setting"):
        if getattr(figure, name):
            lines.append(f"{name} = {_value(getattr(figure, name))}")
    missing = "" if figure.is_known else f"not enough: {missing_of(figure)}; "
    return [*lines, f"note = {_value(missing + figure.note)}"]


def missing_of(figure: Figure) -> str:
    """Return in words how much a figure lacks."""
    short = max(0, figure.needed - figure.n)
    return f"{figure.n} of {figure.needed}, {short} missing" if short else "they do not tell it"


def _value(value: Any) -> str:
    """Return a value as TOML. JSON is TOML for texts, numbers and arrays of them."""
    return json.dumps(value, ensure_ascii=False)


def write_profile(path: Path, found: Calibration) -> None:
    """Write a profile whole or not at all; UserError when it cannot be written."""
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(profile_text(found))
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise UserError(f"{path}: cannot be written ({error.strerror}); choose another --out") from None
