"""WebSocket clients of the local exchange, and what one IP may use of it.

Next: `server.py`.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Coroutine
from typing import Any

import structlog
from aiohttp import web

from makerside.model.units import NS_PER_S
from makerside.venues.hyperliquid.rules import Rules
from makerside.venues.hyperliquid.wire_frames import Subscription

log = structlog.get_logger(__name__)

FRAMES_QUEUED_MAX = 4_096  # of one slow reader; then the connection is closed
CLOSE_S = 0.5  # how long a client may take to say good-bye before it is cut off
CODE_POLICY = 1008  # closes what was opened beyond the limit. source : section 4.1
PUBLIC = {"trades", "bbo", "l2Book"}
PRIVATE = {"orderUpdates", "userFills", "userEvents"}


class WeightWindow:
    """Weight that one IP has used within the last minute of market time."""

    def __init__(self, limit: int, window_ns: int = 60 * NS_PER_S) -> None:
        self.limit = limit
        self._window_ns = window_ns
        self._spent: deque[tuple[int, int]] = deque()
        self._sum = 0

    def spend(self, weight: int, now_ns: int) -> bool:
        """Take weight out of the window; returns whether there was enough."""
        while self._spent and self._spent[0][0] <= now_ns - self._window_ns:
            self._sum -= self._spent.popleft()[1]
        if self._sum + weight > self.limit:
            return False
        self._spent.append((now_ns, weight))
        self._sum += weight
        return True


class Connection:
    """One WebSocket client: what it listens to, and the frames on their way to it.

    transport : of the socket;  silence_s : after so long without a frame to send it is closed
    """

    def __init__(
        self, socket: web.WebSocketResponse, ip: str, transport: asyncio.Transport | None, silence_s: float
    ) -> None:
        self.socket = socket
        self.ip = ip
        self.subscriptions: dict[tuple[Any, ...], Subscription] = {}
        self.queue: asyncio.Queue[bytes] = asyncio.Queue(FRAMES_QUEUED_MAX)
        self._transport = transport
        self._silence_s = silence_s
        self._is_cut = False
        self._tasks: set[asyncio.Task[None]] = set()

    def send(self, frame: bytes) -> None:
        """Queue a frame; a reader that does not keep up is cut off, as the venue does."""
        if self._is_cut:
            return
        try:
            self.queue.put_nowait(frame)
        except asyncio.QueueFull:
            log.warning("exchange.slow_reader", ip=self.ip)
            self.cut_off()

    def cut_off(self) -> None:
        """Drop the connection at once: a good-bye would wait behind what is not read."""
        self._is_cut = True
        if self._transport is not None:
            self._transport.abort()

    async def close(self, code: int = 1000) -> None:
        """Close the socket; a client that does not answer is cut off."""
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(CLOSE_S):
                await self.socket.close(code=code)
        self.cut_off()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something for this connection; it ends with the connection at the latest."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def end(self) -> None:
        """Stop everything that runs for this connection."""
        for task in list(self._tasks):
            task.cancel()

    async def write(self) -> None:
        """Send queued frames until the socket closes, or until there was nothing to send for too long."""
        while not self.socket.closed:
            try:
                frame = await self._next_frame()
            except TimeoutError:
                await self.close()
                return
            with contextlib.suppress(ConnectionError):
                await self.socket.send_str(frame.decode())

    async def _next_frame(self) -> bytes:
        if not self.queue.empty():
            return self.queue.get_nowait()
        async with asyncio.timeout(self._silence_s):
            return await self.queue.get()


class Visitor:
    """What one IP uses: weight, connections, messages, subscriptions, users, posts. source : sections 4.5, 6"""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.connections: set[Connection] = set()
        self.n_posts = 0
        self._weight = WeightWindow(rules.ip_weight_per_minute)
        self._messages = WeightWindow(rules.ws_messages_per_minute)
        self._connects = WeightWindow(rules.ws_connects_per_minute)

    def has_weight(self, weight: int, now_ns: int) -> bool:
        """Take weight of requests; returns whether there was enough."""
        return self._weight.spend(weight, now_ns)

    def may_connect(self, now_ns: int) -> bool:
        """Count a new connection; returns whether it is in time with the others of the minute."""
        return self._connects.spend(1, now_ns)

    def why_not_open(self) -> str | None:
        """Return the venue's words when there are too many connections, None when there is room."""
        limit = self.rules.ws_connections_max
        return f"Cannot open more than {limit} connections." if len(self.connections) >= limit else None

    def why_not_hear(self, now_ns: int) -> str | None:
        """Count a message; returns the venue's words when it is one too many."""
        limit = self.rules.ws_messages_per_minute
        is_heard = self._messages.spend(1, now_ns)
        return None if is_heard else f"Cannot send more than {limit} messages per minute."

    def why_not_post(self, post_id: int) -> str | None:
        """Return the venue's words when too many posts wait for their answers."""
        is_full = self.n_posts >= self.rules.ws_posts_in_flight_max
        return f"too many pending post requests id={post_id}" if is_full else None

    def why_not_subscribe(self, key: tuple[Any, ...]) -> str | None:
        """Return the venue's words when one more subscription is too many. key : see `channel_key`"""
        keys = [one for connection in self.connections for one in connection.subscriptions]
        if len(keys) >= self.rules.ws_subscriptions_max:
            return f"Cannot subscribe to more than {self.rules.ws_subscriptions_max} channels."
        users = {one[1] for one in (*keys, key) if one[0] in PRIVATE}
        if key[0] in PRIVATE and len(users) > self.rules.ws_users_max:
            return f"Cannot track more than {self.rules.ws_users_max} total users."
        return None


def channel_key(subscription: Subscription) -> tuple[Any, ...]:
    """Return the key under which a venue's frames are addressed."""
    if subscription.kind == "l2Book":
        return ("l2Book", subscription.coin, "fast" if subscription.is_fast else "slow")
    if subscription.kind in PUBLIC:
        return (subscription.kind, subscription.coin)
    if subscription.kind == "allMids":
        return ("allMids", subscription.dex or "")
    return (subscription.kind, (subscription.user or "").lower())
