"""Signatures: every vector of the protocol notes, recovery, and the key's secrecy."""

import copy
import json
import pickle
import sys
import traceback
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from makerside.model.errors import KeyFileError, VenueRefused
from makerside.venues.hyperliquid import keccak as hashes
from makerside.venues.hyperliquid import signer as signing
from makerside.venues.hyperliquid import typed_data
from makerside.venues.hyperliquid.codec import Malformed
from makerside.venues.hyperliquid.signer import Signature, Signer, pack, recover_action, recover_user_action
from makerside.venues.hyperliquid.typed_data import connection_id, user_signed
from makerside.venues.hyperliquid.wire_actions import decode_exchange, encode_exchange

KEY_TEXT = "0x" + "0123456789" * 6 + "0123"
ADDRESS = "0x14791697260e4c9a71f18484c9f997b308e59325"
SIGNER = Signer.from_text(KEY_TEXT)
VAULT = "0x1719884eb866cb12b2287399b15f7db5e7d775ea"
CLOID = "0x0000000000000000000000000000abcd"
NONCE = 1_700_000_000_000


def order(**fields: Any) -> dict[str, Any]:
    base = {"a": 1, "b": True, "p": "100", "s": "100", "r": False, "t": {"limit": {"tif": "Gtc"}}}
    return {**base, **fields}


def orders(*items: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "order", "orders": list(items), "grouping": "na", **more}


ALO = {"limit": {"tif": "Alo"}}
QUOTE = order(a=0, p="83757", s="0.0012", t=ALO, c=CLOID)
CANCEL = {"type": "cancel", "cancels": [{"a": 0, "o": 191223344556}]}
MODIFIED = {"a": 0, "b": True, "p": "83756", "s": "0.0012", "r": False, "t": ALO}
STOP = {"trigger": {"isMarket": True, "triggerPx": "2010.5", "tpsl": "sl"}}

