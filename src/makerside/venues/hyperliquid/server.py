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

from makerside.model.errors import ConfigError, VenueRefused
from makerside.model.units import NS_PER_MS
from makerside.net.clock import Clock, wall_ms
from makerside.venues.hyperliquid import reasons
from makerside.venues.hyperliquid.codec import Malformed, to_json
from makerside.venues.hyperliquid.server_accounts import Account, NonceSet
from makerside.venues.hyperliquid.server_info import InfoDesk
from makerside.venues.hyperliquid.server_sockets import PRIVATE, PUBLIC, Connection, WeightWindow, channel_key
from makerside.venues.hyperliquid.server_venue import LocalVenue
from makerside.venues.hyperliquid.signer import recover_candidates, recover_user_action
from makerside.venues.hyperliquid.wire_actions import (
    DEFAULT,
    ExchangeRequest,
    ExchangeResponse,
    Refused,
    decode_exchange,
)
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
from makerside.venues.hyperliquid.wire_info import BookRequest, decode_info, info_kind

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
        self._weights: dict[str, WeightWindow] = {}
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
        self.venue.run_block(self.clock.now_ns(), {})

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
        for connection in list(self.connections):
            await connection.socket.close()
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
        frames = self.venue.run_block(self.clock.now_ns(), wanted)
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

    def _has_weight(self, ip: str, weight: int) -> bool:
        window = self._weights.get(ip)
        if window is None:
            window = self._weights[ip] = WeightWindow(self.venue.rules.ip_weight_per_minute)
        return window.spend(weight, self.clock.now_ns())

    async def _on_info(self, request: web.Request) -> web.Response:
        try:
            body = await request.read()
            asked = decode_info(body)
            if not self._has_weight(request.remote or "", self.venue.rules.info_weight(info_kind(asked))):
                return _too_many()
            return _json(to_json(self.info.answer(asked)))
        except Malformed as error:
            return web.Response(status=error.http_status, text=error.http_text)

    async def _on_exchange(self, request: web.Request) -> web.Response:
        try:
            asked = decode_exchange(await request.read())
        except Malformed as error:
            return web.Response(status=error.http_status, text=error.http_text)
        batch = len(getattr(asked.action, "orders", ())) + len(getattr(asked.action, "cancels", ()))
        if not self._has_weight(request.remote or "", self.venue.rules.action_weight(max(1, batch))):
            return _too_many()
        return _json(to_json(await self._act(asked)))

    async def _act(self, request: ExchangeRequest) -> ExchangeResponse:
        """Authorise an action and wait for the block that carries it out."""
        found = self._authorise(request)
        if not isinstance(found, Account):
            return found
        if request.is_user_signed:
            return self._user_signed(found, request)
        future: asyncio.Future[ExchangeResponse] = asyncio.get_running_loop().create_future()

        def answer(response: ExchangeResponse) -> None:
            if not future.done():
                future.set_result(response)

        assert not isinstance(request.action, dict)
        self.venue.submit(found, request.action, answer)
        return await future

    def _authorise(self, request: ExchangeRequest) -> Account | Refused:
        """Return the account an action is for, or the venue's refusal. Sections 3.4 and 3.5."""
        try:
            account, signer = self._signer(request)
        except VenueRefused as error:
            return Refused(str(error))
        if account is None:
            return Refused(reasons.unknown_signer_text(signer))
        now_ms = wall_ms()
        rules = self.venue.rules
        nonces = self.venue.nonces.setdefault(signer, NonceSet(rules.nonces_kept))
        problem = nonces.problem(request.nonce)
        if problem == "duplicate":
            return Refused(reasons.duplicate_nonce_text(request.nonce))
        lowest = max(now_ms - rules.nonce_behind_ms_max, min(nonces.seen) if problem else 0)
        if problem == "low" or request.nonce < lowest:
            return Refused(reasons.low_nonce_text(request.nonce, lowest))
        if request.nonce > now_ms + rules.nonce_ahead_ms_max:
            return Refused(f"Invalid nonce: nonce too high {request.nonce}")
        nonces.use(request.nonce)
        if request.expires_after_ms is not None and request.expires_after_ms < now_ms:
            account.n_requests += rules.expired_action_cost
            return Refused(f"Action expired: expiresAfter {request.expires_after_ms} is before {now_ms}")
        return account

    def _signer(self, request: ExchangeRequest) -> tuple[Account | None, str]:
        """Return (account or None, address that signed): the first candidate that has an account."""
        if request.is_user_signed:
            address = recover_user_action(request.received, request.signature)
            return self.venue.accounts.get(address), address
        first = ""
        for address in recover_candidates(
            request.packings(), request.nonce, request.signature, request.vault, request.expires_after_ms
        ):
            first = first or address
            account = self.venue.signer_account(address)
            if account is not None:
                return (account if request.vault is None else None), address
        return None, first

    def _user_signed(self, account: Account, request: ExchangeRequest) -> ExchangeResponse:
        kind = request.received.get("type")
        if kind != "approveAgent":
            return Refused(f"{kind} is not available on this exchange yet")
        agent = str(request.received.get("agentAddress", "")).lower()
        self.venue.agents[agent] = account.address
        return DEFAULT

    # WebSocket.

    async def _on_socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False, max_msg_size=1024 * 1024)
        await socket.prepare(request)
        connection = Connection(socket, request.remote or "")
        self.connections.add(connection)
        connection.start(connection.write())
        try:
            async for message in socket:
                if message.type == WSMsgType.TEXT:
                    await self._on_message(connection, message.data.encode())
        finally:
            self.connections.discard(connection)
            connection.end()
        return socket

    async def _on_message(self, connection: Connection, data: bytes) -> None:
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
        connection.send(echo(command))
        if not isinstance(command, Subscribe):
            del connection.subscriptions[key]
            return
        connection.subscriptions[key] = subscription
        if subscription.kind == "userFills":
            connection.send(self._fills_snapshot(key[1]))
        elif subscription.kind in PUBLIC:
            self.venue.feeds[self.venue.index_of_symbol[str(subscription.coin)]].forget_shown()

    def _is_served(self, subscription: Subscription) -> bool:
        if subscription.kind in PUBLIC:
            return subscription.coin in self.venue.index_of_symbol and subscription.significant_figures is None
        return subscription.kind in PRIVATE or subscription.kind == "allMids"

    def _fills_snapshot(self, user: str) -> bytes:
        account = self.venue.accounts.get(user)
        recent = tuple(reversed(list(account.fills)[-FILLS_IN_SNAPSHOT:])) if account else ()
        return to_json(UserFillsFrame(UserFills(user, recent, is_snapshot=True)))

    async def _on_post(self, connection: Connection, post: Post) -> None:
        """Answer a request that came over the socket, as section 4.2 has it."""
        body = bytes(post.request.payload)
        result: PostResult
        try:
            if post.request.kind == "info":
                result = self._post_info(connection.ip, body)
            else:
                asked = decode_exchange(body)
                batch = len(getattr(asked.action, "orders", ())) + len(getattr(asked.action, "cancels", ()))
                if self._has_weight(connection.ip, self.venue.rules.action_weight(max(1, batch))):
                    result = ActionResult(await self._act(asked))
                else:
                    result = ErrorResult("429 Too Many Requests: null")
        except Malformed as error:
            result = ErrorResult(f"422 Unprocessable Entity: {error.http_text}")
        connection.send(to_json(PostFrame(PostAnswer(post.id, result))))

    def _post_info(self, ip: str, body: bytes) -> PostResult:
        asked = decode_info(body)
        if not self._has_weight(ip, self.venue.rules.info_weight(info_kind(asked))):
            return ErrorResult("429 Too Many Requests: null")
        kind = "l2Book" if isinstance(asked, BookRequest) else info_kind(asked)
        return InfoResult(InfoPayload(kind, msgspec.Raw(to_json(self.info.answer(asked)))))


def _json(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/json")


def _too_many() -> web.Response:
    return web.Response(status=429, text="null", content_type="application/json")
