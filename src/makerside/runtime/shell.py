"""The shell: the road from rows to signed bytes, and everything that needs a clock around it.

    rows -> journal -> step -> actions -> journal -> gateway

One call per message, nothing queued in between. Timers, commands and the end of a run come in as
rows like everything else.
"""

import asyncio
import itertools
from collections import deque
from collections.abc import Callable, Reversible
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from makerside.engine import Engine, action_rows
from makerside.journal.writer import JournalWriter
from makerside.model.event import Command, Flag, Kind, event_t
from makerside.model.market import NO_ASK, NO_BID
from makerside.model.order import OrderState
from makerside.model.units import ASK, BID, BUY, SELL
from makerside.net.clock import Clock, stopwatch_ns

TIMER_S_MIN = 0.004  # at high speeds timers come this often on the wall, at most
STOP_DEADLINE_S = 8.0
TIMINGS_KEPT = 100_000  # the last ones
LEVELS_SHOWN = 5
FILLS_SHOWN = 8

Rows = NDArray[Any]


class Gateway(Protocol):
    """Where actions go: a venue, or the simulated exchange of a paper run."""

    def send(self, actions: Rows) -> None:
        """Send what was decided; whatever cannot be sent comes back as rows."""


@dataclass(frozen=True, slots=True)
class LegStatistics:
    """One instrument of a running bot, as a person wants to see it."""

    symbol: str
    bid_ticks: int
    ask_ticks: int
    status: int
    position_lots: int
    realized_e8: int
    unrealized_e8: int
    fees_e8: int
    n_fills: int
    bids: tuple[tuple[int, int], ...]  # (price ticks, lots), best first, with our own orders in it when live
    asks: tuple[tuple[int, int], ...]
    orders: tuple[tuple[int, int, int, int], ...]  # (side, price ticks, open lots, state)


@dataclass(frozen=True, slots=True)
class ShellStatistics:
    """What a run has done so far."""

    now_ns: int
    n_rows: int
    n_decisions: int
    n_actions: int
    legs: tuple[LegStatistics, ...]
    fills: tuple[tuple[int, int, int, int, int], ...]  # last ones: (time ns, instrument, side, price, lots)
    decision_p50_ns: int
    decision_p99_ns: int
    wire_p50_ns: int  # bytes in to signed bytes out; 0 when nothing is signed


