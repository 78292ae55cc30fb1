"""Measurements against hftbacktest: fills first, then time, memory and conversion, both sides in turns."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cases
import convert
import fills
import numpy as np
import recordings
import tape
from gates import Result, row
from side import Side, ours

from makerside.net.clock import stopwatch_ns

PEER = "hftbacktest"
FIRST_ROWS = 200_000  # of row 6
MESSAGES = 20_000  # of row 8
DAY_SIZE_LOTS = 10  # the median print
DAY_LIMIT_S = 20.0
SWEEP_KEYS = {"3": (20, cases.ONE_LEVEL), "4": (100, cases.ONE_LEVEL), "5": (100, cases.FIVE_LEVELS)}
THREADS = (1, 2)
Times = tuple[float, float]  # seconds, and processor seconds
EXCHANGES = ("partial", "whole")  # of the peer; ours always fills partially


@dataclass(frozen=True)
class Bench:
    """What all measurements share. python : the peer's;  say : tells what is going on"""

    python: Path
    folder: Path
    say: Callable[[str], None]
    repeats: int
    is_full: bool

    @contextmanager
    def sides(self) -> Iterator[tuple[Side, Side]]:
        """Start both sides."""
        with ours() as mine, Side(PEER, self.python) as theirs:
            yield mine, theirs


def parity(bench: Bench, files: tape.TapeFiles, size_lots: int, is_whole_too: bool) -> list[dict[str, Any]]:
    """Compare the fills of a tape, order by order, for both levels and queue models; plain figures."""
    description = files.describe()
    rows = np.load(files.events)
    queue_tape = fills.QueueTape(rows, float(files.instrument.lot_size))
    logs = bench.folder / "ours.npy", bench.folder / "theirs.npy"
    found = []
    with bench.sides() as (mine, theirs):
        for base in (cases.ONE_LEVEL, cases.FIVE_LEVELS):
            for queue in ("risk_averse", "log_prob"):
                case = cases.sized(cases.with_queue(base, queue), size_lots)
                ask = {"do": "run", "tape": description, "cases": [case]}
                bench.say(f"fills on {files.name}: {case['levels']} level(s), {queue}")
                a = mine.ask(**ask, log=str(logs[0]))["runs"][0]
                for exchange in EXCHANGES[: 2 if is_whole_too else 1]:
                    b = theirs.ask(**ask, log=str(logs[1]), exchange=exchange, book="roi")["runs"][0]
                    compared = fills.compare(
                        np.load(logs[0]), np.load(logs[1]), queue_tape, queue, exchange == "whole"
                    )
                    found.append(_parity_line(files.name, case, exchange, compared, a, b))
    for path in logs:
        path.unlink()
    return found


def _parity_line(
    name: str,
    case: dict[str, Any],
    exchange: str,
    found: fills.Comparison,
    a: dict[str, Any],
    b: dict[str, Any],
) -> dict[str, Any]:
    return {
        "tape": name,
        "levels": case["levels"],
        "queue": case["queue"],
        "exchange": exchange,
        "decisions": [a["decisions"], b["decisions"]],
        "requests": [a["requests"], b["requests"]],
        "fills": [found.fills_ours, found.fills_theirs],
        "lots": [found.lots_ours, found.lots_theirs],
        "worst": found.worst,
        "orders_same": found.orders_same,
        "causes": found.causes(),
        "differences": [one.as_dict() for one in found.differences],
    }


def single(bench: Bench, key: str, case: dict[str, Any], description: dict[str, Any]) -> Result:
    """Rows 1 and 2: one set, against the faster of the peer's two exchanges on its faster book."""
    mine_s, theirs_s = [], []
    with bench.sides() as (mine, theirs):
        for turn in range(bench.repeats + 1):
            bench.say(f"row {key}, {row(key).what}: round {turn} of {bench.repeats}")
            a = _times(mine.ask(do="run", tape=description, cases=[case]))
            b = _peer_single(theirs, case, description)
            if turn > 0:  # the first round compiles and maps
                mine_s.append(a)
                theirs_s.append(b)
    return _result(key, mine_s, theirs_s)


def _times(answer: dict[str, Any]) -> Times:
    return answer["seconds"], answer["cpu_s"]


def _result(key: str, mine: list[Times], theirs: list[Times], has_cpu: bool = True) -> Result:
    """Return a row of rounds of (seconds, processor seconds)."""
    walls = [time for time, _ in mine], [time for time, _ in theirs]
    cpus = ([cpu for _, cpu in mine], [cpu for _, cpu in theirs]) if has_cpu else ((), ())
    return Result(row(key), *walls, *cpus)


def _peer_single(theirs: Side, case: dict[str, Any], description: dict[str, Any]) -> Times:
    """Return the times of the peer's fastest way to run one set: array in memory, vector book."""
    ask = {"do": "run", "tape": description, "cases": [case], "book": "roi"}
    runs = [_times(theirs.ask(**ask, exchange=one)) for one in EXCHANGES]
    return min(time for time, _ in runs), min(cpu for _, cpu in runs)


