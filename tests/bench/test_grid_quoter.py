"""The comparison's strategy against its plain twin: what it wants to quote, decision after decision."""

import math
from pathlib import Path

import numpy as np
import pytest

from builders import make_engine, plain
from makerside.model.desk import desk_t

GRID = Path(__file__).resolve().parents[2] / "bench" / "peers" / "grid_quoter.py"
SIZE_LOTS = 60
SETTINGS = {
    "strategy.name": str(GRID),
    "strategy.size_usd": SIZE_LOTS + 0.5,  # a lot of PLAIN is 1 USD
    "strategy.levels": 3,
    "strategy.half_spread_ticks": 1.7,
    "strategy.volatility_factor": 0.8,
    "strategy.skew_ticks": 0.6,
    "strategy.interval_ticks": 2,
    "strategy.position_max_lots": 300,
}


class Twin:
    """The same strategy in plain Python, from the words of its file."""

    def __init__(self):
        self.variance, self.mid = 0.0, None

    def quotes(self, bid, ask, position):
        """Return the wanted (side, price), bids first."""
        mid = (bid + ask) / 2
        if self.mid is not None:
            self.variance = 0.95 * self.variance + 0.05 * (mid - self.mid) ** 2
        self.mid = mid
        half = 1.7 + 0.8 * math.sqrt(self.variance)
        center = mid - 0.6 * position / SIZE_LOTS
        bids = [min(math.floor(center - half), bid) - 2 * i for i in range(3)]
        asks = [max(math.ceil(center + half), ask) + 2 * i for i in range(3)]
        wanted = [(1, price) for price in bids if position < 300]
        return wanted + [(-1, price) for price in asks if position > -300]


def wanted_by(engine, bid, ask, position):
    """Return what the kernel puts on the desk."""
    desks = np.zeros(1, desk_t)
    view = desks[0]["legs"][0]
    view["bid_ticks"], view["ask_ticks"], view["mid_ticks"] = bid, ask, (bid + ask) / 2
    view["position_lots"] = position
    market = engine.markets[0]
    market["bid_ticks"], market["ask_ticks"] = bid, ask
    n = engine.strategy.targets(market, engine.traders[0], desks[0])
    quotes = desks[0]["quotes"][:n]
    assert (quotes["size_lots"] == SIZE_LOTS).all()
    return list(zip(quotes["side"].tolist(), quotes["price_ticks"].tolist(), strict=True))


@pytest.mark.parametrize("start", [0, 250, 300, -300, 1_000])
def test_quotes_are_those_of_the_twin(rng, start):
    engine, twin = make_engine(SETTINGS, [plain()], is_scripted=False), Twin()
    bid, position = 10_000, start
    for _ in range(200):
        bid += int(rng.integers(-3, 4))
        ask = bid + int(rng.integers(1, 4))
        assert wanted_by(engine, bid, ask, position) == twin.quotes(bid, ask, position)
        position += SIZE_LOTS * int(rng.integers(-1, 2))


def test_volatility_widens_and_position_shifts():
    engine = make_engine(SETTINGS, [plain()], is_scripted=False)
    calm = wanted_by(engine, 10_000, 10_001, 0)
    moved = wanted_by(engine, 10_040, 10_041, 0)
    assert moved[0][1] - 10_040 < calm[0][1] - 10_000
    assert moved[3][1] - 10_041 > calm[3][1] - 10_001
    long = make_engine(SETTINGS, [plain()], is_scripted=False)
    assert wanted_by(long, 10_000, 10_001, 240)[0][1] < calm[0][1]
