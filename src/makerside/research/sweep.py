"""A sweep: many parameter sets over one tape, shard by shard, every trial on record.

    sweep.json       what is run: data, sets, versions; a sweep is resumed only when all of it is the same
    trials.jsonl     one line per finished trial, flushed to the disk; the last line may be torn
    trials.parquet   all trials, in the order of the sets, once they are complete
    summary.json, report.html

Results do not depend on threads, engine, shards, order or interruptions: trials share only what nobody writes.
"""

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from makerside import __version__
from makerside.config.load import config_hash
from makerside.journal.folder import write_json
from makerside.model.errors import UserError
from makerside.research.crew import Crew, ThreadCrew
from makerside.research.grid import ParameterSet
from makerside.research.shards import SETS_MAX, cut, likeness
from makerside.research.trial import SharedMarket, Trial

PLAN_NAME = "sweep.json"
LOG_NAME = "trials.jsonl"
TABLE_NAME = "trials.parquet"
OWN_FILES = (PLAN_NAME, LOG_NAME, TABLE_NAME, "summary.json", "report.html")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a sweep is. rows, rows_done : of the tape, once for each set"""

    sets_done: int
    sets: int
    rows_done: int
    rows: int


OnProgress = Callable[[Progress], None]


def plan_of(
    sets: Sequence[ParameterSet], market: SharedMarket, drawn: dict[str, int] | None = None
) -> dict[str, Any]:
    """Return what makes a sweep the same sweep. drawn : how its sets were drawn, for the record"""
    configs = hashlib.sha256("".join(config_hash(one.config) for one in sets).encode()).hexdigest()
    return {
        "makerside": __version__,
        "tape_sha256": market.sha256,
        "rows": len(market.tape.events),
        "symbols": [instrument.symbol for instrument in market.tape.instruments],
        "sets": len(sets),
        **(drawn or {}),
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
    jobs: int = 1,
    on_progress: OnProgress | None = None,
    *,
    crew: Crew | None = None,
    shard_max: int = SETS_MAX,
    drawn: dict[str, int] | None = None,
) -> list[Trial] | None:
    """Run what an earlier call has not finished; returns all trials by index, None when interrupted.

    jobs        : threads
    crew        : who runs the shards instead of threads of this process
    on_progress : called some times a second; KeyboardInterrupt, from it or elsewhere, ends the sweep, resumable
    shard_max   : sets that are run together, at most; fewer lose less when the sweep is interrupted
    """
    done = {trial.index: trial for trial in open_folder(folder, plan_of(sets, market, drawn))}
    tape_rows = len(market.tape.events)

    def tell(rows_running: int) -> None:
        if on_progress is not None:
            rows_done = len(done) * tape_rows + rows_running
            on_progress(Progress(len(done), len(sets), rows_done, len(sets) * tape_rows))

    crew = ThreadCrew(jobs) if crew is None else crew
    left = sorted((one for one in sets if one.index not in done), key=likeness)
    shards = cut(left, crew.size, shard_max)
    try:
        tell(0)
        with (folder / LOG_NAME).open("a") as log, closing(crew.run(market, shards)) as looks:
            for trials, rows_running in looks:
                _note(log, trials)
                done.update({trial.index: trial for trial in trials})
                tell(rows_running)
    except KeyboardInterrupt:
        return None
    found = [done[one.index] for one in sets]
    write_table(folder / TABLE_NAME, found)
    return found


def _note(log: IO[str], trials: Sequence[Trial]) -> None:
    """Put finished trials on the disk before anybody hears of them."""
    if trials:
        log.write("".join(json.dumps(trial.as_dict(), separators=(",", ":")) + "\n" for trial in trials))
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
    for key in dict.fromkeys(key for trial in trials for key in trial.figures):
        columns[key] = [trial.figures.get(key) for trial in trials]
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
