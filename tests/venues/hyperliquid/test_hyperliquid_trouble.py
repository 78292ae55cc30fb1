"""Trouble: what the session does with frames that it cannot read, or that are not for it."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from makerside.venues.hyperliquid import render
from makerside.venues.hyperliquid import wire_frames as frames
from makerside.venues.hyperliquid.cloid import cloid_text
from makerside.venues.hyperliquid.codec import to_json
from makerside.venues.hyperliquid.rows import ROWS_PER_FRAME_MAX

NOW_NS = 1_758_800_001_000_000_000
USER = "0x" + "5e" * 20
T = 1_758_800_000_123


def stream(universe, identity, status, left=20, symbol="BTC") -> bytes:
    instrument = universe.instrument(symbol)
    order = render.open_order(instrument, True, 837_570, left, 120, 191, T - 5, cloid_text(identity))
    return to_json(frames.OrderUpdatesFrame((render.order_update(order, status, T),)))


def test_an_off_grid_level_spoils_the_whole_book(session, feed):
    data = b'{"channel":"l2Book","data":{"coin":"BTC","time":1,"levels":[[{"px":"1.05","sz":"1","n":1}],[]]}}'
    assert feed(data) == []
    found = session.statistics()
    assert (found.n_malformed, found.n_private_lost, found.n_rows) == (1, 0, 0)
    assert "more than 1 decimals" in found.errors[0]


def test_one_bad_fill_does_not_lose_the_others_and_is_reported(session, feed, btc):
    good = render.fill(btc, T, True, 837_570, 1, 0, 0, 9, 100, False, 0)
    replace = frames.msgspec.structs.replace
    bad = (replace(good, price="1.05"), replace(good, trade_id=0), replace(good, fee_token="XYZ"))
    rows = feed(to_json(frames.UserFillsFrame(frames.UserFills(USER, (*bad, good)))))
    assert [row[6][2] for row in rows] == [100]
    assert session.statistics().n_private_lost == 3


def test_a_conversion_of_dust_is_no_fill_and_no_trouble(session, feed, universe):
    """Real ones have no trade id, and a price and size off every grid."""
    fill = render.fill(universe.instrument("@107"), T, False, 38_100_000, 150, 0, 0, 9, 0, True, 0)
    dust = frames.msgspec.structs.replace(fill, direction="Spot Dust Conversion", size="0.0000086141")
    assert feed(to_json(frames.UserFillsFrame(frames.UserFills(USER, (dust,))))) == []
    assert session.statistics().n_ignored == 1
    assert session.statistics().n_malformed == 0


def test_what_is_not_ours_to_read(session, feed, universe, btc):
    other = frames.UserFills("0x" + "12" * 20, (render.fill(btc, T, True, 1, 1, 0, 0, 9, 1, False, 0),))
    assert feed(to_json(frames.UserFillsFrame(other))) == []
    assert feed(stream(universe, 77, "triggered")) == []
    assert feed(b"Websocket connection established.") == []
    assert feed(b'{"channel":"webData3","data":{}}') == []
    assert session.statistics().n_ignored == 4
    assert feed(to_json(render.bbo_frame(universe.instrument("xyz:XYZ100"), T, None, None))) == []
    assert feed(stream(universe, 77, "open", symbol="MATIC")) == []
    assert session.statistics().n_unfollowed == 2
    assert session.statistics().n_malformed == 0


def test_an_oversized_frame_is_refused_as_a_whole(session, feed, universe):
    instrument = universe.instrument("BTC")
    order = render.open_order(instrument, True, 837_570, 1, 1, 191, T)
    update = render.order_update(order, "canceled", T)
    n_max = ROWS_PER_FRAME_MAX // 2
    assert len(feed(to_json(frames.OrderUpdatesFrame((update,) * n_max)))) == n_max
    assert feed(to_json(frames.OrderUpdatesFrame((update,) * (n_max + 1)))) == []
    assert session.statistics().n_private_lost == 1


GARBAGE = [
    b"",
    b"{",
    b"null",
    b"[]",
    b'"pong"',
    b"\xff\xfe",
    b"[" * 100_000,
    b'{"channel":7}',
    b'{"channel":"bbo"}',
    b'{"channel":"orderUpdates","data":[{}]}',
    b'{"channel":"l2Book","data":{"coin":"BTC","time":-1,"levels":[[],[]]}}',
    b'{"channel":"l2Book","data":{"coin":"BTC","time":99999999999999999999,"levels":[[],[]]}}',
    b'{"channel":"l2Book","data":{"coin":"BTC","time":9223372036855,"levels":[[],[]]}}',
    b'{"channel":"bbo","data":{"coin":"BTC","time":1,"bbo":[{"px":"-1","sz":"1"},null]}}',
    b'{"channel":"bbo","data":{"coin":"BTC","time":1,"bbo":[{"px":"999999999999","sz":"1"},null]}}',
    b'{"channel":"trades","data":[{"coin":"BTC","side":"X","px":"1","sz":"1","time":1}]}',
    b'{"channel":"user","data":{"funding":{"time":1,"coin":"BTC","usdc":"x","szi":"1","fundingRate":"1"}}}',
    b'{"channel":"error","data":"Already subscribed: {"}',
]


@pytest.mark.parametrize("data", GARBAGE)
def test_garbage_is_counted_and_skipped(session, feed, data):
    assert feed(data) == []
    found = session.statistics()
    assert (found.n_frames, found.n_malformed, found.n_rows) == (1, 1, 0)
    is_public = any(name in data for name in (b'"bbo"', b'"l2Book"', b'"trades"', b'"pong"'))
    assert found.n_private_lost == (0 if is_public else 1)


FIXED = settings(
    max_examples=150,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@given(st.binary(max_size=200))
@FIXED
def test_any_bytes(session, buffer, data):
    assert session.on_frame(data, NOW_NS, buffer) == 0


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted(frames.CHANNELS)), JSON)
@FIXED
def test_any_json_in_any_channel(session, buffer, channel, data):
    assert session.on_frame(json.dumps({"channel": channel, "data": data}).encode(), NOW_NS, buffer) == 0


@given(st.data())
@FIXED
def test_a_damaged_frame(session, buffer, universe, data):
    """Any one byte of a good frame replaced: rows or a count, never an exception."""
    good = bytearray(stream(universe, 77, "open"))
    good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    before = session.statistics()
    n_rows = session.on_frame(bytes(good), NOW_NS, buffer)
    after = session.statistics()
    assert n_rows in (0, 2)
    troubles = [after.n_malformed - before.n_malformed, after.n_ignored - before.n_ignored]
    assert n_rows or sum(troubles) + after.n_unfollowed - before.n_unfollowed == 1
