"""Perp accounting by hand: the venues' documented examples, margin tiers, orders that margin allows, spot."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from math import ceil

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from builders import START_NS as ENGINE_START_NS
from builders import make_engine, plain
from makerside.core.book import book_clear
from makerside.model.errors import ConfigError, DataError
from makerside.model.event import event_t
from makerside.model.market import book_t
from makerside.model.terms import FeeTerms, MarginTerms, MarginTier
from makerside.model.units import BUY, E8, E12, NEVER_NS, SELL
from makerside.sim.clearing import (
    available_e8,
    cross_state,
    equity_e8,
    has_margin_for,
    isolated_equity_e8,
)
from makerside.sim.fees import fill_fee_e8, liquidation_fee_e8
from makerside.sim.funding import funding_next_ns, rule_rate_e12
from makerside.sim.margin import initial_e8, maintenance_e8, part_lots, state_of
from makerside.sim.perp_build import (
    SOURCES,
    AccountSettings,
    fill_fees,
    fill_funding,
    fill_margin,
    make_clearing,
    make_perps,
    make_rates,
)
from makerside.sim.perp_prices import impact_price_e8, prices_from_touch
from makerside.sim.perp_records import FundingSource, MarginState, fees_t, funding_t, margin_t, perp_t
from makerside.venues.lookup import terms_at
from perps import BITCOIN, DAY, LIGHTER_ETHER, NS, PUMP, SPOT, START_NS, THALEX_BITCOIN, Account, perp
from reference.perp import rounded_fee, tiered

USD = E8


def margin_of(terms, leverage=None):
    """Return a margin record."""
    record = np.zeros(1, margin_t)[0]
    fill_margin(record, terms, leverage)
    return record


def funding_of(instrument, source=FundingSource.RULE):
    """Return a funding record of an instrument's venue."""
    record = np.zeros(1, funding_t)[0]
    fill_funding(record, terms_at(instrument, DAY).funding, source)
    return record


ETHER = perp("hyperliquid", "ETH", "0.01", "0.0001", 25)


# Margin.


@pytest.mark.parametrize("instrument", [BITCOIN, ETHER, PUMP, LIGHTER_ETHER, THALEX_BITCOIN])
@given(notional=st.integers(0, 10**9 * USD))
@example(notional=100_000_000 * USD)
@example(notional=100_000_000 * USD + 1)
def test_margins_equal_fractions(instrument, notional):
    """ETH's second tier asks 1/30: the deduction of Hyperliquid's formula has no end in decimals."""
    terms = terms_at(instrument, DAY).margin
    record = margin_of(terms)
    assert maintenance_e8(record, notional) == ceil(tiered(terms, "maintenance", notional))
    assert initial_e8(record, notional) == ceil(tiered(terms, "initial", notional))


def test_margin_is_the_deduction_formula():
    """notional x mmr - deduction: 200M of ETH at 15x above 100M; 2M + 100M / 30."""
    record = margin_of(terms_at(ETHER, DAY).margin)
    exact = Fraction(100_000_000, 50) + Fraction(100_000_000, 30)
    assert maintenance_e8(record, 200_000_000 * USD) == ceil(exact * USD)


def test_own_leverage_asks_more_and_never_less():
    record = margin_of(terms_at(BITCOIN, DAY).margin, leverage=3)
    assert initial_e8(record, 300 * USD) == 100 * USD
    assert initial_e8(record, 100 * USD) == ceil(Fraction(100 * USD, 3))
    with pytest.raises(ConfigError, match="leverage 41 is above what the venue allows; at most 40"):
        margin_of(terms_at(BITCOIN, DAY).margin, leverage=41)


def test_states():
    assert state_of(100, 100, 50, 33) == MarginState.HEALTHY
    assert state_of(99, 100, 50, 33) == MarginState.REDUCE_ONLY
    assert state_of(50, 100, 50, 33) == MarginState.REDUCE_ONLY
    assert state_of(49, 100, 50, 33) == MarginState.LIQUIDATE
    assert state_of(33, 100, 50, 33) == MarginState.LIQUIDATE
    assert state_of(32, 100, 50, 33) == MarginState.TAKE_OVER
    assert state_of(-1, 100, 50, 0) == MarginState.TAKE_OVER
    assert state_of(-1, 0, 0, 0) == MarginState.HEALTHY, "nothing is left to take"


