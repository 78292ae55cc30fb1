"""One connection's conversation with Hyperliquid: frames in, event rows and frames to send out.

A state machine without IO. The client opens a socket, sends `opening_frames`, feeds every message to
`on_frame` together with its arrival time, sends `PING_FRAME` now and then, and asks `statistics` and
`silent_books` whether something is wrong. Nothing that the venue can send raises: what is no message
is counted and skipped. What may have held news of our own money and could not be read is counted in
`n_private_lost`: whenever that grows, the client must reconcile by REST.

Pure: time comes in as an argument. Read `rows.py` for the rows, `posts.py` for the answers.
"""

from collections.abc import Callable, Sequence
from typing import Any

from makerside.model.errors import ConfigError
from makerside.model.event import ROW_BYTES, Kind
from makerside.model.instrument import Instrument
from makerside.model.units import NS_PER_MS, NS_PER_S
from makerside.venues.hyperliquid import wire_frames as frames
from makerside.venues.hyperliquid.cloid import identity_of
from makerside.venues.hyperliquid.codec import Buffer, Malformed, to_json
from makerside.venues.hyperliquid.meta import Universe
from makerside.venues.hyperliquid.posts import PendingPost, PendingPosts, PostKind, SentOrder, outcomes
from makerside.venues.hyperliquid.rows import (
    BUFFER_BYTES_MIN,
    PAIR_BYTES,
    ROWS_PER_FRAME_MAX,
    Followed,
    WriteBuffer,
    mark_last,
    write_bbo,
    write_book,
    write_fill,
    write_funding,
    write_gap,
    write_order,
    write_order_update,
    write_prices,
    write_trade,
)
from makerside.venues.hyperliquid.watch import Feeds, SessionStatistics, Watch
from makerside.venues.hyperliquid.wire_account import Fill

PING_FRAME = to_json(frames.Ping())
# Subscribing brings a batch of prints of the last minute (seen in recordings): stamped with our time of
# now they would look like a burst. Live prints lag the newest book by a block or two.
TRADE_AGE_MS_MAX = 5_000
CLOCK_BACK_NS = 60 * NS_PER_S  # feeds differ by some blocks; more is a clock that was wrong before
_CHANNEL_HEAD_BYTES = 64  # the venue puts the channel first; where it does not, the frame counts as private
_PUBLIC_HEADS = (b'"l2Book"', b'"bbo"', b'"trades"', b'"allMids"', b'"activeAssetCtx"', b'"pong"')


