"""Closed forms of formulas d-1 and d-3, with the functions that are exact near zero."""

import math


def avellaneda_stoikov(s, q, gamma, variance, horizon, k):
    """Return (reservation price, sum of both depths) of d-1 for quotes of one unit."""
    reservation = s - q * gamma * variance * horizon
    spread = gamma * variance * horizon + 2 / gamma * math.log1p(gamma / k)
    return reservation, spread


def glft_c1(xi, delta, k):
    """Return c1 of d-3; its limit 1/k at xi = 0."""
    return 1 / k if xi == 0 else math.log1p(xi * delta / k) / (xi * delta)


def glft_c2(gamma, xi, a, k, delta):
    """Return c2 of d-3; the power's limit e at xi = 0."""
    x = xi * delta / k
    growth = math.e if x == 0 else math.exp((1 / x + 1) * math.log1p(x))
    return math.sqrt(gamma / (2 * a * delta * k) * growth)


def glft_depths(q, gamma, xi, a, k, delta, sigma):
    """Return (bid depth, ask depth) of d-3, eqs 4.6 and 4.7."""
    c1 = glft_c1(xi, delta, k)
    root = sigma * glft_c2(gamma, xi, a, k, delta)
    return c1 + (2 * q + delta) / 2 * root, c1 - (2 * q - delta) / 2 * root