def test_parts():
    record = margin_of(terms_at(BITCOIN, DAY).margin)
    assert part_lots(record, 1_001, 100_000 * USD, 0) == 1_001
    assert part_lots(record, -1_001, 100_000 * USD + 1, 0) == 201
    assert part_lots(record, 1_001, 200_000 * USD, 1) == 1_001


# Fees.


@given(
    st.integers(0, 5_000_000 * USD),
    st.integers(-1_000_000, 10_000_000),
    st.integers(0, 8),
    st.booleans(),
)
@example(15 * USD, 1_000_000, 2, True)
def test_fees_equal_fractions(notional, rate_e9, decimals, is_nearest):
    terms = FeeTerms(Decimal(rate_e9) / 10**9, Decimal(0), decimals=decimals, is_nearest=is_nearest)
    record = np.zeros(1, fees_t)[0]
    fill_fees(record, terms)
    assert fill_fee_e8(record, notional, 0, False) == rounded_fee(terms, notional, terms.maker)


def test_thalex_charges_on_the_index():
    """1 bps of 0.01 BTC at an index of 100,000 is 0.10, whatever the fill price was; cents, rounded up."""
    record = np.zeros(1, fees_t)[0]
    fill_fees(record, terms_at(THALEX_BITCOIN, DAY).fees)
    assert fill_fee_e8(record, 1_010 * USD, 1_000 * USD, False) == 10 * USD // 100
    assert fill_fee_e8(record, 1_010 * USD, 1_001 * USD, False) == 11 * USD // 100
    assert liquidation_fee_e8(record, 1_010 * USD, 1_000 * USD, 0) == 5 * USD


def test_lighter_takes_its_liquidation_fee_from_the_improvement():
    record = np.zeros(1, fees_t)[0]
    fill_fees(record, terms_at(LIGHTER_ETHER, DAY).fees)
    assert liquidation_fee_e8(record, 1_000 * USD, 0, 100 * USD) == 10 * USD
    assert liquidation_fee_e8(record, 1_000 * USD, 0, 3 * USD + 7) == 3 * USD
    assert liquidation_fee_e8(record, 1_000 * USD, 0, -5) == 0


def test_a_fee_that_is_too_fine_is_told():
    record = np.zeros(1, fees_t)[0]
    with pytest.raises(DataError, match="maker fee"):
        fill_fees(record, FeeTerms(Decimal("1e-10"), Decimal(0)))


# Funding.


@pytest.mark.parametrize(
    ("premium", "rate"),
    [("0", "0.0001"), ("0.0004", "0.0001"), ("0.001", "0.0005"), ("-0.001", "-0.0005"), ("9", "0.32")],
)
def test_hyperliquid_rate(premium, rate):
    """Section 7.3, of 8 hours. The cap is 4 % an hour."""
    record = funding_of(BITCOIN)
    assert rule_rate_e12(record, int(Decimal(premium) * E12)) == Decimal(rate) * E12


def test_thalex_example():
    """Section 6.2: mark 50,100, index 50,000, 3 hours: 3/8 x 17.5 bps x 50,000 = 32.81 for a long of 1 BTC."""
    account = Account([THALEX_BITCOIN], cash_usd=1_000_000, start_ns=START_NS - 4 * 3_600 * NS)
    account.wait(4 * 3_600 + 300 - 3 * 3_600 - 1)  # 04:59:59
    account.prices(0, 50_100, 50_000)
    account.fill(0, BUY, 50_100, 1_000)
    account.wait(3 * 3_600 + 2)
    account.prices(0, 50_100, 50_000)
    twin = account.check()
    kind, ts_ns, _, _, _, amount = twin.told[-1]
    assert (kind, ts_ns) == ("funding", START_NS + 300 * NS)
    assert amount == -3_282 * USD // 100  # 10,801 samples, settled in whole cents against us


