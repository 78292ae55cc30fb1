"""Bad input: one message that names the place and what would be accepted, exit code 2, no traceback."""

import os
import socket

import numpy as np
import pytest

from cli.conftest import FUNDED, columns_of, write_recording
from exchange.desk import DAY
from exchange.process import run
from exchange.serving import key
from makerside.model.errors import ConfigError
from makerside.runtime.simserver import ExchangeOptions, open_source
from makerside.venues.hyperliquid.rules import rules_at

ADDRESS = "0x" + "a1" * 20
SECRET = "5e" * 32


def says(finished, *words, code=2):
    """Assert an exit code and one message with these words."""
    assert finished.code == code, finished
    for word in words:
        assert word in finished.err, finished.err
    assert "Traceback" not in finished.err
    messages = [line for line in finished.err.splitlines() if line.startswith(("error:", "Error:"))]
    assert len(messages) == 1, finished.err


class TestData:
    """A recording that is missing, corrupt, of other columns, of impossible values."""

    def test_a_file_that_does_not_exist(self, call, tmp_path):
        says(call("backtest", "--data", tmp_path / "no.parquet"), "no.parquet", "no such file", "ts_local_ns")

    def test_a_file_that_is_no_parquet(self, call, tmp_path):
        path = tmp_path / "noise.parquet"
        path.write_bytes(os.urandom(4_000))
        says(call("backtest", "--data", path), "noise.parquet", "not a readable Parquet file")

    def test_a_file_that_is_cut_off(self, call, tmp_path, recording):
        path = tmp_path / "cut.parquet"
        path.write_bytes(recording.read_bytes()[:-2_000])
        says(call("backtest", "--data", path), "cut.parquet")

    def test_a_file_whose_pages_are_damaged(self, call, tmp_path, recording):
        path = tmp_path / "damaged.parquet"
        data = bytearray(recording.read_bytes())
        data[200:2_000] = os.urandom(1_800)
        path.write_bytes(data)
        says(call("backtest", "--data", path), "damaged.parquet")

    @pytest.mark.parametrize("name", ["kind", "price", "msg"])
    def test_a_missing_column_is_named(self, call, tmp_path, name):
        columns = columns_of(30)
        del columns[name]
        path = write_recording(tmp_path / "x.parquet", columns)
        says(call("backtest", "--data", path), "x.parquet", f"column {name} is missing", "ts_exchange_ns")

    @pytest.mark.parametrize(("name", "kind"), [("price", "f4"), ("side", "i8"), ("ts_local_ns", "f8")])
    def test_a_column_of_another_type_is_named(self, call, tmp_path, name, kind):
        columns = columns_of(30)
        columns[name] = columns[name].astype(kind)
        path = write_recording(tmp_path / "x.parquet", columns)
        says(call("backtest", "--data", path), "x.parquet", f"column {name} is", "it must be")

    @pytest.mark.parametrize(
        ("name", "row", "value", "words"),
        [
            ("price", 7, np.nan, "row 7: price is not a positive number"),
            ("price", 7, -3.0, "row 7: price is not a positive number"),
            ("size", 7, np.inf, "row 7: size is not a number"),
            ("kind", 7, 9, "row 7: kind is not 1 to 5"),
            ("side", 7, 5, "row 7: side is not +1, -1 or 0"),
            ("ts_local_ns", 7, 5, "row 7: ts_local_ns goes back"),
        ],
    )
    def test_an_impossible_value_is_named_with_its_row(self, call, tmp_path, name, row, value, words):
        columns = columns_of(30)
        columns[name][row] = value
        path = write_recording(tmp_path / "x.parquet", columns)
        says(call("backtest", "--data", path), "x.parquet", words)

    def test_a_file_without_rows(self, call, tmp_path):
        columns = {name: values[:0] for name, values in columns_of(30).items()}
        says(call("backtest", "--data", write_recording(tmp_path / "x.parquet", columns)), "has no rows")

    @pytest.mark.parametrize(
        "command", [("data", "show"), ("demo", "--data"), ("exchange", "--port", 0, "--data")]
    )
    def test_every_command_that_reads_one_says_so(self, call, tmp_path, command):
        says(call(*command, tmp_path / "no.parquet"), "no.parquet", "no such file")

    @pytest.mark.parametrize("text", [None, "", "{}", "[1]", '{"name": 5}'])
    def test_a_market_model_that_is_none(self, call, tmp_path, recording, text):
        if text is not None:
            (tmp_path / "model.json").write_text(text)
        says(call("data", "compare", recording, "--model", "model.json"), "model.json")

    def test_a_market_model_of_no_package(self, call, recording):
        says(call("data", "compare", recording, "--model", "nope"), "nope", "btc")

    def test_a_folder_that_holds_no_run(self, call, tmp_path):
        says(call("backtest", "--data", tmp_path), str(tmp_path), "holds no run")

    def test_a_recording_without_prices(self, call, tmp_path):
        """Only an emptied best price: there is nothing that money could be turned into lots with."""
        columns = {name: values[:2] for name, values in columns_of(30).items()}
        columns["kind"][:] = 4
        columns["price"][:] = columns["size"][:] = 0
        path = write_recording(tmp_path / "x.parquet", columns)
        says(call("backtest", "--data", path), "x.parquet")


