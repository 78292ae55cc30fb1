"""`data check`: each defect that is put into a sound recording is found, counted and located, and no other."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from journal.tapes import BBO, DELTA, SNAPSHOT, START_NS, TRADE, columns_from, random_rows
from makerside.journal.defects import PLACES_KEPT, Limits, find_defects
from makerside.journal.recording import load_recording
from makerside.journal.touches import touches_of
from makerside.model.errors import DataError
from makerside.model.units import NS_PER_S

MESSAGES = 3_000  # a minute and more: steps of a clock are looked for over 10 s


@pytest.fixture
def rows():
    return random_rows(MESSAGES, seed=7)


@pytest.fixture
def found(tmp_path):
    """Return a function that writes rows and returns their defects by name."""

    def check(rows, **limits):
        path = tmp_path / "venue-COIN-x.parquet"
        pq.write_table(pa.table(columns_from(rows)), path)
        return {one.name: one for one in find_defects(path, Limits(**limits)).defects}

    return check


def rows_of(defect):
    return [place.row for place in defect.places]


def change(rows, at, **values):
    """Change some values of one row in place."""
    names = ("venue", "local", "kind", "side", "price", "size", "msg")
    rows[at] = tuple(values.get(name, old) for name, old in zip(names, rows[at], strict=True))


def first_of(rows, kind, after=500):
    """Return the row of the first message of a kind, behind another message."""
    return next(i for i in range(after, len(rows)) if rows[i][2] == kind and rows[i - 1][6] != rows[i][6])


def after(rows, at, local=0, venue=0):
    """Shift the times of a row and all behind it."""
    moved = [(one[0] + venue, one[1] + local, *one[2:]) for one in rows[at:]]
    return rows[:at] + moved


def test_a_sound_recording_is_clean(found, rows):
    assert found(rows) == {}


@pytest.mark.parametrize(
    ("name", "kind", "values"),
    [
        ("unknown_kind", DELTA, {"kind": 9}),
        ("unknown_side", DELTA, {"side": 3}),
        ("book_row_without_side", DELTA, {"side": 0}),
        ("bad_price", TRADE, {"price": np.nan}),
        ("bad_price", TRADE, {"price": -1.0}),
        ("bad_size", DELTA, {"size": -1.0}),
        ("bad_size", DELTA, {"size": np.inf}),
        ("trade_of_nothing", TRADE, {"size": 0.0}),
        ("trade_without_side", TRADE, {"side": 0}),
        ("price_outlier", TRADE, {"price": 66_000.0}),
        ("price_outlier", TRADE, {"price": 54_000.0}),
        ("trade_size_outlier", TRADE, {"size": 5_000.0}),
        ("level_size_outlier", BBO, {"size": 500_000.0}),
    ],
)
def test_a_value_is_found(found, rows, name, kind, values):
    at = first_of(rows, kind)
    change(rows, at, **values)
    defects = found(rows)
    assert set(defects) == {name}
    assert (defects[name].count, rows_of(defects[name])) == (1, [at])
    assert defects[name].places[0].ts_local_ns == rows[at][1]


class TestTimes:
    def test_a_gap(self, found, rows):
        at = first_of(rows, TRADE)
        defects = found(after(rows, at, local=11 * NS_PER_S, venue=11 * NS_PER_S))
        assert rows_of(defects["gap"]) == [at]
        assert defects["gap"].places[0].detail.startswith("11.0")
        assert set(defects) <= {"gap", "book_gap"}, "the book was as silent"

    def test_the_limit_of_a_gap_is_given(self, found, rows):
        assert found(after(rows, 600, local=2 * NS_PER_S, venue=2 * NS_PER_S)) == {}
        moved = after(rows, first_of(rows, TRADE, 600), local=2 * NS_PER_S, venue=2 * NS_PER_S)
        assert "gap" in found(moved, gap_ns=NS_PER_S)

    def test_a_book_that_is_silent_while_trades_arrive(self, found, rows):
        silent = [one for one in rows if one[2] == TRADE or not 600 <= one[6] < 1_200]
        defects = found(silent)
        assert set(defects) == {"book_gap"}
        (row,) = rows_of(defects["book_gap"])
        assert silent[row][6] >= 1_200
        assert silent[row][2] != TRADE

    def test_a_recorders_clock_that_is_set_back(self, found, rows):
        at = first_of(rows, TRADE)
        defects = found(after(rows, at, local=-5 * NS_PER_S))
        assert rows_of(defects["local_time_back"]) == [at]
        assert defects["local_time_back"].count == 1, "one rule, told once"
        assert "received_before_sent" in defects

    @pytest.mark.parametrize("step_s", [3, -3])
    def test_a_recorders_clock_that_is_set(self, found, rows, step_s):
        base = after(rows, 0, local=10 * NS_PER_S)
        at = first_of(rows, TRADE, len(rows) // 2)
        defects = found(after(base, at, local=step_s * NS_PER_S))
        assert rows_of(defects["clock_step"]) == [at]
        size, unit = defects["clock_step"].places[0].detail.split()
        assert (round(float(size), 1), unit) == (step_s, "s")

    def test_a_jam_is_no_step(self, found, rows):
        jam = [
            (v, local + (2 * NS_PER_S if 900 <= msg < 1_000 else 0), *rest, msg)
            for v, local, *rest, msg in rows
        ]
        assert "clock_step" not in found(sorted(jam, key=lambda row: row[1]))

    @pytest.mark.parametrize(("kind", "name"), [(DELTA, "books"), (BBO, "best_prices"), (TRADE, "trades")])
    def test_a_venues_clock_that_goes_back(self, found, rows, kind, name):
        at = first_of(rows, kind)
        change(rows, at, venue=rows[at][0] - 3 * NS_PER_S)
        defects = found(rows)
        assert f"venue_time_back_{name}" in defects
        assert rows_of(defects[f"venue_time_back_{name}"]) == [at]
        assert not {other for other in defects if other.startswith("venue_time_back")} - {
            f"venue_time_back_{name}"
        }

    def test_a_clock_before_the_venues(self, found, rows):
        at = first_of(rows, TRADE)
        change(rows, at, venue=rows[at][1] + 4_000_000)
        defects = found(rows)
        assert rows_of(defects["received_before_sent"]) == [at]
        assert defects["received_before_sent"].places[0].detail == "4 ms"

    @pytest.mark.parametrize("unit", [10**9, 10**6, 10**3])
    def test_another_unit(self, found, rows, unit):
        at = first_of(rows, TRADE)
        change(rows, at, venue=rows[at][0] // unit)
        assert rows_of(found(rows)["mixed_time_units"]) == [at]


class TestBooks:
    def test_a_book_that_stays_crossed(self, found, rows):
        """A level that was never removed crosses every state until the next snapshot, counted by message."""
        at = first_of(rows, DELTA)
        change(rows, at, price=rows[at][4] + (2_000 if rows[at][3] > 0 else -2_000), size=1.0)
        defects = found(rows)
        end = next(i for i in range(at, len(rows)) if rows[i][2] == SNAPSHOT)
        changes = sum(1 for one in rows[at:end] if one[2] == DELTA)
        assert defects["crossed_book"].count == changes
        assert rows_of(defects["crossed_book"])[0] == at

    def test_a_locked_book(self, found, rows):
        at = first_of(rows, BBO)
        change(rows, at, price=rows[at + 1][4])
        assert rows_of(found(rows)["locked_book"]) == [at + 1], "the last row of the message"

    def test_a_mid_that_jumps(self, found, rows):
        at = first_of(rows, BBO)
        for row in (at, at + 1):
            change(rows, row, price=rows[row][4] * 1.03)
        defects = found(rows)
        assert rows_of(defects["mid_jump"])[0] == at + 1
        assert found(rows, far_bps=400.0) == {}

    def test_a_price_twice_in_a_message(self, found, rows):
        at = first_of(rows, SNAPSHOT)
        change(rows, at + 1, price=rows[at][4])
        assert rows_of(found(rows)["level_told_twice"]) == [at + 1]

    def test_touches_are_those_of_the_feed(self):
        made = [
            (1, 1, SNAPSHOT, 1, 9.0, 1.0, 1),
            (1, 1, SNAPSHOT, -1, 11.0, 1.0, 1),
            (2, 2, BBO, 1, 9.5, 1.0, 2),
            (2, 2, BBO, -1, 10.5, 1.0, 2),
            (3, 3, DELTA, 1, 9.0, 0.0, 3),
            (4, 4, DELTA, 1, 8.0, 2.0, 4),
            (5, 5, TRADE, 1, 10.5, 1.0, 5),
            (6, 6, BBO, -1, 0.0, 0.0, 6),
            (7, 7, SNAPSHOT, -1, 12.0, 1.0, 7),
        ]
        bids, asks = touches_of(columns_from(made))
        nan = np.nan
        np.testing.assert_array_equal(bids, [nan, 9.0, nan, 9.5, nan, 8.0, nan, 9.5, nan])
        np.testing.assert_array_equal(asks, [nan, 11.0, nan, 10.5, 11.0, 11.0, nan, nan, 12.0])


class TestRepeats:
    def test_a_message_that_came_twice(self, found, rows):
        at = first_of(rows, SNAPSHOT)
        end = next(i for i in range(at, len(rows)) if rows[i][6] != rows[at][6])
        again = [(*one[:6], 1 << 20) for one in rows[at:end]]
        defects = found(rows[:end] + again + rows[end:])
        assert set(defects) == {"duplicate_message"}
        assert rows_of(defects["duplicate_message"]) == [end]

    def test_trades_that_came_again_on_a_reconnect(self, found, rows):
        trades = [one for one in rows[:900] if one[2] == TRADE][-8:]
        at = first_of(rows, DELTA, 1_500)
        local = rows[at][1]
        again = [(one[0], local, *one[2:6], (1 << 20) + i) for i, one in enumerate(trades)]
        defects = found(rows[:at] + again + rows[at:])
        assert defects["repeated_trade"].count == 8
        assert rows_of(defects["repeated_trade"]) == list(range(at, at + PLACES_KEPT))

    def test_a_recorder_that_listened_twice(self, found, rows):
        twice, n_trades = [], 0
        for i, one in enumerate(rows):
            is_trade = one[2] == TRADE
            n_trades += is_trade
            twice += [(*one[:6], 2 * i + copy if is_trade else -one[6]) for copy in range(1 + is_trade)]
        assert found(twice)["duplicate_message"].count >= n_trades

    def test_prints_that_are_alike_are_no_repeats(self, found, rows):
        at = first_of(rows, TRADE)
        same = [(*rows[at][:6], (1 << 20) + i) for i in range(3)]
        assert found(rows[:at] + same + rows[at:]) == {}


def test_trades_of_before_the_first_book(found, rows):
    early = (START_NS - NS_PER_S, rows[0][1], TRADE, 1, 60_000.0, 1.0, -1)
    assert rows_of(found([early, *rows])["backlog_trade"]) == [0]


def test_several_defects_are_all_told_and_the_rows_are_those_of_the_file(found, rows):
    """Impossible rows are left out of the book and the gaps, but not out of the count of rows."""
    at = first_of(rows, TRADE)
    bad = [(*rows[at][:4], np.nan, 1.0, (1 << 20) + i) for i in range(20)]
    far = (*rows[at][:4], 90_000.0, *rows[at][5:])
    defects = found([*rows[:at], *bad, far, *rows[at + 1 :]])
    assert (defects["bad_price"].count, len(defects["bad_price"].places)) == (20, PLACES_KEPT)
    assert rows_of(defects["price_outlier"]) == [at + 20]


def test_the_check_sees_what_loading_repairs(tmp_path, rows):
    late = [(venue + 50_000_000, *rest) for venue, *rest in rows]
    path = tmp_path / "venue-COIN-x.parquet"
    pq.write_table(pa.table(columns_from(late)), path)
    assert load_recording(path).defects["clock_shift_ns"] > 0
    assert find_defects(path).defects[0].name == "received_before_sent"


def test_a_file_of_nothing_but_bad_rows(found):
    made = [(START_NS, START_NS, TRADE, 1, np.nan, 1.0, i) for i in range(3)]
    assert set(found(made)) == {"bad_price"}


def test_a_file_of_trades_alone(found, rows):
    assert found([one for one in rows if one[2] == TRADE]) == {}


def test_what_cannot_be_read(tmp_path):
    path = tmp_path / "noise.parquet"
    path.write_bytes(b"noise" * 100)
    with pytest.raises(DataError, match="not a readable Parquet file"):
        find_defects(path)