def test_hyperliquid_pays_an_eighth_each_hour():
    """5M USD of PUMP at the interest rate: 0.0000125 an hour is 62.50; the short receives it."""
    for side, amount in ((BUY, -62_500_000 * 100), (SELL, 62_500_000 * 100)):
        account = Account([PUMP], cash_usd=5_000_000)
        account.prices(0, "0.0025", "0.0025")
        account.book(0, [(2_499, 10**10)], [(2_501, 10**10)])
        account.fill(0, side, 2_500, 2_000_000_000)
        account.wait(301)
        account.prices(0, "0.0025", "0.0025")
        assert account.check().told[-1] == ("funding", START_NS + 300 * NS, 0, side * 2_000_000_000, 0, amount)


def test_premium_needs_depth():
    """The impact bid of 20,000 USD lies 10 bps over the index; a book that is too thin shows no premium."""
    rates = []
    for lots in (30_000, 100):
        account = Account([BITCOIN], cash_usd=5_000_000)
        account.prices(0, 100_100, 100_000)
        account.book(0, [(1_001_000, lots)], [(1_001_010, lots)])
        account.fill(0, BUY, 1_001_000, 100_000)
        account.wait(301)
        account.prices(0, 100_100, 100_000)
        amount = account.check().told[-1][5]
        rates.append(Fraction(-amount, 100_000 * USD))
    assert rates == [Fraction(5, 10_000) / 8, Fraction(1, 10_000) / 8]


def test_impact_price_by_hand():
    """10,000 USD at 100.0: 40 lots of 0.5 there, then at 100.1 what is missing, rounded up to lots."""
    perps, _ = make_perps([plain(tick_size=Decimal("0.1"), lot_size=Decimal("0.5"))], [NO_TERMS], NO_FUNDING)
    books = np.zeros(1, book_t)
    book_clear(books[0])
    account = Account([BITCOIN])
    account.book(0, [(900, 5)], [(1_000, 40), (1_001, 500)])
    from makerside.core.book import apply_book_row, end_message
    from makerside.model.event import Flag, Kind

    for row in account.parts[0]:
        side = 1 if row["flags"] & Flag.SELL else 0
        apply_book_row(books[0], int(Kind.SNAPSHOT), side, int(row["price_ticks"]), row["size_lots"], 1)
    end_message(books[0])
    lots = ceil((10_000 - 40 * 50) / Fraction(1_001, 20))
    value = 40 * 50 + lots * Fraction(1_001, 20)
    assert impact_price_e8(perps[0], books[0], BUY, 10_000 * USD) == value / (40 + lots) * 2 * USD // 1
    assert impact_price_e8(perps[0], books[0], SELL, 10_000 * USD) == 0


NO_TERMS = terms_at(SPOT, DAY)
NO_FUNDING = FundingSource.NONE


def test_without_prices_the_touch_stands_for_them():
    perps, _ = make_perps([BITCOIN], [terms_at(BITCOIN, DAY)], NO_FUNDING)
    prices_from_touch(perps[0], 1_000, 1_003)
    assert perps[0]["mark_e8"] == perps[0]["index_e8"] == 10_015 * E8 // 100
    assert funding_next_ns(perps[0]["funding"]) == NEVER_NS


def test_recorded_funding_needs_rates():
    terms = [terms_at(BITCOIN, DAY)]
    with pytest.raises(ConfigError, match="BTC: there are no recorded funding rates"):
        make_perps([BITCOIN], terms, SOURCES["recorded"])
    rates = make_rates([(START_NS, 1.25e-05, None), (START_NS - 1, Decimal("-0.000001"), Decimal("0.0025"))])
    assert rates["rate_e12"].tolist() == [-1_000_000, 12_500_000]
    assert rates["price_e8"].tolist() == [250_000, 0]


# Liquidation.


def test_liquidation_price_of_the_notes():
    """Section 7.5: liq = px - side x margin available / size / (1 - l x side), here 5 BTC at 20x isolated.

    Isolated 25,000, maintenance 1/80 of the notional: 100,000 - (25,000 - 6,250) / 5 / (1 - 1/80) = 96,202.5
    """
    price = 100_000 - Fraction(25_000 - 6_250, 5) / (1 - Fraction(1, 80))
    above, below = Decimal(ceil(price * 10)) / 10, Decimal(int(price * 10)) / 10
    for mark, n in ((above, 0), (below, 1)):
        account = Account([BITCOIN], cash_usd=1_000_000, is_isolated=True, leverage=20, source="none")
        account.prices(0, 100_000, 100_000)
        account.fill(0, BUY, 1_000_000, 500_000)
        account.book(0, [(960_000, 10**9)], [(965_000, 1)])
        account.prices(0, mark, mark)
        account.check()
        assert account.clearing["n_liquidations"] == n
        lots = account.clearing["legs"][0]["position"]["position_lots"]
        assert lots == (500_000, 400_000)[n], "a fifth goes first"


