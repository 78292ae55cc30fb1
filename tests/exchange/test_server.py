"""The local exchange over HTTP and WebSocket, byte by byte.

Venue file, sections 1.2, 2.1, 3.4, 3.5, 4 and 6.
"""

import asyncio
import json
import socket as sockets

import pytest

from exchange.desk import Desk, placing
from exchange.serving import (
    NS_PER_MS,
    WAIT_S,
    DeskClock,
    approval_body,
    fresh_key,
    key,
    next_nonce,
    serving,
    until,
)
from makerside.model.errors import ConfigError
from makerside.net.clock import wall_ms
from makerside.venues.hyperliquid.codec import to_json
from makerside.venues.hyperliquid.server import HyperliquidServer
from makerside.venues.hyperliquid.signer import Signature
from makerside.venues.hyperliquid.wire_actions import Noop, encode_exchange

MASTER, OTHER = key(1), key(2)
DAY_MS = 86_400_000
MALFORMED = "Failed to deserialize the JSON body into the target type"


def market(**rules):
    """Return a desk whose two accounts belong to the keys above."""
    desk = Desk(funds={MASTER.address: 100_000, OTHER.address: 100_000}, **rules)
    desk.book([("64000", "9")], [("64001", "9")]).block()
    return desk


def serve(test, pump=True, **rules):
    """Run an async test with (desk, server, client)."""

    async def run():
        desk = market(**rules)
        async with serving(desk, pump) as (server, client):
            await test(desk, server, client)

    asyncio.run(run())


def quote(desk, price="63990", size="0.01", **more):
    return placing(desk.order("B", price, size, "Alo", **more))


def refused(text):
    return {"status": "err", "response": text}


def stranger_text(address):
    return f"User or API Wallet {address} does not exist."


ORDER = {"a": 0, "b": True, "p": "64000", "s": "0.1", "r": False, "t": {"limit": {"tif": "Gtc"}}}
SIGNATURE = {"r": "0x1", "s": "0x2", "v": 27}


def envelope(action, **changes):
    return {"action": action, "nonce": 1, "signature": SIGNATURE, **changes}


BAD_ACTIONS = {
    "no envelope": {"type": "order"},
    "no action": {"nonce": 1, "signature": SIGNATURE},
    "unknown action": envelope({"type": "dance"}),
    "no type": envelope({}),
    "action of a list": envelope([1]),
    "nonce of text": envelope({"type": "noop"}, nonce="1"),
    "negative nonce": envelope({"type": "noop"}, nonce=-1),
    "signature of text": envelope({"type": "noop"}, signature="0x"),
    "v of 29": envelope({"type": "noop"}, signature={**SIGNATURE, "v": 29}),
    "price of a number": envelope({"type": "order", "orders": [{**ORDER, "p": 64000}], "grouping": "na"}),
    "exponent": envelope({"type": "order", "orders": [{**ORDER, "p": "6.4e4"}], "grouping": "na"}),
    "unknown tif": envelope(
        {"type": "order", "orders": [{**ORDER, "t": {"limit": {"tif": "Fok"}}}], "grouping": "na"}
    ),
    "both types": envelope(
        {"type": "order", "orders": [{**ORDER, "t": {"limit": {"tif": "Alo"}, "trigger": {}}}]}
    ),
    "short cloid": envelope({"type": "order", "orders": [{**ORDER, "c": "0x12"}], "grouping": "na"}),
}


NASTY = {
    "a number that msgpack cannot carry": envelope({"type": "noop", "extra": 1 << 70}),
    "a type that is a list": envelope({"type": ["order"]}),
    "an approval without its fields": envelope({"type": "approveAgent"}),
    "an approval of no address": envelope(
        {
            "type": "approveAgent",
            "agentAddress": "0x12",
            "nonce": 1,
            "signatureChainId": "0x66eee",
            "hyperliquidChain": "Testnet",
        }
    ),
    "a chain that is no number": envelope(
        {
            "type": "approveAgent",
            "agentAddress": "0x" + "1" * 40,
            "nonce": 1,
            "signatureChainId": "moon",
            "hyperliquidChain": "Testnet",
        }
    ),
}


