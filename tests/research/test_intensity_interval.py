"""Intervals of A and k: the estimator's own line, the price of forgetting, and counts that say nothing."""

import numpy as np
import pytest

from makerside.model.market import intensity_t
from makerside.research.intensity_interval import intensity_interval
from makerside.research.validation.intensity import NEVER_FORGETS_S, Law, run_law


def flow_of(hits, windows=2_000, half_life_s=1e18):
    """Return counts of windows of half a second. hits : per bucket of 50 ticks"""
    flow = np.zeros(1, intensity_t)[0]
    flow["window_ns"], flow["half_life_s"], flow["bucket_ticks"] = 500_000_000, half_life_s, 50.0
    flow["weight"], flow["n_windows"], flow["seconds"] = windows, windows // 2, windows / 4
    flow["hits"][: len(hits)] = hits
    return flow


HITS = [300, 200, 120, 70, 40, 25, 15, 9, 5, 3]


def test_the_value_is_the_estimators_own():
    """The kernel refits with its last window; its line is the interval's middle."""
    found = run_law(Law(1.0, 0.01, 160.0, NEVER_FORGETS_S), 3, 4)
    assert found.n_unfit == 0
    for values in (found.a_per_s, found.k_per_tick):
        assert values[:, 1] == pytest.approx(np.sqrt(values[:, 0] * values[:, 2]), rel=1e-9)
        assert (values[:, 0] < values[:, 1]).all()


def test_ten_times_the_counts_are_a_third_of_the_width():
    few, many = intensity_interval(flow_of(HITS)), intensity_interval(flow_of([10 * h for h in HITS], 20_000))
    assert many.k_per_tick[1] == pytest.approx(few.k_per_tick[1])
    widths = [np.log(one.k_per_tick[2] / one.k_per_tick[0]) for one in (few, many)]
    assert widths[0] / widths[1] == pytest.approx(np.sqrt(10), rel=1e-3)


def test_forgetting_costs_half_of_the_counts():
    """In its balance sum w^2 / sum w is one half: what is remembered counts as half as many windows."""
    sure = intensity_interval(flow_of(HITS))
    flow = flow_of(HITS, half_life_s=300.0)
    flow["n_windows"] = 1_000_000
    forgets = intensity_interval(flow)
    widths = [np.log(one.a_per_s[2] / one.a_per_s[0]) for one in (sure, forgets)]
    assert widths[1] / widths[0] == pytest.approx(np.sqrt(0.5), rel=1e-2)


def test_intervals_cover_the_truth():
    """300 repeats of an hour: 95 % within four deviations of the share."""
    law = Law(1.0, 0.01, 160.0, 300.0)
    found = run_law(law, 300, 8)
    for truth, values in ((law.a_per_s, found.a_per_s), (law.k_per_tick, found.k_per_tick)):
        inside = ((values[:, 0] <= truth) & (truth <= values[:, 2])).mean()
        assert inside == pytest.approx(0.95, abs=4 * np.sqrt(0.95 * 0.05 / 300))


@pytest.mark.parametrize("hits", [[], [500], [30, 2, 1], [0, 0, 0, 1_900]])
def test_counts_that_cannot_be_fitted(hits):
    assert intensity_interval(flow_of(hits)) is None


def test_nothing_seen_yet():
    assert intensity_interval(np.zeros(1, intensity_t)[0]) is None
