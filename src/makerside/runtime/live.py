"""Live: the shell on a venue's wire. Also the bot of the demo, on the local exchange."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import structlog

from makerside.config.secrets import KEY_VARIABLE
from makerside.config.tree import Config
from makerside.engine import opening_rows
from makerside.journal.folder import set_aside, write_timings
from makerside.model.errors import UserError, VenueError, VenueRefused
from makerside.model.order import OrderState
from makerside.net.clock import Clock, wall_ns
from makerside.runtime.run import RunRecord, start_run
from makerside.runtime.shell import Shell
from makerside.venues.hyperliquid.client import HyperliquidClient
from makerside.venues.hyperliquid.client_state import AccountState, network_url, statement_rows
from makerside.venues.hyperliquid.rules import rules_at
from makerside.venues.hyperliquid.signer import Signer
from makerside.venues.hyperliquid.watch import Feeds

log = structlog.get_logger(__name__)

EPOCHS = 1 << 12
RESOLVE_S = 2.0
RESOLVE_S_MAX = 30.0
LEFT_PAUSES_S = (0.5, 1.0, 2.0, 4.0)
# source : venue file, sections 1.5 and 6: in the other modes the values of clearinghouseState mean nothing
PLAIN_MODES = ("disabled", "default")
TIDY_TRIES = 3  # a cancel that the venue took needs no second one


@dataclass(frozen=True, slots=True)
class LiveOptions:
    """How to treat what is found at the start, and what the run's record should say."""

    mode: str = "live"
    may_adopt: bool = False  # take over a position that is there
    cancel_strangers: bool = False
    allow_master_key: bool = True
    sets_leverage: bool = True
    facts: dict[str, Any] | None = None


async def run_live(
    config: Config,
    signer: Signer,
    clock: Clock,
    out: Path,
    until: Callable[[Shell], Awaitable[None]],
    options: LiveOptions,
) -> int:
    """Trade until `until` returns, then cancel everything; returns the orders that the venue still has.

    errors : UserError for strange orders or positions; VenueError when the venue cannot be reached
    """
    url = network_url(config.venue.network, config.venue.url)
    client = HyperliquidClient(
        url,
        clock,
        signer,
        config.venue.account,
        timeout_ms=int(config.pacing.timeout_ms),
        is_mainnet=config.venue.network == "mainnet",
    )
    try:
        # The local exchange charges no funding and does not serve its channel.
        feeds = Feeds(funding=config.venue.network != "local")
        mids = await client.load(config.venue.symbols, rules_at(datetime.now(UTC).date()), feeds)
        state = await _tidy_up(client, options)
        if options.sets_leverage:
            await client.set_leverage(config.venue.leverage, config.venue.margin == "cross")
        await client.begin(state)
        facts = {"network": config.venue.network, "account": client.user, **(options.facts or {})}
        record = RunRecord(options.mode, config, client.instruments, mids, True, facts)
        if options.mode == "live":
            set_aside(out)  # the record of what happened to money is not overwritten
        with start_run(out, record) as journal:
            shell = Shell(record.engine(), journal, clock, client)
            client.on_rows = lambda n: shell.feed(client.rows[:n])
            shell.feed(opening_rows(_epoch(), None, clock.now_ns())[:1])
            shell.feed(statement_rows(state, clock.now_ns()))
            try:
                left = await _trade(config, client, shell, until)
            finally:
                await client.close()  # before the journal: whatever is fed is journaled
            journal.seal(shell.engine.state_bytes())
            write_timings(
                out,
                decision_ns=np.asarray(shell.decision_ns, np.int64),
                wire_ns=np.asarray(client.wire_ns, np.int64),
            )
            return left
    finally:
        await client.close()


def _epoch() -> int:
    """Return a run epoch for client order ids: another one every second."""
    return wall_ns() // 1_000_000_000 % EPOCHS


async def _tidy_up(client: HyperliquidClient, options: LiveOptions) -> AccountState:
    """Refuse what is not ours unless told otherwise, cancel what an earlier run left.

    Returns the account as it is when nothing rests any more: a leftover may fill before it is cancelled.
    """
    await _check_key(client, options)
    mode = await client.account_mode()
    if mode not in PLAIN_MODES:
        raise UserError(
            f"account {client.user} is in the mode {mode}, in which its cash is not told per market; "
            "set it to the standard mode (abstraction disabled)"
        )
    state = await client.account_state()
    if state.strange_orders and not options.cancel_strangers:
        symbols = ", ".join(sorted({order.coin for order in state.strange_orders}))
        raise UserError(
            f"{len(state.strange_orders)} open orders on {symbols} are not ours; "
            "cancel them, or start with --cancel-strangers"
        )
    if state.positions and not options.may_adopt:
        held = ", ".join(client.instruments[index].symbol for index, _, _ in state.positions)
        raise UserError(f"there is an open position in {held}; close it, or start with --adopt to take it over")
    for _ in range(TIDY_TRIES):
        if not state.own_orders and not state.strange_orders:
            return state
        await client.cancel_leftovers(state.own_orders)
        await client.cancel_by_oid(state.strange_orders)
        state = await client.account_state()
    n_left = len(state.own_orders) + len(state.strange_orders)
    raise VenueRefused(f"{n_left} orders that were cancelled still rest at the venue")