class TestMalformed:
    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"null",
            b"[]",
            b"{",
            b"\xff\xfe",
            b"[" * 100_000,
            b'{"type":"nonsense"}',
            b'{"type":["meta"]}',
            b'{"type":"l2Book"}',
            b'{"type":"l2Book","coin":5}',
            b'{"type":"l2Book","coin":"BTC","nSigFigs":7}',
            b'{"type":"l2Book","coin":"BTC","nSigFigs":4,"mantissa":5}',
            b'{"type":"l2Book","coin":"BTC","mantissa":5}',
            b'{"type":"clearinghouseState","user":"0x12"}',
            b'{"type":"clearinghouseState"}',
            b'{"type":"userFillsByTime","user":"0x' + 40 * b"1" + b'","startTime":"yesterday"}',
        ],
        ids=lambda body: body[:40].decode(errors="replace"),
    )
    def test_a_question_that_fits_no_type_is_422_in_plain_text(self, body):
        async def test(desk, server, client):
            assert await client.post("/info", body) == (422, "text/plain", MALFORMED)

        serve(test, pump=False)

    @pytest.mark.parametrize("name", BAD_ACTIONS)
    def test_an_action_that_fits_no_type_is_422_in_plain_text(self, name):
        async def test(desk, server, client):
            body = json.dumps(BAD_ACTIONS[name]).encode()
            assert await client.post("/exchange", body) == (422, "text/plain", MALFORMED)

        serve(test, pump=False)

    @pytest.mark.parametrize("name", NASTY)
    def test_no_body_makes_the_exchange_fail(self, name):
        async def test(desk, server, client):
            body = json.dumps(NASTY[name]).encode()
            assert (await client.post("/exchange", body))[0] == 422

        serve(test, pump=False)

    def test_only_the_venues_routes_exist(self):
        async def test(desk, server, client):
            async with client.session.get(client.url + "/info") as answer:
                assert answer.status == 405
            assert (await client.post("/", b"{}"))[0] == 404
            assert (await client.post("//exchange", b"{}"))[0] == 404

        serve(test, pump=False)


