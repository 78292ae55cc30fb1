"""Replay: a run's events through `step` again, its decisions and its final state compared byte by byte."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from makerside.journal.reader import Journal, read_journal
from makerside.model.action import ActionKind, action_t
from makerside.model.errors import JournalError
from makerside.model.event import DETAIL_ROWS, FIRST_ACTION, HAS_ACCOUNT_DETAIL, Kind, account_detail_t
from makerside.model.instrument import Instrument
from makerside.model.run import JOURNAL_NAME
from makerside.runtime.run import RunRecord, read_record


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """What a replay found.

    difference : None, or the words that show the first action that differs, or that the states do
    journaled_state_sha256 : None when the run did not end in order: then only actions are compared
    """

    n_events: int
    n_actions: int
    n_replayed: int
    journaled_sha256: str
    replayed_sha256: str
    journaled_state_sha256: str | None
    replayed_state_sha256: str
    difference: str | None

    @property
    def is_identical(self) -> bool:
        """Whether every action, and the final state, are the same, byte for byte."""
        is_same_state = self.journaled_state_sha256 in (None, self.replayed_state_sha256)
        return self.journaled_sha256 == self.replayed_sha256 and is_same_state


def actions_sha256(actions: NDArray[Any]) -> str:
    """Return the SHA-256 of action rows."""
    return hashlib.sha256(np.ascontiguousarray(actions).tobytes()).hexdigest()


def actions_digest(actions: NDArray[Any]) -> str:
    """Return the digest of action rows, as a sweep tells it; see `core.digest`."""
    from makerside.core.digest import digest_actions, digest_t, digest_text

    digests = np.zeros(1, digest_t)
    digest_actions(np.ascontiguousarray(actions), digests)
    return digest_text(digests[0])


def replay(folder: Path, block: int = 0) -> ReplayResult:
    """Replay a run folder; JournalError when it cannot be read or holds rows that no run writes.

    block : rows per call of `step`; 0 takes all at once
    """
    record = read_record(folder)
    journal = read_journal(folder / JOURNAL_NAME)
    check_rows(journal, len(record.instruments), folder / JOURNAL_NAME)
    events = np.ascontiguousarray(journal.events)
    journaled = journal.actions
    engine = record.engine()
    try:
        parts = list(engine.run(events, block))
    except AssertionError as error:
        raise JournalError(f"{folder / JOURNAL_NAME}: `step` refuses a row: {error}") from error
    replayed = np.concatenate(parts) if parts else np.zeros(0, action_t)
    state = hashlib.sha256(engine.state_bytes()).hexdigest()
    difference = _first_difference(record, journaled, replayed)
    if difference is None and journal.state_sha256 not in (None, state):
        difference = f"the final state:\n  journal  {journal.state_sha256}\n  replay   {state}"
    return ReplayResult(
        n_events=len(events),
        n_actions=len(journaled),
        n_replayed=len(replayed),
        journaled_sha256=actions_sha256(journaled),
        replayed_sha256=actions_sha256(replayed),
        journaled_state_sha256=journal.state_sha256,
        replayed_state_sha256=state,
        difference=difference,
    )


def check_rows(journal: Journal, n_instruments: int, path: Path) -> None:
    """Refuse rows that point outside of the run's records: no run writes them, so they are damaged.

    errors : JournalError with the row
    """
    rows, is_head = journal.rows, journal.is_head
    kinds = rows["kind"]
    is_event = is_head & (kinds < FIRST_ACTION)
    has_account = np.zeros(len(rows), bool)
    has_account[:-1] = is_event[:-1] & np.isin(kinds[:-1], list(HAS_ACCOUNT_DETAIL))
    accounts = np.zeros(len(rows), np.int64)
    accounts[:-1] = rows.view(account_detail_t)["account"][1:]
    is_connection = np.isin(kinds, (Kind.CONNECT, Kind.DISCONNECT))
    times = np.where(is_event, rows["ts_local_ns"], np.iinfo("i8").min)
    before = np.append(np.iinfo("i8").min, np.maximum.accumulate(times)[:-1]) if len(rows) else times
    is_cut = np.zeros(len(rows), bool)
    is_cut[-1:] = is_head[-1:] & (DETAIL_ROWS[kinds[-1:]] == 1)
    for bad, what in (
        (is_event & ~np.isin(kinds, list(Kind)[1:]), "no kind of event"),
        (is_cut, "its continuation is missing"),
        (is_head & (rows["instrument"] >= n_instruments), "an instrument that the run does not have"),
        (is_event & is_connection & (rows["price_ticks"] != 0), "an account that the run does not have"),
        (has_account & (kinds != Kind.PRICES) & (accounts != 0), "an account that the run does not have"),
        (is_event & (rows["ts_local_ns"] < before), "its time is before that of an earlier row"),
    ):
        if bad.any():
            row = int(np.argmax(bad))
            raise JournalError(f"{path}: row {row} of kind {kinds[row]} is damaged: {what}")


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
