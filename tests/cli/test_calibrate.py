"""`calibrate`, and what reads its profile: `backtest --profile`, `backtest --band`, `paper`, `config show`."""

import json
import tomllib

import numpy as np
import pytest

from exchange.process import run
from makerside.model.run import RUN_NAME, SUMMARY_NAME

PROFILE = """version = 1
[low.simulation]
queue = "power2"
queue_exponent = 1.0
entry_ms = 90.0
[middle.simulation]
queue = "power2"
queue_exponent = 2.0
entry_ms = 60.0
[high.simulation]
queue = "power2"
queue_exponent = 4.0
entry_quantiles_ms = [[0.0, 10.0], [0.5, 20.0], [1.0, 60.0]]
"""


@pytest.fixture
def profile(tmp_path):
    """A profile by hand."""
    path = tmp_path / "profile.toml"
    path.write_text(PROFILE)
    return path


def test_a_run_over_the_wire_is_calibrated(demo, call, tmp_path):
    """The demo's bot: acks and fills over sockets, our own orders in the book."""
    out = tmp_path / "new" / "profile.toml"
    done = call("calibrate", demo.folder, "--out", out)
    assert done.code == 0, done.err
    assert f"profile: {out}" in done.out
    for name in ("queue_exponent", "entry_ms", "response_ms", "k_per_bps", "slippage_bps"):
        assert name in done.out
    told = tomllib.loads(out.read_text())
    assert told["runs"] == [demo.folder.name]
    entry = told["figures"]["entry_ms"]
    assert 0 < entry["low"] <= entry["middle"] <= entry["high"] < 5_000
    assert told["middle"]["simulation"]["entry_ms"] == pytest.approx(entry["middle"], abs=0.01)
    shown = call("config", "show", "--profile", out)
    assert shown.code == 0, shown.err
    assert "(middle)" in shown.out


def test_a_short_run_is_not_enough(call, recording, tmp_path):
    assert call("backtest", "--data", recording, "--set", "half_spread_min_bps=5", "--out", "bt").code == 0
    done = call("calibrate", "bt", "--out", tmp_path / "profile.toml")
    assert done.code == 0, done.err
    assert "missing; the default stays" in " ".join(done.out.split())
    told = tomllib.loads((tmp_path / "profile.toml").read_text())
    assert "not enough" in told["figures"]["queue_exponent"]["note"]
    assert "queue_exponent" not in told["middle"]["simulation"]
    assert told["middle"]["simulation"]["entry_ms"] == 100.0


def test_a_run_without_orders_gives_no_profile(call, recording, tmp_path):
    far = ("--set", "half_spread_min_bps=900", "--set", "half_spread_max_bps=950")  # beyond the price band
    assert call("backtest", "--data", recording, *far, "--out", "bt").code == 0
    done = call("calibrate", "bt", "--out", tmp_path / "profile.toml")
    assert done.code == 1
    assert "none written" in done.out
    assert not (tmp_path / "profile.toml").exists()


def test_folders_that_hold_no_run(call, tmp_path, demo):
    done = call("calibrate", tmp_path)
    assert done.code == 2
    assert "holds no run" in done.err
    done = call("calibrate", demo.folder, demo.folder)
    assert done.code == 2
    assert "is given twice" in done.err
    assert not (tmp_path / "out").exists()


def test_a_backtest_follows_the_profile(call, recording, profile, tmp_path):
    done = call("backtest", "--data", recording, "--profile", profile, "--out", "one")
    assert done.code == 0, done.err
    record = json.loads((tmp_path / "one" / RUN_NAME).read_text())
    assert record["config"]["simulation"]["queue_exponent"] == 2.0
    assert record["config"]["simulation"]["entry_ms"] == 60.0
    assert record["facts"]["profile"] == "profile.toml"


def test_a_band_is_three_backtests(call, recording, profile, tmp_path):
    done = call("backtest", "--data", recording, "--profile", profile, "--band", "--out", "band")
    assert done.code == 0, done.err
    assert done.out.splitlines()[0].split() == ["level", "low", "middle", "high"]
    assert "verdict" in done.out
    assert "actions sha256" not in done.out, "one table, not three"
    summaries = {}
    for level, exponent in (("low", 1.0), ("middle", 2.0), ("high", 4.0)):
        folder = tmp_path / "band" / level
        simulation = json.loads((folder / RUN_NAME).read_text())["config"]["simulation"]
        assert simulation["queue_exponent"] == exponent
        summaries[level] = json.loads((folder / SUMMARY_NAME).read_text())
        assert summaries[level]["parity"] is True
    facts = json.loads((tmp_path / "band" / "band.json").read_text())
    net = [float(one["pnl_net"]) for one in summaries.values()]
    assert float(facts["width"]) == pytest.approx(np.ptp(net))
    single = call("backtest", "--data", recording, "--profile", profile, "--out", "one")
    assert single.code == 0
    alone = json.loads((tmp_path / "one" / SUMMARY_NAME).read_text())
    assert alone["actions_sha256"] == summaries["middle"]["actions_sha256"]


def test_a_band_without_a_profile(call, recording):
    done = call("backtest", "--data", recording, "--band")
    assert done.code == 2
    assert "--profile" in done.err


def test_a_profile_that_is_not_there(call, recording, tmp_path):
    done = call("backtest", "--data", recording, "--profile", tmp_path / "none.toml")
    assert done.code == 2
    assert "none.toml: there is no such file" in done.err


def test_paper_follows_the_profile(exchange, profile, tmp_path):
    out = tmp_path / "paper"
    done = run("paper", "--url", exchange.url, "--minutes", 0.05, "--profile", profile, "--out", out)
    assert done.returncode == 0, done.stderr
    record = json.loads((out / RUN_NAME).read_text())
    assert record["config"]["simulation"]["queue"] == "power2"
    assert record["config"]["simulation"]["entry_ms"] == 60.0
