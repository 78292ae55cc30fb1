"""Funding, fees, margin and liquidation inside the walk: the venue's books, the bot's, and fractions agree."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from builders import MS, PLAIN_TICKS, Market, S, config_of, events_of, plain, random_tape, statement, tape
from makerside.journal.reader import Journal, heads
from makerside.journal.recording import Recording
from makerside.model.errors import ConfigError, DataError
from makerside.model.event import Flag, Kind, Reason, account_detail_t, event_t, order_detail_t
from makerside.model.order import VENUE_SLOT
from makerside.model.price import merge_prices, price_t, prices_of
from makerside.model.units import E8, NEVER_NS
from makerside.research.backtest import Simulation, Tape, block_rows, with_fees
from makerside.venues.lookup import terms_at
from perps import advance
from reference import perp as twins
from reference.book import BookTwin

START = 1_700_002_500 * S  # 2023-11-14 22:55:00 UTC: five minutes before funding
DAY = date(2023, 11, 14)
ENTRY_MS, RESPONSE_MS = 60, 35
SETTINGS = {
    "strategy.name": "glft",
    "strategy.levels": 2,
    "strategy.size_usd": 2_000,
    "strategy.half_spread_min_bps": 0.5,
    "strategy.half_spread_max_bps": 2.0,
    "strategy.spacing_bps": 1.0,
    "risk.position_max_usd": 30_000,
    "risk.order_max_usd": 30_000,
    "risk.total_max_usd": 100_000,
    "risk.stale_s": 60,
    "pacing.flush_ms": 1_000,
    "pacing.timer_ms": 5_000,
    "simulation.entry_ms": ENTRY_MS,
    "simulation.response_ms": RESPONSE_MS,
    "simulation.cash_usd": 10_000,
    "venue.leverage": 10,
    "venue.margin": "cross",
}
ON = {"simulation.fees": "rule", "simulation.funding": "rule", "simulation.margin": "rule"}
RATE = -37_000_000  # told with the prices: 0.37 bps, longs receive


def venue_perp(venue="hyperliquid", symbol="PLAIN", **changes):
    """Return the plain instrument at a venue with rules."""
    return replace(plain(symbol), venue=venue, max_leverage=10, **changes)


def market_rows(seed=5, minutes=160, crash_ticks=0, has_prices=True):
    """Return a market and its mark and index price every 7 s; after half of it the price may jump."""
    rng = np.random.default_rng(seed)
    n = minutes * 240 if minutes <= 20 else events_of(minutes * 240)
    gap = minutes * 60 * S * 2 // n
    first = Market(rng, size=3_000)
    rows = random_tape(rng, n // 2, mean_gap_ns=gap, start_ns=START, markets=[first])
    end = int(rows[-1]["ts_venue_ns"])
    then = Market(rng, PLAIN_TICKS - crash_ticks, size=3_000)
    late = random_tape(rng, n // 2, mean_gap_ns=gap, start_ns=end + S, markets=[then])
    rows = tape([rows, late])
    if not has_prices:
        return rows, np.zeros(0, price_t)
    told = []
    for ts in range(START + 1_234_567, int(rows[-1]["ts_local_ns"]), 7 * S):
        middle = PLAIN_TICKS - (crash_ticks if ts > end else 0) + int(rng.integers(-4, 4))
        index = middle - int(rng.integers(200, 300))
        told.append((ts, 0, middle * 10**6 + 123, index * 10**6 + 77, RATE, 1))
    return rows, np.array(told, price_t)


class Walked:
    """A backtest with its journal and the venue's books."""

    def __init__(self, market, settings=None, instrument=None):
        rows, prices = market
        self.config = config_of({**SETTINGS, **(settings or {})})
        instrument = instrument or venue_perp()
        recording = Recording(Path("random"), instrument, rows, {}, prices)
        self.tape = Tape.of([recording])
        self.instrument = with_fees(instrument, self.config, self.tape.start_ns)
        self.simulation = Simulation([self.config], self.tape, [[self.instrument]])
        block = np.zeros(block_rows(1 << 15), event_t)
        parts = [self.simulation.opening]
        while not self.simulation.is_done:
            parts.append(block[: self.simulation.advance(block)].copy())
        self.simulation.settle()
        written = np.concatenate(parts)
        self.journal = Journal(written, heads(written))
        self.engine = self.simulation.engine
        self.clearing = self.simulation.walk.worlds[0]["clearing"]
        self.leg = self.clearing["legs"][0]

    def told(self, kind):
        """Return [(row, detail)] of a kind in the journal."""
        rows, view = self.journal.rows, account_detail_t if kind == Kind.FUNDING else order_detail_t
        at = np.flatnonzero(self.journal.is_head & (rows["kind"] == kind))
        return [(rows[i], rows[i + 1 : i + 2].view(view)[0]) for i in at]

    def check(self):
        """The venue's books and the bot's agree, but for what is still on its way; a replay is the same."""
        account, pit = self.engine.accounts[0], self.simulation.walk.pits[0]
        position = account["positions"][0]
        on_the_way = self.simulation.walk.worlds[0]
        if on_the_way["report_head"] == on_the_way["report_tail"]:
            assert account["cash_e8"] == self.clearing["cash_e8"]
            for name in ("position_lots", "cost_e8", "realized_e8", "fees_e8", "funding_e8", "volume_e8"):
                assert position[name] == self.leg["position"][name], name
        assert pit["positions"][0] == self.leg["position"]["position_lots"]
        assert account["n_strange"] == account["n_impossible"] == account["n_duplicate_fills"] == 0
        replayed = Simulation([self.config], self.tape, [[self.instrument]]).engine
        fresh = type(replayed)(self.config, [self.instrument], self.tape.reference_ticks, has_own_in_book=False)
        events = np.ascontiguousarray(self.journal.events)
        actions = [part for part in fresh.run(events) if len(part)]
        assert np.concatenate(actions).tobytes() == self.journal.actions.tobytes()
        assert fresh.state_bytes() == self.engine.state_bytes()
        return self


