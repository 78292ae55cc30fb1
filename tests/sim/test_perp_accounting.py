"""Perp accounting against fractions: random histories, difference 0."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from makerside.core.positions import book_fill, book_funding
from makerside.model.account import account_t
from makerside.model.event import Flag, Kind, account_detail_t, order_detail_t
from makerside.model.terms import Standing
from makerside.model.units import BUY, E8, SELL
from perps import (
    BITCOIN,
    LIGHTER_ETHER,
    LIGHTER_PUMP,
    PRICES,
    PUMP,
    START_NS,
    THALEX_BITCOIN,
    THALEX_ETHER,
    Account,
)

BPS = Decimal("0.0001")
FIVE_MILLION = 5_000_000
LEVEL_LOTS = st.tuples(*[st.integers(1, 400_000)] * 6)  # USD of each of six levels

moves = st.tuples(st.just("move"), st.integers(-600, 600), st.integers(-60, 60), LEVEL_LOTS)
fills = st.tuples(st.just("fill"), st.sampled_from([BUY, SELL]), st.integers(1, FIVE_MILLION), st.booleans())
waits = st.tuples(st.just("wait"), st.integers(1, 4_000))
steps = st.lists(st.tuples(st.integers(0, 1), st.one_of(moves, fills, waits)), min_size=5, max_size=25)


def play(account, history, wait_max=4_000):
    """Write a history onto an account's tape. Prices walk in bps of where they are."""
    at = [Decimal(PRICES[one.symbol]) for one in account.instruments]
    for i, one in enumerate(account.instruments):
        quote(account, i, one, at[i], 0, (50_000,) * 6)
    for i, (what, *values) in history:
        one = account.instruments[i]
        if what == "wait":
            account.wait(min(values[0], wait_max))
        elif what == "move":
            account.wait(1)
            move, basis, levels = values
            at[i] *= 1 + move * BPS
            quote(account, i, one, at[i], basis, levels)
        else:
            side, notional, is_taker = values
            lots = max(1, int(notional / at[i] / one.lot_size))
            account.fill(i, side, int(at[i] / one.tick_size), lots, is_taker)
    account.wait(60)
    quote(account, 0, account.instruments[0], at[0], 0, (50_000,) * 6)


