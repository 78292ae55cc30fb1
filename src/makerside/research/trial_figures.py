"""What a set's own rows say: counts, money, inventory, markouts; the end of every trial.

Figures are integers and exact decimal texts, so that equal runs have equal figures everywhere.
"""

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from makerside.engine import Engine
from makerside.journal.reader import Journal
from makerside.model.event import Kind, order_detail_t
from makerside.research.facts import Markout, Money, fills_of, markouts_of, money_of
from makerside.research.holding import Holding, holding_of

if TYPE_CHECKING:
    from makerside.research.trial import SharedMarket

Figures = dict[str, int | str]


def trial_figures(market: "SharedMarket", engine: Engine, journal: Journal) -> tuple[Figures, dict[str, float]]:
    """Return the figures of a set after the whole tape, and its gross markouts in bps by horizon in s.

    engine  : its own, in the final state
    journal : its own fills in their order; other rows change nothing
    """
    n = len(engine.instruments)
    fills = fills_of(journal, market.trace, n)
    money = [money_of(engine, fills, i, market.trace) for i in range(n)]
    units = [int(engine.accounts[0]["positions"][i]["unit_value_e8"]) for i in range(n)]
    end_ns = int(market.tape.events["ts_local_ns"][-1])
    markouts = markouts_of(engine, fills, market.trace)
    figures: Figures = {
        **_counts(engine, fills),
        "orders_filled": orders_filled(journal),
        **_money(Money.sum(money)),
        **_inventory(holding_of(fills, units, market.tape.start_ns, end_ns)),
        **_intervals(markouts),
    }
    return figures, {f"{one.horizon_s:g}": one.gross_bps for one in markouts if one.n}


def _counts(engine: Engine, fills: NDArray[Any]) -> Figures:
    traders = engine.traders
    return {
        "decisions": int(traders["n_decisions"].sum()),
        "orders_placed": int(traders["n_placed"].sum()),
        "orders_canceled": int(traders["n_cancels"].sum()),
        "orders_rejected": int(traders["n_rejects"].sum()),
        "fills": len(fills),
        "maker_fills": int(np.count_nonzero(fills["is_taker"] == 0)),
    }


def orders_filled(journal: Journal) -> int:
    """Return how many of our orders were filled, at least in part."""
    heads = np.flatnonzero(journal.is_head & (journal.rows["kind"] == Kind.FILL))
    ids = np.ascontiguousarray(journal.rows[heads + 1]).view(order_detail_t)["client_order_id"]
    return len(np.unique(ids[ids > 0]))


def _money(total: Money) -> Figures:
    return {"net": f"{total.net:f}", **{name: f"{getattr(total, name):f}" for name in Money.__slots__}}


def _inventory(holding: Holding) -> Figures:
    return {
        "holding_ns_mean": holding.mean_ns,
        "holding_ns_high": holding.high_ns,
        "inventory_usd_mean": f"{holding.inventory_usd:.2f}",
        "position_usd_max": f"{holding.position_usd_max:.2f}",
    }


def _intervals(markouts: list[Markout]) -> Figures:
    """Return half the widths of the markouts' 95 % intervals."""
    return {
        f"markout_ci_bps_{one.horizon_s:g}s": f"{one.ci_bps:.4f}"
        for one in markouts
        if one.n and not math.isnan(one.ci_bps)
    }