def twin_of(walked, has_margin=False):
    """Return the account in fractions: the tape by venue time, and the fills that the journal tells."""
    terms = terms_at(walked.instrument, DAY)
    source = walked.config.simulation.funding
    market = twins.Market(walked.instrument, terms, source, walked.tape.start_ns)
    twin = twins.PerpTwin([market], int(walked.config.simulation.cash_usd) * E8)
    if not has_margin:
        twin.liquidate = lambda ts_ns: None
    book = BookTwin(1 << 16)
    facts = [(int(row["ts_venue_ns"]), 0, row, None) for row in walked.tape.events]
    facts += [(int(price["ts_ns"]), 0, None, price) for price in walked.tape.prices]
    facts += [(int(row["ts_venue_ns"]), 1, row, detail) for row, detail in walked.told(Kind.FILL)]
    names = {Kind.DELTA: "delta", Kind.SNAPSHOT: "snapshot", Kind.BBO: "bbo"}
    for ts_ns, _, row, detail in sorted(facts, key=lambda fact: fact[:2]):
        advance(twin, ts_ns)
        if row is None:
            market.mark, market.index = int(detail["mark_e8"]), int(detail["index_e8"])
            market.is_told, market.told = True, int(detail["rate_e12"])
            continue
        kind, side = Kind(row["kind"]), 1 if row["flags"] & Flag.SELL else 0
        if kind == Kind.FILL:
            lots, price = int(row["size_lots"]), int(row["price_ticks"])
            twin.fill(ts_ns, 0, -1 if side else 1, price, lots, bool(row["flags"] & Flag.TAKER))
            assert twin.told[-1][5] == detail["fee_e8"]
        elif kind in names:
            book.row(names[kind], side, int(row["price_ticks"]), int(row["size_lots"]), ts_ns)
            if row["flags"] & Flag.LAST:
                book.in_snapshot = False
            market.book = {1: book.levels[0], -1: book.levels[1]}
    return twin


