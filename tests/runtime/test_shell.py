"""The shell: rows to journal, to decisions, to journal, to the gateway; timers, commands, the end of a run."""

import asyncio

import numpy as np
import pytest

from builders import BUY, MS, PLAIN_TICKS, SELL, START_NS, S, acks, cancels, make_engine, report, touch
from makerside.engine import opening_rows
from makerside.journal.reader import read_journal
from makerside.journal.writer import JournalWriter
from makerside.model.action import ActionKind
from makerside.model.event import FIRST_ACTION, Command, Kind
from makerside.model.order import OrderState
from makerside.runtime import shell as module
from makerside.runtime.shell import Shell
from scripted import script

BID, ASK = PLAIN_TICKS - 10, PLAIN_TICKS + 10


class HandClock:
    """Time that stands where the test puts it."""

    speed = 1.0

    def __init__(self):
        self.ns = START_NS

    def now_ns(self):
        return self.ns

    def wall_s(self, market_ns):
        return 0.0


class Venue:
    """Keeps what was sent, and answers when told to."""

    def __init__(self):
        self.sent = []
        self.shell = None

    def send(self, actions):
        self.sent.append(actions.copy())

    def answer(self, local):
        actions, self.sent = np.concatenate(self.sent), []
        self.shell.feed(acks(actions, local))


@pytest.fixture
def journal(tmp_path):
    with JournalWriter(tmp_path / "journal.bin") as writer:
        yield writer


@pytest.fixture
def bot(journal):
    """A shell whose strategy wants one quote a side, opened, with a book, its quotes resting."""
    engine = make_engine(start_ns=None)
    venue = Venue()
    shell = venue.shell = Shell(engine, journal, HandClock(), venue)
    shell.feed(opening_rows(1, 10_000.0, START_NS))
    script(engine, (BUY, BID, 100), (SELL, ASK, 100))
    shell.feed(touch(BID, ASK, START_NS))
    venue.answer(START_NS + MS)
    return shell


def states(shell):
    return [OrderState(state).name for *_, state in shell.statistics().legs[0].orders]


def journaled(journal):
    return read_journal(journal.path)


def test_an_arrival_becomes_decisions_on_the_wire(bot):
    assert states(bot) == ["RESTING", "RESTING"]
    script(bot.engine, (BUY, BID - 1, 100), (SELL, ASK, 100))
    bot.feed(touch(BID - 1, ASK, START_NS + S))
    (sent,) = bot.gateway.sent
    assert [int(row["kind"]) for row in sent] == [ActionKind.CANCEL, ActionKind.PLACE]
    assert bot.n_actions == 4


def test_everything_is_in_the_journal_before_it_is_sent(bot, journal):
    """A kill between deciding and sending must not lose an intent."""
    seen = []
    bot.gateway.send = lambda actions: seen.append((len(actions), len(journaled(journal).actions)))
    before = len(journaled(journal).actions)
    script(bot.engine, (BUY, BID - 1, 100), (SELL, ASK + 1, 100))
    bot.feed(touch(BID, ASK + 1, START_NS + S))
    assert seen == [(4, before + 4)]


def test_rows_in_the_journal_are_those_that_were_fed(bot, journal):
    rows = touch(BID - 2, ASK + 2, START_NS + S)
    bot.feed(rows.copy())
    events = journaled(journal).events
    assert events[-2:].tobytes() == rows.tobytes()


class TestTime:
    def test_a_row_from_the_past_takes_the_time_of_the_last(self, bot, journal):
        bot.feed(touch(BID, ASK, START_NS + 5 * S))
        bot.feed(touch(BID, ASK, START_NS + 2 * S, venue=START_NS + 2 * S))
        last = journaled(journal).events[-2:]
        assert last["ts_local_ns"].tolist() == [START_NS + 5 * S] * 2
        assert last["ts_venue_ns"].tolist() == [START_NS + 2 * S] * 2  # the venue's time is a fact

    def test_continuations_are_not_touched(self, bot, journal):
        bot.feed(touch(BID, ASK, START_NS + 5 * S))
        rows = report(Kind.ORDER_ACK, 12345, START_NS, size=7)
        bot.feed(rows.copy())
        told = journaled(journal).events[-2:]
        assert told[0]["ts_local_ns"] == START_NS + 5 * S
        assert told[1].tobytes() == rows[1].tobytes()

    def test_timers_do_not_go_back_when_the_clock_does(self, bot, journal):
        bot.feed(touch(BID, ASK, START_NS + 5 * S))
        bot.clock.ns = START_NS - 100 * S
        bot.timer()
        bot.command(Command.PAUSE)
        events = journaled(journal).events
        assert (np.diff(events["ts_local_ns"][-2:]) >= 0).all()
        assert events["ts_local_ns"][-1] == START_NS + 5 * S

    def test_any_mix_of_sources_gives_a_tape_that_never_goes_back(self, bot, journal, rng):
        for _ in range(300):
            at = START_NS + S + int(rng.integers(0, 10 * S))
            bot.clock.ns = START_NS + S + int(rng.integers(0, 10 * S))
            kind = rng.integers(0, 3)
            if kind == 0:
                bot.timer()
            elif kind == 1:
                bot.feed(touch(BID - int(rng.integers(0, 3)), ASK, at))
            else:
                bot.feed(report(Kind.ORDER_ACK, 999, at, size=1))
        found = journaled(journal)
        times = found.rows["ts_local_ns"][found.is_head & (found.rows["kind"] < FIRST_ACTION)]
        assert (np.diff(times) >= 0).all()

    def test_timers_run_at_their_pace_until_cancelled(self, bot, journal):
        bot.clock.wall_s = lambda market_ns: market_ns / 1e9 / 100  # a hundred times as fast

        async def run():
            task = asyncio.create_task(bot.run_timers(500.0))
            while np.count_nonzero(journaled(journal).events["kind"] == Kind.TIMER) < 5:
                await asyncio.sleep(0.002)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        asyncio.run(asyncio.wait_for(run(), 5))


