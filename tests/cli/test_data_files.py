"""`data check` and `data import`: exit codes, what is printed, and nothing partial left behind."""

import gzip
import json
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cli.conftest import columns_of, write_recording
from cli.test_backtest import EAGER
from cli.test_bad_input import says
from journal.tapes import START_NS, TRADE, columns_from, random_rows, save_tape, to_tape
from makerside.journal.hftbacktest import LOCAL
from makerside.journal.recording import load_recording
from makerside.journal.recording_file import read_table
from makerside.model.run import SUMMARY_NAME


def actions_sha256(call, folder, data):
    """Return the hash of the actions of a backtest."""
    assert call("backtest", "--data", data, "--out", folder, *EAGER).code == 0
    summary = json.loads((folder / SUMMARY_NAME).read_text())
    assert summary["actions"] > 100
    return summary["actions_sha256"]


class TestCheck:
    def test_clean(self, call, recording):
        finished = call("data", "check", recording)
        assert finished.code == 0
        assert "clean" in finished.out

    def test_defects_are_counted_and_located(self, call, tmp_path):
        columns = columns_of(300)
        columns["price"][100] = -1.0
        columns["ts_local_ns"][200:] += 60 * 10**9
        finished = call("data", "check", write_recording(tmp_path / "x.parquet", columns))
        assert finished.code == 1
        lines = [line.split() for line in finished.out.splitlines()]
        assert ["bad_price", "1"] in [line[:2] for line in lines]
        assert "100" in [line[0] for line in lines if line]
        assert any(line[:2] == ["gap", "1"] for line in lines)

    def test_the_worst_file_decides_and_all_are_looked_at(self, call, tmp_path, recording):
        columns = columns_of(300)
        columns["kind"][7] = 9
        bad = write_recording(tmp_path / "bad.parquet", columns)
        noise = tmp_path / "noise.parquet"
        noise.write_bytes(b"PAR1 and nothing more")
        assert call("data", "check", recording, bad).code == 1
        finished = call("data", "check", noise, bad, recording)
        says(finished, "noise.parquet", "not a readable Parquet file")
        assert "unknown_kind" in finished.out
        assert "clean" in finished.out

    def test_json_for_machines(self, call, tmp_path, recording):
        columns = columns_of(300)
        columns["size"][7:20] = np.nan
        bad = write_recording(tmp_path / "bad.parquet", columns)
        finished = call("data", "check", "--json", recording, bad, tmp_path / "none.parquet")
        assert finished.code == 2
        clean, found, none = map(json.loads, finished.out.splitlines())
        assert clean["defects"] == []
        assert found["path"] == str(bad)
        assert found["n_rows"] == len(columns["size"])
        (defect,) = found["defects"]
        assert (defect["name"], defect["count"]) == ("bad_size", 13)
        assert [place["row"] for place in defect["places"]] == [7, 8, 9, 10, 11]
        assert defect["places"][0]["ts_local_ns"] == columns["ts_local_ns"][7]
        assert "no such file" in none["error"]

    @pytest.mark.parametrize("option", ["--gap-s", "--far-bps"])
    def test_a_limit_that_is_none(self, call, recording, option):
        says(call("data", "check", recording, option, 0), option, "must be above 0")


