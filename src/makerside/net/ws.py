"""A WebSocket that stays up: frames to a callback, reconnects with backoff and jitter.

The frame callback runs inside the socket's own callback: no queue, no task hop between bytes and
decision. The listener is told when a connection is up and when it is gone; what has to be asked
again after that is the venue's business.
"""

import asyncio
import random
from typing import Protocol

import structlog
from picows import WSError, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

log = structlog.get_logger(__name__)

BACKOFF_FIRST_S = 0.5
BACKOFF_MAX_S = 60.0
STABLE_S = 30.0  # a connection that lived this long resets the backoff
FRAME_BYTES_MAX = 16 * 1024 * 1024


class FrameListener(Protocol):
    """Whoever lives on a WebSocket."""

    def on_up(self, link: "WebSocketLink") -> None:
        """A connection is open; subscribe now."""

    def on_frame(self, data: bytes) -> None:
        """One whole text frame."""

    def on_down(self) -> None:
        """The connection is gone."""


class WebSocketLink(WSListener):
    """Keeps one connection to a URL open until it is stopped."""

    def __init__(self, url: str, listener: FrameListener) -> None:
        self.url = url
        self._listener = listener
        self._transport: WSTransport | None = None
        self._parts: list[bytes] = []
        self._is_stopping = False
        self.n_connects = 0

    @property
    def is_up(self) -> bool:
        """Whether frames can be sent now."""
        return self._transport is not None

    def send(self, data: bytes) -> bool:
        """Send a text frame; returns whether there was a connection to send it on."""
        if self._transport is None:
            return False
        self._transport.send(WSMsgType.TEXT, data)
        return True

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        self._parts.clear()
        self.n_connects += 1
        self._listener.on_up(self)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code())
            transport.disconnect()
        elif frame.msg_type in (WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION):
            data = frame.get_payload_as_bytes()
            if self._parts or not frame.fin:
                self._parts.append(data)
                if not frame.fin:
                    return
                data = b"".join(self._parts)
                self._parts.clear()
            self._listener.on_frame(data)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        if self._transport is not None:
            self._transport = None
            self._listener.on_down()

    async def run(self) -> None:
        """Connect, and connect again whenever the connection is lost, until `stop`."""
        loop = asyncio.get_running_loop()
        wait_s = BACKOFF_FIRST_S
        while not self._is_stopping:
            started = loop.time()
            try:
                transport, _ = await ws_connect(
                    lambda: self,
                    self.url,
                    max_frame_size=FRAME_BYTES_MAX,
                    enable_auto_ping=True,
                    auto_ping_idle_timeout=20,
                    auto_ping_reply_timeout=10,
                )
                await transport.wait_disconnected()
            except (TimeoutError, OSError, WSError) as error:
                log.warning("websocket.down", url=self.url, error=f"{type(error).__name__}: {error}")
            if self._is_stopping:
                return
            if loop.time() - started > STABLE_S:
                wait_s = BACKOFF_FIRST_S
            await asyncio.sleep(wait_s * random.uniform(0.5, 1.5))  # noqa: S311 - jitter, no secret
            wait_s = min(2 * wait_s, BACKOFF_MAX_S)

    def stop(self) -> None:
        """Close the connection and do not come back."""
        self._is_stopping = True
        if self._transport is not None:
            self._transport.disconnect()

    def drop(self) -> None:
        """Close the connection; `run` opens a new one. For feeds that have gone silent."""
        if self._transport is not None:
            self._transport.disconnect(False)
