"""Replay: the seal of the final state, and rows that no run writes."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from builders import START_NS, fill, statement, tape, timer, touch
from makerside.engine import opening_rows
from makerside.journal.reader import read_journal
from makerside.journal.writer import JournalWriter
from makerside.model.errors import JournalError
from makerside.model.event import Kind, account_detail_t
from makerside.model.units import BUY
from makerside.research.replay import check_rows

STATE = b"all bytes of an engine"


def whole():
    """Return rows as a run writes them, of every form: 0-3 opening, 4-5 touch, 6-7 fill, 8-9 prices."""
    now = START_NS + 1
    return tape(
        opening_rows(1, 1_000.0, START_NS),
        touch(100, 102, now),
        fill(3, now, 1, 100, BUY),
        statement(Kind.PRICES, now),
        timer(now + 1),
    )


def read(tmp_path, rows):
    with JournalWriter(tmp_path / "journal.bin") as journal:
        journal.append(rows)
    return read_journal(tmp_path / "journal.bin")


class TestSeal:
    def test_the_final_state_is_in_the_header(self, tmp_path):
        with JournalWriter(tmp_path / "journal.bin") as journal:
            journal.append(whole())
            journal.seal(STATE)
        assert read_journal(journal.path).state_sha256 == hashlib.sha256(STATE).hexdigest()

    def test_a_run_that_did_not_end_in_order_has_none(self, tmp_path):
        assert read(tmp_path, whole()).state_sha256 is None

    def test_rows_after_it_break_it(self, tmp_path):
        with JournalWriter(tmp_path / "journal.bin") as journal:
            journal.append(whole())
            journal.seal(STATE)
            journal.append(whole()[-1:])
        assert read_journal(journal.path).state_sha256 is None


def test_rows_that_a_run_writes_are_taken(tmp_path):
    check_rows(read(tmp_path, whole()), 1, Path("journal.bin"))
    with JournalWriter(tmp_path / "empty.bin") as empty:
        pass
    check_rows(read_journal(empty.path), 1, Path("journal.bin"))


def changed(at, **values):
    rows = whole()
    for name, value in values.items():
        rows[name][at] = value
    return rows


def of_account(at, account):
    rows = whole()
    rows.view(account_detail_t)["account"][at + 1] = account
    return rows


BAD = [
    (changed(4, instrument=1), "row 4 .*: an instrument"),
    (changed(6, instrument=9), "row 6 .*: an instrument"),
    (changed(4, kind=77), "row 4 .*: no kind of event"),
    (changed(10, kind=0), "row 10 .*: no kind of event"),
    (changed(3, price_ticks=1), "row 3 .*: an account"),
    (of_account(1, 1), "row 1 .*: an account"),
    (of_account(1, -1), "row 1 .*: an account"),
    (changed(6, ts_local_ns=START_NS - 1), "row 6 .*: its time is before"),
    (changed(10, ts_local_ns=START_NS), "row 10 .*: its time is before"),
    (whole()[:9], "row 8 .*: its continuation is missing"),
]


@pytest.mark.parametrize(("rows", "words"), BAD, ids=[words for _, words in BAD])
def test_a_row_that_no_run_writes_is_named(tmp_path, rows, words):
    assert np.array_equal(whole()["kind"][[0, 1, 3, 6, 8, 10]], [65, 49, 66, 38, 5, 64])
    with pytest.raises(JournalError, match=words) as error:
        check_rows(read(tmp_path, rows), 1, Path("journal.bin"))
    assert str(error.value).startswith("journal.bin: ")
