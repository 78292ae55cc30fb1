"""The way back: instruments -> the metadata by which the local exchange describes them.

A hole in the asset ids is filled with a delisted placeholder, since the venue's clients take the place
in the list for the id. Round trip: `Universe.from_meta` of what is rendered here gives the same
instruments, fees of builder DEXs included. Pure.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from makerside.model.instrument import Instrument
from makerside.venues.hyperliquid.meta import BUILDER_BASE, BUILDER_STRIDE, SINGLE_TIER_TABLES, SPOT_BASE, USDC
from makerside.venues.hyperliquid.numbers import server_text
from makerside.venues.hyperliquid.rules import ONE, Rules
from makerside.venues.hyperliquid.wire_market import (
    MarginTable,
    MarginTier,
    Meta,
    PerpAsset,
    PerpDex,
    SpotMeta,
    SpotPair,
    SpotToken,
)

# Token indices on mainnet. source : section 5.3 (trudumb/hyper_make; reported). Others are numbered from OWN.
KNOWN_TOKENS = {USDC: 0, "USDE": 235, "USDH": 360}
OWN_TOKENS = 1_000
_USDC_DECIMALS = 8
NOBODY = "0x" + 40 * "0"
_SCALE_DECIMALS = 9


@dataclass(frozen=True, slots=True)
class Descriptions:
    """What the local exchange answers to meta, spotMeta and perpDexs.

    metas : by DEX name, "" is the first
    """

    metas: Mapping[str, Meta]
    spot_meta: SpotMeta
    perp_dexs: tuple[PerpDex | None, ...]


def render_meta(instruments: Iterable[Instrument], rules: Rules) -> Descriptions:
    """Return the metadata that describes `instruments`.

    errors : asserts that asset ids, symbols and steps follow the venue's rules
    """
    listed = sorted(instruments, key=lambda instrument: instrument.venue_id)
    tokens = _tokens(listed)
    first = [i for i in listed if i.venue_id < SPOT_BASE and i.kind == "perp"]
    builders: dict[int, list[Instrument]] = {}
    for instrument in listed:
        if instrument.venue_id >= BUILDER_BASE:
            builders.setdefault((instrument.venue_id - BUILDER_BASE) // BUILDER_STRIDE, []).append(instrument)
    metas = {"": _meta(first, 0, tokens, rules)}
    dexs: list[PerpDex | None] = [None]
    for place in range(1, max(builders, default=0) + 1):
        members = builders.get(place, [])
        name = members[0].symbol.partition(":")[0] if members else f"d{place}"
        dexs.append(
            PerpDex(name=name, full_name=name, deployer=NOBODY, oracle_updater=None, fee_recipient=None)
        )
        metas[name] = _meta(members, BUILDER_BASE + place * BUILDER_STRIDE, tokens, rules)
    return Descriptions(metas, _spot_meta(listed, tokens), tuple(dexs))


def _meta(members: Sequence[Instrument], base: int, tokens: Mapping[str, int], rules: Rules) -> Meta:
    by_place = {instrument.venue_id - base: instrument for instrument in members}
    universe = tuple(
        _perp_asset(by_place[place], base > 0, rules) if place in by_place else _placeholder(place)
        for place in range(max(by_place, default=-1) + 1)
    )
    collateral = members[0].collateral if members else USDC
    assert all(instrument.collateral == collateral for instrument in members)
    leverages = {i.max_leverage for i in members if i.max_leverage >= SINGLE_TIER_TABLES}
    tables = tuple((leverage, _table(leverage)) for leverage in sorted(leverages))
    return Meta(universe=universe, margin_tables=tables, collateral_token=tokens[collateral])


def _table(leverage: int) -> MarginTable:
    return MarginTable(
        description=f"{leverage}x", margin_tiers=(MarginTier(lower_bound="0.0", max_leverage=leverage),)
    )


def _placeholder(place: int) -> PerpAsset:
    return PerpAsset(sz_decimals=0, name=f"UNUSED{place}", max_leverage=1, margin_table_id=1, is_delisted=True)


def _perp_asset(instrument: Instrument, is_builder: bool, rules: Rules) -> PerpAsset:
    assert instrument.tick_decimals == rules.perp_price_decimals_max - instrument.lot_decimals
    scale, is_growth = _fee_scale(instrument, rules) if is_builder else (None, False)
    return PerpAsset(
        sz_decimals=instrument.lot_decimals,
        name=instrument.symbol,
        max_leverage=instrument.max_leverage,
        margin_table_id=instrument.max_leverage,
        growth_mode="enabled" if is_growth else None,
        deployer_fee_scale=scale,
    )


def _fee_scale(instrument: Instrument, rules: Rules) -> tuple[str, bool]:
    """Return the deployer's fee scale and growth mode by which the first tier becomes the taker fee."""
    factor = instrument.taker_fee / rules.fee_rates()[1]
    is_growth = factor < ONE
    if is_growth:
        factor /= rules.growth_fee_factor
    scale = factor - ONE if factor < 2 else factor / 2
    assert scale >= 0
    return server_text(int(scale * 10**_SCALE_DECIMALS), _SCALE_DECIMALS), is_growth


def _tokens(instruments: Sequence[Instrument]) -> dict[str, int]:
    """Return an index for every token that is a collateral, a base or a quote."""
    names = {instrument.collateral for instrument in instruments} | {
        _base(i) for i in instruments if i.kind == "spot"
    }
    own = sorted(names - set(KNOWN_TOKENS))
    return KNOWN_TOKENS | {name: OWN_TOKENS + i for i, name in enumerate(own)}


def _base(instrument: Instrument) -> str:
    """Return the base token of a spot pair; of "@107" it is not in the symbol, so the number stands for it."""
    return instrument.symbol.partition("/")[0].replace("@", "T")


def _spot_meta(instruments: Sequence[Instrument], tokens: Mapping[str, int]) -> SpotMeta:
    spots = [instrument for instrument in instruments if instrument.kind == "spot"]
    decimals = {_base(instrument): instrument.lot_decimals for instrument in spots}
    used = {instrument.collateral for instrument in instruments} | set(decimals) | {USDC}
    return SpotMeta(
        universe=tuple(
            SpotPair(
                tokens=(tokens[_base(spot)], tokens[spot.collateral]),
                name=spot.symbol,
                index=spot.venue_id - SPOT_BASE,
                is_canonical="/" in spot.symbol,
            )
            for spot in spots
        ),
        tokens=tuple(
            SpotToken(
                name=name,
                sz_decimals=decimals.get(name, _USDC_DECIMALS),
                wei_decimals=_USDC_DECIMALS,
                index=tokens[name],
                token_id=f"0x{tokens[name]:032x}",
                is_canonical=name == USDC,
                evm_contract=None,
                full_name=None,
            )
            for name in sorted(used, key=lambda name: tokens[name])
        ),
    )
