"""What our client does when something of ours or of the venue's fails: nothing is lost, nothing rests.

Beside `test_client_life.py`, which loses sockets and answers.
"""

import asyncio
from types import SimpleNamespace

import numpy as np
import pytest

from exchange.bots import BOT, filter_frames, hurry, url_of
from exchange.desk import cancelling
from exchange.serving import serving, until
from exchange.test_client_life import (
    agree,
    hit_a_bid,
    loaded,
    market,
    orders_of,
    quoted,
    rows_of,
    run_bot,
    truth_of,
)
from makerside.model.errors import VenueRefused
from makerside.model.event import Flag, Kind, event_t, order_detail_t
from makerside.model.order import OrderState
from makerside.net.clock import Clock
from makerside.runtime import live
from makerside.venues.hyperliquid.client import HyperliquidClient
from makerside.venues.hyperliquid.client_fills import BEGIN_MS, HOLD_TRIES, OVERLAP_MS, FillBook
from makerside.venues.hyperliquid.client_http import FILLS_PER_ANSWER
from makerside.venues.hyperliquid.codec import Malformed, to_json
from makerside.venues.hyperliquid.server_info import InfoDesk
from makerside.venues.hyperliquid.wire_account import Fill, Funding
from makerside.venues.hyperliquid.wire_frames import UserFundings, UserFundingsFrame
from makerside.venues.hyperliquid.wire_info import UserFillsByTimeRequest


class Broken(AssertionError):
    """What a kernel raises when an invariant of ours does not hold."""


class TestAStepThatFails:
    """Our own mistake ends the run with its error; the orders that rest are cancelled without the bot."""

    @pytest.mark.parametrize("where", ["in the socket's callback", "in a timer"])
    def test_it_ends_the_run_and_leaves_nothing(self, tmp_path, monkeypatch, where):
        hurry(monkeypatch)
        seen = {}

        def fail(rows):
            raise Broken("an invariant")

        async def during(shell, desk, server, client):
            seen["desk"] = desk
            assert len(desk.open_orders(BOT.address)) == 6
            if where == "in a timer":
                step = shell.engine.step
                shell.engine.step = lambda rows: fail(rows) if rows[0]["kind"] == Kind.TIMER else step(rows)
            else:
                shell.engine.step = fail
                desk.book([("63990", "9")], [("63991", "9"), ("64011", "9")])
            await asyncio.sleep(30)

        with pytest.raises(Broken):
            run_bot(tmp_path, during)
        assert seen["desk"].open_orders(BOT.address) == []

    def test_nothing_is_told_after_an_error(self):
        async def main():
            async with serving(market()) as (server, _):
                client = await loaded(server)
                told = []

                def refuse(n):
                    told.append(n)
                    raise Broken("an invariant")

                client.on_rows = refuse
                with pytest.raises(Broken):
                    await asyncio.wait_for(client.run(), 5)
                assert client.has_failed
                client.on_down()
                await client.close()
                assert len(told) == 1

        asyncio.run(main())


class TestLostNews:
    def test_an_order_whose_end_could_not_be_read_is_asked_for(self, tmp_path, monkeypatch):
        """The venue cancels an order of ours, and the frame that tells it is spoilt: no gap, no fill."""
        hurry(monkeypatch)

        def spoil(frame):
            return frame.replace(b'"limitPx":"', b'"limitPx":"?') if b'"orderUpdates"' in frame else frame

        async def during(shell, desk, server, client):
            oid = desk.open_orders(BOT.address)[0]["oid"]
            with monkeypatch.context() as patch:
                filter_frames(patch, spoil)
                await client.act(BOT, cancelling(oid))  # as a liquidation would
                await until(lambda: shell.gateway.session.statistics().n_private_lost)
            await until(lambda: len(desk.open_orders(BOT.address)) == 6 and len(orders_of(shell)) == 6)
            assert shell.gateway._link.n_connects == 1
            assert not shell.gateway.has_doubts

        run_bot(tmp_path, during)

    def test_fills_are_told_late_when_the_venue_does_not_answer(self, tmp_path, monkeypatch):
        """After two questions in vain the position matters more than the order of the fills."""
        hurry(monkeypatch)
        from makerside.venues.hyperliquid import client as module

        monkeypatch.setattr(module, "CATCH_UP_RETRY_S", 0.1)
        answer = InfoDesk.answer
        asked = []

        def silent(self, request):
            if isinstance(request, UserFillsByTimeRequest):
                asked.append(request)
                raise Malformed("not now")
            return answer(self, request)

        async def during(shell, desk, server, client):
            with monkeypatch.context() as patch:
                patch.setattr(InfoDesk, "answer", silent)
                shell.gateway._lose_track()
                await hit_a_bid(desk, client)
                await until(lambda: truth_of(server)[0] > 0 and agree(shell, server))
                assert len(asked) >= HOLD_TRIES
            await until(lambda: shell.gateway._fills._is_sure)
            assert agree(shell, server)

        run_bot(tmp_path, during)


