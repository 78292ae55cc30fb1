"""Recordings: every defect of the data is handled and counted, every bad input is named."""

import json
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from builders import make_engine, plain, run
from makerside.journal.recording import load_recording, merge
from makerside.journal.recording_file import COLUMNS
from makerside.model.errors import DataError
from makerside.model.event import Flag, Kind

TYPES = {"int64": pa.int64(), "int8": pa.int8(), "int32": pa.int32(), "double": pa.float64()}
DELTA, SNAPSHOT, TRADE, BBO = 1, 2, 3, 4

# ts_exchange, ts_local, kind, side, price, size, msg
GOOD = [
    (100, 110, SNAPSHOT, 1, 99.5, 1.25, 1),
    (100, 110, SNAPSHOT, -1, 100.0, 2.0, 1),
    (120, 131, DELTA, 1, 99.25, 0.0, 2),
    (125, 140, TRADE, -1, 99.5, 0.5, 3),
    (126, 141, TRADE, 0, 99.75, 0.75, 4),
    (130, 150, BBO, 1, 99.5, 1.0, 5),
    (130, 150, BBO, -1, 100.0, 0.0, 5),
]


@pytest.fixture
def write(tmp_path):
    """Return a function that writes rows as a recording and returns its path."""

    def write(rows, name="venue-COIN-20240101.parquet", **columns):
        values = dict(zip(COLUMNS, zip(*rows, strict=True) if rows else [[]] * len(COLUMNS), strict=True))
        arrays = {key: pa.array(list(values[key]), TYPES[COLUMNS[key]]) for key in COLUMNS}
        arrays.update(columns)
        path = tmp_path / name
        pq.write_table(pa.table({key: array for key, array in arrays.items() if array is not None}), path)
        return path

    return write


def changed(index, **values):
    """Return GOOD with some values of one row changed."""
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in GOOD]
    rows[index].update(values)
    return [tuple(row.values()) for row in rows]


def test_rows_become_events(write):
    found = load_recording(write(GOOD))
    assert (found.instrument.venue, found.instrument.symbol) == ("venue", "COIN")
    assert (found.instrument.tick_size, found.instrument.lot_size) == (Decimal("0.01"), Decimal("0.01"))
    assert found.defects == {"trades_without_side": 1}
    events = found.events
    assert events["kind"].tolist() == [
        Kind.SNAPSHOT,
        Kind.SNAPSHOT,
        Kind.DELTA,
        Kind.TRADE,
        Kind.TRADE,
        Kind.BBO,
        Kind.BBO,
    ]
    assert events["price_ticks"].tolist() == [9_950, 10_000, 9_925, 9_950, 9_975, 9_950, 10_000]
    assert events["size_lots"].tolist() == [125, 200, 0, 50, 75, 100, 0]
    assert [bool(f & Flag.SELL) for f in events["flags"]] == [False, True, False, True, False, False, True]
    assert [bool(f & Flag.LAST) for f in events["flags"]] == [False, True, True, True, True, False, True]
    assert [bool(f & Flag.UNKNOWN_SIDE) for f in events["flags"]] == [False] * 4 + [True] + [False] * 2
    assert events["ts_venue_ns"].tolist() == [100, 100, 120, 125, 126, 130, 130]
    assert events["ts_local_ns"].tolist() == [110, 110, 131, 140, 141, 150, 150]
    assert found.duration_ns == 40


@pytest.mark.parametrize(
    ("values", "step"),
    [
        ([1.0, 2.0, 3.0], "1"),
        ([0.5, 1.0], "0.1"),
        ([0.25, 1.0], "0.01"),
        ([100.0, 200.0, 700.0], "100"),
        ([10.0, 25.0], "1"),
        ([83757.5, 83758.0], "0.1"),
        ([0.002512, 0.0025], "0.000001"),
        ([0.1 + 0.2, 0.3], "0.1"),
        ([12345678.9], "0.1"),
    ],
)
def test_the_grid_is_inferred(write, values, step):
    rows = [(i, i, SNAPSHOT, 1, value, 1.0, i) for i, value in enumerate(values)]
    assert load_recording(write(rows)).instrument.tick_size == Decimal(step)


def test_a_given_instrument_rules(write):
    instrument = plain(tick_size=Decimal("0.0001"), lot_size=Decimal("0.001"))
    found = load_recording(write(GOOD), instrument)
    assert found.instrument is instrument
    assert found.events["price_ticks"][0] == 995_000
    assert found.events["size_lots"][0] == 1_250


