"""What a block of the local exchange has to tell: reports -> accounts, order updates, fills, prints.

The simulated exchange reports what happened to orders; here it is booked and put into the venue's
words, and it leaves as one frame per user and channel at the block's end (section 2.6, section 4.4).

Imports model; no IO. Next: `server_venue.py`.
"""

from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from makerside.model.event import Kind, Reason
from makerside.model.instrument import Instrument
from makerside.model.units import BUY, SELL
from makerside.venues.hyperliquid import reasons
from makerside.venues.hyperliquid.codec import to_json
from makerside.venues.hyperliquid.render import fill, order_update
from makerside.venues.hyperliquid.server_accounts import Account, ClientOrder
from makerside.venues.hyperliquid.server_feed import NOBODY, Feed, PrintPart
from makerside.venues.hyperliquid.wire_account import Fill, OrderUpdate
from makerside.venues.hyperliquid.wire_frames import (
    OrderUpdatesFrame,
    UserEvents,
    UserFills,
    UserFillsFrame,
    UserFrame,
)

Frames = list[tuple[tuple[Any, ...], bytes]]  # (channel key, frame)
Users = tuple[str, str]  # buyer, seller


@dataclass(slots=True)
class BlockNews:
    """What a block told an account."""

    updates: list[OrderUpdate] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)


class Reporter:
    """Takes the reports of the simulated exchanges, by instrument index, into accounts and news.

    now_ms : time of the block; whoever runs the block sets it
    """

    def __init__(self, instruments: list[Instrument], exchanges: NDArray[Any], feeds: list[Feed]) -> None:
        self.instruments = instruments
        self.exchanges = exchanges
        self.feeds = feeds
        self.now_ms = 0
        self._by_client: dict[int, Account] = {}
        self._news: dict[str, BlockNews] = {}

    def admit(self, account: Account) -> None:
        """Know an account by its number at the exchanges."""
        self._by_client[account.client] = account

    def frames(self) -> Frames:
        """Return the private frames of the block that ends, and begin the next."""
        news, self._news = self._news, {}
        frames: Frames = []
        for user, told in news.items():
            if told.updates:
                frames.append((("orderUpdates", user), to_json(OrderUpdatesFrame(tuple(told.updates)))))
            if told.fills:
                fills = tuple(told.fills)
                frames.append((("userFills", user), to_json(UserFillsFrame(UserFills(user, fills)))))
                frames.append((("userEvents", user), to_json(UserFrame(UserEvents(fills=fills)))))
        return frames

    def house(self, index: int, rows: NDArray[Any], sides: NDArray[Any]) -> None:
        """Publish what the house did to one market and take in what that did to our clients.

        rows  : (n,) event_t of this instrument's block, which its exchange has seen already
        sides : (n,) int64, the aggressor of each print among them
        """
        pit = self.exchanges[index]["pit"]
        parts: dict[int, list[PrintPart]] = {}
        for report in pit["reports"][: int(pit["n_reports"])]:
            if report["print_number"]:
                users = self._users(report)
                part = PrintPart(
                    int(report["price_ticks"]), int(report["size_lots"]), int(report["trade_id"]), users
                )
                parts.setdefault(int(report["print_number"]), []).append(part)
        self.feeds[index].house_trades(rows, sides, self.now_ms, parts)
        self.collect(index)

    def collect(self, index: int) -> None:
        """Take the reports of one exchange in."""
        pit = self.exchanges[index]["pit"]
        reports = pit["reports"][: int(pit["n_reports"])]
        makers = {
            int(report["trade_id"]): self._by_client[int(report["client"])].address
            for report in reports
            if report["kind"] == Kind.FILL and not report["is_taker"]
        }
        for report in reports:
            account = self._by_client[int(report["client"])]
            order = account.records[int(report["order_id"])]
            if report["kind"] == Kind.FILL:
                self._on_fill(index, account, order, report)
                maker = makers.get(int(report["trade_id"]), NOBODY)
                self._print(index, report, self._users(report, maker if report["is_taker"] else NOBODY))
            else:
                self._on_state(account, order, report)
        pit["n_reports"] = 0

    def _users(self, report: Any, other: str = NOBODY) -> Users:
        """Return (buyer, seller) of a fill. other : who stood against it"""
        address = self._by_client[int(report["client"])].address
        return (address, other) if report["side"] == BUY else (other, address)

    def _print(self, index: int, report: Any, users: Users) -> None:
        """Publish a fill that no print tells: a taker's, and one by a house that crossed a resting order."""
        if report["is_taker"] or not report["is_print"]:
            aggressor = BUY if bool(report["is_taker"]) == (report["side"] == BUY) else SELL
            part = PrintPart(
                int(report["price_ticks"]), int(report["size_lots"]), int(report["trade_id"]), users
            )
            self.feeds[index].print(self.now_ms, aggressor == BUY, part)

    def _on_fill(self, index: int, account: Account, order: ClientOrder, report: Any) -> None:
        instrument = self.instruments[index]
        price, lots = int(report["price_ticks"]), int(report["size_lots"])
        before = account.position_lots(index)
        fee = int(report["fee_e8"])
        closed = account.book(index, BUY if order.is_buy else SELL, price, lots, fee)
        order.open_lots = int(report["open_lots"])
        order.filled_lots += lots
        order.filled_value += price * lots
        told = fill(
            instrument,
            self.now_ms,
            order.is_buy,
            price,
            lots,
            before,
            closed,
            order.oid,
            int(report["trade_id"]),
            bool(report["is_taker"]),
            fee,
            order.cloid,
        )
        account.fills.append(told)
        self._told(account).fills.append(told)
        self.tell_state(account, order, "filled" if order.open_lots == 0 else "open")

    def _on_state(self, account: Account, order: ClientOrder, report: Any) -> None:
        kind, reason = Kind(int(report["kind"])), Reason(int(report["reason"]))
        if kind == Kind.ORDER_ACK:
            order.open_lots = int(report["open_lots"])
            self.tell_state(account, order, "open")
            return
        order.open_lots = int(report["size_lots"]) if kind != Kind.ORDER_REJECT else order.size_lots
        self.tell_state(account, order, reasons.order_status(kind, reason))

    def tell_state(self, account: Account, order: ClientOrder, status: str) -> None:
        """Note and tell an order's state; any but "open" ends it. status : section 1.5"""
        order.status, order.status_ms = status, self.now_ms
        if status != "open":
            account.end(order)
        update = order_update(order.as_open(self.instruments[order.index]), status, self.now_ms)
        self._told(account).updates.append(update)

    def _told(self, account: Account) -> BlockNews:
        return self._news.setdefault(account.address, BlockNews())
