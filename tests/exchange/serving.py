"""The local exchange on a real port inside the test's own event loop, and a raw client that signs.

Blocks are made by the test, or by a pump that lets market time run as fast as the machine allows.
"""

import asyncio
import contextlib
import json
import secrets
import time

import aiohttp

from makerside.venues.hyperliquid.codec import to_json
from makerside.venues.hyperliquid.server import HyperliquidServer
from makerside.venues.hyperliquid.signer import Signer
from makerside.venues.hyperliquid.typed_data import user_signed
from makerside.venues.hyperliquid.wire_actions import encode_exchange

NS_PER_MS = 1_000_000
WAIT_S = 5.0  # longest a test waits for something that should come at once


def key(number):
    """Return the signer of a throw-away key that is the same in every run."""
    return Signer(number.to_bytes(32, "big"))


class DeskClock:
    """The clock of a `Desk`."""

    speed = 1.0

    def __init__(self, desk):
        self.desk = desk

    def now_ns(self):
        return self.desk.now_ms * NS_PER_MS

    def wall_s(self, market_ns):
        return 0.002


@contextlib.asynccontextmanager
async def serving(desk, pump=True):
    """Serve a desk; yields (server, raw client). pump : make a block every few milliseconds"""
    server = HyperliquidServer(desk.venue, DeskClock(desk))
    await server.start(0)

    async def make_blocks():
        while True:
            desk.now_ms += 70
            server.make_block()
            await asyncio.sleep(0.002)

    task = asyncio.create_task(make_blocks()) if pump else None
    client = RawClient(f"http://127.0.0.1:{server.port}")
    try:
        yield server, client
    finally:
        await client.close()
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await server.stop()


def next_nonce(_last=[0]):  # noqa: B006 - one counter for all tests
    """Return a nonce that was not used before: of now, in ms."""
    _last[0] = max(_last[0] + 1, time.time_ns() // NS_PER_MS)
    return _last[0]


class RawClient:
    """Posts bytes and reads bytes; holds no state that a test does not see."""

    def __init__(self, url):
        self.url = url
        self.session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=WAIT_S))

    async def close(self):
        await self.session.close()

    async def post(self, path, body):
        """Return (HTTP status, content type, text)."""
        headers = {"Content-Type": "application/json"}
        async with self.session.post(self.url + path, data=body, headers=headers) as answer:
            return answer.status, answer.content_type, await answer.text()

    async def info(self, **request):
        status, _, text = await self.post("/info", json.dumps(request).encode())
        assert status == 200, text
        return json.loads(text)

    async def act(self, signer, action, nonce=None, vault=None, expires=None, is_mainnet=False):
        """Sign an action, send it, return the venue's answer."""
        nonce = next_nonce() if nonce is None else nonce
        signature = signer.sign_action(action, nonce, vault, expires, is_mainnet)
        return await self.send(encode_exchange(action, nonce, signature, vault, expires))

    async def send(self, body):
        """Send the body of an action, return the venue's answer."""
        status, _, text = await self.post("/exchange", body)
        assert status == 200, (status, text)
        return json.loads(text)

    async def approve(self, signer, agent, name="", nonce=None, envelope_nonce=None):
        """Approve an agent as the SDK does: without a name the key is left out of the JSON."""
        body = approval_body(signer, agent, name, nonce, envelope_nonce)
        return await self.send(body)

    @contextlib.asynccontextmanager
    async def socket(self):
        async with self.session.ws_connect(self.url.replace("http", "ws") + "/ws") as socket:
            yield Socket(socket)


def approval_body(signer, agent, name="", nonce=None, envelope_nonce=None):
    """Return the body of an approveAgent."""
    nonce = next_nonce() if nonce is None else nonce
    action = {"type": "approveAgent", "agentAddress": agent, "agentName": name, "nonce": nonce}
    action = user_signed(action, is_mainnet=False)
    signature = signer.sign_user_action(action)
    if not name:
        del action["agentName"]
    return to_json(
        {
            "action": action,
            "nonce": nonce if envelope_nonce is None else envelope_nonce,
            "signature": json.loads(to_json(signature)),
            "vaultAddress": None,
            "expiresAfter": None,
        }
    )


class Socket:
    """A WebSocket client that waits with a deadline."""

    def __init__(self, socket):
        self.raw = socket

    async def say(self, message):
        await self.raw.send_str(message if isinstance(message, str) else json.dumps(message))

    async def subscribe(self, **subscription):
        await self.say({"method": "subscribe", "subscription": subscription})

    async def hear(self, channel=None, wait_s=WAIT_S):
        """Return the data of the next frame of a channel; of any, when None, the whole message."""
        async with asyncio.timeout(wait_s):
            while True:
                message = json.loads(await self.raw.receive_str())
                if channel is None:
                    return message
                if message["channel"] == channel:
                    return message.get("data")


async def until(condition, wait_s=WAIT_S):
    """Wait until a condition holds; fails loudly when it does not in time."""
    async with asyncio.timeout(wait_s):
        while not condition():
            await asyncio.sleep(0.005)


def fresh_key():
    """Return the signer of a key that nobody has seen."""
    return Signer(secrets.token_bytes(32))
