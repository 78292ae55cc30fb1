"""Our client while it trades: lost sockets, lost answers, silence; the ledger is the venue's at the end.

Venue file, sections 4.1, 4.2 and 4.6.
"""

import asyncio
import random

import numpy as np
import pytest
import structlog

from exchange.bots import (
    BOT,
    close_sockets,
    drop_sockets,
    fills_in,
    filter_frames,
    hurry,
    synthetic_exchange,
    trade,
    url_of,
)
from exchange.desk import Desk, cancelling, placing
from exchange.serving import key, serving, until
from makerside.model.action import ActionKind, action_t
from makerside.model.event import Flag, Kind, event_t, order_detail_t
from makerside.model.order import OrderState, client_order_id
from makerside.net.clock import Clock
from makerside.research.replay import replay
from makerside.venues.hyperliquid.client import HyperliquidClient
from makerside.venues.hyperliquid.cloid import cloid_text
from makerside.venues.hyperliquid.codec import Malformed
from makerside.venues.hyperliquid.server_info import InfoDesk
from makerside.venues.hyperliquid.wire_info import UserFillsByTimeRequest

OTHER = key(22)


def market():
    desk = Desk(funds={BOT.address: 10_000, OTHER.address: 1_000_000})
    desk.book([("64000", "9"), ("63990", "9")], [("64001", "9"), ("64011", "9")]).block()
    return desk


def run_bot(tmp_path, during, before=None, **changes):
    """Run the bot on a quiet market; during(shell, desk, server, raw client) causes the trouble."""

    async def main():
        desk = market()
        async with serving(desk) as (server, client):
            if before is not None:
                await before(desk, server, client)

            async def act(shell):
                await quoted(shell)
                await during(shell, desk, server, client)

            left = await trade(server, tmp_path / "run", act, **changes)
            assert left == 0
            assert desk.open_orders(BOT.address) == []
            return server

    return asyncio.run(main())


async def quoted(shell, n=6):
    """Wait until the bot's quotes rest."""
    await until(lambda: [state for *_, state in orders_of(shell)] == [OrderState.RESTING] * n)


def orders_of(shell):
    return shell.statistics().legs[0].orders


def ledger_of(shell):
    account = shell.engine.accounts[0]
    return int(account["positions"][0]["position_lots"]), int(account["cash_e8"])


def truth_of(server, signer=BOT):
    account = server.venue.accounts[signer.address]
    return account.position_lots(0), int(account.ledger["cash_e8"])


def agree(shell, server):
    """Return whether our ledger is the venue's: position and cash, exactly."""
    return ledger_of(shell) == truth_of(server)


def sweep(desk, side="A", size="20"):
    """Let strangers trade through every quote near the market."""
    desk.trade(side, "63900" if side == "A" else "64100", size)


async def hit_a_bid(desk, client):
    """Fill a part of the bot's best bid: the house steps aside, a stranger sells, it returns.

    The bot answers what the house does and may be between two quotes: then the stranger comes again.
    """
    desk.book([("63900", "9")], [("64100", "9")])
    for _ in range(50):
        answer = await client.act(OTHER, placing(desk.order("A", "63901", "0.001", "Ioc")))
        if "filled" in answer["response"]["data"]["statuses"][0]:
            break
        await asyncio.sleep(0.02)
    else:
        pytest.fail(f"no bid was there: {desk.open_orders(BOT.address)}")
    desk.book([("64000", "9"), ("63990", "9")], [("64001", "9"), ("64011", "9")])


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_sockets_dropped_at_random_lose_no_order_and_no_fill(tmp_path, monkeypatch, seed):
    hurry(monkeypatch)
    rng = random.Random(seed)

    async def main():
        async with synthetic_exchange(speed=30.0, seed=seed) as server:

            async def during(shell):
                account = server.venue.accounts[BOT.address]
                # At least twelve times; longer where the market, which runs on the clock, was quiet.
                for i in range(200):
                    if i >= 12 and len(account.fills) >= 3:
                        break
                    await asyncio.sleep(rng.uniform(0.02, 0.35))
                    drop_sockets(server) if rng.random() < 0.7 else await close_sockets(server)
                await until(lambda: shell.gateway.is_up)
                during.shell = shell

            left = await trade(server, tmp_path / "run", during, strategy__half_spread_min_bps=0.01)
            assert left == 0
            account = server.venue.accounts[BOT.address]
            assert account.open == {}
            assert agree(during.shell, server)
            told, n_rows = fills_in(tmp_path / "run")
            assert set(told) == {fill.trade_id for fill in account.fills}
            assert len(told) >= 3
            assert n_rows >= len(told)
            assert sum(told.values()) == account.position_lots(0)
            counts = during.shell.engine.accounts[0]
            assert (counts["n_strange"], counts["n_impossible"], counts["n_divergent"]) == (0, 0, 0)
            assert counts["n_duplicate_fills"] == n_rows - len(told)

    asyncio.run(main())
    assert replay(tmp_path / "run").is_identical


