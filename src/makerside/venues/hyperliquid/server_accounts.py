"""Accounts of the local exchange: money, orders, fills, agents, nonces, budgets.

Imports model and core (the exact ledger); no IO. Next: `server_venue.py`.
"""

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from makerside.core.positions import book_fill, notional_e8, unrealized_e8
from makerside.model.account import POSITIONS_CAPACITY, account_t
from makerside.model.event import Flag
from makerside.model.instrument import Instrument
from makerside.model.units import BUY, E8, NS_PER_S
from makerside.venues.hyperliquid.render import open_order
from makerside.venues.hyperliquid.rules import Rules
from makerside.venues.hyperliquid.wire_account import Fill, FrontendOrder, OpenOrder

FILLS_KEPT = 10_000  # section 1.5: the newest 10,000 are reachable
TIF_NAMES = {int(Flag.POST_ONLY): "Alo", int(Flag.IOC): "Ioc", 0: "Gtc"}


@dataclass(slots=True)
class ClientOrder:
    """One order of an account, from placing to after its end."""

    oid: int
    index: int  # of the instrument
    is_buy: bool
    price_ticks: int
    size_lots: int
    open_lots: int
    placed_ms: int
    cloid: str | None
    flags: int
    status: str = "open"
    status_ms: int = 0
    filled_lots: int = 0
    filled_value: int = 0  # ticks x lots, for the average price
    price_text: str | None = None  # as the client wrote it, when that is no whole number of ticks

    @property
    def tif(self) -> str:
        """Its time in force on the wire."""
        return TIF_NAMES[self.flags & (Flag.POST_ONLY | Flag.IOC)]

    def as_open(self, instrument: Instrument) -> OpenOrder:
        """Return it as openOrders and orderUpdates tell it."""
        plain = open_order(
            instrument,
            self.is_buy,
            self.price_ticks,
            self.open_lots,
            self.size_lots,
            self.oid,
            self.placed_ms,
            self.cloid,
            bool(self.flags & Flag.REDUCE_ONLY),
        )
        return plain if self.price_text is None else replace(plain, limit_price=self.price_text)

    def as_frontend(self, instrument: Instrument) -> FrontendOrder:
        """Return it as frontendOpenOrders and orderStatus tell it."""
        plain = self.as_open(instrument)
        return FrontendOrder(
            coin=plain.coin,
            side=plain.side,
            limit_price=plain.limit_price,
            size=plain.size,
            oid=plain.oid,
            timestamp=plain.timestamp,
            original_size=plain.original_size or plain.size,
            reduce_only=bool(plain.reduce_only),
            tif=self.tif,
            cloid=self.cloid,
        )


@dataclass(slots=True)
class NonceSet:
    """The highest nonces of one signer. source : section 3.5."""

    kept: int
    seen: set[int] = field(default_factory=set)

    def problem(self, nonce: int) -> str | None:
        """Return "duplicate" or "low" when the nonce cannot be used."""
        if nonce in self.seen:
            return "duplicate"
        if len(self.seen) >= self.kept and nonce < min(self.seen):
            return "low"
        return None

    def use(self, nonce: int) -> None:
        """Remember a nonce; the smallest is forgotten when there are too many."""
        self.seen.add(nonce)
        if len(self.seen) > self.kept:
            self.seen.remove(min(self.seen))


