"""Arrivals of a known law: how many come, how far they reach, and that each repeat starts from nothing."""

import numpy as np
import pytest

from builders import IS_INTERPRETED, MS, S
from makerside.model.market import INTENSITY_BUCKETS, intensity_t, market_t
from makerside.sim.arrivals import arrivals_t, run_arrivals
from makerside.sim.random import seed_random

SECONDS = 600 if IS_INTERPRETED else 7_200
A, K, WINDOW_S = 1.0, 0.01, 0.5


def flows_of(repeats, seed=1, seconds=SECONDS):
    """Return the estimator's state after each repeat. Buckets of 50 ticks, nothing is forgotten."""
    laws, fresh = np.zeros(1, arrivals_t), np.zeros(1, market_t)
    laws["a_per_s"], laws["k_per_tick"], laws["mid_ticks"] = A, K, 100_000
    laws["message_ns"], laws["duration_ns"] = 100 * MS, seconds * S
    seed_random(laws[0]["random"], seed)
    flow = fresh[0]["intensity"]
    flow["window_ns"], flow["refit_ns"] = WINDOW_S * S, S
    flow["half_life_s"], flow["range_bps"] = 1e18, 50.0 * INTENSITY_BUCKETS / 10.0
    flows = np.zeros(repeats, intensity_t)
    run_arrivals(laws, fresh.copy(), fresh, flows)
    return flows


def test_windows_are_reached_as_often_as_the_law_says():
    """A window and side is reached beyond d with 1 - exp(-A exp(-k d) w); four deviations are allowed."""
    flow = flows_of(1)[0]
    n = int(flow["weight"])
    assert n == 2 * int(flow["n_windows"]) == 2 * round(SECONDS / WINDOW_S)
    beyond = flow["hits"][::-1].cumsum()[::-1]
    for bucket in (1, 2, 4, 6):
        share = 1 - np.exp(-A * np.exp(-K * 50.0 * bucket) * WINDOW_S)
        assert beyond[bucket] == pytest.approx(n * share, abs=4 * np.sqrt(n * share * (1 - share)))


def test_repeats_start_from_nothing_and_differ():
    flows = flows_of(2, seconds=60)
    assert flows["n_windows"].tolist() == [120, 120]
    assert flows[0]["hits"].tolist() != flows[1]["hits"].tolist()
    assert flows_of(2, seconds=60).tobytes() == flows.tobytes()
    assert flows_of(1, seed=2, seconds=60)[0].tobytes() != flows[0].tobytes()
