"""Row 8: raw Hyperliquid l2Book messages become rows of a tape, by our importer and by the peer's converter.

The same messages go into two files, each in the form that its reader wants: JSON lines of our recorder,
and time-and-message lines of the peer's, both gzipped. The results differ in form as well: ours are the
snapshots as they came, the peer's are the changes between them. They agree when the changes between ours
are the peer's rows.
"""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from makerside.journal.hftbacktest import SELL as PEER_SELL
from makerside.model.event import Flag
from makerside.net.clock import stopwatch_ns

COIN, TICK, LOT = "BTC", 0.1, 0.00001
LEVELS = 20
START_MS = 1_750_000_000_000
SEED = 5
change_t = np.dtype([("ts_ns", "i8"), ("side", "i8"), ("price_ticks", "i8"), ("lots", "i8")])


def make_messages(folder: Path, n: int, say: Callable[[str], None]) -> dict[str, str]:
    """Return the two files of n messages: a book that moves and changes a third of its sizes each time."""
    files = {"ours": folder / f"l2book-{n}.jsonl.gz", "theirs": folder / f"l2book-{n}-peer.gz"}
    if not all(path.exists() for path in files.values()):
        say(f"making {n:,} raw messages ...")
        folder.mkdir(parents=True, exist_ok=True)
        parts = {name: path.with_suffix(".part") for name, path in files.items()}
        with gzip.open(parts["ours"], "wt", 6) as ours, gzip.open(parts["theirs"], "wt", 6) as theirs:
            for received_ns, text in _messages(n):
                ours.write(json.dumps({"recv_ns": received_ns, "dir": "in", "raw": text}) + "\n")
                theirs.write(f"{received_ns} {text}\n")
        for name, path in files.items():
            parts[name].rename(path)
    return {name: str(path) for name, path in files.items()}


def _messages(n: int) -> Any:
    rng = np.random.default_rng(SEED)
    middle = 1_080_000
    sizes: dict[tuple[int, int], str] = {}
    for i in range(n):
        middle += int(rng.integers(-3, 4)) if rng.random() < 0.5 else 0
        time_ms = START_MS + 500 * i
        levels = [[_level(rng, sizes, side, tick) for tick in _ticks(middle, side)] for side in (-1, 1)]
        data = {"coin": COIN, "time": time_ms, "levels": levels}
        received_ns = time_ms * 1_000_000 + 12_000_000 + int(rng.integers(0, 5_000_000))
        yield received_ns, json.dumps({"channel": "l2Book", "data": data}, separators=(",", ":"))


def _ticks(middle: int, side: int) -> list[int]:
    """Return the prices of one side, best first; one in five places is empty."""
    found = []
    tick = middle + (side > 0)
    while len(found) < LEVELS:
        if (tick * 2_654_435_761 >> 7) % 10 < 8:
            found.append(tick)
        tick += side
    return found


def _level(rng: Any, sizes: dict[tuple[int, int], str], side: int, tick: int) -> dict[str, Any]:
    if (side, tick) not in sizes or rng.random() < 0.3:
        sizes[side, tick] = f"{rng.exponential(1.5) + LOT:.5f}"
    return {"px": f"{tick / 10:.1f}", "sz": sizes[side, tick], "n": 3}


def convert(request: dict[str, Any]) -> dict[str, Any]:
    """Convert a file as `makerside data import` reads it, into rows ready for a backtest; plain figures."""
    from makerside.journal.recording import recording_of
    from makerside.research.wire_import import read_wire

    begun = stopwatch_ns()
    table, _, _ = read_wire(Path(request["raw"]))
    events = recording_of(table).events
    seconds = (stopwatch_ns() - begun) / 1e9
    if request.get("save"):
        np.save(request["save"], events)
    return {"seconds": seconds, "rows": len(events)}


def changes_of_ours(events: np.ndarray) -> np.ndarray:
    """Return what changes from snapshot to snapshot: (n,) change_t, sorted."""
    found = []
    before: dict[tuple[int, int], int] = {}
    start = 0
    for end in (np.flatnonzero(events["flags"] & Flag.LAST) + 1).tolist():
        rows = events[start:end]
        sides = np.where(rows["flags"] & Flag.SELL, -1, 1).tolist()
        keys = zip(sides, rows["price_ticks"].tolist(), strict=True)
        book = dict(zip(keys, rows["size_lots"].tolist(), strict=True))
        ts_ns = int(rows["ts_venue_ns"][0])
        found += [(ts_ns, *key, 0) for key in before.keys() - book.keys()]
        found += [(ts_ns, *key, lots) for key, lots in book.items() if before.get(key) != lots]
        before, start = book, end
    return np.sort(np.array(found, change_t))


def changes_of_theirs(rows: np.ndarray) -> np.ndarray:
    """Return the peer's rows in the same form."""
    found = np.zeros(len(rows), change_t)
    found["ts_ns"] = rows["exch_ts"]
    found["side"] = np.where(rows["ev"] & np.uint64(PEER_SELL), -1, 1)
    found["price_ticks"] = np.rint(rows["px"] / TICK)
    found["lots"] = np.rint(rows["qty"] / LOT)
    return np.sort(found)
