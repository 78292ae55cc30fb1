"""What one IP may use of the local exchange, and which keys may act. Venue file, sections 2.3, 4.1, 4.5."""

import asyncio
import contextlib
import json

import aiohttp
import pytest

from exchange.desk import Desk, placing
from exchange.serving import approval_body, fresh_key, key, next_nonce, serving
from makerside.net.clock import wall_ms
from makerside.venues.hyperliquid.wire_actions import Noop, encode_exchange

MASTER, OTHER = key(1), key(2)
DAY_MS = 86_400_000


def serve(test, pump=False, **rules):
    """Run an async test with (desk, client)."""

    async def run():
        desk = Desk(funds={MASTER.address: 100_000, OTHER.address: 100_000}, **rules)
        desk.book([("64000", "9")], [("64001", "9")]).block()
        async with serving(desk, pump) as (_, client):
            await test(desk, client)

    asyncio.run(run())


async def noop_post(socket, post_id):
    """Post an action that waits for the next block."""
    nonce = next_nonce()
    body = json.loads(encode_exchange(Noop(), nonce, MASTER.sign_action(Noop(), nonce)))
    await socket.say({"method": "post", "id": post_id, "request": {"type": "action", "payload": body}})


class TestSockets:
    def test_one_connection_too_many_is_told_and_closed(self):
        async def test(desk, client):
            async with client.socket() as first, client.socket():
                async with client.socket() as third:
                    assert await third.hear("error") == "Cannot open more than 2 connections."
                    assert (await third.raw.receive()).type == aiohttp.WSMsgType.CLOSE
                    assert third.raw.close_code == 1008
                await first.say({"method": "ping"})
                assert await first.hear() == {"channel": "pong"}

        serve(test, ws_connections_max=2)

    def test_a_closed_connection_makes_room(self):
        async def test(desk, client):
            for _ in range(4):
                async with client.socket() as socket:
                    await socket.say({"method": "ping"})
                    assert await socket.hear() == {"channel": "pong"}

        serve(test, ws_connections_max=1)

    def test_too_many_new_connections_wait_for_the_next_minute(self):
        async def test(desk, client):
            for _ in range(2):
                async with client.socket():
                    pass
            with pytest.raises(aiohttp.WSServerHandshakeError, match="429"):
                async with client.socket():
                    pass
            desk.now_ms += 60_001
            async with client.socket():
                pass

        serve(test, ws_connects_per_minute=2)

    def test_subscriptions_are_counted_over_all_connections(self):
        async def test(desk, client):
            async with client.socket() as first, client.socket() as second:
                await first.subscribe(type="trades", coin="BTC")
                await first.hear("subscriptionResponse")
                await second.subscribe(type="trades", coin="BTC")
                await second.hear("subscriptionResponse")
                await second.subscribe(type="bbo", coin="BTC")
                assert await second.hear() == {
                    "channel": "error",
                    "data": "Cannot subscribe to more than 2 channels.",
                }
                trades = {"type": "trades", "coin": "BTC"}
                await first.say({"method": "unsubscribe", "subscription": trades})
                await first.hear("subscriptionResponse")
                await second.subscribe(type="bbo", coin="BTC")
                assert (await second.hear("subscriptionResponse"))["subscription"]["type"] == "bbo"

        serve(test, ws_subscriptions_max=2)

    def test_one_user_on_several_channels_is_one_user(self):
        async def test(desk, client):
            async with client.socket() as socket:
                for kind in ("orderUpdates", "userFills", "userEvents"):
                    await socket.subscribe(type=kind, user=MASTER.address)
                    await socket.hear("subscriptionResponse")
                await socket.subscribe(type="orderUpdates", user=OTHER.address)
                assert await socket.hear("error") == "Cannot track more than 1 total users."

        serve(test, ws_users_max=1)

    def test_too_many_messages_are_not_heard(self):
        async def test(desk, client):
            async with client.socket() as socket:
                for _ in range(3):
                    await socket.say({"method": "ping"})
                assert [(await socket.hear())["channel"] for _ in range(3)] == ["pong", "pong", "error"]
                desk.now_ms += 60_001
                await socket.say({"method": "ping"})
                assert await socket.hear() == {"channel": "pong"}

        serve(test, ws_messages_per_minute=2)

    def test_too_many_pending_posts_are_refused_by_their_id(self):
        async def test(desk, client):
            async with client.socket() as socket:
                await noop_post(socket, 1)
                await noop_post(socket, 2)
                assert await socket.hear("error") == "too many pending post requests id=2"

        serve(test, ws_posts_in_flight_max=1)

    def test_answered_posts_are_pending_no_more(self):
        async def test(desk, client):
            async with client.socket() as socket:
                for i in range(3):
                    await noop_post(socket, i)
                    assert (await socket.hear("post"))["id"] == i

        serve(test, pump=True, ws_posts_in_flight_max=1)

    def test_a_post_that_nobody_can_have_signed_is_malformed(self):
        async def test(desk, client):
            async with client.socket() as socket:
                body = json.loads(approval_body(MASTER, fresh_key().address, envelope_nonce=next_nonce()))
                await socket.say({"method": "post", "id": 1, "request": {"type": "action", "payload": body}})
                told = await socket.hear("post")
                assert told["response"]["type"] == "error"
                assert told["response"]["payload"].startswith("422 ")

        serve(test)

    def test_a_connection_that_is_told_nothing_is_closed(self):
        async def test(desk, client):
            async with client.socket() as socket:
                with contextlib.suppress(TypeError):
                    await socket.hear(wait_s=1.0)
                assert socket.raw.closed

        serve(test, ws_silence_close_s=0.05)


