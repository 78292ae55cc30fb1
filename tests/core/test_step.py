"""`step`: the same bytes for any cut of the tape, several markets, commands, channels and timers."""

from decimal import Decimal

import numpy as np
import pytest

from builders import (
    MS,
    START_NS,
    Market,
    S,
    acks,
    active_orders,
    book_row,
    cancels,
    command,
    connect,
    disconnect,
    events_of,
    feed,
    fill,
    make_engine,
    places,
    plain,
    report,
    row,
    run,
    statement,
    tape,
    timer,
    told,
    touch,
    trade,
)
from makerside.engine import action_rows, opening_rows
from makerside.model.action import ActionKind, ActionReason
from makerside.model.desk import desk_t
from makerside.model.event import DETAIL_ROWS, Command, Flag, Kind
from makerside.model.market import MarketStatus
from makerside.model.order import OrderState
from makerside.model.units import BID, BUY, E8, SELL
from scripted import QUOTES_MAX, script
from venue import RandomVenue, Session

SETTINGS = {
    "strategy.name": "glft",
    "strategy.levels": 2,
    "strategy.size_usd": 40,
    "strategy.half_spread_max_bps": 5.0,
    "risk.position_max_usd": 300,
    "pacing.flush_ms": 60,
    "pacing.timeout_ms": 300,
}


def new_engine():
    """Return an engine of two markets, not opened yet."""
    return make_engine(SETTINGS, [plain("ONE"), plain("TWO")], is_scripted=False, start_ns=None)


@pytest.fixture(scope="module")
def recorded():
    """Return (tape, actions, final state) of a live-like session with all that a venue may say."""
    rng = np.random.default_rng(7)
    engine = new_engine()
    opening = opening_rows(1, 10_000.0, START_NS)
    engine.step(opening)
    session = Session(engine, [Market(rng, instrument=i) for i in range(2)], RandomVenue(rng), START_NS)
    for turn in range(events_of(1_500)):
        session.turn()
        if turn % 150 == 149:
            session.feed(command("PAUSE" if turn % 300 == 149 else "RESUME", session.now))
        if turn % 97 == 96:
            session.feed(row(Kind.GAP, session.now, instrument=turn % 2))
    assert len(session.all_actions()) > events_of(1_500) // 10
    return tape(opening, session.rows), session.all_actions(), engine.state_bytes()


@pytest.mark.parametrize("block", [1, 2, 7, 64, 1_000, 0])
def test_any_block_size_gives_the_same_bytes(recorded, block):
    rows, actions, state = recorded
    engine = new_engine()
    assert run(engine, rows, block).tobytes() == actions.tobytes()
    assert engine.state_bytes() == state


def test_random_cuts_give_the_same_bytes(recorded, rng):
    """Cuts anywhere, between a row and its continuation too: what was not taken comes again."""
    rows, actions, state = recorded
    engine, start, found, held_back = new_engine(), 0, [], 0
    while start < len(rows):
        stop = min(len(rows), start + int(rng.integers(1, 40)))
        n = engine._step(rows[start:stop], engine.markets, engine.accounts, engine.traders, engine.desks)
        found.append(engine.desks["actions"][0][:n].copy())
        taken = int(engine.desks["n_consumed"][0])
        held_back += taken < stop - start
        start += taken
    assert held_back > 10
    assert np.concatenate(found).tobytes() == actions.tobytes()
    assert engine.state_bytes() == state


def test_a_row_without_its_continuation_is_left():
    engine = make_engine()
    rows = statement(Kind.FUNDING, START_NS, amount=5)
    engine._step(rows[:1], engine.markets, engine.accounts, engine.traders, engine.desks)
    assert engine.desks["n_consumed"][0] == 0
    assert engine.accounts[0]["cash_e8"] == 10_000 * E8
    engine.step(rows)
    assert engine.accounts[0]["cash_e8"] == 10_000 * E8 + 5


