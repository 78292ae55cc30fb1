"""The checks of `makerside validate`: how rows judge, and that wrong models fail them."""

import math

import numpy as np
import pytest

from makerside.model.errors import UserError
from makerside.research.validation import (
    avellaneda_stoikov,
    bipower,
    first_passage,
    glft,
    intensity,
    queue,
    selection,
)
from makerside.research.validation.rows import (
    Row,
    Scale,
    deviation_and_half,
    mean_and_half,
    near,
    share_and_half,
)
from makerside.research.validation.suite import CHECKS, chosen, run_checks, summarize

QUICK = Scale(is_quick=True)


def quiet(done, total):
    assert 0 <= done <= total


def test_a_row_accepts_its_range_with_both_ends():
    for found, is_passed in ((0.99, True), (1.0, True), (1.01, True), (0.98, False), (1.02, False)):
        assert near("x", 1.0, 0.01 + 1e-12, found, 0.0, "").is_passed(False) == is_passed
    assert not near("x", 1.0, 0.01, math.nan, 0.0, "").is_passed(False)


def test_quick_takes_an_interval_that_reaches_the_range():
    row = near("x", 1.0, 0.01, 1.05, 0.045, "")
    assert row.is_passed(is_quick=True)
    assert not row.is_passed(is_quick=False)
    assert not near("x", 1.0, 0.01, 1.06, 0.045, "").is_passed(is_quick=True)


def test_intervals_cover_in_95_percent(rng):
    """2,000 samples of 1,000 skewed numbers: the mean's and the deviation's interval, and a share's."""
    hits = np.zeros(3)
    for _ in range(2_000):
        values = rng.gamma(9.0, 1.0 / 3.0, 1_000)
        wins = int(rng.binomial(1_000, 0.3))
        for i, (truth, (value, half)) in enumerate(
            (
                (3.0, mean_and_half(values)),
                (1.0, deviation_and_half(values)),
                (0.3, share_and_half(wins, 1_000)),
            )
        ):
            hits[i] += abs(value - truth) <= half
    assert hits / 2_000 == pytest.approx([0.95] * 3, abs=0.025)


def test_open_ends_are_null_in_json():
    row = Row("x", "known", 1.0, 0.5, -math.inf, 2.0)
    assert row.as_dict(False)["accepted_low"] is None
    assert row.as_dict(False)["passed"] is True


def test_names():
    assert chosen([]) == list(CHECKS)
    assert chosen(["queue", "glft"]) == ["glft", "queue"]
    with pytest.raises(
        UserError, match="--only nothing: there is no such check; there are avellaneda_stoikov, glft"
    ):
        chosen(["nothing"])


def test_quick_checks_pass_and_repeat():
    """The fast ones; the others have tests of their parts."""
    names = ["glft", "bipower", "first_passage"]
    runs = []
    for _ in range(2):
        results = list(run_checks(names, QUICK, lambda i: quiet))
        assert sum(result.failures(True) for result in results) == 0
        summary = summarize(results, True)
        assert summary["rows"] == sum(len(one["rows"]) for one in summary["checks"].values())
        runs.append({name: one["rows"] for name, one in summary["checks"].items()})
    assert runs[0] == runs[1]


def passed_of(rows):
    return [row.is_passed(is_quick=False) for row in rows]


def test_published_rows_need_the_literal_probability_and_free_quotes():
    """1,000 paths: the published case passes; exact fills miss its profit by 12 %, clipped quotes by 20 %."""
    case = avellaneda_stoikov.CASES[0]
    found = avellaneda_stoikov.run_case(case, 4_000, 1)
    assert all(passed_of(avellaneda_stoikov._rows(case, found)))
    exact = next(one for one in avellaneda_stoikov.CASES if one.fills == avellaneda_stoikov.FillModel.EXACT)
    other = avellaneda_stoikov.run_case(exact, 1_000, 1)
    assert passed_of(avellaneda_stoikov._rows(case, other))[1] is False
    averse, clipped = avellaneda_stoikov.CASES[4], avellaneda_stoikov.CASES[-1]
    other = avellaneda_stoikov.run_case(clipped, 1_000, 1)
    assert passed_of(avellaneda_stoikov._rows(averse, other))[1] is False


