"""A strategy from a user's file: named by path, with its own settings; and what is wrong with others."""

from pathlib import Path

import pytest

from builders import make_engine
from makerside import strategies
from makerside.config.load import validate
from makerside.model.errors import ConfigError

GRID = Path(__file__).resolve().parents[2] / "bench" / "peers" / "grid_quoter.py"


def test_file_is_imported_once_however_it_is_spelled(monkeypatch):
    monkeypatch.chdir(GRID.parent)
    module = strategies.load(str(GRID))
    assert strategies.load("grid_quoter.py") is module
    assert strategies.load("../peers/grid_quoter.py") is module


def test_its_settings_are_checked_like_any_other():
    config = validate({"strategy": {"name": str(GRID), "interval_ticks": 3}})
    assert config.strategy.interval_ticks == 3
    with pytest.raises(ConfigError, match=r"strategy.interval_ticks: .*greater than or equal to 1"):
        validate({"strategy": {"name": str(GRID), "interval_ticks": 0}})
    with pytest.raises(ConfigError, match=r"known here: .*skew_ticks"):
        validate({"strategy": {"name": str(GRID), "gamma_per_usd": 1}})


def test_engine_runs_it():
    engine = make_engine({"strategy.name": str(GRID)}, is_scripted=False)
    assert engine.strategy is strategies.load(str(GRID))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = (", "cannot be imported"),
        ("import nobody_has_this", r"cannot be imported.*nobody_has_this"),
        ("Config = 1\ndef targets(): pass\n", "has no fill_params"),
    ],
)
def test_bad_files(tmp_path, text, words):
    path = tmp_path / "mine.py"
    path.write_text(text)
    with pytest.raises(ConfigError, match=words):
        strategies.load(str(path))
    with pytest.raises(ConfigError, match=words):  # and again: nothing half-imported is left
        strategies.load(str(path))


def test_missing_file_and_unknown_name_say_what_there_is(tmp_path):
    with pytest.raises(ConfigError, match="there is no file"):
        strategies.load(str(tmp_path / "gone.py"))
    with pytest.raises(ConfigError, match=r"glft.*path of a file"):
        strategies.load("nobody")
