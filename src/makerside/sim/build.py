"""Exchanges and simulations, ready to run, from plain numbers. Pure."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from makerside.model.instrument import Instrument
from makerside.model.units import NEVER_NS
from makerside.sim.house import house_init
from makerside.sim.latency import Leg, is_plain, least_ns
from makerside.sim.pit import pit_init
from makerside.sim.records import PITS_MAX, QueueModel, exchange_t, house_t, pit_t, walk_t, world_t

QUEUES = {model.name.lower(): model for model in QueueModel}
QUEUE_EXPONENT = 3.0


def _fill_pit(pit: Any, instrument: Instrument, index: int, queue: str, exponent: float, number: int) -> None:
    assert exponent > 0.0
    instrument.fill_record(pit["rules"])
    pit["instrument"] = index
    pit["queue_model"] = QUEUES[queue]
    pit["queue_exponent"] = exponent
    pit_init(pit, number)


def make_exchange(
    instrument: Instrument, index: int, queue: str, queue_exponent: float = QUEUE_EXPONENT
) -> NDArray[Any]:
    """Return one empty exchange for an instrument, all its clients in one pit: (1,) exchange_t.

    queue          : a key of `QUEUES`
    queue_exponent : n of the power models, above 0
    """
    exchanges = np.zeros(1, exchange_t)
    exchange = exchanges[0]
    exchange["house"]["instrument"] = index
    house_init(exchange["house"])
    _fill_pit(exchange["pit"], instrument, index, queue, queue_exponent, 0)
    return exchanges


def make_exchanges(
    instruments: list[Instrument], queue: str, queue_exponent: float = QUEUE_EXPONENT
) -> NDArray[Any]:
    """Return one empty exchange per instrument: (m,) exchange_t. queue, queue_exponent : as `make_exchange`"""
    return np.concatenate(
        [make_exchange(one, index, queue, queue_exponent) for index, one in enumerate(instruments)]
    )


@dataclass(frozen=True, slots=True)
class WorldSettings:
    """What a world is made of, beside its account and traders.

    instruments : with the fees that hold in it;  latency : (1,) latency_t, of `sim.latency`
    is_timed    : all its traders decide on timer rows only
    """

    instruments: list[Instrument]
    queue: str
    queue_exponent: float
    latency: NDArray[Any]
    timer_ns: int
    is_timed: bool


@dataclass(frozen=True, slots=True)
class Walk:
    """The records of a walk of p worlds over m instruments, fresh.

    houses : (m,) house_t;  pits : (p * m,) pit_t;  worlds : (p,) world_t;  walks : (1,) walk_t
    """

    houses: NDArray[Any]
    pits: NDArray[Any]
    worlds: NDArray[Any]
    walks: NDArray[Any]


def make_walk(settings: list[WorldSettings], start_ns: int, is_lean: bool) -> Walk:
    """Return the records of a walk. start_ns : local time of its first row; is_lean : see `walk_t`"""
    n, m = len(settings), len(settings[0].instruments)
    assert 1 <= n <= PITS_MAX
    assert n == 1 or is_lean
    houses, pits = np.zeros(m, house_t), np.zeros(n * m, pit_t)
    worlds, walks = np.zeros(n, world_t), np.zeros(1, walk_t)
    for i in range(m):
        houses[i]["instrument"] = i
        house_init(houses[i])
    walk = walks[0]
    for name in ("action_ns", "report_ns", "timer_ns"):
        walk[name] = NEVER_NS
    for w, one in enumerate(settings):
        for i, instrument in enumerate(one.instruments):
            _fill_pit(pits[w * m + i], instrument, i, one.queue, one.queue_exponent, w)
        world = worlds[w]
        world["latency"] = law = one.latency[0]
        world["is_plain"] = int(is_plain(law))
        world["entry_ns"], world["response_ns"] = least_ns(law, Leg.ENTRY), least_ns(law, Leg.RESPONSE)
        if world["entry_ns"] + world["response_ns"] == 0:
            world["response_ns"] = 1  # what happens at one time would depend on where a walk is cut
        world["timer_ns"] = one.timer_ns
        world["n_traders"], world["is_timed"] = m, int(one.is_timed)
        walk["timer_ns"][w] = start_ns + one.timer_ns
    for name in ("ts_stop_ns", "news_ns", "clock_ns", "margin_ns"):
        walk[name] = NEVER_NS
    walk["n_worlds"] = n
    walk["is_lean"] = int(is_lean)
    walk["is_timed"] = int(all(one.is_timed for one in settings))
    walk["has_late"] = int(is_lean and any(one.is_timed for one in settings))
    return Walk(houses, pits, worlds, walks)
