"""Our client before the first quote: whose key, whose account, what is left from before."""

import asyncio
import json

import pytest

from exchange.bots import BOT, bot_config, trade, url_of
from exchange.desk import Desk, placing
from exchange.serving import fresh_key, key, serving, until
from makerside.model.errors import ConfigError, MakersideError, UserError, VenueUnreachable
from makerside.model.order import client_order_id
from makerside.model.run import JOURNAL_NAME
from makerside.net.clock import Clock
from makerside.runtime.live import LiveOptions, run_live
from makerside.venues.hyperliquid.client import HyperliquidClient
from makerside.venues.hyperliquid.cloid import cloid_text
from makerside.venues.hyperliquid.server_info import InfoDesk
from makerside.venues.hyperliquid.wire_account import ClearinghouseState
from makerside.venues.hyperliquid.wire_info import (
    AccountModeRequest,
    ClearinghouseRequest,
    OpenOrdersRequest,
    decode_answer,
)

OTHER = key(22)


def market():
    desk = Desk(funds={BOT.address: 10_000, OTHER.address: 10_000})
    desk.book([("64000", "9"), ("63990", "9")], [("64001", "9"), ("64011", "9")]).block()
    return desk


def run(test):
    """Run an async test with (desk, server, raw client)."""

    async def main():
        desk = market()
        async with serving(desk) as (server, client):
            await test(desk, server, client)

    asyncio.run(main())


async def quoted(shell):
    """Wait until the bot's quotes rest."""
    await until(lambda: shell.statistics().legs[0].orders)
    await until(lambda: all(state == 2 for *_, state in shell.statistics().legs[0].orders))


def cloid_of_ours(counter=0, bot=1):
    return cloid_text(client_order_id(bot, 5, counter, 0))


def open_of(desk, signer=BOT):
    return desk.open_orders(signer.address)


def test_a_run_on_a_quiet_market_quotes_and_leaves_nothing(tmp_path):
    async def test(desk, server, client):
        async def during(shell):
            await quoted(shell)
            during.seen = open_of(desk)

        assert await trade(server, tmp_path / "run", during) == 0
        assert len(during.seen) == 6
        assert {one["side"] for one in during.seen} == {"A", "B"}
        assert all(one["cloid"].startswith("0x" + b"makers".hex()) for one in during.seen)
        assert open_of(desk) == []
        leverage = server.venue.accounts[BOT.address]
        assert (leverage.leverage[0], leverage.is_cross[0]) == (3, False)

    run(test)


async def nothing(shell):
    """End the run at once."""


async def refusal(server, out, signer=BOT, options=None, **changes):
    """Return the error with which a start is refused, and make sure that nothing was sent before."""
    with pytest.raises(MakersideError) as caught:
        await trade(server, out, nothing, signer=signer, options=options, **changes)
    return caught.value


class TestStrangers:
    def test_an_order_that_is_not_ours_refuses_the_start(self, tmp_path):
        async def test(desk, server, client):
            await client.act(BOT, placing(desk.order("B", "63000", "0.01", "Alo", cloid=desk.cloid())))
            error = await refusal(server, tmp_path / "run")
            assert isinstance(error, UserError)
            assert "1 open orders on BTC are not ours" in str(error)
            assert "--cancel-strangers" in str(error)
            assert len(open_of(desk)) == 1
            assert not (tmp_path / "run").exists()

        run(test)

    def test_told_to_it_cancels_them(self, tmp_path):
        async def test(desk, server, client):
            await client.act(BOT, placing(desk.order("B", "63000", "0.01", "Alo")))
            options = LiveOptions(cancel_strangers=True)
            assert await trade(server, tmp_path / "run", quoted, options=options) == 0
            assert open_of(desk) == []

        run(test)

    def test_an_order_on_another_symbol_is_nobodys_business(self, tmp_path):
        async def main():
            desk = Desk(("BTC", "ETH"), {BOT.address: 10_000})
            desk.book([("64000", "9")], [("64001", "9")]).book(
                [("3400", "9")], [("3400.1", "9")], "ETH"
            ).block()
            async with serving(desk) as (server, client):
                await client.act(BOT, placing(desk.order("B", "3300", "0.1", "Alo", "ETH")))
                assert await trade(server, tmp_path / "run", quoted) == 0
                assert [one["coin"] for one in open_of(desk)] == ["ETH"]

        asyncio.run(main())

    def test_leftovers_of_an_earlier_run_are_cancelled(self, tmp_path):
        async def test(desk, server, client):
            mine = [desk.order("B", str(63_000 + i), "0.01", "Alo", cloid=cloid_of_ours(i)) for i in range(3)]
            await client.act(BOT, placing(*mine))
            seen = []

            async def during(shell):
                seen.extend(one["cloid"] for one in open_of(desk))

            assert await trade(server, tmp_path / "run", during) == 0
            assert not {cloid_of_ours(i) for i in range(3)} & set(seen)
            assert open_of(desk) == []

        run(test)

    def test_any_number_of_leftovers_is_cancelled(self, tmp_path):
        async def test(desk, server, client):
            mine = [desk.order("B", "63000", "0.001", "Alo", cloid=cloid_of_ours(i)) for i in range(201)]
            await client.act(BOT, placing(*mine[:200]))
            await client.act(BOT, placing(*mine[200:]))
            assert len(open_of(desk)) == 201
            assert await trade(server, tmp_path / "run", nothing) == 0

        run(test)

    def test_a_leftover_that_fills_before_it_is_cancelled_is_in_the_ledger(self, tmp_path, monkeypatch):
        cancel = HyperliquidClient.cancel_leftovers

        async def test(desk, server, client):
            await client.act(BOT, placing(desk.order("B", "64000", "0.01", "Alo", cloid=cloid_of_ours())))

            async def late_cancel(self, orders):
                desk.trade("A", "63990", "0.02")
                await until(lambda: not open_of(desk))
                await cancel(self, orders)

            monkeypatch.setattr(HyperliquidClient, "cancel_leftovers", late_cancel)

            async def during(shell):
                held = int(shell.engine.accounts[0]["positions"][0]["position_lots"])
                assert held == server.venue.accounts[BOT.address].position_lots(0) == 1_000

            await trade(server, tmp_path / "run", during)

        run(test)


