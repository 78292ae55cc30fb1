"""Runs a tape in a process of its own, and prints what came out of it as SHA-256, one line each.

python child.py TAPE FOLDER        the lines: actions, state, journal of a backtest of the same market
"""

import hashlib
import sys
from pathlib import Path

import numpy as np

from builders import make_engine, plain, run
from makerside.journal.recording import Recording
from makerside.journal.writer import JournalWriter
from makerside.model.event import Kind, event_t
from makerside.research.backtest import run_backtest

SETTINGS = {
    "strategy.levels": 2,
    "strategy.size_usd": 30,
    "strategy.half_spread_min_bps": 0.5,
    "strategy.half_spread_max_bps": 3.0,
    "strategy.intensity_k_per_bps": 1.5,
    "strategy.gamma_per_usd": 0.3,
    "risk.position_max_usd": 300,
    "pacing.flush_ms": 60,
    "pacing.hysteresis_bps": 3.0,
    "pacing.timeout_ms": 300,
    "estimators.volatility_sample_ms": 150,
    "estimators.volatility_half_life_s": 10.0,
    "estimators.intensity_window_ms": 100,
    "estimators.intensity_refit_s": 1.0,
    "estimators.intensity_half_life_s": 20.0,
}
MARKET = (Kind.DELTA, Kind.SNAPSHOT, Kind.TRADE, Kind.BBO)


def new_engine(name="glft"):
    """Return the engine of the tape: one market, not opened."""
    return make_engine({**SETTINGS, "strategy.name": name}, [plain()], is_scripted=False, start_ns=None)


def results(rows, folder, name="glft"):
    """Return [SHA-256 of actions, of state, of a backtest's journal]."""
    engine = new_engine(name)
    actions = run(engine, rows)
    market = rows[np.isin(rows["kind"], MARKET)]
    path = Path(folder) / f"journal-{name}-{len(list(Path(folder).iterdir()))}"
    with JournalWriter(path) as journal:
        run_backtest(engine.config, [Recording(Path("tape"), plain(), market, {})], journal)
    parts = (actions.tobytes(), engine.state_bytes(), path.read_bytes())
    return [hashlib.sha256(part).hexdigest() for part in parts]


if __name__ == "__main__":
    tape, folder = np.fromfile(sys.argv[1], event_t), sys.argv[2]
    for strategy in ("glft", "avellaneda_stoikov"):
        print("\n".join(results(tape, folder, strategy)))