class TestStop:
    def run(self, bot, work):
        async def act():
            stopping = asyncio.create_task(bot.stop())
            await work(stopping)
            return await stopping

        return asyncio.run(asyncio.wait_for(act(), 5))

    def test_it_cancels_everything_and_waits_for_the_venue(self, bot):
        async def work(stopping):
            while not bot.gateway.sent:
                await asyncio.sleep(0.001)
            (sent,) = bot.gateway.sent
            assert len(cancels(sent)) == len(sent) == 2
            await asyncio.sleep(0.05)
            assert not stopping.done()
            bot.gateway.answer(START_NS + S)

        assert self.run(bot, work) is True
        assert bot.n_active == 0

    def test_nothing_is_placed_any_more(self, bot):
        async def work(stopping):
            await asyncio.sleep(0.01)
            bot.gateway.answer(START_NS + S)

        self.run(bot, work)
        bot.feed(touch(BID + 1, ASK + 1, START_NS + 2 * S))
        bot.timer()
        assert bot.gateway.sent == []

    def test_a_venue_that_never_answers_is_given_up(self, bot, monkeypatch):
        monkeypatch.setattr(module, "STOP_DEADLINE_S", 0.1)

        async def work(stopping):
            pass

        assert self.run(bot, work) is False
        assert bot.n_active == 2

    def test_an_order_in_flight_is_waited_for(self, bot):
        """Placed a moment ago and not acked: it is cancelled as well, and counts until it has ended."""
        script(bot.engine, (BUY, BID, 100), (SELL, ASK, 100), (BUY, BID - 5, 100))
        bot.feed(touch(BID, ASK, START_NS + S, bid_lots=77))
        assert states(bot).count("PENDING_NEW") == 1

        async def work(stopping):
            await asyncio.sleep(0.01)
            assert bot.n_active == 3
            bot.gateway.answer(START_NS + 2 * S)

        assert self.run(bot, work) is True


def test_unknown_orders_are_named_with_their_instrument(bot):
    script(bot.engine, (BUY, BID - 1, 100), (SELL, ASK, 100))
    bot.feed(touch(BID - 1, ASK, START_NS + S))
    assert bot.unknown_orders() == []
    bot.clock.ns = START_NS + 60 * S
    bot.timer()
    found = bot.unknown_orders()
    assert [instrument for instrument, _ in found] == [0, 0]
    assert {int(order["client_order_id"]) for _, order in found} == {
        int(row["client_order_id"]) for row in bot.gateway.sent[0]
    }


def test_statistics_tell_what_a_person_asks(bot):
    told = bot.statistics()
    (leg,) = told.legs
    assert (leg.symbol, leg.bid_ticks, leg.ask_ticks, leg.n_fills) == ("PLAIN", BID, ASK, 0)
    assert [(side, price, lots) for side, price, lots, _ in leg.orders] == [(BUY, BID, 100), (SELL, ASK, 100)]
    assert (told.n_actions, told.n_rows) == (2, bot.journal.n_rows)
    assert told.decision_p50_ns > 0


def test_a_closed_journal_takes_nothing(tmp_path):
    journal = JournalWriter(tmp_path / "journal.bin")
    journal.append(touch(BID, ASK))
    journal.close()
    with pytest.raises(Exception):  # noqa: B017, PT011 - whichever way it says no
        journal.append(touch(BID, None))
    assert len(read_journal(tmp_path / "journal.bin").rows) == 2