class TestFunding:
    """Payments have no id: those since the newest that was told are taken from the snapshot."""

    def frame(self, is_snapshot, *times_ms):
        told = tuple(Funding(at, "BTC", "0.5", "4.0", "0.0000125", 1) for at in times_ms)
        return to_json(UserFundingsFrame(UserFundings(BOT.address, told, is_snapshot)))

    def test_a_payment_is_booked_once(self):
        async def main():
            async with serving(market()) as (server, _):
                client = await loaded(server)
                state = await client.account_state()
                await client.begin(state)
                found = rows_of(client)
                at = state.ts_venue_ms
                client.on_frame(self.frame(True, at - 1, at))  # in the statement
                assert found == []
                client.on_frame(self.frame(True, at - 1, at, at + 5))  # charged since
                client.on_frame(self.frame(False, at + 10))
                client.on_frame(self.frame(True, at, at + 5, at + 10, at + 20))  # after a reconnect
                times = [int(row["ts_venue_ns"]) // 10**6 for rows in found for row in rows[::2]]
                assert times == [at + 5, at + 10, at + 20]
                assert {int(rows[0]["kind"]) for rows in found} == {Kind.FUNDING}
                await client.close()

        asyncio.run(main())


def fill_at(time_ms, trade_id):
    return Fill(
        coin="BTC",
        price="64000.0",
        size="0.001",
        side="B",
        time=time_ms,
        start_position="0.0",
        direction="Open Long",
        closed_pnl="0.0",
        hash="0x" + "0" * 64,
        oid=trade_id,
        crossed=False,
        fee="0.0",
        trade_id=trade_id,
    )


@pytest.mark.parametrize("n", [0, 1, FILLS_PER_ANSWER, FILLS_PER_ANSWER + 1, 3 * FILLS_PER_ANSWER])
def test_more_fills_than_one_answer_holds_are_asked_for_in_pages(monkeypatch, n):
    """Section 1.5: 2,000 an answer. Several fills of one block share a time, also across pages."""
    held = [fill_at(1_000_000 + i // 3, i + 1) for i in range(n)]

    async def answer(request):
        return tuple(fill for fill in held if fill.time >= request.start_time)[:FILLS_PER_ANSWER]

    async def main():
        client = HyperliquidClient("http://127.0.0.1:9", Clock(), BOT)
        monkeypatch.setattr(client, "ask", answer)
        assert await client.fills_since(1_000_000) == held

    asyncio.run(main())


def test_a_client_that_is_closed_tells_nothing():
    async def main():
        async with serving(market()) as (server, _):
            client = await loaded(server)
            told = []
            client.on_rows = told.append
            running = asyncio.create_task(client.run())
            await until(lambda: told)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await client.close()
            before = len(told)
            await until(lambda: not server.connections)
            assert len(told) == before

    asyncio.run(main())


def fill_rows(*fills):
    """Return FILL rows. fills : (time ms, trade id)"""
    rows = np.zeros(2 * len(fills), event_t)
    rows["kind"][::2] = Kind.FILL
    rows["ts_venue_ns"][::2] = [time_ms * 1_000_000 for time_ms, _ in fills]
    rows.view(order_detail_t)["reference"][1::2] = [trade_id for _, trade_id in fills]
    rows["flags"][-2] = Flag.LAST
    return rows


class TestFillBook:
    T = 1_000_000

    def started(self):
        book = FillBook()
        assert book.begin(self.T) == self.T - BEGIN_MS
        return book

    def test_before_a_beginning_there_is_nothing_to_ask_for(self):
        book = FillBook()
        assert book.since_ms is None
        book.lose_track()
        assert not book.is_holding

    def test_the_mark_follows_the_stream_while_it_is_trusted(self):
        book = self.started()
        book.note(fill_rows((self.T + 5_000, 1)))
        assert book.since_ms == self.T + 5_000 - OVERLAP_MS
        assert book.is_known(1)
        assert not book.is_known(2)

    def test_the_mark_stays_while_something_may_be_missing(self):
        book = self.started()
        book.lose_track()
        book.note(fill_rows((self.T + 9_000, 1)))
        assert book.since_ms == self.T - OVERLAP_MS
        book.regain_track()
        assert book.since_ms == self.T + 9_000 - OVERLAP_MS

    def test_what_is_held_is_told_once(self):
        book = self.started()
        book.lose_track()
        assert book.is_holding
        book.hold(fill_rows((self.T, 1), (self.T, 2)))
        book.hold(fill_rows((self.T, 3)))
        assert book.lacks_held
        book.know([2, 3])
        (left,) = book.release()
        assert left.view(order_detail_t)["reference"][1::2].tolist() == [1]
        assert left["flags"][0] & Flag.LAST
        assert book.release() == []

    def test_it_holds_for_two_questions_only(self):
        book = self.started()
        book.lose_track()
        for _ in range(HOLD_TRIES):
            assert book.is_holding
            book.fail()
        assert not book.is_holding
        book.lose_track()
        assert not book.is_holding  # still the same trouble


def test_an_order_that_rests_is_not_asked_for(tmp_path, monkeypatch):
    """Doubts are settled with one question; only what the venue does not list is asked for one by one."""
    hurry(monkeypatch)
    asked = []
    resolve = HyperliquidClient.resolve

    async def noted(self, orders):
        asked.extend(int(order["client_order_id"]) for _, order in orders)
        await resolve(self, orders)

    async def during(shell, desk, server, client):
        monkeypatch.setattr(HyperliquidClient, "resolve", noted)
        await quoted(shell)
        shell.gateway._lose_track()
        await until(lambda: not shell.gateway.has_doubts)
        await asyncio.sleep(0.2)
        assert asked == []
        assert [state for *_, state in orders_of(shell)] == [OrderState.RESTING] * 6
        assert url_of(server) == shell.gateway.url

    run_bot(tmp_path, during)


def test_doubts_last_until_their_orders_were_asked_for(tmp_path, monkeypatch):
    """The venue lists what rests, and then refuses to tell of the one that is missing: it is asked again."""
    hurry(monkeypatch)
    monkeypatch.setattr(live, "RESOLVE_S_MAX", 0.2)
    resolve, refused = HyperliquidClient.resolve, []

    async def busy(self, orders):
        if len(refused) < 3:
            refused.append(len(orders))
            raise VenueRefused("HTTP 429")
        await resolve(self, orders)

    async def during(shell, desk, server, client):
        await quoted(shell)
        monkeypatch.setattr(HyperliquidClient, "resolve", busy)
        shell.gateway._lose_track()
        await until(lambda: len(refused) == 3)
        assert shell.gateway.has_doubts
        await until(lambda: not shell.gateway.has_doubts)

    run_bot(tmp_path, during)


class LateVenue:
    """A venue that takes its time to cancel: two orders rest, one leaves with each cancel after the first."""

    def __init__(self, answers):
        self.answers, self.n_cancels = list(answers), 0

    async def account_state(self):
        return SimpleNamespace(own_orders=["an order"])

    async def cancel_leftovers(self, orders):
        self.n_cancels += 1

    async def recover_fills(self):
        return True

    async def open_order_count(self):
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def release_fills(self):
        pass


@pytest.mark.parametrize(
    ("is_quiet", "answers", "left", "n_cancels"),
    [
        (True, [0], 0, 0),
        (True, [2, 1, 0], 0, 2),  # the bot thought that nothing rests
        (False, [2, VenueRefused("HTTP 429"), 0], 0, 3),
        (True, [1, 1, 1, 1], 1, 3),
        (True, [VenueRefused("no")] * 4, -1, 3),
    ],
)
def test_what_is_left_at_the_end_is_cancelled_again(is_quiet, answers, left, n_cancels, monkeypatch):
    monkeypatch.setattr(live, "LEFT_PAUSES_S", (0.0,) * 4)
    venue = LateVenue(answers)
    assert asyncio.run(live._count_left(venue, is_quiet)) == left
    assert venue.n_cancels == n_cancels
