"""What the local exchange publishes: books, best prices, trades, with clients' orders in them.

Imports model and sim; no IO. Next: `server_venue.py`.
"""

from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from makerside.model.event import Flag, Kind
from makerside.model.instrument import Instrument
from makerside.model.units import ASK, BID, NS_PER_MS
from makerside.sim.door import depth, level_t
from makerside.venues.hyperliquid.codec import to_json
from makerside.venues.hyperliquid.numbers import server_text
from makerside.venues.hyperliquid.render import level, price_text, size_text, trade
from makerside.venues.hyperliquid.rules import Rules
from makerside.venues.hyperliquid.wire_frames import BboFrame, BookFrame, TradesFrame
from makerside.venues.hyperliquid.wire_market import Bbo, Book, Level, Trade

NOBODY = "0x" + 40 * "0"  # the house has no address
TRADES_KEPT = 500
HOUSE_TRADE_IDS = 1 << 49  # above those of clients' trades
LevelRows = NDArray[Any]


class Feed:
    """The public face of one instrument."""

    def __init__(self, index: int, instrument: Instrument, rules: Rules) -> None:
        self.index = index
        self.instrument = instrument
        self.rules = rules
        self.trades: deque[Trade] = deque(maxlen=TRADES_KEPT)
        self.new_trades: list[Trade] = []
        self.mark_ticks = 0
        self.day_value = 0  # ticks x lots since the start
        self.day_lots = 0
        self._levels = np.zeros((2, rules.book_slow_levels), level_t)
        self._n_house_trades = 0
        self._shown: tuple[Level | None, Level | None] | None = None
        self._fast_due_ns = 0
        self._slow_due_ns = 0

    def book(self, exchanges: NDArray[Any], time_ms: int, n_levels: int, is_fast: bool = False) -> Book:
        """Return the full book, best first."""
        sides = self._sides(exchanges, n_levels)
        return Book(self.instrument.symbol, time_ms, sides, is_fast=is_fast)

    def aggregated(self, exchanges: NDArray[Any], time_ms: int, figures: int, mantissa: int) -> Book:
        """Return the book in buckets of `mantissa` x 10^(digits - figures): bids down, asks up. Section 1.4."""
        sides: list[list[Level]] = []
        for side in (BID, ASK):
            buckets: dict[int, list[int]] = {}
            for row in self._rows(exchanges, side, len(self._levels[side])):
                step = mantissa * 10 ** max(0, len(str(int(row["price_ticks"]))) - figures)
                tick = int(row["price_ticks"]) // step * step
                tick += step if side == ASK and tick < row["price_ticks"] else 0
                bucket = buckets.setdefault(tick, [0, 0])
                bucket[0] += int(row["size_lots"])
                bucket[1] += int(row["n_orders"])
            sides.append([level(self.instrument, tick, lots, n) for tick, (lots, n) in buckets.items()])
        spread = "0.0"
        if sides[0] and sides[1]:
            rows = [self._rows(exchanges, side, 1)[0]["price_ticks"] for side in (BID, ASK)]
            spread = price_text(self.instrument, int(rows[1] - rows[0]))
        return Book(self.instrument.symbol, time_ms, (sides[0], sides[1]), spread=spread)

    def _rows(self, exchanges: NDArray[Any], side: int, n_levels: int) -> LevelRows:
        rows: LevelRows = self._levels[side][:n_levels]
        return rows[: depth(exchanges, self.index, side, rows)]

    def _sides(self, exchanges: NDArray[Any], n_levels: int) -> tuple[list[Level], list[Level]]:
        bids, asks = (
            [
                level(self.instrument, int(row["price_ticks"]), int(row["size_lots"]), int(row["n_orders"]))
                for row in self._rows(exchanges, side, n_levels)
            ]
            for side in (BID, ASK)
        )
        return bids, asks

    def touch(self, exchanges: NDArray[Any]) -> tuple[int | None, int | None]:
        """Return the best published prices in ticks."""
        bids, asks = self._rows(exchanges, BID, 1), self._rows(exchanges, ASK, 1)
        return (
            int(bids[0]["price_ticks"]) if len(bids) else None,
            int(asks[0]["price_ticks"]) if len(asks) else None,
        )

    def update_mark(self, exchanges: NDArray[Any]) -> None:
        """Take the published mid as mark price while there is one. The venue's own mark mixes three sources."""
        bid, ask = self.touch(exchanges)
        if bid is not None and ask is not None:
            self.mark_ticks = (bid + ask) // 2

    def house_trades(self, rows: NDArray[Any], last_side: int) -> None:
        """Publish the house's prints. rows : (n,) event_t of this instrument's block"""
        for row in rows[rows["kind"] == Kind.TRADE]:
            if row["flags"] & Flag.UNKNOWN_SIDE:
                is_buy = last_side >= 0
            else:
                is_buy = not row["flags"] & Flag.SELL
            self.print(
                int(row["ts_venue_ns"]) // NS_PER_MS, is_buy, int(row["price_ticks"]), int(row["size_lots"])
            )

    def print(
        self,
        time_ms: int,
        is_buy: bool,
        price_ticks: int,
        size_lots: int,
        trade_id: int | None = None,
        users: tuple[str, str] = (NOBODY, NOBODY),
    ) -> None:
        """Publish one print. is_buy : the aggressor bought;  users : buyer, seller"""
        self.day_value += price_ticks * size_lots
        self.day_lots += size_lots
        if trade_id is None:
            self._n_house_trades += 1
            trade_id = HOUSE_TRADE_IDS + (self.index << 36) + self._n_house_trades
        one = trade(self.instrument, time_ms, is_buy, price_ticks, size_lots, trade_id, users)
        self.trades.append(one)
        self.new_trades.append(one)

    def frames(
        self, exchanges: NDArray[Any], now_ns: int, wanted: set[str]
    ) -> list[tuple[tuple[Any, ...], bytes]]:
        """Return (channel key, frame) of everything that is due at the end of a block.

        wanted : which of "trades", "bbo", "fast", "slow" somebody listens to
        """
        time_ms = now_ns // NS_PER_MS
        symbol = self.instrument.symbol
        out: list[tuple[tuple[Any, ...], bytes]] = []
        if self.new_trades:
            if "trades" in wanted:
                out.append((("trades", symbol), to_json(TradesFrame(tuple(self.new_trades)))))
            self.new_trades = []
        if "bbo" in wanted:
            bids, asks = self._sides(exchanges, 1)
            shown = (bids[0] if bids else None, asks[0] if asks else None)
            if shown != self._shown:
                self._shown = shown
                out.append((("bbo", symbol), to_json(BboFrame(Bbo(symbol, time_ms, shown)))))
        if "fast" in wanted and now_ns >= self._fast_due_ns:
            self._fast_due_ns = now_ns + self.rules.book_fast_interval_ms * NS_PER_MS
            book = self.book(exchanges, time_ms, self.rules.book_fast_levels, is_fast=True)
            out.append((("l2Book", symbol, "fast"), to_json(BookFrame(book))))
        if "slow" in wanted and now_ns >= self._slow_due_ns:
            self._slow_due_ns = now_ns + self.rules.book_slow_interval_ms * NS_PER_MS
            book = self.book(exchanges, time_ms, self.rules.book_slow_levels)
            out.append((("l2Book", symbol, "slow"), to_json(BookFrame(book))))
        return out

    def forget_shown(self) -> None:
        """Send the best prices and books again soon: somebody new listens."""
        self._shown = None

    def mid_text(self, exchanges: NDArray[Any]) -> str | None:
        """Return the mid as the venue writes it: half steps allowed; the last print when a side is empty."""
        bid, ask = self.touch(exchanges)
        if bid is not None and ask is not None:
            return price_text_half(self.instrument, bid + ask)
        return self.trades[-1].price if self.trades else None

    def volume_texts(self) -> tuple[str, str]:
        """Return (notional in USD, size) traded since the start."""
        value_e8 = self.day_value * self.instrument.unit_value_e8
        return f"{value_e8 / 1e8:.2f}", size_text(self.instrument, self.day_lots)


def price_text_half(instrument: Instrument, twice_ticks: int) -> str:
    """Return half of `twice_ticks` ticks as the venue writes a price."""
    return server_text(5 * twice_ticks, instrument.tick_decimals + 1)