def test_cooldown_and_then_the_rest():
    account = Account([BITCOIN], cash_usd=30_000, source="none")
    account.prices(0, 100_000, 100_000)
    account.fill(0, BUY, 1_000_000, 500_000)
    account.book(0, [(951_000, 10**9)], [(951_100, 1)])
    account.prices(0, "95100", "95100")
    account.wait(29)
    account.prices(0, 94_900, 94_900)
    account.wait(1)
    account.prices(0, 94_900, 94_900)
    twin = account.check()
    fills = [(ts_ns - START_NS, lots) for kind, ts_ns, _, lots, _, _ in twin.told if kind == "fill"]
    assert fills == [(0, 500_000), (0, -100_000), (30 * NS, -400_000)]


def test_lighter_never_sells_below_the_zero_price():
    """999.9 ETH, equity between closeout and maintenance: the limit keeps equity / maintenance as it is."""
    size = Fraction(9_999, 10)
    account = Account([LIGHTER_ETHER], cash_usd=50_000, source="none")
    account.prices(0, 2_000, 2_000)
    account.fill(0, BUY, 200_000, 9_999_000)
    equity = 50_000 + size * (1_973 - 2_000)
    maintenance = Fraction(12, 1_000) * size * 1_973
    zero = 1_973 * (1 - Fraction(12, 1_000) * equity / maintenance)
    tick = ceil(zero * 100)
    assert tick > zero * 100
    account.book(0, [(tick, 40_000), (tick - 1, 10**9)], [(210_000, 1)])
    account.prices(0, 1_973, 1_973)
    twin = account.check()
    assert [row[3:5] for row in twin.told] == [(9_999_000, 200_000), (-40_000, tick)]
    assert account.clearing["liquidation_fees_e8"] == 0, "at its limit there is no improvement to take from"


def test_takeover_leaves_the_rest_of_an_isolated_account_alone():
    account = Account([BITCOIN, PUMP], cash_usd=10_000, is_isolated=True, leverage=10, source="none")
    account.prices(0, 100_000, 100_000)
    account.prices(1, "0.0025", "0.0025")
    account.fill(0, BUY, 1_000_000, 10_000)  # 10,000 USD, 1,000 isolated
    account.fill(1, BUY, 2_500, 400_000)  # 1,000 USD
    fees = Decimal("1.5") + Decimal("0.15")
    account.wait(1)
    account.prices(0, 80_000, 80_000)
    account.check()
    clearing = account.clearing
    assert clearing["n_takeovers"] == 1
    assert clearing["legs"][1]["position"]["position_lots"] == 400_000
    assert clearing["cash_e8"] == int((10_000 - 1_000 - fees) * USD)
    assert isolated_equity_e8(account.perps[1], clearing["legs"][1]) == 100 * USD


def test_bankruptcy_ends_at_zero():
    account = Account([BITCOIN, PUMP], cash_usd=10_000, source="none")
    account.prices(0, 100_000, 100_000)
    account.prices(1, "0.0025", "0.0025")
    account.fill(0, BUY, 1_000_000, 200_000)
    account.fill(1, SELL, 2_500, 1_000_000)
    account.prices(0, 50_000, 50_000)
    account.check()
    assert account.clearing["cash_e8"] == 0
    assert equity_e8(account.clearing, account.perps) == 0
    assert account.clearing["n_takeovers"] == 2


# What margin allows.


def books_of(instruments, cash, **changes):
    """Return (perps, clearing) with prices."""
    terms = [terms_at(one, DAY) for one in instruments]
    perps, _ = make_perps(instruments, terms, NO_FUNDING)
    for i, price in enumerate((100_000, 40)):
        if i < len(perps):
            perps[i]["mark_e8"] = perps[i]["index_e8"] = price * E8
    settings = AccountSettings(Decimal(cash), **changes)
    return perps, make_clearing(instruments, terms, settings)[0]


