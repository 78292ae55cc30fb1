"""Whatever market and venue do, limits hold, the ledger is exact and no order is lost."""

import numpy as np
import pytest

from builders import (
    IS_INTERPRETED,
    PLAIN_TICKS,
    START_NS,
    Market,
    check_tables,
    command,
    events_of,
    hyperliquid,
    make_engine,
    plain,
)
from makerside.core.prices import round_price
from makerside.model.action import ActionKind
from makerside.model.event import Reason
from makerside.model.units import BUY, E8, SELL
from reference.ledger import CashTwin
from venue import RandomVenue, Session

LIMITS = {
    "strategy.name": "glft",
    "strategy.levels": 3,
    "strategy.size_usd": 70,
    "strategy.spacing_bps": 2.0,
    "strategy.half_spread_min_bps": 0.5,
    "strategy.half_spread_max_bps": 6.0,
    "risk.position_max_usd": 300,
    "risk.order_max_usd": 60,
    "risk.total_max_usd": 450,
    "risk.price_band_bps": 20,
    "pacing.flush_ms": 50,
    "pacing.hysteresis_bps": 0.5,
    "pacing.timeout_ms": 300,
}


def check_limits(session, lots_max, worst_usd):
    """Assert the worst case by the venue's truth, not by what the engine knows."""
    engine, venue = session.engine, session.venue
    open_lots = {}
    for entry in venue.alive.values():
        key = entry["instrument"], entry["side"]
        open_lots[key] = open_lots.get(key, 0) + entry["open"]
    total = 0
    for i, market in enumerate(session.markets):
        held = venue.positions.get(i, 0)
        longest = held + open_lots.get((i, BUY), 0)
        shortest = held - open_lots.get((i, SELL), 0)
        assert longest <= lots_max[i]
        assert -shortest <= lots_max[i]
        total += max(abs(longest), abs(shortest)) * market.best(0) * engine.instruments[i].unit_value_e8
    assert total <= worst_usd * E8


def new_session(rng, n_markets, settings=None, **venue):
    """Return a session over plain markets of easy numbers."""
    instruments = [plain(f"M{i}") for i in range(n_markets)]
    engine = make_engine({**LIMITS, **(settings or {})}, instruments, is_scripted=False)
    markets = [Market(rng, instrument=i) for i in range(n_markets)]
    return Session(engine, markets, RandomVenue(rng, **venue), START_NS)


@pytest.mark.parametrize("n_markets", [1, 2])
def test_limits_hold_under_random_fills_and_rejects(rng, n_markets):
    """More than 10^5 rows: at every moment the worst case of what rests at the venue is within the limits."""
    session = new_session(rng, n_markets)
    lots_max = [int(t["legs"][0]["position_max_lots"]) for t in session.engine.traders]
    n_turns = events_of(16_000)
    for turn in range(n_turns):
        session.turn()
        # Prices move after an order was approved: the sum may drift by what the walk allows.
        check_limits(session, lots_max, 450 * 1.05)
        if turn % 10 == 0:
            check_tables(session.engine)
    if not IS_INTERPRETED:
        assert session.n_rows > 100_000
    engine = session.engine
    assert engine.traders["n_fills"].sum() > 100
    reached = Reason.POSITION_LIMIT if n_markets == 1 else Reason.TOTAL_NOTIONAL
    assert engine.traders["refusals"][:, reached].sum() > 0, "limits were reached"
    assert engine.accounts[0]["n_impossible"] == 0
    assert engine.accounts[0]["n_duplicate_fills"] > 0


def test_position_equals_the_venues_when_everything_was_told(rng):
    """Sum of unique fills = position, equity is exact, and every order has ended."""
    session = new_session(rng, 2, trouble=0.08)
    for _ in range(events_of(12_000)):
        session.turn()
    session.feed(command("PAUSE", session.now))
    session.settle()
    engine, venue = session.engine, session.venue
    assert len(venue.fills) > 40
    assert not venue.alive
    account = engine.accounts[0]
    twin = CashTwin(10_000, 10_000 * E8)
    for i in range(2):
        position = account["positions"][i]
        assert position["position_lots"] == venue.positions.get(i, 0)
        assert position["open_buy_lots"] == position["open_sell_lots"] == 0
        assert position["n_fills"] == sum(1 for instrument, *_ in venue.fills if instrument == i)
    for _, side, price, lots in venue.fills:
        twin.fill(side, price, lots, 3)
    value = sum(int(p["cost_e8"]) * int(np.sign(p["position_lots"])) for p in account["positions"][:2])
    assert int(account["cash_e8"]) - value == twin.cash, "cash before cost basis is what was paid and received"
    check_tables(engine)


@pytest.mark.parametrize("side", [BUY, SELL])
def test_the_worst_case_itself_stays_within_the_limit(rng, side):
    """Again and again every working order of one side fills at once."""
    session = new_session(rng, 1, fill_rate=0.0)
    (lots_max,) = [int(t["legs"][0]["position_max_lots"]) for t in session.engine.traders]
    reached = 0
    for turn in range(events_of(6_000)):
        session.turn()
        if turn % 40 == 39:
            session.venue.fill_all(side if turn % 400 < 360 else -side, session.now)
            held = session.venue.positions.get(0, 0)
            assert abs(held) <= lots_max
            reached = max(reached, side * held)
    assert reached > 0.8 * lots_max


def test_what_is_sent_is_valid_at_the_venue(rng):
    """Price rule, post-only, minimum notional and size of every order of a random run."""
    instrument = hyperliquid("SOL", 2)
    settings = {**LIMITS, "strategy.size_usd": 40}
    engine = make_engine(settings, [instrument], [1_500_000], is_scripted=False)
    market = Market(rng, 1_500_000, tick=100, size=500)
    session = Session(engine, [market], RandomVenue(rng), START_NS)
    n_places = 0
    for _ in range(events_of(5_000)):
        seen = len(session.actions)
        bid, ask = market.best(0), market.best(1)
        session.turn()
        for actions in session.actions[seen:]:
            for action in actions[actions["kind"] == ActionKind.PLACE]:
                price, lots, rules = (
                    int(action["price_ticks"]),
                    int(action["size_lots"]),
                    engine.markets[0]["rules"],
                )
                n_places += 1
                assert round_price(rules, price, BUY) == round_price(rules, price, SELL) == price
                assert lots * price * int(rules["unit_value_e8"]) >= 10 * E8
                assert lots * price * int(rules["unit_value_e8"]) <= 60 * E8
                assert action["flags"] & 32
                assert abs(price - (bid + ask) / 2) < 0.01 * price
    assert n_places > events_of(5_000) // 40


def test_own_quotes_do_not_cross_each_other(rng):
    """What rests or is on its way on both sides never meets."""
    session = new_session(rng, 1, trouble=0.0, fill_rate=0.01)
    for _ in range(events_of(15_000)):
        session.turn()
        sides = {BUY: [], SELL: []}
        for entry in session.venue.alive.values():
            sides[entry["side"]].append(entry["price"])
        if sides[BUY] and sides[SELL]:
            assert max(sides[BUY]) < min(sides[SELL])


def test_prices_of_the_walk_stay_far_from_zero(rng):
    """The random market is one: it moves, has two sides and no crossing."""
    market = Market(rng)
    for i in range(events_of(20_000)):
        market.next(START_NS + i)
        assert market.best(0) < market.best(1)
    assert 1_000 < market.best(0) < 10 * PLAIN_TICKS
    assert market.best(0) != PLAIN_TICKS - 1
