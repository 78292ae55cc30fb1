"""The run folder: one directory per run, readable by its owner only, and the files in it.

May import model only.
"""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from makerside.model.errors import JournalError, UserError
from makerside.model.run import JOURNAL_NAME, REPORT_NAME, RUN_NAME, SUMMARY_NAME, TIMINGS_NAME

SET_ASIDE_MAX = 100_000  # earlier runs of one name; a folder of more is beyond any listing
_FILES = (JOURNAL_NAME, RUN_NAME, TIMINGS_NAME, SUMMARY_NAME, REPORT_NAME)


def make_folder(path: Path) -> Path:
    """Make a run folder, mode 0700, empty of an older run's files.

    errors : UserError when the path is a file or holds anything that is not a run's
    """
    if path.exists() and not path.is_dir():
        raise UserError(f"{path}: is a file; --out takes a folder")
    try:
        path.mkdir(parents=True, exist_ok=True)
        os.chmod(path, 0o700)
        strangers = sorted(child.name for child in path.iterdir() if child.name not in _FILES)
    except OSError as error:
        raise UserError(f"{path}: cannot be used for a run ({error.strerror})") from None
    if strangers:
        raise UserError(f"{path}: holds {strangers[0]}, which is no run's file; choose an empty folder")
    for name in _FILES:
        (path / name).unlink(missing_ok=True)
    return path


def set_aside(path: Path) -> Path | None:
    """Give the folder of an earlier run the next free number behind its name: live becomes live-1.

    Returns the new place, None when there was no run. errors : UserError when it cannot be moved
    """
    if not (path / JOURNAL_NAME).exists():
        return None
    here = path.resolve()
    for number in range(1, SET_ASIDE_MAX):
        other = here.with_name(f"{here.name}-{number}")
        if not other.exists():
            break
    try:
        return here.rename(other)
    except OSError as error:
        raise UserError(
            f"{path}: the run in it cannot be set aside ({error.strerror}); choose another"
        ) from None


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Write a JSON file whole or not at all."""
    text = json.dumps(values, indent=2, sort_keys=False) + "\n"
    part = path.with_name(path.name + ".part")
    part.write_text(text)
    os.chmod(part, 0o600)
    os.replace(part, path)


def read_run(folder: Path) -> dict[str, Any]:
    """Return a run's record; JournalError when the folder holds no run."""
    path = folder / RUN_NAME
    try:
        values = json.loads(path.read_text())
    except FileNotFoundError:
        raise JournalError(f"{folder}: holds no run ({RUN_NAME} is missing)") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise JournalError(f"{path}: cannot be read ({error})") from None
    if not isinstance(values, dict):
        raise JournalError(f"{path}: is not a run's record")
    return values


def write_timings(folder: Path, **series: NDArray[np.int64]) -> None:
    """Store measured durations in ns, by name."""
    arrays: dict[str, Any] = dict(series)
    np.savez_compressed(folder / TIMINGS_NAME, **arrays)


def read_timings(folder: Path) -> dict[str, NDArray[np.int64]]:
    """Return what was measured in a run, empty when nothing was."""
    path = folder / TIMINGS_NAME
    if not path.exists():
        return {}
    with np.load(path) as file:
        return {name: file[name] for name in file.files}
