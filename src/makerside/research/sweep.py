"""A sweep: many parameter sets over one tape, on threads, every trial on record.

    sweep.json       what is run: data, sets, versions; a sweep is resumed only when all of it is the same
    trials.jsonl     one line per finished trial, flushed to the disk; the last line may be torn
    trials.parquet   all trials, in the order of the sets, once they are complete
    summary.json, report.html

Results do not depend on threads, order or interruptions: a trial shares only what nobody writes.
"""

import hashlib
import json
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path
from typing import IO, Any

import numpy as np

from makerside import __version__
from makerside.config.load import config_hash
from makerside.journal.folder import write_json
from makerside.model.errors import UserError
from makerside.research.grid import ParameterSet
from makerside.research.trial import SharedMarket, Trial, run_trial

PLAN_NAME = "sweep.json"
LOG_NAME = "trials.jsonl"
TABLE_NAME = "trials.parquet"
OWN_FILES = (PLAN_NAME, LOG_NAME, TABLE_NAME, "summary.json", "report.html")
Progress = Callable[[int, int], None]


def plan_of(sets: Sequence[ParameterSet], market: SharedMarket) -> dict[str, Any]:
    """Return what makes a sweep the same sweep."""
    configs = hashlib.sha256("".join(config_hash(one.config) for one in sets).encode()).hexdigest()
    return {
        "makerside": __version__,
        "tape_sha256": market.sha256,
        "rows": len(market.tape.events),
        "symbols": [instrument.symbol for instrument in market.tape.instruments],
        "sets": len(sets),
        "configs_sha256": configs,
        "samples": len(market.sample_ns),
    }


def open_folder(folder: Path, plan: dict[str, Any]) -> list[Trial]:
    """Make the folder of a sweep, or find the trials that an earlier call has finished.

    errors : UserError when the folder holds anything else, or another sweep
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder}: is a file; --out takes a folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder}: cannot be used for a sweep ({error.strerror})") from None
    strangers = sorted(
        child.name for child in folder.iterdir() if child.name.removesuffix(".part") not in OWN_FILES
    )
    if strangers:
        raise UserError(f"{folder}: holds {strangers[0]}, which is no sweep's file; choose an empty folder")
    path = folder / PLAN_NAME
    if not path.exists():
        write_json(path, plan)
        (folder / LOG_NAME).unlink(missing_ok=True)
        return []
    try:
        before = json.loads(path.read_text())
    except ValueError:
        before = None
    if not isinstance(before, dict):
        raise UserError(f"{path}: cannot be read; delete the folder or choose another")
    for key, value in plan.items():
        if before.get(key) != value:
            raise UserError(
                f"{folder}: holds another sweep ({key} was {before.get(key)}, is {value}); "
                "delete it or choose another"
            )
    return read_log(folder / LOG_NAME)


def read_log(path: Path) -> list[Trial]:
    """Return the finished trials, and cut a torn last line off."""
    if not path.exists():
        return []
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole < len(data):
        os.truncate(path, whole)
    trials = []
    for number, line in enumerate(data[:whole].splitlines(), 1):
        try:
            trials.append(Trial.from_dict(json.loads(line)))
        except (ValueError, TypeError, KeyError):
            raise UserError(
                f"{path}: line {number} is no trial; delete the line or the folder, and run it again"
            ) from None
    return trials


def run_sweep(
    sets: Sequence[ParameterSet],
    market: SharedMarket,
    folder: Path,
    jobs: int,
    on_progress: Progress | None = None,
) -> list[Trial] | None:
    """Run what an earlier call has not finished; returns all trials by index, None when interrupted.

    jobs        : threads
    on_progress : called with (trials done, trials in all); KeyboardInterrupt ends the sweep, resumable
    """
    done = {trial.index: trial for trial in open_folder(folder, plan_of(sets, market))}
    left = [one for one in sets if one.index not in done]
    if on_progress is not None:
        on_progress(len(done), len(sets))
    stop = threading.Event()
    with (folder / LOG_NAME).open("a") as log, ThreadPoolExecutor(jobs) as pool:
        futures = {pool.submit(run_trial, one.config, market, one.index, one.settings, stop) for one in left}
        try:
            while futures:
                finished, futures = wait(futures, return_when=FIRST_COMPLETED)
                for future in finished:
                    trial = future.result()
                    _note(log, trial)
                    done[trial.index] = trial
                    if on_progress is not None:
                        on_progress(len(done), len(sets))
        except KeyboardInterrupt:
            return None
        finally:
            # Running trials end at their next look at the equity; what has not begun never does.
            stop.set()
            for future in futures:
                future.cancel()
    trials = [done[one.index] for one in sets]
    write_table(folder / TABLE_NAME, trials)
    return trials


def _note(log: IO[str], trial: Trial) -> None:
    log.write(json.dumps(trial.as_dict(), separators=(",", ":")) + "\n")
    log.flush()
    os.fsync(log.fileno())


def results_sha256(trials: Sequence[Trial]) -> str:
    """Return the hash of all results in the order of the sets."""
    digest = hashlib.sha256()
    for trial in trials:
        digest.update(json.dumps(trial.as_dict(), sort_keys=True, separators=(",", ":")).encode() + b"\n")
    return digest.hexdigest()


def write_table(path: Path, trials: Sequence[Trial]) -> None:
    """Write all trials as Parquet: settings and figures in columns, equity as a list; whole or not at all."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, Any] = {"index": [trial.index for trial in trials]}
    for key in trials[0].settings:
        columns[key] = [trial.settings[key] for trial in trials]
    for key in trials[0].figures:
        columns[key] = [trial.figures[key] for trial in trials]
    for key in sorted({key for trial in trials for key in trial.markouts}, key=float):
        columns[f"markout_bps_{key}s"] = [trial.markouts.get(key) for trial in trials]
    columns["actions_digest"] = [trial.actions_digest for trial in trials]
    columns["equity_e8"] = [trial.equity_e8 for trial in trials]
    part = path.with_name(path.name + ".part")
    pq.write_table(pa.table(columns), part, compression="zstd")
    os.replace(part, path)


def returns_matrix(trials: Sequence[Trial]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the returns of all trials: (periods, trials), on the equity at the beginning of each period.

    Money that was lost to the last cent stays lost: returns are 0 from there on.
    """
    equity = np.column_stack([trial.equity_e8 for trial in trials]).astype(float)
    before = equity[:-1]
    is_alive = np.minimum.accumulate(before, axis=0) > 0
    returns = np.zeros_like(before)
    np.divide(np.diff(equity, axis=0), before, out=returns, where=is_alive)
    return returns
