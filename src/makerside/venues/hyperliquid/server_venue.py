"""The local exchange without its sockets: accounts, blocks, order rules, what is told to whom.

Time comes in as an argument, so that a test can run it on a virtual clock. Actions wait for the next
block; in a block the house moves first, then actions in the venue's order of classes (section 7.6),
each batch order by order. Answers, order updates, fills, trades and books leave at the block's end.

Imports model, core, sim. Next: `server_info.py` (questions), `server.py` (HTTP and WebSocket).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from makerside.model.errors import ConfigError
from makerside.model.event import Kind, Reason
from makerside.model.instrument import Instrument
from makerside.model.units import BUY, NS_PER_MS, SELL
from makerside.sim.door import cancel, feed_house, place
from makerside.sim.records import CLIENTS_CAPACITY
from makerside.sim.source import Source
from makerside.venues.hyperliquid import reasons
from makerside.venues.hyperliquid.codec import Malformed, to_json
from makerside.venues.hyperliquid.meta import Universe
from makerside.venues.hyperliquid.meta_render import render_meta
from makerside.venues.hyperliquid.numbers import server_text, steps_of
from makerside.venues.hyperliquid.render import bbo_text, fill, order_update, size_text
from makerside.venues.hyperliquid.rules import Rules, block_class
from makerside.venues.hyperliquid.server_accounts import Account, ClientOrder, NonceSet
from makerside.venues.hyperliquid.server_feed import NOBODY, Feed
from makerside.venues.hyperliquid.server_rules import flags_of, why_refused
from makerside.venues.hyperliquid.wire_account import Fill, OrderUpdate
from makerside.venues.hyperliquid.wire_actions import (
    DEFAULT,
    SUCCESS,
    Action,
    CancelOrders,
    CancelOrdersByCloid,
    ExchangeResponse,
    Filled,
    Noop,
    Order,
    PlaceOrders,
    Refused,
    Resting,
    Status,
    UpdateLeverage,
    accepted,
)
from makerside.venues.hyperliquid.wire_frames import (
    OrderUpdatesFrame,
    UserEvents,
    UserFills,
    UserFillsFrame,
    UserFrame,
)

FIRST_OID = 1_000_000
Frames = list[tuple[tuple[Any, ...], bytes]]
Answer = Callable[[ExchangeResponse], None]


@dataclass(frozen=True, slots=True)
class Waiting:
    """An authorised action that waits for the next block."""

    order: tuple[int, int]  # block class, arrival
    account: Account
    action: Action
    answer: Answer


@dataclass(slots=True)
class BlockNews:
    """What a block told an account."""

    updates: list[OrderUpdate] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)


class LocalVenue:
    """One exchange with its accounts.

    instruments : by index; their asset ids are `venue_id`;  source : the house
    errors      : ConfigError when the instruments are not ones of this venue
    """

    def __init__(
        self, instruments: list[Instrument], exchanges: NDArray[Any], source: Source, rules: Rules
    ) -> None:
        self.instruments = instruments
        self.exchanges = exchanges
        self.source = source
        self.rules = rules
        self.descriptions = render_meta(instruments, rules)
        self.universe = Universe.from_meta(
            self.descriptions.metas[""], rules, self.descriptions.spot_meta, self.descriptions.perp_dexs
        )
        self.index_of_id = {instrument.venue_id: i for i, instrument in enumerate(instruments)}
        self.index_of_symbol = {instrument.symbol: i for i, instrument in enumerate(instruments)}
        self.feeds = [Feed(i, instrument, rules) for i, instrument in enumerate(instruments)]
        self.accounts: dict[str, Account] = {}
        self.agents: dict[str, str] = {}  # agent -> master
        self.nonces: dict[str, NonceSet] = {}
        self.now_ns = 0
        self._by_client: dict[int, Account] = {}
        self._waiting: list[Waiting] = []
        self._news: dict[str, BlockNews] = {}
        self._next_oid = FIRST_OID
        self._n_arrived = 0

    @property
    def now_ms(self) -> int:
        """Block time on the wire."""
        return self.now_ns // NS_PER_MS

    @property
    def marks(self) -> list[int]:
        """Mark prices in ticks."""
        return [feed.mark_ticks for feed in self.feeds]

    def fund(self, address: str, cash_e8: int) -> Account:
        """Admit an address with a deposit; ConfigError when there is no room or it is there already."""
        address = address.lower()
        if address in self.accounts:
            raise ConfigError(f"--fund {address}: is funded already")
        if len(self.accounts) >= CLIENTS_CAPACITY:
            raise ConfigError(f"--fund {address}: this exchange takes {CLIENTS_CAPACITY} accounts")
        account = Account(address, len(self.accounts), cash_e8, self.instruments, self.rules)
        self.accounts[address] = account
        self._by_client[account.client] = account
        return account

    def signer_account(self, address: str) -> Account | None:
        """Return the account that an address may act for: its own, or its master's."""
        return self.accounts.get(self.agents.get(address, address))

    def submit(self, account: Account, action: Action, answer: Answer) -> None:
        """Queue an authorised action for the next block."""
        tifs = [order.kind.limit.tif if order.kind.limit else "Gtc" for order in getattr(action, "orders", ())]
        kind = str(action.__struct_config__.tag)
        self._n_arrived += 1
        self._waiting.append(Waiting((block_class(kind, tifs), self._n_arrived), account, action, answer))

    # Blocks.

    def run_block(self, now_ns: int, wanted: dict[int, set[str]]) -> Frames:
        """Advance to a time: house, then waiting actions; returns the frames by channel key.

        wanted : per instrument, which public channels somebody listens to
        """
        self.now_ns = max(now_ns, self.now_ns)
        rows = self.source.take(self.now_ns)
        if len(rows):
            self._house(rows)
        for feed in self.feeds:
            feed.update_mark(self.exchanges)
        waiting, self._waiting = sorted(self._waiting, key=lambda one: one.order), []
        answers = [(one.answer, self._execute(one.account, one.action)) for one in waiting]
        frames = self._private_frames()
        for index, channels in wanted.items():
            frames += self.feeds[index].frames(self.exchanges, self.now_ns, channels)
        for answer, response in answers:
            answer(response)
        return frames

    def _house(self, rows: NDArray[Any]) -> None:
        feed_house(self.exchanges, rows)
        for index, feed in enumerate(self.feeds):
            mine = rows if len(self.feeds) == 1 else rows[rows["instrument"] == index]
            feed.house_trades(mine, int(self.exchanges[index]["last_trade_side"]))
            self._collect(index)

    def _private_frames(self) -> Frames:
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

    # Actions.

    def _execute(self, account: Account, action: Action) -> ExchangeResponse:
        if isinstance(action, PlaceOrders):
            return self._place_all(account, action)
        if isinstance(action, CancelOrders):
            targets = [(one.asset, account.open.get(one.venue_order_id)) for one in action.cancels]
            return self._cancel_all(account, targets)
        if isinstance(action, CancelOrdersByCloid):
            cloids = [(one.asset, one.cloid.lower()) for one in action.cancels]
            oids = [(asset, account.open_cloids.get(cloid, -1)) for asset, cloid in cloids]
            return self._cancel_all(account, [(asset, account.open.get(oid)) for asset, oid in oids])
        if isinstance(action, UpdateLeverage):
            return self._set_leverage(account, action)
        if isinstance(action, Noop):
            return DEFAULT
        kind = str(action.__struct_config__.tag)
        return Refused(f"{kind} is not available on this exchange yet")

    def _over_budget(self, account: Account, cost: int, is_cancel: bool) -> Refused | None:
        if account.budget_left(cost, is_cancel):
            account.n_requests += cost
            return None
        cap = self.rules.address_budget(account.volume_e8 // 10**8)
        volume = f"{account.volume_e8 / 1e8:.2f}"
        return Refused(reasons.address_budget_text(account.n_requests + cost, cap, volume))

    def _place_all(self, account: Account, action: PlaceOrders) -> ExchangeResponse:
        refused = self._over_budget(account, len(action.orders), is_cancel=False)
        if refused is not None:
            return refused
        if len(action.orders) > self.rules.action_weight_max:
            return Refused(f"Signed action over weight limit of {self.rules.action_weight_max}.")
        return accepted("order", [self._place(account, order) for order in action.orders])

    def _place(self, account: Account, order: Order) -> Status:
        """Check and place one order; the checks stand in the order of section 10, point 5."""
        index = self.index_of_id.get(order.asset)
        if index is None:
            return Status(error=f"Order has invalid asset. asset={order.asset}")
        instrument = self.instruments[index]
        try:
            price = steps_of(order.price, instrument.tick_decimals)
        except Malformed:
            return Status(error="Order has invalid price.")
        try:
            lots = steps_of(order.size, instrument.lot_decimals)
        except Malformed:
            return Status(error="Order has invalid size.")
        reason = why_refused(self, account, order, index, price, lots)
        if reason is not None:
            return Status(error=reason)
        side = BUY if order.is_buy else SELL
        flags = flags_of(order)
        oid = self._next_oid
        self._next_oid += 1
        cloid = order.cloid.lower() if order.cloid else None
        record = ClientOrder(oid, index, order.is_buy, price, lots, lots, self.now_ms, cloid, flags)
        account.add(record)
        touch = self.feeds[index].touch(self.exchanges)
        place(self.exchanges, index, self.now_ns, oid, account.client, side, price, lots, flags)
        self._collect(index)
        return self._status(record, instrument, touch)

    def _status(
        self, order: ClientOrder, instrument: Instrument, touch: tuple[int | None, int | None]
    ) -> Status:
        """Return the status of an order that has just been placed."""
        if order.status == "open":
            return Status(resting=Resting(order.oid, order.cloid))
        if order.filled_lots > 0:
            average = server_text(
                round(10 * order.filled_value / order.filled_lots), instrument.tick_decimals + 1
            )
            filled = size_text(instrument, order.filled_lots)
            return Status(filled=Filled(filled, average, order.oid, order.cloid))
        kind = reasons.order_state(order.status)
        reason = kind[1] if kind else Reason.OTHER
        bid, ask = touch
        bbo = bbo_text(instrument, bid or 0, ask or 0)
        return Status(error=reasons.order_error_text(reason, instrument.venue_id, bbo=bbo))

    def _cancel_all(self, account: Account, targets: list[tuple[int, ClientOrder | None]]) -> ExchangeResponse:
        refused = self._over_budget(account, len(targets), is_cancel=True)
        if refused is not None:
            return refused
        if len(targets) > self.rules.action_weight_max:
            return Refused(f"Signed action over weight limit of {self.rules.action_weight_max}.")
        statuses: list[Status | str] = []
        for asset, order in targets:
            if order is None or self.instruments[order.index].venue_id != asset:
                statuses.append(Status(error=reasons.too_late_text(asset)))
                continue
            cancel(self.exchanges, order.index, self.now_ns, account.client, order.oid)
            self._collect(order.index)
            statuses.append(SUCCESS)
        return accepted("cancel", statuses)

    def _set_leverage(self, account: Account, action: UpdateLeverage) -> ExchangeResponse:
        index = self.index_of_id.get(action.asset)
        if index is None or not 1 <= action.leverage <= self.instruments[index].max_leverage:
            return Refused("Invalid leverage value")
        account.leverage[index] = action.leverage
        account.is_cross[index] = action.is_cross
        return DEFAULT

    # Reports of the simulated exchange.

    def _collect(self, index: int) -> None:
        """Take the reports of one exchange into the accounts and the block's news."""
        exchange = self.exchanges[index]
        n = int(exchange["n_reports"])
        for report in exchange["reports"][:n]:
            account = self._by_client[int(report["client"])]
            order = account.records[int(report["order_id"])]
            if report["kind"] == Kind.FILL:
                self._on_fill(index, account, order, report)
            else:
                self._on_state(account, order, report)
        exchange["n_reports"] = 0

    def _on_fill(self, index: int, account: Account, order: ClientOrder, report: Any) -> None:
        instrument = self.instruments[index]
        price, lots = int(report["price_ticks"]), int(report["size_lots"])
        is_taker, trade_id = bool(report["is_taker"]), int(report["trade_id"])
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
            trade_id,
            is_taker,
            fee,
            order.cloid,
        )
        account.fills.append(told)
        self._told(account).fills.append(told)
        self._tell_state(account, order, "filled" if order.open_lots == 0 else "open")
        if is_taker or not report["is_print"]:
            users = (account.address, NOBODY) if order.is_buy else (NOBODY, account.address)
            is_buy = order.is_buy if is_taker else not order.is_buy
            self.feeds[index].print(self.now_ms, is_buy, price, lots, trade_id, users)

    def _on_state(self, account: Account, order: ClientOrder, report: Any) -> None:
        kind, reason = Kind(int(report["kind"])), Reason(int(report["reason"]))
        if kind == Kind.ORDER_ACK:
            order.open_lots = int(report["open_lots"])
            self._tell_state(account, order, "open")
            return
        order.open_lots = int(report["size_lots"]) if kind != Kind.ORDER_REJECT else order.size_lots
        self._tell_state(account, order, reasons.order_status(kind, reason))

    def _tell_state(self, account: Account, order: ClientOrder, status: str) -> None:
        order.status, order.status_ms = status, self.now_ms
        if status != "open":
            account.end(order)
        update = order_update(order.as_open(self.instruments[order.index]), status, self.now_ms)
        self._told(account).updates.append(update)

    def _told(self, account: Account) -> BlockNews:
        return self._news.setdefault(account.address, BlockNews())
