"""`makerside sweep` as a user runs it: results, report, bad input, and a kill in the middle."""

import html
import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from cli.conftest import columns_of, write_recording
from cli.test_report import browse

GRID = ("--grid", "gamma_per_usd=0.1,5,50", "--grid", "half_spread_min_bps=0.1,0.5")


@pytest.fixture
def sweep(call, recording, tmp_path):
    """Return a function that sweeps the small recording; arguments are added."""

    def run(*arguments, out="sweep"):
        return call("sweep", "--data", recording, *GRID, "--out", tmp_path / out, *arguments)

    return run


def summary_of(folder):
    return json.loads((folder / "summary.json").read_text())


def test_it_says_what_it_found(sweep, tmp_path):
    done = sweep()
    assert done.code == 0
    assert re.search(r"sweep +6 sets over", done.out)
    assert re.search(r"verdict +(No winner|There is a winner)\.", done.out)
    summary = summary_of(tmp_path / "sweep")
    assert summary["results_sha256"] in done.out
    assert summary["sets"] == 6
    assert {"net", "fills", "spread"} <= set(summary["best"][0]["figures"])
    assert sorted(child.name for child in (tmp_path / "sweep").iterdir()) == [
        "report.html",
        "summary.json",
        "sweep.json",
        "trials.jsonl",
        "trials.parquet",
    ]


def test_threads_do_not_matter_and_a_second_call_only_reads(sweep, tmp_path):
    sweep("--jobs", "1")
    sweep("--jobs", "3", out="other")
    first, other = (summary_of(tmp_path / name)["results_sha256"] for name in ("sweep", "other"))
    assert first == other
    assert sweep().code == 0
    assert summary_of(tmp_path / "sweep")["results_sha256"] == first


def test_the_best_set_is_a_backtest(sweep, call, recording, tmp_path):
    sweep()
    best = summary_of(tmp_path / "sweep")["best"][0]
    settings = [part for key, value in best["settings"].items() for part in ("--set", f"{key}={value}")]
    assert call("backtest", "--data", recording, *settings, "--out", tmp_path / "one").code == 0
    one = summary_of(tmp_path / "one")
    assert float(one["pnl_net"]) == float(best["figures"]["net"])
    assert one["fills"] == best["figures"]["fills"]


def test_its_report_opens(sweep, tmp_path):
    sweep()
    page = tmp_path / "sweep" / "report.html"
    document, log = browse(page, tmp_path / "browser")
    body = document.split("<body>", 1)[1]
    walks = [one for one in summary_of(tmp_path / "sweep")["walk_forward"] if one["steps"]]
    # Equity, markouts, heat map, front; and two of the walk-forward where there is one.
    assert len(re.findall(r'class="[^"]*\bjs-plotly-plot\b', body)) == (6 if walks else 4)
    assert "CONSOLE" not in log
    assert page.stat().st_size < 3_000_000


@pytest.mark.parametrize(
    "grid",
    [
        ("levels=1",),
        ("levels=1,2",),
        ("gamma_per_usd=0.1,0.2", "half_spread_min_bps=90,95"),  # never filled
        ("gamma_per_usd=0.1,0.2", "levels=1,2", "pacing.flush_ms=50,100,200", "simulation.entry_ms=1,2,3,4,5"),
    ],
)
def test_grids_of_any_shape_have_a_report(grid, call, recording, tmp_path):
    axes = [part for one in grid for part in ("--grid", one)]
    done = call("sweep", "--data", recording, *axes, "--out", tmp_path / "sweep")
    assert done.code == 0
    assert "No winner." in done.out
    document, log = browse(tmp_path / "sweep" / "report.html", tmp_path / "browser")
    assert "CONSOLE" not in log
    charts = (tmp_path / "sweep" / "report.html").read_text().count("<div class='chart'")
    assert len(re.findall(r'class="[^"]*\bjs-plotly-plot\b', document.split("<body>", 1)[1])) == charts


