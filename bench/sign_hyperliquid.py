"""Time of a signed Hyperliquid order: ours beside the official SDK, after both were found equal.

    python bench/sign_hyperliquid.py [rounds]

Checks first that r, s and v are equal over many seeded actions, then times every way in turns within
one run, so that a busy machine hurts all alike. Prints medians over the rounds and the ratio to the SDK
with coincurve. "from ticks to body" is the whole way: numbers to text, sign, JSON. Needs the dev extra.
"""

import json
import os
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

import eth_account
from hyperliquid.utils import signing

from makerside.model.event import Flag
from makerside.model.units import BUY
from makerside.venues.hyperliquid import keccak, typed_data
from makerside.venues.hyperliquid import wire_actions as wire
from makerside.venues.hyperliquid.cloid import cloid_text
from makerside.venues.hyperliquid.meta import Universe
from makerside.venues.hyperliquid.rules import rules_at
from makerside.venues.hyperliquid.signer import Signer
from makerside.venues.hyperliquid.wire_market import Meta, PerpAsset

SEED = 7
CHECKS = 1_000
NONCE = 1_758_800_000_000
SLOW = "NativeECCBackend"  # what a plain install of the SDK uses; with coincurve present it takes that
META = Meta(universe=(PerpAsset(sz_decimals=5, name="BTC", max_leverage=40),))


@contextmanager
def sdk_backend(name: str) -> Iterator[None]:
    """Make the SDK compute its signatures by one of its two backends."""
    os.environ["ECC_BACKEND_CLASS"] = f"eth_keys.backends.{name}"
    try:
        yield
    finally:
        del os.environ["ECC_BACKEND_CLASS"]


def seeded() -> random.Random:
    """Return numbers that are the same in every run."""
    return random.Random(SEED)  # noqa: S311 - the keys of a benchmark protect nothing


def orders(rng: random.Random, n: int) -> tuple[list[tuple[int, int, int]], list[dict[str, Any]]]:
    """Return n orders as (price ticks, size lots, client id) and as the SDK is asked for them."""
    ours = [
        (rng.randrange(10_000, 99_999) * 10, rng.randrange(1, 10**6), rng.randrange(1, 1 << 48))
        for _ in range(n)
    ]
    theirs = [
        {
            "coin": "BTC",
            "is_buy": True,
            "sz": lots / 1e5,
            "limit_px": ticks / 10,
            "order_type": {"limit": {"tif": "Alo"}},
            "reduce_only": False,
            "cloid": signing.Cloid.from_str(cloid_text(identity)),
        }
        for ticks, lots, identity in ours
    ]
    return ours, theirs


def sdk_action(theirs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the SDK's action for its own order requests."""
    action: dict[str, Any] = signing.order_wires_to_order_action(
        [signing.order_request_to_order_wire(request, 0) for request in theirs]
    )
    return action


def check_equal(key: bytes, instrument: Any) -> None:
    """Stop unless our signatures are the SDK's, over seeded actions of many forms."""
    rng = seeded()
    signer, wallet = Signer(key), eth_account.Account.from_key(key)
    for i in range(CHECKS):
        ours, theirs = orders(rng, rng.randrange(1, 8))
        vault = rng.choice((None, "0x" + rng.randbytes(20).hex()))
        expires, is_mainnet = rng.choice((None, NONCE + i)), rng.random() < 0.5
        wires = [wire.limit_order(instrument, BUY, t, s, Flag.POST_ONLY, c) for t, s, c in ours]
        found = signer.sign_action(wire.place_orders(wires), NONCE + i, vault, expires, is_mainnet)
        expected = signing.sign_l1_action(wallet, sdk_action(theirs), vault, NONCE + i, expires, is_mainnet)
        same = (int(found.r, 16), int(found.s, 16), found.v) == (
            int(expected["r"], 16),
            int(expected["s"], 16),
            expected["v"],
        )
        if not same:
            raise SystemExit(f"action {i}: the signatures differ")
    print(f"{CHECKS} actions: r, s and v equal to the SDK's")


def ways(key: bytes, instrument: Any, n: int) -> dict[str, tuple[Callable[[], Any], int]]:
    """Return what is timed: name -> (function, calls in a round)."""
    ours, theirs = orders(seeded(), n)
    signer, wallet, action = Signer(key), eth_account.Account.from_key(key), sdk_action(theirs)
    wires = [wire.limit_order(instrument, BUY, t, s, Flag.POST_ONLY, c) for t, s, c in ours]
    struct = wire.place_orders(wires)

    def with_pycryptodome() -> None:
        typed_data.keccak = keccak.keccak_pycryptodome
        signer.sign_action(struct, NONCE)
        typed_data.keccak = keccak.keccak

    def body() -> bytes:
        batch = wire.place_orders(
            [wire.limit_order(instrument, BUY, t, s, Flag.POST_ONLY, c) for t, s, c in ours]
        )
        return wire.encode_exchange(batch, NONCE, signer.sign_action(batch, NONCE))

    def sdk_sign() -> Any:
        return signing.sign_l1_action(wallet, action, None, NONCE, None, False)

    def sdk_slowly() -> Any:
        with sdk_backend(SLOW):
            return sdk_sign()

    def sdk_body() -> str:
        batch = sdk_action(theirs)
        signature = signing.sign_l1_action(wallet, batch, None, NONCE, None, False)
        return json.dumps({"action": batch, "nonce": NONCE, "signature": signature})

    return {
        "SDK, coincurve": (sdk_sign, 40),
        "SDK, pure Python": (sdk_slowly, 4),
        "ours": (lambda: signer.sign_action(struct, NONCE), 400),
        "ours, action as mapping": (lambda: signer.sign_action(action, NONCE), 400),
        "ours, keccak of pycryptodome": (with_pycryptodome, 400),
        "SDK, from floats to body": (sdk_body, 40),
        "ours, from ticks to body": (body, 400),
    }


def measure(items: dict[str, tuple[Callable[[], Any], int]], rounds: int) -> dict[str, list[float]]:
    """Return microseconds per call of each way, one number a round, taken in turns."""
    times: dict[str, list[float]] = {name: [] for name in items}
    for _ in range(rounds):
        for name, (run, calls) in items.items():
            begin = time.perf_counter()
            for _ in range(calls):
                run()
            times[name].append((time.perf_counter() - begin) / calls * 1e6)
    return times


def main() -> None:
    """Check, measure, print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    key = seeded().randbytes(32)
    instrument = Universe.from_meta(META, rules_at(date(2026, 10, 1))).instrument("BTC")
    print(f"keccak: {'safe-pysha3' if keccak.keccak_pysha3 else 'pycryptodome'}")
    check_equal(key, instrument)
    for n in (1, 20):
        times = measure(ways(key, instrument, n), rounds)
        base = statistics.median(times["SDK, coincurve"])
        print(f"\norders in an action: {n}; microseconds, median of {rounds} rounds (min-max), ratio")
        for name, values in times.items():
            median = statistics.median(values)
            print(f"  {name:30s} {median:9.1f}  ({min(values):.1f}-{max(values):.1f})  {base / median:7.2f}x")


if __name__ == "__main__":
    main()
