"""A run: its folder, its record, and how the record becomes an engine again."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from makerside import __version__
from makerside.config.load import config_hash, validate
from makerside.config.tree import Config
from makerside.engine import Engine
from makerside.journal.folder import make_folder, read_run, write_json
from makerside.journal.writer import JournalWriter
from makerside.model.errors import JournalError, UserError
from makerside.model.instrument import Instrument
from makerside.model.run import JOURNAL_NAME, RUN_NAME
from makerside.sim.latency import make_latency


@dataclass(frozen=True, slots=True)
class RunRecord:
    """Everything but the journal that a replay needs, and what a reader wants to know of a run."""

    mode: str
    config: Config
    instruments: list[Instrument]
    reference_ticks: list[int]
    has_own_in_book: bool
    facts: dict[str, Any]  # how it was run: data file, defects, speed, seed ...

    def engine(self) -> Engine:
        """Return an engine in the state in which the run began."""
        return Engine(self.config, self.instruments, self.reference_ticks, self.has_own_in_book)


def latency_of(config: Config) -> NDArray[Any]:
    """Return the latency law of a configuration: (1,) latency_t.

    What it draws depends on the whole configuration, so that the sets of a sweep draw independently of each
    other, and each as it does alone.
    """
    law: NDArray[Any] = make_latency(config.simulation, None, int(config_hash(config)[:12], 16))
    return law


def start_run(folder: Path, record: RunRecord) -> JournalWriter:
    """Make the folder, write its record and open its journal."""
    make_folder(folder)
    write_record(folder, record)
    return JournalWriter(folder / JOURNAL_NAME)


def write_record(folder: Path, record: RunRecord) -> None:
    """Write run.json."""
    values = {
        "makerside": __version__,
        "mode": record.mode,
        "config_hash": config_hash(record.config),
        "has_own_in_book": record.has_own_in_book,
        "reference_ticks": record.reference_ticks,
        "instruments": [instrument.as_dict() for instrument in record.instruments],
        "facts": record.facts,
        "config": record.config.model_dump(mode="json"),
    }
    write_json(folder / RUN_NAME, values)


def read_record(folder: Path) -> RunRecord:
    """Return a run's record; JournalError when it is missing or damaged."""
    values = read_run(folder)
    try:
        return RunRecord(
            mode=str(values["mode"]),
            config=validate(values["config"]),
            instruments=[Instrument.from_dict(one) for one in values["instruments"]],
            reference_ticks=[int(price) for price in values["reference_ticks"]],
            has_own_in_book=bool(values["has_own_in_book"]),
            facts=dict(values["facts"]),
        )
    except (KeyError, TypeError, ValueError, UserError) as error:
        raise JournalError(f"{folder / RUN_NAME}: is not a run's record ({error})") from None
