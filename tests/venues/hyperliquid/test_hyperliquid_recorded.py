"""Real recorded messages: they decode to sane rows and are written again as equal JSON.

The recordings live beside the repository and are never copied into it (shared/data/SOURCES.md tells
where they are from); where they are absent these tests are skipped.
"""

import json
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from makerside.model.event import Flag, Kind, event_t
from makerside.venues.hyperliquid import wire_frames as frames
from makerside.venues.hyperliquid import wire_info as info
from makerside.venues.hyperliquid.codec import Malformed, to_json
from makerside.venues.hyperliquid.meta import Universe
from makerside.venues.hyperliquid.rules import rules_at
from makerside.venues.hyperliquid.session import Session


def same(text: str, message: Any) -> bool:
    return bool(json.loads(to_json(message)) == json.loads(text))


def contains(whole: Any, part: Any) -> bool:
    """Return whether every value of `part` is in `whole`: fields that we do not know may be missing."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(contains(whole.get(key), part[key]) for key in part)
    if isinstance(part, list):
        return isinstance(whole, list) and len(part) == len(whole) and all(map(contains, whole, part))
    return bool(whole == part)


def test_stream_of_books_and_trades(recorded, universe, btc, buffer):
    session = Session(universe, [btc], feeds=None)
    n_books = n_trades = 0
    for record in recorded("btc-l2book-trades-20250126"):
        data = record["raw"].encode()
        frame = frames.decode_frame(data)
        if isinstance(frame, frames.OtherFrame | frames.SubscriptionFrame):
            continue
        assert same(record["raw"], frame)
        n_rows = session.on_frame(data, record["recv_ns"], buffer)
        rows = np.frombuffer(bytes(buffer[: 32 * n_rows]), event_t)
        assert (rows["flags"][:-1] & Flag.LAST).sum() == 0
        assert rows["flags"][-1] & Flag.LAST
        assert (rows["price_ticks"] > 1_000_000).all()  # BTC above 100,000 that day
        assert (rows["size_lots"] > 0).all()
        if rows["kind"][0] == Kind.SNAPSHOT:
            n_books += 1
            is_ask = (rows["flags"] & Flag.SELL) > 0
            bids, asks = rows["price_ticks"][~is_ask], rows["price_ticks"][is_ask]
            assert len(bids) == len(asks) == 20
            assert (np.diff(bids) < 0).all()
            assert (np.diff(asks) > 0).all()
            assert bids[0] < asks[0]
            assert Decimal(int(bids[0])) * btc.tick_size == Decimal(frame.data.levels[0][0].price)
            assert int(rows["size_lots"].sum()) * btc.lot_size == sum(
                Decimal(level.size) for side in frame.data.levels for level in side
            )
        else:
            n_trades += n_rows
            sides = ["A" if flags & Flag.SELL else "B" for flags in rows["flags"]]
            assert sides == [trade.side for trade in frame.data][-n_rows:]
    assert n_books > 30
    assert n_trades > 0
    assert session.statistics().n_old_trades > 0  # the batch on subscribing
    assert session.statistics().n_malformed == 0
    assert session.statistics().n_unfollowed == 0


EXACT = {"userRole", "userFills", "userFillsByTime", "l2Book", "openOrders", "allMids", "userRateLimit"}


def test_info_exchanges(recorded):
    """Whatever we know of the recorded requests decodes, and what was decoded is written back unchanged."""
    seen = set()
    for record in recorded("rest-info-exchanges"):
        try:
            request = info.decode_info(record["request"].encode())
        except Malformed:
            continue  # a request outside our slice
        answer = info.decode_answer(request, record["raw"].encode())
        kind = info.info_kind(request)
        seen.add(kind)
        written = json.loads(to_json(answer))
        assert contains(json.loads(record["raw"]), written)
        if kind in EXACT:
            assert same(record["raw"], answer)
    assert {"meta", "l2Book", "userFills", "openOrders", "clearinghouseState", "userRole"} <= seen


def test_universe_of_a_recorded_meta(recorded):
    metas = [r for r in recorded("rest-info-exchanges") if json.loads(r["request"]) == {"type": "meta"}]
    meta = info.decode_answer(info.MetaRequest(), metas[0]["raw"].encode())
    universe = Universe.from_meta(meta, rules_at(date(2023, 7, 17)))
    assert universe.instrument("BTC").venue_id == 0
    assert universe.instrument("BTC").tick_size == Decimal("0.1")
    assert universe.instrument("ATOM").venue_id == 2
    for asset in universe:
        assert universe.by_asset_id(asset.instrument.venue_id) is asset.instrument


def test_recorded_fills_are_on_the_grid_of_their_day(recorded, btc):
    """Prices of fills of 2023 in the universe of the same recording; they carry no trade id: refused."""
    records = recorded("rest-info-exchanges")
    metas = [r for r in records if json.loads(r["request"]) == {"type": "meta"}]
    fills = next(r for r in records if json.loads(r["request"])["type"] == "userFills")
    meta = info.decode_answer(info.MetaRequest(), metas[0]["raw"].encode())
    universe = Universe.from_meta(meta, rules_at(date(2023, 7, 17)))
    n_checked = 0
    for fill in info.decode_answer(info.UserFillsRequest("0x" + "0" * 40), fills["raw"].encode()):
        if fill.coin in universe:
            instrument = universe.instrument(fill.coin)
            assert instrument.price_ticks(fill.price) > 0
            assert instrument.size_lots(fill.size) > 0
            assert fill.trade_id is None
            n_checked += 1
    assert n_checked > 100


# fixture: how it is read. "exact" ones are written back unchanged.
FIXTURES: list[tuple[str, info.InfoRequest, bool]] = [
    ("http_l2_book_btc.json", info.BookRequest("BTC"), False),
    ("http_meta_perp_sample.json", info.MetaRequest(), False),
    ("http_recent_trades_btc.json", info.RecentTradesRequest("BTC"), True),
    ("http_spot_clearinghouse_state.json", info.SpotStateRequest("0x" + "0" * 40), True),
    ("http_spot_meta_non_usdc_collateral.json", info.SpotMetaRequest(), True),
    ("http_user_fills_dust_conversion.json", info.UserFillsRequest("0x" + "0" * 40), True),
]


@pytest.mark.parametrize(("source", "request_", "is_exact"), FIXTURES)
def test_fixtures_of_answers(recorded, source, request_, is_exact):
    raw = next(r["raw"] for r in recorded("nautilus-fixtures") if r["source"] == source)
    answer = info.decode_answer(request_, raw.encode())
    if is_exact:
        assert same(raw, answer)


def test_fixtures_of_frames(recorded, universe, btc, buffer):
    raws = {r["source"]: r["raw"] for r in recorded("nautilus-fixtures")}
    mids = frames.decode_frame(raws["ws_allmids.json"].encode())
    assert same(raws["ws_allmids.json"], mids)
    liquidated = frames.decode_frame(raws["ws_user_fill_liquidation.json"].encode())
    assert same(raws["ws_user_fill_liquidation.json"], liquidated)
    session = Session(universe, [btc], "0x" + "5e" * 20)
    assert session.on_frame(raws["ws_user_fill_liquidation.json"].encode(), 1, buffer) == 2
    rows = np.frombuffer(bytes(buffer[:32]), event_t)
    assert rows["kind"][0] == Kind.FILL
    assert rows["price_ticks"][0] == 666_530
    assert rows["size_lots"][0] == 100
    assert rows["flags"][0] == Flag.LAST | Flag.SELL
    contexts = json.loads(raws["ws_all_dexs_asset_ctxs.json"])["data"]["ctxs"][0][1]
    frame = {"channel": "activeAssetCtx", "data": {"coin": "BTC", "ctx": contexts[0]}}
    assert session.on_frame(json.dumps(frame).encode(), 1, buffer) == 2
    assert session.statistics().n_malformed == 0
