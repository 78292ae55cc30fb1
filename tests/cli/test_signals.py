"""Ctrl-C and SIGTERM: everything ends in order, nothing is left, files are whole."""

import contextlib
import json
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from cli.conftest import columns_of, write_recording
from exchange.process import LocalExchange, Process
from exchange.serving import key
from makerside.journal.reader import read_journal
from makerside.model.errors import JournalError
from makerside.model.run import JOURNAL_NAME, SUMMARY_NAME
from makerside.research.replay import replay

QUICK_S = 2.0
BOTH = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)


@contextlib.contextmanager
def running(*arguments, **variables):
    process = Process(*arguments, **variables)
    try:
        yield process
    finally:
        process.end()
        with contextlib.suppress(ProcessLookupError):
            process.send_group(signal.SIGKILL)  # whatever it has started and left


def summary_of(folder):
    return json.loads((folder / SUMMARY_NAME).read_text())


class TestExchange:
    @BOTH
    def test_it_stops_at_once_with_code_0(self, number):
        exchange = LocalExchange({key(41).address: 1_000})
        try:
            started = time.monotonic()
            exchange.send(number)
            assert exchange.wait(QUICK_S) == 0
            assert time.monotonic() - started < QUICK_S
            assert len(exchange.out) == 1
            assert "Traceback" not in exchange.text
        finally:
            exchange.end()


DEMO = ("demo", "--minutes", 5, "--speed", 20, "--out")


def quotes(process):
    """Wait until a demo says that its quotes rest."""
    process.wait_line(lambda line: "orders 6" in line)


class TestDemo:
    def test_a_signal_to_the_bot_ends_it_with_nothing_left(self, tmp_path):
        with running(*DEMO, tmp_path / "out") as process:
            quotes(process)
            process.send(signal.SIGINT)
            assert process.wait() == 0, process.text
            assert "Traceback" not in process.text
        summary = summary_of(tmp_path / "out")
        assert (summary["orders_left"], summary["parity"]) == (0, True)
        assert "orders left       0" in process.text

    @BOTH
    def test_a_signal_to_the_whole_group_ends_it_with_nothing_left(self, tmp_path, number):
        """As of a terminal's Ctrl-C, `timeout` or a process manager: the bot and the exchange hear it."""
        with running(*DEMO, tmp_path / "out") as process:
            quotes(process)
            process.send_group(number)
            assert process.wait() == 0, process.text
        assert summary_of(tmp_path / "out")["orders_left"] == 0


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """Return (run folder, whether its exchange has ended soon after) of a demo that was killed."""
    folder = tmp_path_factory.mktemp("killed") / "out"
    with running(*DEMO, folder) as process:
        quotes(process)
        process.process.kill()
        process.process.wait()
        deadline = time.monotonic() + 1.5
        while alive_in_group(process.process.pid) and time.monotonic() < deadline:
            time.sleep(0.02)
        is_gone = not alive_in_group(process.process.pid)
    return folder, is_gone


def alive_in_group(group):
    """Return the processes of a group that still run; one that has ended and waits to be reaped does not."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, pgrp = stat.read_text().rpartition(")")[2].split()[:3]
            if int(pgrp) == group and state != "Z":
                found.append(int(stat.parent.name))
    return found


class TestLifeline:
    def test_an_exchange_ends_with_its_standard_input_and_leaves_signals_alone(self):
        exchange = LocalExchange({key(41).address: 1_000}, "--lifeline", has_input=True)
        try:
            exchange.send(signal.SIGINT)
            exchange.send(signal.SIGTERM)
            time.sleep(0.3)
            assert exchange.process.poll() is None
            exchange.process.stdin.close()
            assert exchange.wait(QUICK_S) == 0
            assert "Traceback" not in exchange.text
        finally:
            exchange.end()


class TestKilledDemo:
    def test_its_exchange_ends_too(self, killed):
        assert killed[1]

    def test_its_journal_is_whole_and_replays(self, killed):
        """Memory-mapped: what was written before the kill is there."""
        result = replay(killed[0])
        assert result.n_actions >= 6
        assert 0 <= result.n_replayed - result.n_actions <= 12  # the last decision may not have been written


class TestLive:
    """A real bot with a key, told to stop as a person or a process manager does."""

    @BOTH
    def test_it_cancels_everything_and_says_so(self, exchange, tmp_path, number):
        local = ("--set", "venue.network=local", "--set", f"venue.url={exchange.url}")
        closer = ("--set", "half_spread_min_bps=0.1", "--set", "levels=3")
        out = tmp_path / "out"
        account = f"{31:064x}"  # of `FUNDED`
        options = ("--allow-master-key", "--adopt", "--out", out)
        with running("live", *local, *closer, *options, MAKERSIDE_KEY=account) as process:
            quotes(process)
            for _ in range(4):  # as `timeout` and impatient people do
                process.send_group(number)
                time.sleep(0.01)
            assert process.wait() == 0, process.text
        assert "Traceback" not in process.text
        assert "orders left       0" in process.text
        assert account not in process.text
        summary = summary_of(out)
        assert (summary["mode"], summary["orders_left"], summary["parity"]) == ("live", 0, True)
        assert read_journal(out / JOURNAL_NAME).state_sha256 is not None


class TestPaperAndRecord:
    @BOTH
    def test_paper(self, exchange, tmp_path, number):
        with running("paper", "--url", exchange.url, "--out", tmp_path / "out") as process:
            process.wait_line(lambda line: "orders 2" in line)
            process.send_group(number)
            assert process.wait() == 0, process.text
            assert "Traceback" not in process.text
        summary = summary_of(tmp_path / "out")
        assert (summary["mode"], summary["orders_left"], summary["parity"]) == ("paper", 0, True)

    @BOTH
    def test_record(self, exchange, tmp_path, number):
        with running("record", "--url", exchange.url, "--out", tmp_path / "out") as process:
            process.wait_line(lambda line: line.strip().endswith(" rows"))
            process.send_group(number)
            assert process.wait() == 0, process.text
            assert "Traceback" not in process.text
        assert " rows in " in process.text
        assert len(read_journal(tmp_path / "out" / JOURNAL_NAME).rows) > 0


def test_a_backtest_that_is_interrupted_keeps_what_it_has(tmp_path):
    columns, n = columns_of(4_000), 150
    rows = len(columns["kind"])
    long = {name: np.tile(values, n) for name, values in columns.items()}
    shift = np.repeat(np.arange(n), rows) * (
        int(columns["ts_local_ns"][-1] - columns["ts_local_ns"][0]) + 10**9
    )
    long["ts_local_ns"] += shift
    long["ts_exchange_ns"] += shift
    long["msg"] += np.repeat(np.arange(n), rows).astype("i4") * 4_000
    path = write_recording(tmp_path / "test-BTCUSDT-long.parquet", long)
    with running("backtest", "--data", path, "--set", "size_usd=900", "--out", tmp_path / "out") as process:
        deadline = time.monotonic() + 30
        while n_journaled(tmp_path / "out" / JOURNAL_NAME) < 50_000:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        process.send_group(signal.SIGINT)
        assert process.wait(30) == 0, process.text
    assert "Traceback" not in process.text
    assert "interrupted: the results cover the part that was run" in process.text
    assert replay(tmp_path / "out").is_identical
    assert 0 < summary_of(tmp_path / "out")["events"] < rows * n


def n_journaled(path):
    """Return how many rows a journal that is being written holds."""
    try:
        return len(read_journal(path).rows)
    except JournalError:
        return 0
