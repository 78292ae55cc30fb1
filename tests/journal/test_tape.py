"""Tapes: what is opened is what was written, and anything else is noticed."""

from decimal import Decimal
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from journal.tapes import columns_from, random_rows
from makerside.journal import recording_file
from makerside.journal.recording import Recording, load_recording, merge
from makerside.journal.recording_file import NamedInstrument, read_blocks, read_table
from makerside.journal.recording_write import write_table
from makerside.journal.tape import HASH_ROWS, HEADER_BYTES, Description, TornTape, open_tape, write_tape
from makerside.journal.tape_build import build_tape
from makerside.journal.whole_file import write_whole
from makerside.model.errors import DataError, UserError
from makerside.model.event import ROW_BYTES, Flag, Kind, event_t
from makerside.model.instrument import Instrument


@pytest.fixture
def plain():
    return Instrument("v", "S", Decimal("0.5"), Decimal("0.001"))


def rows(n, seed=1):
    """Return n rows of random bytes: a tape does not look into them."""
    return np.frombuffer(np.random.default_rng(seed).bytes(n * ROW_BYTES), event_t).copy()


@pytest.mark.parametrize("n", [0, 1, HASH_ROWS - 1, HASH_ROWS, 2 * HASH_ROWS + 7])
@pytest.mark.parametrize("piece", [1_000, HASH_ROWS, 10 * HASH_ROWS])
def test_rows_come_back_however_they_were_given(tmp_path, plain, n, piece):
    given = rows(n)
    blocks = (given[begin : begin + piece] for begin in range(0, n, piece))
    path = tmp_path / "x.tape"
    n_bytes = write_tape(path, Description(plain, {"sizes_rounded": 3}, 1, 2), blocks)
    assert n_bytes == path.stat().st_size == HEADER_BYTES + n * ROW_BYTES
    recording, description = open_tape(path)
    assert recording.events.tobytes() == given.tobytes()
    assert recording.instrument == plain
    assert (recording.defects, description.place, description.n_places) == ({"sizes_rounded": 3}, 1, 2)


def test_rows_are_mapped_and_the_file_is_safe_from_who_uses_them(tmp_path, plain):
    path = tmp_path / "x.tape"
    write_tape(path, Description(plain), [rows(5_000)])
    before = path.read_bytes()
    events = open_tape(path)[0].events
    assert not events.flags.owndata
    assert type(events) is np.ndarray
    assert events.flags.writeable, "kernels take arrays that may be written"
    events["price_ticks"] += 1
    assert path.read_bytes() == before
    assert (open_tape(path)[0].events["price_ticks"] != events["price_ticks"]).all()


def flip(position):
    def change(data):
        data[position] ^= 1

    return change


