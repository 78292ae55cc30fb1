"""The backtest loop: latencies, one clock for both sides, and a journal that replays to the same bytes."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from builders import (
    MS,
    START_NS,
    Market,
    S,
    book_row,
    config_of,
    events_of,
    plain,
    random_tape,
    run,
    tape,
    touch,
    trade,
)
from makerside.engine import Engine
from makerside.journal.reader import read_journal
from makerside.journal.recording import Recording
from makerside.journal.writer import JournalWriter
from makerside.model.action import ActionKind
from makerside.model.event import Flag, Kind, event_t, order_detail_t
from makerside.model.units import ASK, BID, BUY, SELL
from makerside.research import backtest
from makerside.research.backtest import first_mid_ticks, run_backtest, venue_order
from reference import ledger

SETTINGS = {
    "strategy.name": "glft",
    "strategy.levels": 2,
    "strategy.size_usd": 20,
    "strategy.half_spread_min_bps": 0.5,
    "strategy.half_spread_max_bps": 2.0,
    "strategy.spacing_bps": 1.0,
    "risk.position_max_usd": 300,
    "risk.stale_s": 5,
    "pacing.flush_ms": 100,
    "pacing.timer_ms": 250,
    "simulation.entry_ms": 60,
    "simulation.response_ms": 35,
}
ENTRY, RESPONSE = 60 * MS, 35 * MS
REPORTS = range(Kind.ORDER_ACK, Kind.SEND_FAILED + 1)


def recording(rows, instrument=None):
    """Return rows as a recording of one instrument."""
    return Recording(Path("random"), instrument or plain(), rows, {})


def random_recording(rng, n_rows, **market):
    """Return a random market with arrival times that wander behind the venue's."""
    rows = random_tape(rng, n_rows, **market)
    late = rows["ts_venue_ns"] + rng.integers(2 * MS, 40 * MS, len(rows))
    last = np.append(rows["ts_venue_ns"][1:] != rows["ts_venue_ns"][:-1], True)
    message = np.append(0, np.cumsum(last[:-1]))
    rows["ts_local_ns"] = np.maximum.accumulate(late[np.flatnonzero(last)][message])
    return recording(rows)


