"""Prices that a venue tells beside its book: mark and index price, and its funding rate of the moment.

`price_t` is what a PRICES row says, as the simulated venue reads it from a recording. Pure; numpy only.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from makerside.model.event import Flag, account_detail_t
from makerside.model.layout import row_type

price_t = row_type(
    [
        ("ts_ns", "i8"),  # the venue's time; ours where it gives none
        ("instrument", "i8"),
        ("mark_e8", "i8"),  # 0: not told
        ("index_e8", "i8"),
        ("rate_e12", "i8"),  # of one funding interval; longs pay when it is positive
        ("has_rate", "i8"),
    ]
)


def prices_of(rows: NDArray[Any], details: NDArray[Any]) -> NDArray[Any]:
    """Return PRICES rows as prices: (k,) price_t. rows, details : (k,) event_t each, heads and continuations"""
    prices = np.zeros(len(rows), price_t)
    told = np.ascontiguousarray(details).view(account_detail_t)
    prices["ts_ns"] = np.where(rows["ts_venue_ns"] > 0, rows["ts_venue_ns"], rows["ts_local_ns"])
    prices["instrument"] = rows["instrument"]
    prices["mark_e8"], prices["index_e8"] = told["mark_price_e8"], told["index_price_e8"]
    prices["has_rate"] = (rows["flags"] & Flag.RATE) != 0
    prices["rate_e12"] = np.where(prices["has_rate"] == 1, rows["size_lots"], 0)
    return prices


def merge_prices(parts: list[NDArray[Any]]) -> NDArray[Any]:
    """Return prices of several recordings by time, each with its place in the list as instrument."""
    merged = []
    for i, part in enumerate(parts):
        own = part.copy()
        own["instrument"] = i
        merged.append(own)
    prices = np.concatenate([np.zeros(0, price_t), *merged])
    return prices[np.argsort(prices["ts_ns"], kind="stable")]
