"""How long we hold what we buy and sell: first in, first out, by size (formulas d-20)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from makerside.model.units import E8

HIGH_SHARE = 0.9


@dataclass(frozen=True, slots=True)
class Holding:
    """What the fills of a run say about its inventory.

    mean_ns      : holding time, by notional; what is open at the end counts as held until then
    high_ns      : nine tenths of the notional were held shorter
    inventory_usd: mean position over the whole time, without its sign, at the prices of its fills
    position_usd_max : largest position of one symbol, at the price of the fill that made it
    """

    mean_ns: int
    high_ns: int
    inventory_usd: float
    position_usd_max: float


def holding_of(fills: NDArray[Any], unit_values_e8: list[int], start_ns: int, end_ns: int) -> Holding:
    """Return how long positions were held.

    fills          : (n,) facts.fill_t in the order of their local times
    unit_values_e8 : of one lot at one tick, by instrument
    start_ns, end_ns : local time of the run's beginning and end
    """
    held, weights, largest = [np.zeros(0, np.int64)], [np.zeros(0)], 0.0
    for i, unit_e8 in enumerate(unit_values_e8):
        mine = fills[fills["instrument"] == i]
        if len(mine) == 0:
            continue
        lots, ns, prices = pair(mine, end_ns)
        unit = unit_e8 / E8
        held.append(ns)
        weights.append(lots * prices * unit)
        path = np.abs(np.cumsum(mine["side"] * mine["size_lots"]))
        largest = max(largest, float((path * mine["price_ticks"]).max()) * unit)
    ns, weight = np.concatenate(held), np.concatenate(weights)
    total = float(weight.sum())
    if total <= 0:
        return Holding(0, 0, 0.0, largest)
    order = np.argsort(ns, kind="stable")
    share = np.cumsum(weight[order]) / total
    high = int(ns[order][min(len(ns) - 1, int(np.searchsorted(share, HIGH_SHARE)))])
    weighted = float((weight * ns).sum())
    return Holding(round(weighted / total), high, weighted / max(1, end_ns - start_ns), largest)


def pair(fills: NDArray[Any], end_ns: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return (lots, ns held, price in ticks at which it was opened) of one instrument's fills, piece by piece.

    First in, first out pairs the k-th lot bought with the k-th lot sold, whichever came first: a long
    position closes its oldest lots, a short one too. Lots without a partner are held until the end.
    """
    bought, sold = fills[fills["side"] > 0], fills[fills["side"] < 0]
    n_bought, n_sold = np.cumsum(bought["size_lots"]), np.cumsum(sold["size_lots"])
    edges = np.unique(np.concatenate([n_bought, n_sold]))
    lots = np.diff(edges, prepend=0)
    buy_ns, buy_price = _at(bought, n_bought, edges, end_ns)
    sell_ns, sell_price = _at(sold, n_sold, edges, end_ns)
    is_long = (sell_price == 0) | ((buy_price > 0) & (buy_ns <= sell_ns))
    return lots, np.abs(sell_ns - buy_ns), np.where(is_long, buy_price, sell_price)


def _at(
    fills: NDArray[Any], counts: NDArray[np.int64], edges: NDArray[np.int64], end_ns: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return time and price of the fill that holds each lot; the end and 0 where there is none."""
    place = np.searchsorted(counts, edges, side="left")
    times = np.append(fills["ts_local_ns"], end_ns)
    prices = np.append(fills["price_ticks"], 0)
    return times[place], prices[place]
