"""Accounts of the local exchange: money, orders, fills, agents, nonces, budgets.

Imports model and core (the exact ledger); no IO. Next: `server_venue.py`.
"""

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from makerside.core.positions import book_fill, notional_e8, unrealized_e8
from makerside.model.account import POSITIONS_CAPACITY, account_t
from makerside.model.event import Flag
from makerside.model.instrument import Instrument
from makerside.model.units import E8
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

    @property
    def tif(self) -> str:
        """Its time in force on the wire."""
        return TIF_NAMES[self.flags & (Flag.POST_ONLY | Flag.IOC)]

    def as_open(self, instrument: Instrument) -> OpenOrder:
        """Return it as openOrders and orderUpdates tell it."""
        return open_order(
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
        self.open: dict[int, ClientOrder] = {}
        self.open_cloids: dict[str, int] = {}
        self.records: OrderedDict[int, ClientOrder] = OrderedDict()  # ended and open, newest last
        self.record_cloids: dict[str, int] = {}
        self.fills: deque[Fill] = deque(maxlen=FILLS_KEPT)
        self.n_requests = 0

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
        return int(book_fill(self.ledger["positions"][index], self.ledger, side, price_ticks, size_lots, fee))

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

    def margin_used_e8(self, marks: list[int]) -> int:
        """Return the initial margin of positions and of orders that would enlarge them."""
        total = 0
        for index, mark in enumerate(marks):
            held = self.position_lots(index)
            buys = [o for o in self.open.values() if o.index == index and o.is_buy]
            sells = [o for o in self.open.values() if o.index == index and not o.is_buy]
            long = max(0, held) + sum(o.open_lots for o in buys)
            short = max(0, -held) + sum(o.open_lots for o in sells)
            unit = self.instruments[index].unit_value_e8
            total += int(notional_e8(mark, max(long, short), unit)) // self.leverage[index]
        return total

    def budget_left(self, cost: int, is_cancel: bool) -> bool:
        """Return whether the address budget has room for `cost` more actions. source : section 6."""
        volume_usd = self.volume_e8 // E8
        limit = self.rules.cancel_budget(volume_usd) if is_cancel else self.rules.address_budget(volume_usd)
        return self.n_requests + cost <= limit