class TestReconnect:
    def test_after_a_lost_socket_it_quotes_again(self, tmp_path, monkeypatch):
        hurry(monkeypatch)

        async def during(shell, desk, server, client):
            before = shell.gateway._link.n_connects
            drop_sockets(server)
            await until(lambda: shell.gateway._link.n_connects > before)
            await quoted(shell)
            assert len(desk.open_orders(BOT.address)) == 6

        run_bot(tmp_path, during)

    def test_while_it_is_down_nothing_is_decided(self, tmp_path, monkeypatch):
        hurry(monkeypatch)

        async def during(shell, desk, server, client):
            shell.gateway._link.drop()
            await until(lambda: not shell.gateway.is_up)
            before = shell.n_actions
            shell.timer()
            assert shell.engine.accounts[0]["is_connected"] == 0
            assert shell.n_actions == before
            await until(lambda: shell.gateway.is_up)

        run_bot(tmp_path, during)

    def test_fills_that_happened_meanwhile_are_booked_once(self, tmp_path, monkeypatch):
        hurry(monkeypatch)

        async def during(shell, desk, server, client):
            sweep(desk, size="3")
            await until(lambda: truth_of(server)[0] != 0 and agree(shell, server))
            await quoted(shell)
            drop_sockets(server)
            await until(lambda: not shell.gateway.is_up)
            sweep(desk, "B")
            await until(lambda: shell.gateway.is_up and agree(shell, server))

        run_bot(tmp_path, during)

    def test_they_are_found_also_when_the_first_question_fails(self, tmp_path, monkeypatch):
        """The venue refuses the first question after the reconnect; a fill comes in before the second."""
        hurry(monkeypatch, backoff_s=0.4)
        refusals = []
        answer = InfoDesk.answer

        def flaky(self, request):
            if isinstance(request, UserFillsByTimeRequest) and not refusals:
                refusals.append(request)
                raise Malformed("not now")
            return answer(self, request)

        async def during(shell, desk, server, client):
            drop_sockets(server)
            await until(lambda: not shell.gateway.is_up)
            monkeypatch.setattr(InfoDesk, "answer", flaky)
            await hit_a_bid(desk, client)  # nobody hears of this
            assert truth_of(server)[0] > 0
            assert not shell.gateway.is_up
            desk.now_ms += 10_000
            await until(lambda: refusals)
            await until(lambda: [one for one in desk.open_orders(BOT.address) if one["side"] == "A"])
            before = truth_of(server)[0]
            sweep(desk, "B")
            await until(lambda: truth_of(server)[0] < before)  # of this the stream tells
            await until(lambda: agree(shell, server), wait_s=2.5)

        run_bot(tmp_path, during)

    def test_fills_of_an_earlier_run_are_not_booked_again(self, tmp_path, monkeypatch):
        hurry(monkeypatch)

        async def before(desk, server, client):
            for counter, (side, price) in enumerate((("B", "64001"), ("A", "64000"))):
                cloid = cloid_text(client_order_id(1, 9, counter, 0))
                await client.act(BOT, placing(desk.order(side, price, "0.01", "Ioc", cloid=cloid)))
            assert truth_of(server)[0] == 0

        async def during(shell, desk, server, client):
            before = shell.gateway._link.n_connects
            drop_sockets(server)
            await until(lambda: shell.gateway._link.n_connects > before)
            await quoted(shell)
            assert agree(shell, server)
            assert fills_in(tmp_path / "run")[1] == 0

        run_bot(tmp_path, during, before)

    def test_orders_that_ended_meanwhile_are_noticed(self, tmp_path, monkeypatch):
        """Section 4.6: orderUpdates sends no snapshot. The gap makes the bot cancel all, and then it learns."""
        hurry(monkeypatch, backoff_s=0.4)

        async def during(shell, desk, server, client):
            drop_sockets(server)
            await until(lambda: not shell.gateway.is_up)
            oids = [one["oid"] for one in desk.open_orders(BOT.address)]
            await client.act(BOT, cancelling(*oids))  # as a liquidation or a dead-man switch would
            assert not shell.gateway.is_up
            await until(lambda: shell.gateway.is_up)
            await until(lambda: len(desk.open_orders(BOT.address)) == 6, wait_s=2.5)

        run_bot(tmp_path, during)

    def test_a_stop_while_the_socket_is_down_still_leaves_nothing(self, tmp_path, monkeypatch):
        hurry(monkeypatch)

        async def during(shell, desk, server, client):
            drop_sockets(server)

        run_bot(tmp_path, during)


