"""Fixtures of the tests that meet the local exchange."""

import pytest

from exchange.desk import Desk


@pytest.fixture
def desk():
    """A BTC market at 64,000 / 64,001 with two funded clients, on a virtual clock."""
    made = Desk().book(
        [("64000", "1"), ("63999", "2"), ("63990", "5")], [("64001", "1"), ("64002", "2"), ("64010", "5")]
    )
    made.block()
    return made
