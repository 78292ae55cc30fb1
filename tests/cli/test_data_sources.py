"""`data import` and `data check` of every source: runs, Tardis, candles, stores; bad files, killed imports."""

import gzip
import json
import os
import subprocess
import sys
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cli.conftest import write_recording
from cli.test_bad_input import says
from cli.test_data_files import actions_sha256
from journal.tapes import START_NS, columns_from, random_rows, save_tape, to_tape
from makerside.journal.candles import COLUMNS, load_candles
from makerside.journal.folder import write_json
from makerside.journal.recording import load_recording, load_recordings
from makerside.journal.recording_file import read_table
from makerside.journal.writer import JournalWriter
from makerside.model.event import Flag, Kind, event_t
from makerside.model.instrument import Instrument
from makerside.model.run import JOURNAL_NAME, RUN_NAME
from research.fake_s3 import ACCESS_KEY, SECRET_KEY, fake_s3


def files(folder):
    """Return the names in a folder, hidden ones too."""
    return sorted(one.name for one in folder.iterdir())


class TestRun:
    """A record run's folder, as its Parquet file, gives the same rows and the same decisions."""

    @pytest.fixture
    def run(self, tmp_path, recording):
        """A folder as `record` leaves it: two symbols, a gap and an empty book, and what is no market data."""
        folder = tmp_path / "run"
        folder.mkdir()
        one = load_recording(recording)
        events = one.events.copy()
        gap = np.zeros(3, event_t)
        gap["ts_local_ns"] = events["ts_local_ns"][400]
        gap["kind"], gap["flags"] = (Kind.DISCONNECT, Kind.GAP, Kind.SNAPSHOT), Flag.LAST
        gap["ts_venue_ns"][2] = gap["ts_local_ns"][2]
        at = int(np.flatnonzero(events["flags"][:400] & Flag.LAST)[-1]) + 1
        other = events[:90].copy()
        other["instrument"], other["price_ticks"] = 1, 500
        rows = np.concatenate([events[:at], gap, events[at:]])
        rows["ts_local_ns"] = np.maximum.accumulate(rows["ts_local_ns"])
        with JournalWriter(folder / JOURNAL_NAME) as journal:
            journal.append(other)
            journal.append(rows)
        instruments = [one.instrument, Instrument("test", "ETH", Decimal("0.1"), Decimal("0.01"))]
        described = [instrument.as_dict() for instrument in instruments]
        write_json(folder / RUN_NAME, {"mode": "record", "has_own_in_book": False, "instruments": described})
        return folder

    def test_the_same_rows_and_decisions(self, call, tmp_path, run, recording):
        symbol = load_recording(recording).instrument.symbol
        out = tmp_path / "imported.parquet"
        assert call("data", "import", run, "--out", out, "--symbol", symbol).code == 0
        ours, theirs = load_recordings(run)[0], load_recording(out)
        assert {Kind.GAP, Kind.SNAPSHOT} <= set(ours.events["kind"].tolist())
        assert theirs.events.tobytes() == ours.events.tobytes()
        assert theirs.instrument == ours.instrument
        alone = tmp_path / "alone"
        alone.mkdir()
        with JournalWriter(alone / JOURNAL_NAME) as journal:
            journal.append(ours.events)
        described = [ours.instrument.as_dict()]
        write_json(alone / RUN_NAME, {"mode": "record", "has_own_in_book": False, "instruments": described})
        hashes = [actions_sha256(call, tmp_path / f"out{i}", data) for i, data in enumerate((alone, out))]
        assert hashes[0] == hashes[1]

    def test_check_tells_interruptions(self, call, run, recording):
        symbol = load_recording(recording).instrument.symbol
        finished = call("data", "check", "--json", "--symbol", symbol, run)
        found = {one["name"]: one["count"] for one in json.loads(finished.out)["defects"]}
        assert found["interruption"] == 1

    def test_which_symbol(self, call, tmp_path, run):
        says(call("data", "import", run, "-o", tmp_path / "o"), "the run has BTCUSDT, ETH; choose one")
        says(call("data", "import", run, "-o", tmp_path / "o", "--symbol", "SOL"), "no SOL in it")

    def test_no_recording(self, call, tmp_path, run):
        values = json.loads((run / RUN_NAME).read_text())
        for change, words in (
            ({"has_own_in_book": True}, "contain our own orders"),
            ({"instruments": None}, "the instruments in it are unreadable"),
            ({"instruments": [{"venue": "v"}]}, "the instruments in it are unreadable"),
        ):
            write_json(run / RUN_NAME, values | change)
            says(call("data", "import", run, "-o", tmp_path / "o"), words)
        says(call("data", "check", tmp_path), "holds no run")
        assert "o" not in files(tmp_path)