class TestLostAnswers:
    def test_an_order_whose_answers_are_lost_is_found(self, tmp_path, monkeypatch):
        hurry(monkeypatch)
        lost = []

        def lose(frame):
            if b'"channel":"post"' in frame or b'"channel":"orderUpdates"' in frame:
                lost.append(frame)
                return None
            return frame

        async def during(shell, desk, server, client):
            with monkeypatch.context() as patch:
                filter_frames(patch, lose)
                desk.book([("63990", "9")], [("63991", "9"), ("64011", "9")])  # the market moves: new quotes
                await until(lambda: len(lost) > 4)
                await until(lambda: OrderState.UNKNOWN in [state for *_, state in orders_of(shell)])
            await quoted(shell)
            assert len(desk.open_orders(BOT.address)) == 6

        run_bot(tmp_path, during)

    def test_an_order_that_never_arrived_ends_when_it_can_no_longer_execute(self, tmp_path, monkeypatch):
        hurry(monkeypatch)

        async def during(shell, desk, server, client):
            swallowed = []

            async def swallow(self, connection, post):
                swallowed.append(post)

            with monkeypatch.context() as patch:
                patch.setattr(type(server), "_on_post", swallow)
                desk.book([("63990", "9")], [("63991", "9"), ("64011", "9")])
                await until(lambda: swallowed)
                await until(lambda: OrderState.UNKNOWN in [state for *_, state in orders_of(shell)])
            await quoted(shell)
            counts = shell.engine.accounts[0]
            assert (counts["n_strange"], counts["n_impossible"]) == (0, 0)

        run_bot(tmp_path, during)

    def test_a_private_frame_that_cannot_be_read_is_made_good(self, tmp_path, monkeypatch):
        """A partial fill, so that nothing else asks about its order."""
        hurry(monkeypatch)

        def spoil(frame):
            return frame.replace(b'"px":"', b'"px":"?') if b'"channel":"userFills"' in frame else frame

        async def during(shell, desk, server, client):
            with monkeypatch.context() as patch:
                filter_frames(patch, spoil)
                await hit_a_bid(desk, client)
                assert truth_of(server)[0] > 0
                await until(lambda: shell.gateway.session.statistics().n_private_lost)
            await until(lambda: agree(shell, server), wait_s=2.0)

        run_bot(tmp_path, during, risk__price_band_bps=5_000, pacing__hysteresis_bps=1_000.0)


class TestSilence:
    def test_a_feed_that_falls_silent_is_connected_anew(self, tmp_path, monkeypatch):
        hurry(monkeypatch)
        from makerside.venues.hyperliquid import client as module

        monkeypatch.setattr(module, "SILENT_BOOK_NS", 300_000_000)

        async def during(shell, desk, server, client):
            before = shell.gateway._link.n_connects
            with monkeypatch.context() as patch:
                filter_frames(patch, lambda frame: None if b'"channel":"l2Book"' in frame else frame)
                await until(lambda: shell.gateway._link.n_connects > before)
            await quoted(shell)

        run_bot(tmp_path, during)

    def test_a_market_that_stands_still_but_speaks_is_left_alone(self, tmp_path, monkeypatch):
        hurry(monkeypatch)
        from makerside.venues.hyperliquid import client as module

        monkeypatch.setattr(module, "SILENT_BOOK_NS", 300_000_000)

        async def during(shell, desk, server, client):
            await asyncio.sleep(0.8)
            assert shell.gateway._link.n_connects == 1

        run_bot(tmp_path, during)


