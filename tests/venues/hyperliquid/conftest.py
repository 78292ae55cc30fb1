"""Shared by the tests of Hyperliquid: a universe, a session, rows as readable tuples, recordings."""

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest

from makerside.model.event import DETAIL_ROWS, Flag, Kind, event_t, order_detail_t
from makerside.model.instrument import Instrument
from makerside.model.units import NS_PER_MS
from makerside.venues.hyperliquid.meta import Universe
from makerside.venues.hyperliquid.rows import BUFFER_BYTES_MIN
from makerside.venues.hyperliquid.rules import Rules, rules_at
from makerside.venues.hyperliquid.session import Session
from makerside.venues.hyperliquid.wire_market import Meta, PerpAsset, PerpDex, SpotMeta, SpotPair, SpotToken

RECORDINGS = Path(__file__).resolve().parents[4] / "shared" / "data" / "wire" / "hyperliquid"
USER = "0x" + "5e" * 20
NOW_NS = 1_758_800_001_000_000_000


@pytest.fixture(scope="session")
def rules() -> Rules:
    return rules_at(date(2026, 10, 1))


@pytest.fixture(scope="session")
def universe(rules: Rules) -> Universe:
    """BTC (0), ETH (1), a delisted one (2), kPEPE (3); spot PURR/USDC and @107; two builder DEXs."""
    meta = Meta(
        universe=(
            PerpAsset(sz_decimals=5, name="BTC", max_leverage=40, margin_table_id=56),
            PerpAsset(sz_decimals=4, name="ETH", max_leverage=25, margin_table_id=25),
            PerpAsset(sz_decimals=1, name="MATIC", max_leverage=20, margin_table_id=20, is_delisted=True),
            PerpAsset(sz_decimals=0, name="kPEPE", max_leverage=10, margin_table_id=10),
        ),
        collateral_token=0,
    )
    spot = SpotMeta(
        universe=(
            SpotPair(tokens=(1, 0), name="PURR/USDC", index=0, is_canonical=True),
            SpotPair(tokens=(150, 0), name="@107", index=107, is_canonical=False),
        ),
        tokens=tuple(
            SpotToken(
                name=n, sz_decimals=d, wei_decimals=8, index=i, token_id=f"0x{i:032x}", is_canonical=i == 0
            )
            for n, d, i in (("USDC", 8, 0), ("PURR", 0, 1), ("HYPE", 2, 150), ("USDH", 2, 360))
        ),
    )
    dexs = [None, *(PerpDex(name=n, full_name=n, deployer="0x" + "0" * 40) for n in ("xyz", "km"))]
    builders = {
        "xyz": Meta(universe=(PerpAsset(sz_decimals=3, name="xyz:XYZ100", max_leverage=20),)),
        "km": Meta(
            universe=(
                PerpAsset(sz_decimals=3, name="km:US500", max_leverage=20, growth_mode="enabled"),
                PerpAsset(sz_decimals=2, name="km:A:B", max_leverage=10, only_isolated=True),
            ),
            collateral_token=360,
        ),
    }
    return Universe.from_meta(meta, rules, spot, dexs, builders)


@pytest.fixture(scope="session")
def btc(universe: Universe) -> Instrument:
    return universe.instrument("BTC")


@pytest.fixture
def session(universe: Universe) -> Session:
    """A session that follows BTC (0), ETH (1), kPEPE (2) and @107 (3)."""
    followed = [universe.instrument(symbol) for symbol in ("BTC", "ETH", "kPEPE", "@107")]
    return Session(universe, followed, USER)


class _Buffer(bytearray):
    """A buffer that a failing test does not print byte by byte."""

    def __repr__(self) -> str:
        return f"<{len(self)} bytes>"


@pytest.fixture
def buffer() -> bytearray:
    return _Buffer(BUFFER_BYTES_MIN)


def _rows_of(buffer: bytearray, n_rows: int) -> list[tuple[Any, ...]]:
    """Return rows as (kind, instrument, price, size, flags, ts_venue_ms, and the detail if any)."""
    events = np.frombuffer(bytes(buffer[: 32 * n_rows]), event_t)
    details = events.view(order_detail_t)
    found, i = [], 0
    while i < n_rows:
        event = events[i]
        kind = Kind(int(event["kind"]))
        flags = [flag.name for flag in Flag if int(event["flags"]) & flag]
        row: tuple[Any, ...] = (
            kind.name,
            int(event["instrument"]),
            int(event["price_ticks"]),
            int(event["size_lots"]),
            "|".join(flags),
            int(event["ts_venue_ns"]) // NS_PER_MS,
        )
        if DETAIL_ROWS[kind]:
            i += 1
            row += (tuple(int(value) for value in details[i]),)
        assert int(event["ts_local_ns"]) == NOW_NS
        found.append(row)
        i += 1
    return found


@pytest.fixture(scope="session")
def rows_of() -> Callable[[bytearray, int], list[tuple[Any, ...]]]:
    """Return the reader of rows as tuples."""
    return _rows_of


@pytest.fixture
def feed(session: Session, buffer: bytearray) -> Callable[[bytes], list[tuple[Any, ...]]]:
    """Return a function that feeds one frame to the session and gives its rows."""

    def run(data: bytes) -> list[tuple[Any, ...]]:
        return _rows_of(buffer, session.on_frame(data, NOW_NS, buffer))

    return run


@pytest.fixture(scope="session")
def recorded() -> Callable[[str], list[dict[str, Any]]]:
    """Return a loader of recorded messages; a test that asks for one is skipped where it is absent."""

    def load(name: str) -> list[dict[str, Any]]:
        path = RECORDINGS / f"{name}.jsonl.zst"
        if not path.exists():
            pytest.skip(f"no recorded messages at {path}")
        with pyarrow.input_stream(str(path), compression="zstd") as stream:
            text = stream.read().decode()
        return [json.loads(line) for line in text.splitlines()]

    return load
