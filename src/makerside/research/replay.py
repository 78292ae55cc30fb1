"""Replay: a run's events through `step` again, its decisions compared byte by byte."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from makerside.journal.reader import read_journal
from makerside.model.action import ActionKind, action_t
from makerside.model.errors import JournalError
from makerside.model.event import FIRST_ACTION, IS_EVENT
from makerside.model.instrument import Instrument
from makerside.model.run import JOURNAL_NAME
from makerside.runtime.run import RunRecord, read_record


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """What a replay found.

    difference : None, or the words that show the first action that differs
    """

    n_events: int
    n_actions: int
    n_replayed: int
    journaled_sha256: str
    replayed_sha256: str
    difference: str | None

    @property
    def is_identical(self) -> bool:
        """Whether every action is the same, byte for byte."""
        return self.journaled_sha256 == self.replayed_sha256


def actions_sha256(actions: NDArray[Any]) -> str:
    """Return the SHA-256 of action rows."""
    return hashlib.sha256(np.ascontiguousarray(actions).tobytes()).hexdigest()


def replay(folder: Path, block: int = 0) -> ReplayResult:
    """Replay a run folder; JournalError when it cannot be read.

    block : rows per call of `step`; 0 takes all at once
    """
    record = read_record(folder)
    journal = read_journal(folder / JOURNAL_NAME)
    kinds = journal.rows["kind"][journal.is_head]
    unknown = kinds[(kinds < FIRST_ACTION) & (IS_EVENT[kinds] == 0)]
    if len(unknown):
        raise JournalError(f"{folder / JOURNAL_NAME}: damaged: there is no row of kind {unknown[0]}")
    events = np.ascontiguousarray(journal.events)
    journaled = journal.actions
    parts = list(record.engine().run(events, block))
    replayed = np.concatenate(parts) if parts else np.zeros(0, action_t)
    return ReplayResult(
        n_events=len(events),
        n_actions=len(journaled),
        n_replayed=len(replayed),
        journaled_sha256=actions_sha256(journaled),
        replayed_sha256=actions_sha256(replayed),
        difference=_first_difference(record, journaled, replayed),
    )


def _first_difference(record: RunRecord, journaled: NDArray[Any], replayed: NDArray[Any]) -> str | None:
    n = min(len(journaled), len(replayed))
    differs = np.flatnonzero(journaled[:n] != replayed[:n])
    if len(differs) == 0 and len(journaled) == len(replayed):
        return None
    i = int(differs[0]) if len(differs) else n
    return (
        f"action {i}:\n  journal  {_describe(record.instruments, journaled, i)}"
        f"\n  replay   {_describe(record.instruments, replayed, i)}"
    )


def _describe(instruments: list[Instrument], actions: NDArray[Any], i: int) -> str:
    if i >= len(actions):
        return "nothing"
    row = actions[i]
    instrument = instruments[int(row["instrument"])]
    kind = ActionKind(row["kind"]).name.lower()
    side = "sell" if row["flags"] & 2 else "buy"
    return (
        f"{kind} {side} {instrument.size_text(row['size_lots'])} {instrument.symbol} "
        f"at {instrument.price_text(row['price_ticks'])}, order {row['client_order_id']:#x}, "
        f"event {row['event_seq']}, time {row['ts_decided_ns']}"
    )