class TestNpz:
    """A tape made of our rows gives the same events and the same decisions."""

    def test_the_same_decisions(self, call, tmp_path, recording):
        columns = {name: column.to_numpy() for name, column in zip(*_columns(recording), strict=True)}
        tape = save_tape(tmp_path / "test-BTCUSDT-tape.npz", *to_tape(columns))
        out = tmp_path / "imported.parquet"
        finished = call("data", "import", tape, "--out", out)
        assert finished.code == 0, finished.err
        assert f"{len(columns['kind']):,} rows" in finished.out
        assert "test BTCUSDT, tick 0.1, lot 0.001 (found)" in finished.out
        ours, theirs = load_recording(recording), load_recording(out)
        assert theirs.events.tobytes() == ours.events.tobytes()
        assert theirs.instrument == ours.instrument
        hashes = [actions_sha256(call, tmp_path / f"run{i}", data) for i, data in enumerate((recording, out))]
        assert hashes[0] == hashes[1]

    @pytest.mark.parametrize("seed", range(3))
    def test_rows_written_are_rows_meant(self, call, tmp_path, seed):
        columns = columns_from(random_rows(300, seed))
        tape = save_tape(tmp_path / "v-S-x.npz", to_tape(columns)[0])
        assert call("data", "import", tape, "--out", tmp_path / "out.parquet").code == 0
        for name, column in read_table(tmp_path / "out.parquet").columns.items():
            if name != "msg":
                assert column.tobytes() == columns[name].tobytes(), name

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (lambda v: v - 10**9, "ts_local_ns goes back"),
            (lambda v: v // 10**3, "is in us, but"),
            (lambda v: -v, "is no time since 1970"),
        ],
    )
    def test_a_bad_time_is_named_by_its_row_of_the_file(self, call, tmp_path, change, words):
        """Rows for the exchange alone are not imported, but they count."""
        events, _ = to_tape(columns_from(random_rows(300, 1)))
        alone = events[:40].copy()
        alone["ev"] &= ~np.uint64(LOCAL)
        events["local_ts"][200] = change(events["local_ts"][200])
        tape = save_tape(tmp_path / "v-S-x.npz", np.concatenate([alone, events]))
        out = tmp_path / "out.parquet"
        says(call("data", "import", tape, "--out", out), "v-S-x.npz: row 240: ", words)
        assert [one.name for one in tmp_path.iterdir()] == ["v-S-x.npz"]


def _columns(path):
    table = pq.read_table(path)
    return table.column_names, table.columns