def test_a_clock_that_ran_before_the_venues_is_shifted(write):
    rows = [(t + 5_000_000, local, *rest) for t, local, *rest in GOOD]
    found = load_recording(write(rows))
    latency = found.events["ts_local_ns"] - found.events["ts_venue_ns"]
    assert latency.min() == 1_000_000
    assert found.defects["clock_shift_ns"] == 1_000_000 + 5_000_000 - 10
    assert np.diff(found.events["ts_local_ns"]).tolist() == np.diff([row[1] for row in GOOD]).tolist()


def test_trades_of_before_the_first_book_are_dropped(write):
    backlog = [(t, 105, TRADE, 1, 98.0, 1.0, 0) for t in (40, 99, 100)]
    found = load_recording(write(backlog + GOOD))
    assert found.defects["backlog_trades_dropped"] == 2
    assert len(found.events) == 1 + len(GOOD)
    assert found.events["ts_venue_ns"][0] == 100, "of the same time as the first book"


BAD = [
    ("kind is not", 3, {"kind": 9}),
    ("side is not", 3, {"side": 5}),
    ("side 0 is allowed for trades only", 2, {"side": 0}),
    ("price is not a positive number", 2, {"price": 0.0}),
    ("price is not a positive number", 2, {"price": -1.0}),
    ("price is not a positive number", 4, {"price": float("nan")}),
    ("price is not a positive number", 4, {"price": float("inf")}),
    ("price is not a positive number", 5, {"price": 0.0}),
    ("size is not a number of at least 0", 0, {"size": -0.5}),
    ("size is not a number of at least 0", 0, {"size": float("nan")}),
    ("a trade has no size", 3, {"size": 0.0}),
    ("ts_local_ns goes back", 3, {"ts_local_ns": 130}),
]


@pytest.mark.parametrize(("words", "row", "values"), BAD)
def test_a_bad_value_is_named_by_file_and_row(write, words, row, values):
    path = write(changed(row, **values))
    with pytest.raises(DataError, match=f"row {row}: {words}") as error:
        load_recording(path)
    assert str(path) in str(error.value)


def test_an_empty_best_price_needs_no_price(write):
    found = load_recording(write(changed(6, price=0.0)))
    assert found.events["size_lots"][6] == 0


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"price": 99.505}, "row 3: price 99.505 is not a multiple of 0.01"),
        ({"size": 0.005}, "row 3: size 0.005 is not a multiple of 0.01"),
        ({"price": 3e7}, "row 3: price 30000000.0 is more than"),
        ({"size": 1e15}, "row 3: size 1000000000000000.0 is more than"),
    ],
)
def test_what_is_off_a_given_grid_is_named(write, values, words):
    path = write(changed(3, **values))
    with pytest.raises(DataError, match=words) as error:
        load_recording(path, plain())
    assert str(path) in str(error.value)


def test_a_row_is_counted_in_the_file(write):
    """Three rows of backlog stand before it: row 6 of the file is off the grid."""
    backlog = [(40, 105, TRADE, 1, 98.0, 1.0, 0)] * 3
    path = write(backlog + changed(3, price=99.505))
    with pytest.raises(DataError) as error:
        load_recording(path, plain())
    assert "row 6" in str(error.value)


@pytest.mark.parametrize("name", list(COLUMNS))
def test_a_missing_column_is_named(write, name):
    with pytest.raises(DataError, match=f"column {name} is missing"):
        load_recording(write(GOOD, **{name: None}))


@pytest.mark.parametrize("name", list(COLUMNS))
def test_a_column_of_another_type_is_named(write, name):
    text = pa.array(["x"] * len(GOOD))
    with pytest.raises(DataError, match=f"column {name} is string; it must be {COLUMNS[name]}"):
        load_recording(write(GOOD, **{name: text}))


@pytest.mark.parametrize("name", list(COLUMNS))
def test_empty_values_are_named(write, name):
    values = [None] + [row[list(COLUMNS).index(name)] for row in GOOD[1:]]
    holed = pa.array(values, TYPES[COLUMNS[name]])
    with pytest.raises(DataError, match=f"column {name} has empty values"):
        load_recording(write(GOOD, **{name: holed}))


def test_other_columns_do_not_matter(write):
    extra = pa.array(["note"] * len(GOOD))
    assert len(load_recording(write(GOOD, note=extra)).events) == len(GOOD)


def test_a_file_without_rows_is_refused(write):
    with pytest.raises(DataError, match="has no rows"):
        load_recording(write([]))


def test_a_finer_grid_than_money_is_refused(write):
    with pytest.raises(DataError, match="prices have more than 8 decimals"):
        load_recording(write(changed(0, price=99.123456789)))


