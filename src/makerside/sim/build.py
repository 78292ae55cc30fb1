"""Exchanges and simulations, ready to run, from plain numbers. Pure."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from makerside.model.instrument import Instrument
from makerside.model.units import NEVER_NS
from makerside.sim.exchange import exchange_init
from makerside.sim.records import QueueModel, exchange_t, simulation_t

QUEUES = {"risk_averse": QueueModel.RISK_AVERSE, "log_prob": QueueModel.LOG_PROB}


def make_exchange(instrument: Instrument, index: int, queue: str) -> NDArray[Any]:
    """Return one empty exchange for an instrument: (1,) exchange_t. queue : a key of `QUEUES`"""
    exchanges = np.zeros(1, exchange_t)
    exchange = exchanges[0]
    instrument.fill_record(exchange["rules"])
    exchange["instrument"] = index
    exchange["queue_model"] = QUEUES[queue]
    exchange_init(exchange)
    return exchanges


def make_exchanges(instruments: list[Instrument], queue: str) -> NDArray[Any]:
    """Return one empty exchange per instrument: (m,) exchange_t."""
    return np.concatenate([make_exchange(one, index, queue) for index, one in enumerate(instruments)])


def make_simulation(entry_ns: int, response_ns: int, timer_ns: int, start_ns: int) -> NDArray[Any]:
    """Return a fresh simulation: (1,) simulation_t."""
    sims = np.zeros(1, simulation_t)
    sims["entry_ns"], sims["response_ns"] = entry_ns, response_ns
    sims["timer_ns"], sims["ts_timer_ns"] = timer_ns, start_ns + timer_ns
    sims["ts_stop_ns"] = NEVER_NS
    return sims