class TestSignatures:
    def test_business_errors_are_http_200(self):
        async def test(desk, server, client):
            answer = await client.act(MASTER, quote(desk, size="0"))
            assert answer["response"]["data"]["statuses"] == [{"error": "Order has zero size."}]

        serve(test)

    def test_a_stranger_is_refused_by_its_own_address(self):
        async def test(desk, server, client):
            stranger = fresh_key()
            assert await client.act(stranger, quote(desk)) == refused(stranger_text(stranger.address))
            assert desk.venue._waiting == []

        serve(test)

    def test_one_changed_byte_makes_a_stranger(self):
        async def test(desk, server, client):
            nonce = next_nonce()
            signature = MASTER.sign_action(quote(desk, size="0.01"), nonce)
            answer = await client.send(encode_exchange(quote(desk, size="0.02"), nonce, signature))
            assert answer["status"] == "err"
            assert answer["response"].startswith("User or API Wallet 0x")
            assert MASTER.address not in answer["response"]

        serve(test)

    def test_expiry_and_vault_are_part_of_what_is_signed(self):
        async def test(desk, server, client):
            nonce, later = next_nonce(), wall_ms() + 60_000
            signature = MASTER.sign_action(Noop(), nonce, None, None)
            answer = await client.send(encode_exchange(Noop(), nonce, signature, None, later))
            assert answer["response"].startswith("User or API Wallet 0x")

        serve(test)

    def test_the_order_of_keys_in_the_body_does_not_matter(self):
        async def test(desk, server, client):
            nonce = next_nonce()
            action = quote(desk)
            body = json.loads(encode_exchange(action, nonce, MASTER.sign_action(action, nonce)))
            body["action"] = dict(reversed(body["action"].items()))
            body["action"]["orders"] = [dict(reversed(one.items())) for one in body["action"]["orders"]]
            answer = await client.send(json.dumps(body).encode())
            assert "resting" in answer["response"]["data"]["statuses"][0]

        serve(test)

    def test_trimmed_zeros_of_a_signature_are_filled_up(self):
        """The SDK renders r and s as integers: one in six has fewer than 64 digits."""

        async def test(desk, server, client):
            nonce = next_nonce()
            while True:
                signature = MASTER.sign_action(Noop(), nonce)
                trimmed = Signature(hex(int(signature.r, 16)), hex(int(signature.s, 16)), signature.v)
                if trimmed != signature:
                    break
                nonce += 1
            answer = await client.send(encode_exchange(Noop(), nonce, trimmed))
            assert answer == {"status": "ok", "response": {"type": "default"}}

        serve(test)

    def test_a_mainnet_signature_is_read_as_well(self):
        async def test(desk, server, client):
            assert (await client.act(MASTER, Noop(), is_mainnet=True))["status"] == "ok"

        serve(test)

    def test_absent_and_null_envelope_fields_are_the_same(self):
        async def test(desk, server, client):
            for extra in ({}, {"vaultAddress": None, "expiresAfter": None}):
                nonce = next_nonce()
                signature = json.loads(to_json(MASTER.sign_action(Noop(), nonce)))
                body = {"action": {"type": "noop"}, "nonce": nonce, "signature": signature, **extra}
                assert (await client.send(json.dumps(body).encode()))["status"] == "ok"

        serve(test)

    def test_an_unknown_vault_is_named(self):
        async def test(desk, server, client):
            vault = "0x" + "7" * 40
            assert await client.act(MASTER, Noop(), vault=vault) == refused(f"Vault not registered: {vault}")

        serve(test)


class TestNonces:
    def test_a_nonce_is_used_once_per_signer(self):
        async def test(desk, server, client):
            nonce = next_nonce()
            assert (await client.act(MASTER, Noop(), nonce))["status"] == "ok"
            assert await client.act(MASTER, Noop(), nonce) == refused(f"Invalid nonce: duplicate nonce {nonce}")
            assert (await client.act(OTHER, Noop(), nonce))["status"] == "ok"

        serve(test)

    def test_they_may_come_out_of_order(self):
        async def test(desk, server, client):
            last = next_nonce()
            for nonce in (last, last - 5, last - 3):
                assert (await client.act(MASTER, Noop(), nonce))["status"] == "ok"

        serve(test)

    def test_below_the_smallest_that_is_kept_they_are_too_low(self):
        async def test(desk, server, client):
            first = next_nonce()
            for i in range(1, 5):
                assert (await client.act(MASTER, Noop(), first + 10 * i))["status"] == "ok"
            lowest = first + 20  # of the three that are kept
            answer = await client.act(MASTER, Noop(), first)
            assert answer == refused(f"Invalid nonce: nonce too low {first} < {lowest}")
            assert (await client.act(MASTER, Noop(), first + 25))["status"] == "ok"

        serve(test, nonces_kept=3)

    @pytest.mark.parametrize(
        ("offset_ms", "is_allowed"),
        [
            (-2 * DAY_MS - 5_000, False),
            (-2 * DAY_MS + 60_000, True),
            (DAY_MS - 60_000, True),
            (DAY_MS + 60_000, False),
        ],
    )
    def test_they_lie_between_two_days_ago_and_tomorrow(self, offset_ms, is_allowed):
        async def test(desk, server, client):
            answer = await client.act(MASTER, Noop(), wall_ms() + offset_ms)
            assert (answer["status"] == "ok") == is_allowed
            assert is_allowed or answer["response"].startswith("Invalid nonce: nonce too")

        serve(test)

    def test_a_refused_stranger_leaves_no_nonces_behind(self):
        async def test(desk, server, client):
            await client.act(fresh_key(), Noop())
            assert set(desk.venue.nonces) <= {MASTER.address, OTHER.address}

        serve(test)


