"""The local exchange on the network: `POST /info`, `POST /exchange`, WebSocket `/ws`, as the venue has them.

Binds to loopback. Signatures are checked like the venue's: the signer is recovered, a stranger gets the
venue's own words. Business errors are HTTP 200; a body that fits no message is 422 with the venue's
text; too much weight from one address is 429 with `null` (venue file, sections 1, 2, 4, 6).
"""

import asyncio
from typing import Any

import msgspec
import structlog
from aiohttp import WSMsgType, web

from makerside.model.errors import ConfigError
from makerside.model.units import NS_PER_MS
from makerside.net.clock import Clock, wall_ms
from makerside.venues.hyperliquid.codec import Malformed, to_json
from makerside.venues.hyperliquid.server_accounts import Account
from makerside.venues.hyperliquid.server_info import InfoDesk
from makerside.venues.hyperliquid.server_signers import Signers
from makerside.venues.hyperliquid.server_sockets import (
    CODE_POLICY,
    PRIVATE,
    PUBLIC,
    Connection,
    Visitor,
    channel_key,
)
from makerside.venues.hyperliquid.server_venue import LocalVenue
from makerside.venues.hyperliquid.wire_actions import ExchangeRequest, ExchangeResponse, decode_exchange
from makerside.venues.hyperliquid.wire_frames import (
    ActionResult,
    ErrorFrame,
    ErrorResult,
    InfoPayload,
    InfoResult,
    Ping,
    PongFrame,
    Post,
    PostAnswer,
    PostFrame,
    PostResult,
    Subscribe,
    Subscription,
    UserFills,
    UserFillsFrame,
    decode_command,
    echo,
    parse_error_text,
    subscription_error_text,
)
from makerside.venues.hyperliquid.wire_info import InfoRequest, decode_info, info_kind

log = structlog.get_logger(__name__)

BLOCK_S_MIN = 0.004  # at high speeds blocks come this often on the wall, at most
FILLS_IN_SNAPSHOT = 100