class TestConfiguration:
    @pytest.mark.parametrize(
        ("setting", "words"),
        [
            ("risk.nope=1", ("risk.nope: unknown key", "position_max_usd")),
            ("nope.x=1", ("nope: unknown key", "venue")),
            ("strategy.nope=1", ("strategy.nope: unknown key", "levels")),
            ("nope=1", ("strategy.nope: unknown key", "levels")),
            ("risk.price_band_bps=-1", ("risk.price_band_bps", "greater than 0", "-1")),
            ("risk.price_band_bps=20000", ("risk.price_band_bps", "10000")),
            ("risk.position_max_usd=much", ("risk.position_max_usd", "number", "much")),
            ("venue.network=moon", ("venue.network", "'local', 'testnet' or 'mainnet'", "moon")),
            ("venue.account=me", ("venue.account", "0x", "me")),
            ("venue.symbols=[]", ("venue.symbols", "at least 1")),
            ("levels=99", ("strategy.levels", "16", "99")),
            ("risk.position_max_usd=nan", ("risk.position_max_usd",)),
            ("risk=5", ("risk",)),
            ("risk.position_max_usd.deep=5", ("risk.position_max_usd",)),
            ("no equals sign", ("no equals sign", "key=value")),
            ("=5", ("key=value",)),
        ],
    )
    def test_a_bad_setting_is_named_by_its_path(self, call, setting, words):
        says(call("config", "show", "--set", setting), *words)

    @pytest.mark.parametrize(
        "path",
        [
            "risk.position_max_usd",
            "risk.total_max_usd",
            "risk.stale_s",
            "pacing.budget_actions",
        ],
    )
    def test_infinity_is_out_of_range(self, call, recording, tmp_path, path):
        finished = call("backtest", "--data", recording, "--set", f"{path}=inf", "--out", tmp_path / "out")
        says(finished, path)

    @pytest.mark.parametrize("command", ["config show", "demo", "paper", "backtest --data x"])
    def test_an_unknown_strategy_names_those_that_exist(self, call, command):
        says(call(*command.split(), "--strategy", "martingale"), "martingale", "glft", "avellaneda_stoikov")

    def test_a_file_that_does_not_exist(self, call):
        says(call("config", "show", "--config", "no.toml"), "no.toml", "no such file")

    def test_a_file_that_is_no_toml(self, call, tmp_path):
        (tmp_path / "bad.toml").write_text("[risk\n")
        says(call("config", "show", "--config", "bad.toml"), "bad.toml", "not valid TOML", "line 1")

    def test_a_file_that_is_no_text(self, call, tmp_path):
        (tmp_path / "bad.toml").write_bytes(b"\xff\xfe\x00")
        says(call("config", "show", "--config", "bad.toml"), "bad.toml")

    def test_an_unknown_key_in_a_file(self, call, tmp_path):
        (tmp_path / "x.toml").write_text("[risk]\nposition_max = 5\n")
        says(call("config", "show", "--config", "x.toml"), "risk.position_max: unknown key", "position_max_usd")

    def test_an_unknown_key_in_the_environment(self, call, monkeypatch):
        monkeypatch.setenv("MAKERSIDE__RISK__NOPE", "5")
        says(call("config", "show"), "risk.nope: unknown key")

    def test_an_address_is_text(self, call, monkeypatch):
        """Good input for once: an account, as a flag and as a variable."""
        assert call("config", "show", "--set", f"venue.account={ADDRESS}").code == 0
        monkeypatch.setenv("MAKERSIDE__VENUE__ACCOUNT", ADDRESS)
        assert ADDRESS in call("config", "show").out

    def test_an_order_that_could_never_be_placed(self, call, recording, tmp_path):
        finished = call("backtest", "--data", recording, "--set", "size_usd=1", "--out", tmp_path / "out")
        says(finished, "strategy.size_usd", "smallest order")

    def test_a_queue_model_that_does_not_exist(self, call, recording):
        for command in (("backtest", "--data", recording), ("exchange",)):
            says(call(*command, "--queue", "magic"), "queue", "log_prob")

    def test_an_exponent_out_of_range(self, call, recording):
        for value in ("0", "-2", "nan"):
            says(call("exchange", f"--queue-exponent={value}"), "queue-exponent")
            told = call("backtest", "--data", recording, "--set", f"simulation.queue_exponent={value}")
            says(told, "simulation.queue_exponent")

    def test_log_settings(self):
        for name in ("MAKERSIDE_LOG", "MAKERSIDE_LOG_FORMAT"):
            finished = run("config", "show", **{name: "loud"})
            assert finished.returncode == 2
            assert f"{name}=loud" in finished.stderr
            assert "Traceback" not in finished.stderr


