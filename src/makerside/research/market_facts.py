"""Market facts: what one can count in a stretch of market rows, the same for a recording and for a model.

The rows are walked once with the book of `core/book.py`; everything else is sums over the touch and the
trades. Time is the venue's (the newest seen so far, so that it never goes back; local time where the
venue gives none). Periods without an uncrossed touch are left out.

Prints of one side and one venue time count as one trade: they are one market order that met several
makers. Money is in the instrument's quote currency, written USD.

May import model, core and journal. Next: `fit_market.py`.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from makerside.core.book import apply_book_row, book_clear, book_lots, end_message
from makerside.core.kernel import Record, kernel
from makerside.core.prices import price_step
from makerside.model.errors import DataError
from makerside.model.event import DETAIL_ROWS, Flag, Kind
from makerside.model.instrument import Instrument, instrument_t
from makerside.model.market import NO_ASK, NO_BID, book_t
from makerside.model.units import ASK, BID, NS_PER_MS, NS_PER_S

_DELTA, _SNAPSHOT, _TRADE, _BBO = int(Kind.DELTA), int(Kind.SNAPSHOT), int(Kind.TRADE), int(Kind.BBO)
_GAP, _LAST, _SELL, _UNKNOWN_SIDE = int(Kind.GAP), int(Flag.LAST), int(Flag.SELL), int(Flag.UNKNOWN_SIDE)
_PRICE_KINDS = (_DELTA, _SNAPSHOT, _BBO)

DEPTH_SAMPLE_NS = 100 * NS_PER_MS
GRID_NS = 100 * NS_PER_MS  # mids are sampled on this grid for volatility
BPS = 1e4
DURATION_MIN_S = 20.0

touch_t = np.dtype(
    [
        ("ts_ns", "i8"),
        ("bid_ticks", "i8"),
        ("ask_ticks", "i8"),
        ("bid_lots", "i8"),
        ("ask_lots", "i8"),
        ("step_ticks", "i8"),
    ]
)
print_t = np.dtype([("ts_ns", "i8"), ("price_ticks", "i8"), ("size_lots", "i8"), ("side", "i8")])
depth_t = np.dtype([("near_lots", "f8"), ("far_lots", "f8"), ("mid_ticks", "f8"), ("shown_ticks", "f8")])
_walk_t = np.dtype(
    [
        ("n_touches", "i8"),
        ("n_prints", "i8"),
        ("n_depths", "i8"),
        ("n_book_rows", "i8"),
        ("n_deltas", "i8"),
        ("n_messages", "i8"),
    ]
)


@dataclass(frozen=True, slots=True)
class MarketFacts:
    """Counted facts; NaN where the rows do not tell.

    Depths are the mean of both sides. Volatility is the root mean square of mid changes over a horizon,
    per square root of its seconds. `markout_bps` is how far the mid moves in the aggressor's favour from
    just before a trade: what the passive side loses against the mid. `sign_autocorrelation` is that of
    consecutive trades' signs. `dispersion` is the variance of the number of trades per window over its
    mean: 1 for independent arrivals.
    """

    duration_s: float
    spread_bps_mean: float
    spread_bps_median: float
    spread_bps_p90: float
    spread_min_share: float
    depth_touch_usd: float
    depth_5bps_usd: float
    depth_10bps_usd: float
    trades_per_minute: float
    prints_per_minute: float
    volume_usd_per_minute: float
    trade_usd_median: float
    volatility_bps_1s: float
    volatility_bps_10s: float
    volatility_bps_60s: float
    sign_autocorrelation_1: float
    sign_autocorrelation_5: float
    sign_autocorrelation_20: float
    dispersion_1s: float
    dispersion_10s: float
    markout_bps_100ms: float
    markout_bps_1s: float
    markout_bps_5s: float
    markout_bps_10s: float
    touch_moves_per_s: float
    updates_per_s: float
    messages_per_s: float

    def as_dict(self) -> dict[str, float]:
        """Return the facts by name."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Walk:
    """The series that facts are made of.

    touches : (n,) touch_t, one row per message with an uncrossed touch
    prints  : (m,) print_t, in order; side +1 or -1, 0 when the source does not tell
    depths  : (k,) depth_t, sampled; lots within 5 and 10 bps of the mid, mean of both sides; how far behind
              the touch the feed has shown levels
    """

    touches: NDArray[Any]
    prints: NDArray[Any]
    depths: NDArray[Any]
    n_book_rows: int
    n_messages: int

    @property
    def duration_s(self) -> float:
        """Seconds from the first touch to the last."""
        return float(self.touches["ts_ns"][-1] - self.touches["ts_ns"][0]) / NS_PER_S

    @property
    def mids(self) -> NDArray[np.float64]:
        """Mid in ticks at every touch."""
        return np.asarray(0.5 * (self.touches["bid_ticks"] + self.touches["ask_ticks"]), np.float64)