def many(bench: Bench, key: str, description: dict[str, Any]) -> list[Result]:
    """Rows 3 to 5: many sets in one pass, on one thread and on two.

    The peer's time is its single run, measured in the same round, times the number of sets: it has no other
    way. With `--full` its loop over the 20 sets of row 3 is run for real.
    """
    n, base = SWEEP_KEYS[key]
    sets = cases.sets_of(base, n)
    mine_s: dict[int, list[Times]] = {threads: [] for threads in THREADS}
    theirs_s: list[Times] = []
    with bench.sides() as (mine, theirs):
        mine.ask(do="run", tape=description, cases=sets, threads=2, rows=FIRST_ROWS)
        _peer_single(theirs, base, description)
        for turn in range(1, bench.repeats + 1):
            bench.say(f"rows {key}.1 and {key}.2, {n} sets of {base['levels']} level(s): round {turn}")
            if bench.is_full and key == "3":
                ask = {"do": "run", "tape": description, "cases": sets, "book": "roi"}
                theirs_s.append(_times(theirs.ask(**ask, exchange="whole")))
            else:
                wall, cpu = _peer_single(theirs, base, description)
                theirs_s.append((n * wall, n * cpu))
            for threads in THREADS:
                answer = mine.ask(do="run", tape=description, cases=sets, threads=threads)
                mine_s[threads].append(_times(answer))
    # Threads save time, not processor time: there the second ratio would say nothing.
    return [_result(f"{key}.{n}", mine_s[n], theirs_s, has_cpu=n == 1) for n in THREADS]


def first_result(bench: Bench, short: dict[str, Any]) -> Result:
    """Row 6: from the start of a process to its first result, caches warm, whole processes in turns.

    short : a tape of FIRST_ROWS rows
    """
    mine_s, theirs_s = [], []
    ask = {"do": "run", "tape": short, "cases": [cases.ONE_LEVEL]}
    for turn in range(bench.repeats + 1):
        bench.say(f"row 6, new process to first result: round {turn} of {bench.repeats}")
        a = _whole_process(ours, ask)
        b = _whole_process(lambda: Side(PEER, bench.python), {**ask, "exchange": "partial", "book": "roi"})
        if turn > 0:
            mine_s.append(a)
            theirs_s.append(b)
    return Result(row("6"), mine_s, theirs_s)


def _whole_process(start: Callable[[], Side], ask: dict[str, Any]) -> float:
    begun = stopwatch_ns()
    with start() as side:
        side.ask(**ask)
    return (stopwatch_ns() - begun) / 1e9


def memory(bench: Bench, description: dict[str, Any]) -> Result:
    """Row 7: peak memory of a process that loads the tape and runs one set."""
    ask = {"do": "run", "tape": description, "cases": [cases.ONE_LEVEL]}
    mine_mib, theirs_mib = [], []
    for _ in range(min(3, bench.repeats)):
        bench.say("row 7, peak memory")
        with ours() as mine:
            mine_mib.append(mine.ask(**ask)["rss_mib"])
        with Side(PEER, bench.python) as theirs:
            theirs_mib.append(theirs.ask(**ask, exchange="partial", book="roi")["rss_mib"])
    return Result(row("7"), mine_mib, theirs_mib)


def conversion(bench: Bench) -> Result:
    """Row 8: the same raw messages through both converters; their rows agree before anything is timed."""
    raw = convert.make_messages(bench.folder, MESSAGES, bench.say)
    saved = bench.folder / "converted-ours.npy", bench.folder / "converted-theirs.npy"
    peer_ask = {"raw": raw["theirs"], "tick_size": convert.TICK, "lot_size": convert.LOT}
    peer_ask |= {"do": "convert", "rows_max": MESSAGES * 4 * convert.LEVELS}
    mine_s, theirs_s = [], []
    with bench.sides() as (mine, theirs):
        for turn in range(bench.repeats + 1):
            bench.say(f"row 8, {MESSAGES:,} raw messages: round {turn} of {bench.repeats}")
            is_first = turn == 0
            a = mine.ask(do="convert", raw=raw["ours"], save=str(saved[0]) if is_first else None)
            b = theirs.ask(**peer_ask, save=str(saved[1]) if is_first else None)
            if is_first:
                same = np.array_equal(
                    convert.changes_of_ours(np.load(saved[0])), convert.changes_of_theirs(np.load(saved[1]))
                )
                if not same:
                    raise AssertionError("the two converters make different rows of the same messages")
            else:
                mine_s.append(a["seconds"])
                theirs_s.append(b["seconds"])
    for path in saved:
        path.unlink()
    return Result(row("8"), mine_s, theirs_s)


def day(bench: Bench, data: Path) -> Iterator[Result]:
    """Row "day": ours alone, against a limit in seconds; nothing when the recording is not there."""
    description = recordings.day_events(bench.folder, data)
    if description is None:
        bench.say(f"no {recordings.DAY} in {data}: that row is left out")
        return
    sets = cases.sets_of(cases.sized(cases.ONE_LEVEL, DAY_SIZE_LOTS), 100)
    mine_s = []
    with ours() as mine:
        for turn in range(bench.repeats + 1):
            bench.say(f"row day, 100 sets: round {turn} of {bench.repeats}")
            answer = mine.ask(do="run", tape=description, cases=sets, threads=2)
            if turn > 0:
                mine_s.append(answer["seconds"])
    yield Result(row("day"), mine_s, [DAY_LIMIT_S] * len(mine_s))


def tapes(bench: Bench, n_rows: int, data: Path) -> Iterator[tuple[tape.TapeFiles, int, bool]]:
    """Yield (files, size of a quote in lots, whether it is synthetic) of the tapes of the comparison."""
    yield tape.make(bench.folder, n_rows, bench.say), cases.BASE["size_lots"], True
    found = recordings.find(data)
    if not found:
        bench.say(f"no recordings in {data}: fills are compared on the synthetic tape alone")
    for path in found:
        yield *recordings.make(bench.folder, path, bench.say), False
