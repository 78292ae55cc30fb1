"""Closed forms: formulas d-1 and d-3, their limits, and the numbers that were published."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from makerside.strategies.avellaneda_stoikov import quote_terms
from makerside.strategies.glft import coefficients
from reference import formulas

EXACT = 1e-12
gammas = st.floats(1e-3, 10.0)
ks = st.floats(0.1, 5.0)
deltas = st.floats(0.5, 20.0)


@given(gammas, st.floats(0.0, 10.0), st.floats(0.0, 100.0), ks, st.floats(-50, 50))
def test_avellaneda_stoikov_is_d_1(gamma, variance, horizon, k, q):
    shift, half = quote_terms(gamma, horizon, variance, k, q, 1.0)
    reservation, spread = formulas.avellaneda_stoikov(0.0, q, gamma, variance, horizon, k)
    assert shift == pytest.approx(reservation, rel=EXACT)
    assert 2 * half == pytest.approx(spread, rel=EXACT)


@given(gammas, st.floats(0.0, 10.0), ks, deltas, st.floats(-50, 50))
def test_avellaneda_stoikov_counts_in_quotes(gamma, variance, k, delta, q):
    """Quotes of delta are the published form with gamma x delta and q / delta."""
    shift, half = quote_terms(gamma, 7.0, variance, k, q, delta)
    reservation, spread = formulas.avellaneda_stoikov(0.0, q / delta, gamma * delta, variance, 7.0, k)
    assert shift == pytest.approx(reservation, rel=EXACT)
    assert 2 * half == pytest.approx(spread, rel=EXACT)


# gamma, average spread as printed, spread without the inventory term as printed (d-2: sigma 2, k 1.5, T 1).
PUBLISHED = [(0.1, 1.49, 1.29), (0.01, 1.35, 1.33), (1.0, 3.02, None), (0.5, None, 1.15)]


@pytest.mark.parametrize(("gamma", "average", "constant"), PUBLISHED)
def test_published_spreads(gamma, average, constant):
    if average is not None:
        assert 2 * quote_terms(gamma, 0.5, 4.0, 1.5, 0.0, 1.0)[1] == pytest.approx(average, abs=0.02)
    if constant is not None:
        assert 2 * quote_terms(gamma, 0.0, 4.0, 1.5, 0.0, 1.0)[1] == pytest.approx(constant, abs=0.006)


@given(gammas, gammas, st.floats(0.01, 10.0), ks, deltas)
def test_glft_coefficients_are_d_3(gamma, xi, a, k, delta):
    c1, c2 = coefficients(gamma, xi, a, k, delta)
    assert c1 == pytest.approx(formulas.glft_c1(xi, delta, k), rel=EXACT)
    assert c2 == pytest.approx(formulas.glft_c2(gamma, xi, a, k, delta), rel=EXACT)


@given(gammas, gammas, st.floats(0.01, 10.0), ks, deltas, st.floats(0.0, 5.0), st.floats(-50, 50))
def test_glft_half_spread_and_skew_are_the_depths_of_d_3(gamma, xi, a, k, delta, sigma, q):
    c1, c2 = coefficients(gamma, xi, a, k, delta)
    half, skew = c1 + delta / 2 * sigma * c2, sigma * c2
    bid, ask = formulas.glft_depths(q, gamma, xi, a, k, delta, sigma)
    size = half + abs(skew * q)
    assert half + skew * q == pytest.approx(bid, rel=EXACT, abs=EXACT * size)
    assert half - skew * q == pytest.approx(ask, rel=EXACT, abs=EXACT * size)


def test_glft_of_size_one_is_the_form_of_2013():
    """Xi = gamma, delta = 1."""
    gamma, k, a, sigma, q = 0.3, 1.5, 2.0, 0.7, 3
    root = math.sqrt(sigma**2 * gamma / (2 * k * a) * (1 + gamma / k) ** (1 + k / gamma))
    c1, c2 = coefficients(gamma, gamma, a, k, 1.0)
    assert c1 + (2 * q + 1) / 2 * sigma * c2 == pytest.approx(
        math.log(1 + gamma / k) / gamma + (2 * q + 1) / 2 * root, rel=EXACT
    )


@given(gammas, st.floats(0.01, 10.0), ks, deltas)
def test_glft_without_execution_risk(gamma, a, k, delta):
    """Xi = 0: c1 = 1/k, the power is e."""
    c1, c2 = coefficients(gamma, 0.0, a, k, delta)
    assert c1 == pytest.approx(1 / k, rel=EXACT)
    assert c2 == pytest.approx(math.sqrt(gamma * math.e / (2 * a * delta * k)), rel=EXACT)


SMALL = [10.0**-n for n in (3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16, 18)]


@pytest.mark.parametrize("x", [x for x in SMALL if 1e-10 < x <= 1e-5])
def test_glft_with_little_execution_risk(x):
    """Between the formula and its limit: x = xi delta / k."""
    gamma, a, k, delta = 0.01, 0.5, 0.2, 3.0
    c1, c2 = coefficients(gamma, x * k / delta, a, k, delta)
    assert c1 == pytest.approx(formulas.glft_c1(x * k / delta, delta, k), rel=EXACT)
    assert c2 == pytest.approx(formulas.glft_c2(gamma, x * k / delta, a, k, delta), rel=EXACT)


@pytest.mark.parametrize("x", [x for x in SMALL if x <= 1e-5])
def test_avellaneda_stoikov_with_little_risk_aversion(x):
    """Gamma -> 0: half of the spread goes to 1/k, and not to 0 or to noise. x = gamma / k."""
    k = 0.2
    half = quote_terms(x * k, 1.0, 0.0, k, 0.0, 1.0)[1]
    assert half == pytest.approx(math.log1p(x) / (x * k), rel=EXACT)


@pytest.mark.parametrize("x", SMALL)
def test_limits_are_approached(x):
    """The same, as close as double precision with a plain logarithm comes: never off by more than 10^-7."""
    k = 0.2
    c1 = coefficients(0.01, x * k, 0.5, k, 1.0)[0]
    assert c1 == pytest.approx(math.log1p(x) / (x * k), rel=1e-7)
