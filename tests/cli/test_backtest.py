"""`backtest`: what it writes, that it says the same twice, and that others read it."""

import json
import re
from decimal import Decimal

import pytest

from makerside.model.run import JOURNAL_NAME, REPORT_NAME, RUN_NAME, SUMMARY_NAME, TIMINGS_NAME
from makerside.sim.build import make_walk

D = Decimal
KEYS = {
    "makerside",
    "mode",
    "venue",
    "symbols",
    "strategy",
    "config_hash",
    "facts",
    "duration_s",
    "events",
    "decisions",
    "actions",
    "orders_placed",
    "orders_canceled",
    "orders_rejected",
    "fills",
    "maker_fills",
    "volume",
    "pnl_net",
    "pnl_realized",
    "pnl_unrealized",
    "fees",
    "funding",
    "pnl_parts",
    "position_max",
    "by_symbol",
    "markouts",
    "decision_us",
    "bytes_in_to_signed_out_us",
    "defects",
    "held_back",
    "orders_left",
    "parity",
    "actions_sha256",
    "actions_digest",
}
EAGER = [
    f"--set={setting}"
    for setting in (
        "levels=2",
        "size_usd=300",
        "half_spread_min_bps=0.01",
        "intensity=fixed",
        "intensity_k_per_bps=50",
        "simulation.entry_ms=10",
        "simulation.response_ms=10",
    )
]


@pytest.fixture
def backtest(call, recording, tmp_path):
    """Return a function that runs a backtest and returns (finished, folder)."""

    def run(*arguments, name="out"):
        finished = call("backtest", "--data", recording, *EAGER, "--out", tmp_path / name, *arguments)
        return finished, tmp_path / name

    return run


def summary_of(folder):
    return json.loads((folder / SUMMARY_NAME).read_text())


def test_it_writes_a_runs_files_for_their_owner(backtest):
    finished, folder = backtest()
    assert finished.code == 0, finished.err
    names = {path.name for path in folder.iterdir()}
    assert (
        {JOURNAL_NAME, RUN_NAME, SUMMARY_NAME, REPORT_NAME}
        <= names
        <= {
            JOURNAL_NAME,
            RUN_NAME,
            SUMMARY_NAME,
            REPORT_NAME,
            TIMINGS_NAME,
        }
    )
    assert folder.stat().st_mode & 0o777 == 0o700


def test_the_summary_has_the_same_keys_for_every_command(backtest, demo):
    _, folder = backtest()
    summary = summary_of(folder)
    assert set(summary) == set(demo.summary) == KEYS
    assert summary["mode"] == "backtest"
    assert summary["strategy"] == "glft"
    assert summary["symbols"] == ["BTCUSDT"]
    assert summary["parity"] is True
    assert summary["orders_left"] is None  # nobody was asked
    assert summary["fills"] > 0
    assert re.fullmatch(r"[0-9a-f]{64}", summary["actions_sha256"])


def test_money_is_exact_text_and_adds_up(backtest):
    summary = summary_of(backtest()[1])
    parts = {name: D(text) for name, text in summary["pnl_parts"].items()}
    assert sum(parts.values()) == D(summary["pnl_net"])
    assert D(summary["pnl_net"]) == D(summary["pnl_realized"]) + D(summary["pnl_unrealized"]) - D(
        summary["fees"]
    ) + D(summary["funding"])
    assert sum(D(one["pnl_net"]) for one in summary["by_symbol"].values()) == D(summary["pnl_net"])


def test_standard_output_tells_the_figures(backtest):
    finished, folder = backtest()
    summary = summary_of(folder)
    for words in (
        f"actions sha256    {summary['actions_sha256']}",
        "parity            actions identical",
        f"report            {folder / REPORT_NAME}",
        f"fills             {summary['fills']:,}",
    ):
        assert words in finished.out
    assert "test-BTCUSDT-small.parquet: " in finished.err
    assert "defects handled" in finished.err


def test_the_same_twice_is_the_same(backtest):
    first, second = (summary_of(backtest(name=name)[1]) for name in ("a", "b"))
    for name in ("actions_sha256", "config_hash", "pnl_net", "fills", "decisions", "events", "markouts"):
        assert first[name] == second[name]


def test_another_setting_is_another_run(backtest):
    first = summary_of(backtest(name="a")[1])
    other = summary_of(backtest("--set", "half_spread_min_bps=2", name="b")[1])
    assert first["config_hash"] != other["config_hash"]
    assert first["actions_sha256"] != other["actions_sha256"]


@pytest.mark.parametrize("queue", ["risk_averse", "log_prob", "log2", "power", "power2", "power3"])
def test_the_queue_model_is_part_of_the_run(backtest, queue):
    _, folder = backtest("--queue", queue)
    assert json.loads((folder / RUN_NAME).read_text())["config"]["simulation"]["queue"] == queue


def test_the_exponent_reaches_the_exchange(backtest, monkeypatch):
    from makerside.research import backtest as module

    made = []

    def spy(*arguments):
        made.append(make_walk(*arguments))
        return made[-1]

    monkeypatch.setattr(module, "make_walk", spy)
    backtest("--queue", "power", "--set", "simulation.queue_exponent=2.5")
    assert made[0].pits["queue_exponent"].tolist() == [2.5]


@pytest.mark.parametrize("block", [0, 1, 7])
def test_its_journal_replays(call, backtest, block):
    _, folder = backtest()
    finished = call("replay", folder, "--block", block)
    assert finished.code == 0
    assert finished.out.splitlines()[-1] == "identical"
    assert summary_of(folder)["actions_sha256"] in finished.out


def test_a_second_run_takes_the_place_of_the_first(backtest):
    _, folder = backtest()
    before = summary_of(folder)["actions_sha256"]
    finished, _ = backtest("--set", "half_spread_min_bps=2")
    assert finished.code == 0
    assert summary_of(folder)["actions_sha256"] != before


def test_several_recordings_are_several_symbols(call, recording, tmp_path):
    other = tmp_path / "test-ETHUSDT-small.parquet"
    other.write_bytes(recording.read_bytes())
    finished = call("backtest", "--data", recording, "--data", other, *EAGER, "--out", tmp_path / "out")
    assert finished.code == 0, finished.err
    summary = summary_of(tmp_path / "out")
    assert summary["symbols"] == ["BTCUSDT", "ETHUSDT"]
    assert set(summary["by_symbol"]) == {"BTCUSDT", "ETHUSDT"}
    assert summary["parity"] is True


def test_demo_and_backtest_see_the_same_defects_of_a_recording(call, recording, tmp_path):
    """A trade without a side and a row before the venue's clock are counted, not refused."""
    from cli.conftest import columns_of, write_recording

    columns = columns_of(600)
    columns["ts_local_ns"] -= 50_000_000
    columns["side"][columns["kind"] == 3] = 0
    path = write_recording(tmp_path / "test-BTCUSDT-dirty.parquet", columns)
    finished = call("backtest", "--data", path, *EAGER, "--out", tmp_path / "out")
    assert finished.code == 0
    defects = summary_of(tmp_path / "out")["defects"]
    assert defects["trades_without_side"] == 200
    assert defects["clock_shift_ns"] > 0
