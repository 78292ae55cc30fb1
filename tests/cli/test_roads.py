"""From one command to the next, as the documents say it: what one writes, the other reads."""

import json

import pytest

from exchange.process import run
from makerside.model.run import SUMMARY_NAME


@pytest.fixture(scope="module")
def recorded(exchange, tmp_path_factory):
    """Return the folder of a recording of the local exchange, three seconds on the wall."""
    folder = tmp_path_factory.mktemp("recorded") / "record"
    finished = run("record", "--url", exchange.url, "--minutes", 0.05, "--out", folder)
    assert finished.returncode == 0, finished.stderr
    assert f" rows in {folder}" in finished.stdout
    return folder


def test_a_recording_is_backtested(recorded, tmp_path):
    out = tmp_path / "out"
    finished = run("backtest", "--data", recorded, "--set", "half_spread_min_bps=0.01", "--out", out)
    assert finished.returncode == 0, finished.stderr
    assert "Traceback" not in finished.stderr
    summary = json.loads((out / SUMMARY_NAME).read_text())
    assert summary["symbols"] == ["BTC"]
    assert summary["parity"] is True
    assert summary["events"] > 100
    assert summary["orders_placed"] > 0
    again = run("replay", out)
    assert again.returncode == 0, again.stdout
    assert "identical" in again.stdout
    assert "none" not in again.stdout  # the final state was compared too


def test_a_recording_is_shown(recorded):
    finished = run("data", "show", recorded)
    assert finished.returncode == 0, finished.stderr
    assert "BTC" in finished.stdout + finished.stderr


def test_a_recording_replays(recorded):
    """It holds no decision of ours, and `step` takes none: nobody told it that the account is connected."""
    finished = run("replay", recorded)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "0 in the journal, 0 replayed" in finished.stdout
