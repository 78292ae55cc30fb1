"""The synthetic tape has the statistics that it claims, and both forms tell the same rows."""

from decimal import Decimal

import numpy as np
import pytest
import tape

from makerside.journal.hftbacktest import BUY, DEPTH, EXCH, LOCAL, SELL, TRADE
from makerside.model.event import Flag, Kind, event_t
from makerside.model.instrument import Instrument

ROWS = 60_000


@pytest.fixture(scope="module")
def rows():
    found = np.zeros(ROWS, event_t)
    assert tape.fill_tape(found, tape.SEED) == ROWS
    return found


def test_rows_are_a_recording(rows):
    assert (np.diff(rows["ts_venue_ns"]) >= 0).all()
    assert (np.diff(rows["ts_local_ns"]) >= 0).all()
    assert (rows["ts_local_ns"] > rows["ts_venue_ns"]).all()
    assert rows["flags"][-1] & Flag.LAST
    same = rows["ts_venue_ns"][1:] == rows["ts_venue_ns"][:-1]
    assert ((rows["flags"][:-1] & Flag.LAST) != 0).tolist() == (~same).tolist()
    assert (rows["kind"][: 2 * tape.OPENING_LEVELS] == Kind.SNAPSHOT).all()
    assert (rows["size_lots"][rows["kind"] == Kind.TRADE] > 0).all()


def test_statistics_are_those_of_the_page(rows):
    facts = tape.statistics(rows[2 * tape.OPENING_LEVELS :])
    assert 450 < facts["rows_per_s"] < 600
    assert 0.08 < facts["trade_share"] < 0.11
    assert 4.0 < facts["rows"] / facts["messages"] < 4.6
    assert 11 < facts["latency_ms_mean"] < 14
    assert facts["latency_ms_min"] >= 5 - 1e-6
    assert facts["latency_ms_max"] < 21


def test_book_never_crosses_and_prints_take_what_is_there(rows):
    book = {0: {}, 1: {}}
    for row in rows:
        side = 1 if row["flags"] & Flag.SELL else 0
        price, lots = int(row["price_ticks"]), int(row["size_lots"])
        if row["kind"] == Kind.TRADE:
            passive = 1 - side
            assert price == (min(book[1]) if passive else max(book[0]))
            assert lots <= book[passive][price]
            book[passive][price] -= lots
            if book[passive][price] == 0:
                del book[passive][price]
        else:
            book[side].pop(price, None)
            if lots:
                book[side][price] = lots
        if row["flags"] & Flag.LAST:
            assert max(book[0]) < min(book[1])


def test_a_seed_is_a_tape(rows):
    again, other = np.zeros(ROWS, event_t), np.zeros(ROWS, event_t)
    tape.fill_tape(again, tape.SEED)
    tape.fill_tape(other, tape.SEED + 1)
    assert again.tobytes() == rows.tobytes()
    assert other.tobytes() != rows.tobytes()


def small_rows():
    """Return a snapshot, a print by a seller and a removed ask, in lots of 0.001."""
    found = np.zeros(4, event_t)
    found["ts_venue_ns"], found["ts_local_ns"] = (10, 10, 20, 30), (15, 15, 25, 35)
    found["kind"] = (Kind.SNAPSHOT, Kind.SNAPSHOT, Kind.TRADE, Kind.DELTA)
    found["flags"] = (0, Flag.SELL | Flag.LAST, Flag.SELL | Flag.LAST, Flag.SELL | Flag.LAST)
    found["price_ticks"], found["size_lots"] = (100, 101, 100, 101), (5, 7, 2, 0)
    return found


INSTRUMENT = Instrument("test", "X", Decimal("0.1"), Decimal("0.001"))


def test_peer_gets_the_same_rows_in_coins():
    found = tape.peer_rows(small_rows(), INSTRUMENT)
    both = EXCH | LOCAL
    assert found["ev"].tolist() == [
        DEPTH | BUY | both,
        DEPTH | SELL | both,
        TRADE | SELL | both,
        DEPTH | SELL | both,
    ]
    assert found["exch_ts"].tolist() == [10, 10, 20, 30]
    assert found["local_ts"].tolist() == [15, 15, 25, 35]
    assert found["px"] == pytest.approx([10.0, 10.1, 10.0, 10.1])
    assert found["qty"] == pytest.approx([0.005, 0.007, 0.002, 0.0])


def test_venue_times_that_go_back_are_told_once_for_each_clock():
    rows = small_rows()
    rows["ts_venue_ns"][3] = 15
    found = tape.peer_rows(rows, INSTRUMENT)
    at_venue = found[(found["ev"] & np.uint64(EXCH)) != 0]
    here = found[(found["ev"] & np.uint64(LOCAL)) != 0]
    assert len(found) == 8
    assert at_venue["exch_ts"].tolist() == [10, 10, 15, 20]
    assert here["local_ts"].tolist() == [15, 15, 25, 35]
