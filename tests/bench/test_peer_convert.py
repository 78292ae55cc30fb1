"""Row 8's files and its comparison: our importer reads the messages, and equal books give equal changes."""

import gzip
import json

import convert
import numpy as np

from makerside.journal.hftbacktest import BUY, DEPTH, EXCH, LOCAL, SELL, event_dtype
from makerside.model.event import Flag, Kind, event_t


def lines_of(path):
    """Return the lines of a gzipped file."""
    with gzip.open(path, "rt") as file:
        return file.read().splitlines()


def test_both_files_hold_the_same_messages(tmp_path):
    files = convert.make_messages(tmp_path, 3, lambda text: None)
    ours = [json.loads(line) for line in lines_of(files["ours"])]
    theirs = [line.split(" ", 1) for line in lines_of(files["theirs"])]
    assert [(str(one["recv_ns"]), one["raw"]) for one in ours] == [tuple(pair) for pair in theirs]
    before = {path: (tmp_path / path).stat().st_mtime_ns for path in files.values()}
    assert convert.make_messages(tmp_path, 3, lambda text: None) == files
    assert before == {path: (tmp_path / path).stat().st_mtime_ns for path in files.values()}


def test_our_importer_reads_every_level(tmp_path):
    files = convert.make_messages(tmp_path, 4, lambda text: None)
    found = convert.convert({"raw": files["ours"], "save": str(tmp_path / "rows.npy")})
    rows = np.load(tmp_path / "rows.npy")
    assert found["rows"] == len(rows) == 4 * 2 * convert.LEVELS
    first = json.loads(json.loads(lines_of(files["ours"])[0])["raw"])["data"]
    best = first["levels"][0][0]
    assert rows["price_ticks"][0] * convert.TICK == float(best["px"])
    assert int(rows["ts_venue_ns"][0]) == first["time"] * 1_000_000


def test_changes_are_those_of_the_books():
    ours = np.zeros(5, event_t)
    ours["ts_venue_ns"] = (1, 1, 2, 2, 2)
    ours["kind"] = Kind.SNAPSHOT
    ours["flags"] = (0, Flag.SELL | Flag.LAST, 0, 0, Flag.SELL | Flag.LAST)
    ours["price_ticks"] = (100, 102, 100, 99, 103)
    ours["size_lots"] = (5, 6, 5, 7, 6)
    theirs = np.zeros(5, event_dtype)
    both = DEPTH | EXCH | LOCAL
    theirs["ev"] = (both | BUY, both | SELL, both | BUY, both | SELL, both | SELL)
    theirs["exch_ts"] = (1, 1, 2, 2, 2)
    theirs["px"] = (10.0, 10.2, 9.9, 10.3, 10.2)
    theirs["qty"] = (5e-5, 6e-5, 7e-5, 6e-5, 0)
    same = convert.changes_of_ours(ours), convert.changes_of_theirs(theirs)
    assert np.array_equal(*same)
    theirs["qty"][2] = 8e-5
    assert not np.array_equal(same[0], convert.changes_of_theirs(theirs))