class TestPositions:
    async def buy(self, desk, client):
        await client.act(BOT, placing(desk.order("B", "64001", "0.01", "Ioc")))

    def test_an_open_position_refuses_the_start(self, tmp_path):
        async def test(desk, server, client):
            await self.buy(desk, client)
            error = await refusal(server, tmp_path / "run")
            assert isinstance(error, UserError)
            assert "open position in BTC" in str(error)
            assert "--adopt" in str(error)

        run(test)

    def test_adopted_it_is_in_the_ledger_with_its_cost(self, tmp_path):
        async def test(desk, server, client):
            await self.buy(desk, client)

            async def during(shell):
                account, venue = shell.engine.accounts[0], server.venue.accounts[BOT.address]
                position = account["positions"][0]
                assert position["position_lots"] == venue.position_lots(0) == 1_000
                assert position["cost_e8"] == venue.ledger["positions"][0]["cost_e8"]
                assert abs(int(account["cash_e8"]) - int(venue.ledger["cash_e8"])) <= 1
                during.was_here = True

            await trade(server, tmp_path / "run", during, options=LiveOptions(may_adopt=True))
            assert during.was_here

        run(test)


class TestKeys:
    def test_an_account_that_the_venue_does_not_know(self, tmp_path):
        async def test(desk, server, client):
            stranger = fresh_key()
            error = await refusal(server, tmp_path / "run", signer=stranger)
            assert isinstance(error, UserError)
            assert stranger.address in str(error)
            assert "the venue does not know it" in str(error)

        run(test)

    def test_a_master_key_is_refused_unless_allowed(self, tmp_path):
        async def test(desk, server, client):
            options = LiveOptions(allow_master_key=False)
            error = await refusal(server, tmp_path / "run", options=options)
            assert isinstance(error, UserError)
            assert "--allow-master-key" in str(error)

        run(test)

    def test_an_agent_trades_for_the_account_that_is_named(self, tmp_path):
        async def test(desk, server, client):
            agent = fresh_key()
            await client.approve(BOT, agent.address)

            async def during(shell):
                await quoted(shell)
                assert len(open_of(desk)) == 6

            options = LiveOptions(allow_master_key=False)
            left = await trade(
                server, tmp_path / "run", during, signer=agent, options=options, venue__account=BOT.address
            )
            assert left == 0

        run(test)

    def test_an_agent_without_a_named_account_is_refused(self, tmp_path):
        async def test(desk, server, client):
            agent = fresh_key()
            await client.approve(BOT, agent.address)
            error = await refusal(
                server, tmp_path / "run", signer=agent, options=LiveOptions(allow_master_key=False)
            )
            assert isinstance(error, UserError)
            assert "venue.account" in str(error)

        run(test)

    def test_an_agent_of_another_account_is_refused(self, tmp_path):
        async def test(desk, server, client):
            agent = fresh_key()
            await client.approve(OTHER, agent.address)
            error = await refusal(
                server,
                tmp_path / "run",
                signer=agent,
                options=LiveOptions(allow_master_key=False),
                venue__account=BOT.address,
            )
            assert isinstance(error, UserError)
            assert open_of(desk, OTHER) == []

        run(test)

    def test_a_wrong_key_is_the_users_mistake(self, tmp_path):
        async def test(desk, server, client):
            stranger = fresh_key()
            error = await refusal(server, tmp_path / "run", signer=stranger, venue__account=BOT.address)
            assert isinstance(error, UserError)
            assert stranger.address in str(error)

        run(test)


