"""The demo: a local exchange in a process of its own, and the real bot on its wire with a throw-away key."""

import asyncio
import contextlib
import json
import secrets
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from makerside.config.tree import Config
from makerside.model.errors import UserError
from makerside.net.clock import Clock
from makerside.runtime.live import LiveOptions, run_live
from makerside.runtime.shell import Shell
from makerside.runtime.until import until_stopped
from makerside.venues.hyperliquid.signer import Signer

READY_S = 60.0
END_S = 10.0
WORDS_BYTES = 4_096  # of its standard error are kept, for the message when it does not start
_PIPE = asyncio.subprocess.PIPE


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """minutes : of wall time;  data : recordings instead of the synthetic market"""

    minutes: float = 1.0
    speed: float = 1.0
    data: tuple[Path, ...] = ()
    symbols: tuple[str, ...] = ("BTC",)
    seed: int = 1
    queue: str = "log_prob"
    queue_exponent: float = 3.0
    cash_usd: float = 10_000.0


@contextlib.asynccontextmanager
async def local_exchange(options: DemoOptions, address: str) -> AsyncIterator[dict[str, Any]]:
    """Start `makerside exchange` on a free port; yields what it says when it is ready; ends it afterwards.

    Its standard input is its lifeline: it ends with this process also when that is killed. Signals that reach
    both, from a terminal or a process manager, are left to the bot: it needs an exchange to cancel on.

    errors : UserError with the exchange's own words when it does not start
    """
    command = [sys.executable, "-m", "makerside", "exchange", "--port", "0", "--lifeline"]
    command += ["--speed", repr(options.speed)]
    command += [
        "--fund",
        f"{address}={options.cash_usd}",
        "--seed",
        str(options.seed),
        "--queue",
        options.queue,
        "--queue-exponent",
        repr(options.queue_exponent),
    ]
    for path in options.data:
        command += ["--data", str(path)]
    if not options.data:
        command += ["--symbols", ",".join(options.symbols)]
    process = await asyncio.create_subprocess_exec(*command, stdin=_PIPE, stdout=_PIPE, stderr=_PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    last_words = bytearray()
    listening = asyncio.create_task(_listen(process.stderr, last_words))
    try:
        line = b""
        with contextlib.suppress(TimeoutError):
            line = await asyncio.wait_for(process.stdout.readline(), READY_S)
        if not line and process.returncode is None and not process.stdout.at_eof():
            raise UserError(f"the local exchange did not start within {READY_S:.0f} s")
        if not line:
            await listening
            words = last_words.decode(errors="replace").strip()
            raise UserError(words.removeprefix("error: ") or "the local exchange did not start")
        yield json.loads(line)
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        if process.returncode is None:
            process.stdin.close()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(process.wait(), END_S)
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _listen(stream: asyncio.StreamReader, last_words: bytearray) -> None:
    """Read what the exchange says about itself: a pipe that nobody reads would stop it when it is full."""
    while part := await stream.read(4_096):
        last_words += part
        del last_words[:-WORDS_BYTES]


async def run_demo(
    config: Config,
    options: DemoOptions,
    out: Path,
    watch: Callable[[Shell, dict[str, Any]], Coroutine[Any, Any, None]],
) -> int:
    """Run the demo; returns the orders that the exchange still has at the end.

    watch : shows the run; returns when it should end early
    """
    signer = Signer(secrets.token_bytes(32))
    async with local_exchange(options, signer.address) as ready:
        clock = Clock(**ready["clock"])
        venue = config.venue.model_copy(
            update={"network": "local", "url": ready["url"], "symbols": tuple(ready["instruments"])}
        )
        config = config.model_copy(update={"venue": venue})
        facts = {
            "speed": options.speed,
            "minutes": options.minutes,
            **ready["facts"],
            "scaled_time": (
                "market, blocks and rate limits run at this speed; nonces and expiry on the wall clock; "
                "latencies of this machine as they are"
            ),
        }
        defects: dict[str, int] = {}
        for found in ready["facts"].get("data_defects", {}).values():
            for name, number in found.items():
                if number:
                    defects[name] = defects.get(name, 0) + number
        facts["defects"] = defects

        async def until(shell: Shell) -> None:
            await until_stopped(watch(shell, ready), options.minutes)

        live = LiveOptions(mode="demo", facts=facts)
        return await run_live(config, signer, clock, out, until, live)
