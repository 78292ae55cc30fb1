"""A demo session: real sockets, fills, nothing left; and its replay, which must not differ in one bit."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from exchange.process import ROOT, environment
from makerside.journal.reader import heads, read_journal
from makerside.journal.writer import HEADER_BYTES, header_t
from makerside.model.action import ActionKind, action_t
from makerside.model.errors import JournalError
from makerside.model.event import FIRST_ACTION, Kind, event_t
from makerside.model.run import JOURNAL_NAME, REPORT_NAME, RUN_NAME, SUMMARY_NAME, TIMINGS_NAME
from makerside.research.replay import replay
from makerside.runtime.run import read_record


def test_it_traded_and_left_nothing(demo):
    assert demo.left == 0
    assert demo.summary["fills"] > 0
    assert demo.summary["maker_fills"] == demo.summary["fills"]
    assert demo.summary["orders_left"] == 0
    assert demo.summary["parity"] is True
    assert demo.summary["orders_rejected"] < demo.summary["orders_placed"] / 2
    assert demo.n_sockets == 1


def test_its_books_balance(demo):
    from decimal import Decimal

    summary = demo.summary
    parts = {name: Decimal(value) for name, value in summary["pnl_parts"].items()}
    assert sum(parts.values()) == Decimal(summary["pnl_net"])
    assert parts["spread"] + parts["inventory"] == Decimal(summary["pnl_realized"]) + Decimal(
        summary["pnl_unrealized"]
    )
    for name in ("strange_reports", "impossible_reports", "divergent_statements"):
        assert name not in summary["defects"]


def test_its_folder_is_the_owners_alone_and_complete(demo):
    assert demo.folder.stat().st_mode & 0o777 == 0o700
    names = {path.name for path in demo.folder.iterdir()}
    assert names == {JOURNAL_NAME, RUN_NAME, TIMINGS_NAME, SUMMARY_NAME, REPORT_NAME}
    assert json.loads((demo.folder / SUMMARY_NAME).read_text()) == json.loads(json.dumps(demo.summary))


def test_market_time_was_scaled_and_says_so(demo):
    assert demo.summary["facts"]["speed"] == demo.speed
    assert "nonces and expiry on the wall clock" in demo.summary["facts"]["scaled_time"]
    assert demo.summary["duration_s"] == pytest.approx(0.1 * 60 * demo.speed, rel=0.3)


def test_time_never_goes_back_in_its_journal(demo):
    journal = read_journal(demo.folder / JOURNAL_NAME)
    times = journal.rows["ts_local_ns"][journal.is_head & (journal.rows["kind"] < FIRST_ACTION)]
    assert (np.diff(times) >= 0).all()


def test_no_key_is_in_its_folder(demo):
    record = json.loads((demo.folder / RUN_NAME).read_text())
    assert record["facts"]["account"].startswith("0x")
    assert record["config"]["venue"]["key_file"] == ""
    assert "private" not in json.dumps(record).lower()


class TestParity:
    @pytest.mark.parametrize("block", [0, 1, 7, 1_000])
    def test_every_block_size_gives_the_same_actions_and_the_same_final_state(self, demo, block):
        result = replay(demo.folder, block)
        assert result.is_identical
        assert result.difference is None
        assert result.n_actions == result.n_replayed == demo.summary["actions"] > 0
        assert result.replayed_sha256 == demo.summary["actions_sha256"]
        engine = read_record(demo.folder).engine()
        events = np.ascontiguousarray(read_journal(demo.folder / JOURNAL_NAME).events)
        for _ in engine.run(events, block):
            pass
        assert engine.state_bytes() == demo.state

    def test_the_engine_is_fed_nothing_that_is_not_in_the_journal(self, demo):
        assert demo.state_after == demo.state

    def test_the_interpreter_gives_the_same_actions(self, demo, tmp_path):
        short = shortened(demo.folder, tmp_path / "short", n_rows=3_000)
        compiled = replay(short)
        assert compiled.is_identical
        assert compiled.n_actions > 30
        finished = replayed_by_command(short, NUMBA_DISABLE_JIT="1")
        assert finished.returncode == 0, finished.stderr
        assert f"sha256 replay     {compiled.replayed_sha256}" in finished.stdout
        assert "identical" in finished.stdout


DAMAGES = {
    "an instrument that does not exist": ("instrument", Kind.BBO, 7),
    "a time before all others": ("ts_local_ns", Kind.BBO, 60),
    "a kind that does not exist": ("kind", Kind.TIMER, 4),
    "an account that does not exist": ("price_ticks", Kind.CONNECT, 20),
}


class TestItCanFail:
    def test_one_flipped_bit_of_an_event_makes_replay_exit_1(self, demo, tmp_path):
        """A bit of the best ask that the bot saw right before one of its orders."""
        folder = copied(demo.folder, tmp_path / "flipped")
        journal = read_journal(folder / JOURNAL_NAME)
        kinds = journal.rows["kind"]
        actions = np.flatnonzero(journal.is_head & (kinds == ActionKind.PLACE))
        seen = [row for row in actions if kinds[row - 1] == Kind.BBO and journal.is_head[row - 1]]
        flip(folder, int(seen[len(seen) // 2]) - 1, event_t.fields["price_ticks"][1], 7)
        finished = replayed_by_command(folder)
        assert finished.returncode == 1
        assert "DIFFERENT at action" in finished.stdout
        assert "  journal  " in finished.stdout
        assert "  replay   " in finished.stdout
        assert "Traceback" not in finished.stderr

    def test_one_flipped_bit_of_an_action_is_found_where_it_is(self, demo, tmp_path):
        folder = copied(demo.folder, tmp_path / "flipped")
        journal = read_journal(folder / JOURNAL_NAME)
        actions = np.flatnonzero(journal.is_head & (journal.rows["kind"] >= FIRST_ACTION))
        flip(folder, int(actions[5]), action_t.fields["size_lots"][1], 3)
        result = replay(folder)
        assert not result.is_identical
        assert result.difference.startswith("action 5:")

    def test_an_edited_kernel_constant_makes_replay_exit_1(self, demo, tmp_path):
        """A basis point becomes a little larger in the ladder that all strategies share."""
        sources = tmp_path / "src"
        shutil.copytree(ROOT / "src", sources, ignore=shutil.ignore_patterns("__pycache__"))
        edited = sources / "makerside" / "strategies" / "ladder.py"
        text = edited.read_text()
        assert text.count("BPS = 1e-4\n") == 1
        edited.write_text(text.replace("BPS = 1e-4\n", "BPS = 1.1e-4\n"))
        short = shortened(demo.folder, tmp_path / "short", n_rows=1_500)
        finished = replayed_by_command(short, PYTHONPATH=str(sources), NUMBA_DISABLE_JIT="1")
        assert finished.returncode == 1, finished.stderr
        assert "DIFFERENT at action" in finished.stdout

    def test_a_flipped_bit_that_changes_no_decision_is_found_too(self, demo, tmp_path):
        """The venue's time of the last book row, by one nanosecond: another final state, the same actions."""
        folder = copied(demo.folder, tmp_path / "flipped")
        journal = read_journal(folder / JOURNAL_NAME)
        last = np.flatnonzero(journal.is_head & (journal.rows["kind"] == Kind.SNAPSHOT))[-1]
        flip(folder, int(last), event_t.fields["ts_venue_ns"][1], 0)
        assert replayed_by_command(folder).returncode == 1

    @pytest.mark.parametrize("name", DAMAGES)
    def test_a_damaged_row_ends_in_one_message(self, demo, tmp_path, name):
        field, kind, bit = DAMAGES[name]
        folder = copied(demo.folder, tmp_path / "damaged")
        journal = read_journal(folder / JOURNAL_NAME)
        rows = np.flatnonzero(journal.is_head & (journal.rows["kind"] == kind))
        flip(folder, int(rows[len(rows) // 2]), event_t.fields[field][1] + bit // 8, bit % 8)
        finished = replayed_by_command(folder)
        assert finished.returncode in (0, 1, 2)
        assert "Traceback" not in finished.stderr


class TestBrokenJournals:
    def test_a_file_that_is_cut_off(self, demo, tmp_path):
        folder = copied(demo.folder, tmp_path / "cut")
        with (folder / JOURNAL_NAME).open("r+b") as file:
            file.truncate(HEADER_BYTES + 100)
        with pytest.raises(JournalError, match="the file is cut off"):
            replay(folder)

    @pytest.mark.parametrize("text", ["", "[]", "{", "{}", '{"mode": "demo"}'])
    def test_a_record_that_is_none(self, demo, tmp_path, text):
        folder = copied(demo.folder, tmp_path / "bad")
        (folder / RUN_NAME).write_text(text)
        with pytest.raises(JournalError, match=RUN_NAME):
            replay(folder)

    def test_a_foreign_file(self, demo, tmp_path):
        folder = copied(demo.folder, tmp_path / "foreign")
        (folder / JOURNAL_NAME).write_bytes(os.urandom(10_000))
        with pytest.raises(JournalError, match="no makerside journal"):
            replay(folder)

    def test_an_empty_folder(self, tmp_path):
        with pytest.raises(JournalError, match="holds no run"):
            replay(tmp_path)

    def test_a_last_row_without_its_continuation(self, demo, tmp_path):
        folder = copied(demo.folder, tmp_path / "half")
        rows = read_journal(folder / JOURNAL_NAME).rows
        has_detail = np.flatnonzero((rows["kind"] == Kind.ORDER_ACK) & heads(rows))
        set_length(folder, int(has_detail[-1]) + 1)
        finished = replayed_by_command(folder)
        assert finished.returncode in (0, 1, 2)
        assert "Traceback" not in finished.stderr


def copied(folder, target):
    target.mkdir()
    for name in (JOURNAL_NAME, RUN_NAME):
        shutil.copy(folder / name, target / name)
    return target


def flip(folder, row, byte, bit):
    """Turn one bit of one row of a journal."""
    with (folder / JOURNAL_NAME).open("r+b") as file:
        at = HEADER_BYTES + row * event_t.itemsize + byte
        file.seek(at)
        value = file.read(1)[0]
        file.seek(at)
        file.write(bytes([value ^ (1 << bit)]))


def set_length(folder, n_rows):
    """Cut a journal to its first rows."""
    with (folder / JOURNAL_NAME).open("r+b") as file:
        header = np.frombuffer(file.read(header_t.itemsize), header_t).copy()
        header["n_rows"] = n_rows
        file.seek(0)
        file.write(header.tobytes())
        file.truncate(HEADER_BYTES + n_rows * event_t.itemsize)


def shortened(folder, target, n_rows):
    """Return a copy of a run that ends before the first event after `n_rows` rows."""
    copied(folder, target)
    journal = read_journal(target / JOURNAL_NAME)
    is_event = journal.is_head & (journal.rows["kind"] < FIRST_ACTION)
    set_length(target, int(np.flatnonzero(is_event[n_rows:])[0]) + n_rows)
    return target


def replayed_by_command(folder, **variables):
    command = [sys.executable, "-m", "makerside", "replay", str(folder)]
    return subprocess.run(
        command, capture_output=True, text=True, env=environment(**variables), timeout=90, check=False
    )