class Run:
    """A finished backtest: its journal and what is left in memory."""

    def __init__(self, folder, recordings, settings=None, name="journal", on_progress=None):
        self.settings = {**SETTINGS, **(settings or {})}
        self.config = config_of(self.settings)
        self.recordings = recordings
        path = folder / name
        with JournalWriter(path) as writer:
            self.result = run_backtest(self.config, recordings, writer, on_progress)
        self.bytes = path.read_bytes()
        self.journal = read_journal(path)

    def engine(self):
        """Return a fresh engine of the same run."""
        made = self.result.engine
        return Engine(self.config, made.instruments, made.reference_ticks, has_own_in_book=False)

    def reports(self):
        """Return (rows, details) of all reports."""
        events = self.journal.events
        at = np.flatnonzero(self.journal.is_head & np.isin(self.journal.rows["kind"], REPORTS))
        rows = np.asarray(self.journal.rows)
        assert len(events)
        return rows[at], np.ascontiguousarray(rows[at + 1]).view(order_detail_t)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Return a run over a random market."""
    rng = np.random.default_rng(11)
    return Run(tmp_path_factory.mktemp("run"), [random_recording(rng, events_of(30_000))])


def test_a_run_trades(finished):
    """Everything below would hold for a bot that does nothing as well."""
    trader, account = finished.result.engine.traders[0], finished.result.engine.accounts[0]
    assert trader["n_fills"] > events_of(30_000) // 300
    assert trader["n_cancels"] > 0
    assert account["n_duplicate_fills"] == account["n_impossible"] == account["n_strange"] == 0
    assert finished.result.is_complete
    assert finished.result.n_actions == len(finished.journal.actions)


def test_nothing_happens_to_an_order_before_it_has_arrived(finished):
    """Decision + entry at the exchange, + response with us: at the earliest, and for the answer exactly."""
    decided = {}
    for action in finished.journal.actions:
        decided.setdefault(int(action["client_order_id"]), {})[int(action["kind"])] = int(
            action["ts_decided_ns"]
        )
    first = {}
    for row, detail in zip(*finished.reports(), strict=True):
        order = int(detail["client_order_id"])
        venue, local = int(row["ts_venue_ns"]), int(row["ts_local_ns"])
        assert local == venue + RESPONSE
        assert venue >= decided[order][ActionKind.PLACE] + ENTRY
        first.setdefault(order, venue)
        if row["kind"] == Kind.CANCEL_TOO_LATE:
            assert venue == decided[order][ActionKind.CANCEL] + ENTRY
        if row["kind"] == Kind.ORDER_CANCELED:
            assert venue == decided[order][ActionKind.CANCEL] + ENTRY
    for order, times in decided.items():
        if order in first:
            assert first[order] == times[ActionKind.PLACE] + ENTRY, "its ack or reject"
    assert len(first) > 100


def test_fills_are_of_their_orders(finished):
    """Side and price of the order, no more than its size in all; both sides trade."""
    placed = {int(a["client_order_id"]): a for a in finished.journal.actions if a["kind"] == ActionKind.PLACE}
    rows, details = finished.reports()
    filled, sides = {}, set()
    for row, detail in zip(rows, details, strict=True):
        order = placed[int(detail["client_order_id"])]
        assert row["flags"] & Flag.SELL == order["flags"] & Flag.SELL
        assert row["price_ticks"] == order["price_ticks"]
        if row["kind"] == Kind.FILL:
            key = int(detail["client_order_id"])
            filled[key] = filled.get(key, 0) + int(row["size_lots"])
            assert filled[key] <= order["size_lots"]
            sides.add(int(row["flags"] & Flag.SELL))
    assert len(sides) == 2


def test_rows_reach_step_in_local_time(finished):
    heads = np.asarray(finished.journal.rows)[finished.journal.is_head]
    events = heads[heads["kind"] < 128]
    assert (np.diff(events["ts_local_ns"]) >= 0).all()
    market = events[np.isin(events["kind"], [Kind.DELTA, Kind.SNAPSHOT, Kind.TRADE, Kind.BBO])]
    assert market.tobytes() == finished.recordings[0].events[: len(market)].tobytes(), "every row, unchanged"
    assert len(market) == len(finished.recordings[0].events)


def test_timers_come_regularly(finished):
    heads = np.asarray(finished.journal.rows)[finished.journal.is_head]
    times = heads["ts_local_ns"][heads["kind"] == Kind.TIMER]
    assert (np.diff(times) == 250 * MS).all()
    assert times[0] == heads["ts_local_ns"][0] + 250 * MS


def test_an_action_follows_the_event_that_caused_it(finished):
    """Reports of one moment are fed together: their actions stand behind them and name the row they saw."""
    rows, is_head = np.asarray(finished.journal.rows), finished.journal.is_head
    times, last = [], 0
    for i in np.flatnonzero(is_head):
        row = rows[i]
        if row["kind"] < 128:
            n = 1 + int(i + 1 < len(rows) and not is_head[i + 1])
            times += [int(row["ts_local_ns"])] * n
            continue
        seen = int(row["ts_venue_ns"])
        assert last <= seen <= len(times)
        assert row["ts_local_ns"] == times[seen - 1]
        last = seen
    assert last > 0


@pytest.mark.parametrize("block", [0, 1, 500])
def test_the_journal_replays_to_the_same_actions_and_state(finished, block):
    engine = finished.engine()
    actions = run(engine, np.ascontiguousarray(finished.journal.events), block)
    assert actions.tobytes() == finished.journal.actions.tobytes()
    assert engine.state_bytes() == finished.result.engine.state_bytes()


def test_the_ledger_is_the_sum_of_the_journaled_fills(finished):
    rows, details = finished.reports()
    fills, about = rows[rows["kind"] == Kind.FILL], details[rows["kind"] == Kind.FILL]
    assert len(set(about["reference"].tolist())) == len(about)
    instrument, twin = finished.recordings[0].instrument, ledger.LedgerTwin(10_000, 10_000 * 10**8)
    for fill, detail in zip(fills, about, strict=True):
        price, lots = int(fill["price_ticks"]), int(fill["size_lots"])
        assert not fill["flags"] & Flag.TAKER, "post-only orders only make"
        rate = int(instrument.maker_fee * 10**9)
        assert detail["fee_e8"] == ledger.fee(price * lots * 10_000, rate, 100)
        twin.fill(SELL if fill["flags"] & Flag.SELL else BUY, price, lots, int(detail["fee_e8"]))
    account = finished.result.engine.accounts[0]
    assert account["cash_e8"] == twin.cash
    assert account["positions"][0]["position_lots"] == twin.position
    assert account["positions"][0]["fees_e8"] == twin.fees > 0


def test_the_same_run_twice_gives_the_same_file(finished, tmp_path):
    again = Run(tmp_path, finished.recordings)
    assert again.bytes == finished.bytes
    assert again.result.engine.state_bytes() == finished.result.engine.state_bytes()


@pytest.mark.parametrize("block_rows", [1, 777, 1 << 14])
def test_the_size_of_journal_blocks_changes_nothing(finished, tmp_path, monkeypatch, block_rows):
    monkeypatch.setattr(backtest, "BLOCK_ROWS", block_rows)
    again = Run(tmp_path, finished.recordings)
    assert again.bytes == finished.bytes


def test_an_interrupted_run_leaves_its_files_in_order(finished, tmp_path, monkeypatch):
    monkeypatch.setattr(backtest, "BLOCK_ROWS", 1_000)
    calls = []

    def interrupt(done, total):
        calls.append((done, total))
        if len(calls) == 2:
            raise KeyboardInterrupt

    part = Run(tmp_path, finished.recordings, on_progress=interrupt)
    assert not part.result.is_complete
    assert 0 < len(part.journal.actions) < len(finished.journal.actions)
    assert finished.journal.actions[: len(part.journal.actions)].tobytes() == part.journal.actions.tobytes()
    engine = part.engine()
    run(engine, np.ascontiguousarray(part.journal.events))
    assert engine.state_bytes() == part.result.engine.state_bytes()


def test_two_symbols_share_an_account_and_nothing_else(tmp_path):
    """Fills of both are booked, none is taken for the other's."""
    rng = np.random.default_rng(3)
    both = [random_recording(rng, events_of(12_000)) for _ in range(2)]
    done = Run(tmp_path, both)
    engine = done.result.engine
    assert (engine.traders["n_fills"] > 0).all()
    assert engine.accounts[0]["n_duplicate_fills"] == 0
    rows, _ = done.reports()
    for i in range(2):
        fills = rows[(rows["kind"] == Kind.FILL) & (rows["instrument"] == i)]
        signs = np.where(fills["flags"] & Flag.SELL, -1, 1)
        assert engine.accounts[0]["positions"][i]["position_lots"] == (signs * fills["size_lots"]).sum()


