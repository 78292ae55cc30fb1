"""Record: the venue's market data into a journal without actions, which backtest reads like any recording."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

from makerside.config.tree import Config
from makerside.journal.writer import JournalWriter
from makerside.net.clock import Clock
from makerside.runtime.run import RunRecord, start_run
from makerside.venues.hyperliquid.client import HyperliquidClient
from makerside.venues.hyperliquid.client_state import network_url
from makerside.venues.hyperliquid.rules import rules_at


async def run_record(
    config: Config, clock: Clock, out: Path, until: Callable[[JournalWriter], Awaitable[None]]
) -> int:
    """Record until `until` returns; returns the rows that were written. Gaps are GAP rows."""
    client = HyperliquidClient(network_url(config.venue.network, config.venue.url), clock)
    try:
        mids = await client.load(config.venue.symbols, rules_at(datetime.now(UTC).date()))
        record = RunRecord("record", config, client.instruments, mids, False, {"network": config.venue.network})
        with start_run(out, record) as journal:
            client.on_rows = lambda n: journal.append(client.rows[:n])
            running = asyncio.create_task(client.run())
            waiting = asyncio.ensure_future(until(journal))
            try:
                done, _ = await asyncio.wait([waiting, running], return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            finally:
                waiting.cancel()
                running.cancel()
                await asyncio.gather(running, waiting, return_exceptions=True)
                await client.close()  # before the journal: its last rows are no gap of the market
            return journal.n_rows
    finally:
        await client.close()
