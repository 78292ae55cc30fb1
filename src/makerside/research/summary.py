"""The summary of a run: `summary.json`, the same keys for every command that trades.

Money is exact decimal text; times are microseconds; whatever a mode does not have is null.
"""

import math
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from makerside import __version__
from makerside.config.load import config_hash
from makerside.model.event import FIRST_ACTION, Reason
from makerside.model.units import NS_PER_S
from makerside.research.facts import Markout, Money, RunFacts
from makerside.research.replay import actions_digest, actions_sha256


def decimal_text(value: Decimal) -> str:
    """Return plain decimal text without trailing zeros."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def summarize(
    facts: RunFacts, orders_left: int | None, parity: bool | None, timings: dict[str, Any]
) -> dict[str, Any]:
    """Return the summary of a run.

    orders_left : what the exchange said at the end, null when nobody was asked
    parity      : whether the replay gave the same actions, null when it was not replayed
    timings     : name -> (n,) int64 of nanoseconds, as `read_timings` returns them
    """
    engine, journal = facts.engine, facts.journal
    rows, heads = journal.rows, journal.is_head
    kinds = rows["kind"][heads]
    actions = journal.actions
    total = Money.sum(facts.money)
    traders = engine.traders
    duration_ns = int(rows["ts_local_ns"][-1] - rows["ts_local_ns"][0]) if len(rows) else 0
    return {
        "makerside": __version__,
        "mode": facts.record.mode,
        "venue": facts.record.config.venue.name,
        "symbols": [instrument.symbol for instrument in engine.instruments],
        "strategy": getattr(facts.record.config.strategy, "name", ""),
        "config_hash": config_hash(facts.record.config),
        "facts": facts.record.facts,
        "duration_s": round(duration_ns / NS_PER_S, 3),
        "events": int(np.count_nonzero(kinds < FIRST_ACTION)),
        "decisions": int(traders["n_decisions"].sum()),
        "actions": len(actions),
        "orders_placed": int(traders["n_placed"].sum()),
        "orders_canceled": int(traders["n_cancels"].sum()),
        "orders_rejected": int(traders["n_rejects"].sum()),
        "fills": len(facts.fills),
        "maker_fills": int(np.count_nonzero(facts.fills["is_taker"] == 0)),
        **_money_texts(total),
        "position_max": _largest_positions(facts),
        "by_symbol": {
            instrument.symbol: _money_texts(money)
            for instrument, money in zip(engine.instruments, facts.money, strict=True)
        },
        "markouts": [_markout_values(one) for one in facts.markouts],
        "decision_us": _percentiles(timings.get("decision_ns")),
        "bytes_in_to_signed_out_us": _percentiles(timings.get("wire_ns")),
        "defects": _defects(facts),
        "held_back": _refusals(traders),
        "orders_left": orders_left,
        "parity": parity,
        "actions_sha256": actions_sha256(actions),
        "actions_digest": actions_digest(actions),
    }


def _money_texts(money: Money) -> dict[str, Any]:
    return {
        "volume": decimal_text(money.volume),
        "pnl_net": decimal_text(money.net),
        "pnl_realized": decimal_text(money.realized),
        "pnl_unrealized": decimal_text(money.unrealized),
        "fees": decimal_text(money.fees),
        "funding": decimal_text(money.funding),
        "pnl_parts": {
            "spread": decimal_text(money.spread),
            "inventory": decimal_text(money.inventory),
            "fees": decimal_text(-money.fees),
            "funding": decimal_text(money.funding),
        },
    }


def _largest_positions(facts: RunFacts) -> dict[str, str]:
    positions = facts.engine.accounts[0]["positions"]
    return {
        instrument.symbol: instrument.size_text(int(positions[i]["position_lots_max"]))
        for i, instrument in enumerate(facts.engine.instruments)
    }


def _markout_values(markout: Markout) -> dict[str, float | int | None]:
    def plain(value: float) -> float | None:
        return None if math.isnan(value) else round(value, 4)

    return {
        "horizon_s": markout.horizon_s,
        "gross_bps": plain(markout.gross_bps),
        "net_bps": plain(markout.net_bps),
        "ci95_bps": plain(markout.ci_bps),
        "fills": markout.n,
    }


def _percentiles(values: NDArray[np.int64] | None) -> dict[str, float] | None:
    if values is None or len(values) == 0:
        return None
    p50, p99 = np.percentile(values, (50, 99)) / 1_000
    return {"p50": round(float(p50), 2), "p99": round(float(p99), 2), "n": len(values)}


def _defects(facts: RunFacts) -> dict[str, int]:
    """Return defects of the data and of the venue's reports that were handled, by name, without zeros."""
    markets, account = facts.engine.markets, facts.engine.accounts[0]
    found = dict(facts.record.facts.get("defects", {}))
    counters = {
        "crossed_states": int(markets["n_crossed"].sum()),
        "locked_states": int(markets["n_locked"].sum()),
        "sides_inferred": int(markets["n_side_inferred"].sum()),
        "feed_gaps": int(markets["n_gaps"].sum()),
        "rows_older_than_touch": int(markets["book"]["n_older"].sum()),
        "rows_outside_window": int(markets["book"]["n_outside"].sum()),
        "duplicate_fills": int(account["n_duplicate_fills"]),
        "strange_reports": int(account["n_strange"]),
        "impossible_reports": int(account["n_impossible"]),
        "divergent_statements": int(account["n_divergent"]),
    }
    found.update({name: number for name, number in counters.items() if number})
    return found


def _refusals(traders: NDArray[Any]) -> dict[str, int]:
    """Return how often risk or pacing held a quote back, by reason."""
    totals = traders["refusals"].sum(axis=0)
    return {Reason(i).name.lower(): int(totals[i]) for i in np.flatnonzero(totals).tolist()}