class Account:
    """One funded address.

    client : its number at the simulated exchanges;  cash_e8 : the deposit
    """

    def __init__(
        self, address: str, client: int, cash_e8: int, instruments: list[Instrument], rules: Rules
    ) -> None:
        assert len(instruments) <= POSITIONS_CAPACITY
        self.address = address
        self.client = client
        self.rules = rules
        self.instruments = instruments
        self._records: NDArray[Any] = np.zeros(1, account_t)
        self.ledger = self._records[0]
        self.ledger["cash_e8"] = cash_e8
        self.ledger["n_positions"] = len(instruments)
        for i, instrument in enumerate(instruments):
            self.ledger["positions"][i]["instrument"] = i
            self.ledger["positions"][i]["unit_value_e8"] = instrument.unit_value_e8
        self.leverage = {i: instrument.max_leverage for i, instrument in enumerate(instruments)}
        self.is_cross = dict.fromkeys(range(len(instruments)), True)
        self.isolated_e8 = dict.fromkeys(range(len(instruments)), 0)  # money inside isolated positions
        self.open: dict[int, ClientOrder] = {}
        self.open_cloids: dict[str, int] = {}
        self.records: OrderedDict[int, ClientOrder] = OrderedDict()  # ended and open, newest last
        self.record_cloids: dict[str, int] = {}
        self.fills: deque[Fill] = deque(maxlen=FILLS_KEPT)
        self.n_requests = 0
        self.ts_acted_ns = 0  # of the last request that the budget let pass

    # Orders.

    def add(self, order: ClientOrder) -> None:
        """Take a new order into the records; the oldest are forgotten as the venue forgets them."""
        self.records[order.oid] = order
        self.open[order.oid] = order
        if order.cloid is not None:
            self.open_cloids[order.cloid] = order.oid
            self.record_cloids[order.cloid] = order.oid
        while len(self.records) > self.rules.orders_remembered + len(self.open):
            oid, old = next(iter(self.records.items()))
            if oid in self.open:
                self.records.move_to_end(oid)
                continue
            del self.records[oid]
            if old.cloid is not None and self.record_cloids.get(old.cloid) == oid:
                del self.record_cloids[old.cloid]

    def end(self, order: ClientOrder) -> None:
        """Take an order out of the open ones."""
        self.open.pop(order.oid, None)
        if order.cloid is not None and self.open_cloids.get(order.cloid) == order.oid:
            del self.open_cloids[order.cloid]

    # Money.

    def position_lots(self, index: int) -> int:
        """Return the signed position on an instrument."""
        return int(self.ledger["positions"][index]["position_lots"])

    def book(self, index: int, side: int, price_ticks: int, size_lots: int, fee: int) -> int:
        """Book an execution; returns the realised money without the fee."""
        held = self.position_lots(index)
        closed = int(book_fill(self.ledger["positions"][index], self.ledger, side, price_ticks, size_lots, fee))
        if not self.is_cross[index]:
            self._book_isolated(index, held, side, price_ticks, size_lots)
        return closed

    def _book_isolated(self, index: int, held: int, side: int, price_ticks: int, size_lots: int) -> None:
        """Move money between the account and an isolated position. held : lots before the execution

        What is opened brings its initial margin along, what is closed takes its share of the money out; fees
        are the account's. That the share goes by size is inferred (section 1.5 tells the sum only).
        """
        money = self.isolated_e8[index]
        reduced = min(size_lots, abs(held)) if held * side < 0 else 0
        if reduced:
            money = money * (abs(held) - reduced) // abs(held)
        unit = self.instruments[index].unit_value_e8
        worth = int(notional_e8(price_ticks, size_lots - reduced, unit))
        money += worth // self.leverage[index] - (worth if side == BUY else -worth)
        self.isolated_e8[index] = money

    @property
    def volume_e8(self) -> int:
        """Traded notional so far."""
        return int(self.ledger["positions"]["volume_e8"].sum())

    def unrealized_e8(self, index: int, mark_ticks: int) -> int:
        """Return the open result of one position at a price."""
        return int(unrealized_e8(self.ledger["positions"][index], mark_ticks))

    def value_e8(self, marks: list[int]) -> int:
        """Return cash and open results. marks : price in ticks per instrument"""
        return int(self.ledger["cash_e8"]) + sum(
            self.unrealized_e8(i, mark) for i, mark in enumerate(marks) if self.position_lots(i)
        )

    def position_value_e8(self, index: int, mark_ticks: int) -> int:
        """Return the notional of one position at a price."""
        unit = self.instruments[index].unit_value_e8
        return int(notional_e8(mark_ticks, abs(self.position_lots(index)), unit))

    def open_lots(self, index: int) -> tuple[int, int]:
        """Return how much rests on an instrument: (to buy, to sell)."""
        orders = [order for order in self.open.values() if order.index == index]
        buys = sum(order.open_lots for order in orders if order.is_buy)
        return buys, sum(order.open_lots for order in orders) - buys

    # Budget.

    def spend(self, cost: int, is_cancel: bool, now_ns: int) -> bool:
        """Take requests out of the address budget; returns whether it has them. source : section 6

        Over the budget a single request passes every so many seconds; that a batch is none is the stricter
        reading. What is refused costs nothing and does not start that time anew.
        """
        volume_usd = self.volume_e8 // E8
        limit = self.rules.cancel_budget(volume_usd) if is_cancel else self.rules.address_budget(volume_usd)
        rest_ns = self.rules.address_over_budget_interval_s * NS_PER_S
        is_rested = cost <= 1 and now_ns >= self.ts_acted_ns + rest_ns
        if self.n_requests + cost > limit and not is_rested:
            return False
        self.n_requests += cost
        self.ts_acted_ns = now_ns
        return True