def test_the_desk_is_scratch(recorded):
    """But for its counts, its clock and the strategies' addresses it may be cleared between two calls."""
    rows, actions, state = recorded
    engine, found, start = new_engine(), [], 0
    kept = ("seq", "own_seq", "now_ns", "targets")
    while start < len(rows):
        stop = start + 1 + int(DETAIL_ROWS[rows[start]["kind"]])
        found.append(engine.step(rows[start:stop]).copy())
        start = stop
        held = {name: engine.desks[name].copy() for name in kept}
        engine.desks.view(np.uint8)[:] = 0xEE
        for name, value in held.items():
            engine.desks[name] = value
        engine.desks["is_explaining"] = start % 2
    assert np.concatenate(found).tobytes() == actions.tobytes()
    assert engine.state_bytes() == state
    assert set(kept) <= set(desk_t.names)


def test_explaining_changes_no_action(recorded):
    rows, actions, _ = recorded
    engine = new_engine()
    engine.desks["is_explaining"] = 1
    assert run(engine, rows).tobytes() == actions.tobytes()


def test_actions_tell_when_and_why(recorded):
    rows, actions, _ = recorded
    assert (np.diff(actions["event_seq"]) >= 0).all()
    assert set(actions["event_seq"].tolist()) <= set(range(1, len(rows) + 1))
    for action in actions:
        assert (
            rows[action["event_seq"] - 1]["ts_local_ns"] <= action["ts_decided_ns"]
            or DETAIL_ROWS[rows[action["event_seq"] - 2]["kind"]]
        )
    assert (actions["spare"] == 0).all()
    assert set(actions["trader"].tolist()) == set(actions["instrument"].tolist()) == {0, 1}
    assert (actions["trader"] == actions["instrument"]).all()
    a_place, a_cancel = places(actions), cancels(actions)
    assert len(a_place) + len(a_cancel) == len(actions)
    assert set(a_place["reason"].tolist()) == {ActionReason.QUOTE}
    assert set(a_cancel["reason"].tolist()) == {ActionReason.MOVED, ActionReason.STALE, ActionReason.HALTED}
    assert (a_place["flags"] & Flag.POST_ONLY).all()


def test_action_rows_are_the_same_bytes(recorded):
    _, actions, _ = recorded
    rows = action_rows(actions)
    assert len(rows) == 2 * len(actions)
    assert rows.tobytes() == actions.tobytes()


# Several markets in one process.


def test_markets_do_not_touch_each_other(rng):
    """Two markets in one engine decide what each decides alone, when neither waits for the flush interval."""
    settings = {**SETTINGS, "pacing.flush_ms": 0, "risk.position_max_usd": 10_000}
    books = [Market(rng, instrument=i) for i in range(2)]
    rows, now = [books[0].snapshot(START_NS), books[1].snapshot(START_NS)], START_NS
    for _ in range(events_of(1_200)):
        now += int(rng.exponential(40 * MS))
        rows.append(books[int(rng.integers(2))].next(now))
    both = make_engine(settings, [plain("ONE"), plain("TWO")], is_scripted=False)
    together = run(both, tape(rows))
    for i in range(2):
        alone = make_engine({**settings, "bot.id": 1 + i}, [plain()], is_scripted=False)
        mine = tape([part for part in rows if part["instrument"][0] == i])
        mine["instrument"] = 0
        found = run(alone, mine)
        assert len(found) > 0
        expected = together[together["instrument"] == i]
        for name in ("ts_decided_ns", "size_lots", "price_ticks", "kind", "flags", "client_order_id"):
            assert found[name].tolist() == expected[name].tolist(), name


def test_a_message_decides_for_its_market_only():
    engine = make_engine(instruments=[plain("ONE"), plain("TWO")])
    for i in range(2):
        script(engine, (BUY, 9_990, 5), trader=i)
    feed(engine, touch(9_999, 10_001, instrument=0))
    assert (engine.traders["n_decisions"] > 0).tolist() == [True, True], "both were due since the start"
    before = engine.traders["n_decisions"].copy()
    feed(engine, touch(9_998, 10_001, START_NS + 1, instrument=0))
    assert (engine.traders["n_decisions"] - before).tolist() == [1, 0]


