"""One tape gives one set of bytes, compiled or interpreted; whoever changes a bit of it is found out."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import makerside
from builders import IS_INTERPRETED, START_NS, Market, row, run, tape
from makerside.engine import action_rows, opening_rows
from makerside.journal.reader import read_journal
from makerside.journal.writer import JournalWriter
from makerside.model.event import DETAIL_ROWS, Flag, Kind
from venue import RandomVenue, Session

from .child import new_engine, results

TESTS = Path(__file__).resolve().parents[1]
SOURCES = Path(makerside.__file__).resolve().parents[1]
CHILD = Path(__file__).with_name("child.py")


@pytest.fixture(scope="module")
def session():
    """Return a live-like session: some 4,000 rows of market, reports, timers and a gap, and its actions."""
    rng = np.random.default_rng(99)
    engine = new_engine()
    opening = opening_rows(1, 10_000.0, START_NS)
    engine.step(opening)
    made = Session(engine, [Market(rng)], RandomVenue(rng, fill_rate=0.02), START_NS)
    while made.n_rows < 4_000:
        made.turn()
        if made.n_rows % 700 == 699:
            made.feed(row(Kind.GAP, made.now))
    made.rows.insert(0, opening)
    return made


@pytest.fixture(scope="module")
def rows(session):
    """Return the session's tape."""
    return tape(session.rows)


@pytest.fixture(scope="module")
def journal(session, rows, tmp_path_factory):
    """Return the session as the shell journals it: every event, every action behind the one that caused it."""
    path = tmp_path_factory.mktemp("session") / "journal"
    engine = new_engine()
    with JournalWriter(path) as writer:
        for part in session.rows:
            writer.append(part)
            writer.append(action_rows(engine.step(part)))
    return read_journal(path)


