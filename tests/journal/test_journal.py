"""The journal: what was counted is there, and a bad file says what is wrong with it."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from builders import START_NS, fill, report, row, statement, tape, touch
from makerside.engine import action_rows
from makerside.journal import writer as writer_module
from makerside.journal.reader import heads, read_journal
from makerside.journal.writer import HEADER_BYTES, JournalWriter, header_t
from makerside.model.action import ActionKind, action_t
from makerside.model.errors import JournalError
from makerside.model.event import FIRST_ACTION, ROW_BYTES, Kind, event_t
from makerside.model.units import BUY


def actions_of(n, first=0):
    """Return `n` action rows with all fields set."""
    rows = np.zeros(n, action_t)
    for i in range(n):
        rows[i] = (7, START_NS, 5, 100 + i, 0, ActionKind.PLACE, 32, first + i, 0, 0, 0, i, 0, 0)
    return rows


def mixed(n=50):
    """Return (all rows, events, actions) of a small run."""
    parts, events, actions = [], [], []
    for i in range(n):
        now = START_NS + i
        new = tape(touch(100 + i, 102 + i, now), fill(3 + i, now, 1, 100, BUY), statement(Kind.PRICES, now))
        acts = actions_of(2, 2 * i)
        events.append(new)
        actions.append(acts)
        parts += [new, action_rows(acts)]
    return tape(parts), tape(events), np.concatenate(actions)


@pytest.fixture
def path(tmp_path):
    """Return where a journal may be written."""
    return tmp_path / "journal.bin"


def test_what_is_written_is_read(path):
    rows, events, actions = mixed()
    with JournalWriter(path) as journal:
        for start in range(0, len(rows), 13):
            journal.append(rows[start : start + 13])
        assert journal.n_rows == len(rows)
    found = read_journal(path)
    assert found.rows.tobytes() == rows.tobytes()
    assert np.ascontiguousarray(found.events).tobytes() == events.tobytes()
    assert found.actions.tobytes() == actions.tobytes()
    assert path.stat().st_size == HEADER_BYTES + len(rows) * ROW_BYTES


def test_events_and_actions_are_told_apart_whatever_their_bytes_look_like():
    """A continuation whose bytes read like an action or another head is still a continuation."""
    detail = report(Kind.ORDER_ACK, (1 << 63) - 1, START_NS, fee=-1, reference=-1)
    assert detail[1]["kind"] >= FIRST_ACTION
    rows = tape(row(Kind.TIMER, START_NS), detail, row(Kind.TIMER, START_NS), action_rows(actions_of(1)))
    assert heads(rows).tolist() == [True, True, False, True, True, False]


def test_an_empty_journal_is_a_journal(path):
    JournalWriter(path).close()
    found = read_journal(path)
    assert len(found.rows) == len(found.events) == len(found.actions) == 0


def test_a_journal_is_never_overwritten(path):
    JournalWriter(path).close()
    with pytest.raises(JournalError, match="cannot start a journal here"):
        JournalWriter(path)


def test_only_the_owner_may_read_it(path):
    JournalWriter(path).close()
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("by_block", [False, True])
def test_growth_over_several_chunks(path, monkeypatch, by_block):
    """The file grows while it is written; rows of earlier chunks stay, and old views still write to it."""
    monkeypatch.setattr(writer_module, "GROWTH_ROWS", 64)
    rows = np.zeros(1_000, event_t)
    rows["ts_local_ns"] = np.arange(1_000)
    with JournalWriter(path) as journal:
        start = 0
        for n in (1, 63, 1, 64, 65, 200, 406, 200):
            if by_block:
                block = journal.block(n)
                assert len(block) >= n
                block[:n] = rows[start : start + n]
                journal.commit(n)
            else:
                journal.append(rows[start : start + n])
            start += n
        assert start == 1_000
    assert read_journal(path).rows.tobytes() == rows.tobytes()


def test_what_was_not_counted_is_not_there(path):
    rows, _, _ = mixed()
    with JournalWriter(path) as journal:
        journal.append(rows[:10])
        journal.block(5)[:5] = rows[10:15]
    assert read_journal(path).rows.tobytes() == rows[:10].tobytes()


def test_an_open_journal_can_be_followed(path):
    """Observers read while the bot writes."""
    rows, _, _ = mixed()
    with JournalWriter(path) as journal:
        for n in (10, 20):
            journal.append(rows[journal.n_rows : n])
            assert read_journal(path).rows.tobytes() == rows[:n].tobytes()


KILLED = """
import os, sys
import numpy as np
from pathlib import Path
from makerside.journal.writer import JournalWriter
from makerside.model.event import event_t
rows = np.zeros(30, event_t)
rows["ts_local_ns"] = np.arange(30)
journal = JournalWriter(Path(sys.argv[1]))
journal.append(rows[:20])
journal.block(10)[:10] = rows[20:]
os.kill(os.getpid(), 9)
"""


def test_a_killed_process_loses_nothing_that_was_counted(path):
    """Killed after the rows were written and before they were counted."""
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], env=os.environ, timeout=60)
    assert done.returncode == -9
    assert read_journal(path).rows["ts_local_ns"].tolist() == list(range(20))


def damaged(path, change):
    """Write a journal of ten rows and change its bytes."""
    rows, _, _ = mixed()
    with JournalWriter(path) as journal:
        journal.append(rows[:10])
    data = bytearray(path.read_bytes())
    path.write_bytes(bytes(change(data)))


def with_header(data, name, value):
    """Return the bytes with another header field."""
    header = np.frombuffer(data[: header_t.itemsize], header_t).copy()
    header[name] = value
    data[: header_t.itemsize] = header.tobytes()
    return data


BAD = [
    (lambda data: b"", "no makerside journal"),
    (lambda data: data[:20], "no makerside journal"),
    (lambda data: b"PAR1" + data[4:], "no makerside journal"),
    (lambda data: data[:-1], "cut off: 10 rows are counted"),
    (lambda data: data[:HEADER_BYTES], "cut off"),
    (lambda data: data[:100], "cut off"),
    (lambda data: with_header(data, "n_rows", -1), "cut off"),
    (lambda data: with_header(data, "n_rows", 1 << 40), "cut off"),
    (lambda data: with_header(data, "version", 2), "version 2 of the format"),
]


@pytest.mark.parametrize(("change", "words"), BAD)
def test_a_bad_file_says_what_is_wrong_with_it(path, change, words):
    damaged(path, change)
    with pytest.raises(JournalError, match=words) as error:
        read_journal(path)
    assert str(path) in str(error.value)


def test_another_row_size_is_named(path):
    damaged(path, lambda data: with_header(data, "row_bytes", 64))
    with pytest.raises(JournalError) as error:
        read_journal(path)
    assert "64" in str(error.value).removeprefix(str(path))


@pytest.mark.parametrize("what", ["missing", "folder"])
def test_a_file_that_cannot_be_read_says_so(tmp_path, what):
    path = tmp_path if what == "folder" else tmp_path / "nothing"
    with pytest.raises(JournalError, match="cannot be read"):
        read_journal(path)


def test_a_place_that_cannot_be_written_says_so(tmp_path):
    with pytest.raises(JournalError, match="cannot start"):
        JournalWriter(Path(tmp_path) / "no" / "such" / "folder" / "journal")


def test_closing_twice_is_closing_once(path):
    journal = JournalWriter(path)
    journal.close()
    journal.close()