def test_many_traders_never_overrun_the_desk():
    """Sixteen markets, many quotes each, in one call: `step` stops early rather than drop an action."""
    instruments = [plain(f"M{i}") for i in range(16)]
    engine = make_engine(instruments=instruments)
    for i in range(16):
        script(engine, *[(BUY, 9_990 - q, 1) for q in range(QUOTES_MAX)], trader=i)
    rows = tape([touch(9_999, 10_001, START_NS, instrument=i) for i in range(16)] * 3)
    actions = run(engine, rows)
    assert len(actions) == 16 * QUOTES_MAX
    assert len(np.unique(actions["client_order_id"])) == 16 * QUOTES_MAX


# A trader with two legs.


@pytest.fixture
def spread():
    """Return an engine whose trader 0 quotes two markets, and trader 1 none."""
    engine = make_engine(instruments=[plain("ONE"), plain("TWO", lot_size=Decimal("0.02"))])
    trader = engine.traders[0]
    trader["n_legs"] = 2
    trader["legs"][1] = (1, 1, 40)
    engine.traders[1]["n_legs"] = 0
    return engine


def test_each_leg_has_its_market_position_and_limit(spread):
    script(spread, (BUY, 9_990, 50, 0), (BUY, 8_990, 50, 1), (SELL, 9_010, 7, 1))
    feed(spread, touch(9_999, 10_001, instrument=0))
    assert len(feed(spread, timer(START_NS))) == 0, "both legs need a good market"
    actions = feed(spread, touch(8_999, 9_001, START_NS + 1, instrument=1))
    assert told(actions) == [
        ("PLACE", "buy", 9_990, 50),
        ("PLACE", "buy", 8_990, 40),
        ("PLACE", "sell", 9_010, 7),
    ]
    assert actions["instrument"].tolist() == [0, 1, 1]
    positions = spread.accounts[0]["positions"]
    assert positions["open_buy_lots"][:2].tolist() == [50, 40]
    assert positions["open_sell_lots"][:2].tolist() == [0, 7]
    feed(spread, acks(actions, START_NS + 2))
    ours = int(actions[1]["client_order_id"])
    feed(spread, fill(ours, START_NS + 3, 15, 8_990, BUY, instrument=1))
    assert positions["position_lots"][:2].tolist() == [0, 15]
    assert positions["open_buy_lots"][:2].tolist() == [50, 25]
    assert positions["cost_e8"][1] == 15 * 8_990 * 20_000


def test_news_of_any_leg_is_news(spread):
    feed(spread, touch(9_999, 10_001, instrument=0), touch(8_999, 9_001, instrument=1))
    before = int(spread.traders[0]["n_decisions"])
    feed(spread, touch(9_998, 10_001, START_NS + 1, instrument=0))
    feed(spread, touch(8_998, 9_001, START_NS + 1, instrument=1))
    assert spread.traders[0]["n_decisions"] == before + 2


def test_a_leg_that_fails_ends_all_quotes(spread):
    script(spread, (BUY, 9_990, 5, 0), (BUY, 8_990, 5, 1))
    actions = feed(spread, touch(9_999, 10_001, instrument=0), touch(8_999, 9_001, instrument=1))
    feed(spread, acks(actions, START_NS + 1))
    assert len(cancels(feed(spread, row(Kind.GAP, START_NS + 2, instrument=1)))) == 2


# Commands, channels, timers.


@pytest.fixture
def quoting():
    """Return an engine with two resting quotes."""
    engine = make_engine()
    script(engine, (BUY, 9_990, 5), (SELL, 10_010, 5))
    actions = feed(engine, touch(9_999, 10_001))
    feed(engine, acks(actions, START_NS + 1))
    return engine


def test_pause_cancels_and_resume_quotes_again(quoting):
    actions = feed(quoting, command("PAUSE", START_NS + 2))
    assert told(actions) == [("CANCEL", "buy", 9_990, 5), ("CANCEL", "sell", 10_010, 5)]
    assert set(actions["reason"].tolist()) == {ActionReason.HALTED}
    feed(quoting, acks(actions, START_NS + 3))
    assert len(feed(quoting, touch(9_998, 10_002, START_NS + 4), timer(START_NS + 5))) == 0
    assert len(places(feed(quoting, command("RESUME", START_NS + 6)))) == 2


