"""The local exchange as a process of its own: synthetic or recorded market, for any client."""

import asyncio
import contextlib
import json
import os
import signal
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from makerside.journal.recording import load_recording
from makerside.model.errors import ConfigError
from makerside.model.instrument import Instrument
from makerside.net.clock import Clock, wall_ns
from makerside.sim.build import QUEUE_EXPONENT, make_exchanges
from makerside.sim.source import RecordedSource, Source, SyntheticSource
from makerside.venues.hyperliquid.meta import step_of
from makerside.venues.hyperliquid.rules import Rules, rules_at
from makerside.venues.hyperliquid.server import HyperliquidServer
from makerside.venues.hyperliquid.server_venue import LocalVenue

VENUE = "hyperliquid"
# (size decimals, max leverage, start price) of what the synthetic market lists. Size decimals and leverage
# are those of the venue's metadata of 2026-09-25 where the notes have them (BTC, ETH, SOL, ATOM); the others
# are made up in the same style.
LISTED = {
    "BTC": (5, 40, 64_000.0),
    "ETH": (4, 25, 3_400.0),
    "SOL": (2, 20, 170.0),
    "ATOM": (2, 5, 6.5),
    "DOGE": (0, 10, 0.12),
    "XRP": (0, 20, 0.6),
    "AVAX": (2, 10, 27.0),
    "LINK": (1, 10, 14.0),
    "ARB": (1, 10, 0.75),
    "PUMP": (0, 5, 0.0025),
}
SEED = 7
FUND_MAX_USD = 10**9


@dataclass(frozen=True, slots=True)
class ExchangeOptions:
    """What to serve.

    data         : recordings, one symbol each; empty for the synthetic market
    has_lifeline : end when standard input ends: whoever holds its other end is gone, however it ended
    """

    port: int = 0
    data: tuple[Path, ...] = ()
    symbols: tuple[str, ...] = ("BTC",)
    speed: float = 1.0
    seed: int = SEED
    queue: str = "log_prob"
    queue_exponent: float = QUEUE_EXPONENT
    funds: tuple[tuple[str, Decimal], ...] = ()
    has_lifeline: bool = False


def parse_fund(text: str) -> tuple[str, Decimal]:
    """Return (address, USD) of `ADDRESS=USD`; ConfigError when it is not of that form."""
    address, equals, amount = text.partition("=")
    digits = address[2:]
    is_address = (
        address.startswith("0x") and len(digits) == 40 and all(c in "0123456789abcdefABCDEF" for c in digits)
    )
    try:
        usd = Decimal(amount)
    except ArithmeticError:
        usd = Decimal("nan")
    if not equals or not is_address or not usd.is_finite() or not 0 < usd <= FUND_MAX_USD:
        raise ConfigError(
            f"--fund {text}: write it as 0x<40 hex digits>=USD, USD above 0 and at most {FUND_MAX_USD}"
        )
    return address.lower(), usd


def listed_instrument(symbol: str, venue_id: int, rules: Rules, option: str = "--symbols") -> Instrument:
    """Return an instrument of the synthetic market. option : where the symbol was given, for the error"""
    if symbol not in LISTED:
        raise ConfigError(f"{option} {symbol}: the synthetic market lists {', '.join(LISTED)}")
    decimals, leverage, _ = LISTED[symbol]
    return make_instrument(symbol, decimals, leverage, venue_id, rules)


def make_instrument(symbol: str, size_decimals: int, leverage: int, venue_id: int, rules: Rules) -> Instrument:
    """Return a perpetual that follows the venue's number rules."""
    maker, taker = rules.fee_rates()
    return Instrument(
        venue=VENUE,
        symbol=symbol,
        tick_size=step_of(rules.perp_price_decimals_max - size_decimals),
        lot_size=step_of(size_decimals),
        significant_figures=rules.significant_figures,
        min_size=step_of(size_decimals),
        min_notional=rules.min_notional_usd,
        maker_fee=maker,
        taker_fee=taker,
        fee_decimals=rules.fee_decimals,
        max_leverage=leverage,
        venue_id=venue_id,
    )


