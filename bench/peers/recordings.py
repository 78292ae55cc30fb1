"""Real recordings as tapes of the comparisons: what both backtesters can read, and nothing else.

Both get the book from the first snapshot on, its changes, and prints. Best prices that a venue sends beside the
book are left out: the peer's books do not mix the two. So are prints whose aggressor nobody told.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from tape import TapeFiles, save

from makerside.journal.recording import load_recording
from makerside.model.event import Flag, Kind

# Files of the development data (data/SOURCES.md beside it tells their origin): full depth, changes and prints.
NAMES = (
    "binance_usdm-BTCUSDT-20240808T2354.parquet",
    "binance_usdm-ETHUSDT-20240808T2354.parquet",
    "binance_usdm-BTCUSDT-20240718T2357.parquet",
    "binance_spot-ETHUSDT-20240808T2354.parquet",
    "bybit_linear-BTCUSDT-20260809T2126.parquet",
)


DAY = "no_licence/standx-BTCUSD-20260106.parquet"


def day_events(folder: Path, data: Path) -> dict[str, Any] | None:
    """Return what our side needs to run over a whole day as it was recorded; None when it is not there."""
    if not (data / DAY).exists():
        return None
    recording = load_recording(data / DAY)
    path = folder / "day.npy"
    folder.mkdir(parents=True, exist_ok=True)
    np.save(path, recording.events)
    return {"events": str(path), "instrument": recording.instrument.as_dict()}


def find(data: Path) -> list[Path]:
    """Return the recordings that are there."""
    return [path for name in NAMES if (path := data / name).exists()]


def make(folder: Path, path: Path, say: Callable[[str], None]) -> tuple[TapeFiles, int]:
    """Return a recording's tape and the median size of its prints in lots."""
    say(f"reading {path.name} ...")
    recording = load_recording(path)
    rows = playable(recording.events)
    files = TapeFiles(
        path.stem, recording.instrument, folder / f"{path.stem}.npy", folder / f"{path.stem}-peer.npy"
    )
    save(files, rows)
    prints = rows["size_lots"][rows["kind"] == Kind.TRADE]
    return files, max(1, int(np.median(prints)))


def playable(events: np.ndarray) -> np.ndarray:
    """Return the rows of a recording that both sides read: (n,) event_t, a snapshot first and never again."""
    is_snapshot = events["kind"] == Kind.SNAPSHOT
    starts = np.flatnonzero(is_snapshot)
    ends = np.flatnonzero(is_snapshot & ((events["flags"] & Flag.LAST) != 0))
    assert len(ends) == 1, "one snapshot, at the start"
    is_known = (events["kind"] != Kind.TRADE) | ((events["flags"] & Flag.UNKNOWN_SIDE) == 0)
    is_wanted = np.isin(events["kind"], (Kind.DELTA, Kind.SNAPSHOT, Kind.TRADE)) & is_known
    is_wanted[: starts[0]] = False
    rows: np.ndarray = events[is_wanted].copy()
    return rows