SPOILED = {
    "cut by a byte": lambda data: data.pop(),
    "cut by a row": lambda data: data.__delitem__(slice(-ROW_BYTES, None)),
    "cut in the header": lambda data: data.__delitem__(slice(HEADER_BYTES // 2, None)),
    "empty": lambda data: data.clear(),
    "longer": lambda data: data.extend(bytes(ROW_BYTES)),
    "a bit of the first row": flip(HEADER_BYTES),
    "a bit of the last row": flip(-1),
    "a bit in the middle": flip(HEADER_BYTES + 40_000),
    "two rows swapped": lambda data: data.__setitem__(
        slice(HEADER_BYTES, HEADER_BYTES + 64),
        data[HEADER_BYTES + 32 : HEADER_BYTES + 64] + data[HEADER_BYTES : HEADER_BYTES + 32],
    ),
    "rows of zeros, as after a power cut": lambda data: data.__setitem__(slice(-8_192, None), bytes(8_192)),
    "magic": flip(0),
    "version": flip(8),
    "bytes of the description": flip(16),
    "hash of the description": flip(30),
    "the description": flip(80),
}


@pytest.mark.parametrize("name", SPOILED)
def test_what_is_not_as_written_is_noticed(tmp_path, plain, name):
    path = tmp_path / "x.tape"
    write_tape(path, Description(plain), [rows(3_000)])
    data = bytearray(path.read_bytes())
    SPOILED[name](data)
    path.write_bytes(data)
    with pytest.raises(TornTape, match=r"x\.tape: "):
        open_tape(path)


class TestBuild:
    """Block by block or at once: the same rows, the same grid, the same counts, the same refusals."""

    @pytest.fixture(autouse=True)
    def small_blocks(self, monkeypatch):
        monkeypatch.setattr(recording_file.read_blocks, "__defaults__", (100,))

    @staticmethod
    def write(path, columns):
        pq.write_table(pa.table(columns), path)
        return path

    @staticmethod
    def spoil(columns, what, rng):
        n = len(columns["kind"])
        if what == "clock before the venue's":
            columns["ts_exchange_ns"] += 7_000_000
        elif what == "sizes beside the grid":
            columns["size"] += np.where(columns["size"] > 0, rng.integers(1, 9, n) * 1e-8, 0)
        elif what == "no sides":
            columns["side"][columns["kind"] == 3] = 0
        elif what == "trades of before":
            columns["kind"][:150], columns["size"][:150] = 3, 1.0
            columns["ts_exchange_ns"][:60] -= 10**10
        elif what == "one message":
            columns["msg"][:] = 5

    @pytest.mark.parametrize(
        "what",
        [
            "",
            "clock before the venue's",
            "sizes beside the grid",
            "no sides",
            "trades of before",
            "one message",
        ],
    )
    @pytest.mark.parametrize("seed", range(3))
    def test_as_load_recording(self, tmp_path, rng, what, seed):
        columns = columns_from(random_rows(400, seed))
        self.spoil(columns, what, rng)
        source = self.write(tmp_path / "v-S-x.parquet", columns)
        seen = []
        build_tape(source, tmp_path / "x.tape", lambda done, total: seen.append((done, total)))
        (found, _), expected = open_tape(tmp_path / "x.tape"), load_recording(source)
        assert found.events.tobytes() == expected.events.tobytes()
        assert expected.defects or what in ("", "one message")
        assert (found.instrument, found.defects) == (expected.instrument, expected.defects)
        assert seen[-1] == (2 * len(columns["kind"]),) * 2

    @pytest.mark.parametrize("row", [0, 99, 100, 555])
    @pytest.mark.parametrize(
        ("name", "value"), [("price", np.nan), ("size", -1.0), ("kind", 9), ("ts_local_ns", 5)]
    )
    def test_a_bad_row_is_named_as_load_recording_names_it(self, tmp_path, name, value, row):
        columns = columns_from(random_rows(400, 1))
        if name == "ts_local_ns" and row == 0:
            row = 1
        columns[name][row] = value
        source = self.write(tmp_path / "v-S-x.parquet", columns)
        with pytest.raises(DataError) as expected:
            load_recording(source)
        with pytest.raises(DataError) as found:
            build_tape(source, tmp_path / "x.tape")
        assert str(found.value) == str(expected.value)
        assert [one.name for one in tmp_path.iterdir()] == ["v-S-x.parquet"]

    def test_blocks_are_whole_messages(self, tmp_path):
        columns = columns_from(random_rows(400, 2))
        blocks = list(read_blocks(self.write(tmp_path / "x.parquet", columns)))
        assert len(blocks) > 5
        for before, after in pairwise(blocks):
            assert before.columns["msg"][-1] != after.columns["msg"][0]
        numbers = np.concatenate([block.numbers for block in blocks])
        assert (numbers == np.arange(len(columns["kind"]))).all()
        for name, values in columns.items():
            assert (np.concatenate([block.columns[name] for block in blocks]) == values).all()


class TestDecimals:
    """A file that we write holds decimals; they read back as the floats that they were."""

    @pytest.mark.parametrize("decimals", range(10))
    def test_read_back(self, tmp_path, rng, decimals, plain):
        columns = columns_from(random_rows(400, 1))
        n = len(columns["kind"])
        texts = [f"{value / 10**decimals:.{decimals}f}" for value in rng.integers(1, 10**14, n).tolist()]
        columns["price"] = np.array([float(text) for text in texts])
        columns["size"] = np.array([float(text) for text in reversed(texts)])
        write_table(tmp_path / "x.parquet", columns, NamedInstrument(plain, True))
        for name, values in read_table(tmp_path / "x.parquet").columns.items():
            assert values.tobytes() == columns[name].tobytes(), name

    def test_written_as_decimals_of_the_source(self, tmp_path, plain):
        columns = columns_from(random_rows(100, 1))
        columns["size"] = np.full(len(columns["size"]), 0.00123)
        write_table(tmp_path / "x.parquet", columns, NamedInstrument(plain, True))
        schema = pq.read_schema(tmp_path / "x.parquet")
        assert [str(schema.field(name).type) for name in ("price", "size")] == [
            "decimal128(18, 1)",
            "decimal128(18, 5)",
        ]

    def test_what_is_no_decimal_stays_as_it_is(self, tmp_path, plain):
        columns = columns_from(random_rows(100, 1))
        columns["price"][7] = 1 / 3
        columns["price"][8] = 1e17
        write_table(tmp_path / "x.parquet", columns, NamedInstrument(plain, True))
        assert read_table(tmp_path / "x.parquet").columns["price"].tobytes() == columns["price"].tobytes()


class TestWholeFile:
    def test_what_a_killed_process_left_is_removed_and_what_a_living_one_writes_is_not(self, tmp_path):
        dead, alive, other = (tmp_path / f".{name}.part" for name in ("x.4194300", "x.1", "y.4194300"))
        for one in (dead, alive, other):
            one.touch()
        assert write_whole(tmp_path / "x", lambda part: part.write_text("abc")) == 3
        assert not dead.exists()
        assert alive.exists()
        assert other.exists()
        assert (tmp_path / "x").read_text() == "abc"

    def test_a_folder_that_is_a_file(self, tmp_path):
        (tmp_path / "x").touch()
        with pytest.raises(UserError, match="cannot be written"):
            write_whole(tmp_path / "x" / "y", lambda part: part.write_text("abc"))


def test_merge_shares_a_single_recording_only_when_told(tmp_path, plain):
    events = np.zeros(3, event_t)
    events["ts_local_ns"], events["kind"], events["flags"] = (1, 2, 3), Kind.BBO, Flag.LAST
    recording = Recording(tmp_path, plain, events)
    assert merge([recording], may_share=True) is events
    for copy in (merge([recording]), merge([recording], shift_ns=5, may_share=True)):
        assert not np.shares_memory(copy, events)
    assert merge([recording], 5)["ts_local_ns"].tolist() == [6, 7, 8]
    both = merge([recording, recording], 5, may_share=True)
    assert both["ts_local_ns"].tolist() == [6, 6, 7, 7, 8, 8]
    assert both["instrument"].tolist() == [0, 1, 0, 1, 0, 1]
    assert events["ts_local_ns"].tolist() == [1, 2, 3]