class TestParquet:
    @pytest.fixture
    def columns(self):
        return columns_from(random_rows(300, 3))

    def test_a_given_grid_and_name_stay_with_the_file(self, call, tmp_path, columns):
        source = write_recording(tmp_path / "a-B-x.parquet", columns)
        first, second = tmp_path / "first.parquet", tmp_path / "second.parquet"
        given = ("--venue", "v", "--symbol", "S", "--tick-size", "0.25", "--lot-size", "0.0005")
        finished = call("data", "import", source, "--out", first, *given)
        assert "v S, tick 0.25, lot 0.0005 (given)" in finished.out
        assert call("data", "import", first, "--out", second, "--symbol", "T").code == 0
        instrument = load_recording(second).instrument
        assert (instrument.venue, instrument.symbol) == ("v", "T")
        assert (instrument.tick_size, instrument.lot_size) == (Decimal("0.25"), Decimal("0.0005"))

    @pytest.mark.parametrize(("unit", "name"), [(10**6, "ms"), (10**3, "us")])
    def test_times_of_one_unit_become_nanoseconds(self, call, tmp_path, columns, unit, name):
        in_unit = columns | {key: columns[key] // unit for key in ("ts_exchange_ns", "ts_local_ns")}
        source = write_recording(tmp_path / "a-B-x.parquet", in_unit)
        finished = call("data", "import", source, "--out", tmp_path / "out.parquet")
        assert f"times were in {name}" in finished.out
        events = load_recording(tmp_path / "out.parquet").events
        assert (events["ts_local_ns"] == columns["ts_local_ns"] // unit * unit).all()

    BAD = (
        (
            "ts_local_ns",
            lambda v: v // 10**6,
            "row 200: ts_local_ns",
            "is in ms, but",
            "row 0 has ns: mixed units",
        ),
        ("ts_exchange_ns", lambda v: v // 10**9, "row 200: ts_exchange_ns", "is in s, but", "mixed units"),
        ("ts_exchange_ns", lambda v: 0, "row 200: ts_exchange_ns 0 is no time since 1970"),
        ("ts_local_ns", lambda v: v - 10**9, "row 200: ts_local_ns goes back"),
        ("price", lambda v: np.nan, "row 200: price is not a positive number"),
        ("price", lambda v: v + 0.07, "row 200: price", "is not a multiple of 0.5"),
        ("size", lambda v: 0.00037, "row 200: size 0.00037 is not a multiple of 0.001"),
    )

    @pytest.mark.parametrize(("name", "value", "words"), [(name, value, words) for name, value, *words in BAD])
    def test_a_bad_row_is_named_and_nothing_is_written(self, call, tmp_path, columns, name, value, words):
        columns[name][200] = value(columns[name][200])
        source = write_recording(tmp_path / "a-B-x.parquet", columns)
        out = tmp_path / "out" / "new.parquet"
        grid = ("--tick-size", "0.5", "--lot-size", "0.001")
        says(call("data", "import", source, "--out", out, *grid), "a-B-x.parquet: ", *words)
        assert not out.parent.exists()

    def test_an_import_that_fails_leaves_the_file_of_before(self, call, tmp_path, columns, monkeypatch):
        source = write_recording(tmp_path / "a-B-x.parquet", columns)
        out = tmp_path / "out.parquet"
        assert call("data", "import", source, "--out", out).code == 0
        before = out.read_bytes()

        write = pq.ParquetWriter.write_table

        def fail(writer, table):
            write(writer, table)
            raise pa.ArrowException("disk full")

        monkeypatch.setattr(pq.ParquetWriter, "write_table", fail)
        says(call("data", "import", source, "--out", out), "out.parquet: cannot be written (disk full)")
        assert out.read_bytes() == before
        assert sorted(path.name for path in tmp_path.iterdir()) == ["a-B-x.parquet", "out.parquet"]

    def test_metadata_that_is_damaged(self, call, tmp_path, columns):
        path = tmp_path / "x.parquet"
        pq.write_table(pa.table(columns).replace_schema_metadata({"makerside.instrument": "{nothing"}), path)
        says(call("backtest", "--data", path), "x.parquet", "metadata is unreadable")

    def test_what_cannot_be_imported(self, call, tmp_path):
        text = tmp_path / "x.csv"
        text.write_text("a,b\n")
        says(
            call("data", "import", text, "--out", tmp_path / "o"),
            "line 1: columns a, b are of no known format",
            "accepted are .parquet",
        )
        says(call("data", "import", tmp_path, "--out", tmp_path / "o"), "holds no run")
        for name in ("x.npz", "x.parquet", "x.jsonl.zst"):
            says(call("data", "import", tmp_path / name, "--out", tmp_path / "o"), name, "no such file")

    @pytest.mark.parametrize("value", ["0", "-1", "nan", "abc"])
    def test_a_grid_that_is_none(self, call, tmp_path, value):
        finished = call("data", "import", "x.npz", "--out", "o", "--tick-size", value)
        says(finished, f"--tick-size {value}", "must be a decimal number above 0")


def frame(channel, **data):
    """Return the text of a frame."""
    return json.dumps({"channel": channel, "data": data})


def book(time_ms, bid, ask, coin="BTC"):
    """Return the text of a book of one level a side; None leaves a side empty."""
    levels = [[] if price is None else [{"px": price, "sz": "0.25", "n": 1}] for price in (bid, ask)]
    return frame("l2Book", coin=coin, time=time_ms, levels=levels)


def trades(time_ms, *prints, coin="BTC"):
    """Return the text of a frame of trades. prints : (side, price, size)"""
    data = [{"coin": coin, "side": s, "px": p, "sz": z, "time": time_ms, "tid": 1} for s, p, z in prints]
    return json.dumps({"channel": "trades", "data": data})


START_MS = START_NS // 10**6


class TestWire:
    @pytest.fixture
    def write(self, tmp_path):
        """Return a function that writes frames, one line each, 10 ms after START, and returns the path."""

        def write(*frames, name="wire.jsonl"):
            lines = [
                frame
                if isinstance(frame, bytes)
                else json.dumps(
                    {"recv_ns": START_NS + (i + 1) * 10_000_000, "dir": "in", "raw": frame}
                ).encode()
                for i, frame in enumerate(frames)
            ]
            path = tmp_path / name
            data = b"\n".join(lines) + b"\n"
            if name.endswith(".zst"):
                data = pa.Codec("zstd").compress(data, asbytes=True)
            path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
            return path

        return write

    FRAMES = (
        frame("subscriptionResponse", method="subscribe", subscription={"type": "l2Book", "coin": "BTC"}),
        book(START_MS, "60000.5", "60001.0"),
        trades(START_MS + 15, ("B", "60001.0", "0.00125"), ("A", "60000.5", "1.0")),
        frame("bbo", coin="BTC", time=START_MS + 25, bbo=[None, {"px": "60002", "sz": "3", "n": 2}]),
        book(START_MS + 30, None, None),
    )

    @pytest.mark.parametrize("name", ["w.jsonl", "w.jsonl.zst", "w.jsonl.gz"])
    def test_frames_become_rows(self, call, tmp_path, write, name):
        out = tmp_path / "out.parquet"
        finished = call("data", "import", write(*self.FRAMES, name=name), "--out", out)
        assert finished.code == 0, finished.err
        assert "8 rows" in finished.out
        assert "hyperliquid BTC, tick 0.1, lot 0.00001 (found)" in finished.out
        table = {name: column.tolist() for name, column in read_table(out).columns.items()}
        told = list(zip(*(table[key] for key in ("kind", "side", "price", "size", "msg")), strict=True))
        assert told == [
            (2, 1, 60000.5, 0.25, 1),
            (2, -1, 60001.0, 0.25, 1),
            (3, 1, 60001.0, 0.00125, 2),
            (3, -1, 60000.5, 1.0, 2),
            (4, 1, 0.0, 0.0, 3),
            (4, -1, 60002.0, 3.0, 3),
            (4, 1, 0.0, 0.0, 4),
            (4, -1, 0.0, 0.0, 4),
        ]
        assert table["ts_local_ns"] == [START_NS + i * 10_000_000 for i in (2, 2, 3, 3, 4, 4, 5, 5)]
        assert table["ts_exchange_ns"][2] == START_NS + 15_000_000
        assert len(load_recording(out).events) == 8

    def test_one_of_several_coins_is_chosen(self, call, tmp_path, write):
        path = write(book(START_MS, "60000", "60001"), book(START_MS, "3000.1", "3000.2", coin="ETH"))
        out = tmp_path / "out.parquet"
        says(call("data", "import", path, "--out", out), "the file has BTC, ETH; choose one with --symbol")
        says(
            call("data", "import", path, "--out", out, "--symbol", "SOL"), "no SOL in it; the file has BTC, ETH"
        )
        assert call("data", "import", path, "--out", out, "--symbol", "ETH").code == 0
        assert load_recording(out).instrument.tick_size == Decimal("0.1")
        assert pq.read_table(out).column("price").to_pylist() == [Decimal("3000.1"), Decimal("3000.2")]

    def test_prints_that_a_venue_repeats_on_subscribing_are_left_out(self, call, tmp_path, write):
        old = trades(START_MS - 60_000, ("B", "1.5", "1"))
        path = write(book(START_MS, "1", "2"), old, trades(START_MS + 5, ("A", "1", "1")))
        finished = call("data", "import", path, "--out", tmp_path / "out.parquet")
        assert "left out: trades_of_long_before 1" in finished.out
        assert pq.read_table(tmp_path / "out.parquet").column("kind").to_pylist() == [2, 2, TRADE]

    @pytest.mark.parametrize(
        ("line", "words"),
        [
            (b"{broken", "line 2: not a JSON object"),
            (b"[1, 2]", "line 2: not a record of recv_ns, dir and raw"),
            (b'{"dir": "in", "raw": "{}", "recv_ns": null}', "line 2: recv_ns is None"),
            ('{"stream": "btcusdt@depth"}', "line 2: no message of hyperliquid"),
            (book(START_MS, "60000", "abc"), "line 2: no message of hyperliquid"),
            (book(START_MS, "60000", "-1"), "line 2: no message of hyperliquid"),
            (book(START_MS // 1000, "60000", "60001"), "line 2: "),
        ],
    )
    def test_a_bad_line_is_named_and_nothing_is_written(self, call, tmp_path, write, line, words):
        out = tmp_path / "out.parquet"
        path = write(book(START_MS, "60000", "60001"), line)
        says(call("data", "import", path, "--out", out), "wire.jsonl", words)
        assert [one.name for one in tmp_path.iterdir()] == ["wire.jsonl"]

    def test_lines_that_are_not_in_order_of_arrival(self, call, tmp_path, write):
        late = json.dumps({"recv_ns": START_NS, "dir": "in", "raw": book(START_MS, "60000", "60001")}).encode()
        path = write(book(START_MS, "60000", "60001"), late)
        says(call("data", "import", path, "--out", tmp_path / "o.parquet"), "line 2: ts_local_ns goes back")

    def test_a_file_that_is_cut_off(self, call, tmp_path, write):
        path = write(
            *(book(START_MS + i, f"{60000 + i}", f"{60001 + i}") for i in range(2_000)), name="w.jsonl.zst"
        )
        path.write_bytes(path.read_bytes()[:-500])
        finished = call("data", "import", path, "--out", tmp_path / "o.parquet")
        says(finished, "w.jsonl.zst", "the file is damaged at or after line")
        assert [one.name for one in tmp_path.iterdir()] == ["w.jsonl.zst"]

    def test_a_file_without_market_data(self, call, tmp_path, write):
        says(
            call("data", "import", write(self.FRAMES[0]), "--out", tmp_path / "o"),
            "no book, best price or trade",
        )
