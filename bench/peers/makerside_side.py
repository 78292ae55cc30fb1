"""The comparison's strategy in makerside, as a process of its own: one JSON request a line, one answer a line.

The twin of `hftbacktest_side.py`: the same cases and tapes, through the research API.
"""

import json
import resource
import sys
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np

from makerside.config.convert import lot_value
from makerside.config.load import validate
from makerside.config.tree import Config
from makerside.journal.reader import heads
from makerside.model.event import Flag, Kind, event_t, order_detail_t
from makerside.model.instrument import Instrument
from makerside.model.units import NS_PER_MS
from makerside.net.clock import stopwatch_ns
from makerside.research.backtest import (
    Simulation,
    Tape,
    block_rows,
    first_mid_ticks,
    order_at_venue,
    with_fees,
)
from makerside.sim.records import PITS_MAX
from makerside.strategies.ladder import LadderParam

STRATEGY = Path(__file__).with_name("grid_quoter.py")
UNLIMITED_USD = 1e8
BLOCK_ROWS = 1 << 16
LOGGED = (Kind.ORDER_ACK, Kind.FILL, Kind.ORDER_CANCELED)
CANCEL = -1  # in place of lots

# lots 0: the order was accepted then; -1: it was cancelled
log_t = np.dtype(
    [("ts_ns", "i8"), ("accepted_ns", "i8"), ("price_ticks", "i8"), ("side", "i8"), ("lots", "i8")]
)


def config_of(case: dict[str, Any], tape: Tape) -> Config:
    """Return the configuration that says what the peer's case says. Limits of ours that it lacks are wide."""
    value = lot_value(tape.instruments[0], tape.reference_ticks[0])
    names = ("levels", "half_spread_ticks", "volatility_factor", "skew_ticks", "interval_ticks")
    strategy = {name: case[name] for name in (*names, "position_max_lots")}
    size_usd = float(value * case["size_lots"] + value / 2)  # half a lot more: money is rounded down to lots
    return validate(
        {
            "strategy": {"name": str(STRATEGY), "size_usd": size_usd, **strategy},
            "risk": {
                "position_max_usd": UNLIMITED_USD,
                "order_max_usd": UNLIMITED_USD,
                "total_max_usd": UNLIMITED_USD,
                "price_band_bps": 10_000,
                "stale_s": 86_400,
            },
            "pacing": {
                "decide_on": "timer",
                "flush_ms": 0,
                "hysteresis_bps": 0,
                "timeout_ms": 60_000,
                "budget_actions": 1e9,
                "budget_per_s": 1e6,
                "reserve_actions": 0,
                "timer_ms": case["step_ns"] / NS_PER_MS,
            },
            "simulation": {
                "queue": case["queue"],
                "entry_ms": case["entry_ns"] / NS_PER_MS,
                "response_ms": case["response_ns"] / NS_PER_MS,
                "cash_usd": UNLIMITED_USD,
                "maker_fee_bps": float(Decimal(repr(case["maker_fee"])) * 10_000),
                "taker_fee_bps": float(Decimal(repr(case["taker_fee"])) * 10_000),
            },
        }
    )


def load_tape(description: dict[str, Any], n_rows: int | None) -> Tape:
    """Return the tape, or its beginning, mapped into memory."""
    events = np.load(description["events"], mmap_mode="c").view(np.ndarray).view(event_t)[:n_rows]
    instrument = Instrument.from_dict(description["instrument"])
    return Tape([instrument], [first_mid_ticks(events, 0)], events, order_at_venue(events))


def walk(cases: list[dict[str, Any]], tape: Tape) -> list[dict[str, Any]]:
    """Run parameter sets in one walk over the tape; returns plain figures by set."""
    simulation = simulation_of(cases, tape, is_lean=True)
    block = np.zeros(block_rows(BLOCK_ROWS, len(cases)), event_t)
    while not simulation.is_done:
        simulation.advance(block)
    simulation.settle()
    return [figures(engine.traders[0]) for engine in simulation.engines]