class Session:
    """The pure half of one connection to the venue.

    universe    : what exists; every instrument must be in it
    instruments : what to follow; the place in the list is the `instrument` of the rows
    user        : the account's address (never an agent's); "" for market data only
    account     : index of the account in FUNDING rows
    errors      : ConfigError for an instrument that the venue does not have
    """

    def __init__(
        self,
        universe: Universe,
        instruments: Sequence[Instrument],
        user: str = "",
        feeds: Feeds | None = None,
        account: int = 0,
    ) -> None:
        for instrument in instruments:
            if universe.instrument(instrument.symbol).venue_id != instrument.venue_id:
                raise ConfigError(f"{instrument.symbol}: asset id {instrument.venue_id} is not the venue's")
        self.ping_frame = PING_FRAME
        self.user = user.lower()
        self.feeds = feeds or Feeds()
        self.account = account
        # Fills of the first, "snapshot" frame: None drops them; otherwise those from this time on give rows.
        # The core remembers 256 trade ids, so the time must be near the last fill that was booked.
        self.snapshot_since_ms: int | None = None
        self.fundings_since_ms: int | None = None  # likewise for payments, which have no id
        self.trade_age_ms_max = TRADE_AGE_MS_MAX
        self.last_message_ns: dict[str, int] = {}  # by feed: "l2Book BTC", "orderUpdates", "pong", ...
        self._followed = [Followed(index, instrument) for index, instrument in enumerate(instruments)]
        self._by_symbol = {followed.instrument.symbol: followed for followed in self._followed}
        self._posts = PendingPosts()
        self._unconfirmed: set[tuple[str | int, ...]] = set()
        self.watch = Watch()
        self._ts_venue_ns = 0
        self._handlers: dict[type[Any], Callable[[Any, int, WriteBuffer], int]] = {
            frames.BookFrame: self._on_book,
            frames.BboFrame: self._on_bbo,
            frames.TradesFrame: self._on_trades,
            frames.AssetContextFrame: self._on_prices,
            frames.OrderUpdatesFrame: self._on_orders,
            frames.UserFillsFrame: self._on_user_fills,
            frames.UserFrame: self._on_user,
            frames.UserFundingsFrame: self._on_fundings,
            frames.PostFrame: self._on_post,
            frames.SubscriptionFrame: self._on_subscription,
            frames.ErrorFrame: self._on_error,
            frames.PongFrame: self._on_pong,
            frames.AllMidsFrame: self._on_other,
            frames.OtherFrame: self._on_other,
        }

    # What to send.

    def opening_frames(self, now_ns: int = 0) -> list[bytes]:
        """Return the frames to send on a fresh connection; `now_ns` starts the watch over the books."""
        chosen = self.feeds.subscriptions(self._by_symbol, self.user)
        self._unconfirmed = {subscription.key() for subscription in chosen}
        if self.feeds.book:
            for followed in self._followed:
                self.last_message_ns[followed.book_feed] = now_ns
        return [to_json(frames.Subscribe(subscription)) for subscription in chosen]

    @property
    def is_subscribed(self) -> bool:
        """Whether the venue has confirmed every subscription of `opening_frames`."""
        return not self._unconfirmed

    def expect(
        self, post_id: int, kind: PostKind, orders: Sequence[SentOrder] = (), is_resend: bool = False
    ) -> None:
        """Register a request just before it is sent, over the socket or over HTTP.

        orders    : in the order of the batch;  is_resend : the same signed bytes went out before
        """
        self._posts.add(post_id, PendingPost(kind, tuple(orders), is_resend, self._ts_venue_ns))

    def forget(self, post_id: int) -> None:
        """Stop waiting for a request that was never sent.

        A late answer is still worth reading: after a mere time-out leave the request in the table,
        which is bounded and drops the oldest.
        """
        self._posts.forget(post_id)

    def take_answer(self, post_id: int) -> frames.PostResult | None:
        """Return the answer to a request of kind INFO or OTHER, once; None while there is none."""
        return self._posts.take_answer(post_id)

    # What came.

    def on_frame(self, data: Buffer, ts_local_ns: int, buffer: WriteBuffer) -> int:
        """Decode one WebSocket message into event rows; returns how many rows of 32 bytes were written.

        buffer : at least `BUFFER_BYTES_MIN` bytes, viewed as `event_t`; rows start at its beginning
        errors : none for any bytes; trouble is counted (`statistics`)
        """
        assert len(buffer) >= BUFFER_BYTES_MIN
        self.watch.n_frames += 1
        try:
            frame = frames.decode_frame(data)
            n_rows = self._handlers[type(frame)](frame, ts_local_ns, buffer) // ROW_BYTES
        except Malformed as error:
            head = bytes(data[:_CHANNEL_HEAD_BYTES])
            is_public = not self.user or any(name in head for name in _PUBLIC_HEADS)
            self.watch.trouble(error, is_private=not is_public)
            return 0
        self.watch.n_rows += n_rows
        return n_rows

    def on_post_response(
        self, post_id: int, result: frames.PostResult, ts_local_ns: int, buffer: WriteBuffer
    ) -> int:
        """Turn the answer to a request into rows; returns their number. `on_frame` calls it for post frames.

        result : of an answer over HTTP: `ActionResult(decode_exchange_response(body))`, or
                 `ErrorResult("429 ...")` for a status that is not 200
        errors : Malformed when it does not fit the request
        """
        post = self._posts.take(post_id)
        if post is None:
            self.watch.n_unmatched_posts += 1
            return 0
        if not post.orders:
            self._posts.keep_answer(post_id, result)
            return 0
        first_words = self._posts.untold(post)
        found = outcomes(post, result, self._followed)
        if found is None:
            self.watch.n_open_posts += 1
            return 0
        # The answer carries no time. Its block came after everything that had been seen at sending.
        ts_venue_ns = post.ts_floor_ns + 1 if post.ts_floor_ns else 0
        end = 0
        for order, kind, reason, venue_order_id, size_lots in found:
            if kind in (Kind.ORDER_ACK, Kind.ORDER_REJECT) and order.client_order_id not in first_words:
                continue
            facts = (order.client_order_id, venue_order_id, order.price_ticks, size_lots, order.flags)
            followed = self._followed[order.instrument]
            end = write_order(int(kind), int(reason), followed, ts_venue_ns, ts_local_ns, facts, buffer, end)
        return self._close(buffer, end, PAIR_BYTES) // ROW_BYTES

    def on_disconnect(self, ts_local_ns: int, buffer: WriteBuffer) -> int:
        """Write a GAP row for every followed instrument; returns the rows.

        All waiting ends, also for answers over HTTP: those orders run into their deadlines.
        """
        self._posts.clear()
        self._unconfirmed.clear()
        end = 0
        for followed in self._followed:
            end = write_gap(followed, ts_local_ns, buffer, end)
        return end // ROW_BYTES

    # What the client watches.

    def silent_books(self, now_ns: int, limit_ns: int) -> list[str]:
        """Return the symbols whose book has not been heard of for longer than `limit_ns`."""
        return [
            followed.instrument.symbol
            for followed in self._followed
            if self.feeds.book and now_ns - self.last_message_ns.get(followed.book_feed, 0) > limit_ns
        ]

    def statistics(self) -> SessionStatistics:
        """Return the counts so far."""
        return self.watch.statistics(self._posts.n_dropped)

    # One handler per frame; each returns the bytes that it wrote.

    def _on_book(self, frame: frames.BookFrame, ts_local_ns: int, buffer: WriteBuffer) -> int:
        followed = self._find(frame.data.coin)
        if followed is None:
            return 0
        end = write_book(frame.data, followed, ts_local_ns, buffer)
        self.last_message_ns[followed.book_feed] = ts_local_ns
        self._see_time(frame.data.time)
        return self._close(buffer, end, ROW_BYTES)

    def _on_bbo(self, frame: frames.BboFrame, ts_local_ns: int, buffer: WriteBuffer) -> int:
        followed = self._find(frame.data.coin)
        if followed is None:
            return 0
        end = write_bbo(frame.data, followed, ts_local_ns, buffer)
        self.last_message_ns[followed.bbo_feed] = ts_local_ns
        self._see_time(frame.data.time)
        return self._close(buffer, end, ROW_BYTES)

    def _on_trades(self, frame: frames.TradesFrame, ts_local_ns: int, buffer: WriteBuffer) -> int:
        """Trades come per coin; should a frame mix them, each run of one coin is closed by itself."""
        self._check_length(len(frame.data))
        newest_ms = max((trade.time for trade in frame.data), default=0)
        oldest_ms = max(newest_ms, self._ts_venue_ns // NS_PER_MS) - self.trade_age_ms_max
        end, before = 0, None
        for trade in frame.data:
            followed = self._find(trade.coin)
            if followed is None:
                continue
            if trade.time < oldest_ms:
                self.watch.n_old_trades += 1
                continue
            if before is not None and before is not followed:
                mark_last(buffer, end)
            end = write_trade(trade, followed, ts_local_ns, buffer, end)
            self.last_message_ns[followed.trades_feed] = ts_local_ns
            before = followed
        return self._close(buffer, end, ROW_BYTES)

    def _on_prices(self, frame: frames.AssetContextFrame, ts_local_ns: int, buffer: WriteBuffer) -> int:
        followed = self._find(frame.data.coin)
        if followed is None:
            return 0
        self.last_message_ns["activeAssetCtx"] = ts_local_ns
        end = write_prices(frame.data.context, followed, ts_local_ns, buffer, 0)
        return self._close(buffer, end, PAIR_BYTES)

    def _on_orders(self, frame: frames.OrderUpdatesFrame, ts_local_ns: int, buffer: WriteBuffer) -> int:
        self._check_length(2 * len(frame.data))
        self.last_message_ns["orderUpdates"] = ts_local_ns
        end = 0
        for update in frame.data:
            followed = self._find(update.order.coin)
            if followed is None:
                continue
            before = end
            try:
                end = write_order_update(update, followed, ts_local_ns, buffer, end)
            except Malformed as error:
                self.watch.trouble(error, is_private=True)
                continue
            if end == before:
                self.watch.n_ignored += 1
                continue
            self._see_time(update.status_timestamp)
            self._posts.told(identity_of(update.order.cloid))
        return self._close(buffer, end, PAIR_BYTES)

    def _on_user_fills(self, frame: frames.UserFillsFrame, ts_local_ns: int, buffer: WriteBuffer) -> int:
        data = frame.data
        self.last_message_ns["userFills"] = ts_local_ns
        if data.user.lower() != self.user:
            self.watch.n_ignored += 1
            return 0
        since_ms = self.snapshot_since_ms if data.is_snapshot else 0
        fills = [fill for fill in data.fills if self._is_wanted(fill.time, since_ms)]
        return self._fills(fills, ts_local_ns, buffer)

    def _on_user(self, frame: frames.UserFrame, ts_local_ns: int, buffer: WriteBuffer) -> int:
        """Fills and funding of the channel "user", for a client that subscribes to it itself."""
        data = frame.data
        if data.fills is not None:
            return self._fills(data.fills, ts_local_ns, buffer)
        if data.funding is not None:
            end = self._funding(data.funding, ts_local_ns, buffer, 0)
            return self._close(buffer, end, PAIR_BYTES)
        self.watch.n_ignored += 1
        return 0

    def _on_fundings(self, frame: frames.UserFundingsFrame, ts_local_ns: int, buffer: WriteBuffer) -> int:
        data = frame.data
        self._check_length(2 * len(data.fundings))
        end, since_ms = 0, self.fundings_since_ms if data.is_snapshot else 0
        if data.user.lower() == self.user:
            for funding in data.fundings:
                if self._is_wanted(funding.time, since_ms):
                    end = self._funding(funding, ts_local_ns, buffer, end)
        return self._close(buffer, end, PAIR_BYTES)

    def _on_post(self, frame: frames.PostFrame, ts_local_ns: int, buffer: WriteBuffer) -> int:
        n_rows = self.on_post_response(frame.data.id, frame.data.response, ts_local_ns, buffer)
        return n_rows * ROW_BYTES

    def _on_subscription(self, frame: frames.SubscriptionFrame, ts_local_ns: int, buffer: WriteBuffer) -> int:
        if frame.data.method == "subscribe":
            self._unconfirmed.discard(frame.data.subscription.key())
        return 0

    def _on_error(self, frame: frames.ErrorFrame, ts_local_ns: int, buffer: WriteBuffer) -> int:
        already = frames.subscribed_already(frame.data)
        if already is not None:
            self._unconfirmed.discard(already.key())
            return 0
        self.watch.n_venue_errors += 1
        self.watch.errors.append(frame.data)
        return 0

    def _on_pong(self, frame: frames.PongFrame, ts_local_ns: int, buffer: WriteBuffer) -> int:
        self.last_message_ns["pong"] = ts_local_ns
        return 0

    def _on_other(self, frame: Any, ts_local_ns: int, buffer: WriteBuffer) -> int:
        self.watch.n_ignored += 1
        return 0

    # Shared by the handlers.

    def _fills(self, fills: Sequence[Fill], ts_local_ns: int, buffer: WriteBuffer) -> int:
        self._check_length(2 * len(fills))
        end = 0
        for fill in sorted(fills, key=lambda fill: fill.time):  # answers list the newest first
            followed = self._find(fill.coin)
            if followed is None:
                continue
            if fill.is_dust:
                self.watch.n_ignored += 1
                continue
            try:
                end = write_fill(fill, followed, ts_local_ns, buffer, end)
            except Malformed as error:
                self.watch.trouble(error, is_private=True)
                continue
            self._posts.told(identity_of(fill.cloid))
        return self._close(buffer, end, PAIR_BYTES)

    def _funding(self, funding: Any, ts_local_ns: int, buffer: WriteBuffer, at: int) -> int:
        followed = self._find(funding.coin)
        if followed is None:
            return at
        return write_funding(funding, followed, self.account, ts_local_ns, buffer, at)

    def _is_wanted(self, time_ms: int, since_ms: int | None) -> bool:
        if since_ms is not None and time_ms >= since_ms:
            return True
        self.watch.n_old_fills += 1
        return False

    def _find(self, symbol: str) -> Followed | None:
        followed = self._by_symbol.get(symbol)
        if followed is None:
            self.watch.n_unfollowed += 1
        return followed

    def _see_time(self, time_ms: int) -> None:
        """Note the venue's clock: the newest time, unless it was nonsense and has to come back."""
        ts_ns = time_ms * NS_PER_MS
        if ts_ns > self._ts_venue_ns or self._ts_venue_ns - ts_ns > CLOCK_BACK_NS:
            self._ts_venue_ns = ts_ns

    def _check_length(self, n_rows: int) -> None:
        if n_rows > ROWS_PER_FRAME_MAX:
            raise Malformed(f"a frame of {n_rows} rows, at most {ROWS_PER_FRAME_MAX} are taken")

    def _close(self, buffer: WriteBuffer, end: int, row_bytes: int) -> int:
        if end > 0:
            mark_last(buffer, end, row_bytes)
        return end
