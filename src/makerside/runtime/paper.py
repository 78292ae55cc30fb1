"""Paper: the venue's real market data, the simulated exchange in this process, the same step."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from makerside.config.tree import Config
from makerside.engine import opening_rows
from makerside.journal.folder import write_timings
from makerside.model.units import NS_PER_MS
from makerside.net.clock import Clock
from makerside.runtime.run import RunRecord, start_run
from makerside.runtime.shell import Shell
from makerside.sim.build import make_exchanges
from makerside.sim.paper import PaperExchange
from makerside.venues.hyperliquid.client import HyperliquidClient
from makerside.venues.hyperliquid.client_state import network_url
from makerside.venues.hyperliquid.rules import rules_at

EPOCH = 1


async def run_paper(config: Config, clock: Clock, out: Path, until: Callable[[Shell], Awaitable[None]]) -> int:
    """Trade on paper until `until` returns; returns the orders that the simulated exchange still has."""
    client = HyperliquidClient(network_url(config.venue.network, config.venue.url), clock)
    settings = config.simulation
    try:
        mids = await client.load(config.venue.symbols, rules_at(datetime.now(UTC).date()))
        facts = {"network": config.venue.network, "exchange": "simulated", "queue": settings.queue}
        record = RunRecord("paper", config, client.instruments, mids, False, facts)
        exchanges = make_exchanges(client.instruments, settings.queue, settings.queue_exponent)
        exchange = PaperExchange(
            exchanges, round(settings.entry_ms * NS_PER_MS), round(settings.response_ms * NS_PER_MS)
        )
        with start_run(out, record) as journal:
            shell = Shell(record.engine(), journal, clock, exchange)

            def on_rows(n: int) -> None:
                rows = client.rows[:n]
                exchange.house(rows)
                deliver(shell, exchange, int(rows[0]["ts_local_ns"]))
                shell.feed(rows)

            client.on_rows = on_rows
            shell.feed(opening_rows(EPOCH, settings.cash_usd, clock.now_ns()))
            background = [
                asyncio.create_task(client.run()),
                asyncio.create_task(_timers(config, shell, exchange, clock)),
            ]
            waiting = asyncio.ensure_future(until(shell))
            try:
                done, _ = await asyncio.wait([waiting, *background], return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            finally:
                waiting.cancel()
                await shell.stop()
                for task in background:
                    task.cancel()
                await asyncio.gather(*background, waiting, return_exceptions=True)
                await client.close()  # before the journal: whatever is fed is journaled
            journal.seal(shell.engine.state_bytes())
            write_timings(out, decision_ns=np.asarray(shell.decision_ns, np.int64))
            return int(exchanges["pit"]["n_active"].sum())
    finally:
        await client.close()


def deliver(shell: Shell, exchange: PaperExchange, now_ns: int) -> None:
    """Feed the reports that are due."""
    for rows in exchange.due(now_ns):
        shell.feed(rows)


async def _timers(config: Config, shell: Shell, exchange: PaperExchange, clock: Clock) -> None:
    """Move the simulated exchange and feed timers until cancelled."""
    pause_s = max(0.004, clock.wall_s(int(config.pacing.timer_ms * NS_PER_MS)))
    while True:
        await asyncio.sleep(pause_s)
        now_ns = clock.now_ns()
        exchange.advance(now_ns)
        deliver(shell, exchange, now_ns)
        shell.timer()