# name: action, connection id, r, s, v; nonce 1700000000000, source "b". From the notes, section 3.2:
# made with the official SDK 0.24.0 and reproduced independently.
VECTORS: dict[str, tuple[dict[str, Any], str, str, str, int]] = {
    "B1": (
        orders(QUOTE, builder={"b": VAULT, "f": 10}),
        "f933b0f7dc86a4f1972f28e17c5e32743b0f15cf2257adf87a010edfcfd6fa32",
        "0x4d67419bde1f91436da5b10630a7265f677c46c0eaecad961a97c3d090e33fdd",
        "0x711973594e8f01aac959323a4fa51d77abcb49f2001db41f08879d777437db32",
        27,
    ),
    "B2": (
        orders(order(a=110003, b=False, p="251.35", s="1.5", r=True, t={"limit": {"tif": "Ioc"}}))
        | {"grouping": {"p": 1000}},
        "7ce04358f944252be0be64c254e0494d8b9a7855b3b907d6016e68c79dc93997",
        "0xc9e8cf09abfbb24d436019d10fa51ffdd6abaee5e6e9e907578261060676a319",
        "0x16f05bcab682c2b05ec7d7676656dc7353bbe866ec0419f9f31b865ee18c52aa",
        27,
    ),
    "B3": (
        orders(order(b=False, p="2000", s="0.5", r=True, t=STOP)),
        "3e063667bde76aaf3eedca59af504f645f4ec3ce7e9a05eb7cc681933ab4d1e9",
        "0x4d597a84c950fa147e2ffa4e8938dd541184cf3b6880bf55ce03bc9ad967e6a6",
        "0x191b5f854125373cad711745f52f73a68a7bae8579ee72208efb088586686012",
        27,
    ),
    "B4": (
        CANCEL,
        "a3d87dfb0ae08f609a6a3257cb884045171f3776d687b357e4171f91a0a8b509",
        "0x6b8fc9a1a2bc570a2f92f01604b964269b9095401d7c7784faadfedf0444479e",
        "0x37a98bdff800cca3dd08962a878db4b5d09529f018cbc85aff6c2be5ada948d8",
        28,
    ),
    "B5": (
        {**CANCEL, "f": True},
        "1bea6725c7b37083fbd5d7bb4bd306eebc1b1ed843395d4769cdf87ddb907a3a",
        "0x8b8f84608439b9352fdf3a8e113f52301eca12a2b7d720805ed05ba5ab5f72bb",
        "0x2736a934295acbedf4c9940286bc5311882da1ffe3e0940dfd59342314582c21",
        27,
    ),
    "B6": (
        {"type": "cancelByCloid", "cancels": [{"asset": 110003, "cloid": CLOID}]},
        "42361e60a9ce475e219df8b8c40d652982a7d9c66c21998c75c2014b749d3ed4",
        "0xf702b8a8a93f2c0f928111859e7be16a006cf71ce08952f654ae5b694b2e782",  # 63 digits: zeros are trimmed
        "0x28fa578595af78dd804636d8dbb3430f49ebdb057233708d44c51b74d103d198",
        28,
    ),
    "B7": (
        {"type": "batchModify", "modifies": [{"oid": 191223344556, "order": {**MODIFIED, "c": CLOID}}]},
        "cdb82374f63c9b78e5bedd62802f1ae4da9da870122fe4bc787a3310b9f40d64",
        "0x7f4886df9c0c766961bf032f585aa48e900414decb4f3e16f872a573fe69552a",
        "0x7b7e43c9bdb714d7ee7222cb448c8315bd133dfe3a267865dd89060404a9e08",
        27,
    ),
    "B8": (
        {"type": "modify", "oid": 191223344556, "order": MODIFIED},
        "be75b854bf437d02e166c3c66965c249b820817ad0a994beff7c1ac3f89964ad",
        "0x6cdf50d204f0a48f997a9488d8fcae9ba1f76a726c38f330d2c301623a6e390",
        "0x619655a3f1b2378bccf1270377d687a6e1d7d6ca5fb2cbe269e716a5ba1c7cfd",
        27,
    ),
    "B9": (
        {"type": "scheduleCancel", "time": 1700000005000},
        "e00d91f9a7f5ad54922991153b8dd4a05bd13475e3b5b8864f86cf08e908d320",
        "0x8ab74f15cccf8436ad13ff94189a0e80383b69b4c0e9a0a0d6a194acbc1d73e6",
        "0x4084a49e5be86991c47dd5f02dea1bd5317d9b0aa2f89fbb68c7f52724397f7b",
        28,
    ),
    "B10": (
        {"type": "scheduleCancel"},
        "3203332b8f438c09b3d96dc86b924df85640505711dacbbe2ba373d7f16ef09c",
        "0xfcd3ce1e34b60ce9ceb75a93eedf63d2f0bdfe574427fc4949756e0b4ffc487f",
        "0x50f1cde33e2434a742de4ee38f8d9f8d74063cd29b48af92ee27c123a009d6f1",
        28,
    ),
    "B11": (
        {"type": "updateLeverage", "asset": 110003, "isCross": False, "leverage": 5},
        "aa4454c0d0c03ca7edcc3fcc072b54e0e923f7f242a3b1fee957338cf97da852",
        "0x9db3906a56f05930fb2ba935bc12b455200d35933baddf1b631b9c67fc3e99b",
        "0x41fe664d6be7b6c89f79ba99e92ff75354899dc1b596b16264a14c6e1acc97ea",
        27,
    ),
    "B12": (
        {"type": "updateIsolatedMargin", "asset": 110003, "isBuy": True, "ntli": -1500000},
        "8355351cf48699d0d9de8d3bb598cad8d9780a44933c517d3ea6d0fb05ce9501",
        "0xafb22353cd2e4a6ba58171ee285f01fa67f0f9dd813281e4de017cf8c7fada71",
        "0x12c5920cbe8fa23780061dd66e14a3fc5a7219be2e019091e789b7e04cc8364b",
        27,
    ),
    "B13": (
        {"type": "noop"},
        "ef5dcef9775ebb2c5a6553314e66a6a57bd7e9b2319a869a8b17f08fa48bdcaf",
        "0x4b9af944e3380469044c5ec5d33a9da8cfb406c8e06d5b758f7b9d5bc4d095f",
        "0x862f995ef927f761c5dadc2c7a91d39dab55e6991c9b01e10b5f6ab1d3cfaeb",
        27,
    ),
}


def same(found: Signature, r: str, s: str, v: int) -> bool:
    return (int(found.r, 16), int(found.s, 16), found.v) == (int(r, 16), int(s, 16), v)


def test_constants_are_those_of_the_notes():
    assert typed_data.AGENT_DOMAIN.hex() == "d79297fcdf2ffcd4ae223d01edaa2ba214ff8f401d7c9300d995d17c82aa4040"
    assert typed_data.AGENT_TYPE.hex() == "26f05c2f7239b6983075e58321292d77b3aa173d19b27257ac96ab362570f508"
    mainnet, other = typed_data.SOURCES[True].hex(), typed_data.SOURCES[False].hex()
    assert mainnet == "3ac225168df54212a25c1c01fd35bebfea408fdac2e31ddd6f80a4bbf9a5f1cb"
    assert other == "b5553de315e0edf504d9150af82dafa5c4667fa618ed0a6f19c69b41166c5510"


