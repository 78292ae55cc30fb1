"""The comparison's strategy in makerside: configurations, runs and fills through the research API.

As a program it is the twin of `hftbacktest_side.py`: one JSON request a line, one answer a line.
"""

import json
import resource
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from makerside.config.convert import lot_value
from makerside.config.load import validate
from makerside.config.tree import Config
from makerside.journal.reader import heads
from makerside.model.event import Flag, Kind, event_t
from makerside.model.instrument import Instrument
from makerside.model.units import NS_PER_MS
from makerside.net.clock import stopwatch_ns
from makerside.research.backtest import Simulation, Tape, with_fees

STRATEGY = Path(__file__).with_name("grid_quoter.py")
UNLIMITED_USD = 1e8
QUEUES = {"log_prob": "log_prob", "risk_averse": "risk_averse"}
BLOCK_ROWS = 1 << 16

fill_t = np.dtype([("ts_ns", "i8"), ("price_ticks", "i8"), ("side", "i8"), ("lots", "i8")])


def config_of(case: dict[str, Any], tape: Tape) -> Config:
    """Return the configuration that says what the peer's request says. Limits of ours that it lacks are wide.

    case : levels, half_spread_ticks, volatility_factor, skew_ticks, interval_ticks, size_lots,
           position_max_lots, queue, entry_ns, response_ns, step_ns, maker_fee, taker_fee
    """
    value = lot_value(tape.instruments[0], tape.reference_ticks[0])
    strategy = {key: case[key] for key in ("levels", "half_spread_ticks", "volatility_factor", "skew_ticks")}
    strategy |= {key: case[key] for key in ("interval_ticks", "position_max_lots")}
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
                "flush_ms": 0,
                "hysteresis_bps": 0,
                "timeout_ms": 60_000,
                "budget_actions": 1e9,
                "budget_per_s": 1e6,
                "reserve_actions": 0,
                "timer_ms": case["step_ns"] / NS_PER_MS,
            },
            "simulation": {
                "queue": QUEUES[case["queue"]],
                "entry_ms": case["entry_ns"] / NS_PER_MS,
                "response_ms": case["response_ns"] / NS_PER_MS,
                "cash_usd": UNLIMITED_USD,
                "maker_fee_bps": float(Decimal(repr(case["maker_fee"])) * 10_000),
                "taker_fee_bps": float(Decimal(repr(case["taker_fee"])) * 10_000),
            },
        }
    )


def run(case: dict[str, Any], tape: Tape, fills: Path | None = None) -> dict[str, Any]:
    """Run one parameter set; returns plain figures. fills : where to write the fills, as fill_t"""
    config = config_of(case, tape)
    begun = stopwatch_ns()
    instruments = [with_fees(instrument, config) for instrument in tape.instruments]
    simulation = Simulation(config, tape, instruments)
    simulation.sims["is_lean"] = 1
    assert simulation.engine.traders[0]["params"][1] == case["size_lots"]
    block = np.zeros(simulation.reserve + BLOCK_ROWS, event_t)
    kept = []
    while not simulation.is_done:
        used = simulation.advance(block)
        if fills is not None:
            kept.append(fills_in(block[:used]))
    seconds = (stopwatch_ns() - begun) / 1e9
    if fills is not None:
        np.save(fills, np.concatenate(kept))
    trader, position = simulation.engine.traders[0], simulation.engine.accounts[0]["positions"][0]
    return {
        "seconds": seconds,
        "decisions": int(trader["n_decisions"]),
        "requests": int(trader["n_placed"] + trader["n_cancels"]),
        "withheld": int(trader["refusals"].sum()),
        "trades": int(trader["n_fills"]),
        "fee": int(position["fees_e8"]) / 1e8,
    }


def fills_in(rows: np.ndarray) -> np.ndarray:
    """Return the fills in rows of a journal, in their order."""
    own = rows[heads(rows) & (rows["kind"] == Kind.FILL)]
    found = np.zeros(len(own), fill_t)
    found["ts_ns"], found["price_ticks"], found["lots"] = own["ts_venue_ns"], own["price_ticks"], own["size_lots"]
    found["side"] = np.where(own["flags"] & Flag.SELL, -1, 1)
    return found


def main() -> None:
    """Answer requests until there are no more."""
    from tape import tape_of

    tape, path = None, ""
    for line in sys.stdin:
        request = json.loads(line)
        if request["tape"] != path:
            path = request["tape"]
            tape = tape_of(Instrument.from_dict(request["instrument"]), np.load(path)[: request.get("rows")])
        assert tape is not None
        answer = run(request["case"], tape, Path(request["fills"]) if request.get("fills") else None)
        answer["rss_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
