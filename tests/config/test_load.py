"""Loading: layers and where each value came from, and every refusal with its path."""

import json
from typing import get_args

import pytest

from makerside.cli.options import QUEUE_NAMES
from makerside.config.load import config_hash, flatten, load, validate
from makerside.config.tree import Config
from makerside.model.errors import ConfigError
from makerside.sim.build import QUEUE_EXPONENT, QUEUES


@pytest.fixture
def files(tmp_path):
    """Return a function that writes the file and, when given, the local file beside it."""

    def files(text, local=None):
        path = tmp_path / "makerside.toml"
        path.write_text(text)
        if local is not None:
            (tmp_path / "makerside.local.toml").write_text(local)
        return path

    return files


def effective(loaded):
    """Return {path: (value, source)}."""
    return {path: (value, source) for path, value, source in loaded.rows()}


def test_defaults_are_a_configuration():
    loaded = load(environment={})
    assert loaded.config == Config()
    assert {source for _, _, source in loaded.rows()} == {"default"}


def test_defaults_are_careful():
    config = Config()
    assert config.venue.network == "testnet"
    assert config.venue.margin == "isolated"
    assert config.venue.leverage <= 5
    assert config.risk.position_max_usd <= 1_000
    assert config.risk.order_max_usd <= config.risk.total_max_usd


def test_later_layers_win_and_every_value_knows_its_source(files):
    path = files(
        "[risk]\nposition_max_usd = 100\norder_max_usd = 100\nstale_s = 1\ntotal_max_usd = 100\n",
        "[risk]\norder_max_usd = 200\nstale_s = 2\ntotal_max_usd = 200\n",
    )
    loaded = load(
        path,
        ["risk.total_max_usd=400"],
        {"MAKERSIDE__RISK__STALE_S": "3", "MAKERSIDE__RISK__TOTAL_MAX_USD": "300", "OTHER": "1"},
        base={"risk": {"position_max_usd": 50, "price_band_bps": 50}},
    )
    found = effective(loaded)
    assert found["risk.price_band_bps"] == (50, "command")
    assert found["risk.position_max_usd"] == (100, str(path))
    assert found["risk.order_max_usd"] == (200, str(path.with_suffix(".local.toml")))
    assert found["risk.stale_s"] == (3, "MAKERSIDE__RISK__STALE_S")
    assert found["risk.total_max_usd"] == (400, "--set")
    assert found["pacing.flush_ms"][1] == "default"


def test_zero_is_a_value(files):
    path = files("[pacing]\nflush_ms = 0\nhysteresis_bps = 0\nbudget_per_s = 0\n[strategy]\nspacing_bps = 0\n")
    found = effective(load(path, environment={}))
    for name in ("pacing.flush_ms", "pacing.hysteresis_bps", "pacing.budget_per_s", "strategy.spacing_bps"):
        assert found[name] == (0, str(path))


def test_a_false_or_empty_value_of_a_later_layer_wins(files):
    path = files('[venue]\nurl = "http://127.0.0.1:3001"\n')
    assert load(path, ["venue.url="], {}).config.venue.url == ""


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("gamma_per_usd=0.5", "strategy.gamma_per_usd", 0.5),
        ("strategy.levels=3", "strategy.levels", 3),
        ("levels = 3", "strategy.levels", 3),
        ('venue.symbols=["BTC", "ETH"]', "venue.symbols", ("BTC", "ETH")),
        ("bot.name=my-bot_2", "bot.name", "my-bot_2"),
        ('bot.name="1234"', "bot.name", "1234"),
        ("venue.leverage=1", "venue.leverage", 1),
    ],
)
def test_settings_of_the_command_line(text, path, value):
    assert effective(load(settings=[text], environment={}))[path] == (value, "--set")


def test_the_last_setting_wins():
    assert load(settings=["levels=2", "levels=5"], environment={}).config.strategy.levels == 5


@pytest.mark.parametrize("name", ["glft", "avellaneda_stoikov"])
def test_strategy_brings_its_own_settings(name):
    config = load(settings=[f"name={name}"], environment={}).config
    assert config.strategy.name == name
    assert config.model_dump()["strategy"]["name"] == name