def quote(account, i, instrument, mark, basis_bps, levels):
    """Tell prices, then a book of three levels a side round the mark."""
    account.prices(i, mark, mark * (1 - basis_bps * BPS))
    tick = max(10, int(mark / instrument.tick_size))
    lots = [max(1, int(usd / mark / instrument.lot_size)) for usd in levels]
    step = max(1, tick // 10_000)
    bids = [(tick - step * (k + 1), lots[k]) for k in range(3)]
    asks = [(tick + step * (k + 1), lots[3 + k]) for k in range(3)]
    account.book(i, bids, asks)


def bot_hears(account):
    """Return the account as the bot books it from the rows it is told."""
    bot = np.zeros(1, account_t)[0]
    bot["cash_e8"] = account.cash_usd * E8
    for i, one in enumerate(account.instruments):
        bot["positions"][i]["unit_value_e8"] = one.unit_value_e8
    orders, accounts = account.rows.view(order_detail_t), account.rows.view(account_detail_t)
    for k in range(0, len(account.rows), 2):
        row = account.rows[k]
        position = bot["positions"][int(row["instrument"])]
        if row["kind"] == Kind.FUNDING:
            book_funding(position, bot, accounts[k + 1]["amount_e8"])
        else:
            side = SELL if row["flags"] & Flag.SELL else BUY
            book_fill(position, bot, side, int(row["price_ticks"]), row["size_lots"], orders[k + 1]["fee_e8"])
    return bot


def check(account):
    """Compare kernel and twin, the bot's ledger and the venue's, and the identity of equity."""
    twin = account.check()
    bot = bot_hears(account)
    assert bot["cash_e8"] == account.clearing["cash_e8"]
    for i, leg in enumerate(twin.legs):
        mine, theirs = bot["positions"][i], account.clearing["legs"][i]["position"]
        for name in ("position_lots", "cost_e8", "realized_e8", "fees_e8", "funding_e8", "volume_e8"):
            assert mine[name] == theirs[name], name
        # What was paid and received for the base itself, without any cost basis.
        price = max(1, leg.market.mark // leg.market.tick_e8)
        assert leg.ledger.cash + leg.ledger.unrealized(price) == twin.plain[i].equity(price)
    return twin


@given(steps, st.sampled_from([1_000, 60_000, 2_000_000]), st.booleans(), st.sampled_from([None, 3, 10]))
@settings(max_examples=120)
def test_hyperliquid(history, cash, is_isolated, leverage):
    """Tiers of margin, impact premium, parts of 20 %, takeovers; PUMP at 0.0025 and 5M notionals."""
    account = Account([BITCOIN, PUMP], cash, is_isolated, leverage)
    play(account, history)
    check(account)


@given(steps, st.sampled_from([1_000, 60_000, 2_000_000]), st.booleans(), st.sampled_from(["", "premium"]))
@settings(max_examples=80)
def test_lighter(history, cash, is_isolated, tier):
    """Zero-price liquidation, fee out of the improvement, closeout margin."""
    account = Account([LIGHTER_ETHER, LIGHTER_PUMP], cash, is_isolated, standing=Standing(tier))
    play(account, history)
    check(account)


@given(steps, st.sampled_from([10_000, 60_000, 2_000_000]), st.booleans())
@settings(max_examples=40)
def test_thalex(history, cash, is_nearest):
    """Funding that accrues every second and is settled at 08:00, fees on the index, margin on the index."""
    account = Account([THALEX_BITCOIN, THALEX_ETHER], cash, rules={"fee_rounds_to_nearest": is_nearest})
    play(account, history, wait_max=200)
    check(account)


@given(
    steps,
    st.lists(st.tuples(st.integers(1, 20_000), st.integers(-(4 * 10**10), 4 * 10**10), st.integers(0, 1))),
)
@settings(max_examples=60)
def test_recorded_funding(history, payments):
    """Rates with twelve decimals at times of their own, with and without a price."""
    rows = sorted(
        (START_NS + after * 10**9, rate, has_price * 11_800_012_345_678) for after, rate, has_price in payments
    )
    rows = rows or [(START_NS + 10**9, 0, 0)]
    account = Account(
        [BITCOIN, PUMP], 2_000_000, source="recorded", rates=[rows, [(START_NS + 1, 12_500_000, 0)]]
    )
    play(account, history)
    check(account)


@given(steps, st.integers(-(10**10), 10**10))
@settings(max_examples=30)
def test_told_funding(history, rate):
    """The venue's own rate, as it tells it with its prices."""
    account = Account([BITCOIN, PUMP], 2_000_000, source="told")
    account.prices(0, 118_000, 118_010, rate)
    play(account, history)
    check(account)


def test_histories_reach_everything():
    """What the histories above are for does occur in them: a liquidation, a takeover, a rebate, a payment."""
    account = Account(
        [BITCOIN, PUMP], 60_000, standing=Standing(volume_usd=10**10, maker_share=Decimal("0.02"))
    )
    history = [
        (0, ("fill", BUY, 1_000_000, False)),
        (1, ("fill", SELL, 200_000, True)),
        (0, ("wait", 4_000)),
        (0, ("move", -420, 5, (90_000,) * 6)),
        (0, ("wait", 31)),
        (0, ("move", -60, 5, (90_000,) * 6)),
        (0, ("move", -500, 5, (90_000,) * 6)),
    ]
    play(account, history)
    check(account)
    kinds = [row[0] for row in account.run()]
    assert kinds.count("funding") == 4, "08:00 and 09:00, two positions"
    assert account.clearing["n_liquidations"] > 0
    assert account.clearing["n_takeovers"] == 2
    assert account.clearing["cash_e8"] == 0
    assert account.run()[0][5] < 0, "a rebate"


@pytest.mark.parametrize("source", ["rule", "none"])
def test_without_funding_the_clock_never_stops(source):
    account = Account([BITCOIN], source=source)
    play(account, [(0, ("fill", BUY, 1_000, False)), (0, ("wait", 4_000))])
    check(account)
    n = sum(row[0] == "funding" for row in account.run())
    assert n == (2 if source == "rule" else 0)


def test_a_year_of_recorded_payments(data):
    """8,000 recorded rates of BTC on 5M USD, long and short in turn."""
    from makerside.research.funding_data import read_rates

    rates = read_rates(data / "funding" / "hyperliquid-BTC.parquet")[-8_000:]
    rows = [(int(row["ts_ns"]), int(row["rate_e12"]), int(row["price_e8"])) for row in rates]
    account = Account([BITCOIN], 100_000_000, source="recorded", rates=[rows], start_ns=rows[0][0] - 1)
    side = BUY
    for ts_ns, _, _ in rows[::1_000]:
        account.now_ns = ts_ns
        account.prices(0, 118_000, 118_000)
        account.fill(0, side, 1_180_000, 4_237_288 * (1 if ts_ns == rows[0][0] else 2))
        side = -side
    account.now_ns = rows[-1][0] + 1
    account.prices(0, 118_000, 118_000)
    twin = check(account)
    assert account.clearing["n_funding"] == sum(row[0] == "funding" for row in twin.told) > 7_900