def test_v1_bytes_and_both_networks():
    action = orders(order())
    assert pack(action).hex() == (
        "83a474797065a56f72646572a66f72646572739186a16101a162c3a170a3313030a173a3313030a172c2a17481a56c696d"
        "697481a3746966a3477463a867726f7570696e67a26e61"
    )
    expected = "884f2c32bb6dbdd65f6033e32fb28c0cb6f5b345db0f6471fd3366d85c9252c1"
    assert connection_id(pack(action), 0).hex() == expected
    assert SIGNER.address == ADDRESS
    assert same(
        SIGNER.sign_action(action, 0, is_mainnet=True),
        "0xd65369825a9df5d80099e513cce430311d7d26ddf477f5b3a33d2806b100d78e",
        "0x2b54116ff64054968aa237c20ca9ff68000f977c93289157748a3162b6ea940e",
        28,
    )
    assert same(
        SIGNER.sign_action(action, 0),
        "0x82b2ba28e76b3d761093aaded1b1cdad4960b3af30212b343fb2e6cdfa4e3d54",
        "0x6b53878fc99d26047f4d7e8c90eb98955a109f44209163f52d8dc4278cbbd9f5",
        27,
    )


def test_v2_vault_and_expiry():
    action = orders(order())
    expected = "4ac7dfeeaf098012f07ce7c6179855544d04b85fd969b5594836081d0c3b0bbc"
    assert connection_id(pack(action), NONCE, VAULT, 1_700_000_005_000).hex() == expected
    assert same(
        SIGNER.sign_action(action, NONCE, VAULT, 1_700_000_005_000, is_mainnet=True),
        "0x319bc58dc6f9db28ea9be56ee207fa625ff051adadaf9e541f02134c91b2cd0f",
        "0x3a9424b768f709fbd2a4b93c6cb0e1df18385f1d168216b43777aeb0eeabd9c8",
        28,
    )


def test_v3_connection_id_of_the_sdk_suite():
    action = orders(order(a=4, p="1670.1", s="0.0147", t={"limit": {"tif": "Ioc"}}))
    expected = "0fcbeda5ae3c4950a548021552a4fea2226858c4453571bf3f24ba017eac2908"
    assert connection_id(pack(action), 1_677_777_606_040).hex() == expected


@pytest.mark.parametrize("name", VECTORS)
def test_vector(name):
    action, connection, r, s, v = VECTORS[name]
    assert connection_id(pack(action), NONCE).hex() == connection
    signature = SIGNER.sign_action(action, NONCE)
    assert same(signature, r, s, v)
    assert recover_action(action, NONCE, signature) == ADDRESS
    assert recover_action(action, NONCE, Signature(r, s, v)) == ADDRESS  # trimmed zeros recover too


@pytest.mark.parametrize("name", VECTORS)
def test_typed_action_packs_to_the_same_bytes(name):
    """The struct's field order is the canonical order, whatever order the JSON had."""
    action = VECTORS[name][0]
    body = encode_exchange(action, NONCE, SIGNER.sign_action(action, NONCE))
    request = decode_exchange(body)
    assert pack(request.action) == pack(action)
    assert request.packings() == (pack(action),)
    assert json.loads(encode_exchange(request.action, NONCE, request.signature)) == json.loads(body)
    backwards = dict(reversed(list(action.items())))
    shuffled = decode_exchange(encode_exchange(backwards, NONCE, request.signature))
    assert pack(shuffled.action) == pack(action)
    if len(action) > 1:
        assert shuffled.packings() == (pack(backwards), pack(action))
        candidates = list(signing.recover_candidates(shuffled.packings(), NONCE, request.signature))
        assert candidates[2] == ADDRESS  # received order, network b and a; then canonical order, network b


USER_VECTORS = [
    (
        {
            "type": "usdSend",
            "destination": "0x5e9ee1089755c3435139848e47e6635505d5a13a",
            "amount": "1",
            "time": 1687816341423,
        },
        "0x637b37dd731507cdd24f46532ca8ba6eec616952c56218baeff04144e4a77073",
        "0x11a6a24900e6e314136d2592e2f8d502cd89b7c15b198e1bee043c9589f9fad7",
    ),
    (
        {
            "type": "approveAgent",
            "agentAddress": "0x5e9ee1089755c3435139848e47e6635505d5a13a",
            "agentName": "bot",
            "nonce": NONCE,
        },
        "0xe2d81623c42180a48a7d684b35f65bc9139f4a80368150a4bf872e9e0005e700",
        "0x31142081fd1222981a77461fb2aeacb72696ff7ff1bc1f9d0ac078fcc8bbad58",
    ),
]


@pytest.mark.parametrize(("fields", "r", "s"), USER_VECTORS)
def test_user_signed_vector(fields, r, s):
    action = user_signed(fields, is_mainnet=False)
    signature = SIGNER.sign_user_action(action)
    assert same(signature, r, s, 27)
    assert recover_user_action(action, signature) == ADDRESS