async def _check_key(client: HyperliquidClient, options: LiveOptions) -> None:
    """Refuse a key that trades for another account than the one that is named, or that can withdraw."""
    assert client.signer is not None
    role = await client.key_role()
    address = client.signer.address
    if not role.account and client.user == address.lower():
        raise UserError(
            f"account {client.user}: the venue does not know it; deposit first, or check venue.account"
        )
    if not role.account:
        raise UserError(
            f"the key of {address} is nobody's at the venue: give a key of {client.user} or of an API wallet "
            f"that it has approved, in {KEY_VARIABLE} or venue.key_file"
        )
    if role.account != client.user:
        raise UserError(
            f"the key of {address} trades for {role.account}, not for {client.user}: set venue.account to "
            f"{role.account}, or give another key in {KEY_VARIABLE} or venue.key_file"
        )
    if role.is_master and not options.allow_master_key:
        raise UserError(
            "this key belongs to the account itself and can withdraw; approve an API wallet and use its key, "
            "with venue.account set to the account, or start with --allow-master-key"
        )


async def _trade(
    config: Config,
    client: HyperliquidClient,
    shell: Shell,
    until: Callable[[Shell], Awaitable[None]],
) -> int:
    """Run client, timers and resolver until `until` returns; stop; count what is left."""
    background = [
        asyncio.create_task(client.run()),
        asyncio.create_task(shell.run_timers(config.pacing.timer_ms)),
        asyncio.create_task(_resolve(client, shell)),
    ]
    waiting = asyncio.create_task(_as_task(until, shell))
    try:
        done, _ = await asyncio.wait([waiting, *background], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()  # a failed background task ends the run with its error
    finally:
        waiting.cancel()
        left = await _wind_up(client, shell)
        for task in background:
            task.cancel()
        await asyncio.gather(*background, waiting, return_exceptions=True)
    return left


async def _as_task(until: Callable[[Shell], Awaitable[None]], shell: Shell) -> None:
    await until(shell)


async def _wind_up(client: HyperliquidClient, shell: Shell) -> int:
    """End the bot; returns the orders that the venue still has, -1 when it does not answer.

    A bot that cannot do it (its `step` has failed, the venue does not listen to it) is helped over HTTP.
    """
    is_quiet = False
    try:
        is_quiet = not client.has_failed and await shell.stop()
    finally:
        left = await _count_left(client, is_quiet)
    return left


async def _count_left(client: HyperliquidClient, is_quiet: bool) -> int:
    """Return how many orders the venue still has, -1 when it does not say; cancel them when the bot could not.

    A venue that is busy, or counts our requests, is asked again, and what still rests is cancelled again.
    """
    left = -1
    try:
        for pause_s in LEFT_PAUSES_S:
            try:
                if not is_quiet:
                    state = await client.account_state()
                    await client.cancel_leftovers(state.own_orders)
                await client.recover_fills()
                left = await client.open_order_count()
            except VenueError as error:
                log.error("live.left_unknown", error=str(error), again_s=pause_s)
            if left == 0:
                break
            is_quiet = False  # something rests that the bot did not know of
            await asyncio.sleep(pause_s)
        return left
    finally:
        client.release_fills()


async def _resolve(client: HyperliquidClient, shell: Shell) -> None:
    """Ask the venue about orders whose state is unknown or in doubt, every two seconds.

    A venue that refuses to answer is asked less and less often: asking costs weight too.
    """
    pause_s = RESOLVE_S
    while True:
        await asyncio.sleep(pause_s)
        client.forget_expired()
        try:
            n_doubts = client.n_doubts
            await client.resolve(await _questionable(client, shell))
            client.settle_doubts(n_doubts)
            pause_s = RESOLVE_S
        except VenueError as error:
            pause_s = min(RESOLVE_S_MAX, 2.0 * pause_s)
            log.warning("live.resolve", error=str(error), again_s=pause_s)


async def _questionable(client: HyperliquidClient, shell: Shell) -> list[tuple[int, Any]]:
    """Return (instrument, copy of the order) of what has to be asked for.

    After news that were lost that is every order of which we think that it rests and the venue does not;
    whatever is on its way has a deadline of its own.
    """
    resting = await client.open_identities() if client.has_doubts else None

    def is_questionable(order: Any) -> bool:
        is_missing = resting is not None and int(order["client_order_id"]) not in resting
        return order["state"] == OrderState.UNKNOWN or (is_missing and order["state"] == OrderState.RESTING)

    return [(instrument, order.copy()) for instrument, order in shell.active_orders() if is_questionable(order)]