def test_the_book_goes_on_while_paused(quoting):
    feed(quoting, command("PAUSE", START_NS + 2), touch(9_500, 9_510, START_NS + 3))
    assert quoting.markets[0]["bid_ticks"] == 9_500


def test_pause_does_not_wait_for_acks():
    engine = make_engine()
    script(engine, (BUY, 9_990, 5))
    feed(engine, touch(9_999, 10_001))
    assert told(feed(engine, command("PAUSE", START_NS + 1))) == [("CANCEL", "buy", 9_990, 5)]


def test_stop_cancels(quoting):
    assert len(cancels(feed(quoting, command("STOP", START_NS + 2)))) == 2


def test_nothing_resumes_after_stop(quoting):
    actions = feed(quoting, command("STOP", START_NS + 2))
    feed(quoting, acks(actions, START_NS + 3))
    assert len(feed(quoting, command("RESUME", START_NS + 4), timer(START_NS + 5))) == 0


def test_a_pause_after_stop_changes_nothing(quoting):
    feed(quoting, command("STOP", START_NS + 2))
    feed(quoting, command("PAUSE", START_NS + 3), command("RESUME", START_NS + 4))
    assert quoting.accounts[0]["command"] == Command.STOP


def test_nothing_is_sent_while_the_channel_is_down(quoting):
    feed(quoting, disconnect(START_NS + 2))
    script(quoting, (BUY, 9_900, 5))
    rows = tape(
        touch(9_500, 9_600, START_NS + 3),
        timer(START_NS + 4),
        command("PAUSE", START_NS + 5),
        row(Kind.GAP, START_NS + 6),
        timer(START_NS + 3_700 * S),
    )
    assert len(feed(quoting, rows)) == 0
    actions = feed(quoting, connect(START_NS + 3_700 * S))
    assert set(told(actions)) == {("CANCEL", "buy", 9_990, 5), ("CANCEL", "sell", 10_010, 5)}


def test_nothing_is_sent_before_the_first_connect():
    engine = make_engine(start_ns=None)
    script(engine, (BUY, 9_990, 5))
    assert len(feed(engine, touch(9_999, 10_001), timer(START_NS))) == 0
    assert len(feed(engine, connect(START_NS + 1))) == 1


def test_reports_count_while_the_channel_is_down(quoting):
    order = int(active_orders(quoting)[0]["client_order_id"])
    feed(quoting, disconnect(START_NS + 2), fill(order, START_NS + 3, 5, 9_990))
    assert quoting.accounts[0]["positions"][0]["position_lots"] == 5


def test_timers_find_overdue_orders():
    engine = make_engine()
    script(engine, (BUY, 9_990, 5))
    feed(engine, touch(9_999, 10_001))
    feed(engine, disconnect(START_NS), timer(START_NS + 5 * S))
    assert [int(o["state"]) for o in active_orders(engine)] == [OrderState.UNKNOWN]


def test_a_message_that_changes_nothing_at_the_touch_is_no_news(quoting):
    """Deeper levels and repeated best prices do not wake the strategy; a size at the touch does."""
    before = int(quoting.traders[0]["n_decisions"])
    feed(quoting, book_row(Kind.DELTA, BID, 9_980, 4, START_NS + 2))
    feed(quoting, touch(9_999, 10_001, START_NS + 3), touch(9_999, 10_001, START_NS + 4))
    assert quoting.traders[0]["n_decisions"] == before
    feed(quoting, touch(9_999, 10_001, START_NS + 5, bid_lots=999))
    assert quoting.traders[0]["n_decisions"] == before + 1


def test_nothing_is_decided_in_the_middle_of_a_message(quoting):
    script(quoting, (BUY, 9_800, 5), (SELL, 10_010, 5))
    part = book_row(Kind.DELTA, BID, 9_999, 0, START_NS + 2, last=False)
    assert len(feed(quoting, part)) == 0
    assert quoting.markets[0]["bid_ticks"] == 9_999, "the message has not ended"
    assert len(feed(quoting, book_row(Kind.DELTA, BID, 9_998, 3, START_NS + 2))) == 2