def simulation_of(cases: list[dict[str, Any]], tape: Tape, is_lean: bool) -> Simulation:
    """Return cases on a tape, ready to run."""
    configs = [config_of(case, tape) for case in cases]
    instruments = [[with_fees(instrument, config) for instrument in tape.instruments] for config in configs]
    simulation = Simulation(configs, tape, instruments, is_lean)
    for engine, case in zip(simulation.engines, cases, strict=True):
        assert engine.traders[0]["params"][LadderParam.SIZE_LOTS] == case["size_lots"]
    return simulation


def figures(trader: Any) -> dict[str, Any]:
    """Return what a trader did, in numbers."""
    return {
        "decisions": int(trader["n_decisions"]),
        "requests": int(trader["n_placed"] + trader["n_cancels"]),
        "withheld": int(trader["refusals"].sum()),
        "fills": int(trader["n_fills"]),
    }


def run(cases: list[dict[str, Any]], tape: Tape, threads: int) -> dict[str, Any]:
    """Run parameter sets, as few walks as can be, on threads; returns plain figures by set, in their order."""
    begun, begun_cpu = stopwatch_ns(), process_time()
    walks = max(min(threads, len(cases)), -(-len(cases) // PITS_MAX))
    parts = [cases[i::walks] for i in range(walks)]
    with ThreadPoolExecutor(threads) as pool:
        done = list(pool.map(lambda part: walk(part, tape), parts))
    seconds, cpu_s = (stopwatch_ns() - begun) / 1e9, process_time() - begun_cpu
    runs = [done[i % walks][i // walks] for i in range(len(cases))]
    return {"seconds": seconds, "cpu_s": cpu_s, "runs": runs}


def run_logged(case: dict[str, Any], tape: Tape, log: Path) -> dict[str, Any]:
    """Run one parameter set with its journal, and write what happened to its orders, as log_t."""
    begun = stopwatch_ns()
    simulation = simulation_of([case], tape, is_lean=False)
    block = np.zeros(block_rows(BLOCK_ROWS), event_t)
    kept = []
    while not simulation.is_done:
        rows = block[: simulation.advance(block)]
        places = np.flatnonzero(heads(rows) & np.isin(rows["kind"], LOGGED))
        kept.append(rows[np.column_stack([places, places + 1]).ravel()])
    simulation.settle()
    np.save(log, order_log(np.concatenate(kept)))
    return {"seconds": (stopwatch_ns() - begun) / 1e9, "runs": [figures(simulation.engine.traders[0])]}


def order_log(rows: np.ndarray) -> np.ndarray:
    """Return acceptances, fills and cancels, told by rows and their continuations in turns, in their order."""
    own, details = rows[::2], np.ascontiguousarray(rows[1::2]).view(order_detail_t)
    found = np.zeros(len(own), log_t)
    found["ts_ns"], found["price_ticks"] = own["ts_venue_ns"], own["price_ticks"]
    found["lots"] = np.where(own["kind"] == Kind.FILL, own["size_lots"], 0)
    found["lots"][own["kind"] == Kind.ORDER_CANCELED] = CANCEL
    found["side"] = np.where(own["flags"] & Flag.SELL, -1, 1)
    accepted: dict[int, int] = {}
    for i, (identity, ts_ns) in enumerate(
        zip(details["client_order_id"].tolist(), found["ts_ns"].tolist(), strict=True)
    ):
        found["accepted_ns"][i] = accepted.setdefault(identity, ts_ns)
    return found


def peak_mib() -> float:
    """Return the most memory that this process has had; what it inherited from its parent does not count."""
    status = Path("/proc/self/status")
    if status.exists():
        lines = status.read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Answer requests until there are no more; the tape of the last one stays in memory."""
    tape, loaded = None, None
    for line in sys.stdin:
        request = json.loads(line)
        if request["do"] == "convert":
            from convert import convert

            answer = convert(request)
        else:
            wanted = (request["tape"]["events"], request.get("rows"))
            if wanted != loaded:
                tape, loaded = load_tape(request["tape"], request.get("rows")), wanted
            assert tape is not None
            if request.get("log"):
                answer = run_logged(request["cases"][0], tape, Path(request["log"]))
            else:
                answer = run(request["cases"], tape, request.get("threads", 1))
        answer["rss_mib"] = peak_mib()
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
