"""Paper and record, on a local exchange: the market of others, nothing of ours at the venue."""

import asyncio

import numpy as np
import pytest

from exchange.bots import bot_config, drop_sockets, hurry, synthetic_exchange, url_of
from exchange.serving import until
from makerside.journal.reader import read_journal
from makerside.journal.recording import load_recordings
from makerside.journal.writer import JournalWriter
from makerside.model.errors import DataError
from makerside.model.event import FIRST_ACTION, Kind
from makerside.model.run import JOURNAL_NAME
from makerside.net.clock import Clock
from makerside.research.backtest import run_backtest
from makerside.research.replay import replay
from makerside.runtime.paper import run_paper
from makerside.runtime.record import run_record
from makerside.runtime.run import read_record

SPEED = 30.0


def paper(tmp_path, during, speed=SPEED, **changes):
    """Run on paper while during(shell, server) runs; returns (orders left, run folder)."""

    async def main():
        async with synthetic_exchange(speed=speed) as server:
            config = bot_config(url_of(server), **changes)

            async def act(shell):
                await during(shell, server)

            return await run_paper(config, server.clock, tmp_path / "run", act)

    return asyncio.run(main()), tmp_path / "run"


async def filled(shell, n=1):
    await until(lambda: shell.statistics().legs[0].n_fills >= n, wait_s=8.0)


class TestPaper:
    def test_it_fills_leaves_nothing_and_replays(self, tmp_path):
        heard = []

        async def during(shell, server):
            await filled(shell, 2)
            heard.extend({kind for kind, *_ in one.subscriptions} for one in server.connections)

        left, folder = paper(tmp_path, during, strategy__half_spread_min_bps=0.01)
        assert left == 0
        assert replay(folder).is_identical
        assert replay(folder, block=1).is_identical
        assert heard == [{"l2Book", "bbo", "trades"}]  # no account is listened to
        record = read_record(folder)
        assert (record.mode, record.has_own_in_book) == ("paper", False)

    def test_nothing_of_it_reaches_the_venue(self, tmp_path):
        async def during(shell, server):
            await until(lambda: len(shell.statistics().legs[0].orders) == 6)
            assert all(account.records == {} for account in server.venue.accounts.values())
            assert server.venue.nonces == {}

        left, _ = paper(tmp_path, during)
        assert left == 0

    def test_a_lost_socket_is_a_gap_and_quoting_goes_on(self, tmp_path, monkeypatch):
        hurry(monkeypatch)

        async def during(shell, server):
            await until(lambda: len(shell.statistics().legs[0].orders) == 6)
            drop_sockets(server)
            await until(lambda: shell.engine.markets[0]["n_gaps"] == 1)
            await until(lambda: len(shell.statistics().legs[0].orders) == 6)

        left, folder = paper(tmp_path, during)
        assert left == 0
        assert replay(folder).is_identical

    def test_time_never_goes_back_though_reports_come_late(self, tmp_path):
        async def during(shell, server):
            await filled(shell, 2)

        _, folder = paper(tmp_path, during, strategy__half_spread_min_bps=0.01)
        journal = read_journal(folder / JOURNAL_NAME)
        times = journal.rows["ts_local_ns"][journal.is_head & (journal.rows["kind"] < FIRST_ACTION)]
        assert (np.diff(times) >= 0).all()

    def test_acks_take_the_latency_that_is_configured(self, tmp_path):
        async def during(shell, server):
            await until(lambda: len(shell.statistics().legs[0].orders) == 6)

        _, folder = paper(tmp_path, during, speed=1.0, simulation__entry_ms=120.0, simulation__response_ms=80.0)
        journal = read_journal(folder / JOURNAL_NAME)
        first = journal.actions[0]
        acks = journal.rows[journal.is_head & (journal.rows["kind"] == Kind.ORDER_ACK)]
        taken_ms = (int(acks[0]["ts_local_ns"]) - int(first["ts_decided_ns"])) / 1e6
        assert 200 <= taken_ms < 600

    def test_what_was_recorded_on_paper_can_be_backtested(self, tmp_path):
        async def during(shell, server):
            await filled(shell)

        _, folder = paper(tmp_path, during, strategy__half_spread_min_bps=0.01)
        (recording,) = load_recordings(folder)
        assert backtest(recording, tmp_path) > 0


def record(tmp_path, during, symbols=("BTC",)):
    """Record while during(journal, server) runs; returns (rows, folder)."""

    async def main():
        async with synthetic_exchange(symbols, speed=SPEED) as server:
            config = bot_config(url_of(server), symbols)

            async def act(journal):
                await during(journal, server)

            return await run_record(config, Clock(), tmp_path / "rec", act)

    return asyncio.run(main()), tmp_path / "rec"


def backtest(recording, tmp_path):
    """Run a backtest over a recording; returns the number of actions."""
    with JournalWriter(tmp_path / "backtest.bin") as journal:
        result = run_backtest(bot_config("http://unused"), [recording], journal)
    assert result.is_complete
    return result.n_actions


class TestRecord:
    def test_a_recording_is_a_journal_that_backtest_reads(self, tmp_path):
        async def during(journal, server):
            await until(lambda: journal.n_rows > 2_000)

        n, folder = record(tmp_path, during)
        journal = read_journal(folder / JOURNAL_NAME)
        assert len(journal.rows) == n > 2_000
        assert len(journal.actions) == 0
        assert set(journal.rows["kind"]) <= {Kind.SNAPSHOT, Kind.BBO, Kind.TRADE, Kind.GAP}
        (recording,) = load_recordings(folder)
        assert recording.instrument.symbol == "BTC"
        assert recording.instrument.significant_figures == 5
        assert backtest(recording, tmp_path) > 0

    def test_a_lost_socket_is_told_as_a_gap_of_every_symbol(self, tmp_path, monkeypatch):
        hurry(monkeypatch)

        async def during(journal, server):
            await until(lambda: journal.n_rows > 500)
            drop_sockets(server)
            await until(lambda: not server.connections)
            rows = journal.n_rows
            await until(lambda: journal.n_rows > rows + 500)

        _, folder = record(tmp_path, during, ("BTC", "ETH"))
        rows = read_journal(folder / JOURNAL_NAME).rows
        gaps = rows[rows["kind"] == Kind.GAP]
        assert gaps["instrument"].tolist()[:2] == [0, 1]
        recordings = load_recordings(folder)
        assert [one.instrument.symbol for one in recordings] == ["BTC", "ETH"]
        assert backtest(recordings[0], tmp_path) > 0

    def test_books_with_our_own_orders_are_no_recording(self, demo):
        with pytest.raises(DataError, match="contain our own orders"):
            load_recordings(demo.folder)

    def test_the_end_of_a_recording_complains_of_nothing(self, tmp_path, caplog):
        async def during(journal, server):
            await until(lambda: journal.n_rows > 100)

        record(tmp_path, during, ("BTC", "ETH"))
        assert [entry.getMessage() for entry in caplog.records if entry.levelname in ("WARNING", "ERROR")] == []
