"""Tapes of hftbacktest: what a row becomes, what was never ours, and that our rows come back."""

from contextlib import suppress

import numpy as np
import pytest

from journal.tapes import (
    BBO,
    BOTH,
    DELTA,
    SNAPSHOT,
    START_NS,
    TRADE,
    columns_from,
    random_rows,
    save_tape,
    to_tape,
)
from makerside.journal import hftbacktest as hft
from makerside.journal.hftbacktest import read_npz
from makerside.model.errors import DataError

BUY, SELL = hft.BUY, hft.SELL


def tape(path, *rows):
    """Write rows (ev, time, price, size) and return the path; rows without EXCH or LOCAL get both."""
    events = [
        (ev if ev & BOTH else ev | BOTH, START_NS + at, START_NS + at, price, size, 0, 0, 0.0)
        for ev, at, price, size in rows
    ]
    return save_tape(path, np.array(events, hft.event_dtype))


def told(path):
    """Return (kind, side, price, size, number of the message) of every row."""
    table, _ = read_npz(path)
    columns = table.columns
    numbers = np.cumsum(np.append(0, np.diff(columns["msg"]) != 0))
    names = ("kind", "side", "price", "size")
    return list(zip(*(columns[name].tolist() for name in names), numbers.tolist(), strict=True))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "venue-COIN-tape.npz"


@pytest.mark.parametrize("with_messages", [True, False])
@pytest.mark.parametrize("seed", range(5))
def test_our_rows_come_back(path, seed, with_messages):
    columns = columns_from(random_rows(400, seed))
    events, msgs = to_tape(columns)
    table, notes = read_npz(save_tape(path, events, msgs if with_messages else None))
    assert notes == {}
    for name in columns:
        if name != "msg":
            assert table.columns[name].tobytes() == columns[name].tobytes(), name
    assert (np.diff(table.columns["msg"]) != 0).tolist() == (np.diff(columns["msg"]) != 0).tolist()


def test_messages_of_one_time_need_their_numbers(path):
    rows = [(START_NS, START_NS, TRADE, 1, 10.0, 1.0, msg) for msg in (1, 2, 2)]
    events, msgs = to_tape(columns_from(rows))
    assert [row[-1] for row in told(save_tape(path, events))] == [0, 0, 0]
    assert [row[-1] for row in told(save_tape(path, events, msgs))] == [0, 1, 1]


def test_what_a_row_becomes(path):
    tape(
        path,
        (hft.DEPTH | BUY, 0, 9.0, 1.0),
        (hft.DEPTH | SELL, 0, 11.0, 0.0),
        (hft.TRADE | SELL, 1, 9.0, 2.0),
        (hft.TRADE, 2, 9.5, 2.0),
        (hft.BBO | BUY, 3, 9.0, 3.0),
    )
    assert told(path) == [
        (DELTA, 1, 9.0, 1.0, 0),
        (DELTA, -1, 11.0, 0.0, 0),
        (TRADE, -1, 9.0, 2.0, 1),
        (TRADE, 0, 9.5, 2.0, 2),
        (BBO, 1, 9.0, 3.0, 3),
    ]


def test_rows_for_the_exchange_alone_are_the_same_events_again(path):
    tape(
        path,
        (hft.DEPTH | BUY | hft.EXCH, 0, 9.0, 1.0),
        (hft.TRADE | BUY, 1, 9.0, 1.0),
        (hft.DEPTH | BUY | hft.LOCAL, 2, 9.0, 1.0),
    )
    table, notes = read_npz(path)
    assert table.columns["kind"].tolist() == [TRADE, DELTA]
    assert table.numbers.tolist() == [1, 2], "rows of the file"
    assert notes == {"rows_for_the_exchange_alone": 1}


