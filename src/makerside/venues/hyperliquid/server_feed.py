"""What the local exchange publishes: books, best prices, trades, with clients' orders in them.

Imports model and sim; no IO. Next: `server_venue.py`.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from makerside.model.event import Kind
from makerside.model.instrument import Instrument
from makerside.model.market import WINDOW_TICKS
from makerside.model.units import ASK, BID, BUY, NS_PER_MS
from makerside.sim.door import depth, level_t
from makerside.sim.records import CLIENT_ORDERS_CAPACITY
from makerside.venues.hyperliquid.codec import to_json
from makerside.venues.hyperliquid.numbers import server_text
from makerside.venues.hyperliquid.render import level, price_text, size_text, trade
from makerside.venues.hyperliquid.rules import Rules
from makerside.venues.hyperliquid.wire_frames import BboFrame, BookFrame, TradesFrame
from makerside.venues.hyperliquid.wire_market import Bbo, Book, Level, Trade

NOBODY = "0x" + 40 * "0"  # the house has no address
TRADES_KEPT = 500
BOOK_LEVELS_MAX = WINDOW_TICKS + CLIENT_ORDERS_CAPACITY  # of one side: the house's and the clients'
HOUSE_TRADE_IDS = 1 << 49  # above those of clients' trades
LevelRows = NDArray[Any]


class PrintPart(NamedTuple):
    """What one trade of a print was: between two users, at one price."""

    price_ticks: int
    size_lots: int
    trade_id: int
    users: tuple[str, str] = (NOBODY, NOBODY)  # buyer, seller


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
        sides = [self._buckets(exchanges, side, figures, mantissa) for side in (BID, ASK)]
        bid, ask = self.touch(exchanges)
        spread = "0.0" if bid is None or ask is None else price_text(self.instrument, ask - bid)
        return Book(self.instrument.symbol, time_ms, (sides[0], sides[1]), spread=spread)

    def _buckets(self, exchanges: NDArray[Any], side: int, figures: int, mantissa: int) -> list[Level]:
        rows = np.zeros(BOOK_LEVELS_MAX, level_t)
        buckets: dict[int, list[int]] = {}
        for price, lots, n_orders in rows[: depth(exchanges, self.index, side, rows)].tolist():
            step = mantissa * 10 ** max(0, len(str(price)) - figures)
            tick = price // step * step
            tick += step if side == ASK and tick < price else 0
            if tick not in buckets and len(buckets) == self.rules.book_slow_levels:
                break
            bucket = buckets.setdefault(tick, [0, 0])
            bucket[0] += lots
            bucket[1] += n_orders
        return [level(self.instrument, tick, lots, n) for tick, (lots, n) in buckets.items()]

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

    def house_trades(
        self,
        rows: NDArray[Any],
        sides: NDArray[Any],
        time_ms: int,
        parts: Mapping[int, Sequence[PrintPart]],
    ) -> None:
        """Publish the house's prints.

        rows, sides : (n,) event_t of this instrument's block; the aggressor of each print
        time_ms     : of the block, which all its trades carry
        parts       : by the number of the print, what clients had of it; what it went through comes on top
        """
        is_print = rows["kind"] == Kind.TRADE
        for row, side in zip(rows[is_print], sides[is_print], strict=True):
            is_buy = bool(side == BUY)
            self._n_house_trades += 1
            price, rest = int(row["price_ticks"]), int(row["size_lots"])
            for part in parts.get(self._n_house_trades, ()):
                rest -= part.size_lots if part.price_ticks == price else 0
                self.print(time_ms, is_buy, part)
            if rest > 0:
                trade_id = HOUSE_TRADE_IDS + (self.index << 36) + self._n_house_trades
                self.print(time_ms, is_buy, PrintPart(price, rest, trade_id))

    def print(self, time_ms: int, is_buy: bool, part: PrintPart) -> None:
        """Publish one trade. is_buy : the aggressor bought"""
        self.day_value += part.price_ticks * part.size_lots
        self.day_lots += part.size_lots
        one = trade(
            self.instrument, time_ms, is_buy, part.price_ticks, part.size_lots, part.trade_id, part.users
        )
        self.trades.append(one)
        self.new_trades.append(one)

    def end_block(self) -> None:
        """Forget the block's prints: who did not listen does not hear of them later."""
        self.new_trades = []

    def frames(
        self, exchanges: NDArray[Any], now_ns: int, wanted: set[str]
    ) -> list[tuple[tuple[Any, ...], bytes]]:
        """Return (channel key, frame) of everything that is due at the end of a block.

        wanted : which of "trades", "bbo", "fast", "slow" somebody listens to
        """
        time_ms = now_ns // NS_PER_MS
        symbol = self.instrument.symbol
        out: list[tuple[tuple[Any, ...], bytes]] = []
        if self.new_trades and "trades" in wanted:
            out.append((("trades", symbol), to_json(TradesFrame(tuple(self.new_trades)))))
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
