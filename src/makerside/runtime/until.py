"""When a run ends: after some time, or on SIGINT or SIGTERM."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any


async def until_stopped(show: Coroutine[Any, Any, None], minutes: float | None) -> None:
    """Run something that shows the run until the time is over or a signal asks to stop.

    The signals stay with the loop: a second one must not cut off the cancelling of orders.
    """
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    showing = asyncio.create_task(show)
    stopping = asyncio.create_task(stop.wait())
    try:
        timeout = 60.0 * minutes if minutes is not None else None
        done, _ = await asyncio.wait({showing, stopping}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        if showing in done:
            showing.result()
    finally:
        for task in (showing, stopping):
            task.cancel()
        await asyncio.gather(showing, stopping, return_exceptions=True)
