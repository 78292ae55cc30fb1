"""One parameter set on a shared tape: the figures of a backtest, without its journal.

The simulation is that of `run_backtest`, stopped at equal times to look at the equity; where it stops changes
nothing, so that actions and money are those of the backtest of the same set, byte for byte (tested). Of the
journal only our own reports and actions are kept, in memory. What all sets share, the tape and the market as
the bot sees it, is read by any number of threads at once: the loop does not hold Python's lock.
"""

import hashlib
import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from makerside.config.tree import Config
from makerside.engine import Engine
from makerside.journal.reader import Journal, heads
from makerside.model.event import Flag, event_t
from makerside.model.run import trace_t
from makerside.model.units import NEVER_NS, NS_PER_S
from makerside.research.backtest import Simulation, Tape, with_fees
from makerside.research.facts import Money, fills_of, markouts_of, money_of
from makerside.research.replay import actions_sha256

SAMPLE_ROWS = 4_000  # of the tape between two looks at the equity
SAMPLES_MIN, SAMPLES_MAX = 64, 1_000
LEAN_ROWS = 1 << 14  # journal rows of one call, beside the reserve


class Stopped(Exception):
    """The sweep was told to stop; the trial has no result."""


@dataclass(frozen=True, slots=True)
class SharedMarket:
    """What all trials read.

    trace      : (k,) trace_t, the market without us whenever its touch changed
    sample_ns  : (m,) int64, equally spaced local times at which equity is looked at; the last is the end
    mids_x2    : (m, symbols) int64, bid + ask last seen whole then, 0 before the first; the last are the tape's
    sha256     : of the tape
    """

    tape: Tape
    trace: NDArray[Any]
    sample_ns: NDArray[np.int64]
    mids_x2: NDArray[np.int64]
    sha256: str

    @property
    def period_s(self) -> float:
        """Time between two samples."""
        return float(self.sample_ns[1] - self.sample_ns[0]) / NS_PER_S


@dataclass(frozen=True, slots=True)
class Trial:
    """What one parameter set did.

    figures   : counts, and money as exact decimal texts;  markouts : gross bps by horizon in s
    equity_e8 : (m,) int64, cash and unrealised at the sample times, 10^-8
    """

    index: int
    settings: dict[str, Any]
    figures: dict[str, int | str]
    markouts: dict[str, float]
    actions_sha256: str
    equity_e8: NDArray[np.int64]

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values; `from_dict` is its inverse."""
        return {
            "index": self.index,
            "settings": self.settings,
            "figures": self.figures,
            "markouts": self.markouts,
            "actions_sha256": self.actions_sha256,
            "equity_e8": self.equity_e8.tolist(),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Trial":
        """Return the trial that `as_dict` described."""
        return cls(**{**values, "equity_e8": np.asarray(values["equity_e8"], np.int64)})


def share(tape: Tape, config: Config) -> SharedMarket:
    """Return what the trials of a sweep share. config : any of theirs; its strategy is not asked."""
    from makerside.core.trace import trace

    events = tape.events
    engine = Engine(config, tape.instruments, tape.reference_ticks, has_own_in_book=False)
    n_messages = int(np.count_nonzero(events["flags"] & Flag.LAST))
    out = np.zeros(max(1, n_messages * len(tape.instruments)), trace_t)
    lasts = np.zeros(len(tape.instruments), trace_t)
    # Never connected: it looks at the market and does nothing.
    n = trace(events, engine.markets, engine.accounts, engine.traders, engine.desks, lasts, out)
    samples = min(SAMPLES_MAX, max(SAMPLES_MIN, len(events) // SAMPLE_ROWS))
    start_ns, end_ns = tape.start_ns, int(events["ts_local_ns"][-1])
    step_ns = max(1, (end_ns - start_ns) // samples)
    sample_ns = start_ns + step_ns * np.arange(samples + 1, dtype=np.int64)
    seen = out[:n].copy()
    mids_x2 = np.column_stack([_mids_at(seen, i, sample_ns) for i in range(len(tape.instruments))])
    return SharedMarket(tape, seen, sample_ns, mids_x2, hashlib.sha256(events.tobytes()).hexdigest())


def _mids_at(trace: NDArray[Any], instrument: int, times_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return bid + ask as last seen at some times; at the last of them, what was seen last of all."""
    rows = trace[trace["instrument"] == instrument]
    found = np.zeros(len(times_ns), np.int64)
    last = np.searchsorted(rows["ts_local_ns"], times_ns, side="right") - 1
    if len(rows):
        last[-1] = len(rows) - 1
        found = np.where(last >= 0, (rows["bid_ticks"] + rows["ask_ticks"])[last], 0)
    return found