def test_absent_agent_name_is_signed_as_empty():
    action = user_signed({"type": "approveAgent", "agentAddress": ADDRESS, "nonce": 1}, is_mainnet=True)
    assert SIGNER.sign_user_action(action) == SIGNER.sign_user_action({**action, "agentName": ""})


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"type": "order"}, "user-signed"),
        ({"type": None}, "user-signed"),
        ({"amount": 1}, "amount"),
        ({"time": -1}, "time"),
        ({"time": True}, "time"),
        ({"time": 1 << 64}, "time"),
        ({"signatureChainId": "zz"}, "signatureChainId"),
        ({"signatureChainId": None}, "signatureChainId"),
        ({"hyperliquidChain": 7}, "hyperliquidChain"),
    ],
)
def test_bad_user_action_is_malformed(change, named):
    action = {**user_signed(USER_VECTORS[0][0], False), **change}
    with pytest.raises(Malformed, match=named):
        SIGNER.sign_user_action(action)


def test_bad_address_is_malformed():
    fields = {"type": "approveAgent", "agentName": "", "nonce": 1}
    for address in ("", "0x12", "zz" * 21, "0x" + "zz" * 20):
        with pytest.raises(Malformed, match="hex digits"):
            SIGNER.sign_user_action(user_signed({**fields, "agentAddress": address}, False))


def test_a_changed_byte_recovers_another_address():
    signature = SIGNER.sign_action(orders(order()), NONCE)
    assert recover_action(orders(order(s="100.0")), NONCE, signature) != ADDRESS
    assert recover_action(orders(order()), NONCE + 1, signature) != ADDRESS
    assert recover_action(orders(order()), NONCE, signature, is_mainnet=True) != ADDRESS


@given(st.integers(0, (1 << 256) - 1), st.integers(0, (1 << 256) - 1), st.integers(27, 28))
@settings(max_examples=60, derandomize=True, deadline=None)
def test_any_signature_recovers_or_is_refused_in_the_venues_words(r, s, v):
    refusal = ""
    try:
        address = recover_action(orders(order()), NONCE, Signature(hex(r), hex(s), v))
    except VenueRefused as error:
        address, refusal = "", str(error)
    assert address != ADDRESS
    assert address or refusal == "Unable to recover signer."


def test_signatures_have_64_digits_each():
    found = [SIGNER.sign_action({"type": "noop"}, nonce) for nonce in range(200)]
    assert {len(signature.r) for signature in found} == {66}
    assert {len(signature.s) for signature in found} == {66}
    assert any(signature.s.startswith("0x0") for signature in found)


def test_checksum_address():
    assert signing.checksum_address(ADDRESS) == "0x14791697260E4c9A71f18484C9f997B308e59325"


@given(st.binary(max_size=400))
@settings(max_examples=100, derandomize=True, deadline=None)
def test_keccak_providers_are_equal(data):
    assert hashes.keccak(data) == hashes.keccak_pycryptodome(data)
    if hashes.keccak_pysha3 is not None:
        assert hashes.keccak_pysha3(data) == hashes.keccak_pycryptodome(data)


def test_without_pysha3_the_other_provider_is_taken(monkeypatch):
    monkeypatch.setitem(sys.modules, "sha3", None)
    assert hashes._pysha3() is None


def test_keccak_is_not_the_nist_variant():
    empty = "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    assert hashes.keccak(b"").hex() == empty


GROUP_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
SECRET_TEXTS = [
    "beefcafe" * 8 + "ab",
    "beefcafe" * 7,
    "0x" + "beefcafe" * 7 + "beefcafg",
    "beef cafe" * 7,
    f"{GROUP_ORDER:064x}",
    "00" * 32,
    "",
]


@pytest.mark.parametrize("text", SECRET_TEXTS)
def test_a_malformed_key_is_refused_without_an_echo(text):
    with pytest.raises(KeyFileError) as caught:
        Signer.from_text(text)
    shown = "".join(traceback.format_exception(caught.value))
    # The source line of this test and the parameter's name appear in the trace; the value must not.
    assert not text or text not in shown
    assert "beefcafe" not in shown
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("key", [b"", b"x" * 31, b"x" * 33, b"\0" * 32, b"\xff" * 32, "x" * 32])
def test_a_malformed_key_of_bytes_is_refused(key):
    with pytest.raises(KeyFileError, match="private key") as caught:
        Signer(key)
    assert "xxxx" not in str(caught.value)


def test_the_key_shows_in_no_text():
    digits = KEY_TEXT[2:]
    for shown in (repr(SIGNER), str(SIGNER), f"{SIGNER}", repr([SIGNER]), repr(SIGNER._key)):
        assert digits not in shown
        assert str(int(digits, 16)) not in shown
    assert ADDRESS in repr(SIGNER)
    assert not hasattr(SIGNER, "__dict__")
    for leak in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="private key"):
            leak(SIGNER)


def test_key_text_may_have_space_and_no_prefix():
    assert Signer.from_text(f"  {KEY_TEXT[2:]}\n").address == ADDRESS
