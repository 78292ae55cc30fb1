"""WebSocket clients of the local exchange, and the weight that an address has used.

Next: `server.py`.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Coroutine
from typing import Any

import structlog
from aiohttp import web

from makerside.venues.hyperliquid.wire_frames import Subscription

log = structlog.get_logger(__name__)

FRAMES_QUEUED_MAX = 4_096  # of one slow reader; then the connection is closed
PUBLIC = {"trades", "bbo", "l2Book"}
PRIVATE = {"orderUpdates", "userFills", "userEvents"}


class WeightWindow:
    """Weight that one IP has used within the last minute of market time."""

    def __init__(self, limit: int, window_ns: int = 60 * 10**9) -> None:
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
    """One WebSocket client: what it listens to, and the frames on their way to it."""

    def __init__(self, socket: web.WebSocketResponse, ip: str) -> None:
        self.socket = socket
        self.ip = ip
        self.subscriptions: dict[tuple[Any, ...], Subscription] = {}
        self.queue: asyncio.Queue[bytes] = asyncio.Queue(FRAMES_QUEUED_MAX)
        self._tasks: set[asyncio.Task[None]] = set()

    def send(self, frame: bytes) -> None:
        """Queue a frame; a reader that does not keep up is cut off, as the venue does."""
        try:
            self.queue.put_nowait(frame)
        except asyncio.QueueFull:
            log.warning("exchange.slow_reader", ip=self.ip)
            self.start(self.close())

    async def close(self) -> None:
        """Close the socket."""
        await self.socket.close()

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
        """Send queued frames until the socket closes."""
        while not self.socket.closed:
            frame = await self.queue.get()
            with contextlib.suppress(ConnectionError):
                await self.socket.send_str(frame.decode())


def channel_key(subscription: Subscription) -> tuple[Any, ...]:
    """Return the key under which a venue's frames are addressed."""
    if subscription.kind == "l2Book":
        return ("l2Book", subscription.coin, "fast" if subscription.is_fast else "slow")
    if subscription.kind in PUBLIC:
        return (subscription.kind, subscription.coin)
    if subscription.kind == "allMids":
        return ("allMids", subscription.dex or "")
    return (subscription.kind, (subscription.user or "").lower())