@kernel
def _depth_lots(book: Record, mid: float, reach_ticks: float) -> float:
    """Return the mean over both sides of the lots within a distance of the mid."""
    lots = 0
    tick = book["bid_ticks"]
    while mid - tick <= reach_ticks:
        lots += book_lots(book, BID, tick)
        tick -= 1
    tick = book["ask_ticks"]
    while tick - mid <= reach_ticks:
        lots += book_lots(book, ASK, tick)
        tick += 1
    return 0.5 * lots


@kernel
def _shown_ticks(book: Record, has_deltas: bool) -> int:
    """Return how far behind the touch levels are known; changes tell of levels beyond the last snapshot."""
    low, high = book["low_ticks"], book["high_ticks"]
    if not has_deltas:
        low = max(low, book["known_bid_ticks"])
        high = min(high, book["known_ask_ticks"])
    return int(min(book["bid_ticks"] - low, high - book["ask_ticks"]))


@kernel
def _walk(
    events: Any, books: Any, rules: Any, details: Any, totals: Any, touches: Any, prints: Any, depths: Any
) -> None:
    book = books[0]
    total = totals[0]
    now_ns = 0
    ts_depth_ns = 0
    i = 0
    while i < len(events):
        event = events[i]
        kind = int(event["kind"])
        flags = int(event["flags"])
        now_ns = max(now_ns, event["ts_venue_ns"] if event["ts_venue_ns"] > 0 else event["ts_local_ns"])
        if kind == _TRADE:
            row = prints[total["n_prints"]]
            row["ts_ns"] = event["ts_venue_ns"] if event["ts_venue_ns"] > 0 else event["ts_local_ns"]
            row["price_ticks"] = int(event["price_ticks"])
            row["size_lots"] = event["size_lots"]
            row["side"] = 0 if flags & _UNKNOWN_SIDE else (-1 if flags & _SELL else 1)
            total["n_prints"] += 1
        elif kind == _GAP:
            book_clear(book)
            book["ts_touch_ns"] = 0
        elif kind in _PRICE_KINDS:
            side = ASK if flags & _SELL else BID
            apply_book_row(
                book, kind, side, int(event["price_ticks"]), event["size_lots"], event["ts_venue_ns"]
            )
            total["n_book_rows"] += 1
            total["n_deltas"] += 1 if kind == _DELTA else 0
        i += 1 + details[kind]
        if not flags & _LAST:
            continue
        end_message(book)
        total["n_messages"] += 1
        bid, ask = book["bid_ticks"], book["ask_ticks"]
        if bid == NO_BID or ask == NO_ASK or bid > ask:
            continue
        touch = touches[total["n_touches"]]
        touch["ts_ns"] = now_ns
        touch["bid_ticks"] = bid
        touch["ask_ticks"] = ask
        touch["bid_lots"] = book_lots(book, BID, bid)
        touch["ask_lots"] = book_lots(book, ASK, ask)
        touch["step_ticks"] = price_step(rules[0], ask)
        total["n_touches"] += 1
        if now_ns - ts_depth_ns >= DEPTH_SAMPLE_NS:
            ts_depth_ns = now_ns
            depth = depths[total["n_depths"]]
            depth["mid_ticks"] = 0.5 * (bid + ask)
            depth["shown_ticks"] = _shown_ticks(book, total["n_deltas"] > 0)
            depth["near_lots"] = _depth_lots(book, depth["mid_ticks"], depth["mid_ticks"] * 5e-4)
            depth["far_lots"] = _depth_lots(book, depth["mid_ticks"], depth["mid_ticks"] * 10e-4)
            total["n_depths"] += 1


