"""Recordings on disk and in memory: bytes per row, time to write, open and read 10 M rows, memory needed.

    python bench/tapes.py [RECORDING.parquet ...]

Prints for each recording given the size of our file and what a day of it would take, then compares three ways
to 10 M rows in memory: decompress the Parquet file (what a run without a tape does), build the tape from it
(what the first run does), open the tape (what every later run does). The first recording given, or a synthetic
market, is repeated to 10 M rows. All ways are first found to give the same bytes; then they are timed in turns,
each round in processes of their own, whose memory is told too: own (without what is mapped from the file, which
belongs to the system) when the rows are there, and the peak of all. Medians over the rounds, ratios to the
first way. A day is scaled from the rows after the first message: a snapshot at the beginning comes once.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np

from makerside.journal.recording import Recording, load_recording, table_of
from makerside.journal.recording_file import NamedInstrument
from makerside.journal.recording_write import write_table
from makerside.journal.tape import open_tape
from makerside.journal.tape_build import build_tape
from makerside.model.event import ROW_BYTES, Flag
from makerside.model.instrument import Instrument
from makerside.model.units import NS_PER_S

N_ROWS = 10_000_000
ROUNDS = 5
DAY_NS = 86_400 * NS_PER_S
SEED = 7

# One way in a process of its own: prints the time of the call, of one walk over all rows, and its memory.
CHILD = """
import json, sys, time
from pathlib import Path
import numpy as np
from makerside.journal.recording import load_recording
from makerside.journal.recording_file import read_blocks
from makerside.journal.tape import open_tape
from makerside.journal.tape_build import build_tape
way, source, tape = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
def status(name):
    lines = Path("/proc/self/status").read_text().splitlines() if Path("/proc/self/status").exists() else []
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(name)), float("nan"))
import pyarrow.parquet
before = status("RssAnon")
begin = time.perf_counter()
if way == "decompress": events = load_recording(source).events
elif way == "build":
    new = tape.with_suffix(".new")
    build_tape(source, new)
    events = open_tape(new)[0].events
else: events = open_tape(tape)[0].events
opened = time.perf_counter() - begin
begin = time.perf_counter()
total = int(events["size_lots"].sum()) + int(events["ts_local_ns"].max())
walked = time.perf_counter() - begin
print(json.dumps({"opened": opened, "walked": walked, "total": total,
                  "own_mib": status("RssAnon") - before, "peak_mib": status("VmHWM")}))
"""


def synthetic() -> Recording:
    """Return a stretch of the synthetic BTC market."""
    from makerside.research.calibrate_market import synthetic_rows
    from makerside.sim.market_models import load_model

    instrument = Instrument("synthetic", "BTC", Decimal("0.1"), Decimal("0.00001"))
    return Recording(
        Path("synthetic-BTC"), instrument, synthetic_rows(load_model("btc"), instrument, 1_800.0, SEED)
    )


def repeated(recording: Recording, n_rows: int) -> Recording:
    """Return a recording again and again, each time later, up to a number of rows."""
    events = recording.events
    times = -(-n_rows // len(events))
    span = recording.duration_ns + NS_PER_S
    rows = np.tile(events, times)
    shift = np.repeat(np.arange(times) * span, len(events))
    for name in ("ts_venue_ns", "ts_local_ns"):
        rows[name] += shift
    rows = rows[:n_rows]
    rows["flags"][-1] |= Flag.LAST
    return replace(recording, events=rows, defects={})


def write(recording: Recording, path: Path) -> tuple[int, float]:
    """Write a recording as our Parquet; returns bytes and seconds."""
    table = table_of(recording)
    begin = time.perf_counter()
    n_bytes = write_table(path, table.columns, NamedInstrument(recording.instrument, is_found=False))
    return n_bytes, time.perf_counter() - begin


def print_sizes(recordings: list[Recording], folder: Path) -> None:
    """Print what a row and a day take."""
    print(
        f"{'recording':46s} {'rows':>10s} {'M rows/day':>10s} {'B/row given':>11s} {'B/row':>6s} {'MB/day':>7s}"
    )
    for recording in recordings:
        n, path = len(recording.events), folder / "size.parquet"
        n_bytes, _ = write(recording, path)
        days = recording.duration_ns / DAY_NS
        n_later = n - 1 - int(np.argmax(recording.events["flags"] & Flag.LAST))
        given = recording.path.stat().st_size / n if recording.path.exists() else float("nan")
        print(
            f"{recording.path.name:46s} {n:10,} {n_later / days / 1e6:10.1f} {given:11.2f} {n_bytes / n:6.2f} "
            f"{n_bytes / n * n_later / 1e6 / days:7.1f}"
        )


def run(way: str, source: Path, tape: Path) -> dict[str, float]:
    """Return what a process of its own measured."""
    command = [sys.executable, "-c", CHILD, way, str(source), str(tape)]
    found: dict[str, float] = json.loads(
        subprocess.run(command, check=True, capture_output=True).stdout  # noqa: S603 - our own words
    )
    return found


def main() -> None:
    """Check, measure, print."""
    recordings = [load_recording(Path(one)) for one in sys.argv[1:]] or [synthetic()]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print_sizes(recordings, folder)
        whole = repeated(recordings[0], N_ROWS)
        source, tape = folder / "v-S-day.parquet", folder / "v-S-day.tape"
        n_bytes, written_s = write(whole, source)
        build_tape(source, tape)
        expected = whole.events.tobytes()
        if (
            load_recording(source).events.tobytes() != expected
            or open_tape(tape)[0].events.tobytes() != expected
        ):
            raise SystemExit("the rows differ")
        del expected
        print(f"\n{N_ROWS:,} rows of {whole.path.name}, repeated: the same bytes from every way")
        print(f"Parquet {n_bytes / 1e6:,.0f} MB ({n_bytes / N_ROWS:.2f} B/row), written in {written_s:.2f} s ")
        print(f"({written_s * 1e9 / N_ROWS:.0f} ns/row); tape {N_ROWS * ROW_BYTES / 1e6:,.0f} MB")
        found: dict[str, list[dict[str, float]]] = {"decompress": [], "build": [], "open": []}
        for _ in range(ROUNDS):
            for way, results in found.items():
                results.append(run(way, source, tape))
        if len({result["total"] for results in found.values() for result in results}) != 1:
            raise SystemExit("the sums differ")
        print(
            f"\n{'way':12s} {'s':>8s} {'min-max':>15s} {'ns/row':>7s} {'ratio':>8s} {'walk s':>7s} "
            f"{'own MiB':>8s} {'peak MiB':>8s}"
        )
        base = statistics.median(one["opened"] for one in found["decompress"])
        for way, results in found.items():
            times = [one["opened"] for one in results]
            median = statistics.median(times)
            walked = statistics.median(one["walked"] for one in results)
            peak = statistics.median(one["peak_mib"] for one in results)
            own = statistics.median(one["own_mib"] for one in results)
            span = f"({min(times):.3f}-{max(times):.3f})"
            ratio = f"{base / median:.1f}x"
            print(
                f"{way:12s} {median:8.3f} {span:>15s} {median * 1e9 / N_ROWS:7.1f} {ratio:>8s} {walked:7.3f} "
                f"{own:8,.0f} {peak:8,.0f}"
            )


if __name__ == "__main__":
    main()