# The two clocks, in small.

STILL = {
    "strategy.half_spread_min_bps": 3.0,
    "strategy.half_spread_max_bps": 3.0,
    "strategy.levels": 1,
    "pacing.timer_ms": 10_000,
    "simulation.entry_ms": 100,
    "simulation.response_ms": 30,
}


def after(ms):
    """Return a time after the start."""
    return START_NS + ms * MS


def fills_of(done):
    """Return (venue, local) of fills in ms after the start, with their sizes."""
    rows, _ = done.reports()
    return [
        (
            (int(r["ts_venue_ns"]) - START_NS) // MS,
            (int(r["ts_local_ns"]) - START_NS) // MS,
            int(r["size_lots"]),
        )
        for r in rows
        if r["kind"] == Kind.FILL
    ]


def still_market(*rows):
    """Return a recording of 9,990 x 10,010 (we bid 9,997) that ends two seconds later."""
    parts = [touch(9_990, 10_010), *rows, touch(9_990, 10_010, after(2_000), bid_lots=5)]
    return recording(tape(parts))


@pytest.mark.parametrize(
    ("print_ms", "is_filled"),
    [(99, False), (100, False), (101, True), (150, True)],
)
def test_a_print_fills_an_order_that_had_arrived(tmp_path, print_ms, is_filled):
    """Decided at 0, at the exchange at 100: rows of that very moment come first."""
    done = Run(tmp_path, [still_market(trade(SELL, 9_995, 1, after(print_ms)))], STILL)
    assert fills_of(done) == ([(print_ms, print_ms + 30, 20)] if is_filled else [])