@pytest.mark.parametrize("source", ["rule", "told"])
def test_funding_of_a_backtest_equals_fractions(source):
    """Premiums sampled from the book every 5 s, the position at the venue when funding is due: difference 0."""
    walked = Walked(market_rows(), {"simulation.funding": source, "simulation.fees": "rule"}).check()
    twin = twin_of(walked)
    paid = [(int(row["ts_venue_ns"]), int(detail["amount_e8"])) for row, detail in walked.told(Kind.FUNDING)]
    assert paid == [(ts_ns, amount) for kind, ts_ns, _, _, _, amount in twin.told if kind == "funding"]
    assert [ts_ns for ts_ns, _ in paid] == [START + 300 * S, START + 3_900 * S]
    assert any(amount != 0 for _, amount in paid)
    assert walked.clearing["cash_e8"] == twin.cash
    assert walked.leg["position"]["fees_e8"] == twin.legs[0].ledger.fees > 0
    for row, detail in walked.told(Kind.FUNDING):
        assert row["ts_local_ns"] == row["ts_venue_ns"] + RESPONSE_MS * MS
        assert detail["account"] == 0


def test_premiums_move_the_rate():
    """The test above would pass with a premium of 0 at all times; this one would not."""
    walked = Walked(market_rows(), {"simulation.funding": "rule"})
    funding = walked.simulation.walk.walks[0]["perps"][0]["funding"]
    assert funding["n_paid"] == 2
    assert funding["rate_e12"] not in (0, 10**8), "neither nothing nor the interest alone"


def test_without_rules_the_clock_never_stops():
    walked = Walked(market_rows(minutes=10))
    walk = walked.simulation.walk.walks[0]
    assert walk["clock_ns"] == walk["margin_ns"] == NEVER_NS
    assert walked.clearing["cash_e8"] == 0
    assert len(walked.told(Kind.FILL)) > 0


def test_rules_alone_change_no_fill():
    """Funding moves money, not orders: the same decisions at the same times."""
    rows = market_rows()
    plainly, funded = Walked(rows), Walked(rows, {"simulation.funding": "told"})
    assert plainly.journal.actions["price_ticks"].tobytes() == funded.journal.actions["price_ticks"].tobytes()
    assert len(plainly.told(Kind.FILL)) == len(funded.told(Kind.FILL)) > 0
    difference = int(funded.engine.accounts[0]["cash_e8"]) - int(plainly.engine.accounts[0]["cash_e8"])
    assert difference == funded.engine.accounts[0]["positions"][0]["funding_e8"] != 0