def test_a_report_in_the_middle_of_a_message_does_not_end_it(quoting):
    order = int(active_orders(quoting)[0]["client_order_id"])
    feed(
        quoting,
        book_row(Kind.DELTA, BID, 9_999, 0, START_NS + 2, last=False),
        report(Kind.ORDER_ACK, order, START_NS + 2, size=5),
    )
    assert quoting.markets[0]["bid_ticks"] == 9_999
    assert quoting.markets[0]["status"] == MarketStatus.OK


@pytest.mark.parametrize("side", [BUY, SELL])
def test_prints_reach_the_estimators_with_their_side(quoting, side):
    """A print above the mid by a buyer and one below it by a seller are arrivals at our quotes."""
    feed(quoting, trade(side, 10_000 + 7 * side, 3, START_NS + 2))
    market = quoting.markets[0]
    assert (market["last_trade_side"], market["last_trade_ticks"], market["n_trades"]) == (
        side,
        10_000 + 7 * side,
        1,
    )
    deepest = {BUY: market["intensity"]["deepest_buy"], SELL: market["intensity"]["deepest_sell"]}
    assert (deepest[side], deepest[-side]) == (7.0, -1.0)


def test_the_venues_order_id_goes_with_the_cancel(quoting):
    """The ack told it; some venues cancel by it."""
    actions = feed(quoting, command("PAUSE", START_NS + 2))
    assert actions["venue_order_id"].tolist() == [7, 7]


def test_prices_are_noted():
    engine = make_engine()
    feed(engine, statement(Kind.PRICES, START_NS, mark=123, index=124, account=-1))
    assert (engine.markets[0]["mark_price_e8"], engine.markets[0]["index_price_e8"]) == (123, 124)


@pytest.mark.parametrize(
    ("book", "last", "price", "side"),
    [
        ((99, 101), 0, 101, BUY),
        ((99, 100), 0, 100, BUY),
        ((99, 100), 0, 99, SELL),
        ((99, 101), 0, 99, SELL),
        ((99, 101), 90, 100, BUY),  # in the middle: by the print before it
        ((99, 101), 110, 100, SELL),
        (None, 90, 100, BUY),
        (None, 110, 100, SELL),
        (None, 100, 100, BUY),  # no change: as before
    ],
)
def test_an_unknown_aggressor_is_inferred(book, last, price, side):
    engine = make_engine()
    if book:
        feed(engine, touch(*book))
    if last:
        feed(engine, trade(BUY, last, 1))
    feed(engine, trade(BUY, price, 1, flags=int(Flag.UNKNOWN_SIDE)))
    market = engine.markets[0]
    assert (market["last_trade_side"], market["n_side_inferred"], market["last_trade_ticks"]) == (
        side,
        1,
        price,
    )


# Rows that break an invariant of ours.


def test_time_never_goes_back():
    engine = make_engine()
    feed(engine, timer(START_NS + 1))
    with pytest.raises(AssertionError):
        feed(engine, timer(START_NS))


@pytest.mark.parametrize("kind", [Kind.NONE, 7, 31, ActionKind.PLACE])
def test_a_row_of_no_known_kind_is_an_error_of_ours(kind):
    """A row that was never written, or an action fed back, must not move the book or the ledger."""
    engine = make_engine()
    feed(engine, touch(9_999, 10_001))
    before = engine.markets["book"].tobytes() + engine.accounts.tobytes()
    rows = report(int(kind), 0, START_NS, price=9_990, size=4)
    try:
        engine.step(rows if DETAIL_ROWS[kind] else rows[:1])
    except AssertionError:
        return
    assert engine.markets["book"].tobytes() + engine.accounts.tobytes() == before


def test_a_market_that_recovers_is_quoted_again(quoting):
    """Crossed data are counted and never fatal by themselves."""
    for i in range(20):
        feed(quoting, book_row(Kind.DELTA, BID, 10_002, 1 + i, START_NS + 2 + i))
    assert quoting.markets[0]["status"] == MarketStatus.CROSSED
    assert quoting.markets[0]["n_crossed"] == 20
    feed(quoting, book_row(Kind.DELTA, BID, 10_002, 0, START_NS + 30))
    assert quoting.markets[0]["status"] == MarketStatus.OK
