"""Ten markets in one process: does each decide as fast as one alone?

    python bench/ten_markets.py [MINUTES=3]

The same synthetic markets are fed message by message to ten engines with one market each and to one
engine with all ten, in turns. First the orders of every market must be the same in both; then the
median time per message of each market is compared. The journal and the network are not in it.
"""

import sys
from datetime import UTC, datetime

import numpy as np

from makerside.config.load import validate
from makerside.engine import Engine, opening_rows
from makerside.model.event import Flag
from makerside.model.units import NS_PER_S
from makerside.net.clock import stopwatch_ns
from makerside.research.calibrate_market import synthetic_rows
from makerside.runtime.simserver import LISTED, listed_instrument
from makerside.sim.market_models import load_model
from makerside.venues.hyperliquid.rules import rules_at

ROUNDS = 5
LIMIT = 1.2
CONFIG = {"strategy": {"name": "glft", "levels": 3}, "bot": {"id": 1}}


def make_tape(minutes):
    """Return (instruments, messages): rows of one message each, of all markets in order of time."""
    rules = rules_at(datetime.now(UTC).date())
    model = load_model("btc")
    instruments, parts = [], []
    for index, symbol in enumerate(LISTED):
        instrument = listed_instrument(symbol, index, rules)
        rows = synthetic_rows(model, instrument, 60.0 * minutes, 1 + index, LISTED[symbol][2])
        rows["instrument"] = index
        instruments.append(instrument)
        parts.append(rows)
    rows = np.concatenate(parts)
    rows = rows[np.argsort(rows["ts_local_ns"], kind="stable")]
    rows["ts_local_ns"] += NS_PER_S
    ends = np.flatnonzero(rows["flags"] & Flag.LAST) + 1
    starts = np.concatenate([[0], ends[:-1]])
    return instruments, [rows[a:b] for a, b in zip(starts, ends, strict=True)]


def run(engines, index_of, messages):
    """Feed every message to its engine; returns (ns per message by market, orders by market)."""
    times = [[] for _ in index_of]
    orders = [[] for _ in index_of]
    for rows in messages:
        market = int(rows[0]["instrument"])
        engine, local = engines[index_of[market]], rows
        if len(engines) > 1:
            local = rows.copy()
            local["instrument"] = 0
        begun = stopwatch_ns()
        actions = engine.step(local)
        times[market].append(stopwatch_ns() - begun)
        orders[market] += [(int(a["kind"]), int(a["price_ticks"]), int(a["size_lots"])) for a in actions]
    return [np.median(one) for one in times], orders


def build(instruments, together):
    config = validate({**CONFIG, "risk": {"total_max_usd": 1e6}})
    prices = [int(LISTED[i.symbol][2] / float(i.tick_size)) for i in instruments]
    groups = [list(range(len(instruments)))] if together else [[i] for i in range(len(instruments))]
    engines = []
    for group in groups:
        engine = Engine(config, [instruments[i] for i in group], [prices[i] for i in group], False)
        engine.step(opening_rows(1, 100_000.0, 1))
        engines.append(engine)
    return engines, [0 if together else i for i in range(len(instruments))]


def main():
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 3.0
    instruments, messages = make_tape(minutes)
    print(f"{len(messages):,} messages of {len(instruments)} markets")
    ratios = []
    for turn in range(ROUNDS):
        alone, orders_alone = run(*build(instruments, together=False), messages)
        both, orders_both = run(*build(instruments, together=True), messages)
        if turn == 0:
            assert orders_alone == orders_both, "the markets decide differently when they are together"
        ratios.append(np.array(both) / np.array(alone))
        print(
            f"round {turn + 1}: alone {np.median(alone):.0f} ns, together {np.median(both):.0f} ns per message"
        )
    worst = float(np.median(np.array(ratios), axis=0).max())
    print(f"ratio together / alone: median {np.median(ratios):.3f}, worst market {worst:.3f} (limit {LIMIT})")


if __name__ == "__main__":
    main()