def walk_market(events: NDArray[Any], instrument: Instrument) -> Walk:
    """Return the touch, print and depth series of rows.

    events : (n,) event_t of one instrument
    errors : DataError when there is never a touch
    """
    books, rules, totals = np.zeros(1, book_t), np.zeros(1, instrument_t), np.zeros(1, _walk_t)
    instrument.fill_record(rules[0])
    books[0]["bid_ticks"] = books[0]["high_ticks"] = books[0]["known_bid_ticks"] = NO_BID
    books[0]["ask_ticks"] = books[0]["low_ticks"] = books[0]["known_ask_ticks"] = NO_ASK
    touches, prints, depths = (np.zeros(len(events), dtype) for dtype in (touch_t, print_t, depth_t))
    _walk(events, books, rules, DETAIL_ROWS, totals, touches, prints, depths)
    total = totals[0]
    if not total["n_touches"]:
        raise DataError(f"{instrument.symbol}: the rows never show both a bid and an ask")
    return Walk(
        touches[: total["n_touches"]],
        prints[: total["n_prints"]],
        depths[: total["n_depths"]],
        int(total["n_book_rows"]),
        int(total["n_messages"]),
    )


def trades_of(prints: NDArray[Any]) -> NDArray[Any]:
    """Return prints merged to trades, (k,) print_t: price of the first print, summed size."""
    if not len(prints):
        return prints
    new = np.append(True, (np.diff(prints["ts_ns"]) != 0) | (np.diff(prints["side"]) != 0))
    trades: NDArray[Any] = prints[new].copy()
    trades["size_lots"] = np.add.reduceat(prints["size_lots"], np.flatnonzero(new))
    return trades