class TestAccountMode:
    @pytest.mark.parametrize("mode", ["unifiedAccount", "portfolioMargin"])
    def test_an_account_whose_cash_is_not_told_is_refused(self, tmp_path, monkeypatch, mode):
        """Section 1.5: the per-DEX values, from which our ledger starts, mean nothing there."""
        answer = InfoDesk.answer

        def other(self, request):
            return mode if isinstance(request, AccountModeRequest) else answer(self, request)

        async def test(desk, server, client):
            monkeypatch.setattr(InfoDesk, "answer", other)
            error = await refusal(server, tmp_path / "run")
            assert isinstance(error, UserError)
            assert mode in str(error)

        run(test)


class TestReach:
    def test_no_exchange_at_the_url(self, tmp_path):
        async def main():
            async with serving(market(), pump=False) as (server, _):
                url = url_of(server)
            with pytest.raises(VenueUnreachable, match=url):
                await run_live(bot_config(url), BOT, Clock(), tmp_path / "run", nothing, LiveOptions())

        asyncio.run(main())

    def test_an_unknown_symbol_names_those_that_exist(self, tmp_path):
        async def test(desk, server, client):
            config = bot_config(url_of(server), ("NOPE",))
            with pytest.raises(ConfigError, match="NOPE"):
                await trade(server, tmp_path / "run", nothing, config=config)

        run(test)

    def test_the_journal_of_an_earlier_run_is_kept(self, tmp_path):
        async def test(desk, server, client):
            for _ in range(3):
                assert await trade(server, tmp_path / "run", nothing) == 0

        run(test)
        assert sorted(one.name for one in tmp_path.iterdir()) == ["run", "run-1", "run-2"]
        assert all((one / JOURNAL_NAME).exists() for one in tmp_path.iterdir())

    def test_a_folder_with_other_files_is_left_alone(self, tmp_path):
        async def test(desk, server, client):
            (tmp_path / "thesis.txt").write_text("years of work")
            with pytest.raises(UserError, match=r"thesis\.txt"):
                await trade(server, tmp_path, nothing)
            assert (tmp_path / "thesis.txt").read_text() == "years of work"

        run(test)


STATE_WITH_ISOLATED = {
    "marginSummary": {
        "accountValue": "1000.0",
        "totalNtlPos": "640.0",
        "totalRawUsd": "360.0",
        "totalMarginUsed": "133.0",
    },
    "crossMarginSummary": {
        "accountValue": "867.0",
        "totalNtlPos": "0.0",
        "totalRawUsd": "867.0",
        "totalMarginUsed": "0.0",
    },
    "crossMaintenanceMarginUsed": "0.0",
    "withdrawable": "867.0",
    "time": 1_758_800_000_000,
    "assetPositions": [
        {
            "type": "oneWay",
            "position": {
                "coin": "BTC",
                "szi": "0.01",
                "leverage": {"type": "isolated", "value": 5, "rawUsd": "-507.0"},
                "entryPx": "63500.0",
                "positionValue": "640.0",
                "unrealizedPnl": "5.0",
                "returnOnEquity": "0.04",
                "liquidationPx": "51000.0",
                "marginUsed": "133.0",
                "maxLeverage": 40,
                "cumFunding": {"allTime": "0.0", "sinceOpen": "0.0", "sinceChange": "0.0"},
            },
        }
    ],
}


def test_cash_counts_the_money_of_isolated_positions(monkeypatch):
    """Section 1.5: the account's value is 1,000, of which 133 are the isolated position's."""

    async def test(desk, server, raw):
        client = HyperliquidClient(url_of(server), Clock(), BOT)
        await client.load(("BTC",), desk.rules)
        ask = client.ask

        async def answer(request):
            if isinstance(request, ClearinghouseRequest):
                return decode_answer(request, json.dumps(STATE_WITH_ISOLATED).encode())
            return () if isinstance(request, OpenOrdersRequest) else await ask(request)

        monkeypatch.setattr(client, "ask", answer)
        state = await client.account_state()
        await client.close()
        assert isinstance(await answer(ClearinghouseRequest(user=BOT.address)), ClearinghouseState)
        assert state.cash_e8 == 995 * 10**8

    run(test)
