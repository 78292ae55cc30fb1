"""A Ray cluster as the crew of a sweep: the same shards, the same results, on many machines.

The shared market is put into the object store once, and Ray copies it once to each node that works; workers
there read the store's memory itself. The driver keeps the only record: when it dies, Ray ends its work, and the
same command goes on from the log. Needs the extra `makerside[ray]`, on the nodes as well.
"""

import hashlib
import importlib
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from makerside import __version__
from makerside.model.errors import UserError
from makerside.net.clock import stopwatch_ns
from makerside.research.crew import LOOK_S, Looks, Shard
from makerside.research.shards import run_shard
from makerside.research.trial import SharedMarket, Trial

REPORT_NS = 500_000_000  # between two messages of a worker about its progress
BOARD_WAIT_S = 2.0
KNOCK_S = 5.0
NODE_LOST_MAX = 3  # times that a shard is run again because its worker or node is gone
_PACKAGE = Path(__file__).resolve().parents[1]


class _Frozen:
    """Memory of an array that is marked as read-only, offered without the mark."""

    def __init__(self, owner: NDArray[Any]) -> None:
        self._owner = owner
        self.__array_interface__ = {
            "version": 3,
            "shape": (owner.nbytes,),
            "typestr": "|u1",
            "data": (owner.ctypes.data, False),
        }


def each_array(value: Any, change: Callable[[NDArray[Any]], NDArray[Any]]) -> Any:
    """Return an array, or a dataclass with arrays at any depth, with every array changed; the rest as it is."""
    if isinstance(value, np.ndarray):
        return change(value)
    if is_dataclass(value) and not isinstance(value, type):
        found = {one.name: getattr(value, one.name) for one in fields(value)}
        changed = {name: each_array(item, change) for name, item in found.items()}
        return replace(value, **changed)
    return value


def unmarked(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array that does not say that it is read-only; no byte is copied.

    Compiled loops tell arrays that may be written from those that may not by their type, and are compiled for
    the first kind. Arrays of the object store are of the second kind. A tape is written by nobody.
    """
    if array.flags.writeable or array.nbytes == 0:
        return array
    assert array.flags.c_contiguous
    return np.asarray(_Frozen(array)).view(array.dtype).reshape(array.shape)


def sources_sha256() -> str:
    """Return what machines must agree on for the same results: our sources, and the compiler's version."""
    digest = hashlib.sha256(f"{__version__} {numba.__version__} {np.__version__}".encode())
    for path in sorted(_PACKAGE.rglob("*.py")):
        digest.update(path.relative_to(_PACKAGE).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


class Board:
    """Where workers write how far they are; an actor of the cluster."""

    def __init__(self) -> None:
        self._rows: dict[int, int] = {}

    def note(self, number: int, rows: int) -> None:
        """Write down rows x sets of a shard."""
        self._rows[number] = rows

    def rows(self) -> dict[int, int]:
        """Return what was written down."""
        return self._rows


def run_remote(market: SharedMarket, shard: Shard, number: int, board: Any, sources: str) -> list[Trial]:
    """Run one shard on a node of the cluster; UserError when the node has another makerside."""
    if sources_sha256() != sources:
        raise UserError(
            f"a node of the cluster has another makerside than this machine (version {__version__} there); "
            "install the same on all nodes"
        )
    reported_ns = stopwatch_ns()

    def on_rows(rows_done: int) -> None:
        nonlocal reported_ns
        if stopwatch_ns() - reported_ns >= REPORT_NS:
            reported_ns = stopwatch_ns()
            board.note.remote(number, rows_done * len(shard))

    return run_shard(each_array(market, unmarked), shard, None, on_rows)


class RayCrew:
    """The processors of a cluster that this process is connected to; see `ray_crew`."""

    def __init__(self, ray: Any, size: int) -> None:
        self.size = size
        self._ray = ray

    def run(self, market: SharedMarket, shards: Sequence[Shard]) -> Looks:
        """Run all shards; see `crew.Crew`. A shard whose node is lost is run again."""
        ray = self._ray
        board = ray.remote(num_cpus=0)(Board).remote()
        work = ray.remote(num_cpus=1, max_retries=NODE_LOST_MAX)(run_remote)
        # As plain arrays: those that map a file would be copied into every worker.
        shared, sources = ray.put(each_array(market, np.asarray)), sources_sha256()
        running = {work.remote(shared, shard, i, board, sources): i for i, shard in enumerate(shards)}
        try:
            while running:
                ended, _ = ray.wait(list(running), num_returns=1, timeout=LOOK_S)
                numbers = [running.pop(one) for one in ended]
                trials = [trial for one in ended for trial in self._result(one)]
                assert len(trials) == sum(len(shards[i]) for i in numbers)
                rows = self._rows(board)
                yield trials, sum(rows.get(i, 0) for i in running.values())
        finally:
            for one in running:
                ray.cancel(one, force=True)
            ray.kill(board)

    def _result(self, reference: Any) -> list[Trial]:
        exceptions = self._ray.exceptions
        try:
            found: list[Trial] = self._ray.get(reference)
        except exceptions.RayError as error:
            cause = getattr(error, "cause", None)
            if cause is not None and not isinstance(cause, exceptions.RayError):
                raise cause from None  # what our own code says, over there
            first = str(cause or error).strip().partition("\n")[0]
            raise UserError(
                f"the cluster could not run a shard ({first}); all nodes need the same makerside as this "
                "machine. The same command resumes the sweep"
            ) from None
        return found

    def _rows(self, board: Any) -> dict[int, int]:
        """Return how far the workers are; nothing when the board is slow, it is for the eye only."""
        found: dict[int, int] = {}
        with suppress(self._ray.exceptions.RayError):
            found = self._ray.get(board.rows.remote(), timeout=BOARD_WAIT_S)
        return found


def _knock(address: str) -> None:
    """Raise UserError when nobody listens at HOST:PORT: Ray itself would try for a long time."""
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdecimal():
        raise UserError(
            f"--address {address}: give HOST:PORT of a cluster that this machine has joined with `ray start`"
        )
    try:
        socket.create_connection((host, int(port)), KNOCK_S).close()
    except (OSError, OverflowError) as error:
        raise UserError(f"--address {address}: nobody listens there ({error})") from None


@contextmanager
def ray_crew(address: str) -> Iterator[RayCrew]:
    """Connect to a cluster, and leave it at the end; what still runs there for us is ended.

    address : HOST:PORT of a cluster that this machine is a node of, or auto
    errors  : UserError when ray is not installed, or nobody answers
    """
    if address != "auto":
        _knock(address)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        ray: Any = importlib.import_module("ray")
    except ImportError:
        raise UserError(
            "--engine ray needs the package ray: pip install 'makerside[ray]', on all nodes"
        ) from None
    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    except (ConnectionError, ValueError) as error:
        first = str(error).strip().partition("\n")[0]
        raise UserError(
            f"--address {address}: no Ray cluster there ({first}); `ray start --head` starts one"
        ) from None
    try:
        size = int(ray.cluster_resources().get("CPU", 0))
        if size < 1:
            raise UserError(f"--address {address}: the cluster offers no processor")
        yield RayCrew(ray, size)
    finally:
        ray.shutdown()
