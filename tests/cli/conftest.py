"""Fixtures of the tests of the command line."""

import os
from types import SimpleNamespace

import numpy as np
import pytest

from exchange.process import local_exchange
from exchange.serving import key
from exchange.sessions import demo_session

FUNDED = key(31)


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """A finished demo session: `exchange.sessions.Session`."""
    return demo_session(tmp_path_factory)


@pytest.fixture
def call(capsys, monkeypatch, tmp_path, tmp_path_factory):
    """Return a function that runs a command in this process: .code, .out, .err.

    Anything but an exit is an error of the test: that would have been a traceback.
    """
    from makerside.cli import main as module

    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("MAKERSIDE__") or name == "MAKERSIDE_KEY":
            monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "110")
    monkeypatch.setenv("MAKERSIDE_TAPES", str(tmp_path_factory.mktemp("tapes")))
    monkeypatch.setattr(module, "configure_logs", lambda: None)  # its stream would outlive this test

    def run(*arguments):
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            module.main([str(one) for one in arguments])
        out, err = capsys.readouterr()
        return SimpleNamespace(code=ended.value.code, out=out, err=err)

    return run


@pytest.fixture(scope="module")
def exchange():
    """A local exchange as a process, one funded account."""
    with local_exchange({FUNDED.address: 10_000}, speed=20.0) as running:
        yield running


def columns_of(n_messages, seed=3):
    """Return the columns of a small recording: a walk of best prices with trades between."""
    rng = np.random.default_rng(seed)
    local = 1_700_000_000 * 10**9 + np.cumsum(rng.integers(20, 80, n_messages)) * 1_000_000
    mid = 64_000 + np.cumsum(rng.integers(-1, 2, n_messages)) * 0.5
    rows = []
    for i in range(n_messages):
        at, price = int(local[i]), float(mid[i])
        if i % 3 == 2:
            side = int(rng.choice([-1, 1]))
            rows.append((at - 5_000_000, at, 3, side, price + 0.5 * side, 0.001 * int(rng.integers(1, 500)), i))
        else:
            kind = 2 if i == 0 else 4
            rows.append((at - 5_000_000, at, kind, 1, price - 0.5, 1.5, i))
            rows.append((at - 5_000_000, at, kind, -1, price + 0.5, 1.5, i))
    names = ("ts_exchange_ns", "ts_local_ns", "kind", "side", "price", "size", "msg")
    types = ("i8", "i8", "i1", "i1", "f8", "f8", "i4")
    table = zip(*rows, strict=True)
    return {name: np.array(values, kind) for name, values, kind in zip(names, table, types, strict=True)}


def write_recording(path, columns):
    """Write columns as a Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table(columns), path)
    return path


@pytest.fixture(scope="session")
def recording(tmp_path_factory):
    """A small recording as a Parquet file."""
    folder = tmp_path_factory.mktemp("recordings")
    return write_recording(folder / "test-BTCUSDT-small.parquet", columns_of(4_000))
