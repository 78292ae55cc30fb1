"""Pre-trade risk: every limit at its boundary, one unit inside and one outside."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import (
    PLAIN_TICKS,
    START_NS,
    S,
    acks,
    active_orders,
    book_row,
    feed,
    hyperliquid,
    make_engine,
    plain,
    row,
    statement,
    timer,
    told,
    touch,
)
from makerside.core.risk import check_order, fit_quotes
from makerside.model.action import ActionReason
from makerside.model.event import Kind, Reason
from makerside.model.order import OrderState
from makerside.model.units import ASK, BID, BUY, E8, SELL
from scripted import script

UNIT = 10_000  # money of 10^-8 of one lot at one tick of `plain`
BOOK = (9_999, 10_001)


def ready(settings=None, book=BOOK, **more):
    """Return an engine that has seen a market and quotes nothing."""
    engine = make_engine(settings, **more)
    feed(engine, touch(*book))
    return engine


def verdict(engine, side, price, lots):
    """Return why an order may not be sent now."""
    trader = engine.traders[0]
    found = check_order(engine.markets[0], engine.accounts[0], trader, trader["legs"][0], side, price, lots)
    return Reason(int(found))


def held(engine, lots, price=PLAIN_TICKS, position=0):
    """Make a position by hand."""
    record = engine.accounts[0]["positions"][position]
    record["position_lots"] = lots
    record["cost_e8"] = abs(lots) * price * UNIT


# What may be sent: one line per limit and boundary.


@pytest.mark.parametrize(("side", "sign"), [(BUY, 1), (SELL, -1)])
@pytest.mark.parametrize(
    ("position", "working", "room"), [(0, 0, 100), (30, 0, 70), (30, 20, 50), (-40, 0, 140), (100, 0, 0)]
)
def test_position_limit(side, sign, position, working, room):
    engine = ready()
    engine.traders[0]["legs"][0]["position_max_lots"] = 100
    held(engine, sign * position)
    engine.accounts[0]["positions"][0]["open_buy_lots" if side == BUY else "open_sell_lots"] = working
    price = PLAIN_TICKS - side * 50
    if room:
        assert verdict(engine, side, price, room) == Reason.NONE
    assert verdict(engine, side, price, room + 1) == Reason.POSITION_LIMIT


@pytest.mark.parametrize(("side", "price"), [(BUY, 9_950), (SELL, 10_050)])
def test_order_notional(side, price):
    engine = ready()
    for over, expected in ((0, Reason.NONE), (-1, Reason.ORDER_NOTIONAL)):
        engine.traders[0]["order_notional_max_e8"] = price * 7 * UNIT + over
        assert verdict(engine, side, price, 7) == expected


@pytest.mark.parametrize(("side", "price"), [(BUY, 9_950), (SELL, 10_050)])
def test_total_notional_counts_the_worst_case_of_every_position(side, price):
    engine = ready(instruments=[plain("ONE"), plain("TWO")])
    account = engine.accounts[0]
    other = account["positions"][1]
    other["position_lots"], other["open_sell_lots"], other["price_ticks"] = -5, 6, 9_000
    account["positions"][0]["open_buy_lots"] = account["positions"][0]["open_sell_lots"] = 3
    worst = price * (3 + 7) * UNIT + 9_000 * 11 * UNIT
    for over, expected in ((0, Reason.NONE), (-1, Reason.TOTAL_NOTIONAL)):
        account["total_notional_max_e8"] = worst + over
        assert verdict(engine, side, price, 7) == expected


@pytest.mark.parametrize(
    ("book", "band_bps", "lowest", "highest"),
    [
        ((9_999, 10_001), 100, 9_900, 10_100),
        ((9_999, 10_002), 100, 9_901, 10_100),  # mid 10,000.5: 100.005 ticks either way
        ((9_999, 10_001), 0.5, 10_000, 10_000),
    ],
)
def test_price_band(book, band_bps, lowest, highest):
    engine = ready({"risk.price_band_bps": band_bps}, book)
    for price, side, expected in (
        (lowest, BUY, Reason.NONE),
        (lowest - 1, BUY, Reason.PRICE_BAND),
        (highest, SELL, Reason.NONE),
        (highest + 1, SELL, Reason.PRICE_BAND),
    ):
        assert verdict(engine, side, price, 1) == expected


def test_prices_are_positive():
    engine = ready({"risk.price_band_bps": 10_000})
    assert verdict(engine, BUY, 1, 1_000_000) != Reason.PRICE_BAND
    assert verdict(engine, BUY, 0, 1) == Reason.PRICE_BAND
    assert verdict(engine, BUY, -1, 1) == Reason.PRICE_BAND


@pytest.mark.parametrize(
    ("side", "price", "expected"),
    [
        (BUY, 10_000, Reason.NONE),
        (BUY, 10_001, Reason.WOULD_CROSS),
        (SELL, 10_000, Reason.NONE),
        (SELL, 9_999, Reason.WOULD_CROSS),
    ],
)
def test_nothing_crosses_the_touch(side, price, expected):
    assert verdict(ready(), side, price, 1) == expected


def test_smallest_size_and_notional():
    engine = ready(instruments=[plain(min_size=Decimal("0.05"), min_notional=Decimal("10"))])
    assert verdict(engine, BUY, 9_999, 4) == Reason.SIZE
    assert verdict(engine, BUY, 9_999, 5) == Reason.MIN_NOTIONAL
    assert verdict(engine, BUY, 9_999, 10) == Reason.MIN_NOTIONAL, "9.999 USD"
    assert verdict(engine, BUY, 9_999, 11) == Reason.NONE
    engine.markets[0]["rules"]["min_notional_e8"] = 9_999 * 10 * UNIT
    assert verdict(engine, BUY, 9_999, 10) == Reason.NONE


# What quotes are clipped to.

quotes = st.lists(
    st.tuples(st.sampled_from([BUY, SELL]), st.integers(1, 400), st.integers(1, 200)), min_size=1, max_size=10
)


smallest = st.sampled_from([(1, 0), (5, 0), (1, 10), (5, 25)])


@given(quotes, st.integers(-150, 150), st.integers(1, 120), smallest)
def test_quotes_share_the_room_of_their_side_nearest_first(wanted, position, order_max_usd, least):
    min_lots, min_usd = least
    engine = ready()
    trader, market, desk = engine.traders[0], engine.markets[0], engine.desks[0]
    trader["legs"][0]["position_max_lots"] = 100
    trader["order_notional_max_e8"] = order_max_usd * E8
    market["rules"]["min_size_lots"], market["rules"]["min_notional_e8"] = min_lots, min_usd * E8
    held(engine, position)
    room = {BUY: 100 - position, SELL: 100 + position}
    expected = []
    for q, (side, distance, lots) in enumerate(wanted):
        price = PLAIN_TICKS - side * distance
        quote = desk["quotes"][q]
        quote["side"], quote["price_ticks"], quote["size_lots"], quote["leg"] = side, price, lots, 0
        fitting = min(lots, room[side], order_max_usd * E8 // (price * UNIT))
        is_enough = fitting >= min_lots and fitting * price * UNIT >= min_usd * E8 and fitting > 0
        expected.append(fitting if is_enough else 0)
        room[side] -= expected[-1]
    desk["n_quotes"] = len(wanted)
    before = int(trader["refusals"].sum())
    fit_quotes(market, engine.accounts[0], trader, desk, 0)
    assert desk["quotes"]["size_lots"][: len(wanted)].tolist() == expected
    assert trader["refusals"].sum() - before == expected.count(0), (
        "each dropped quote is counted, with a reason"
    )


@pytest.mark.parametrize(
    ("lots", "order_usd", "position", "reason"),
    [
        (4, 1_000, 0, Reason.SIZE),
        (50, 1_000, 100, Reason.POSITION_LIMIT),
        (50, 1_000, 97, Reason.POSITION_LIMIT),
        (50, 4, 0, Reason.ORDER_NOTIONAL),
        (7, 1_000, 0, Reason.MIN_NOTIONAL),
    ],
)
def test_a_dropped_quote_is_counted_under_its_reason(lots, order_usd, position, reason):
    settings = {"risk.order_max_usd": max(10, order_usd), "risk.position_max_usd": 100}
    engine = ready(settings, instruments=[plain(min_size=Decimal("0.05"), min_notional=Decimal(8))])
    engine.traders[0]["order_notional_max_e8"] = order_usd * E8
    held(engine, position)
    script(engine, (BUY, 9_990, lots))
    assert len(feed(engine, timer(START_NS))) == 0
    assert {Reason(i): int(n) for i, n in enumerate(engine.traders[0]["refusals"]) if n} == {reason: 1}


def test_a_quote_is_clipped_to_the_position_limit():
    engine = ready({"risk.position_max_usd": 100})
    script(engine, (BUY, 9_990, 60), (BUY, 9_980, 60), (SELL, 10_010, 300))
    assert told(feed(engine, timer(START_NS))) == [
        ("PLACE", "buy", 9_990, 60),
        ("PLACE", "buy", 9_980, 40),
        ("PLACE", "sell", 10_010, 100),
    ]


def test_a_replacement_waits_for_the_cancel_when_room_is_short():
    """Both might fill: 60 that are leaving and 60 that are new are more than 100."""
    engine = ready({"risk.position_max_usd": 100})
    script(engine, (BUY, 9_990, 60))
    actions = feed(engine, timer(START_NS))
    feed(engine, acks(actions, START_NS + 1))
    script(engine, (BUY, 9_980, 60))
    leaving = feed(engine, timer(START_NS + 2))
    assert told(leaving) == [("CANCEL", "buy", 9_990, 60)]
    assert engine.traders[0]["refusals"][Reason.POSITION_LIMIT] == 1
    assert told(feed(engine, acks(leaving, START_NS + 3))) == [("PLACE", "buy", 9_980, 60)]


def test_a_position_beyond_the_limit_may_only_shrink():
    engine = ready({"risk.position_max_usd": 100})
    held(engine, 150)
    script(engine, (BUY, 9_990, 10), (SELL, 10_010, 400))
    assert told(feed(engine, timer(START_NS))) == [("PLACE", "sell", 10_010, 250)]


def test_orders_of_an_illiquid_limit_are_refused_and_not_sent():
    """Quotes that cross or leave the band are counted; the others go out."""
    engine = ready({"risk.price_band_bps": 100})
    script(engine, (BUY, 10_001, 5), (BUY, 9_899, 5), (BUY, 9_900, 5), (SELL, 9_999, 5))
    assert told(feed(engine, timer(START_NS))) == [("PLACE", "buy", 9_900, 5)]
    refusals = engine.traders[0]["refusals"]
    assert (refusals[Reason.WOULD_CROSS], refusals[Reason.PRICE_BAND]) == (2, 1)


# When nothing may be quoted.


def quoted(settings=None):
    """Return an engine with two resting quotes."""
    engine = ready(settings)
    script(engine, (BUY, 9_990, 5), (SELL, 10_010, 5))
    actions = feed(engine, timer(START_NS))
    feed(engine, acks(actions, START_NS + 1))
    return engine


@pytest.mark.parametrize(
    ("what", "rows"),
    [
        ("crossed", [book_row(Kind.DELTA, BID, 10_002, 1, START_NS + 2)]),
        ("no_bid", [book_row(Kind.DELTA, BID, 9_999, 0, START_NS + 2)]),
        ("no_ask", [book_row(Kind.DELTA, ASK, 10_001, 0, START_NS + 2)]),
        ("gap", [row(Kind.GAP, START_NS + 2)]),
    ],
)
def test_no_quotes_on_a_bad_book(what, rows):
    engine = quoted()
    actions = feed(engine, *rows)
    assert [name for name, *_ in told(actions)] == ["CANCEL", "CANCEL"]
    assert set(actions["reason"].tolist()) == {ActionReason.STALE}
    answered = feed(engine, acks(actions, START_NS + 3), timer(START_NS + 4))
    assert len(answered) == 0
    back = feed(engine, touch(*BOOK, START_NS + 5))
    assert [name for name, *_ in told(back)] == ["PLACE", "PLACE"]


def test_a_locked_book_is_quoted():
    engine = quoted()
    assert len(feed(engine, book_row(Kind.DELTA, BID, 10_001, 1, START_NS + 2))) == 0
    script(engine, (BUY, 10_000, 5), (SELL, 10_002, 5))
    actions = feed(engine, timer(START_NS + 3))
    assert told(actions)[2:] == [("PLACE", "buy", 10_000, 5), ("PLACE", "sell", 10_002, 5)]


@pytest.mark.parametrize(("late_ns", "is_stale"), [(-1, False), (0, False), (1, True)])
def test_silence_ends_quoting(late_ns, is_stale):
    engine = quoted({"risk.stale_s": 5.0})
    actions = feed(engine, timer(START_NS + 5 * S + late_ns))
    assert (len(actions) == 2) == is_stale


def test_after_a_gap_changes_do_not_count_and_the_best_prices_do():
    engine = quoted()
    feed(engine, row(Kind.GAP, START_NS + 2))
    engine_actions = feed(
        engine,
        book_row(Kind.DELTA, BID, 9_998, 4, START_NS + 3),
        book_row(Kind.DELTA, ASK, 10_003, 4, START_NS + 3),
    )
    assert len(engine_actions) == 0
    feed(engine, touch(9_997, 10_004, START_NS + 4, kind=Kind.BBO))
    market = engine.markets[0]
    assert (market["bid_ticks"], market["ask_ticks"], market["n_gaps"]) == (9_997, 10_004, 1)


# What should hold as well.


def test_total_notional_counts_positions_whose_market_is_not_quoted_yet():
    """The venue says that we hold 900 USD of TWO, whose feed has not come up yet: its cost is known."""
    engine = make_engine({"risk.total_max_usd": 1_000}, instruments=[plain("ONE"), plain("TWO")])
    feed(engine, statement(Kind.POSITION, START_NS, size=900, amount=900 * E8, instrument=1))
    feed(engine, touch(*BOOK, instrument=0))
    script(engine, (BUY, 9_990, 500))
    assert len(feed(engine, timer(START_NS + 1))) == 0


def test_no_order_is_sent_that_would_meet_our_own():
    """Our sell at 10,010 is not acked yet, so it cannot be cancelled; the market jumps over it."""
    engine = ready()
    script(engine, (SELL, 10_010, 5))
    feed(engine, timer(START_NS))
    script(engine, (BUY, 10_040, 5), (SELL, 10_060, 5))
    actions = feed(engine, touch(10_045, 10_055, START_NS + 1))
    bids = [price for name, side, price, _ in told(actions) if (name, side) == ("PLACE", "buy")]
    assert all(price < 10_010 for price in bids)


@pytest.mark.parametrize("state", ["PENDING_NEW", "RESTING", "PENDING_CANCEL", "UNKNOWN", "SETTLING"])
@pytest.mark.parametrize(("side", "price"), [(BUY, 10_010), (SELL, 9_990)])
def test_what_may_still_rest_is_not_met(state, side, price):
    """To the tick; an order that has ended and waits for its fills cannot be met."""
    engine = ready(book=(9_900, 10_100))
    script(engine, (-side, price, 5))
    feed(engine, timer(START_NS))
    (order,) = active_orders(engine)
    order["state"] = OrderState[state]
    met = Reason.NONE if state == "SETTLING" else Reason.WOULD_CROSS
    assert verdict(engine, side, price - side, 5) == Reason.NONE
    assert verdict(engine, side, price, 5) == verdict(engine, side, price + side, 5) == met


def test_no_order_leaves_with_a_price_that_the_venue_refuses():
    """Whatever a strategy writes on the desk: 150.0001 has seven significant figures."""
    engine = make_engine(instruments=[hyperliquid("SOL", 2)], prices=[1_500_000])
    feed(engine, touch(1_499_000, 1_502_000))
    script(engine, (BUY, 1_500_000, 100), (BUY, 1_499_901, 100))
    assert told(feed(engine, timer(START_NS))) == [("PLACE", "buy", 1_500_000, 100)]


def test_a_passed_total_limit_does_not_keep_us_in_the_position():
    """We hold 1,000 USD, the limit; the price rises: selling some is allowed, buying more is not."""
    engine = make_engine({"risk.total_max_usd": 1_000, "risk.position_max_usd": 5_000})
    feed(engine, statement(Kind.POSITION, START_NS, size=1_000, amount=1_000 * E8))
    feed(engine, touch(10_990, 11_010))
    script(engine, (BUY, 10_980, 100), (SELL, 11_020, 300))
    actions = feed(engine, timer(START_NS + 1))
    assert [(name, side) for name, side, *_ in told(actions)] == [("PLACE", "sell")]
