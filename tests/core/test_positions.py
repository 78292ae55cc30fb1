"""The ledger: against fractions with the stated rounding, difference 0."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from builders import START_NS, S, feed, fill, make_engine, plain, statement, touch
from makerside.core.positions import (
    book_fill,
    book_funding,
    fee_e8,
    notional_e8,
    unrealized_e8,
    worst_case_lots,
)
from makerside.model.account import account_t
from makerside.model.event import Kind
from makerside.model.units import BUY, E8, SELL
from reference import ledger
from scripted import script

START_E8 = 10_000 * E8


def new_account(unit_e8):
    """Return (account, position) records with START_E8 of cash."""
    accounts = np.zeros(1, account_t)
    account = accounts[0]
    account["cash_e8"] = START_E8
    account["n_positions"] = 1
    account["positions"][0]["unit_value_e8"] = unit_e8
    return account, account["positions"][0]


class Books:
    """The kernel's ledger, its twin and the ledger without cost basis, side by side."""

    def __init__(self, unit_e8):
        self.account, self.position = new_account(unit_e8)
        self.twin = ledger.LedgerTwin(unit_e8, START_E8)
        self.cash = ledger.CashTwin(unit_e8, START_E8)

    def fill(self, side, price, lots, fee):
        """Book one execution everywhere and compare everything."""
        book_fill(self.position, self.account, side, price, lots, fee)
        self.twin.fill(side, price, lots, fee)
        self.cash.fill(side, price, lots, fee)
        self.compare(price)

    def fund(self, amount, price):
        """Book one funding payment everywhere."""
        book_funding(self.position, self.account, amount)
        self.twin.fund(amount)
        self.cash.fund(amount)
        self.compare(price)

    def compare(self, price):
        """Assert equality to the last unit, and the identity of equity."""
        position, account, twin = self.position, self.account, self.twin
        assert account["cash_e8"] == twin.cash
        for name, value in (
            ("position_lots", twin.position),
            ("cost_e8", twin.cost),
            ("realized_e8", twin.realized),
            ("fees_e8", twin.fees),
            ("funding_e8", twin.funding),
            ("volume_e8", twin.volume),
        ):
            assert position[name] == value, name
        assert position["cost_e8"] >= 0
        assert (position["position_lots"] != 0) or position["cost_e8"] == 0
        for mark in (price, max(1, price // 2), 2 * price):
            unrealized = int(unrealized_e8(position, mark))
            assert unrealized == twin.unrealized(mark)
            assert int(account["cash_e8"]) + unrealized == self.cash.equity(mark), "equity is what it is worth"


def flow(prices, lots):
    """Return a strategy of lists of (side, price, lots, fee)."""
    one = st.tuples(st.sampled_from([BUY, SELL]), prices, lots, st.integers(-1_000, 10**6))
    return st.lists(one, min_size=1, max_size=40)


@given(flow(st.integers(9_000, 11_000), st.integers(1, 500)))
@example([(BUY, 10_000, 3, 0), (SELL, 10_001, 1, 0), (SELL, 9_999, 5, 0), (BUY, 10_000, 3, 0)])
def test_ledger_equals_fractions(fills):
    books = Books(unit_e8=10_000)
    for side, price, lots, fee in fills:
        books.fill(side, price, lots, fee)


@given(flow(st.integers(2_400, 2_600), st.integers(1, 100_000_000)), st.sampled_from([100, 1, 7]))
def test_ledger_of_a_cheap_coin(fills, unit_e8):
    """0.0025 in ticks of 0.000001 and lots of 1: 100 million lots are 250,000 USD; products pass 2^63."""
    books = Books(unit_e8)
    for side, price, lots, fee in fills:
        books.fill(side, price, lots, fee)


@given(flow(st.integers(1_170_000, 1_190_000), st.integers(1, 4_300_000)))
def test_ledger_of_five_million_notionals(fills):
    """118,000 in ticks of 0.1 and lots of 0.00001: 4.3 million lots are 5 million USD."""
    books = Books(unit_e8=100)
    for side, price, lots, fee in fills:
        books.fill(side, price, lots, fee)


@given(st.lists(st.tuples(st.integers(-(10**10), 10**10), st.integers(1, 99)), min_size=1, max_size=20))
def test_funding_moves_cash_and_nothing_else(payments):
    books = Books(unit_e8=10_000)
    books.fill(BUY, 10_000, 10, 5)
    for amount, price in payments:
        books.fund(amount, price)


def test_flip_by_hand():
    """Long 3 at 100, sold 5 at 110: 30 ticks gained, short 2 at 110."""
    books = Books(unit_e8=1)
    books.fill(BUY, 100, 3, 0)
    books.fill(SELL, 110, 5, 0)
    assert books.position["realized_e8"] == 30
    assert books.position["position_lots"] == -2
    assert books.position["cost_e8"] == 220
    assert books.position["position_lots_max"] == 3


def test_rounding_by_hand():
    """Cost 1001 for 3 lots: closing one takes floor(333.67); what is left of it stays open."""
    account, position = new_account(1)
    book_fill(position, account, BUY, 333, 1, 0)
    book_fill(position, account, BUY, 334, 2, 0)
    assert position["cost_e8"] == 1_001
    assert book_fill(position, account, SELL, 400, 1, 0) == 400 - 333
    assert position["cost_e8"] == 668
    assert book_fill(position, account, SELL, 400, 2, 0) == 800 - 668
    assert position["cost_e8"] == 0


def test_closing_lot_by_lot_gives_what_closing_at_once_gives():
    """No rounding is created or lost on the way."""
    for lots in (7, 1_000, 9_999):
        piecemeal, whole = Books(unit_e8=3), Books(unit_e8=3)
        for books in (piecemeal, whole):
            books.fill(BUY, 10_007, lots, 0)
            books.fill(BUY, 9_998, 13, 0)
        whole.fill(SELL, 10_100, lots + 13, 0)
        for _ in range(13):
            piecemeal.fill(SELL, 10_100, 1, 0)
        piecemeal.fill(SELL, 10_100, lots, 0)
        assert piecemeal.account["cash_e8"] == whole.account["cash_e8"]


@given(
    st.integers(0, 5_000_000 * E8),
    st.integers(-1_000_000, 1_000_000),
    st.sampled_from([1, 10, 100, 10_000, E8]),
)
@example(1, 1, 100)
@example(0, 450_000, 100)
def test_fees_are_rounded_against_us(notional, rate_e9, quantum):
    assert fee_e8(notional, rate_e9, quantum) == ledger.fee(notional, rate_e9, quantum)


def test_fees_by_hand():
    """4.5 bps of 123.45 USD are 0.0555525: up to 0.055553 in steps of 10^-6; a rebate of 0.2 bps down."""
    assert fee_e8(12_345_000_000, 450_000, 100) == 5_555_300
    assert fee_e8(12_345_000_000, -20_000, 100) == -246_900
    assert fee_e8(12_345_678_900, -20_000, 100) == -246_900


LIMIT = 1 << 62


@pytest.mark.parametrize(
    ("price", "lots", "unit"),
    [(1, LIMIT + 1, 1), (2, LIMIT // 2 + 1, 1), (1 << 31, 1 << 32, 1), (3, 1 << 31, 1 << 31)],
)
def test_notionals_that_do_not_fit_are_refused(price, lots, unit):
    assert price * lots * unit > LIMIT
    with pytest.raises(AssertionError):
        notional_e8(price, lots, unit)


@pytest.mark.parametrize(
    ("price", "lots", "unit"), [(1, LIMIT, 1), (2, LIMIT // 2, 1), (1 << 30, 1 << 32, 1), (0, LIMIT, 1)]
)
def test_notionals_up_to_the_limit_are_exact(price, lots, unit):
    assert notional_e8(price, lots, unit) == price * lots * unit


@pytest.mark.parametrize(("price", "lots"), [(0, 1), (-1, 1), (1, 0), (1, -1)])
def test_a_fill_has_a_price_and_a_size(price, lots):
    account, position = new_account(1)
    with pytest.raises(AssertionError):
        book_fill(position, account, BUY, price, lots, 0)


@given(st.integers(-50, 50), st.integers(0, 50), st.integers(0, 50))
def test_worst_case_is_the_larger_end(held, buys, sells):
    _, position = new_account(1)
    position["position_lots"] = held
    position["open_buy_lots"], position["open_sell_lots"] = buys, sells
    reachable = [held + b - s for b in range(buys + 1) for s in range(sells + 1)]
    assert worst_case_lots(position) == max(abs(p) for p in reachable)


# Through `step`.


def fund(engine, amount, instrument=0):
    """Feed a funding payment."""
    feed(engine, statement(Kind.FUNDING, START_NS + S, amount=amount, instrument=instrument))


def test_funding_finds_its_position():
    engine = make_engine(instruments=[plain("ONE"), plain("TWO")])
    fund(engine, -700, instrument=1)
    fund(engine, 500, instrument=0)
    positions = engine.accounts[0]["positions"]
    assert positions["funding_e8"][:2].tolist() == [500, -700]
    assert engine.accounts[0]["cash_e8"] == START_E8 - 200


def test_the_first_balance_opens_the_account_and_later_ones_are_compared():
    engine = make_engine()
    assert engine.accounts[0]["cash_e8"] == START_E8
    feed(engine, statement(Kind.BALANCE, START_NS, amount=START_E8))
    assert engine.accounts[0]["n_divergent"] == 0
    feed(engine, statement(Kind.BALANCE, START_NS, amount=START_E8 + 1))
    assert engine.accounts[0]["n_divergent"] == 1
    assert engine.accounts[0]["cash_e8"] == START_E8


def test_the_venues_position_is_adopted_at_the_start_and_compared_later():
    engine = make_engine()
    position = engine.accounts[0]["positions"][0]
    feed(engine, statement(Kind.POSITION, START_NS, size=-30, amount=30 * 9_000 * 10_000))
    assert (position["position_lots"], position["cost_e8"]) == (-30, 30 * 9_000 * 10_000)
    bot = 1 << 42
    feed(engine, fill(bot, START_NS + 1, 10, 9_000, BUY))
    assert position["position_lots"] == -20
    assert position["realized_e8"] == 0
    feed(engine, statement(Kind.POSITION, START_NS + 2, size=-20))
    assert engine.accounts[0]["n_divergent"] == 0
    feed(engine, statement(Kind.POSITION, START_NS + 3, size=-21))
    assert engine.accounts[0]["n_divergent"] == 1
    assert position["position_lots"] == -20, "the ledger follows fills, not statements"


def test_the_first_statement_after_our_first_order_is_compared_only():
    """A venue that names no flat positions at the start tells the first one when we hold it."""
    engine = make_engine()
    script(engine, (BUY, 9_990, 10))
    (action,) = feed(engine, touch(9_999, 10_001))
    feed(engine, statement(Kind.POSITION, START_NS + 1, size=10, amount=10 * 9_990 * 10_000))
    feed(engine, fill(int(action["client_order_id"]), START_NS + 2, 10, 9_990, BUY))
    assert engine.accounts[0]["positions"][0]["position_lots"] == 10


def test_a_statement_that_overtakes_its_fill_is_not_counted_twice():
    """Position and fills come on different channels: the statement may know the fill first."""
    engine = make_engine()
    feed(engine, statement(Kind.POSITION, START_NS, size=0))  # the start: flat
    feed(engine, statement(Kind.POSITION, START_NS + 1, size=10, amount=10 * 9_000 * 10_000))
    feed(engine, fill(1 << 42, START_NS + 2, 10, 9_000, BUY))
    assert engine.accounts[0]["positions"][0]["position_lots"] == 10