class Shell:
    """Feeds one engine and keeps its journal."""

    def __init__(self, engine: Engine, journal: JournalWriter, clock: Clock, gateway: Gateway) -> None:
        self.engine = engine
        self.journal = journal
        self.clock = clock
        self.gateway = gateway
        self.decision_ns: deque[int] = deque(maxlen=TIMINGS_KEPT)
        self.n_actions = 0
        self.on_market_rows: Callable[[Rows], None] | None = None  # a paper exchange looks at the market here
        self._last_ns = 0
        self._fills: deque[tuple[int, int, int, int, int]] = deque(maxlen=FILLS_SHOWN)
        self._timer = np.zeros(1, event_t)
        self._timer["flags"] = Flag.LAST

    def feed(self, rows: Rows) -> None:
        """Take rows of one arrival: journal, decide, journal, send.

        rows : (n,) event_t with one local time; a time before the last one is raised to it
        """
        if rows[0]["ts_local_ns"] < self._last_ns:
            self._raise_times(rows)
        self._last_ns = int(rows[-1]["ts_local_ns"]) if len(rows) == 1 else int(rows[0]["ts_local_ns"])
        self.journal.append(rows)
        if rows[0]["kind"] == Kind.FILL:
            self._note_fills(rows)
        started = stopwatch_ns()
        actions = self.engine.step(rows)
        taken = stopwatch_ns() - started
        self.decision_ns.append(taken)
        if len(actions):
            self.n_actions += len(actions)
            self.journal.append(action_rows(actions))
            self.gateway.send(actions)

    def _raise_times(self, rows: Rows) -> None:
        """Rows that were made earlier than what was fed since take its time: event time never goes back."""
        from makerside.journal.reader import heads

        rows["ts_local_ns"][heads(rows)] = self._last_ns

    def _note_fills(self, rows: Rows) -> None:
        for row in rows[::2]:
            side = SELL if row["flags"] & Flag.SELL else BUY
            facts = (row["ts_venue_ns"], row["instrument"], side, row["price_ticks"], row["size_lots"])
            self._fills.append((int(facts[0]), int(facts[1]), side, int(facts[3]), int(facts[4])))

    def timer(self) -> None:
        """Feed one TIMER row."""
        self._clock_row(Kind.TIMER, 0)

    def command(self, command: Command) -> None:
        """Feed an operator's command."""
        self._clock_row(Kind.COMMAND, int(command))

    def _clock_row(self, kind: Kind, value: int) -> None:
        self._timer["kind"] = kind
        self._timer["price_ticks"] = value
        self._timer["ts_local_ns"] = max(self.clock.now_ns(), self._last_ns)
        self.feed(self._timer)

    async def run_timers(self, timer_ms: float) -> None:
        """Feed TIMER rows until cancelled; timer_ms is market time."""
        pause_s = max(TIMER_S_MIN, self.clock.wall_s(int(timer_ms * 1e6)))
        while True:
            await asyncio.sleep(pause_s)
            self.timer()

    @property
    def n_active(self) -> int:
        """Orders that may still live at the venue."""
        return int(self.engine.traders["n_active"].sum())

    async def stop(self) -> bool:
        """Tell the bot to cancel everything and wait until it is done; returns whether it was in time."""
        self.command(Command.STOP)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + STOP_DEADLINE_S
        while self.n_active and loop.time() < deadline:
            await asyncio.sleep(0.02)
            self.timer()
        return self.n_active == 0

    def active_orders(self) -> list[tuple[int, Any]]:
        """Return (instrument, order record) of every order that may still live at the venue."""
        return [
            (int(trader["legs"][int(trader["orders"][slot]["leg"])]["instrument"]), trader["orders"][slot])
            for trader in self.engine.traders
            for slot in trader["active"][: int(trader["n_active"])]
        ]

    def unknown_orders(self) -> list[tuple[int, Any]]:
        """Return (instrument, order record) of every order whose state is unknown."""
        return [(i, order) for i, order in self.active_orders() if order["state"] == OrderState.UNKNOWN]

    def statistics(self) -> ShellStatistics:
        """Return a picture of the run for people."""
        from makerside.core.positions import unrealized_e8

        legs = []
        account = self.engine.accounts[0]
        for i, instrument in enumerate(self.engine.instruments):
            market, trader, position = self.engine.markets[i], self.engine.traders[i], account["positions"][i]
            active = [trader["orders"][slot] for slot in trader["active"][: int(trader["n_active"])]]
            mid = int(market["mid_ticks"])
            legs.append(
                LegStatistics(
                    symbol=instrument.symbol,
                    bid_ticks=int(market["bid_ticks"]),
                    ask_ticks=int(market["ask_ticks"]),
                    status=int(market["status"]),
                    position_lots=int(position["position_lots"]),
                    realized_e8=int(position["realized_e8"]),
                    unrealized_e8=int(unrealized_e8(position, mid)) if mid > 0 else 0,
                    fees_e8=int(position["fees_e8"]),
                    n_fills=int(position["n_fills"]),
                    bids=_levels(market["book"], BID),
                    asks=_levels(market["book"], ASK),
                    orders=tuple(
                        (int(o["side"]), int(o["price_ticks"]), int(o["open_lots"]), int(o["state"]))
                        for o in active
                    ),
                )
            )
        recent = np.asarray(_last(self.decision_ns, 2_000) or [0])
        p50, p99 = np.percentile(recent, (50, 99))
        return ShellStatistics(
            now_ns=self._last_ns,
            n_rows=self.journal.n_rows,
            n_decisions=int(self.engine.traders["n_decisions"].sum()),
            n_actions=self.n_actions,
            legs=tuple(legs),
            fills=tuple(self._fills),
            decision_p50_ns=int(p50),
            decision_p99_ns=int(p99),
            wire_p50_ns=int(np.median(_last(getattr(self.gateway, "wire_ns", ()), 500) or [0])),
        )


def _last(values: Reversible[int], n: int) -> list[int]:
    """Return the last values, newest first; there may be many, and this runs between frames."""
    return list(itertools.islice(reversed(values), n))


def _levels(book: Any, side: int) -> tuple[tuple[int, int], ...]:
    """Return the best levels of one side of a book."""
    from makerside.core.book import book_lots, next_ask, next_bid

    tick = int(book["bid_ticks"] if side == BID else book["ask_ticks"])
    found: list[tuple[int, int]] = []
    while len(found) < LEVELS_SHOWN and tick not in (NO_BID, NO_ASK):
        found.append((tick, int(book_lots(book, side, tick))))
        tick = int(next_bid(book, tick - 1) if side == BID else next_ask(book, tick + 1))
    return tuple(found)