def open_source(
    options: ExchangeOptions, rules: Rules, start_ns: int
) -> tuple[list[Instrument], Source, dict[str, Any]]:
    """Return the instruments, the house and facts about it."""
    if options.data:
        return _recorded(options, rules, start_ns)
    from makerside.sim.market_models import load_model
    from makerside.sim.synthetic import open_market

    if not options.symbols:
        raise ConfigError(f"--symbols: none is given; the synthetic market lists {', '.join(LISTED)}")
    for symbol in options.symbols:
        if options.symbols.count(symbol) > 1:
            raise ConfigError(f"--symbols: {symbol} is given twice; give each symbol once")
    model = load_model("btc")
    instruments = [listed_instrument(symbol, i, rules) for i, symbol in enumerate(options.symbols)]
    states = [
        open_market(model, instrument, LISTED[instrument.symbol][2], options.seed, stream=i, start_ns=start_ns)
        for i, instrument in enumerate(instruments)
    ]
    facts = {"market": "synthetic", "model": model.name, "seed": options.seed}
    return instruments, SyntheticSource(states), facts


def _recorded(
    options: ExchangeOptions, rules: Rules, start_ns: int
) -> tuple[list[Instrument], Source, dict[str, Any]]:
    """Return recordings on this venue's price grid: bids rounded down, asks up."""
    from makerside.sim.regrid import regrid

    instruments, parts, defects = [], [], {}
    for index, path in enumerate(options.data):
        recording = load_recording(path)
        symbol = _venue_symbol(recording.instrument.symbol)
        lots = recording.instrument.lot_decimals
        decimals, leverage, _ = LISTED.get(symbol, (min(lots, rules.perp_price_decimals_max), 10, 0.0))
        instrument = make_instrument(symbol, decimals, leverage, index, rules)
        rows, notes = regrid(recording.events, recording.instrument, instrument)
        rows["instrument"] = index
        defects[path.name] = {**recording.defects, "sizes_raised": notes.sizes_raised}
        instruments.append(instrument)
        parts.append(rows)
    if len({instrument.symbol for instrument in instruments}) < len(instruments):
        raise ConfigError("--data: two recordings of one symbol; give each symbol once")
    tape = _aligned(parts)
    facts = {"market": "recording", "data": [path.name for path in options.data], "data_defects": defects}
    return instruments, RecordedSource(tape, start_ns), facts


def _aligned(parts: list[NDArray[Any]]) -> NDArray[Any]:
    """Return several recordings as one tape in which all begin together."""
    for rows in parts:
        rows["ts_venue_ns"] -= rows["ts_venue_ns"].min()
    return np.concatenate(parts)


def _venue_symbol(symbol: str) -> str:
    """Return the base coin of a recording's symbol: BTCUSDT and BTCUSD_PERP are BTC here."""
    for quote in ("USDT", "USDC", "USD_PERP", "USD", "-USD"):
        if symbol.endswith(quote) and len(symbol) > len(quote):
            return symbol[: -len(quote)].rstrip("-_/")
    return symbol


def _watch_lifeline(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """Wait for the end of standard input; in a thread of its own, since it may be any kind of file."""
    while os.read(0, 4096):
        pass
    with contextlib.suppress(RuntimeError):  # the loop is closed: the end came first
        loop.call_soon_threadsafe(stop.set)


async def serve(options: ExchangeOptions, announce: Any = print) -> None:
    """Serve until SIGINT or SIGTERM, or the end of the lifeline.

    announce : takes the line that says that it is ready
    """
    rules = rules_at(datetime.now(UTC).date())
    start_ns = wall_ns()
    instruments, source, facts = open_source(options, rules, start_ns)
    clock = Clock(wall_ns(), start_ns, options.speed)  # market time starts when everything is loaded
    exchanges = make_exchanges(instruments, options.queue, options.queue_exponent)
    venue = LocalVenue(instruments, exchanges, source, rules)
    for address, usd in options.funds:
        venue.fund(address, int(usd * 10**8))
    server = HyperliquidServer(venue, clock)
    await server.start(options.port)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    if options.has_lifeline:
        threading.Thread(target=_watch_lifeline, args=(loop, stop), daemon=True).start()
    else:
        for name in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(name, stop.set)
    blocks = asyncio.create_task(server.run())
    waiting = asyncio.create_task(stop.wait())
    url = f"http://127.0.0.1:{server.port}"
    ready = {
        "url": url,
        "ws": f"ws://127.0.0.1:{server.port}/ws",
        "venue": VENUE,
        "instruments": [instrument.symbol for instrument in instruments],
        "clock": {
            "origin_wall_ns": clock.origin_wall_ns,
            "origin_market_ns": clock.origin_market_ns,
            "speed": clock.speed,
        },
        "facts": facts,
    }
    announce(json.dumps(ready))
    try:
        done, _ = await asyncio.wait([blocks, waiting], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in (blocks, waiting):
            task.cancel()
        await asyncio.gather(blocks, waiting, return_exceptions=True)
        await server.stop()
