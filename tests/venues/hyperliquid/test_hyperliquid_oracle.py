"""Oracle: our signatures and number texts equal those of the official SDK, over seeded random actions."""

import random
from typing import Any

import pytest

from makerside.model.event import Flag
from makerside.model.units import BUY, SELL
from makerside.venues.hyperliquid import wire_actions as wire
from makerside.venues.hyperliquid.cloid import cloid_text
from makerside.venues.hyperliquid.numbers import client_text
from makerside.venues.hyperliquid.rules import price_step_ticks
from makerside.venues.hyperliquid.signer import Signer, checksum_address, recover_action, recover_user_action
from makerside.venues.hyperliquid.typed_data import USER_SIGNED, user_signed

signing = pytest.importorskip("hyperliquid.utils.signing")
sdk_types = pytest.importorskip("hyperliquid.utils.types")
eth_account = pytest.importorskip("eth_account")

SEED = 20_261_001
ROUNDS = 40  # per action type: about 500 comparisons in all
TIFS = {int(Flag.POST_ONLY): "Alo", int(Flag.IOC): "Ioc", 0: "Gtc"}


def same(ours: Any, theirs: dict[str, Any]) -> bool:
    return (int(ours.r, 16), int(ours.s, 16), ours.v) == (
        int(theirs["r"], 16),
        int(theirs["s"], 16),
        theirs["v"],
    )


@pytest.fixture
def rng() -> random.Random:
    return random.Random(SEED)


@pytest.fixture
def keys(rng: random.Random) -> tuple[Signer, Any]:
    key = rng.randbytes(32)
    return Signer(key), eth_account.Account.from_key(key)


