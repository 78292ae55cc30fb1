"""Benchmarks against other backtesters, each in an environment of its own: `make bench-peers`.

    python bench/peers/main.py [PEER ...] [--rows N] [--repeats N] [--only ROW,...] [--full] [--data FOLDER]

Fills are compared first, order by order; then times, in turns in one run. Prints the table of gates and goals,
writes out/bench-peers.json, and ends with 1 when a gate fails or fills differ by more than a hundredth, with 2
when it cannot run. docs/benchmarks.md says what is compared and how to read it.
"""

import argparse
import json
import os
import platform
import statistics
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import environments
import gates
import hftbacktest_rows as measure
import numpy as np
import tape
from cases import FIVE_LEVELS, ONE_LEVEL
from fills import Cause
from rich.console import Console
from rich.table import Table
from side import SideError

from makerside import __version__

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "out" / "bench-peers.json"
DATA = ROOT.parent / "shared" / "data" / "l2"
PEERS = ("hftbacktest",)
PARITY_MAX = 0.01  # of number and volume of fills
SHOWN = 5  # differing orders that are printed per comparison; all are in the file
ROW_KEYS = ("parity", "1", "2", "3", "4", "5", "6", "7", "8", "day")


def main() -> int:
    """Run what the arguments ask for; returns the exit code."""
    wanted = parse_arguments()
    console = Console()
    try:
        with console.status("") as status:
            report = run(wanted, status.update if console.is_terminal else console.print)
    except (environments.InstallError, SideError) as error:
        console.print(f"cannot run: {error}", markup=False)
        return 2
    except KeyboardInterrupt:
        console.print("interrupted; nothing was written")
        return 130
    OUT.parent.mkdir(parents=True, exist_ok=True)
    part = OUT.with_suffix(".part")
    part.write_text(json.dumps(report, indent=1) + "\n")
    os.replace(part, OUT)
    show(console, report)
    return 0 if report["is_passed"] else 1


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench-peers", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("peers", nargs="*", metavar="PEER", help=f"which peers: {', '.join(PEERS)} (all)")
    parser.add_argument("--rows", type=int, default=10_000_000, help="length of the synthetic tape")
    parser.add_argument("--repeats", type=int, default=5, help="rounds of each measurement")
    parser.add_argument("--only", default=",".join(ROW_KEYS), help=f"some of {','.join(ROW_KEYS)}")
    parser.add_argument("--full", action="store_true", help="run the peer's loop over 20 sets for real")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of real recordings")
    wanted = parser.parse_args()
    strange = [name for name in wanted.peers if name not in PEERS]
    if strange:
        parser.error(f"there is no peer {strange[0]!r}; there are {', '.join(PEERS)}")
    wanted.only = wanted.only.split(",")
    for key in wanted.only:
        if key not in ROW_KEYS:
            parser.error(f"--only {key}: choose from {','.join(ROW_KEYS)}")
    if wanted.rows < measure.FIRST_ROWS or wanted.repeats < 1:
        parser.error(f"--rows is at least {measure.FIRST_ROWS}, --repeats at least 1")
    return wanted


def run(wanted: argparse.Namespace, say: Callable[[str], None]) -> dict[str, Any]:
    """Return the report of everything that was asked for. say : tells what is going on"""
    bench = measure.Bench(
        environments.python_of("hftbacktest", say),
        environments.FOLDER / "tapes",
        say,
        wanted.repeats,
        wanted.full,
    )
    files = tape.make(bench.folder, wanted.rows, say)
    parity = list(parities(wanted, bench))
    results = list(timings(wanted, bench, files))
    is_agreed = all(one["worst"] <= PARITY_MAX for one in parity if one["exchange"] == "partial")
    return {
        "machine": machine(),
        "tape": tape.statistics(np.load(files.events, mmap_mode="r")),
        "parity": parity,
        "rows": [result.as_dict() for result in results],
        "is_passed": is_agreed and all(result.is_passed for result in results),
    }


def parities(wanted: argparse.Namespace, bench: measure.Bench) -> Iterator[dict[str, Any]]:
    """Yield the comparisons of fills."""
    if "parity" in wanted.only:
        for files, size_lots, is_synthetic in measure.tapes(bench, wanted.rows, wanted.data):
            yield from measure.parity(bench, files, size_lots, is_synthetic)


