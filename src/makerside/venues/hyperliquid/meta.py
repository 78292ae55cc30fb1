"""What is traded: the venue's metadata -> `Instrument`s, and back for the local exchange.

Asset ids (section 5.2): first-DEX perp = index in `meta.universe`; spot = 10000 + pair index; builder
DEX perp = 100000 + 10000 x (place of the DEX in `perpDexs`) + index. They differ between networks and
new listings append, so nothing here is ever hard-coded: ask again and build a new `Universe`.
Pure. Next: `session.py`; the way back is `meta_render.py`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches

from msgspec import UnsetType

from makerside.model.errors import ConfigError
from makerside.model.instrument import Instrument
from makerside.venues.hyperliquid.codec import Malformed
from makerside.venues.hyperliquid.rules import Rules
from makerside.venues.hyperliquid.wire_market import MarginTable, Meta, PerpAsset, PerpDex, SpotMeta, SpotToken

VENUE = "hyperliquid"
FIRST_DEX = ""
SPOT_BASE = 10_000
BUILDER_BASE = 100_000
BUILDER_STRIDE = 10_000
SINGLE_TIER_TABLES = 50  # margin tables below this id have one tier, whose leverage is the id
FEE_SCALE_USUAL = "1.0"  # of a builder DEX that does not tell it
USDC = "USDC"
NAMES_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Asset:
    """One instrument with what only this venue knows about it.

    margin_tiers : (notional above, max leverage), ascending; one tier when the venue tells none
    margin_mode  : "" (cross allowed within its DEX), "noCross", "strictIsolated"
    """

    instrument: Instrument
    dex: str = FIRST_DEX
    is_delisted: bool = False
    margin_mode: str = ""
    margin_tiers: tuple[tuple[Decimal, int], ...] = ()
    alias: str = ""  # of a spot pair "@107": "HYPE/USDC"


class Universe:
    """All instruments of the venue, by symbol and by asset id."""

    def __init__(self, assets: Sequence[Asset]) -> None:
        self._by_symbol = {asset.instrument.symbol: asset for asset in assets}
        self._by_id = {asset.instrument.venue_id: asset for asset in assets}
        self._by_alias = {asset.alias: asset for asset in assets if asset.alias}

    @classmethod
    def from_meta(
        cls,
        meta: Meta,
        rules: Rules,
        spot_meta: SpotMeta | None = None,
        perp_dexs: Sequence[PerpDex | None] = (),
        dex_metas: Mapping[str, Meta] | None = None,
        fee_rates: tuple[Decimal, Decimal] | None = None,
        spot_fee_rates: tuple[Decimal, Decimal] | None = None,
    ) -> "Universe":
        """Return the universe that the venue describes.

        meta      : of the first DEX;  dex_metas : of builder DEXs, by name, as far as they were asked for
        perp_dexs : the whole list, with its null at the front
        fee_rates : (maker, taker) of the account (see `userFees`); the first tier of `rules` when not given
        errors    : Malformed when the answers do not fit each other
        """
        tokens = {token.index: token for token in spot_meta.tokens} if spot_meta else {}
        rates = fee_rates or rules.fee_rates()
        tables, collateral = _tables(meta), _collateral(meta, tokens)
        assets = [
            _perp(rules, rates, FIRST_DEX, asset_id, asset, tables, collateral)
            for asset_id, asset in enumerate(meta.universe)
        ]
        for place, dex in enumerate(perp_dexs):
            if dex is not None and dex_metas and dex.name in dex_metas:
                assets += _builder_perps(rules, rates, place, dex, dex_metas[dex.name], tokens)
        if spot_meta is not None:
            assets += _spots(rules, spot_fee_rates or rules.fee_rates(is_spot=True), spot_meta, tokens)
        return cls(assets)

    def asset(self, symbol: str) -> Asset:
        """Return an instrument with its venue facts; a spot pair is also found as "BASE/QUOTE".

        errors : ConfigError that names the symbol and what exists
        """
        found = self._by_symbol.get(symbol) or self._by_alias.get(symbol)
        if found is None:
            raise ConfigError(f"{symbol} is not traded on {VENUE}; {self._hint(symbol)}")
        return found

    def instrument(self, symbol: str) -> Instrument:
        """Return the instrument of a symbol; ConfigError as `asset`."""
        return self.asset(symbol).instrument

    def by_asset_id(self, asset_id: int) -> Instrument:
        """Return the instrument of an asset id; ConfigError when there is none."""
        found = self._by_id.get(asset_id)
        if found is None:
            raise ConfigError(
                f"asset id {asset_id} does not exist on {VENUE}; it has {len(self._by_id)} assets"
            )
        return found.instrument

    def symbols(self, dex: str | None = None) -> list[str]:
        """Return the symbols that are traded now, in the venue's order; of one DEX when given."""
        return [
            symbol
            for symbol, asset in self._by_symbol.items()
            if not asset.is_delisted and (dex is None or asset.dex == dex)
        ]

    def __contains__(self, symbol: object) -> bool:
        return symbol in self._by_symbol or symbol in self._by_alias

    def __iter__(self) -> Iterator[Asset]:
        return iter(self._by_symbol.values())

    def __len__(self) -> int:
        return len(self._by_symbol)

    def _hint(self, symbol: str) -> str:
        names = [*self.symbols(), *self._by_alias]
        folded = {name.lower(): name for name in names}
        near = get_close_matches(symbol.lower(), folded, n=3)
        if near:
            return f"did you mean {', '.join(folded[name] for name in near)}?"
        rest = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
        return f"there are {', '.join(names[:NAMES_SHOWN])}{rest}"


