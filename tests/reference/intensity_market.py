"""Avellaneda and Stoikov's simulation as their section 3.3 tells it, on a price grid: no engine, no ledger."""

import math

from makerside.sim.random import uniform


class Path:
    """One path. Prices in ticks, money in ticks x lots; orders are (side, price), oldest first."""

    def __init__(
        self, random, *, gamma, k, a, dt, periods, move, start, variance, horizon, is_symmetric, is_exact
    ):
        self.random, self.gamma, self.k, self.a, self.dt = random, gamma, k, a, dt
        self.periods, self.move, self.mid, self.variance = periods, move, start, variance
        self.horizon, self.is_symmetric, self.is_exact = horizon, is_symmetric, is_exact
        self.cash = self.position = self.fills = 0
        self.orders, self.spreads = [], []

    def quotes(self, period):
        """Return [(BUY, price), (SELL, price)]."""
        left = self.horizon / 2 if self.is_symmetric else self.horizon - period * self.dt
        held = 0 if self.is_symmetric else self.position
        risk = self.gamma * self.variance * left
        half = risk / 2 + math.log1p(self.gamma / self.k) / self.gamma
        fair = self.mid - held * risk
        return [(1, math.floor(fair - half)), (-1, math.ceil(fair + half))]

    def chance(self, side, price):
        """Return the probability that an order fills within a period."""
        expected = self.a * math.exp(-self.k * (self.mid - price) * side) * self.dt
        return 1 - math.exp(-expected) if self.is_exact else min(1.0, expected)

    def run(self):
        for period in range(self.periods):
            wanted = self.quotes(period)
            self.orders = [one for one in self.orders if one in wanted]
            self.orders += [one for one in wanted if one not in self.orders]
            self.spreads.append(abs(self.orders[0][1] - self.orders[1][1]))
            self.fill()
            self.mid += self.move if uniform(self.random) < 0.5 else -self.move
        return self

    def fill(self):
        for side, price in list(self.orders):
            if uniform(self.random) < self.chance(side, price):
                self.orders.remove((side, price))
                self.position += side
                self.cash -= side * price
                self.fills += 1

    @property
    def profit(self):
        """Return what the path earned, valued at the last mid."""
        return self.cash + self.position * self.mid