def timings(wanted: argparse.Namespace, bench: measure.Bench, files: tape.TapeFiles) -> Iterator[gates.Result]:
    """Yield the rows of the table."""
    description = files.describe()
    for key in wanted.only:
        if key == "1":
            yield measure.single(bench, key, ONE_LEVEL, description)
        elif key == "2":
            yield measure.single(bench, key, FIVE_LEVELS, description)
        elif key in measure.SWEEP_KEYS:
            yield from measure.many(bench, key, description)
        elif key == "6":
            short = tape.make(bench.folder, measure.FIRST_ROWS, bench.say).describe()
            yield measure.first_result(bench, short)
        elif key == "7":
            yield measure.memory(bench, description)
        elif key == "8":
            yield measure.conversion(bench)
        elif key == "day":
            yield from measure.day(bench, wanted.data)


def machine() -> dict[str, Any]:
    """Return what the figures were measured on."""
    return {
        "makerside": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "processor": processor(),
        "processors": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "peer_pins": (environments.HERE / "hftbacktest.txt").read_text().split(),
    }


def processor() -> str:
    """Return the processor's name as the system tells it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def show(console: Console, report: dict[str, Any]) -> None:
    """Print the two tables."""
    if report["parity"]:
        console.print(parity_table(report["parity"]))
        for one in report["parity"]:
            show_differences(console, one)
    if report["rows"]:
        console.print(gate_table(report["rows"]))
    console.print(f"all figures: {OUT.relative_to(ROOT)}")


def parity_table(lines: list[dict[str, Any]]) -> Table:
    """Return the table of fills."""
    table = Table(title="Fills: makerside / hftbacktest", title_justify="left")
    for name in ("tape", "levels", "queue", "peer fills", "requests", "fills", "lots", "differ by", ""):
        table.add_column(name, justify="left" if name in ("tape", "queue", "peer fills", "") else "right")
    for one in lines:
        pairs = [f"{one[name][0]:,} / {one[name][1]:,}" for name in ("requests", "fills", "lots")]
        verdict = "" if one["exchange"] != "partial" else "ok" if one["worst"] <= PARITY_MAX else "DIFFER"
        texts = [one["tape"], str(one["levels"]), one["queue"], one["exchange"], *pairs]
        table.add_row(*texts, f"{one['worst']:.2%}", verdict)
    return table


def show_differences(console: Console, one: dict[str, Any]) -> None:
    """Print the causes of what differs, and the first orders that are no mere consequence of others."""
    if not one["differences"]:
        return
    where = f"{one['tape']}, {one['levels']} level(s), {one['queue']}, {one['exchange']}"
    console.print(f"\n{where}: {one['orders_same']:,} filled orders are the same", markup=False)
    for cause, n in one["causes"].items():
        console.print(f"  {n:,} differ: {cause}", markup=False)
    first = [order for order in one["differences"] if order["cause"] != Cause.CONSEQUENCE.value]
    for order in first[:SHOWN]:
        side = "buy" if order["side"] > 0 else "sell"
        console.print(
            f"    {side} {order['price_ticks']} accepted {order['accepted_ns']}: "
            f"ours {order['ours']}, theirs {order['theirs']} ({order['cause']})",
            markup=False,
        )


def gate_table(rows: list[dict[str, Any]]) -> Table:
    """Return the table of gates and goals."""
    table = Table(title="Gates and goals: medians over the rounds", title_justify="left")
    for name in ("row", "what", "ours", "theirs", "ratio", "by cpu", "gate", "goal", ""):
        table.add_column(name, justify="left" if name in ("what", "") else "right")
    for one in rows:
        ours, theirs = (f"{statistics.median(one[name]):,.3f} {one['unit']}" for name in ("ours", "theirs"))
        verdict = ("pass, goal" if one["is_goal"] else "pass") if one["is_passed"] else "FAIL"
        sign = "≤" if gates.row(one["row"]).is_share else "≥"
        limits = [f"{sign} {one[name]:g}x" for name in ("gate", "goal")]
        by_cpu = "" if one["cpu_ratio"] is None else f"{one['cpu_ratio']:.2f}x"
        table.add_row(one["row"], one["what"], ours, theirs, f"{one['ratio']:.2f}x", by_cpu, *limits, verdict)
    return table


if __name__ == "__main__":
    sys.exit(main())
