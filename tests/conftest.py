"""What all tests share: seeded randomness, Hypothesis without surprises, real data when it is there."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from builders import make_engine

# Fixed in the suite; MAKERSIDE_FRESH=1 draws new examples (at night), and a failure prints how to repeat it.
settings.register_profile(
    "suite",
    derandomize=True,
    deadline=None,
    database=None,
    print_blob=True,
    max_examples=150,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.register_profile("fresh", settings.get_profile("suite"), derandomize=False, max_examples=1_000)
settings.load_profile("fresh" if os.environ.get("MAKERSIDE_FRESH") else "suite")

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def rng():
    """Return a generator with a fixed seed."""
    return np.random.default_rng(20_240_229)


@pytest.fixture
def engine():
    """Return an engine of one plain instrument, opened and connected, its quotes written by the test."""
    return make_engine()


@pytest.fixture(scope="session")
def data():
    """Return the folder of recorded market data, or skip: the repository is complete without it."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no recorded market data beside the repository")
    return folder