def test_orders_bind_initial_margin():
    perps, clearing = books_of([BITCOIN], 1_000, is_isolated=False, leverage=10)
    position = clearing["legs"][0]["position"]
    assert has_margin_for(clearing, perps, 0, BUY, 1_000_000, 10_000)
    assert not has_margin_for(clearing, perps, 0, BUY, 1_000_000, 10_001)
    position["open_buy_lots"] = 4_000
    assert available_e8(clearing, perps) == 600 * USD
    assert not has_margin_for(clearing, perps, 0, BUY, 1_000_000, 6_001)
    position["open_buy_lots"] = 0
    position["position_lots"], position["cost_e8"] = 10_000, 10_000 * USD
    assert available_e8(clearing, perps) == 0
    assert cross_state(clearing, perps) == MarginState.HEALTHY
    assert has_margin_for(clearing, perps, 0, SELL, 1_000_000, 10_000), "what only closes needs none"
    assert not has_margin_for(clearing, perps, 0, SELL, 1_000_000, 10_001)
    position["open_sell_lots"] = 10_000
    assert not has_margin_for(clearing, perps, 0, SELL, 1_000_000, 1), "it is being closed already"


def test_spot_is_paid_in_full_and_never_short():
    perps, clearing = books_of([BITCOIN, SPOT], 1_000)
    assert has_margin_for(clearing, perps, 1, BUY, 40_000, 2_500)
    assert not has_margin_for(clearing, perps, 1, BUY, 40_000, 2_501)
    assert not has_margin_for(clearing, perps, 1, SELL, 40_000, 1)
    position = clearing["legs"][1]["position"]
    position["position_lots"], position["cost_e8"] = 1_000, 400 * USD
    assert available_e8(clearing, perps) == 600 * USD
    position["open_sell_lots"] = 400
    assert has_margin_for(clearing, perps, 1, SELL, 40_000, 600)
    assert not has_margin_for(clearing, perps, 1, SELL, 40_000, 601)


def test_spot_pays_no_funding_and_is_not_liquidated():
    account = Account([SPOT], cash_usd=1_000)
    account.prices(0, 40, 40)
    account.fill(0, BUY, 40_000, 2_000)
    account.wait(7_200)
    account.prices(0, 1, 1)
    account.check()
    assert [row[0] for row in account.run()] == ["fill"]


# The bot.


def test_a_bot_books_what_it_is_told():
    """Fills of the venue's own orders carry the bot's id: they reach its ledger and no order of its own."""
    account = Account([plain_perp()], cash_usd=10_000, source="none", start_ns=ENGINE_START_NS + NS)
    account.prices(0, 100, 100)
    account.book(0, [(9_000, 10**9)], [(10_001, 10**9)])
    account.fill(0, BUY, 10_000, 90_000)
    account.prices(0, "90.5", "90.5")
    account.run()
    liquidations = account.rows[2:]
    assert len(liquidations) > 0
    engine = make_engine(instruments=[plain_perp()])
    position = engine.accounts[0]["positions"][0]
    position["is_opened"] = 1
    position["position_lots"], position["cost_e8"] = 90_000, 90_000 * USD
    engine.step(np.ascontiguousarray(liquidations, event_t))
    theirs = account.clearing["legs"][0]["position"]
    assert engine.accounts[0]["n_strange"] == 0
    assert position["position_lots"] == theirs["position_lots"] < 90_000
    assert position["realized_e8"] == theirs["realized_e8"]
    assert engine.traders[0]["n_fills"] == len(liquidations) // 2


def plain_perp():
    """Return the plain instrument at a venue with rules."""
    return replace(plain(), venue="hyperliquid", max_leverage=10)


def test_margin_tiers_are_checked():
    tier = MarginTier(Decimal(0), Fraction(1, 10), Fraction(1, 20))
    with pytest.raises(AssertionError):
        margin_of(MarginTerms((replace(tier, lower_usd=Decimal(1)),)))
    assert np.zeros(1, perp_t)[0]["mark_e8"] == 0