def run_trial(
    config: Config,
    market: SharedMarket,
    index: int,
    settings: dict[str, Any],
    stop: threading.Event | None = None,
) -> Trial:
    """Run one set; `Stopped` when the event was set on the way."""
    instruments = [with_fees(instrument, config) for instrument in market.tape.instruments]
    simulation = Simulation(config, market.tape, instruments)
    simulation.sims["is_lean"] = 1
    block = np.zeros(simulation.reserve + LEAN_ROWS, event_t)
    parts: list[NDArray[Any]] = []
    equity: list[int] = []
    for ts_ns, mids_x2 in zip(market.sample_ns.tolist(), market.mids_x2.tolist(), strict=True):
        _advance(simulation, block, parts, ts_ns)
        equity.append(equity_e8(simulation.engine, mids_x2))
        if stop is not None and stop.is_set():
            raise Stopped
    _advance(simulation, block, parts, NEVER_NS)
    equity[-1] = equity_e8(simulation.engine, market.mids_x2[-1].tolist())
    rows = np.concatenate(parts) if parts else np.zeros(0, event_t)
    journal = Journal(rows, heads(rows))
    engine = simulation.engine
    fills = fills_of(journal, market.trace, len(instruments))
    money = [money_of(engine, fills, i, market.trace) for i in range(len(instruments))]
    markouts = markouts_of(engine, fills, market.trace)
    return Trial(
        index=index,
        settings=settings,
        figures=_figures(engine, fills, money),
        markouts={f"{one.horizon_s:g}": one.gross_bps for one in markouts if one.n},
        actions_sha256=actions_sha256(journal.actions),
        equity_e8=np.asarray(equity, np.int64),
    )


def _advance(simulation: Simulation, block: NDArray[Any], parts: list[NDArray[Any]], until_ns: int) -> None:
    """Run up to and including a time; keep the rows."""
    simulation.sims["ts_stop_ns"] = until_ns
    while True:
        used = simulation.advance(block)
        if used:
            parts.append(block[:used].copy())
        if used + simulation.reserve < len(block):
            return


def equity_e8(engine: Engine, mids_x2: list[int]) -> int:
    """Return cash and unrealised PnL, rounded down to 10^-8.

    mids_x2 : bid + ask of each symbol when both sides were there last: the book may be empty now
    """
    account = engine.accounts[0]
    total_x2 = 2 * int(account["cash_e8"])
    for i in range(len(engine.instruments)):
        position = account["positions"][i]
        held, cost = int(position["position_lots"]), int(position["cost_e8"])
        if held == 0:
            continue
        value_x2 = held * mids_x2[i] * int(position["unit_value_e8"])
        total_x2 += value_x2 - 2 * cost if held > 0 else value_x2 + 2 * cost
    return total_x2 // 2


def _figures(engine: Engine, fills: NDArray[Any], money: list[Money]) -> dict[str, int | str]:
    traders = engine.traders
    total = Money.sum(money)
    texts = {name: f"{getattr(total, name):f}" for name in Money.__slots__}
    return {
        "decisions": int(traders["n_decisions"].sum()),
        "orders_placed": int(traders["n_placed"].sum()),
        "orders_canceled": int(traders["n_cancels"].sum()),
        "orders_rejected": int(traders["n_rejects"].sum()),
        "fills": len(fills),
        "net": f"{total.net:f}",
        **texts,
    }