class TestExpiry:
    def test_an_expired_action_is_refused_and_costs_five_requests(self):
        async def test(desk, server, client):
            answer = await client.act(MASTER, quote(desk), expires=wall_ms() - 1_000)
            assert answer["status"] == "err"
            assert "expire" in answer["response"].lower()
            assert await client.info(type="openOrders", user=MASTER.address) == []
            assert (await client.info(type="userRateLimit", user=MASTER.address))["nRequestsUsed"] == 5

        serve(test)

    def test_one_in_time_is_carried_out(self):
        async def test(desk, server, client):
            answer = await client.act(MASTER, quote(desk), expires=wall_ms() + 5_000)
            assert "resting" in answer["response"]["data"]["statuses"][0]

        serve(test)

    def test_it_is_the_block_that_counts(self):
        """Section 10, point 4: checked against block time. A client takes silence after that as final."""

        async def test(desk, server, client):
            sent = asyncio.create_task(client.act(MASTER, quote(desk), expires=wall_ms() + 40))
            await until(lambda: desk.venue._waiting)
            await asyncio.sleep(0.08)
            desk.now_ms += 70
            server.make_block()
            assert (await sent)["status"] == "err"

        serve(test, pump=False)


class TestAgents:
    def test_an_agent_acts_for_its_master(self):
        async def test(desk, server, client):
            agent = fresh_key()
            assert await client.act(agent, quote(desk)) == refused(stranger_text(agent.address))
            assert (await client.approve(MASTER, agent.address))["status"] == "ok"
            answer = await client.act(agent, quote(desk))
            assert "resting" in answer["response"]["data"]["statuses"][0]
            assert len(await client.info(type="openOrders", user=MASTER.address)) == 1
            assert await client.info(type="openOrders", user=agent.address) == []
            role = {"role": "agent", "data": {"user": MASTER.address}}
            assert await client.info(type="userRole", user=agent.address) == role

        serve(test)

    def test_a_stranger_cannot_approve(self):
        async def test(desk, server, client):
            stranger, agent = fresh_key(), fresh_key()
            answer = await client.approve(stranger, agent.address)
            assert answer == refused(stranger_text(stranger.address))
            assert (await client.act(agent, Noop()))["status"] == "err"

        serve(test)

    def test_an_agent_cannot_approve_for_its_master(self):
        async def test(desk, server, client):
            agent, second = fresh_key(), fresh_key()
            await client.approve(MASTER, agent.address)
            assert (await client.approve(agent, second.address))["status"] == "err"
            assert (await client.act(second, Noop()))["status"] == "err"

        serve(test)

    def test_an_account_cannot_be_made_somebodys_agent(self):
        async def test(desk, server, client):
            await client.approve(OTHER, MASTER.address)
            await client.act(MASTER, quote(desk))
            assert await client.info(type="openOrders", user=OTHER.address) == []
            assert len(await client.info(type="openOrders", user=MASTER.address)) == 1

        serve(test)

    @pytest.mark.parametrize("name", ["", "bot"])
    def test_a_new_agent_of_the_same_name_replaces_the_old_one(self, name):
        async def test(desk, server, client):
            old, new = fresh_key(), fresh_key()
            await client.approve(MASTER, old.address, name)
            await client.approve(MASTER, new.address, name)
            assert (await client.act(new, Noop()))["status"] == "ok"
            assert await client.act(old, Noop()) == refused(stranger_text(old.address))

        serve(test)

    def test_an_agent_ends_when_its_name_says_so(self):
        async def test(desk, server, client):
            agent = fresh_key()
            await client.approve(MASTER, agent.address, f"bot valid_until {wall_ms() - 1_000}")
            assert (await client.act(agent, Noop()))["status"] == "err"

        serve(test)

    def test_an_approval_cannot_be_sent_again_under_another_nonce(self):
        """Section 2.3: the envelope's nonce must equal the inner one, which alone is signed."""

        async def test(desk, server, client):
            agent, nonce = fresh_key(), next_nonce()
            assert json.loads(
                (await client.post("/exchange", approval_body(MASTER, agent.address, "", nonce)))[2]
            )
            replayed = approval_body(MASTER, agent.address, "", nonce, envelope_nonce=next_nonce())
            status, _, text = await client.post("/exchange", replayed)
            assert status == 422 or json.loads(text)["status"] == "err"

        serve(test)


