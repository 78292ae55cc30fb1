"""The Hyperliquid client: one account (or none) on one network, over HTTP and one WebSocket.

Bytes from the socket become event rows inside the socket's callback and go to the listener; actions
become signed bytes and leave in the same call. Orders are posted over the WebSocket; questions go
over HTTP. Every order carries `expiresAfter`, so that "the venue does not know it" becomes final.

What has to be asked again after a reconnect, or after news of ours that could not be read, is asked
here: fills since the last that is certain, and orders that may have ended unheard, since orderUpdates
sends no snapshot (venue file, section 4.6). Next: `client_http.py`, `client_state.py`, `client_fills.py`.
"""

import asyncio
import sys
from collections import deque
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray

from makerside.model.action import ActionKind
from makerside.model.errors import VenueError, VenueRefused
from makerside.model.event import Flag, Kind, event_t, order_detail_t
from makerside.model.units import BUY, NS_PER_MS, NS_PER_S, SELL
from makerside.net.clock import Clock, stopwatch_ns, wall_ms
from makerside.net.ws import WebSocketLink
from makerside.venues.hyperliquid import wire_info as ask
from makerside.venues.hyperliquid.client_fills import FillBook
from makerside.venues.hyperliquid.client_http import HyperliquidHttp, batched
from makerside.venues.hyperliquid.client_state import AccountState, order_update
from makerside.venues.hyperliquid.cloid import cloid_text
from makerside.venues.hyperliquid.codec import to_json
from makerside.venues.hyperliquid.meta import Universe
from makerside.venues.hyperliquid.posts import PostKind, SentOrder, sent_order
from makerside.venues.hyperliquid.rows import BUFFER_BYTES_MIN
from makerside.venues.hyperliquid.rules import Rules
from makerside.venues.hyperliquid.session import PING_FRAME, Session
from makerside.venues.hyperliquid.signer import Signer
from makerside.venues.hyperliquid.watch import Feeds
from makerside.venues.hyperliquid.wire_account import FoundOrder
from makerside.venues.hyperliquid.wire_actions import (
    Action,
    cancel_orders,
    encode_exchange,
    limit_order,
    place_orders,
)
from makerside.venues.hyperliquid.wire_frames import OrderUpdatesFrame, UserFills, UserFillsFrame, encode_post

log = structlog.get_logger(__name__)

PING_S = 20.0  # the venue closes after 60 s of silence on our side
SILENT_BOOK_NS = 5 * NS_PER_S
EXPIRY_MARGIN_MS = 2_000  # block time may lag behind the wall
CATCH_UP_RETRY_S = 1.0
TIMINGS_KEPT = 100_000
# The kind of a frame's first row as a byte of the buffer: a field of a record takes a microsecond.
assert event_t.fields
_KIND_AT = int(event_t.fields["kind"][1])
_FILL, _FUNDING = int(Kind.FILL), int(Kind.FUNDING)


