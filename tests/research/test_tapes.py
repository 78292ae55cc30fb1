"""The cache of tapes, and data from stores: the same rows from everywhere, nothing stale, no key in a text."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from cli.conftest import columns_of, write_recording
from journal.tapes import columns_from, random_rows
from makerside.journal.recording import load_recording
from makerside.journal.tape import HEADER_BYTES
from makerside.model.errors import ConfigError, DataError
from makerside.research import sources, tapes
from makerside.research.backtest import Tape
from makerside.research.tapes import keep_below, open_recordings
from research.fake_s3 import ACCESS_KEY, SECRET_KEY, fake_s3


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Return the folder of the tapes of this test."""
    folder = tmp_path / "tapes"
    monkeypatch.setenv("MAKERSIDE_TAPES", str(folder))
    monkeypatch.delenv("MAKERSIDE_TAPES_GB", raising=False)
    return folder


@pytest.fixture
def source(tmp_path):
    return write_recording(tmp_path / "v-S-x.parquet", columns_from(random_rows(300, 1)))


class Opened:
    """What a call told: .recordings, .notes, .reports, .was_built"""

    def __init__(self, source):
        self.notes, self.reports = [], []
        self.recordings = open_recordings(str(source), lambda *one: self.reports.append(one), self.notes.append)
        self.events = self.recordings[0].events
        self.was_built = any(what == "tape" for what, *_ in self.reports)


def test_the_second_run_maps_what_the_first_built(cache, source):
    first, second, expected = Opened(source), Opened(source), load_recording(source)
    assert (first.was_built, second.was_built) == (True, False)
    for opened in (first, second):
        (found,) = opened.recordings
        assert found.events.tobytes() == expected.events.tobytes()
        assert (found.instrument, found.defects, found.path) == (expected.instrument, expected.defects, source)
        assert not found.events.flags.owndata
        assert not opened.notes
    assert len(list(cache.iterdir())) == 1


def test_a_simulation_reads_the_mapped_rows_themselves(cache, source):
    (recording,) = Opened(source).recordings
    assert Tape.of([recording], 0.0).events is recording.events
    later = Tape.of([recording], 2.5).events
    assert not np.shares_memory(later, recording.events)
    assert (later["ts_local_ns"] - recording.events["ts_local_ns"] == 2_500_000).all()


def test_another_content_or_name_is_another_tape(cache, source, tmp_path):
    Opened(source)
    write_recording(source, columns_from(random_rows(300, 2)))
    assert Opened(source).was_built
    other = shutil.copy(source, tmp_path / "v-T-x.parquet")
    opened = Opened(other)
    assert opened.was_built
    assert opened.recordings[0].instrument.symbol == "T"


def test_other_code_is_another_tape(cache, source, monkeypatch, tmp_path):
    Opened(source)
    assert not Opened(source).was_built
    changed = tmp_path / "recording.py"
    changed.write_text("# another way of making rows\n")
    monkeypatch.setattr(tapes.recording, "__file__", str(changed))
    assert Opened(source).was_built


@pytest.mark.parametrize("spoil", ["cut", "edit", "empty"])
def test_a_spoiled_tape_is_noticed_and_made_again(cache, source, spoil):
    expected = Opened(source).events.tobytes()
    (tape,) = cache.iterdir()
    data = bytearray(tape.read_bytes())
    if spoil == "edit":
        data[HEADER_BYTES + 20] ^= 1
    tape.write_bytes(data if spoil == "edit" else data[:-100] if spoil == "cut" else b"")
    opened = Opened(source)
    assert opened.was_built
    assert opened.events.tobytes() == expected
    assert "it is made again" in opened.notes[0]
    assert not Opened(source).notes


def test_a_file_that_is_refused_leaves_no_tape(cache, tmp_path):
    columns = columns_from(random_rows(300, 1))
    columns["price"][250] = -1.0
    bad = write_recording(tmp_path / "v-S-x.parquet", columns)
    with pytest.raises(DataError, match=r"v-S-x\.parquet: row 250: "):
        Opened(bad)
    assert not list(cache.iterdir())


def test_a_missing_file(cache, tmp_path):
    with pytest.raises(DataError, match="there is no such file"):
        Opened(tmp_path / "none.parquet")