class TestExchange:
    def test_a_port_in_use(self, call):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            says(call("exchange", "--port", port), f"--port {port}", "cannot be used", "0 takes a free one")

    @pytest.mark.parametrize("port", ["70000", "-1", "http"])
    def test_a_port_that_is_none(self, call, port):
        says(call("exchange", "--port", port), "--port")

    @pytest.mark.parametrize(
        "fund",
        [
            "abc",
            "0x12=5",
            ADDRESS,
            f"{ADDRESS}=",
            f"{ADDRESS}=much",
            f"{ADDRESS}=0",
            f"{ADDRESS}=-5",
            f"{ADDRESS}=1e99",
            f"{ADDRESS}=inf",
            f"{ADDRESS}=nan",
            f"{ADDRESS}=sNaN",
        ],
    )
    def test_a_fund_that_is_none(self, call, fund):
        says(call("exchange", "--port", 0, "--fund", fund), f"--fund {fund}", "40 hex digits")

    def test_an_account_that_is_funded_twice(self, call):
        upper = ADDRESS.upper().replace("0X", "0x")
        finished = call("exchange", "--port", 0, "--fund", f"{ADDRESS}=5", "--fund", f"{upper}=5")
        says(finished, "--fund", "funded already")

    @pytest.mark.parametrize(
        "symbols",
        [
            "NOPE",
            "BTC,NOPE",
            "",
            ",",
        ],
    )
    def test_symbols_that_are_not_listed(self, call, symbols):
        says(call("exchange", "--port", 0, "--symbols", symbols), "--symbols", "BTC")

    def test_a_symbol_twice(self):
        with pytest.raises(ConfigError, match="--symbols"):
            open_source(ExchangeOptions(symbols=("BTC", "BTC")), rules_at(DAY), 0)

    @pytest.mark.parametrize("speed", ["0", "-1", "1e9", "fast"])
    def test_a_speed_out_of_range(self, call, speed):
        for command in (("exchange", "--port", 0), ("demo",)):
            says(call(*command, "--speed", speed), "--speed")

    @pytest.mark.parametrize("option", ["--speed", "--minutes"])
    def test_not_a_number_is_out_of_range(self, call, option):
        says(call("demo", option, "nan"), option)

    def test_another_venue(self, call):
        says(call("exchange", "--venue", "nasdaq"), "--venue nasdaq", "hyperliquid")

    def test_two_markets_at_once(self, call, recording):
        says(call("exchange", "--synthetic", "--data", recording), "--synthetic and --data")

    def test_two_recordings_of_one_symbol(self, call, tmp_path):
        path = write_recording(tmp_path / "test-BTCUSDT-x.parquet", columns_of(60))
        says(call("exchange", "--port", 0, "--data", path, "--data", path), "--data", "each symbol once")