def run_child(rows, folder, sources=SOURCES, **environment):
    """Return the child's lines."""
    path = folder / "tape"
    path.write_bytes(rows.tobytes())
    (folder / "out").mkdir()
    done = subprocess.run(
        [sys.executable, str(CHILD), str(path), str(folder / "out")],
        env={**os.environ, "PYTHONPATH": f"{sources}{os.pathsep}{TESTS}", **environment},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_the_tape_has_everything(rows, session):
    """What is compared below should have met every kind of row and a good number of decisions."""
    heads = journal_kinds(rows)
    wanted = {Kind.DELTA, Kind.SNAPSHOT, Kind.TRADE, Kind.BBO, Kind.GAP, Kind.TIMER, Kind.EPOCH, Kind.FILL}
    assert wanted | {Kind.ORDER_ACK, Kind.ORDER_CANCELED, Kind.ORDER_REJECT, Kind.CANCEL_REFUSED} <= heads
    assert len(session.all_actions()) > 200
    assert session.engine.markets[0]["intensity"]["is_ready"] == 1


def journal_kinds(rows):
    """Return the kinds of all rows that are no continuation."""
    kinds, i = set(), 0
    while i < len(rows):
        kinds.add(Kind(int(rows[i]["kind"])))
        i += 1 + int(DETAIL_ROWS[rows[i]["kind"]])
    return kinds


def test_compiled_equals_interpreted(rows, tmp_path):
    """Actions, state and the journal of a backtest, byte for byte, for both strategies."""
    (tmp_path / "here").mkdir()
    here = [line for name in ("glft", "avellaneda_stoikov") for line in results(rows, tmp_path / "here", name)]
    assert len(set(here)) == 6
    assert run_child(rows, tmp_path, NUMBA_DISABLE_JIT="0" if IS_INTERPRETED else "1") == here


def replayed(journal, change=None):
    """Return the actions of a replay, of events that `change` may have touched first."""
    events = np.ascontiguousarray(journal.events).copy()
    if change is not None:
        change(events)
    return run(new_engine(), events)


def test_a_journal_replays(journal, session):
    assert journal.actions.tobytes() == session.all_actions().tobytes()
    assert replayed(journal).tobytes() == journal.actions.tobytes()


def heads_of(events, kind):
    """Return the indices of rows of a kind, continuations left out."""
    found, i = [], 0
    while i < len(events):
        if events[i]["kind"] == kind:
            found.append(i)
        i += 1 + int(DETAIL_ROWS[events[i]["kind"]])
    return found


def flip(field, bit, kind, nth):
    """Return a change that flips one bit of one field of the nth row of a kind."""

    def change(events):
        at = heads_of(events, kind)[nth]
        events[field][at] ^= 1 << bit

    return change


FLIPS = [
    ("price_ticks", 2, Kind.BBO, 3),
    ("price_ticks", 6, Kind.SNAPSHOT, 0),
    ("size_lots", 4, Kind.FILL, 2),
    ("size_lots", 40, Kind.FILL, 2),
    ("flags", 1, Kind.FILL, 4),
    ("flags", 1, Kind.BBO, 3),
    ("kind", 0, Kind.ORDER_ACK, 3),
    ("instrument", 0, Kind.ORDER_CANCELED, 3),
    ("ts_local_ns", 33, Kind.TIMER, 2),
    ("price_ticks", 4, Kind.TRADE, 48),  # a print moves quotes only where it moves the fit of the flow
]


@pytest.mark.parametrize(
    ("field", "bit", "kind", "nth"), FLIPS, ids=lambda value: str(getattr(value, "name", value))
)
def test_one_flipped_bit_of_an_event_is_found(journal, field, bit, kind, nth):
    """The replay differs, or stops at what cannot be."""
    if IS_INTERPRETED is False and field == "instrument":
        pytest.skip("an index out of range is caught by the bounds-checked run")
    try:
        actions = replayed(journal, flip(field, bit, kind, nth))
    except (AssertionError, IndexError):
        return
    assert actions.tobytes() != journal.actions.tobytes()


@pytest.mark.parametrize("byte", [0, 8, 16, 24, 31, 32, 48, 50, 54])
def test_one_flipped_bit_of_an_action_is_found(journal, byte):
    """The comparison sees every byte of an action."""
    changed = journal.actions.copy()
    changed.view(np.uint8)[64 * 20 + byte] ^= 1
    assert replayed(journal).tobytes() != changed.tobytes()


def test_a_lost_event_and_a_swapped_pair_are_found(journal):
    """A fill that is gone, and two messages of the market that have changed places."""

    def lose(events):
        at = heads_of(events, Kind.FILL)[1]
        lost = slice(at, at + 2)
        events["ts_local_ns"][lost] = events["ts_local_ns"][at]
        events["kind"][lost], events["flags"][lost] = Kind.TIMER, Flag.LAST

    def swap(events):
        one, other = [heads_of(events, Kind.BBO)[i] for i in (0, 6)]
        names = ["size_lots", "price_ticks"]
        for offset in range(2):
            held = events[names][one + offset].copy()
            for name in names:
                events[name][one + offset] = events[name][other + offset]
                events[name][other + offset] = held[name]

    for change in (lose, swap):
        assert replayed(journal, change).tobytes() != journal.actions.tobytes()


# One constant of one kernel: file, what stands there, what is put in its place.
EDITS = [
    ("core/estimators/volatility.py", "LN2 = 0.6931471805599453", "LN2 = 0.8"),
    ("core/numbers.py", "for i in range(15, 0, -1)", "for i in range(2, 0, -1)"),
    ("core/diff.py", 'best_distance = _tolerance_ticks(trader, quote["price_ticks"]) + 1', "best_distance = 1"),
    ("strategies/ladder.py", "BPS = 1e-4", "BPS = 1.05e-4"),
    ("strategies/glft.py", "2.0 * a * size_lots", "2.5 * a * size_lots"),
]


@pytest.mark.parametrize(("file", "old", "new"), EDITS, ids=[file for file, _, _ in EDITS])
def test_an_edited_constant_is_found(rows, tmp_path, file, old, new):
    """A copy of the package with one constant changed gives other actions or another state."""
    copy = tmp_path / "sources"
    shutil.copytree(SOURCES / "makerside", copy / "makerside", ignore=shutil.ignore_patterns("__pycache__"))
    path = copy / "makerside" / file
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    here = results(rows, tmp_path)
    there = run_child(rows, tmp_path, copy, NUMBA_DISABLE_JIT="1", MAKERSIDE_CACHE=str(tmp_path))[:3]
    assert [a == b for a, b in zip(here, there, strict=True)] != [True] * 3
    assert here[2] != there[2], "the backtest differs as well"


def test_an_unedited_copy_is_the_same(rows, tmp_path):
    """So that the difference above is the edit's and not the copy's."""
    copy = tmp_path / "sources"
    shutil.copytree(SOURCES / "makerside", copy / "makerside", ignore=shutil.ignore_patterns("__pycache__"))
    assert run_child(rows, tmp_path, copy, NUMBA_DISABLE_JIT="1", MAKERSIDE_CACHE=str(tmp_path))[:3] == results(
        rows, tmp_path
    )