BAD = [
    ("[risk]\nposition_max = 1\n", ["risk.position_max: unknown key", "known here:", "position_max_usd"]),
    ("[risks]\nposition_max_usd = 1\n", ["risks: unknown key", "risk"]),
    ("[strategy]\ngama_per_usd = 1\n", ["strategy.gama_per_usd: unknown key", "gamma_per_usd"]),
    ('[strategy]\nname = "avellaneda_stoikov"\nskew = 1\n', ["strategy.skew: unknown key", "horizon_s"]),
    ('[strategy]\nname = "magic"\n', ["strategy.name", "'magic'", "glft"]),
    ("[strategy]\nlevels = 0\n", ["strategy.levels", "greater than or equal to 1", "0"]),
    ("[strategy]\nlevels = 17\n", ["strategy.levels", "16", "17"]),
    ("[strategy]\nlevels = 1.5\n", ["strategy.levels", "1.5"]),
    ('[strategy]\nlevels = "many"\n', ["strategy.levels", "many"]),
    ("[risk]\nposition_max_usd = -1\n", ["risk.position_max_usd", "greater than 0", "-1"]),
    ("[risk]\nposition_max_usd = 0\n", ["risk.position_max_usd", "greater than 0"]),
    ("[risk]\nprice_band_bps = 20000\n", ["risk.price_band_bps", "10000"]),
    ('[venue]\nnetwork = "main"\n', ["venue.network", "'mainnet'", "main"]),
    ('[venue]\nname = "binance"\n', ["venue.name", "'hyperliquid'"]),
    ('[venue]\naccount = "0x12"\n', ["venue.account"]),
    ("[venue]\nsymbols = []\n", ["venue.symbols"]),
    ("[bot]\nid = 64\n", ["bot.id", "63", "64"]),
    ('[bot]\nname = "../escape"\n', ["bot.name"]),
    ("risk = 5\n", ["risk", "5"]),
    ("strategy = 5\n", ["strategy"]),
    ("[risk\n", ["not valid TOML"]),
]


@pytest.mark.parametrize(("text", "words"), BAD, ids=[" ".join(words[:1]) for _, words in BAD])
def test_a_bad_setting_is_named_with_what_would_be_accepted(files, text, words):
    with pytest.raises(ConfigError) as error:
        load(files(text), environment={})
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize(
    "settings", [["risk.position_max_usd"], ["=5"], ["risk.position_max=5"], ["nothing=5"], ["risk.a=5"]]
)
def test_a_bad_setting_of_the_command_line_is_named(settings):
    with pytest.raises(ConfigError) as error:
        load(settings=settings, environment={})
    assert settings[0].split("=")[0] in str(error.value)


@pytest.mark.parametrize("key", ["risk.position_max_usd", "strategy.gamma_per_usd", "pacing.flush_ms"])
@pytest.mark.parametrize("value", ["nan", "-inf"])
def test_numbers_are_numbers(key, value):
    """TOML knows nan and inf; limits do not."""
    with pytest.raises(ConfigError, match=key):
        load(settings=[f"{key}={value}"], environment={})


@pytest.mark.parametrize("key", ["risk.position_max_usd", "strategy.gamma_per_usd", "risk.stale_s"])
def test_numbers_are_finite(key):
    with pytest.raises(ConfigError, match=key):
        load(settings=[f"{key}=inf"], environment={})


def test_a_value_is_no_table(files):
    path = files("[risk]\nstale_s = 5\n")
    with pytest.raises(ConfigError, match="stale_s is a value, not a table"):
        load(path, ["risk.stale_s.more=1"], {})


@pytest.mark.parametrize("what", ["missing", "folder", "bytes"])
def test_a_file_that_cannot_be_read_is_named(tmp_path, what):
    path = tmp_path / "makerside.toml"
    if what == "folder":
        path.mkdir()
    elif what == "bytes":
        path.write_bytes(b"\xff\xfe[risk]")
    with pytest.raises(ConfigError, match=str(path)):
        load(path, environment={})