def test_the_closed_form_needs_its_growth_factor(monkeypatch):
    """Without the power of d-3 the depths are wrong by percents, and the check says so."""
    right = glft.coefficients
    assert all(passed_of(glft.check(QUICK, quiet).rows))
    monkeypatch.setattr(glft, "coefficients", lambda *a: (right(*a)[0], right(*a)[1] / math.sqrt(math.e)))
    assert not all(passed_of(glft.check(QUICK, quiet).rows))


def test_intervals_that_are_too_narrow_do_not_cover():
    law = intensity.LAWS[-1]
    found = intensity.run_law(law, 300, 1)
    assert all(row.is_passed(True) for row in intensity._rows(law, found, 300))
    for values in (found.a_per_s, found.k_per_tick):
        values[:, [0, 2]] = np.sqrt(values[:, [0, 2]] * values[:, [1]])  # half the width, in logs
    inside = [row for row in intensity._rows(law, found, 300) if "inside" in row.what]
    assert not any(row.is_passed(True) for row in inside)


def test_queue_models_are_told_apart_by_who_cancels():
    finding = queue.check(QUICK, quiet)
    assert all(row.is_passed(True) for row in finding.rows)
    biases = {row.what: row.found for row in finding.rows}
    assert (
        biases["the late cancel: bias of power(1), s"]
        < -5.0
        < 5.0
        < biases["the early cancel: bias of power(1), s"]
    )


def test_the_champion_is_not_significant_and_would_be_of_60():
    rows = {row.what: row for row in selection._champion_rows()}
    assert all(passed_of(rows.values()))
    assert selection.deflated_champion(750) < selection.CONFIDENCE < selection.deflated_champion(60)


@pytest.mark.parametrize("name", list(selection.NOISES))
def test_noise_is_drawn_as_named(name, rng):
    noise = selection.NOISES[name](rng)
    assert noise.shape == (selection.PERIODS, selection.TRIALS)
    correlations = np.corrcoef(noise.T)[np.triu_indices(selection.TRIALS, 1)]
    expected = selection.CORRELATION if "correlation" in name else 0.0
    assert correlations.mean() == pytest.approx(expected, abs=0.05)


def test_the_one_sided_probability_is_half_and_fails():
    assert first_passage.touch_probability(1.0, 1.0, 1.0) == pytest.approx(0.3173, abs=1e-4)
    assert first_passage.touch_probability(0.0, 1.0, 1.0) == 1.0
    assert first_passage.touch_probability(3.0, 2.0, 9.0) == pytest.approx(
        first_passage.touch_probability(1.0, 2.0, 1.0)
    )
    rows = first_passage.check(QUICK, quiet).rows
    wrong = [
        near(row.what, (row.low + row.high) / 4, first_passage.TOLERANCE, row.found, row.half_width, "")
        for row in rows[1:5]
    ]
    assert not any(row.is_passed(True) for row in wrong)


def test_random_volatility_is_in_its_balance():
    """Log volatility: deviation 0.5 at every time of the day, correlation exp(-5 t)."""
    rng = np.random.default_rng(1)
    logs = np.log([bipower._volatility(rng) * math.sqrt(bipower.RETURNS) for _ in range(2_000)])
    deviations = logs.std(axis=0)[:: bipower.RETURNS // 4]
    assert deviations == pytest.approx(np.full(len(deviations), bipower.LOG_DEVIATION), rel=0.08)
    later = bipower.RETURNS // 5
    found = np.corrcoef(logs[:, 0], logs[:, later])[0, 1]
    assert found == pytest.approx(math.exp(-bipower.MEAN_REVERSION / 5), abs=0.08)
