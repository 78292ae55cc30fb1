"""`config show`: every value, where it comes from, what would be accepted."""

import re


def settings(finished):
    """Return {key: rest of its line} of a table of settings."""
    assert finished.code == 0, finished.err
    lines = (line.split(None, 1) for line in finished.out.splitlines() if re.match(r"^[a-z_]+\.[a-z_]+ ", line))
    return dict(lines)


def hash_of(finished):
    return re.search(r"^hash ([0-9a-f]{64})$", finished.out, re.MULTILINE)[1]


def test_every_setting_has_a_value_a_source_and_a_meaning(call):
    found = settings(call("config", "show"))
    assert {"bot.name", "venue.network", "strategy.levels", "risk.position_max_usd", "pacing.flush_ms"} <= set(
        found
    )
    assert len(found) > 40
    for key, rest in found.items():
        assert "default" in rest or "--set" in rest, (key, rest)
        assert len(rest.split("default", 1)[1].split()) >= 2, f"{key} does not say what it means"


def test_later_layers_win_and_are_named(call, tmp_path, monkeypatch):
    (tmp_path / "makerside.toml").write_text(
        "[risk]\nposition_max_usd = 100\norder_max_usd = 100\ntotal_max_usd = 100\n"
    )
    (tmp_path / "makerside.local.toml").write_text("[risk]\norder_max_usd = 200\ntotal_max_usd = 200\n")
    (tmp_path / ".env").write_text("MAKERSIDE__RISK__STALE_S=7\n")
    monkeypatch.setenv("MAKERSIDE__RISK__TOTAL_MAX_USD", "300")
    found = settings(call("config", "show", "--config", "makerside.toml", "--set", "risk.price_band_bps=50"))
    for key, value, source in (
        ("risk.position_max_usd", "100.0", "makerside.toml"),
        ("risk.order_max_usd", "200.0", "makerside.local.toml"),
        ("risk.total_max_usd", "300.0", "MAKERSIDE__RISK__TOTAL_MAX_USD"),
        ("risk.stale_s", "7.0", "MAKERSIDE__RISK__STALE_S"),
        ("risk.price_band_bps", "50.0", "--set"),
    ):
        assert found[key].startswith(value), (key, found[key])
        assert source in found[key]


def test_a_bare_key_is_the_strategys(call):
    found = settings(call("config", "show", "--strategy", "avellaneda_stoikov", "--set", "levels=4"))
    assert found["strategy.name"].startswith("avellaneda_stoikov")
    assert found["strategy.levels"].startswith("4")


def test_the_hash_is_of_the_values_whatever_their_source(call, tmp_path):
    (tmp_path / "x.toml").write_text("[risk]\nposition_max_usd = 123\n")
    plain = hash_of(call("config", "show"))
    by_file = hash_of(call("config", "show", "--config", "x.toml"))
    assert by_file == hash_of(call("config", "show", "--set", "risk.position_max_usd=123"))
    assert by_file != plain == hash_of(call("config", "show"))


def test_no_key_is_shown(call, monkeypatch):
    monkeypatch.setenv("MAKERSIDE_KEY", "5e" * 32)
    assert "5e5e5e" not in call("config", "show").out