def test_environment_of_the_process_is_read(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("MAKERSIDE__RISK__STALE_S=7\nMAKERSIDE__RISK__PRICE_BAND_BPS=70\nSECRET=1\n")
    monkeypatch.setenv("MAKERSIDE__RISK__STALE_S", "8")
    found = effective(load())
    assert found["risk.stale_s"] == (8, "MAKERSIDE__RISK__STALE_S")
    assert found["risk.price_band_bps"] == (70, "MAKERSIDE__RISK__PRICE_BAND_BPS")


def test_hash_is_of_the_values_and_not_of_their_layers(files):
    path = files("[risk]\nposition_max_usd = 700\n")
    by_file = load(path, environment={}).config
    by_setting = load(settings=["risk.position_max_usd=700.0"], environment={}).config
    assert config_hash(by_file) == config_hash(by_setting)
    assert config_hash(by_file) != config_hash(Config())
    assert len(config_hash(by_file)) == 64


@pytest.mark.parametrize("path", [path for path, _ in flatten(Config().model_dump()) if path != "venue.name"])
def test_hash_sees_every_setting(path):
    """A default that is given explicitly changes nothing, another value does."""
    value = dict(flatten(Config().model_dump()))[path]
    others = {
        "venue.network": "local",
        "venue.account": "0x" + "1" * 40,
        "venue.margin": "cross",
        "venue.symbols": ["ETH"],
        "strategy.name": "avellaneda_stoikov",
        "strategy.reference": "micro",
        "strategy.intensity": "fixed",
        "strategy.xi_per_usd": 0.5,
        "simulation.queue": "risk_averse",
        "simulation.feed_quantiles_ms": [[0, 1], [1, 2]],
        "simulation.entry_quantiles_ms": [[0, 1], [1, 2]],
        "simulation.response_quantiles_ms": [[0, 1], [1, 2]],
        "simulation.fees": "rule",
        "simulation.funding": "told",
        "simulation.margin": "rule",
        "simulation.rules_venue": "lighter",
        "pacing.decide_on": "timer",
    }
    other = others[path] if path in others else f"{value}x" if isinstance(value, str) else (value or 0) + 1
    section, key = path.split(".")
    base = config_hash(Config())
    if value is not None:
        assert config_hash(validate({section: {key: value}})) == base
    assert config_hash(validate({section: {key: other}})) != base


def test_hash_is_the_same_in_every_process_and_survives_json():
    config = validate({"strategy": {"name": "glft", "levels": 3}, "risk": {"stale_s": 0.1}})
    again = validate(json.loads(json.dumps(config.model_dump(mode="json"))))
    assert again == config
    assert config_hash(again) == config_hash(config)


def test_a_configuration_cannot_be_changed():
    config = Config()
    with pytest.raises(ValueError, match="frozen"):
        config.risk.stale_s = 1.0
    with pytest.raises(ValueError, match="frozen"):
        config.strategy.levels = 9


def test_every_setting_tells_what_it_is():
    def walk(model, prefix):
        for name, info in model.model_fields.items():
            inner = info.annotation
            if isinstance(inner, type) and hasattr(inner, "model_fields"):
                walk(inner, f"{prefix}{name}.")
            elif name != "strategy":
                assert info.description, f"{prefix}{name}"

    walk(Config, "")


@pytest.mark.parametrize("exponent", ["0", "-1", "101", "nan", "inf", "many"])
def test_the_queue_exponent_has_a_range(exponent):
    with pytest.raises(ConfigError, match=r"simulation\.queue_exponent"):
        load(settings=[f"simulation.queue_exponent={exponent}"], environment={})


def test_the_queue_exponent_is_three_and_may_stand_beside_any_model():
    """A saved configuration holds every key, so that an exponent beside a model without one is no error."""
    assert Config().simulation.queue_exponent == QUEUE_EXPONENT == 3.0
    for name in QUEUES:
        config = validate({"simulation": {"queue": name, "queue_exponent": 2.5}})
        assert (config.simulation.queue, config.simulation.queue_exponent) == (name, 2.5)


def test_the_queue_models_of_the_configuration_are_those_of_the_exchange():
    field = Config().simulation.__class__.model_fields["queue"]
    assert get_args(field.annotation) == tuple(QUEUES) == tuple(QUEUE_NAMES.split("|"))
