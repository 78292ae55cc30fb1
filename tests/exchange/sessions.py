"""Recorded sessions that several tests look at: made once per test run, by whoever asks first."""

import asyncio
import dataclasses
from pathlib import Path
from unittest import mock

from makerside.cli.demo import DEMO_BASE
from makerside.config.load import load
from makerside.journal.writer import JournalWriter
from makerside.runtime.demo import DemoOptions, run_demo

MINUTES, SPEED = 0.1, 20.0  # two minutes of market time

_made = {}


@dataclasses.dataclass(frozen=True)
class Session:
    """A finished demo.

    state, state_after : all bytes of the engine when the journal was closed, and when the run was over
    summary            : as in summary.json
    """

    folder: Path
    left: int
    state: bytes
    state_after: bytes
    summary: dict
    n_sockets: int
    speed: float = SPEED


def demo_session(tmp_path_factory):
    """Return a demo session with the demo's own settings: real sockets, a real process, a throw-away key."""
    if "demo" not in _made:
        _made["demo"] = _make(tmp_path_factory.getbasetemp() / "demo-session")
    return _made["demo"]


def _make(folder):
    from makerside.cli.results import write_results

    loaded = load(None, [], environment={}, base=DEMO_BASE)
    shells, states = [], []
    close = JournalWriter.close

    def note_state(self):
        states.append(shells[0].engine.state_bytes())
        close(self)

    async def watch(shell, ready):
        shells.append(shell)
        await asyncio.Event().wait()

    options = DemoOptions(minutes=MINUTES, speed=SPEED)
    with mock.patch.object(JournalWriter, "close", note_state):
        left = asyncio.run(run_demo(loaded.config, options, folder, watch))
    summary = write_results(folder, orders_left=left)
    (shell,), state, after = shells, states[0], shells[0].engine.state_bytes()
    return Session(folder, left, state, after, summary, shell.gateway._link.n_connects)
