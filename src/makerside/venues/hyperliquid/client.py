"""The Hyperliquid client: one account (or none) on one network, over HTTP and one WebSocket.

Bytes from the socket become event rows inside the socket's callback and go to the listener; actions
become signed bytes and leave in the same call. Orders are posted over the WebSocket; questions go
over HTTP. Every order carries `expiresAfter`, so that "the venue does not know it" becomes final.

What has to be asked again after a reconnect (open orders, fills since the last one) is asked here,
since orderUpdates sends no snapshot (venue file, section 4.6).
"""

import asyncio
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray

from makerside.model.action import ActionKind
from makerside.model.errors import VenueError, VenueRefused
from makerside.model.event import Flag, Kind, event_t, order_detail_t
from makerside.model.instrument import Instrument
from makerside.model.units import BUY, E8, NS_PER_MS, NS_PER_S, SELL
from makerside.net.clock import Clock, stopwatch_ns, wall_ms
from makerside.net.http import HttpLink
from makerside.net.nonce import NonceSource
from makerside.net.ws import WebSocketLink
from makerside.venues.hyperliquid import wire_info as ask
from makerside.venues.hyperliquid.client_state import AccountState
from makerside.venues.hyperliquid.cloid import cloid_text, identity_of
from makerside.venues.hyperliquid.codec import to_json
from makerside.venues.hyperliquid.meta import Universe
from makerside.venues.hyperliquid.posts import PostKind, SentOrder, sent_order
from makerside.venues.hyperliquid.rows import BUFFER_BYTES_MIN
from makerside.venues.hyperliquid.rules import Rules
from makerside.venues.hyperliquid.session import PING_FRAME, Session
from makerside.venues.hyperliquid.signer import Signer
from makerside.venues.hyperliquid.watch import Feeds
from makerside.venues.hyperliquid.wire_account import FoundOrder, OpenOrder, OrderUpdate
from makerside.venues.hyperliquid.wire_actions import (
    Action,
    CancelById,
    CancelOrders,
    Refused,
    UpdateLeverage,
    cancel_orders,
    decode_exchange_response,
    encode_exchange,
    limit_order,
    place_orders,
)
from makerside.venues.hyperliquid.wire_frames import OrderUpdatesFrame, UserFills, UserFillsFrame, encode_post

log = structlog.get_logger(__name__)

PING_S = 20.0  # the venue closes after 60 s of silence on our side
SILENT_BOOK_NS = 5 * NS_PER_S
EXPIRY_MARGIN_MS = 2_000  # block time may lag behind the wall
FILLS_OVERLAP_MS = 2_000  # fills are asked for from a little before the last known one; ids remove doubles