def test_terminal_and_report_say_the_same_with_the_same_words(sweep, tmp_path):
    done = sweep()
    page = (tmp_path / "sweep" / "report.html").read_text()
    head, best = (re.split(r" {2,}", line.strip()) for line in done.out.splitlines()[:2])
    assert "better than luck" in head
    for word, text in zip(head, best, strict=True):
        assert f"<th>{word}</th>" in page
        assert f">{text}</td>" in page, word
    told = done.out.split("\nverdict", 1)[1].split("\nresults sha256", 1)[0].splitlines()
    assert len(told) >= 3
    for line in told:
        assert html.escape(line.strip()) in page, line


def test_what_was_drawn_is_told_and_recorded(sweep, call, recording, tmp_path):
    done = sweep("--random", "4", "--seed", "9")
    assert done.code == 0
    assert "4 of 6 sets, drawn with seed 9" in done.err.replace("\n", " ")
    assert "drawn from 6 with seed 9" in done.out
    assert summary_of(tmp_path / "sweep")["drawn"] == {"drawn": 4, "of": 6, "seed": 9}
    assert json.loads((tmp_path / "sweep" / "sweep.json").read_text())["seed"] == 9
    assert "drawn from 6 with seed 9" in (tmp_path / "sweep" / "report.html").read_text()
    other = sweep("--random", "4", "--seed", "10")
    assert other.code == 2
    assert "holds another sweep (seed was 9, is 10)" in other.err.replace("\n", " ")


def test_how_sets_are_cut_does_not_matter(sweep, tmp_path):
    sweep("--jobs", "2", "--shard", "1")
    sweep("--jobs", "1", out="other")
    first, other = (summary_of(tmp_path / name)["results_sha256"] for name in ("sweep", "other"))
    assert first == other


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--grid", "levels"), "write it as key=a,b,c"),
        (("--grid", "nonsense=1,2"), "nonsense: unknown key"),
        (("--grid", "levels=1,99"), "set 1 .*levels"),
        (("--random", "7"), "the grid has 6 sets, and 7 are asked for"),
        (("--data", "missing.parquet"), "missing.parquet"),
        (("--set", "gamma_per_usd=1"), "is an axis of the grid as well"),
        (("--out", "/proc/nothing/here"), "cannot be used for a sweep"),
        (("--shard", "63"), "shard"),
        (("--address", "127.0.0.1:1"), "is for --engine ray"),
        (("--engine", "ray", "--jobs", "2"), "--jobs is for --engine threads"),
        (("--engine", "ray", "--address", "nonsense"), "(give HOST:PORT|needs the package ray)"),
        (("--engine", "ray", "--address", "127.0.0.1:1"), "(nobody listens|needs the package ray)"),
    ],
)
def test_bad_input_is_told_in_one_message(arguments, words, sweep, tmp_path):
    done = sweep(*arguments)
    assert done.code == 2
    assert re.search(words, done.err.replace("\n", " "))
    assert "Traceback" not in done.err
    assert not (tmp_path / "sweep").exists()


def test_one_symbol_is_not_traded_twice(call, recording, tmp_path):
    for command in (("backtest",), ("sweep", *GRID)):
        done = call(*command, "--data", recording, "--data", recording, "--out", tmp_path / "twice")
        assert done.code == 2
        assert "one file per symbol" in done.err.replace("\n", " ")


def test_a_killed_sweep_is_resumed_to_the_same_results(call, tmp_path):
    """SIGKILL in the middle: what was finished is kept, and the end is that of an undisturbed sweep."""
    recording = write_recording(tmp_path / "test-BTCUSDT-long.parquet", columns_of(30_000))
    gammas = ",".join(str(0.1 * i) for i in range(1, 41))
    arguments = ["sweep", "--data", str(recording), "--grid", f"gamma_per_usd={gammas}", "--shard", "2"]
    command = [sys.executable, "-m", "makerside", *arguments, "--out", str(tmp_path / "killed")]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ}
    )
    log = tmp_path / "killed" / "trials.jsonl"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (log.exists() and log.read_bytes().count(b"\n") >= 5):
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    n_kept = log.read_bytes().count(b"\n")
    assert 5 <= n_kept < 40
    assert call(*arguments, "--out", tmp_path / "killed").code == 0
    assert call(*arguments, "--out", tmp_path / "whole").code == 0
    hashes = {summary_of(tmp_path / name)["results_sha256"] for name in ("killed", "whole")}
    assert len(hashes) == 1