class HyperliquidClient(HyperliquidHttp):
    """Talks to one network for one account.

    timeout_ms : how long an order may be on its way before it expires;  others : see `HyperliquidHttp`
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
        super().__init__(url, signer, account, is_mainnet)
        self.clock = clock
        self.timeout_ms = timeout_ms
        self.buffer = bytearray(BUFFER_BYTES_MIN)
        self.rows: NDArray[Any] = np.frombuffer(self.buffer, event_t)
        self.on_rows: Callable[[int], None] = lambda n: None
        self.received_ns = 0  # stopwatch at the arrival of the frame that is being handled
        self.wire_ns: deque[int] = deque(maxlen=TIMINGS_KEPT)
        self.n_doubts = 0  # how often orders of ours may have ended unheard
        self._n_settled = 0
        self._link = WebSocketLink("ws" + self.url[4:] + "/ws", self)
        self._session: Session | None = None
        self._post_id = 0
        self._expiry_ms: dict[int, int] = {}  # client order id -> when its placing can no longer execute
        self._fills = FillBook()
        self._n_lost = 0  # of the session's `n_private_lost`: what was noticed so far
        self._awaits_stream = False  # a connection is up, and the venue has not confirmed our feeds yet
        self._needs_catch_up = asyncio.Event()
        self._is_closed = False
        self._error: BaseException | None = None
        self._has_failed = asyncio.Event()

    # Before the start.

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

    async def begin(self, state: AccountState) -> None:
        """Take a statement as the beginning: fills that it contains will not be told again."""
        ts_ms = state.ts_venue_ms or self.clock.now_ns() // NS_PER_MS
        self.session.fundings_since_ms = ts_ms + 1
        since_ms = self._fills.begin(ts_ms)
        self._fills.know(fill.trade_id for fill in await self.fills_since(since_ms))

    # While running.

    async def run(self) -> None:
        """Keep the socket up, ping, notice silence, catch up after reconnects; until cancelled.

        errors : whatever `on_rows` raised; nothing is told or sent after that
        """
        work = [self._link.run(), self._ping(), self._raise_error()]
        if self.user:
            work.append(self._catch_up())
        tasks = [asyncio.create_task(one) for one in work]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _raise_error(self) -> None:
        await self._has_failed.wait()
        assert self._error is not None
        raise self._error

    async def close(self) -> None:
        """Close all connections; from here on nothing is told any more."""
        self._is_closed = True
        self._link.stop()
        await self._http.close()

    @property
    def has_failed(self) -> bool:
        """Whether the listener raised an error: nothing can be told to it any more."""
        return self._error is not None

    @property
    def has_doubts(self) -> bool:
        """Whether orders of ours may have ended unheard."""
        return self.n_doubts > self._n_settled

    def settle_doubts(self, n_doubts: int) -> None:
        """Have no more doubts, but for those that came after `n_doubts` was looked at."""
        self._n_settled = n_doubts

    @property
    def is_up(self) -> bool:
        """Whether the socket is connected."""
        return self._link.is_up

    def on_up(self, link: WebSocketLink) -> None:
        for frame in self.session.opening_frames(self.clock.now_ns()):
            link.send(frame)
        self._awaits_stream = bool(self.user)
        if self.user:
            self._emit_connection(Kind.CONNECT)

    def on_down(self) -> None:
        self._lose_track()
        self._tell(self.session.on_disconnect(self.clock.now_ns(), self.buffer))
        if self.user:
            self._emit_connection(Kind.DISCONNECT)

    def on_frame(self, data: bytes) -> None:
        self.received_ns = stopwatch_ns()
        n = self.session.on_frame(data, self.clock.now_ns(), self.buffer)
        if self.session.watch.n_private_lost != self._n_lost:
            self._n_lost = self.session.watch.n_private_lost
            self._lose_track()
            self._needs_catch_up.set()
        if n and self.buffer[_KIND_AT] == _FILL and self._fills.is_holding:
            self._fills.hold(self.rows[:n])
            self._needs_catch_up.set()
        else:
            self._take(n)
        self.received_ns = 0  # what timers cause is not timed from bytes

    def _take(self, n: int) -> None:
        if n:
            kind = self.buffer[_KIND_AT]
            if kind == _FILL:
                self._fills.note(self.rows[:n])
            elif kind == _FUNDING:
                self._note_funding(int(self.rows["ts_venue_ns"][:n:2].max()) // NS_PER_MS)
            self._tell(n)
        elif self._awaits_stream and self.session.is_subscribed:
            # Asked only now: whatever happens after the answer is told by the stream.
            self._awaits_stream = False
            self._needs_catch_up.set()

    def _note_funding(self, newest_ms: int) -> None:
        """After a reconnect, the snapshot tells the payments since this one."""
        since_ms = self.session.fundings_since_ms
        if since_ms is not None:
            self.session.fundings_since_ms = max(since_ms, newest_ms + 1)

    def _tell(self, n: int) -> None:
        """Hand rows to the listener. Its errors end the run: the socket would log them and connect again."""
        if self._is_closed:
            return
        is_taken = False
        try:
            self.on_rows(n)
            is_taken = True
        finally:
            if not is_taken:
                self._is_closed = True
                self._error = sys.exc_info()[1]
                self._has_failed.set()

    def _lose_track(self) -> None:
        """From now on the stream may have kept something from us, until we have asked."""
        self._fills.lose_track()
        self.n_doubts += bool(self.user)

    def _emit_connection(self, kind: Kind) -> None:
        self.rows[:1] = 0
        self.rows[0]["ts_local_ns"] = self.clock.now_ns()
        self.rows[0]["kind"] = kind
        self.rows[0]["flags"] = Flag.LAST
        self._tell(1)

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
        """Sign and post a decision's actions: cancels first, then orders, as few requests as the venue takes.

        actions : (n,) action_t. When there is no connection, each comes back as SEND_FAILED
        """
        for rows in batched(actions[actions["kind"] == ActionKind.CANCEL]):
            items = [(self.instruments[row["instrument"]], int(row["client_order_id"])) for row in rows]
            self._post(cancel_orders(items), PostKind.CANCEL, rows)
        for rows in batched(actions[actions["kind"] == ActionKind.PLACE]):
            self._post(place_orders([self._order(row) for row in rows]), PostKind.PLACE, rows)
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
        self._tell(2 * len(orders))

    # What a stream did not tell.

    async def _catch_up(self) -> None:
        """Whenever the stream may have kept something from us: ask for the fills since."""
        while True:
            await self._needs_catch_up.wait()
            self._needs_catch_up.clear()
            try:
                is_complete = await self.recover_fills()
            except VenueError as error:
                log.warning("hyperliquid.catch_up", error=str(error))
                is_complete = False
            if not is_complete:
                self._fills.fail()
                if not self._fills.is_holding:
                    self.release_fills()
                await asyncio.sleep(CATCH_UP_RETRY_S)
                self._needs_catch_up.set()

    async def recover_fills(self) -> bool:
        """Ask for the fills since the last that is certain, and feed those that were not told yet.

        Returns whether the answer had everything that the stream has told.
        """
        since_ms = self._fills.since_ms
        if since_ms is None:
            return True
        n_losses = self._fills.n_losses
        fills = await self.fills_since(since_ms)
        unknown = tuple(fill for fill in fills if not self._fills.is_known(fill.trade_id))
        if unknown:
            self._feed_answer(to_json(UserFillsFrame(UserFills(self.user, unknown))))
        if self._fills.lacks_held:
            return False
        if self._link.is_up and not self._awaits_stream and n_losses == self._fills.n_losses:
            self._fills.regain_track()
        return True

    def release_fills(self) -> None:
        """Feed what was held back for the sake of its order."""
        for rows in self._fills.release():
            self.rows[: len(rows)] = rows
            self._take(len(rows))

    def _feed_answer(self, frame: bytes) -> None:
        """Feed what was asked for as if the stream had told it; asking again would give the same."""
        n = self.session.on_frame(frame, self.clock.now_ns(), self.buffer)
        if self.session.watch.n_private_lost != self._n_lost:
            self._n_lost = self.session.watch.n_private_lost
            log.error("hyperliquid.unreadable_answer", error=self.session.statistics().errors[-1])
        self._take(n)

    async def resolve(self, orders: Sequence[tuple[int, Any]]) -> None:
        """Ask for orders whose state is unknown and feed what the venue says; then for their fills, once.

        orders : (instrument, order_t scalar record). "Not known" is final only when its placing has expired
        """
        lost = []
        for instrument, order in orders:
            identity = int(order["client_order_id"])
            found = await self.ask(ask.OrderStatusRequest(user=self.user, oid=cloid_text(identity)))
            if isinstance(found, FoundOrder):
                self._feed_answer(to_json(OrderUpdatesFrame((order_update(found),))))
            elif wall_ms() > self._expiry_ms.get(identity, 0) + EXPIRY_MARGIN_MS:
                flags = int(Flag.SELL) if order["side"] == SELL else 0
                lost.append(SentOrder(identity, instrument, int(order["price_ticks"]), 0, flags))
        if orders:
            await self.recover_fills()  # before the word that there will be none
        if lost:
            self._emit_orders(lost, Kind.ORDER_NEVER_EXISTED)

    def forget_expired(self) -> None:
        """Drop expiry times that no query will need any more."""
        horizon = wall_ms() - 60_000
        self._expiry_ms = {identity: ms for identity, ms in self._expiry_ms.items() if ms > horizon}
