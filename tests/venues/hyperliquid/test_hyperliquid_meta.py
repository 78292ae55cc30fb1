"""Metadata to instruments and back: asset ids, steps, fees, collateral, and the names that do not exist."""

from decimal import Decimal

import pytest

from makerside.model.errors import ConfigError
from makerside.venues.hyperliquid.codec import Malformed, to_json
from makerside.venues.hyperliquid.meta import Universe
from makerside.venues.hyperliquid.meta_render import render_meta
from makerside.venues.hyperliquid.wire_info import (
    MetaRequest,
    PerpDexsRequest,
    SpotMetaRequest,
    decode_answer,
)
from makerside.venues.hyperliquid.wire_market import Meta, PerpAsset, PerpDex, SpotMeta, SpotPair

# symbol: asset id, tick, lot, maker %, taker %, collateral, max leverage
EXPECTED = """
BTC        0      0.1        0.00001 0.015 0.045 USDC 40
ETH        1      0.01       0.0001  0.015 0.045 USDC 25
MATIC      2      0.00001    0.1     0.015 0.045 USDC 20
kPEPE      3      0.000001   1       0.015 0.045 USDC 10
PURR/USDC  10000  0.00000001 1       0.04  0.07  USDC 1
@107       10107  0.000001   0.01    0.04  0.07  USDC 1
xyz:XYZ100 110000 0.001      0.001   0.03  0.09  USDC 20
km:US500   120000 0.001      0.001   0.003 0.009 USDH 20
km:A:B     120001 0.0001     0.01    0.03  0.09  USDH 10
"""


@pytest.mark.parametrize("line", EXPECTED.strip().splitlines())
def test_instrument(universe, line):
    symbol, asset_id, tick, lot, maker, taker, collateral, leverage = line.split()
    found = universe.instrument(symbol)
    assert universe.by_asset_id(int(asset_id)) is found
    assert (found.tick_size, found.lot_size) == (Decimal(tick), Decimal(lot))
    assert (found.maker_fee, found.taker_fee) == (Decimal(maker) / 100, Decimal(taker) / 100)
    assert (found.collateral, found.max_leverage, found.venue_id) == (collateral, int(leverage), int(asset_id))
    assert (found.significant_figures, found.min_notional, found.fee_decimals) == (5, 10, 6)
    assert found.kind == ("spot" if found.venue_id in (10_000, 10_107) else "perp")


def test_assets_carry_what_only_this_venue_knows(universe):
    assert universe.asset("MATIC").is_delisted
    assert "MATIC" not in universe.symbols()
    assert "MATIC" in universe
    assert universe.asset("km:A:B").margin_mode == "strictIsolated"
    assert universe.asset("km:A:B").dex == "km"
    assert universe.symbols("km") == ["km:US500", "km:A:B"]
    assert universe.asset("BTC").margin_tiers == ((0, 40),)
    assert universe.instrument("HYPE/USDC").symbol == "@107"
    assert len(universe) == len(list(universe)) == 9


def test_unknown_symbols(universe):
    with pytest.raises(ConfigError, match=r"btc is not traded on hyperliquid; did you mean BTC"):
        universe.instrument("btc")
    with pytest.raises(ConfigError, match=r"WXYZQJ is not traded.*there are BTC, ETH, kPEPE"):
        universe.instrument("WXYZQJ")
    with pytest.raises(ConfigError, match="asset id 77 does not exist"):
        universe.by_asset_id(77)


def test_answers_that_do_not_fit(rules):
    with pytest.raises(Malformed, match="collateral token 9"):
        Universe.from_meta(Meta(universe=(), collateral_token=9), rules)
    pair = SpotPair(tokens=(5, 0), name="@1", index=1, is_canonical=False)
    with pytest.raises(Malformed, match="spot pair @1"):
        Universe.from_meta(Meta(universe=()), rules, SpotMeta(universe=(pair,), tokens=()))
    with pytest.raises(Malformed, match="7 size decimals"):
        Universe.from_meta(Meta(universe=(PerpAsset(sz_decimals=7, name="X", max_leverage=3),)), rules)


def test_the_exchange_renders_what_the_client_reads(universe, rules):
    """Instruments -> metadata -> bytes -> metadata -> the same instruments; a hole becomes a placeholder."""
    followed = [asset.instrument for asset in universe if asset.instrument.symbol != "MATIC"]
    told = render_meta(followed, rules)
    dexs = decode_answer(PerpDexsRequest(), to_json(told.perp_dexs))
    metas = {name: decode_answer(MetaRequest(dex=name), to_json(meta)) for name, meta in told.metas.items()}
    spot = decode_answer(SpotMetaRequest(), to_json(told.spot_meta))
    again = Universe.from_meta(metas[""], rules, spot, dexs, metas)
    assert {asset.instrument.symbol: asset.instrument for asset in again if not asset.is_delisted} == {
        instrument.symbol: instrument for instrument in followed
    }
    assert metas[""].universe[2].is_delisted
    assert dexs[0] is None
    assert [dex.name for dex in dexs[1:]] == ["xyz", "km"]


def test_an_empty_exchange(rules):
    told = render_meta([], rules)
    assert to_json(told.perp_dexs) == b"[null]"
    assert told.metas[""].universe == ()
    assert len(Universe.from_meta(told.metas[""], rules, told.spot_meta, told.perp_dexs)) == 0


def test_builder_dex_fee_scale_of_the_dex(rules):
    dexs = (None, PerpDex(name="ab", full_name="ab", deployer="0x0", deployer_fee_scale="0.5"))
    metas = {"ab": Meta(universe=(PerpAsset(sz_decimals=2, name="ab:X", max_leverage=3),))}
    universe = Universe.from_meta(Meta(universe=()), rules, None, dexs, metas)
    assert universe.instrument("ab:X").taker_fee == Decimal("0.000675")