class TestKeys:
    """A key that is missing, wrong or kept too openly; no message holds a part of it."""

    def live(self, call, *arguments):
        finished = call(
            "live", "--set", "venue.network=local", "--set", "venue.url=http://127.0.0.1:9", *arguments
        )
        for i in range(0, len(SECRET) - 8, 4):
            assert SECRET[i : i + 8] not in finished.err + finished.out
        return finished

    def test_no_key(self, call):
        says(self.live(call), "no private key", "MAKERSIDE_KEY", "venue.key_file", "0600")

    @pytest.mark.parametrize("text", [SECRET[:-2], SECRET + "00", "0x" + "zz" * 32, "0x" + "00" * 32, "hello"])
    def test_a_key_that_is_none(self, call, monkeypatch, text):
        monkeypatch.setenv("MAKERSIDE_KEY", text)
        finished = self.live(call)
        says(finished, "private key")
        assert text not in finished.err

    def test_a_key_file_that_others_can_read(self, call, tmp_path):
        path = tmp_path / "key"
        path.write_text(SECRET)
        path.chmod(0o644)
        says(self.live(call, "--set", f"venue.key_file={path}"), str(path), "0644", "chmod 600")

    def test_a_key_file_that_is_not_there(self, call, tmp_path):
        says(self.live(call, "--set", f"venue.key_file={tmp_path}/nokey"), "nokey", "cannot be read")

    def test_mainnet_needs_its_flag(self, call, monkeypatch):
        monkeypatch.setenv("MAKERSIDE_KEY", SECRET)
        finished = call("live", "--set", "venue.network=mainnet")
        says(finished, "mainnet", "--i-understand-this-trades-real-money")

    def test_a_local_network_needs_its_url(self, call, monkeypatch):
        monkeypatch.setenv("MAKERSIDE_KEY", SECRET)
        says(call("live", "--set", "venue.network=local"), "venue.url", "http://127.0.0.1:3001")

    def test_an_account_without_a_deposit(self, call, monkeypatch, exchange):
        monkeypatch.setenv("MAKERSIDE_KEY", SECRET)
        finished = call("live", "--set", "venue.network=local", "--set", f"venue.url={exchange.url}")
        says(finished, "does not know it", "venue.account")

    def test_a_master_key(self, call, monkeypatch, exchange):
        monkeypatch.setenv("MAKERSIDE_KEY", f"{31:064x}")
        finished = call("live", "--set", "venue.network=local", "--set", f"venue.url={exchange.url}")
        says(finished, "can withdraw", "--allow-master-key")

    def test_a_key_of_nobody_for_an_account_of_somebody(self, call, monkeypatch, exchange):
        monkeypatch.setenv("MAKERSIDE_KEY", SECRET)
        finished = call(
            "live",
            "--set",
            "venue.network=local",
            "--set",
            f"venue.url={exchange.url}",
            "--set",
            f'venue.account="{FUNDED.address}"',
            "--allow-master-key",
        )
        says(finished, key(int(SECRET, 16)).address, "MAKERSIDE_KEY")


class TestReach:
    @pytest.mark.parametrize("command", ["paper", "record"])
    def test_no_exchange_there(self, call, command):
        says(call(command, "--url", "http://127.0.0.1:9"), "http://127.0.0.1:9", code=3)

    @pytest.mark.parametrize("url", ["127.0.0.1:3001", "ftp://127.0.0.1", "nonsense", "http://127.0.0.1:99999"])
    def test_a_url_that_is_none(self, call, url):
        says(call("paper", "--url", url), url, "http://")

    @pytest.mark.parametrize("command", ["paper", "record", "live"])
    def test_minutes_are_a_number(self, call, command):
        for minutes in ("nan", "inf", "0"):
            says(call(command, "--minutes", minutes), "--minutes")

    def test_a_symbol_that_the_venue_does_not_have(self, call, exchange):
        says(call("record", "--url", exchange.url, "--symbols", "NOPE"), "NOPE")


class TestFolders:
    def test_a_file_in_the_place_of_the_folder(self, call, recording, tmp_path):
        (tmp_path / "out").write_text("mine")
        says(call("backtest", "--data", recording, "--out", "out"), "out", "is a file")

    def test_a_folder_with_other_files(self, call, recording, tmp_path):
        (tmp_path / "thesis.txt").write_text("mine")
        says(call("backtest", "--data", recording, "--out", "."), "thesis.txt", "empty folder")
        assert (tmp_path / "thesis.txt").read_text() == "mine"

    def test_a_run_that_is_not_there(self, call):
        says(call("replay", "nowhere"), "nowhere", "holds no run")

    @pytest.mark.parametrize("block", ["-1", "many"])
    def test_a_block_out_of_range(self, call, demo, block):
        says(call("replay", demo.folder, "--block", block), "--block")


@pytest.mark.parametrize("option", [("--markets", "2"), ("--seed", "4")])
def test_options_of_the_synthetic_market_do_not_go_with_a_recording(option, call, tmp_path):
    done = call("demo", "--data", tmp_path / "any.parquet", *option)
    assert done.code == 2
    assert f"{option[0]}: is for the synthetic market" in done.err