@pytest.mark.parametrize(("venue_ms", "is_filled"), [(90, False), (110, True)])
def test_the_exchange_sees_prints_at_their_own_time(tmp_path, venue_ms, is_filled):
    """A print that reaches us at 500 happened before or after our order arrived: only that counts."""
    late = trade(SELL, 9_995, 1, after(500), venue=after(venue_ms))
    done = Run(tmp_path, [still_market(late)], STILL)
    assert fills_of(done) == ([(110, 140, 20)] if is_filled else [])
    if is_filled:
        heads = np.asarray(done.journal.rows)[done.journal.is_head]
        kinds = heads["kind"].tolist()
        assert kinds.index(Kind.FILL) < kinds.index(Kind.TRADE), "our fill is told before the print is"


def test_a_cancel_that_is_under_way_does_not_protect(tmp_path):
    """The market moves up at 400; the cancel of our bid at 9,997 arrives at 500, behind the rows of then."""
    up, end = touch(10_090, 10_110, after(400)), touch(10_090, 10_111, after(2_000))
    for print_ms, is_filled in ((499, True), (500, True), (501, False)):
        rows = tape(touch(9_990, 10_010), up, trade(SELL, 9_995, 1, after(print_ms)), end)
        done = Run(tmp_path, [recording(rows)], STILL, name=f"journal{print_ms}")
        assert done.result.engine.traders[0]["n_cancels"] >= 1
        fills, _ = done.reports()
        prices = fills["price_ticks"][fills["kind"] == Kind.FILL].tolist()
        assert (9_997 in prices) == is_filled


def test_rows_are_given_to_the_exchange_in_venue_time():
    rows = np.zeros(6, event_t)
    rows["ts_venue_ns"] = [5, 3, 3, 9, 1, 9]
    rows["kind"] = Kind.TRADE
    assert venue_order(rows).tolist() == [4, 1, 2, 0, 3, 5]
    rows["ts_venue_ns"] = [1, 1, 2, 3, 3, 4]
    assert venue_order(rows).tolist() == list(range(6))


def test_reference_price_is_the_median_of_the_first_hundred():
    rows = tape(
        [book_row(Kind.SNAPSHOT, BID, 100 - i, 1) for i in range(60)],
        [book_row(Kind.SNAPSHOT, ASK, 101 + i, 1) for i in range(60)],
    )
    assert first_mid_ticks(rows, 0) in range(80, 101)


def test_zero_latency_is_a_latency(tmp_path):
    none = {**STILL, "simulation.entry_ms": 0, "simulation.response_ms": 0}
    done = Run(tmp_path, [still_market(trade(SELL, 9_995, 1, after(1)))], none)
    assert fills_of(done) == [(1, 1, 20)]


def test_a_backtest_fills_what_a_live_bot_would_have_rested(rng, tmp_path):
    """Entry later than the whole tape: nothing ever arrives, nothing fills, everything is undecided."""
    done = Run(tmp_path, [random_recording(rng, 2_000)], {"simulation.entry_ms": 60_000})
    assert done.result.engine.traders[0]["n_fills"] == 0
    assert len(done.reports()[0]) == 0


def test_a_recording_of_best_prices_only(rng, tmp_path):
    """Half of the recordings that exist are of this kind."""
    market, rows = Market(rng), []
    for second in range(900):
        market.change(0)
        market.change(0)
        rows.append(market.bbo(START_NS + second * S))
    Run(tmp_path, [recording(tape(rows))])


def test_fees_of_the_instrument_reach_the_ledger(rng, tmp_path):
    rebate = plain(maker_fee=Decimal("-0.00002"))
    given = random_recording(rng, 6_000)
    done = Run(tmp_path, [replace(given, instrument=rebate)])
    account = done.result.engine.accounts[0]
    assert account["positions"][0]["n_fills"] > 0
    assert account["positions"][0]["fees_e8"] < 0


def test_a_wall_of_reports_does_not_stop_the_loop(tmp_path):
    """Ten symbols, sixteen bids each, crossed in one moment: more reports than one inbox holds."""
    settings = {
        **STILL,
        "strategy.levels": 16,
        "strategy.spacing_bps": 0.5,
        "risk.position_max_usd": 5_000,
        "risk.total_max_usd": 100_000,
    }
    rows = tape(touch(9_990, 10_010), touch(9_890, 9_900, after(1_000)), touch(9_890, 9_901, after(2_000)))
    done = Run(tmp_path, [recording(rows) for _ in range(10)], settings)
    assert done.result.is_complete
    assert (done.result.engine.traders["n_fills"] == 16).all()
    engine = done.engine()
    assert run(engine, np.ascontiguousarray(done.journal.events)).tobytes() == done.journal.actions.tobytes()
