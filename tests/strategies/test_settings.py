"""Every setting of every strategy moves what is emitted (formulas d-24, 4); a new one must be shown here."""

import pytest

from makerside import strategies

from .emitted import STRATEGIES, Scene

# Where another value than BASE's is needed for the setting to matter, the third column says so.
LADDER = {
    "levels": (4, {}, {}),
    "size_usd": (90, {}, {}),
    "size_step": (2.0, {}, {}),
    "spacing_bps": (5.0, {}, {}),
    "spacing_ratio": (3.0, {}, {}),
    "half_spread_min_bps": (60.0, {}, {}),
    "half_spread_max_bps": (0.2, {}, {}),
    "reference": ("micro", {}, {}),
    "intensity": ("fixed", {}, {"fitted": (0.9, 0.02)}),
    "intensity_k_per_bps": (1.0, {"intensity": "fixed"}, {}),
    "gamma_per_usd": (0.1, {}, {}),
}
CHANGES = {
    "glft": {
        **LADDER,
        "name": ("avellaneda_stoikov", {}, {}),
        "intensity_a_per_s": (4.0, {"intensity": "fixed"}, {}),
        "xi_per_usd": (5.0, {}, {}),
        "skew": (0.3, {}, {}),
    },
    "avellaneda_stoikov": {**LADDER, "name": ("glft", {}, {}), "horizon_s": (6.0, {}, {})},
}
CASES = [(name, key) for name in STRATEGIES for key in CHANGES[name]]


def emitted(name, settings, scene):
    """Return what a scene with a position emits."""
    paths = {f"strategy.{key}": value for key, value in settings.items()}
    bids, asks, _ = Scene(position=80, settings={"strategy.name": name, **paths}, **scene).emit()
    return bids, asks


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_setting_has_a_case(name):
    assert set(CHANGES[name]) == set(strategies.load(name).Config.model_fields)


@pytest.mark.parametrize(("name", "key"), CASES)
def test_setting_moves_the_quotes(name, key):
    value, needed, scene = CHANGES[name][key]
    before = emitted(name, needed, scene)
    assert before != emitted(name, {**needed, "name" if key == "name" else key: value}, scene)
    assert before == emitted(name, needed, scene)


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_setting_tells_what_it_is(name):
    for key, info in strategies.load(name).Config.model_fields.items():
        assert info.description, key