def step_of(decimals: int) -> Decimal:
    """Return 10^-decimals."""
    return Decimal(1).scaleb(-decimals)


def builder_asset_id(place: int, index: int) -> int:
    """Return the asset id of a builder DEX's perpetual. place : of the DEX in `perpDexs`, from 1."""
    return BUILDER_BASE + place * BUILDER_STRIDE + index


def _tables(meta: Meta) -> dict[int, MarginTable]:
    return dict(meta.margin_tables or ())


def _collateral(meta: Meta, tokens: Mapping[int, SpotToken]) -> str:
    index = 0 if isinstance(meta.collateral_token, UnsetType) else meta.collateral_token
    token = tokens.get(index)
    if token is not None:
        return token.name
    if index != 0:
        raise Malformed(f"collateral token {index} is not in spotMeta")
    return USDC


def _perp(
    rules: Rules,
    rates: tuple[Decimal, Decimal],
    dex: str,
    asset_id: int,
    asset: PerpAsset,
    tables: Mapping[int, MarginTable],
    collateral: str,
) -> Asset:
    instrument = Instrument(
        venue=VENUE,
        symbol=asset.name,
        tick_size=_tick(rules.perp_price_decimals_max, asset.sz_decimals, asset.name),
        lot_size=step_of(asset.sz_decimals),
        significant_figures=rules.significant_figures,
        min_size=step_of(asset.sz_decimals),
        min_notional=rules.min_notional_usd,
        maker_fee=rates[0],
        taker_fee=rates[1],
        fee_decimals=rules.fee_decimals,
        collateral=collateral,
        funding_interval_s=rules.funding_interval_s,
        max_leverage=max(1, asset.max_leverage),
        venue_id=asset_id,
    )
    mode = asset.margin_mode or ("strictIsolated" if asset.only_isolated else "")
    return Asset(instrument, dex, bool(asset.is_delisted), mode, _margin_tiers(asset, tables))


def _tick(decimals_max: int, size_decimals: int, symbol: str) -> Decimal:
    if size_decimals > decimals_max:
        raise Malformed(f"{symbol}: {size_decimals} size decimals, the venue allows {decimals_max}")
    return step_of(decimals_max - size_decimals)


def _margin_tiers(asset: PerpAsset, tables: Mapping[int, MarginTable]) -> tuple[tuple[Decimal, int], ...]:
    table = tables.get(asset.margin_table_id or 0)
    if table is None:
        return ((Decimal(0), max(1, asset.max_leverage)),)
    return tuple((Decimal(tier.lower_bound), tier.max_leverage) for tier in table.margin_tiers)


def _builder_perps(
    rules: Rules,
    rates: tuple[Decimal, Decimal],
    place: int,
    dex: PerpDex,
    meta: Meta,
    tokens: Mapping[int, SpotToken],
) -> list[Asset]:
    """Return the perpetuals of a builder DEX; its fee scale stands at the asset or, before 2026, at the DEX."""
    collateral = _collateral(meta, tokens)
    of_dex = FEE_SCALE_USUAL if isinstance(dex.deployer_fee_scale, UnsetType) else dex.deployer_fee_scale
    tables, assets = _tables(meta), []
    for index, asset in enumerate(meta.universe):
        scale = Decimal(asset.deployer_fee_scale or of_dex)
        scaled = rules.scale_fees(rates, scale, asset.growth_mode == "enabled")
        asset_id = builder_asset_id(place, index)
        assets.append(_perp(rules, scaled, dex.name, asset_id, asset, tables, collateral))
    return assets


def _spots(
    rules: Rules, rates: tuple[Decimal, Decimal], spot_meta: SpotMeta, tokens: Mapping[int, SpotToken]
) -> list[Asset]:
    assets = []
    for pair in spot_meta.universe:
        base, quote = tokens.get(pair.tokens[0]), tokens.get(pair.tokens[1])
        if base is None or quote is None:
            raise Malformed(f"spot pair {pair.name}: a token of {pair.tokens} is not in spotMeta")
        instrument = Instrument(
            venue=VENUE,
            symbol=pair.name,
            kind="spot",
            tick_size=_tick(rules.spot_price_decimals_max, base.sz_decimals, pair.name),
            lot_size=step_of(base.sz_decimals),
            significant_figures=rules.significant_figures,
            min_size=step_of(base.sz_decimals),
            min_notional=rules.min_notional_usd,
            maker_fee=rates[0],
            taker_fee=rates[1],
            fee_decimals=rules.fee_decimals,
            collateral=quote.name,
            venue_id=SPOT_BASE + pair.index,
        )
        alias = f"{base.name}/{quote.name}"
        assets.append(Asset(instrument, alias=alias if alias != pair.name else ""))
    return assets