class TestSnapshots:
    """Only a snapshot that replaces both sides is one of ours; others become changes of levels."""

    def test_the_first_book_needs_no_clearing(self, path):
        tape(path, (hft.SNAPSHOT | BUY, 0, 9.0, 1.0), (hft.SNAPSHOT | SELL, 0, 11.0, 1.0))
        assert [row[0] for row in told(path)] == [SNAPSHOT, SNAPSHOT]

    def test_cleared_on_both_sides(self, path):
        tape(
            path,
            (hft.DEPTH | BUY, 0, 8.0, 1.0),
            (hft.CLEAR | BUY, 1, 9.0, 0.0),
            (hft.SNAPSHOT | BUY, 1, 9.0, 1.0),
            (hft.CLEAR | SELL, 1, 11.0, 0.0),
            (hft.SNAPSHOT | SELL, 1, 11.0, 1.0),
        )
        assert told(path)[1:] == [(SNAPSHOT, 1, 9.0, 1.0, 1), (SNAPSHOT, -1, 11.0, 1.0, 1)]

    def test_one_side_replaces_the_levels_down_to_the_price_of_the_clearing(self, path):
        tape(
            path,
            (hft.DEPTH | BUY, 0, 9.0, 1.0),
            (hft.DEPTH | BUY, 0, 8.5, 1.0),
            (hft.DEPTH | BUY, 0, 8.0, 1.0),
            (hft.DEPTH | SELL, 0, 11.0, 1.0),
            (hft.CLEAR | BUY, 1, 8.5, 0.0),
            (hft.SNAPSHOT | BUY, 1, 8.75, 4.0),
        )
        assert told(path)[4:] == [(DELTA, 1, 8.5, 0.0, 1), (DELTA, 1, 9.0, 0.0, 1), (DELTA, 1, 8.75, 4.0, 1)]

    def test_a_clearing_alone_removes_what_stands(self, path):
        tape(
            path,
            (hft.SNAPSHOT | BUY, 0, 9.0, 1.0),
            (hft.SNAPSHOT | SELL, 0, 11.0, 1.0),
            (hft.DEPTH | SELL, 1, 11.0, 0.0),
            (hft.DEPTH | SELL, 1, 12.0, 1.0),
            (hft.CLEAR, 2, 0.0, 0.0),
        )
        assert told(path)[4:] == [(DELTA, 1, 9.0, 0.0, 2), (DELTA, -1, 12.0, 0.0, 2)]

    @pytest.mark.parametrize(
        ("side", "price", "left"),
        [(SELL, 12.0, [13.0]), (SELL, np.nan, []), (SELL, np.inf, []), (SELL, 10.0, [11.0, 12.0, 13.0])],
    )
    def test_what_a_clearing_of_asks_removes(self, path, side, price, left):
        asks = [(hft.DEPTH | SELL, 0, ask, 1.0) for ask in (11.0, 12.0, 13.0)]
        tape(path, (hft.DEPTH | BUY, 0, 9.0, 1.0), *asks, (hft.CLEAR | side, 1, price, 0.0))
        removed = [row[2] for row in told(path) if row[3] == 0.0]
        assert sorted({11.0, 12.0, 13.0} - set(removed)) == left
        assert 9.0 not in removed


BAD_ROWS = [
    (10 | BUY, "order by order"),
    (77 | BUY, "not an event"),
    (hft.DEPTH, "a book row without a side"),
    (hft.DEPTH | BUY | SELL, "both BUY and SELL"),
]


@pytest.mark.parametrize(("ev", "words"), BAD_ROWS)
def test_a_row_that_cannot_be_ours_is_named(path, ev, words):
    tape(path, (hft.DEPTH | BUY, 0, 9.0, 1.0), (ev, 1, 9.0, 1.0))
    with pytest.raises(DataError, match=f"row 1: ev 0x[0-9a-f]+ is {words}"):
        read_npz(path)


def test_a_row_for_nobody_is_named(path):
    events = np.zeros(2, hft.event_dtype)
    events["ev"] = [hft.DEPTH | BUY | BOTH, hft.DEPTH | BUY]
    with pytest.raises(DataError, match=r"row 1: .* neither for the exchange"):
        read_npz(save_tape(path, events))


def test_a_file_of_another_form_is_named(path):
    np.savez(path, other=np.zeros(3))
    with pytest.raises(DataError, match="no array `data`"):
        read_npz(path)
    np.savez(path, data=np.zeros((3, 6)))
    with pytest.raises(DataError, match="it must have rows of ev uint64"):
        read_npz(path)
    np.savez(path, data=np.zeros(0, hft.event_dtype))
    with pytest.raises(DataError, match="no rows"):
        read_npz(path)
    np.savez(path, data=np.zeros(2, hft.event_dtype), msg=np.zeros(3, int))
    with pytest.raises(DataError, match="`msg` must be one integer for each of the 2 rows"):
        read_npz(path)
    np.savez(path, data=np.array([{"a": 1}], object))
    with pytest.raises(DataError, match="not a readable"):
        read_npz(path)
    with pytest.raises(DataError, match="no such file"):
        read_npz(path.with_name("none.npz"))


@pytest.mark.parametrize("keep", [0.0, 0.2, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_an_error_of_one_line(path, keep):
    events, _ = to_tape(columns_from(random_rows(200, 1)))
    data = save_tape(path, events).read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(DataError, match="not a readable") as error:
        read_npz(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("seed", range(20))
def test_a_damaged_file_is_an_error_or_the_rows(path, seed):
    rng = np.random.default_rng(seed)
    events, _ = to_tape(columns_from(random_rows(200, 1)))
    data = bytearray(save_tape(path, events).read_bytes())
    for at in rng.integers(0, len(data), 3):
        data[at] ^= int(rng.integers(1, 256))
    path.write_bytes(data)
    with suppress(DataError):
        read_npz(path)
