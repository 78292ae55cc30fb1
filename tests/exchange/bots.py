"""Our own bot on an in-process exchange: configurations, markets, and accidents that happen to sockets."""

import asyncio
import contextlib
import socket as sockets
from decimal import Decimal

from exchange.desk import DAY
from exchange.serving import key
from makerside.config.load import validate
from makerside.journal.reader import read_journal
from makerside.model.event import Kind, order_detail_t
from makerside.model.run import JOURNAL_NAME
from makerside.net.clock import Clock, wall_ns
from makerside.runtime.live import LiveOptions, run_live
from makerside.runtime.simserver import ExchangeOptions, open_source
from makerside.sim.build import make_exchanges
from makerside.venues.hyperliquid.rules import rules_at
from makerside.venues.hyperliquid.server import HyperliquidServer
from makerside.venues.hyperliquid.server_venue import LocalVenue

BOT = key(21)

# Closer and faster than the careful defaults, so that seconds show something.
EAGER = {
    "bot": {"name": "test"},
    "strategy": {
        "name": "glft",
        "levels": 3,
        "size_usd": 300.0,
        "half_spread_min_bps": 0.1,
        "spacing_bps": 0.5,
        "intensity": "fixed",
    },
    "risk": {"position_max_usd": 3_000.0, "total_max_usd": 100_000.0},
    "pacing": {"hysteresis_bps": 0.2, "timeout_ms": 1_000.0, "timer_ms": 50.0},
}


def bot_config(url, symbols=("BTC",), **changes):
    """Return a configuration for a local exchange. changes : dotted path with "__" for "." -> value"""
    tree = {name: dict(section) for name, section in EAGER.items()}
    tree["venue"] = {"network": "local", "url": url, "symbols": tuple(symbols)}
    for path, value in changes.items():
        section, name = path.split("__")
        tree.setdefault(section, {})[name] = value
    return validate(tree)


@contextlib.asynccontextmanager
async def synthetic_exchange(symbols=("BTC",), speed=1.0, seed=7, funds=None):
    """Serve the synthetic market in this event loop; yields its server."""
    rules = rules_at(DAY)
    start_ns = wall_ns()
    options = ExchangeOptions(symbols=tuple(symbols), seed=seed, speed=speed)
    instruments, source, _ = open_source(options, rules, start_ns)
    clock = Clock(wall_ns(), start_ns, speed)
    venue = LocalVenue(instruments, make_exchanges(instruments, "log_prob"), source, rules)
    for address, usd in (funds or {BOT.address: 10_000}).items():
        venue.fund(address, int(Decimal(usd) * 10**8))
    server = HyperliquidServer(venue, clock)
    await server.start(0)
    blocks = asyncio.create_task(server.run())
    try:
        yield server
    finally:
        blocks.cancel()
        await asyncio.gather(blocks, return_exceptions=True)
        await server.stop()


def url_of(server):
    return f"http://127.0.0.1:{server.port}"


async def trade(server, out, during, signer=BOT, config=None, options=None, **changes):
    """Run the live bot on a server while `during(shell)` runs; returns the orders that were left."""
    config = config or bot_config(url_of(server), **changes)
    clock = server.clock if isinstance(server.clock, Clock) else Clock()
    return await run_live(config, signer, clock, out, during, options or LiveOptions(mode="live"))


def drop_sockets(server):
    """Cut every WebSocket without a word, as a network does."""
    for connection in list(server.connections):
        raw = connection.socket.get_extra_info("socket")
        if raw is not None:
            with contextlib.suppress(OSError):
                raw.shutdown(sockets.SHUT_RDWR)


async def close_sockets(server):
    """Close every WebSocket politely, as a venue does for an upgrade."""
    await asyncio.gather(*(connection.socket.close() for connection in list(server.connections)))


def fills_in(folder):
    """Return {trade id: signed lots} of the fills in a run's journal, and how many rows told them."""
    journal = read_journal(folder / JOURNAL_NAME)
    heads = (journal.is_head & (journal.rows["kind"] == Kind.FILL)).nonzero()[0]
    details = journal.rows.view(order_detail_t)[heads + 1] if len(heads) else []
    found = {}
    for row, detail in zip(journal.rows[heads], details, strict=True):
        lots = int(row["size_lots"])
        found[int(detail["reference"])] = -lots if row["flags"] & 2 else lots
    return found, len(heads)


def filter_frames(monkeypatch, change):
    """Let every frame of the exchange pass through `change`, which returns what to send, or None."""
    from makerside.venues.hyperliquid.server import Connection

    send = Connection.send

    def filtered(self, frame):
        changed = change(frame)
        if changed is not None:
            send(self, changed)

    monkeypatch.setattr(Connection, "send", filtered)


def hurry(monkeypatch, backoff_s=0.02):
    """Reconnect, ask and look after silence within fractions of a second."""
    from makerside.net import ws
    from makerside.runtime import live, shell
    from makerside.venues.hyperliquid import client

    monkeypatch.setattr(ws, "BACKOFF_FIRST_S", backoff_s)
    monkeypatch.setattr(ws, "BACKOFF_MAX_S", 5 * backoff_s)
    monkeypatch.setattr(live, "RESOLVE_S", 0.1)
    monkeypatch.setattr(shell, "STOP_DEADLINE_S", 3.0)
    monkeypatch.setattr(client, "PING_S", 0.4)
    monkeypatch.setattr(client, "EXPIRY_MARGIN_MS", 100)
