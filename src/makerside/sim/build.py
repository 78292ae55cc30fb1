"""Exchanges and simulations, ready to run, from plain numbers. Pure."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from makerside.model.instrument import Instrument
from makerside.model.units import NEVER_NS
from makerside.sim.exchange import exchange_init
from makerside.sim.records import QueueModel, exchange_t, simulation_t

QUEUES = {model.name.lower(): model for model in QueueModel}
QUEUE_EXPONENT = 3.0


def make_exchange(
    instrument: Instrument, index: int, queue: str, queue_exponent: float = QUEUE_EXPONENT
) -> NDArray[Any]:
    """Return one empty exchange for an instrument: (1,) exchange_t.

    queue          : a key of `QUEUES`
    queue_exponent : n of the power models, above 0
    """
    assert queue_exponent > 0.0
    exchanges = np.zeros(1, exchange_t)
    exchange = exchanges[0]
    instrument.fill_record(exchange["rules"])
    exchange["instrument"] = index
    exchange["queue_model"] = QUEUES[queue]
    exchange["queue_exponent"] = queue_exponent
    exchange_init(exchange)
    return exchanges


def make_exchanges(
    instruments: list[Instrument], queue: str, queue_exponent: float = QUEUE_EXPONENT
) -> NDArray[Any]:
    """Return one empty exchange per instrument: (m,) exchange_t. queue, queue_exponent : as `make_exchange`"""
    return np.concatenate(
        [make_exchange(one, index, queue, queue_exponent) for index, one in enumerate(instruments)]
    )


def make_simulation(entry_ns: int, response_ns: int, timer_ns: int, start_ns: int) -> NDArray[Any]:
    """Return a fresh simulation: (1,) simulation_t."""
    sims = np.zeros(1, simulation_t)
    sims["entry_ns"], sims["response_ns"] = entry_ns, response_ns
    sims["timer_ns"], sims["ts_timer_ns"] = timer_ns, start_ns + timer_ns
    sims["ts_stop_ns"] = NEVER_NS
    return sims