class HyperliquidServer:
    """Serves one local venue.

    clock : market time; at speed X, minutes of rate limits pass X times as fast, nonces stay wall time
    """

    def __init__(self, venue: LocalVenue, clock: Clock) -> None:
        self.venue = venue
        self.clock = clock
        self.info = InfoDesk(venue)
        self.connections: set[Connection] = set()
        self._signers = Signers(venue)
        self._visitors: dict[str, Visitor] = {}  # by IP
        self._runner: web.AppRunner | None = None
        self._mids_due_ns = 0
        self.port = 0

    # Life.

    async def start(self, port: int, host: str = "127.0.0.1") -> None:
        """Bind; ConfigError when the port is taken. `port` 0 takes a free one."""
        app = web.Application(client_max_size=2 * 1024 * 1024)
        app.router.add_post("/info", self._on_info)
        app.router.add_post("/exchange", self._on_exchange)
        app.router.add_get("/ws", self._on_socket)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            raise ConfigError(f"--port {port}: cannot be used ({error.strerror}); 0 takes a free one") from None
        self.port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        self.venue.run_block(self.clock.now_ns(), {}, wall_ms())

    async def run(self) -> None:
        """Make blocks until cancelled."""
        block_ns = self.venue.rules.block_ms * NS_PER_MS
        pause_s = max(BLOCK_S_MIN, self.clock.wall_s(block_ns))
        loop = asyncio.get_running_loop()
        due_s = loop.time()
        while True:
            self.make_block()
            due_s = max(due_s + pause_s, loop.time())
            await asyncio.sleep(due_s - loop.time())

    async def stop(self) -> None:
        """Close all sockets and the port."""
        await asyncio.gather(*(connection.close() for connection in list(self.connections)))
        if self._runner is not None:
            await self._runner.cleanup()

    def make_block(self) -> None:
        """Run one block and send what it has to say."""
        wanted: dict[int, set[str]] = {}
        keys: set[tuple[Any, ...]] = set()
        for connection in self.connections:
            keys.update(connection.subscriptions)
        for key in keys:
            index = self.venue.index_of_symbol.get(key[1]) if key[0] in PUBLIC else None
            if index is not None:
                wanted.setdefault(index, set()).add(key[2] if key[0] == "l2Book" else key[0])
        frames = self.venue.run_block(self.clock.now_ns(), wanted, wall_ms())
        frames += self._mids(keys)
        for key, frame in frames:
            for connection in self.connections:
                if key in connection.subscriptions:
                    connection.send(frame)

    def _mids(self, keys: set[tuple[Any, ...]]) -> list[tuple[tuple[Any, ...], bytes]]:
        """Return allMids frames when they are due; the venue throttles them to about 2 s."""
        chosen = [key for key in keys if key[0] == "allMids"]
        if not chosen or self.venue.now_ns < self._mids_due_ns:
            return []
        self._mids_due_ns = self.venue.now_ns + 2_000 * NS_PER_MS
        return [
            (key, to_json({"channel": "allMids", "data": {"mids": self.info.mids(key[1])}})) for key in chosen
        ]

    # HTTP.

    def _visitor(self, ip: str) -> Visitor:
        visitor = self._visitors.get(ip)
        if visitor is None:
            visitor = self._visitors[ip] = Visitor(self.venue.rules)
        return visitor

    async def _on_info(self, request: web.Request) -> web.Response:
        try:
            answer = self._answer(request.remote or "", decode_info(await request.read()))
        except Malformed as error:
            return web.Response(status=error.http_status, text=error.http_text)
        return _too_many() if answer is None else _json(answer)

    def _answer(self, ip: str, asked: InfoRequest) -> bytes | None:
        """Return the answer to a question, None when the IP has no weight left for it. Section 6."""
        answer = self.info.answer(asked)
        n_items = len(answer) if isinstance(answer, list | tuple) else 0
        weight = self.venue.rules.info_weight(info_kind(asked), n_items)
        return to_json(answer) if self._visitor(ip).has_weight(weight, self.clock.now_ns()) else None

    async def _on_exchange(self, request: web.Request) -> web.Response:
        try:
            response = await self._act(request.remote or "", decode_exchange(await request.read()))
        except Malformed as error:
            return web.Response(status=error.http_status, text=error.http_text)
        return _too_many() if response is None else _json(to_json(response))

    async def _act(self, ip: str, request: ExchangeRequest) -> ExchangeResponse | None:
        """Authorise an action and wait for the block that carries it out; None when the IP has no weight."""
        action = request.action
        batch = len(getattr(action, "orders", ())) + len(getattr(action, "cancels", ()))
        weight = self.venue.rules.action_weight(max(1, batch))
        if not self._visitor(ip).has_weight(weight, self.clock.now_ns()):
            return None
        account = self._signers.authorise(request, wall_ms())
        if not isinstance(account, Account):
            return account
        if isinstance(action, dict):
            return self._signers.user_signed(account, request, wall_ms())
        future: asyncio.Future[ExchangeResponse] = asyncio.get_running_loop().create_future()

        def answer(response: ExchangeResponse) -> None:
            if not future.done():
                future.set_result(response)

        self.venue.submit(account, action, answer, request.expires_after_ms)
        return await future

    # WebSocket.

    async def _on_socket(self, request: web.Request) -> web.StreamResponse:
        ip = request.remote or ""
        visitor = self._visitor(ip)
        if not visitor.may_connect(self.clock.now_ns()):
            return _too_many()
        socket = web.WebSocketResponse(compress=False, max_msg_size=1024 * 1024)
        await socket.prepare(request)
        connection = Connection(socket, ip, request.transport, self.venue.rules.ws_silence_close_s)
        problem = visitor.why_not_open()
        if problem is not None:
            await socket.send_str(to_json(ErrorFrame(problem)).decode())
            await connection.close(CODE_POLICY)
            return socket
        self.connections.add(connection)
        visitor.connections.add(connection)
        connection.start(connection.write())
        try:
            async for message in socket:
                if message.type == WSMsgType.TEXT:
                    self._on_message(connection, message.data.encode())
        finally:
            self.connections.discard(connection)
            visitor.connections.discard(connection)
            connection.end()
        return socket

    def _on_message(self, connection: Connection, data: bytes) -> None:
        problem = self._visitor(connection.ip).why_not_hear(self.clock.now_ns())
        if problem is not None:
            connection.send(to_json(ErrorFrame(problem)))
            return
        try:
            command = decode_command(data)
        except Malformed:
            connection.send(to_json(ErrorFrame(parse_error_text(data))))
            return
        if isinstance(command, Ping):
            connection.send(to_json(PongFrame()))
        elif isinstance(command, Post):
            connection.start(self._on_post(connection, command))
        else:
            self._on_subscription(connection, command)

    def _on_subscription(self, connection: Connection, command: Any) -> None:
        subscription = command.subscription
        key = channel_key(subscription)
        if not self._is_served(subscription):
            text = subscription_error_text("Invalid subscription", subscription)
            connection.send(to_json(ErrorFrame(text)))
            return
        is_known = key in connection.subscriptions
        if isinstance(command, Subscribe) == is_known:
            what = "Already subscribed" if is_known else "Already unsubscribed"
            connection.send(to_json(ErrorFrame(subscription_error_text(what, subscription))))
            return
        if not isinstance(command, Subscribe):
            del connection.subscriptions[key]
            connection.send(echo(command))
            return
        problem = self._visitor(connection.ip).why_not_subscribe(key)
        if problem is not None:
            connection.send(to_json(ErrorFrame(problem)))
            return
        connection.send(echo(command))
        connection.subscriptions[key] = subscription
        if subscription.kind == "userFills":
            connection.send(self._fills_snapshot(key[1]))
        elif subscription.kind in PUBLIC:
            self.venue.feeds[self.venue.index_of_symbol[str(subscription.coin)]].forget_shown()

    def _is_served(self, subscription: Subscription) -> bool:
        if subscription.kind in PUBLIC:
            return subscription.coin in self.venue.index_of_symbol and subscription.significant_figures is None
        if subscription.kind in PRIVATE:
            return subscription.user is not None
        return subscription.kind == "allMids"

    def _fills_snapshot(self, user: str) -> bytes:
        account = self.venue.accounts.get(user)
        recent = tuple(reversed(list(account.fills)[-FILLS_IN_SNAPSHOT:])) if account else ()
        return to_json(UserFillsFrame(UserFills(user, recent, is_snapshot=True)))

    async def _on_post(self, connection: Connection, post: Post) -> None:
        """Answer a request that came over the socket, as section 4.2 has it."""
        visitor = self._visitor(connection.ip)
        problem = visitor.why_not_post(post.id)
        if problem is not None:
            connection.send(to_json(ErrorFrame(problem)))
            return
        visitor.n_posts += 1
        try:
            result = await self._post_result(connection.ip, post)
        except Malformed as error:
            result = ErrorResult(f"422 Unprocessable Entity: {error.http_text}")
        finally:
            visitor.n_posts -= 1
        connection.send(to_json(PostFrame(PostAnswer(post.id, result))))

    async def _post_result(self, ip: str, post: Post) -> PostResult:
        body = bytes(post.request.payload)
        if post.request.kind == "info":
            asked = decode_info(body)
            answer = self._answer(ip, asked)
            if answer is not None:
                return InfoResult(InfoPayload(info_kind(asked), msgspec.Raw(answer)))
        else:
            response = await self._act(ip, decode_exchange(body))
            if response is not None:
                return ActionResult(response)
        return ErrorResult("429 Too Many Requests: null")


def _json(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/json")


def _too_many() -> web.Response:
    return web.Response(status=429, text="null", content_type="application/json")