def mids_at(walk: Walk, ts_ns: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the mid after the last message before each time; NaN before the first."""
    where = np.searchsorted(walk.touches["ts_ns"], ts_ns, side="left") - 1
    mids: NDArray[np.float64] = walk.mids[np.maximum(where, 0)]
    mids[where < 0] = np.nan
    return mids


def _weighted_quantile(values: NDArray[Any], weights: NDArray[Any], share: float) -> float:
    order = np.argsort(values, kind="stable")
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, share * total[-1])])


def _volatility_bps(walk: Walk, horizon_s: float) -> float:
    """Root mean square of overlapping mid changes over a horizon, per square root of its seconds."""
    begin, end = int(walk.touches["ts_ns"][0]), int(walk.touches["ts_ns"][-1])
    mids = mids_at(walk, np.arange(begin + 1, end, GRID_NS, dtype=np.int64))
    shift = int(horizon_s * NS_PER_S) // GRID_NS
    if len(mids) < 2 * shift:
        return float("nan")
    changes = np.log(mids[shift:] / mids[:-shift])
    return float(np.sqrt(np.mean(changes**2) / horizon_s) * BPS)


def sign_autocorrelation(signs: NDArray[Any], lag: int) -> float:
    """Return the autocorrelation of trade signs at a lag, about their mean."""
    if len(signs) < 10 * lag:
        return float("nan")
    centered = signs - signs.mean()
    variance = float(np.mean(centered**2))
    return float(np.mean(centered[lag:] * centered[:-lag]) / variance) if variance > 0 else float("nan")


def _dispersion(trades: NDArray[Any], walk: Walk, window_s: float) -> float:
    begin, end = int(walk.touches["ts_ns"][0]), int(walk.touches["ts_ns"][-1])
    n = int((end - begin) / (window_s * NS_PER_S))
    if n < 4 or not len(trades):
        return float("nan")
    places = (trades["ts_ns"] - begin) // int(window_s * NS_PER_S)
    counts = np.bincount(places[(places >= 0) & (places < n)], minlength=n)
    return float(counts.var() / counts.mean()) if counts.any() else float("nan")


def markout_bps(walk: Walk, trades: NDArray[Any], horizon_s: float) -> float:
    """Return the mean move of the mid in the aggressor's favour, from before a trade to a time after it."""
    before = mids_at(walk, trades["ts_ns"])
    later_ns = trades["ts_ns"] + int(horizon_s * NS_PER_S)
    known = (later_ns <= walk.touches["ts_ns"][-1]) & np.isfinite(before) & (trades["side"] != 0)
    if not known.any():
        return float("nan")
    after = mids_at(walk, later_ns[known] + 1)
    return float(np.mean(trades["side"][known] * (after / before[known] - 1.0)) * BPS)


def market_facts(events: NDArray[Any], instrument: Instrument) -> MarketFacts:
    """Return the facts of market rows.

    events : (n,) event_t of one instrument, prices and sizes on its grid
    errors : DataError when they are too short or never show a touch
    """
    return facts_of(walk_market(events, instrument), instrument)


def facts_of(walk: Walk, instrument: Instrument) -> MarketFacts:
    """Return the facts of a walked market; see `market_facts`."""
    seconds = walk.duration_s
    if seconds < DURATION_MIN_S:
        raise DataError(f"{seconds:.1f} s of market data; facts need at least {DURATION_MIN_S:.0f} s")
    touches, mids = walk.touches, walk.mids
    held = np.diff(touches["ts_ns"])
    spread = (touches["ask_ticks"] - touches["bid_ticks"])[:-1]
    spread_bps = spread / mids[:-1] * BPS
    is_min = spread <= touches["step_ticks"][:-1]
    unit = float(instrument.tick_size * instrument.lot_size * instrument.multiplier)
    touch_lots = 0.5 * (touches["bid_lots"] + touches["ask_lots"])[:-1]
    trades = trades_of(walk.prints)
    known = trades[trades["side"] != 0]
    money = walk.prints["size_lots"] * walk.prints["price_ticks"] * unit
    minutes = seconds / 60.0
    depth_unit = walk.depths["mid_ticks"] * unit
    moves = np.diff(touches["bid_ticks"]) | np.diff(touches["ask_ticks"])
    return MarketFacts(
        duration_s=seconds,
        spread_bps_mean=float(np.average(spread_bps, weights=held)),
        spread_bps_median=_weighted_quantile(spread_bps, held, 0.5),
        spread_bps_p90=_weighted_quantile(spread_bps, held, 0.9),
        spread_min_share=float(np.average(is_min, weights=held)),
        depth_touch_usd=float(np.average(touch_lots * mids[:-1], weights=held)) * unit,
        depth_5bps_usd=float(np.mean(walk.depths["near_lots"] * depth_unit)),
        depth_10bps_usd=float(np.mean(walk.depths["far_lots"] * depth_unit)),
        trades_per_minute=len(trades) / minutes,
        prints_per_minute=len(walk.prints) / minutes,
        volume_usd_per_minute=float(money.sum()) / minutes,
        trade_usd_median=_median(trades["size_lots"] * trades["price_ticks"]) * unit,
        volatility_bps_1s=_volatility_bps(walk, 1.0),
        volatility_bps_10s=_volatility_bps(walk, 10.0),
        volatility_bps_60s=_volatility_bps(walk, 60.0),
        sign_autocorrelation_1=sign_autocorrelation(known["side"], 1),
        sign_autocorrelation_5=sign_autocorrelation(known["side"], 5),
        sign_autocorrelation_20=sign_autocorrelation(known["side"], 20),
        dispersion_1s=_dispersion(trades, walk, 1.0),
        dispersion_10s=_dispersion(trades, walk, 10.0),
        markout_bps_100ms=markout_bps(walk, trades, 0.1),
        markout_bps_1s=markout_bps(walk, trades, 1.0),
        markout_bps_5s=markout_bps(walk, trades, 5.0),
        markout_bps_10s=markout_bps(walk, trades, 10.0),
        touch_moves_per_s=float(np.count_nonzero(moves)) / seconds,
        updates_per_s=walk.n_book_rows / seconds,
        messages_per_s=walk.n_messages / seconds,
    )


def _median(values: NDArray[Any]) -> float:
    return float(np.median(values)) if len(values) else float("nan")


@dataclass(frozen=True, slots=True)
class Comparison:
    """One fact of two markets; ratio is synthetic over recorded, NaN where one of them is not told."""

    name: str
    recorded: float
    synthetic: float

    @property
    def ratio(self) -> float:
        """Return synthetic over recorded."""
        return self.synthetic / self.recorded if self.recorded else float("nan")

    def __str__(self) -> str:
        return f"| {self.name} | {self.recorded:,.4g} | {self.synthetic:,.4g} | {self.ratio:.2f} |"


def compare(recorded: MarketFacts, synthetic: MarketFacts) -> list[Comparison]:
    """Return the facts of both side by side, rows of a table."""
    found = synthetic.as_dict()
    return [Comparison(name, value, found[name]) for name, value in recorded.as_dict().items()]


def mean_facts(facts: list[MarketFacts]) -> MarketFacts:
    """Return the mean of every fact over several stretches, NaN left out."""
    values = np.array([list(item.as_dict().values()) for item in facts])
    told = np.isfinite(values)
    sums = np.where(told, values, 0.0).sum(axis=0)
    means = np.divide(sums, told.sum(axis=0), out=np.full(len(sums), np.nan), where=told.any(axis=0))
    return MarketFacts(**dict(zip(facts[0].as_dict(), means.tolist(), strict=True)))