class TestWeights:
    def test_too_much_weight_is_429_with_null_until_the_minute_is_over(self):
        async def test(desk, server, client):
            body = b'{"type":"meta"}'
            assert (await client.post("/info", body))[0] == 200
            assert await client.post("/info", body) == (429, "application/json", "null")
            assert (await client.post("/info", b'{"type":"allMids"}'))[0] == 200  # 20 + 2 fit into 30
            desk.now_ms += 60_001
            assert (await client.post("/info", body))[0] == 200

        serve(test, pump=False, ip_weight_per_minute=30)

    def test_what_was_refused_costs_nothing(self):
        async def test(desk, server, client):
            role = json.dumps({"type": "userRole", "user": MASTER.address}).encode()
            for _ in range(5):
                assert (await client.post("/info", role))[0] == 429  # 60 never fit
            assert (await client.post("/info", b'{"type":"meta"}'))[0] == 200

        serve(test, pump=False, ip_weight_per_minute=30)

    def test_a_batch_of_forty_costs_two(self):
        async def test(desk, server, client):
            many = placing(*(desk.order("B", "63990", "0.01", "Alo") for _ in range(40)))
            assert (await client.act(MASTER, many))["status"] == "ok"
            assert (await client.act(MASTER, Noop()))["status"] == "ok"
            nonce = next_nonce()
            body = encode_exchange(Noop(), nonce, MASTER.sign_action(Noop(), nonce))
            assert (await client.post("/exchange", body))[0] == 429

        serve(test, ip_weight_per_minute=3)

    def test_a_long_answer_costs_one_more_per_twenty_items(self):
        async def test(desk, server, client):
            for _ in range(40):
                desk.trade("B", "64001", "0.001")
            desk.block()
            recent = b'{"type":"recentTrades","coin":"BTC"}'
            assert len(json.loads((await client.post("/info", recent))[2])) >= 40
            assert (await client.post("/info", recent))[0] == 429  # 20 + 2 of 41

        serve(test, pump=False, ip_weight_per_minute=41)