def rows_of(client):
    """Collect the rows that a client gives, as copies."""
    found = []
    client.on_rows = lambda n: found.append(client.rows[:n].copy())
    return found


def actions_of(kind, n=1):
    actions = np.zeros(n, action_t)
    actions["kind"] = kind
    actions["price_ticks"], actions["size_lots"] = 630_000, 1_000
    actions["client_order_id"] = [client_order_id(1, 1, counter, 0) for counter in range(1, n + 1)]
    return actions


async def loaded(server):
    client = HyperliquidClient(url_of(server), Clock(), BOT)
    await client.load(("BTC",), server.venue.rules)
    return client


@pytest.mark.parametrize("kind", [ActionKind.PLACE, ActionKind.CANCEL])
def test_without_a_connection_every_action_comes_back_as_not_sent(kind):
    """Later, since whoever decided is still at it; with the order's own numbers."""

    async def main():
        async with serving(market()) as (server, _):
            client = await loaded(server)
            found = rows_of(client)
            client.send(actions_of(kind, 3))
            assert found == []
            await asyncio.sleep(0)
            (rows,) = found
            heads, details = rows[::2], rows[1::2].view(order_detail_t)
            assert heads["kind"].tolist() == [Kind.SEND_FAILED] * 3
            assert heads["price_ticks"].tolist() == [630_000] * 3
            assert [bool(flags & Flag.LAST) for flags in heads["flags"]] == [False, False, True]
            assert details["client_order_id"].tolist() == actions_of(kind, 3)["client_order_id"].tolist()
            await client.close()

    asyncio.run(main())


@pytest.mark.parametrize("kind", [ActionKind.PLACE, ActionKind.CANCEL])
def test_any_number_of_actions_can_be_sent(kind):
    """Sixteen symbols with sixteen levels a side that stop at once cancel 512 orders."""

    async def main():
        async with serving(market()) as (server, _):
            client = await loaded(server)
            found = rows_of(client)
            try:
                client.send(actions_of(kind, 512))
                await asyncio.sleep(0)
            finally:
                await client.close()
            assert sum(len(rows) for rows in found) == 2 * 512

    asyncio.run(main())


def test_a_client_without_an_account_hears_the_market_only():
    async def main():
        desk = market()
        async with serving(desk) as (server, _):
            client = HyperliquidClient(url_of(server), Clock())
            await client.load(("BTC",), desk.rules)
            found = rows_of(client)
            task = asyncio.create_task(client.run())
            desk.trade("B", "64001", "0.1")
            await until(
                lambda: {Kind.BBO, Kind.SNAPSHOT} <= {int(row) for rows in found for row in rows["kind"]}
            )
            (connection,) = server.connections
            assert {kind for kind, *_ in connection.subscriptions} == {"l2Book", "bbo", "trades"}
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await client.close()
            assert all(rows.dtype == event_t for rows in found)

    asyncio.run(main())


def test_no_secret_is_ever_written(tmp_path, capsys, monkeypatch):
    """The key appears in no log, in no error, in no file of the run, in no text of the signer."""
    hurry(monkeypatch)
    secret = (21).to_bytes(32, "big")
    events = []
    structlog.configure(processors=[lambda logger, name, event: events.append(repr(event)) or repr(event)])
    try:

        async def during(shell, desk, server, client):
            drop_sockets(server)
            await until(lambda: not shell.gateway.is_up)
            await quoted(shell)

        run_bot(tmp_path, during)
    finally:
        structlog.reset_defaults()
    out, err = capsys.readouterr()
    texts = [out, err, *events, repr(BOT), str(BOT), repr(vars(HyperliquidClient("http://x", Clock(), BOT)))]
    for text in texts:
        assert secret.hex() not in text
    for path in (tmp_path / "run").iterdir():
        data = path.read_bytes()
        assert secret not in data
        assert secret.hex().encode() not in data