class HyperliquidClient:
    """Talks to one network for one account.

    url        : base URL without trailing slash;  signer : None for market data only
    account    : the address that is traded for; the signer's own when ""
    timeout_ms : how long an order may be on its way before it expires
    on_rows    : called with the number of rows at the start of `rows`, inside the socket's callback
    """

    def __init__(
        self,
        url: str,
        clock: Clock,
        signer: Signer | None = None,
        account: str = "",
        timeout_ms: int = 5_000,
        is_mainnet: bool = False,
    ) -> None:
        self.url = url.rstrip("/")
        self.clock = clock
        self.signer = signer
        self.user = (account or (signer.address if signer else "")).lower()
        self.timeout_ms = timeout_ms
        self.is_mainnet = is_mainnet
        self.buffer = bytearray(BUFFER_BYTES_MIN)
        self.rows: NDArray[Any] = np.frombuffer(self.buffer, event_t)
        self.on_rows: Callable[[int], None] = lambda n: None
        self.received_ns = 0  # stopwatch at the arrival of the frame that is being handled
        self.wire_ns: list[int] = []
        self.instruments: list[Instrument] = []
        self._http = HttpLink(self.url)
        self._link = WebSocketLink("ws" + self.url[4:] + "/ws", self)
        self._nonces = NonceSource()
        self._session: Session | None = None
        self._vault: str | None = None
        self._post_id = 0
        self._expiry_ms: dict[int, int] = {}  # client order id -> when its placing can no longer execute
        self._last_fill_ms = 0
        self._is_first_up = True
        self._needs_catch_up = asyncio.Event()

    # Before the start.

    async def ask(self, request: ask.InfoRequest) -> Any:
        """Return the answer to an info request."""
        return ask.decode_answer(request, await self._http.post("/info", ask.encode_info(request)))

    async def load(self, symbols: Sequence[str], rules: Rules, feeds: Feeds | None = None) -> list[int]:
        """Load the metadata and choose the instruments; returns their mids in ticks.

        errors : ConfigError for a symbol that the venue does not have
        """
        meta = await self.ask(ask.MetaRequest(dex=""))
        universe = Universe.from_meta(meta, rules)
        self.instruments = [universe.instrument(symbol) for symbol in symbols]
        self._session = Session(universe, self.instruments, self.user, feeds)
        mids = await self.ask(ask.AllMidsRequest(dex=""))
        ticks = []
        for instrument in self.instruments:
            if instrument.symbol not in mids:
                raise VenueRefused(f"{instrument.symbol}: the venue has no price for it now")
            ticks.append(int(Decimal(mids[instrument.symbol]) / instrument.tick_size))
        return ticks

    @property
    def session(self) -> Session:
        """The conversation; `load` makes it."""
        assert self._session is not None
        return self._session

    async def account_state(self) -> AccountState:
        """Return what the venue holds for the account. The first question that needs an account."""
        role = await self.ask(ask.UserRoleRequest(user=self.user))
        state = await self.ask(ask.ClearinghouseRequest(user=self.user, dex=""))
        orders = await self.ask(ask.OpenOrdersRequest(user=self.user, dex=""))
        index_of = {instrument.symbol: i for i, instrument in enumerate(self.instruments)}
        positions = []
        unrealized = Decimal(0)
        for one in state.asset_positions:
            held = one.position
            unrealized += Decimal(held.unrealized_pnl)
            if held.coin in index_of and held.entry_price is not None:
                instrument = self.instruments[index_of[held.coin]]
                cost = abs(Decimal(held.position)) * Decimal(held.entry_price)
                positions.append((index_of[held.coin], instrument.size_lots(held.position), int(cost * E8)))
        ours = [order for order in orders if order.coin in index_of]
        return AccountState(
            role=role.role,
            cash_e8=int((Decimal(state.cross_margin_summary.account_value) - unrealized) * E8),
            positions=positions,
            own_orders=[order for order in ours if identity_of(order.cloid)],
            strange_orders=[order for order in ours if not identity_of(order.cloid)],
        )

    async def is_master_key(self) -> bool:
        """Return whether our key is an account of its own, which can withdraw, and no API wallet."""
        assert self.signer is not None
        role = await self.ask(ask.UserRoleRequest(user=self.signer.address))
        return bool(role.role != "agent")

    async def act(self, action: Action) -> None:
        """Carry out one action over HTTP and wait for it; VenueRefused when the venue says no."""
        assert self.signer is not None
        nonce = self._nonces.next()
        signature = self.signer.sign_action(action, nonce, self._vault, None, self.is_mainnet)
        body = encode_exchange(action, nonce, signature, self._vault)
        answer = decode_exchange_response(await self._http.post("/exchange", body))
        if isinstance(answer, Refused):
            raise VenueRefused(answer.response)

    async def set_leverage(self, leverage: int, is_cross: bool) -> None:
        """Set margin mode and leverage of every followed instrument."""
        for instrument in self.instruments:
            await self.act(
                UpdateLeverage(instrument.venue_id, is_cross, min(leverage, instrument.max_leverage))
            )

    async def cancel_leftovers(self, orders: Sequence[OpenOrder]) -> None:
        """Cancel orders of ours that an earlier run left."""
        by_symbol = {instrument.symbol: instrument for instrument in self.instruments}
        items = [(by_symbol[order.coin], identity_of(order.cloid)) for order in orders]
        if items:
            await self.act(cancel_orders(items))

    async def cancel_by_oid(self, orders: Sequence[OpenOrder]) -> None:
        """Cancel orders that carry no client order id of ours."""
        by_symbol = {instrument.symbol: instrument.venue_id for instrument in self.instruments}
        items = tuple(CancelById(by_symbol[order.coin], order.oid) for order in orders)
        await self.act(CancelOrders(items))

    # While running.

    async def run(self) -> None:
        """Keep the socket up, ping, notice silence, catch up after reconnects; until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._link.run())
            tasks.create_task(self._ping())
            if self.user:
                tasks.create_task(self._catch_up())

    async def close(self) -> None:
        """Close all connections."""
        self._link.stop()
        await self._http.close()

    @property
    def is_up(self) -> bool:
        """Whether the socket is connected."""
        return self._link.is_up

    def on_up(self, link: WebSocketLink) -> None:
        for frame in self.session.opening_frames(self.clock.now_ns()):
            link.send(frame)
        if self.user:
            self._emit_connection(Kind.CONNECT)
            if not self._is_first_up:
                self._needs_catch_up.set()
        self._is_first_up = False

    def on_down(self) -> None:
        n = self.session.on_disconnect(self.clock.now_ns(), self.buffer)
        self.on_rows(n)
        if self.user:
            self._emit_connection(Kind.DISCONNECT)

    def on_frame(self, data: bytes) -> None:
        self.received_ns = stopwatch_ns()
        n = self.session.on_frame(data, self.clock.now_ns(), self.buffer)
        if n:
            self._note_fills(n)
            self.on_rows(n)
        self.received_ns = 0  # what timers cause is not timed from bytes

    def _note_fills(self, n: int) -> None:
        head = self.rows[0]
        if head["kind"] == Kind.FILL:
            newest = int(self.rows["ts_venue_ns"][:n:2].max()) // NS_PER_MS
            self._last_fill_ms = max(self._last_fill_ms, newest)

    def _emit_connection(self, kind: Kind) -> None:
        self.rows[:1] = 0
        self.rows[0]["ts_local_ns"] = self.clock.now_ns()
        self.rows[0]["kind"] = kind
        self.rows[0]["flags"] = Flag.LAST
        self.on_rows(1)

    async def _ping(self) -> None:
        while True:
            await asyncio.sleep(PING_S / 4)
            self._link.send(PING_FRAME)
            silent = self.session.silent_books(
                self.clock.now_ns(), int(SILENT_BOOK_NS * max(1.0, self.clock.speed))
            )
            if silent and self._link.is_up:
                log.warning("hyperliquid.silent_feed", symbols=silent)
                self._link.drop()

    # Actions out.

    def send(self, actions: NDArray[Any]) -> None:
        """Sign and post a decision's actions: cancels first, then orders, one request each.

        actions : (n,) action_t. When there is no connection, each comes back as SEND_FAILED
        """
        cancels = actions[actions["kind"] == ActionKind.CANCEL]
        places = actions[actions["kind"] == ActionKind.PLACE]
        if len(cancels):
            items = [(self.instruments[row["instrument"]], int(row["client_order_id"])) for row in cancels]
            self._post(cancel_orders(items), PostKind.CANCEL, cancels)
        if len(places):
            self._post(place_orders([self._order(row) for row in places]), PostKind.PLACE, places)
        if self.received_ns:
            self.wire_ns.append(stopwatch_ns() - self.received_ns)

    def _order(self, row: Any) -> Any:
        side = SELL if row["flags"] & Flag.SELL else BUY
        instrument = self.instruments[row["instrument"]]
        identity = int(row["client_order_id"])
        return limit_order(
            instrument, side, int(row["price_ticks"]), int(row["size_lots"]), int(row["flags"]), identity
        )

    def _post(self, action: Action, kind: PostKind, rows: NDArray[Any]) -> None:
        assert self.signer is not None
        nonce = self._nonces.next()
        expires_ms = wall_ms() + self.timeout_ms
        signature = self.signer.sign_action(action, nonce, self._vault, expires_ms, self.is_mainnet)
        body = encode_exchange(action, nonce, signature, self._vault, expires_ms)
        self._post_id += 1
        self.session.expect(self._post_id, kind, [sent_order(row) for row in rows])
        if kind == PostKind.PLACE:
            for row in rows:
                self._expiry_ms[int(row["client_order_id"])] = expires_ms
        if not self._link.send(encode_post(self._post_id, "action", body)):
            self.session.forget(self._post_id)
            self._emit_failed(rows)

    def _emit_failed(self, rows: NDArray[Any]) -> None:
        """Tell `step` that actions never left; later, since `step` is running now."""
        orders = [sent_order(row) for row in rows]
        asyncio.get_running_loop().call_soon(self._emit_orders, orders, Kind.SEND_FAILED)

    def _emit_orders(self, orders: Sequence[SentOrder], kind: Kind) -> None:
        """Feed one fact about each of several orders of ours."""
        now_ns = self.clock.now_ns()
        self.rows[: 2 * len(orders)] = 0
        for i, order in enumerate(orders):
            head, detail = self.rows[2 * i], self.rows[2 * i + 1 : 2 * i + 2].view(order_detail_t)
            head["ts_local_ns"] = now_ns
            head["size_lots"], head["price_ticks"] = order.size_lots, order.price_ticks
            head["instrument"], head["kind"] = order.instrument, kind
            head["flags"] = order.flags & Flag.SELL
            detail["client_order_id"] = order.client_order_id
        self.rows[2 * len(orders) - 2]["flags"] |= Flag.LAST
        self.on_rows(2 * len(orders))

    # What a stream did not tell.

    async def _catch_up(self) -> None:
        """After a reconnect: fills since the last known one."""
        while True:
            await self._needs_catch_up.wait()
            self._needs_catch_up.clear()
            try:
                await self.recover_fills()
            except VenueError as error:
                log.warning("hyperliquid.catch_up", error=str(error))
                await asyncio.sleep(1.0)
                self._needs_catch_up.set()

    async def recover_fills(self) -> None:
        """Ask for fills since the last known one and feed them; known ones are recognised by trade id."""
        since = max(0, self._last_fill_ms - FILLS_OVERLAP_MS)
        fills = await self.ask(ask.UserFillsByTimeRequest(user=self.user, start_time=since))
        if fills:
            self.on_frame(to_json(UserFillsFrame(UserFills(self.user, tuple(fills)))))

    async def resolve(self, order: Any, instrument: int) -> None:
        """Ask for an order whose state is unknown and feed what the venue says.

        order : order_t scalar record. "Not known" is final only when its placing has expired
        """
        identity = int(order["client_order_id"])
        found = await self.ask(ask.OrderStatusRequest(user=self.user, oid=cloid_text(identity)))
        if isinstance(found, FoundOrder):
            record = found.order
            known = record.order
            plain = OpenOrder(
                coin=known.coin,
                side=known.side,
                limit_price=known.limit_price,
                size=known.size,
                oid=known.oid,
                timestamp=known.timestamp,
                original_size=known.original_size,
                cloid=known.cloid,
            )
            update = OrderUpdate(order=plain, status=record.status, status_timestamp=record.status_timestamp)
            self.on_frame(to_json(OrderUpdatesFrame((update,))))
            await self.recover_fills()
        elif wall_ms() > self._expiry_ms.get(identity, 0) + EXPIRY_MARGIN_MS:
            await self.recover_fills()
            flags = int(Flag.SELL) if order["side"] == SELL else 0
            lost = SentOrder(identity, instrument, int(order["price_ticks"]), 0, flags)
            self._emit_orders([lost], Kind.ORDER_NEVER_EXISTED)

    def forget_expired(self) -> None:
        """Drop expiry times that no query will need any more."""
        horizon = wall_ms() - 60_000
        self._expiry_ms = {identity: ms for identity, ms in self._expiry_ms.items() if ms > horizon}

    async def open_order_count(self) -> int:
        """Return how many orders of the account rest on the followed symbols."""
        symbols = {instrument.symbol for instrument in self.instruments}
        orders = await self.ask(ask.OpenOrdersRequest(user=self.user, dex=""))
        return sum(1 for order in orders if order.coin in symbols)