class TestAgents:
    async def accepted(self, client, name, agent=None, signer=MASTER):
        answer = await client.approve(signer, agent or fresh_key().address, name)
        return answer["status"] == "ok"

    def test_three_have_names_beside_the_one_that_has_none(self):
        async def test(desk, client):
            assert [await self.accepted(client, name) for name in ("", "a", "b", "c", "d")] == [
                True,
                True,
                True,
                True,
                False,
            ]
            assert await self.accepted(client, "b")
            assert await self.accepted(client, "")
            assert len(desk.venue.agents) == 4

        serve(test)

    def test_an_end_is_no_part_of_the_name(self):
        async def test(desk, client):
            first, second = fresh_key(), fresh_key()
            assert await self.accepted(client, f"bot valid_until {wall_ms() + 60_000}", first.address)
            assert (await client.act(first, Noop()))["status"] == "ok"
            assert await self.accepted(client, f"bot valid_until {wall_ms() + 90_000}", second.address)
            assert (await client.act(first, Noop()))["status"] == "err"
            assert (await client.act(second, Noop()))["status"] == "ok"

        serve(test, pump=True)

    def test_it_ends_at_its_time(self, monkeypatch):
        async def test(desk, client):
            agent = fresh_key()
            assert await self.accepted(client, f"valid_until {wall_ms() + 60_000}", agent.address)
            assert (await client.act(agent, Noop()))["status"] == "ok"
            monkeypatch.setattr("makerside.venues.hyperliquid.server.wall_ms", lambda: wall_ms() + 60_000)
            assert (await client.act(agent, Noop()))["status"] == "err"
            assert await client.info(type="userRole", user=agent.address) == {"role": "missing"}

        serve(test, pump=True)

    def test_half_a_year_is_the_longest(self):
        async def test(desk, client):
            assert not await self.accepted(client, f"bot valid_until {wall_ms() + 181 * DAY_MS}")
            assert await self.accepted(client, f"bot valid_until {wall_ms() + 179 * DAY_MS}")

        serve(test)

    def test_nobody_takes_anothers_agent(self):
        async def test(desk, client):
            agent = fresh_key().address
            assert await self.accepted(client, "bot", agent)
            assert not await self.accepted(client, "bot", agent, OTHER)
            assert await self.accepted(client, "bot", agent)
            assert desk.venue.agents == {agent: MASTER.address}

        serve(test)

    def test_a_pruned_agent_leaves_no_nonces_and_an_approved_again_keeps_them(self):
        async def test(desk, client):
            agent, nonce = fresh_key(), next_nonce()
            await self.accepted(client, "bot", agent.address)
            assert (await client.act(agent, Noop(), nonce))["status"] == "ok"
            await self.accepted(client, "bot", agent.address)
            assert "duplicate" in (await client.act(agent, Noop(), nonce))["response"]
            await self.accepted(client, "bot")
            assert agent.address not in desk.venue.nonces

        serve(test, pump=True)

    def test_an_approval_has_no_expiry(self):
        async def test(desk, client):
            body = json.loads(approval_body(MASTER, fresh_key().address))
            body["expiresAfter"] = wall_ms() + 60_000
            assert (await client.send(json.dumps(body).encode()))["status"] == "err"

        serve(test)


def test_an_action_waits_for_its_block_and_then_the_block_is_asked():
    """Section 10, point 4. The clocks of the market and of the clients differ when a recording is replayed."""
    desk = Desk().book([("64000", "9")], [("64001", "9")])
    desk.block()
    answers = []
    account = next(iter(desk.venue.accounts.values()))
    for expires_ms in (5_000, 4_999):
        action = placing(desk.order("B", "63990", "0.01", "Alo"))
        desk.venue.submit(account, action, answers.append, expires_ms)
    desk.venue.run_block((desk.now_ms + 70) * 1_000_000, {}, 5_000)
    assert [type(one).__name__ for one in answers] == ["Accepted", "Refused"]
    assert account.n_requests == 1 + 5