def random_order(rng: random.Random, instrument: Any) -> tuple[wire.Order, dict[str, Any]]:
    """Return one order as we build it and as the SDK's user would ask for it, in floats."""
    ticks = rng.randrange(1, 10 ** rng.randrange(2, 8))
    ticks = max(1, ticks // price_step_ticks(instrument, ticks)) * price_step_ticks(instrument, ticks)
    lots = rng.randrange(1, 10 ** rng.randrange(1, 8))
    side, identity = rng.choice((BUY, SELL)), rng.choice((0, rng.randrange(1, 1 << 48)))
    timing, is_reducing = rng.choice(tuple(TIFS)), rng.random() < 0.3
    flags = timing | (int(Flag.REDUCE_ONLY) if is_reducing else 0)
    ours = wire.limit_order(instrument, side, ticks, lots, flags, identity)
    theirs = {
        "coin": instrument.symbol,
        "is_buy": side == BUY,
        "sz": float(instrument.size_text(lots)),
        "limit_px": float(instrument.price_text(ticks)),
        "order_type": {"limit": {"tif": TIFS[timing]}},
        "reduce_only": is_reducing,
    }
    if identity:
        theirs["cloid"] = sdk_types.Cloid.from_str(cloid_text(identity))
    return ours, theirs


def frame_of(rng: random.Random) -> dict[str, Any]:
    nonce = rng.randrange(1, 1 << 41)
    return {
        "nonce": nonce,
        "vault": rng.choice((None, "0x" + rng.randbytes(20).hex())),
        "expires_after_ms": rng.choice((None, nonce + rng.randrange(1, 60_000))),
        "is_mainnet": rng.random() < 0.5,
    }


def check(keys: tuple[Signer, Any], ours: Any, theirs: dict[str, Any], frame: dict[str, Any]) -> None:
    """Our struct and the SDK's mapping are signed alike, and the signer is found again."""
    signer, wallet = keys
    expected = signing.sign_l1_action(
        wallet, theirs, frame["vault"], frame["nonce"], frame["expires_after_ms"], frame["is_mainnet"]
    )
    signature = signer.sign_action(ours, **frame)
    assert same(signature, expected)
    assert signer.sign_action(theirs, **frame) == signature
    assert recover_action(theirs, signature=signature, **frame) == signer.address
    assert signer.address == wallet.address.lower()


def test_orders(rng, keys, universe):
    symbols = ("BTC", "ETH", "kPEPE", "@107", "xyz:XYZ100")
    for _ in range(3 * ROUNDS):
        batch = [
            random_order(rng, universe.instrument(rng.choice(symbols))) for _ in range(rng.randrange(1, 6))
        ]
        wires = [
            signing.order_request_to_order_wire(asked, universe.instrument(asked["coin"]).venue_id)
            for _, asked in batch
        ]
        fee = {"b": "0x" + rng.randbytes(20).hex(), "f": rng.randrange(100)} if rng.random() < 0.3 else None
        builder = wire.Builder(fee["b"], fee["f"]) if fee else None
        ours = wire.place_orders([order for order, _ in batch], builder)
        check(keys, ours, signing.order_wires_to_order_action(wires, fee), frame_of(rng))


def test_modifies(rng, keys, universe, btc):
    for _ in range(ROUNDS):
        order, asked = random_order(rng, btc)
        oid = rng.choice((rng.randrange(1 << 40), cloid_text(rng.randrange(1, 1 << 48))))
        theirs_order = signing.order_request_to_order_wire(asked, 0)
        batch = {"type": "batchModify", "modifies": [{"oid": oid, "order": theirs_order}]}
        check(keys, wire.ModifyOrders((wire.Modify(oid, order),)), batch, frame_of(rng))
        single = {"type": "modify", "oid": oid, "order": theirs_order}
        check(keys, wire.ModifyOrder(oid, order), single, frame_of(rng))


def test_cancels(rng, keys, btc):
    for _ in range(ROUNDS):
        oids = [rng.randrange(1 << 40) for _ in range(rng.randrange(1, 20))]
        plain = {"type": "cancel", "cancels": [{"a": 0, "o": oid} for oid in oids]}
        check(keys, wire.CancelOrders(tuple(wire.CancelById(0, oid) for oid in oids)), plain, frame_of(rng))
        ids = [rng.randrange(1, 1 << 48) for _ in oids]
        texts = [{"asset": btc.venue_id, "cloid": cloid_text(identity)} for identity in ids]
        by_text = {"type": "cancelByCloid", "cancels": texts}
        check(keys, wire.cancel_orders([(btc, identity) for identity in ids]), by_text, frame_of(rng))
        fast = wire.cancel_orders([(btc, identity) for identity in ids], is_fast=True)
        check(keys, fast, {**by_text, "f": True}, frame_of(rng))


def test_other_actions(rng, keys):
    for _ in range(ROUNDS):
        time_ms, asset, leverage = rng.randrange(1 << 41), rng.randrange(1 << 18), rng.randrange(1, 51)
        amount, is_cross = rng.randrange(-(10**12), 10**12), rng.random() < 0.5
        check(keys, wire.ScheduleCancel(time_ms), {"type": "scheduleCancel", "time": time_ms}, frame_of(rng))
        theirs = {"type": "updateLeverage", "asset": asset, "isCross": is_cross, "leverage": leverage}
        check(keys, wire.UpdateLeverage(asset, is_cross, leverage), theirs, frame_of(rng))
        theirs = {"type": "updateIsolatedMargin", "asset": asset, "isBuy": True, "ntli": amount}
        check(keys, wire.UpdateIsolatedMargin(asset, True, amount), theirs, frame_of(rng))
    check(keys, wire.ScheduleCancel(), {"type": "scheduleCancel"}, frame_of(rng))
    check(keys, wire.Noop(), {"type": "noop"}, frame_of(rng))


SDK_FIELDS = {
    "usdSend": signing.USD_SEND_SIGN_TYPES,
    "spotSend": signing.SPOT_TRANSFER_SIGN_TYPES,
    "withdraw3": signing.WITHDRAW_SIGN_TYPES,
    "usdClassTransfer": signing.USD_CLASS_TRANSFER_SIGN_TYPES,
    "sendAsset": signing.SEND_ASSET_SIGN_TYPES,
    "userDexAbstraction": signing.USER_DEX_ABSTRACTION_SIGN_TYPES,
    "userSetAbstraction": signing.USER_SET_ABSTRACTION_SIGN_TYPES,
    "tokenDelegate": signing.TOKEN_DELEGATE_TYPES,
    "convertToMultiSigUser": signing.CONVERT_TO_MULTI_SIG_USER_SIGN_TYPES,
    "multiSig": signing.MULTI_SIG_ENVELOPE_SIGN_TYPES,
}


def random_value(rng: random.Random, form: str) -> Any:
    if form == "string":
        return rng.choice(("", "1.5", "bot é", "0x" + rng.randbytes(20).hex(), "USDC:0x6d1e"))
    if form == "bool":
        return rng.random() < 0.5
    if form == "uint64":
        return rng.randrange(1 << 63)
    raw = "0x" + rng.randbytes(20 if form == "address" else 32).hex()
    return checksum_address(raw) if form == "address" and rng.random() < 0.5 else raw


@pytest.mark.parametrize("kind", USER_SIGNED)
def test_user_signed(rng, keys, kind):
    signer, wallet = keys
    typed = USER_SIGNED[kind]
    fields = [{"name": "hyperliquidChain", "type": "string"}]
    fields += [{"name": name, "type": form} for name, form in typed.fields]
    if kind in SDK_FIELDS:
        assert fields == SDK_FIELDS[kind]
    for _ in range(8):
        is_mainnet = rng.random() < 0.5
        action = {"type": kind} | {name: random_value(rng, form) for name, form in typed.fields}
        theirs = {
            name: bytes.fromhex(value[2:]) if name == "multiSigActionHash" else value
            for name, value in action.items()
        }
        primary = f"HyperliquidTransaction:{typed.primary_type}"
        expected = signing.sign_user_signed_action(wallet, theirs, fields, primary, is_mainnet)
        ours = user_signed(action, is_mainnet)
        assert same(signer.sign_user_action(ours), expected)
        assert recover_user_action(ours, signer.sign_user_action(ours)) == signer.address


def test_agent_and_builder_approvals(rng, keys):
    signer, wallet = keys
    for is_mainnet in (False, True):
        agent = {"type": "approveAgent", "agentAddress": wallet.address, "agentName": "", "nonce": 17}
        ours = signer.sign_user_action(user_signed(agent, is_mainnet))
        assert same(ours, signing.sign_agent(wallet, agent, is_mainnet))
        fee = {"type": "approveBuilderFee", "maxFeeRate": "0.001%", "builder": wallet.address, "nonce": 18}
        ours = signer.sign_user_action(user_signed(fee, is_mainnet))
        assert same(ours, signing.sign_approve_builder_fee(wallet, fee, is_mainnet))


def test_number_text(rng):
    """Where the SDK takes a float, our text is the same; only its "-0" has no counterpart.

    Fourteen digits at most: beyond, eight decimals of a float show its rounding.
    """
    for _ in range(1_000):
        decimals = rng.randrange(9)
        steps = rng.randrange(-(10 ** (decimals + 6)), 10 ** (decimals + 6)) or 1
        assert client_text(steps, decimals) == signing.float_to_wire(steps / 10**decimals)
    assert client_text(0, 8) == "0"
