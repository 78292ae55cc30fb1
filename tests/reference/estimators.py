"""Volatility and intensity as lists and sums over all samples, nothing incremental."""

import math


def ewma_variance(samples, half_life_s):
    """Return the variance per second of (time in s, mid) samples, newest last, by its definition.

    Change i has rate change^2 / elapsed and keeps `keep` of what was before: the half-life's share, or,
    while there are few, what makes all changes weigh the same.
    """
    terms = []
    for i in range(1, len(samples)):
        elapsed = samples[i][0] - samples[i - 1][0]
        change = samples[i][1] - samples[i - 1][1]
        keep = min(0.5 ** (elapsed / half_life_s), 1 - 1 / i)
        terms.append((keep, change * change / elapsed))
    total, weight = 0.0, 1.0
    for keep, rate in reversed(terms):
        total += weight * (1 - keep) * rate
        weight *= keep
    return total


def fit_line(points):
    """Return (intercept, slope) of a weighted least-squares line through (x, y, weight)."""
    total = math.fsum(w for _, _, w in points)
    x_mean = math.fsum(w * x for x, _, w in points) / total
    y_mean = math.fsum(w * y for _, y, w in points) / total
    covariance = math.fsum(w * (x - x_mean) * (y - y_mean) for x, y, w in points)
    variance = math.fsum(w * (x - x_mean) ** 2 for x, _, w in points)
    slope = covariance / variance
    return y_mean - slope * x_mean, slope


def fit_intensity(distances, n_windows, bucket, window_s, buckets=32, hits_needed=3, share_max=0.999):
    """Return (A, k) of the deepest arrivals of `n_windows` windows and sides; None when nothing fits.

    The mid is a price and every tick is one: the smallest distance is 1, the others are whole numbers.
    """
    indices = [min(int(d / bucket), buckets - 1) for d in distances if d > 0]
    points = []
    for i in range(buckets):
        beyond = sum(1 for index in indices if index >= i)
        share = beyond / n_windows
        if beyond >= hits_needed and share <= share_max:
            points.append((max(1, math.ceil(i * bucket)), math.log(-math.log1p(-share) / window_s), beyond))
    if len(points) < 3:
        return None
    intercept, slope = fit_line(points)
    return math.exp(intercept), -slope