class TestSocket:
    def test_subscriptions_are_confirmed_in_a_normalised_form(self):
        async def test(desk, server, client):
            async with client.socket() as socket:
                await socket.subscribe(type="l2Book", coin="BTC", fast=True)
                told = await socket.hear("subscriptionResponse")
                assert told["method"] == "subscribe"
                wanted = {"type": "l2Book", "coin": "BTC", "nSigFigs": None, "mantissa": None, "fast": True}
                assert {name: told["subscription"].get(name) for name in wanted} == wanted
                assert (await socket.hear("l2Book"))["coin"] == "BTC"

        serve(test)

    def test_mistakes_are_told_in_the_venues_words(self):
        async def test(desk, server, client):
            async with client.socket() as socket:
                trades = {"type": "trades", "coin": "BTC"}
                await socket.subscribe(**trades)
                await socket.hear("subscriptionResponse")
                await socket.subscribe(**trades)
                assert (await socket.hear("error")).startswith("Already subscribed: {")
                await socket.say({"method": "unsubscribe", "subscription": trades})
                assert (await socket.hear("subscriptionResponse"))["method"] == "unsubscribe"
                await socket.say({"method": "unsubscribe", "subscription": trades})
                assert (await socket.hear("error")).startswith("Already unsubscribed: {")
                await socket.subscribe(type="trades", coin="NOPE")
                assert (await socket.hear("error")).startswith("Invalid subscription: {")
                await socket.say("hello")
                assert (await socket.hear("error")).startswith(
                    "Error parsing JSON into valid websocket request"
                )
                await socket.say({"method": "ping"})
                assert await socket.hear() == {"channel": "pong"}

        serve(test, pump=False)

    @pytest.mark.parametrize("kind", ["orderUpdates", "userFills", "userEvents"])
    def test_a_channel_of_a_user_needs_a_user(self, kind):
        async def test(desk, server, client):
            async with client.socket() as socket:
                await socket.subscribe(type=kind)
                assert (await socket.hear())["channel"] == "error"

        serve(test, pump=False)

    def test_fills_begin_with_a_snapshot_and_order_updates_do_not(self):
        async def test(desk, server, client):
            await client.act(MASTER, placing(desk.order("B", "64002", "0.01", "Ioc")))
            async with client.socket() as socket:
                user = MASTER.address
                await socket.subscribe(type="userFills", user=user)
                await socket.subscribe(type="orderUpdates", user=user)
                await socket.subscribe(type="userEvents", user=user)
                snapshot = await socket.hear("userFills")
                assert snapshot["isSnapshot"] is True
                assert (snapshot["user"], [one["sz"] for one in snapshot["fills"]]) == (user, ["0.01"])
                await client.act(MASTER, placing(desk.order("A", "63999", "0.02", "Ioc")))
                told = {}
                while len(told) < 3:
                    message = await socket.hear()
                    if message["channel"] in ("userFills", "orderUpdates", "user"):
                        told.setdefault(message["channel"], message["data"])
                assert "isSnapshot" not in told["userFills"]
                assert [one["sz"] for one in told["userFills"]["fills"]] == ["0.02"]
                assert told["user"] == {"fills": told["userFills"]["fills"]}
                assert {one["status"] for one in told["orderUpdates"]} == {"filled"}  # of the second order only

        serve(test)

    def test_an_empty_snapshot_is_sent_too(self):
        async def test(desk, server, client):
            async with client.socket() as socket:
                await socket.subscribe(type="userFills", user=MASTER.address.upper().replace("0X", "0x"))
                snapshot = await socket.hear("userFills")
                assert snapshot == {"user": MASTER.address, "fills": [], "isSnapshot": True}

        serve(test, pump=False)

    def test_nobody_hears_of_another_account(self):
        async def test(desk, server, client):
            async with client.socket() as socket:
                await socket.subscribe(type="orderUpdates", user=OTHER.address)
                await socket.hear("subscriptionResponse")
                await client.act(MASTER, quote(desk))
                await client.act(OTHER, quote(desk, price="63000"))
                (update,) = await socket.hear("orderUpdates")
                assert update["order"]["limitPx"] == "63000.0"

        serve(test)

    def test_mids_come_about_every_two_seconds(self):
        async def test(desk, server, client):
            async with client.socket() as socket:
                await socket.subscribe(type="allMids")
                assert await socket.hear("allMids") == {"mids": {"BTC": "64000.5"}}
                before = desk.now_ms
                await socket.hear("allMids")
                await socket.hear("allMids")
                assert 2_000 <= desk.now_ms - before <= 6_000

        serve(test)

    def test_questions_and_actions_can_be_posted(self):
        async def test(desk, server, client):
            async with client.socket() as socket:
                question = {"type": "info", "payload": {"type": "l2Book", "coin": "BTC"}}
                await socket.say({"method": "post", "id": 7, "request": question})
                told = await socket.hear("post")
                assert (told["id"], told["response"]["type"]) == (7, "info")
                assert told["response"]["payload"]["type"] == "l2Book"
                assert told["response"]["payload"]["data"]["coin"] == "BTC"
                nonce = next_nonce()
                action = quote(desk)
                body = json.loads(encode_exchange(action, nonce, MASTER.sign_action(action, nonce)))
                await socket.say({"method": "post", "id": 8, "request": {"type": "action", "payload": body}})
                told = await socket.hear("post")
                assert (told["id"], told["response"]["type"]) == (8, "action")
                assert told["response"]["payload"]["status"] == "ok"
                await socket.say({"method": "post", "id": 9, "request": {"type": "action", "payload": {}}})
                told = await socket.hear("post")
                assert told["response"] == {
                    "type": "error",
                    "payload": f"422 Unprocessable Entity: {MALFORMED}",
                }

        serve(test)

    def test_an_order_outlives_the_socket_that_posted_it(self):
        """A lost reply is no lost order (section 4.2)."""

        async def test(desk, server, client):
            nonce = next_nonce()
            action = quote(desk)
            body = json.loads(encode_exchange(action, nonce, MASTER.sign_action(action, nonce)))
            async with client.socket() as socket:
                await socket.say({"method": "post", "id": 8, "request": {"type": "action", "payload": body}})
                await until(lambda: desk.venue._waiting)
            await until(lambda: not server.connections)
            desk.now_ms += 70
            server.make_block()
            assert len(await client.info(type="openOrders", user=MASTER.address)) == 1

        serve(test, pump=False)

    def test_eleven_users_are_too_many(self):
        async def test(desk, server, client):
            async with client.socket() as socket:
                for i in range(11):
                    await socket.subscribe(type="orderUpdates", user=f"0x{i:040x}")
                assert await socket.hear("error", wait_s=0.5) == "Cannot track more than 10 total users."

        serve(test, pump=False)