BOOK_HEADER = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount"
TRADES_HEADER = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount"
START_US = START_NS // 1000


def book(us, side, price, size, snapshot=False, symbol="BTC-PERP"):
    """Return a line of incremental_book_L2, received `us` after START."""
    return f"v,{symbol},{START_US + us - 5},{START_US + us},{str(snapshot).lower()},{side},{price},{size}"


def trade(us, side, price, size, symbol="BTC-PERP"):
    """Return a line of trades."""
    return f"v,{symbol},{START_US + us - 5},{START_US + us},,{side},{price},{size}"


class TestTardis:
    BOOK = (
        book(0, "ask", 6500.5, 100, True),
        book(0, "bid", 6500, 50, True),
        book(10, "bid", 6499.5, 25, True),  # the snapshot goes on
        book(20, "bid", 6499.5, 10),
        book(20, "ask", 6500.5, 0),
        book(30, "ask", 6501, 20),
        book(40, "ask", 6502, 5, True),
        book(40, "bid", 6498, 5, True),
    )
    TRADES = (trade(20, "buy", 6500.5, 100), trade(20, "sell", 6500, 1), trade(35, "unknown", 6500, 3))
    ROWS = (
        (2, -1, 6500.5, 100.0, 0),
        (2, 1, 6500.0, 50.0, 0),
        (1, 1, 6499.5, 25.0, 1),
        (3, 1, 6500.5, 100.0, 2),
        (3, -1, 6500.0, 1.0, 2),
        (1, 1, 6499.5, 10.0, 3),
        (1, -1, 6500.5, 0.0, 3),
        (1, -1, 6501.0, 20.0, 4),
        (3, 0, 6500.0, 3.0, 5),
        (2, -1, 6502.0, 5.0, 6),
        (2, 1, 6498.0, 5.0, 6),
    )

    @pytest.fixture
    def write(self, tmp_path):
        """Return a function that writes lines under a header, and returns the path."""

        def write(name, header, lines):
            data = ("\n".join([header, *lines]) + "\n").encode()
            path = tmp_path / name
            path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
            return path

        return write

    @pytest.mark.parametrize("suffix", [".csv", ".csv.gz"])
    def test_book_and_trades_become_rows(self, call, tmp_path, write, suffix):
        sources = [write("b" + suffix, BOOK_HEADER, self.BOOK), write("t" + suffix, TRADES_HEADER, self.TRADES)]
        for given in (sources, sources[::-1]):
            out = tmp_path / "out.parquet"
            finished = call("data", "import", *given, "--out", out)
            assert finished.code == 0, finished.err
            assert "11 rows" in finished.out
            assert "v BTC-PERP, tick 0.1, lot 1 (found)" in finished.out
            assert "times were in us" in finished.out
            columns = read_table(out).columns
            names = ("kind", "side", "price", "size", "msg")
            assert list(zip(*(columns[name].tolist() for name in names), strict=True)) == list(self.ROWS)
            local = [0, 0, 10, 20, 20, 20, 20, 30, 35, 40, 40]
            assert ((columns["ts_local_ns"] - START_NS) // 1000).tolist() == local
            assert (columns["ts_local_ns"] - columns["ts_exchange_ns"] == 5_000).all()
        assert call("data", "check", out).code == 1  # a trade without a side
        assert "clean" in call("data", "check", sources[0]).out

    def test_the_books_of_an_imported_file(self, call, tmp_path, write):
        """After each message: what the source's rule for snapshots gives."""
        from makerside.journal.touches import touches_of

        out = tmp_path / "out.parquet"
        call("data", "import", write("b.csv", BOOK_HEADER, self.BOOK), "--out", out)
        bids, asks = touches_of(read_table(out).columns)
        told = [(bid, ask) for bid, ask in zip(bids, asks, strict=True) if bid == bid or ask == ask]
        expected = [(6500, 6500.5), (6500, 6500.5), (6500, np.nan), (6500, 6501), (6498, 6502)]
        assert np.array_equal(told, expected, equal_nan=True)

    def test_one_of_several_symbols(self, call, tmp_path, write):
        lines = [
            *self.BOOK,
            book(50, "bid", 100, 1, True, "ETH-PERP"),
            book(50, "ask", 101, 1, True, "ETH-PERP"),
        ]
        source = write("b.csv", BOOK_HEADER, lines)
        out = tmp_path / "o.parquet"
        says(call("data", "import", source, "-o", out), "the files have v BTC-PERP, v ETH-PERP; choose one")
        says(call("data", "import", source, "-o", out, "--symbol", "X"), "choose one with --symbol")
        assert call("data", "import", source, "-o", out, "--symbol", "ETH-PERP").code == 0
        assert read_table(out).columns["price"].tolist() == [100, 101]

    BAD = (
        (5, book(20, "bidd", 1, 1), "line 5: side is 'bidd'; it must be bid, ask"),
        (5, book(20, "bid", "1.x", 1), "line 5: ", "invalid value '1.x'"),
        (5, book(20, "bid", "", 1), "line 5: price is empty"),
        (5, book(20, "bid", -1, 1), "line 5: price is not a positive number"),
        (5, book(20, "bid", "nan", 1), "line 5: price is "),
        (5, book(20, "bid", 1, 1) + ",7", "line 5: ", "Expected 8 columns, got 9"),
        (5, "", "line 5: "),
        (6, book(19, "bid", 1, 1), "line 6: local_timestamp goes back"),
        (
            5,
            f"v,BTC-PERP,{START_US // 1000},{START_US // 1000},false,bid,1,1",
            "line 5: ",
            "is in ms, but",
            "mixed",
        ),
        (5, f"v,BTC-PERP,{START_US},{START_US * 1000},false,bid,1,1", "line 5: ", "is in ns, but", "mixed"),
        (5, f"v,BTC-PERP,0,{START_US + 20},false,bid,1,1", "line 5: ", "is no time"),
    )

    @pytest.mark.parametrize(("number", "line", "words"), [(n, line, words) for n, line, *words in BAD])
    def test_a_bad_line_is_named_and_nothing_is_written(self, call, tmp_path, write, number, line, words):
        lines = list(self.BOOK)
        lines[number - 2] = line
        source = write("b.csv", BOOK_HEADER, lines)
        trades = write("t.csv", TRADES_HEADER, self.TRADES)
        says(call("data", "import", trades, source, "--out", tmp_path / "o.parquet"), "b.csv: ", *words)
        assert files(tmp_path) == ["b.csv", "t.csv"]

    def test_a_grid_error_names_the_file_that_the_row_is_in(self, call, tmp_path, write):
        sources = [write("b.csv", BOOK_HEADER, self.BOOK), write("t.csv", TRADES_HEADER, self.TRADES)]
        grid = ("--tick-size", "0.5", "--lot-size", "5")
        says(
            call("data", "import", *sources, "-o", tmp_path / "o", *grid),
            "t.csv: line 3: size 1.0 is not a mul",
        )

    @pytest.mark.parametrize("cut", [10, 60, 120])
    def test_a_compressed_file_that_is_cut(self, call, tmp_path, write, cut):
        source = write("b.csv.gz", BOOK_HEADER, self.BOOK)
        source.write_bytes(source.read_bytes()[:cut])
        says(call("data", "import", source, "--out", tmp_path / "o.parquet"), "b.csv.gz: cannot be read")
        assert files(tmp_path) == ["b.csv.gz"]

    def test_what_belongs_together(self, call, tmp_path, write, recording):
        source = write("b.csv", BOOK_HEADER, self.BOOK)
        says(call("data", "import", source, recording, "-o", tmp_path / "o"), "only CSV files of Tardis")


class TestPriceUnits:
    @pytest.mark.parametrize("factor", [100, 0.1])
    def test_prices_of_another_unit_from_a_row_on(self, call, tmp_path, factor):
        columns = columns_from(random_rows(600, 1))
        near = np.flatnonzero(columns["kind"] >= 3)
        row = int(near[200])
        columns["price"][row:] *= factor
        source = write_recording(tmp_path / "v-S-x.parquet", columns)
        finished = call("data", "import", source, "-o", tmp_path / "o.parquet")
        says(finished, f"v-S-x.parquet: row {row}: price ", f"{max(factor, 1 / factor):.0f}", "mixed units")
        assert files(tmp_path) == ["v-S-x.parquet"]

    def test_in_a_book_without_trades(self, call, tmp_path):
        columns = columns_from([one for one in random_rows(9_000, 1) if one[2] < 3])
        row = len(columns["price"]) * 2 // 3
        columns["price"][row:] *= 100
        source = write_recording(tmp_path / "v-S-x.parquet", columns)
        finished = call("data", "import", source, "-o", tmp_path / "o.parquet")
        says(finished, f"v-S-x.parquet: row {row}: price ", "mixed units")

    def test_trades_of_another_unit_than_the_book(self, call, tmp_path):
        columns = columns_from([one for one in random_rows(600, 1) if one[2] < 4])
        columns["price"][columns["kind"] == 3] *= 100
        source = write_recording(tmp_path / "v-S-x.parquet", columns)
        says(
            call("data", "import", source, "-o", tmp_path / "o.parquet"),
            "the levels of the book around",
            "other",
        )


HOUR_NS = 3_600 * 10**9


def candles_of(n, seed=1):
    """Return columns of hourly candles."""
    rng = np.random.default_rng(seed)
    close = np.round(100 * np.exp(np.cumsum(rng.normal(0, 0.002, n))), 2)
    opened = np.append(100.0, close[:-1])
    return {
        "ts_open_ns": START_NS + np.arange(n) * HOUR_NS,
        "open": opened,
        "high": np.round(np.maximum(opened, close) + rng.integers(0, 9, n) / 100, 2),
        "low": np.round(np.minimum(opened, close) - rng.integers(0, 9, n) / 100, 2),
        "close": close,
        "volume": rng.integers(1, 900, n) / 4,
    }


def csv_of(columns, header=True, times=None):
    """Return candles as the text of a CSV file. times : how they are written, else integers"""
    times = columns["ts_open_ns"].tolist() if times is None else times
    rows = zip(times, *(columns[name].tolist() for name in COLUMNS[1:]), strict=True)
    lines = [",".join(str(one) for one in row) for row in rows]
    return "\n".join(["time,Open,High,Low,Close,Volume"] * header + lines) + "\n"


class TestCandles:
    @pytest.fixture
    def columns(self):
        return candles_of(300)

    def same(self, out, columns):
        candles = load_candles(out)
        for name in COLUMNS:
            assert candles.rows[name].tobytes() == columns[name].astype(candles.rows[name].dtype).tobytes(), (
                name
            )
        return candles

    @pytest.mark.parametrize(("unit", "name"), [(10**9, "s"), (10**6, "ms"), (10**3, "us"), (1, "ns")])
    @pytest.mark.parametrize("header", [True, False])
    def test_csv(self, call, tmp_path, columns, unit, name, header):
        source = tmp_path / "v-S-1h.csv"
        source.write_text(csv_of(columns, header, [time // unit for time in columns["ts_open_ns"].tolist()]))
        out = tmp_path / "out.parquet"
        finished = call("data", "import", source, "--out", out)
        assert finished.code == 0, finished.err
        assert "300 candles of 3600 s" in finished.out
        assert ("times were in" in finished.out) == (name != "ns")
        candles = self.same(out, columns)
        assert (candles.venue, candles.symbol, candles.interval_ns) == ("v", "S", HOUR_NS)
        assert str(pq.read_schema(out).field("close").type) == "decimal128(18, 2)"

    @pytest.mark.parametrize("zone", ["", "Z", "+00:00"])
    def test_csv_with_dates(self, call, tmp_path, columns, zone):
        times = [
            f"{np.datetime64(time, 'ns').astype('M8[s]')}{zone}" for time in columns["ts_open_ns"].tolist()
        ]
        source = tmp_path / "v-S-1h.csv.gz"
        source.write_bytes(gzip.compress(csv_of(columns, True, times).encode()))
        assert call("data", "import", source, "--out", tmp_path / "out.parquet").code == 0
        self.same(tmp_path / "out.parquet", columns)

    def test_parquet(self, call, tmp_path, columns):
        renamed = {"ts_open_ms": columns["ts_open_ns"] // 10**6} | {name: columns[name] for name in COLUMNS[1:]}
        pq.write_table(pa.table(renamed), tmp_path / "v-S-1h.parquet")
        out, again = tmp_path / "out.parquet", tmp_path / "again.parquet"
        assert call("data", "import", tmp_path / "v-S-1h.parquet", "--out", out, "--symbol", "T").code == 0
        assert call("data", "import", out, "--out", again).code == 0
        assert self.same(again, columns).symbol == "T"

    def test_repeats_gaps_and_outliers_are_counted(self, call, tmp_path, columns):
        columns["close"][100] *= 1.3
        columns["high"][100] = columns["close"][100]
        keep = np.delete(np.arange(300), [50, 51, 52])
        keep = np.insert(keep, 200, keep[200])
        changed = {name: values[keep] for name, values in columns.items()}
        source = tmp_path / "v-S-1h.csv"
        source.write_text(csv_of(changed))
        finished = call("data", "check", "--json", source)
        assert finished.code == 1
        found = {one["name"]: one for one in json.loads(finished.out)["defects"]}
        told = {name: (one["count"], one["places"][0]["row"]) for name, one in found.items()}
        # Lines count from 1, the header is one of them.
        assert told == {"gap": (1, 52), "duplicate": (1, 203), "price_outlier": (1, 99)}
        assert found["gap"]["places"][0]["detail"] == "3 missing"
        assert found["gap"]["places"][0]["ts_local_ns"] == START_NS + 53 * HOUR_NS
        out = tmp_path / "out.parquet"
        finished = call("data", "import", source, "--out", out)
        lines = ("left out: repeated_candles 1", "left as it is: gap 1", "left as it is: price_outlier 1")
        for line in lines:
            assert line in finished.out
        assert len(load_candles(out).rows) == 297

    BAD = (
        ("close", lambda v: -v, "line 102: a price is not a positive number"),
        ("high", lambda v: v / 2, "line 102: high is below open or close"),
        ("low", lambda v: v * 2, "line 102: low is above open or close"),
        ("volume", lambda v: -1.0, "line 102: volume is not a number of at least 0"),
        ("volume", lambda v: np.nan, "line 102: "),
        ("ts_open_ns", lambda v: v // 10**6, "line 102: ", "is in ms, but", "line 2 has ns: mixed units"),
        ("ts_open_ns", lambda v: 17, "line 102: time 17 is no time"),
        ("ts_open_ns", lambda v: v - 5 * HOUR_NS, "line 102: the time goes back"),
        (
            "ts_open_ns",
            lambda v: v - HOUR_NS,
            "line 102: another candle of the time of ",
            "line 101, with other",
        ),
    )

    @pytest.mark.parametrize(("name", "value", "words"), [(name, value, words) for name, value, *words in BAD])
    def test_a_bad_candle_is_named_and_nothing_is_written(self, call, tmp_path, columns, name, value, words):
        columns[name][100] = value(columns[name][100])
        source = tmp_path / "v-S-1h.csv"
        source.write_text(csv_of(columns))
        says(call("data", "import", source, "--out", tmp_path / "out.parquet"), "v-S-1h.csv: ", *words)
        assert files(tmp_path) == ["v-S-1h.csv"]

    def test_prices_of_another_unit(self, call, tmp_path, columns):
        for name in ("open", "high", "low", "close"):
            columns[name][150:] *= 100
        source = tmp_path / "v-S-1h.csv"
        source.write_text(csv_of(columns))
        says(call("data", "import", source, "--out", tmp_path / "o"), "line 152: price ", "mixed units")
        names = [one["name"] for one in json.loads(call("data", "check", "--json", source).out)["defects"]]
        assert names == ["price_jump"]

    def test_no_order_book_is_made_of_them(self, call, tmp_path, columns):
        pq.write_table(pa.table(columns), tmp_path / "v-S-1h.parquet")
        says(call("backtest", "--data", tmp_path / "v-S-1h.parquet"), "holds candles", "no order book")

    def test_a_column_that_is_missing(self, call, tmp_path, columns):
        source = tmp_path / "v-S-1h.csv"
        source.write_text(csv_of(columns).replace("Volume", "turnover"))
        says(call("data", "import", source, "--out", tmp_path / "o"), "no column for volume; it may be called")

    @pytest.mark.parametrize("name", ["binance_spot-BTCUSDT-1h", "hyperliquid-BTC-15m"])
    def test_real_ones(self, call, tmp_path, data, name):
        source = data / "candles" / f"{name}.parquet"
        assert call("data", "import", source, "--out", tmp_path / "out.parquet").code == 0
        assert call("data", "check", source, tmp_path / "out.parquet").code in (0, 1)
        ours, theirs = load_candles(tmp_path / "out.parquet"), load_candles(source)
        assert ours.rows.tobytes() == theirs.rows.tobytes()


class TestStore:
    def test_import_and_check(self, call, tmp_path, recording):
        with fake_s3() as store:
            store.objects["bucket/v-S-x.parquet"] = recording.read_bytes()
            uri = store.uri("bucket/v-S-x.parquet")
            finished = call("data", "import", uri, "--out", tmp_path / "out.parquet")
            assert finished.code == 0, finished.err
            checked = call("data", "check", "--json", uri, recording.as_uri())
            wrong = call("data", "import", store.uri("bucket/none"), "--out", tmp_path / "o")
        assert load_recording(tmp_path / "out.parquet").instrument.symbol == "S"
        paths = [json.loads(line)["path"] for line in checked.out.splitlines()]
        assert paths == ["s3://bucket/v-S-x.parquet", recording.as_uri()]
        says(wrong, "s3://bucket/none: there is no such file")
        for text in (finished, checked, wrong):
            for secret in (ACCESS_KEY, SECRET_KEY):
                assert secret not in text.out + text.err

    def test_backtest(self, call, tmp_path, recording):
        with fake_s3() as store:
            store.objects["bucket/v-S-x.parquet"] = recording.read_bytes()
            uri = store.uri("bucket/v-S-x.parquet")
            hashes = [
                actions_sha256(call, tmp_path / f"out{i}", data) for i, data in enumerate((recording, uri))
            ]
        assert hashes[0] == hashes[1]
        for file in (tmp_path / "out1").iterdir():
            assert SECRET_KEY.encode() not in file.read_bytes()


def test_every_source_is_checked(call, tmp_path, recording):
    """A gap of the same length, found wherever the rows come from."""
    columns = columns_from(random_rows(300, 1))
    gap = int(np.flatnonzero(columns["msg"] == 200)[0])
    for name in ("ts_local_ns", "ts_exchange_ns"):
        columns[name][gap:] += 60 * 10**9
    tape = save_tape(tmp_path / "v-S-x.npz", *to_tape(columns))
    wire = tmp_path / "w.jsonl"
    wire.write_text("".join(frame_at(ms) for ms in (0, 50, 100, 70_000, 70_050)))
    lines = (book(us, "bid", 100, 1, snapshot=us == 0) for us in (0, 50_000, 70_000_000))
    (tmp_path / "b.csv").write_text("\n".join([BOOK_HEADER, *lines]) + "\n")
    sources = (write_recording(tmp_path / "v-S-x.parquet", columns), tape, wire, tmp_path / "b.csv")
    finished = call("data", "check", "--json", *sources)
    assert finished.code == 1, finished.err
    for line, source in zip(finished.out.splitlines(), sources, strict=True):
        found = json.loads(line)
        assert found["path"] == str(source)
        (place,) = next(one["places"] for one in found["defects"] if one["name"] == "gap")
        # Lines count from 1; before a snapshot the tape has a row that clears the book.
        expected = {".parquet": gap, ".npz": gap + 5, ".jsonl": 4, ".csv": 4}[source.suffix]
        assert place["row"] == expected, source


def frame_at(ms):
    """Return a record of a book that was received some ms after START."""
    data = {"coin": "BTC", "time": START_NS // 10**6 + ms, "levels": [[{"px": "1", "sz": "1", "n": 1}], []]}
    raw = json.dumps({"channel": "l2Book", "data": data})
    return json.dumps({"recv_ns": START_NS + ms * 10**6 + 10**6, "dir": "in", "raw": raw}) + "\n"


KILLED = """
import os, signal, sys
import pyarrow.parquet as pq
from pathlib import Path
write = pq.ParquetWriter.write_table
def half(writer, table):
    write(writer, table)
    os.kill(os.getpid(), signal.SIGKILL)
pq.ParquetWriter.write_table = half
from makerside.research.data_import import import_recording
import_recording(Path(sys.argv[1]), Path(sys.argv[2]))
"""


def test_a_killed_import_leaves_nothing_that_looks_whole(call, tmp_path, recording):
    out = tmp_path / "out" / "new.parquet"
    child = subprocess.run([sys.executable, "-c", KILLED, str(recording), str(out)], env=os.environ)
    assert child.returncode == -9
    (part,) = out.parent.iterdir()
    assert part.name.startswith(".")
    assert part.name.endswith(".part")
    says(call("backtest", "--data", out), "new.parquet: there is no such file")
    assert call("data", "import", recording, "--out", out).code == 0
    assert files(out.parent) == ["new.parquet"]
    assert load_recording(out).events.tobytes() == load_recording(recording).events.tobytes()
