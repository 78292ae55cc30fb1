"""Fixtures of the tests that meet the local exchange."""

import gc

import pytest

from exchange.desk import Desk
from exchange.process import local_exchange
from exchange.serving import key

SPEED = 100.0  # the minutes of the rate limits fly as well: a suite of tests asks more than a bot


@pytest.fixture(autouse=True)
def no_collection_in_between():
    """Collect no garbage until a test was reported.

    CPython 3.11.7 stumbles when a collection runs Python code (closing event loops) while it parses the
    source of a failed test, and takes the whole session with it (python/cpython#106905).
    """
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def desk():
    """A BTC market at 64,000 / 64,001 with two funded clients, on a virtual clock."""
    made = Desk().book(
        [("64000", "1"), ("63999", "2"), ("63990", "5")], [("64001", "1"), ("64002", "2"), ("64010", "5")]
    )
    made.block()
    return made


@pytest.fixture(scope="module")
def sdk_exchange():
    """A local exchange as a process, synthetic market, five funded throw-away keys: 11 to 15."""
    funds = {key(number).address: 100_000 for number in range(11, 16)}
    with local_exchange(funds, "--synthetic", "--symbols", "BTC,ETH", speed=SPEED) as exchange:
        yield exchange