def test_recorded_payments(tmp_path):
    """Times and rates of the file; a position that is flat pays nothing."""
    times = [START // MS + 200_000 + 48, START // MS + 1_800_000]
    path = tmp_path / "hyperliquid-PLAIN.parquet"
    pq.write_table(pa.table({"ts_ms": times, "rate": [0.0005, -0.001], "index_price": [50.0, 50.0]}), path)
    settings = {"simulation.funding": "recorded", "simulation.funding_data": str(tmp_path)}
    walked = Walked(market_rows(has_prices=False), settings).check()
    paid = walked.told(Kind.FUNDING)
    held = [position_at(walked, ts * MS) for ts in times]
    expected = []
    for ts, lots, rate in zip(times, held, (500, -1_000), strict=True):
        amount = -lots * 50 * (E8 // 100) * rate // 10**6 // 100 * 100  # a lot is 0.01; down to 10^-6
        if lots:
            expected.append((ts * MS, lots, amount))
    assert expected
    assert [(row["ts_venue_ns"], row["size_lots"], detail["amount_e8"]) for row, detail in paid] == expected


def position_at(walked, ts_ns):
    """Return the position at the venue at a time, from the fills."""
    fills = [row for row, _ in walked.told(Kind.FILL) if row["ts_venue_ns"] <= ts_ns]
    return sum(int(row["size_lots"]) * (-1 if row["flags"] & Flag.SELL else 1) for row in fills)


def test_short_of_margin_new_orders_are_refused():
    """1,000 USD at 10x carry 10,000 USD, orders included; the bot would like 30,000."""
    walked = Walked(market_rows(minutes=20), {**ON, "simulation.cash_usd": 1_000}).check()
    reasons = {int(detail["reference"]) for _, detail in walked.told(Kind.ORDER_REJECT)}
    assert Reason.MARGIN in reasons
    assert walked.clearing["n_liquidations"] == 0
    held = 0
    for row, _ in walked.told(Kind.FILL):
        held += int(row["size_lots"]) * (-1 if row["flags"] & Flag.SELL else 1)
        assert abs(held) * row["price_ticks"] < 10_000 * 10_000 * 1.01
    rich = Walked(market_rows(minutes=20), {**ON, "simulation.cash_usd": 50_000})
    assert Reason.MARGIN not in {int(detail["reference"]) for _, detail in rich.told(Kind.ORDER_REJECT)}


def crash(margin, cash_usd=1_500, ticks=800):
    """Return a walk through a market that falls by 8 % at once, on a bot that is long by then."""
    settings = {
        **ON,
        "simulation.cash_usd": cash_usd,
        "venue.margin": margin,
        "strategy.half_spread_max_bps": 1.0,
    }
    for seed in range(5, 25):
        walked = Walked(market_rows(seed=seed, minutes=20, crash_ticks=ticks), settings)
        if walked.clearing["n_liquidations"] + walked.clearing["n_takeovers"] > 0:
            return walked.check()
    raise AssertionError("no seed makes the bot long enough")


@pytest.mark.parametrize("margin", ["cross", "isolated"])
def test_liquidation(margin):
    """First its orders end, then the venue sells; the bot hears of both and quotes on."""
    walked = crash(margin)
    fills = [one for one in walked.told(Kind.FILL) if one[1]["client_order_id"] & VENUE_SLOT == VENUE_SLOT]
    ends = [one for one in walked.told(Kind.ORDER_CANCELED) if one[1]["reference"] == Reason.LIQUIDATION]
    assert fills
    assert ends, "what rested ended first"
    assert ends[0][0]["ts_venue_ns"] <= fills[0][0]["ts_venue_ns"]
    assert all(row["ts_local_ns"] == row["ts_venue_ns"] + RESPONSE_MS * MS for row, _ in fills + ends)
    assert all(row["ts_venue_ns"] % S == 0 for row, _ in fills), "margin is looked at once a second"
    own = [int(detail["client_order_id"]) for _, detail in walked.told(Kind.ORDER_REJECT)]
    assert not any(one & VENUE_SLOT == VENUE_SLOT for one in own), "the venue's own order is not reported"
    assert walked.clearing["cash_e8"] >= 0
    assert walked.engine.traders[0]["n_fills"] == len(walked.told(Kind.FILL))


def test_takeover_of_everything():
    """A fall that is too deep for the book: nothing is left, and nothing is owed."""
    walked = crash("cross", cash_usd=1_200, ticks=2_500)
    assert walked.clearing["n_takeovers"] > 0
    assert walked.clearing["cash_e8"] == walked.engine.accounts[0]["cash_e8"] == 0
    assert walked.leg["position"]["position_lots"] == 0


def test_worlds_with_accounting_are_alone(tmp_path):
    """Three accounts of different money in one walk: each is the walk of it alone, byte for byte."""
    rows = market_rows(minutes=30, crash_ticks=600)
    walked = Walked(rows, ON)
    configs = [
        config_of({**SETTINGS, **ON, "simulation.cash_usd": cash, "strategy.levels": levels})
        for cash, levels in ((1_000, 1), (1_500, 2), (50_000, 2))
    ]

    def walk(chosen):
        simulation = Simulation(chosen, walked.tape, [[walked.instrument]] * len(chosen), is_lean=True)
        block = np.zeros(block_rows(1 << 14, len(chosen)), event_t)
        simulation.advance(block)
        while simulation.is_full:
            simulation.advance(block)
        simulation.settle()
        worlds = simulation.walk.worlds
        return [
            (engine.accounts.tobytes(), engine.traders.tobytes(), worlds[w]["clearing"].tobytes())
            for w, engine in enumerate(simulation.engines)
        ]

    together = walk(configs)
    assert together == [walk([config])[0] for config in configs]
    assert len(set(together)) == 3


def test_fees_of_the_venue():
    """Thalex charges on the index in whole cents, Lighter's first kind of account pays nothing."""
    rows = market_rows(minutes=10)
    thalex = Walked(rows, {"simulation.fees": "rule"}, venue_perp("thalex", "BTC-PERPETUAL"))
    fees = [int(detail["fee_e8"]) for _, detail in thalex.told(Kind.FILL)]
    assert fees
    assert all(fee > 0 and fee % 10**6 == 0 for fee in fees)
    lighter = Walked(rows, {"simulation.fees": "rule"}, venue_perp("lighter"))
    assert lighter.told(Kind.FILL)
    assert lighter.leg["position"]["fees_e8"] == 0
    premium = {"simulation.fees": "rule", "simulation.account_tier": "premium"}
    assert Walked(rows, premium, venue_perp("lighter")).leg["position"]["fees_e8"] > 0
    assert with_fees(venue_perp("lighter"), config_of(premium), START).taker_fee == Decimal("0.0002")


def test_thalex_settles_what_has_accrued():
    """From 22:55 there is no settlement: funding is owed, and no row tells it."""
    walked = Walked(
        market_rows(minutes=20), {"simulation.funding": "rule", "simulation.fees": "rule"}, venue_perp("thalex")
    ).check()
    assert not walked.told(Kind.FUNDING)
    assert walked.leg["accrued_e8"] != 0
    assert walked.leg["accrued_e8"] == twin_of_thalex(walked) // 1


def twin_of_thalex(walked):
    """Return what the twin owes or is owed."""
    return twin_of(walked).legs[0].accrued


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        (
            {"simulation.funding": "rule"},
            ConfigError,
            "'test', which has no rules here",
        ),
        ({"simulation.funding": "recorded"}, ConfigError, "funding_data: recorded funding needs"),
        (
            {"simulation.funding": "recorded", "simulation.funding_data": "/nowhere/a.parquet"},
            DataError,
            "not a readable Parquet file",
        ),
        (
            {"simulation.fees": "rule", "simulation.account_tier": "gold"},
            ConfigError,
            "'gold' is none; known are",
        ),
        ({"simulation.margin": "rule", "venue.leverage": 11}, ConfigError, "leverage 11 is above"),
    ],
)
def test_what_cannot_be_accounted_is_told(settings, error, words):
    instrument = plain() if "'test'" in words else venue_perp("lighter" if "gold" in words else "hyperliquid")
    with pytest.raises(error, match=words):
        Walked(market_rows(minutes=1), settings, instrument)


def test_another_venues_rules():
    walked = Walked(market_rows(), {"simulation.funding": "rule", "simulation.rules_venue": "lighter"}, plain())
    assert len(walked.told(Kind.FUNDING)) == 2


def test_prices_of_a_recorded_run_are_kept():
    """PRICES rows of a journal, in the venue's time or in ours, with and without a rate."""
    rows = tape([statement(Kind.PRICES, START + k, 0, 7 * k, 100 + k, 200 + k, -1, k) for k in (0, 1)])
    rows[0]["ts_venue_ns"] = 0
    rows[2]["flags"] |= Flag.RATE
    prices = prices_of(rows[::2], rows[1::2])
    assert prices.tolist() == [(START, 0, 100, 200, 0, 0), (START + 1, 1, 101, 201, 7, 1)]
    merged = merge_prices([prices[1:], prices[:1]])
    assert merged["ts_ns"].tolist() == [START, START + 1]
    assert merged["instrument"].tolist() == [1, 0]
