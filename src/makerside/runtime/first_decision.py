"""The shortest way to a decision in a new process: what `warmup --time` measures."""

from decimal import Decimal

import numpy as np

from makerside.config.load import load
from makerside.engine import Engine, opening_rows
from makerside.model.event import Flag, Kind, event_t
from makerside.model.instrument import Instrument
from makerside.model.units import NS_PER_S


def first_decision() -> str:
    """Start an engine, show it one book, return what it decided."""
    config = load(None, (), {}).config
    instrument = Instrument("demo", "BTC", Decimal("0.1"), Decimal("0.00001"), significant_figures=5)
    engine = Engine(config, [instrument], [640_000], has_own_in_book=True)
    engine.step(opening_rows(1, 10_000.0, NS_PER_S))
    rows = np.zeros(2, event_t)
    rows["ts_venue_ns"] = rows["ts_local_ns"] = NS_PER_S
    rows["kind"], rows["size_lots"] = Kind.BBO, 100_000
    rows["price_ticks"] = (640_000, 640_010)
    rows["flags"] = (0, Flag.SELL | Flag.LAST)
    actions = engine.step(rows)
    return f"{len(actions)} actions"