@pytest.mark.parametrize("what", ["missing", "text", "empty", "cut"])
def test_a_file_that_is_none_is_named(write, tmp_path, what):
    path = tmp_path / "venue-COIN.parquet"
    if what == "cut":
        data = write(GOOD * 200, name=path.name).read_bytes()
        path.write_bytes(data[: len(data) // 2])
    elif what != "missing":
        path.write_bytes(b"" if what == "empty" else b"not a recording\n" * 50)
    with pytest.raises(DataError, match=str(path)):
        load_recording(path)


def test_a_damaged_file_is_named(write):
    """The footer is whole, the data are not."""
    path = write(GOOD * 500)
    data = bytearray(path.read_bytes())
    data[8:400] = bytes(392)
    path.write_bytes(bytes(data))
    with pytest.raises(DataError, match=str(path)):
        load_recording(path)


def test_recordings_are_merged_by_local_time_and_messages_stay_whole(write):
    one = load_recording(write(GOOD, name="a-ONE.parquet"))
    other = load_recording(write([(t + 2, local + 2, *rest) for t, local, *rest in GOOD], name="a-TWO.parquet"))
    rows = merge([one, other])
    assert len(rows) == 2 * len(GOOD)
    assert (np.diff(rows["ts_local_ns"]) >= 0).all()
    for i, recording in enumerate((one, other)):
        mine = rows[rows["instrument"] == i]
        mine["instrument"] = 0
        assert mine.tobytes() == recording.events.tobytes()
    open_message = None
    for each in rows:
        assert open_message in (None, each["instrument"])
        open_message = None if each["flags"] & Flag.LAST else each["instrument"]


# The recorded data, where they are. Rows that are dropped; defects that are counted; tick and lot.
REAL = [
    ("binance_usdm-BTCUSDT-20240718T2357", 0, {"clock_shift_ns"}, "0.1", "0.001"),
    ("binance_usdm-BTCUSDT-20230404T2358", 0, {"clock_shift_ns"}, "0.1", "0.001"),
    ("binance_spot-ETHUSDT-20240808T2354", 0, {"clock_shift_ns"}, "0.01", "0.00001"),
    ("bitstamp-BTCUSD-20150501T0030", 0, {"sizes_rounded"}, "0.01", "0.000001"),
    ("bybit_linear-SOLUSDT-20260809T2126", 0, set(), "0.01", "0.1"),
    ("hyperliquid-BTC-20250126T1914", 30, {"backlog_trades_dropped"}, "1", "0.00001"),
    ("hyperliquid-BTC-20260101-bbo1s", 0, set(), "1", "0.00001"),
    ("lighter-ETH-20251009T2033", 3, {"backlog_trades_dropped"}, "0.01", "0.0001"),
    ("no_licence/standx-BTCUSD-20260108", 0, {"trades_without_side"}, "0.01", "0.0001"),
]


def facts(data, name):
    """Return what the manifest says about a file."""
    files = json.loads((data / "MANIFEST.json").read_text())["files"]
    return next(entry for entry in files if entry["file"] == f"l2/{name}.parquet")


@pytest.mark.parametrize(("name", "dropped", "defects", "tick", "lot"), REAL, ids=[each[0] for each in REAL])
def test_defects_of_recorded_data(data, name, dropped, defects, tick, lot):
    found, told = load_recording(data / "l2" / f"{name}.parquet"), facts(data, name)
    assert len(found.events) == told["rows"] - dropped
    assert set(found.defects) == defects
    assert (found.instrument.tick_size, found.instrument.lot_size) == (Decimal(tick), Decimal(lot))
    latency = found.events["ts_local_ns"] - found.events["ts_venue_ns"]
    assert latency.min() >= 0
    if "clock_shift_ns" in defects:
        shift_ms = found.defects["clock_shift_ns"] / 1e6
        assert shift_ms == pytest.approx(1 - told["qa"]["latency_ms_min_med_p99"][0], abs=1.0)
    if "backlog_trades_dropped" in defects:
        assert found.defects["backlog_trades_dropped"] == dropped
    if "trades_without_side" in defects:
        assert found.defects["trades_without_side"] == told["qa"]["trades"]


@pytest.mark.parametrize(
    "name", ["bitstamp-BTCUSD-20150501T0030", "lighter-BTC-20251009T2033", "bybit_linear-BTCUSDT-20260809T2126"]
)
def test_books_are_in_the_states_that_others_found(data, name):
    """The manifest's own count of crossed and locked states, made without this program."""
    found, told = load_recording(data / "l2" / f"{name}.parquet"), facts(data, name)["qa"]
    rows = found.events[found.events["kind"] != Kind.TRADE]
    engine = make_engine(
        instruments=[found.instrument], prices=[int(np.median(rows["price_ticks"]))], start_ns=None
    )
    run(engine, rows)
    market = engine.markets[0]
    assert (market["n_crossed"], market["n_locked"]) == (told["crossed"], told["locked"])
    assert market["n_messages"] == told["states"]