class TestLife:
    def test_a_port_in_use_is_the_users_mistake(self):
        async def test(desk, server, client):
            second = HyperliquidServer(desk.venue, DeskClock(desk))
            with pytest.raises(ConfigError, match=rf"--port {server.port}: .*; 0 takes a free one"):
                await second.start(server.port)

        serve(test, pump=False)

    def test_it_listens_on_loopback_only(self):
        async def test(desk, server, client):
            (site,) = server._runner.sites
            assert {socket.getsockname()[0] for socket in site._server.sockets} == {"127.0.0.1"}

        serve(test, pump=False)

    def test_it_stops_at_once_though_a_client_says_nothing(self):
        asyncio.run(self.stop_with(n_frames=0))

    def test_it_stops_at_once_though_a_client_reads_nothing(self):
        asyncio.run(self.stop_with(n_frames=200))

    async def stop_with(self, n_frames):
        desk = market()
        server = HyperliquidServer(desk.venue, DeskClock(desk))
        await server.start(0)
        hung = raw_socket(server.port)
        try:
            await until(lambda: server.connections)
            await fill_up(server, n_frames)
            async with asyncio.timeout(2.0):
                await server.stop()
        finally:
            hung.close()
            await server.stop()

    def test_a_reader_that_does_not_keep_up_is_cut_off(self):
        async def run():
            desk = market()
            async with serving(desk, pump=False) as (server, _):
                hung = raw_socket(server.port)
                try:
                    await until(lambda: server.connections)
                    await fill_up(server, n_frames=5_000)
                    await until(lambda: not server.connections, wait_s=1.0)
                finally:
                    hung.close()

        asyncio.run(run())


async def fill_up(server, n_frames):
    """Send more to the only client than its sockets hold."""
    (connection,) = server.connections
    frame = b"x" * 65_536
    for i in range(n_frames):
        connection.send(frame)
        if i % 100 == 0:
            await asyncio.sleep(0)


def raw_socket(port):
    """Return a socket that has asked for a WebSocket and says and reads nothing any more."""
    raw = sockets.create_connection(("127.0.0.1", port), timeout=WAIT_S)
    raw.sendall(
        b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    return raw


def test_the_weight_of_an_address_comes_back_with_time():
    from makerside.venues.hyperliquid.server_sockets import WeightWindow

    window = WeightWindow(10, window_ns=60_000 * NS_PER_MS)
    assert window.spend(6, 0)
    assert not window.spend(6, 59_999 * NS_PER_MS)
    assert window.spend(4, 59_999 * NS_PER_MS)
    assert window.spend(6, 60_000 * NS_PER_MS)
    assert not window.spend(1, 60_000 * NS_PER_MS)
