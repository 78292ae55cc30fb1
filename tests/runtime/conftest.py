"""Fixtures of the tests of running bots."""

import pytest

from exchange.conftest import no_collection_in_between  # noqa: F401 - a fixture
from exchange.sessions import demo_session


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """A finished demo session: `exchange.sessions.Session`."""
    return demo_session(tmp_path_factory)