def test_a_cache_that_cannot_be_written_stops_nobody(source, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("MAKERSIDE_TAPES", str(tmp_path / "file"))
    opened = Opened(source)
    assert opened.events.tobytes() == load_recording(source).events.tobytes()
    assert "no tape is kept" in opened.notes[0]


class TestLimit:
    def test_no_tapes_at_all(self, cache, source, monkeypatch):
        monkeypatch.setenv("MAKERSIDE_TAPES_GB", "0")
        assert Opened(source).events.tobytes() == load_recording(source).events.tobytes()
        assert not cache.exists()

    def test_a_tape_that_is_too_large_is_not_kept(self, cache, source, monkeypatch):
        monkeypatch.setenv("MAKERSIDE_TAPES_GB", "0.000001")
        assert "MAKERSIDE_TAPES_GB" in Opened(source).notes[0]
        assert not cache.exists()

    @pytest.mark.parametrize("value", ["-1", "much", "nan", "1e99"])
    def test_a_limit_that_is_none(self, cache, source, monkeypatch, value):
        monkeypatch.setenv("MAKERSIDE_TAPES_GB", value)
        with pytest.raises(ConfigError, match=f"MAKERSIDE_TAPES_GB={value}: must be"):
            Opened(source)

    def test_what_was_not_used_for_longest_goes_first(self, tmp_path):
        files = [tmp_path / f"{name}.tape" for name in "abcd"]
        for age, file in enumerate(files):
            file.write_bytes(bytes(100))
            os.utime(file, (1_000 - age, 1_000 - age))
        assert keep_below(tmp_path, 250, keep=[files[3]]) == [files[2], files[1]]
        assert sorted(one.name for one in tmp_path.iterdir()) == ["a.tape", "d.tape"]

    def test_a_use_makes_young(self, cache, source):
        Opened(source)
        (tape,) = cache.iterdir()
        os.utime(tape, (1_000, 1_000))
        Opened(source)
        assert tape.stat().st_mtime > 1_000


KILLED = """
import os, signal, sys
from makerside.journal import tape
from makerside.research.tapes import open_recordings
write = tape._Rows.append
def append(self, rows):
    write(self, rows[: len(rows) // 2])
    self._file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
tape._Rows.append = append
open_recordings(sys.argv[1], lambda *_: None, print)
"""


def test_a_process_killed_while_it_builds_leaves_nothing_that_looks_whole(cache, source):
    child = subprocess.run([sys.executable, "-c", KILLED, str(source)], env=os.environ)
    assert child.returncode == -9
    (part,) = cache.iterdir()
    assert part.name.endswith(".part")
    opened = Opened(source)
    assert opened.was_built
    assert opened.events.tobytes() == load_recording(source).events.tobytes()
    assert [one.suffix for one in cache.iterdir()] == [".tape"]


class TestStores:
    @pytest.fixture
    def store(self, source):
        with fake_s3() as store:
            store.objects["bucket/day/v-S-x.parquet"] = source.read_bytes()
            yield store

    def test_a_file_uri_is_the_file(self, cache, source):
        Opened(source)
        opened = Opened(source.as_uri())
        assert not opened.was_built
        assert opened.events.tobytes() == load_recording(source).events.tobytes()

    def test_an_object_is_fetched_once(self, cache, source, store):
        uri = store.uri("bucket/day/v-S-x.parquet")
        first, fetched = Opened(uri), store.gets
        assert fetched > 0
        second = Opened(uri)
        assert store.gets == fetched
        for opened in (first, second):
            assert opened.events.tobytes() == load_recording(source).events.tobytes()
            assert opened.recordings[0].instrument.symbol == "S"
        assert list(dict.fromkeys(what for what, *_ in first.reports)) == ["fetch", "tape"]
        assert not list((sources.cache_root() / "fetched").glob(f"{os.getpid()}-*"))

    def test_an_object_that_changed_is_fetched_again(self, cache, store, tmp_path):
        uri = store.uri("bucket/day/v-S-x.parquet")
        Opened(uri)
        other = write_recording(tmp_path / "other.parquet", columns_of(200))
        store.objects["bucket/day/v-S-x.parquet"] = other.read_bytes()
        assert Opened(uri).events.tobytes() == load_recording(other).events.tobytes()

    @pytest.mark.parametrize("trouble", ["missing", "refused", "damaged", "folder"])
    def test_no_key_is_in_an_error(self, cache, store, trouble):
        name = {"missing": "bucket/none", "folder": "bucket/day"}.get(trouble, "bucket/day/v-S-x.parquet")
        store.is_open = trouble != "refused"
        if trouble == "damaged":
            store.objects[name] = b"PAR1 and nothing more"
        with pytest.raises(DataError) as error:
            Opened(store.uri(name))
        text = str(error.value)
        assert text.startswith(f"s3://{name}: ")
        for secret in (ACCESS_KEY, SECRET_KEY, SECRET_KEY.replace("/", "%2F").replace("+", "%2B"), "fetched"):
            assert secret not in text

    def test_keys_are_hidden_wherever_they_stand(self):
        uri = "s3://THEKEY:the%2Fsecret@bucket/x?region=here&session_token=TOKEN9"
        assert sources.shown(uri) == "s3://bucket/x"
        text = sources.hide(f"{uri} THEKEY the/secret the%2Fsecret TOKEN9 here", uri)
        assert text == "s3://bucket/x *** *** *** *** here"
        assert "secret" not in repr(sources.Stored(uri, "bucket/x", False, "1", None))

    def test_what_is_no_store(self, cache):
        with pytest.raises(DataError, match=r"https://x/y: cannot be read \(accepted are a path, or a URI"):
            Opened("https://x/y")
