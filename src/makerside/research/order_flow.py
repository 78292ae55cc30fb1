"""Order-by-order data: every order of others with its life, from a recording or from a seeded market.

The Parquet schema is one row per event in arrival order: ts_local_ns (int64), action (1 created, 2 changed,
3 deleted, 4 trade), order_id (int64, the trade's for action 4), side (+1 bid, -1 ask, 0 trade), price, size
(float64, what is left; a trade's own). It does not say who of a trade rested: that is the older of the two
orders. Orders that rested before the file began are put in front of it, as far as the file speaks of them.

Next: `queue_truth.py`.
"""

import math
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from makerside.model.errors import DataError
from makerside.model.units import BUY, NS_PER_S, SELL

_COLUMNS = ("ts_local_ns", "action", "order_id", "side", "price", "size")
_CREATED, _CHANGED, _DELETED, _TRADE = 1, 2, 3, 4
_DECIMALS_MAX = 8
_PENDING_NS = NS_PER_S  # an execution waits so long for its print; both come within some 20 ms

order_row_t = np.dtype(
    [("ts_ns", "i8"), ("kind", "i8"), ("order", "i8"), ("side", "i8"), ("price_ticks", "i8"), ("lots", "i8")]
)


class OrderKind(IntEnum):
    """What happened to a resting order."""

    ADD = 1  # lots join behind everybody at the price
    CANCEL = 2  # lots leave without a print
    FILL = 3  # lots are executed; order 0 is one that we do not know


@dataclass(frozen=True, slots=True)
class OrderFlow:
    """The lives of resting orders.

    rows    : (n,) order_row_t in order of time
    defects : what was found and handled, by name; zero entries are left out
    """

    name: str
    rows: NDArray[Any]
    defects: dict[str, int]


def load_order_flow(path: Path) -> OrderFlow:
    """Return a Parquet file of order-by-order events.

    errors : DataError that names the file and what is not as described
    """
    columns = _read(path)
    ticks, lots = _integers(path, columns, "price"), _integers(path, columns, "size")
    reader = _Reader(columns, ticks, lots)
    rows = reader.rows()
    if not len(rows):
        raise DataError(f"{path}: no order in it")
    defects = reader.defects | {"fills_out_of_order": fills_out_of_order(rows)}
    return OrderFlow(path.name, rows, {name: n for name, n in defects.items() if n})


def fills_out_of_order(rows: NDArray[Any]) -> int:
    """Return how many fills were not of the first order at their price: 0 where first in is first out."""
    levels: dict[tuple[int, int], dict[int, int]] = {}
    n = 0
    for _, kind, order, side, price_ticks, lots in rows.tolist():
        level = levels.setdefault((side, price_ticks), {})
        n += kind == OrderKind.FILL and order in level and next(iter(level)) != order
        level[order] = level.get(order, 0) + (lots if kind == OrderKind.ADD else -lots)
        if level[order] <= 0:
            del level[order]
    return n


def _read(path: Path) -> dict[str, NDArray[Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from None
    except pa.ArrowException as error:
        raise DataError(f"{path}: is no Parquet file ({error})") from None
    missing = [name for name in _COLUMNS if name not in table.column_names]
    if missing:
        raise DataError(
            f"{path}: no column {', '.join(missing)}; order-by-order data have {', '.join(_COLUMNS)}"
        )
    columns = {name: table[name].to_numpy() for name in _COLUMNS}
    for name, values in columns.items():
        if not np.issubdtype(values.dtype, np.number) or not np.isfinite(values).all():
            raise DataError(f"{path}: column {name} has values that are no numbers")
    steps_back = np.flatnonzero(np.diff(columns["ts_local_ns"]) < 0)
    if len(steps_back):
        raise DataError(f"{path}: row {steps_back[0] + 1}: ts_local_ns steps back")
    return columns


def _integers(path: Path, columns: dict[str, NDArray[Any]], name: str) -> NDArray[np.int64]:
    """Return a column on the coarsest decimal grid that holds all of it."""
    values = columns[name].astype(np.float64)
    if (values < 0).any():
        raise DataError(f"{path}: row {int(np.argmax(values < 0))}: {name} is below 0")
    for decimals in range(_DECIMALS_MAX + 1):
        scaled = values * 10.0**decimals
        whole = np.rint(scaled)
        if (np.abs(scaled - whole) <= 1e-9 * np.maximum(1.0, scaled)).all():
            if whole.max(initial=0.0) >= 2.0**53:
                break
            return whole.astype(np.int64)
    raise DataError(f"{path}: {name} is on no grid of {_DECIMALS_MAX} decimals")


class _Reader:
    """Turns events of a venue into lives of resting orders."""

    def __init__(self, columns: dict[str, NDArray[Any]], ticks: NDArray[np.int64], lots: NDArray[np.int64]):
        self.ts: list[int] = columns["ts_local_ns"].tolist()
        self.action: list[int] = columns["action"].tolist()
        self.order: list[int] = columns["order_id"].tolist()
        self.side: list[int] = columns["side"].tolist()
        self.ticks: list[int] = ticks.tolist()
        self.lots: list[int] = lots.tolist()
        self.printed: dict[int, int] = {}  # row of a maker's execution -> lots of its print
        # Taker -> the later row of its last execution and its maker's, and the former.
        self.took: dict[int, tuple[int, int]] = {}
        self.moved: set[int] = set()  # rows that give an order another price
        self.ended_at: dict[int, int] = {}  # order -> row of its deletion
        self.defects = {"prints_without_order": 0, "executions_without_print": 0, "orders_from_before": 0}

    def rows(self) -> NDArray[Any]:
        """Return order_row_t, the orders from before first."""
        self._look_through()
        self._match_prints()
        found = self._from_before()
        standing = {row[2]: (row[4], row[5]) for row in found}  # order -> (ticks, lots)
        # A taker stands in the book only with what is left of it, and after the makers that it met.
        takers_after: dict[int, list[int]] = {}
        for taker, (row, _) in self.took.items():
            takers_after.setdefault(row, []).append(taker)
        for i, order in enumerate(self.order):
            changes = [(order, *change) for change in self._changes(i, *standing.get(order, (0, 0)))]
            for taker in takers_after.get(i, ()):
                at = self.took[taker][1]
                if self.lots[at] > 0 and self.ended_at.get(taker, i + 1) > i:
                    changes.append((taker, OrderKind.ADD, self.ticks[at], self.lots[at]))
            for who, kind, ticks, lots in changes:
                left = standing.get(who, (0, 0))[1] + (lots if kind == OrderKind.ADD else -lots)
                standing[who] = (ticks, left)
                side = self.side[i] if who == order else self.side[self.took[who][1]]
                found.append((self.ts[i], int(kind), who, side, ticks, lots))
        return np.array(found, order_row_t)

    def _changes(self, i: int, at_ticks: int, left: int) -> list[tuple[OrderKind, int, int]]:
        """Return what a row does, (kind, ticks, lots), to an order that rests with `left` lots at a price."""
        order, ticks = self.order[i], self.ticks[i]
        if (
            self.action[i] == _TRADE
            or i <= self.took.get(order, (-1, -1))[0]
            or self.ended_at.get(order, i) < i
        ):
            return []
        filled = min(left, self.printed.get(i, 0))
        told = 0 if self.action[i] == _DELETED else self.lots[i]
        if self.action[i] == _CREATED or i in self.moved:  # another price is another place
            changes = [(OrderKind.CANCEL, at_ticks, left), (OrderKind.ADD, ticks, told)]
        else:
            gone = left - filled - told
            changes = [(OrderKind.FILL, at_ticks, filled), (OrderKind.CANCEL, at_ticks, gone)]
            self.defects["executions_without_print"] += (
                left > 0 and i not in self.printed and self._is_execution(i)
            )
        return [change for change in changes if change[2] > 0]

    def _is_execution(self, i: int) -> bool:
        if self.action[i] == _CHANGED:
            return i not in self.moved
        return self.action[i] == _DELETED and self.lots[i] == 0

    def _look_through(self) -> None:
        """Note where orders end, and the changes that are a new price."""
        price: dict[int, int] = {}
        for i, (action, order) in enumerate(zip(self.action, self.order, strict=True)):
            if action == _TRADE:
                continue
            if action == _CHANGED and price.get(order, self.ticks[i]) != self.ticks[i]:
                self.moved.add(i)
            if action == _DELETED:
                self.ended_at.setdefault(order, i)
            price[order] = self.ticks[i]

    def _match_prints(self) -> None:
        """Find for every print the maker's row, the older order at its price, and the taker."""
        pending: list[int] = []
        for i, action in enumerate(self.action):
            if action != _TRADE:
                if self._is_execution(i):
                    pending.append(i)
                continue
            pending = [k for k in pending if self.ts[i] - self.ts[k] <= _PENDING_NS]
            at_price = [k for k in pending if self.ticks[k] == self.ticks[i]]
            if not at_price:
                self.defects["prints_without_order"] += 1
                continue
            maker = min(at_price, key=lambda k: self.order[k])
            takers = [k for k in pending if self.side[k] != self.side[maker]]
            takers = [k for k in takers if self.order[k] > self.order[maker]]
            self.printed[maker] = self.lots[i]
            pending.remove(maker)
            if takers:
                taker = takers[0]
                self.took[self.order[taker]] = (max(maker, taker), taker)
                pending.remove(taker)

    def _from_before(self) -> list[tuple[int, int, int, int, int, int]]:
        """Return ADD rows, at the first time, of orders that are changed or deleted but never created."""
        created = {order for order, action in zip(self.order, self.action, strict=True) if action == _CREATED}
        sizes: dict[int, list[int]] = {}
        for i, (order, action) in enumerate(zip(self.order, self.action, strict=True)):
            if action in (_CHANGED, _DELETED) and order not in created and order not in self.took:
                size = sizes.setdefault(order, [self.side[i], self.ticks[i], 0, 0])
                size[2] += self.printed.get(i, 0)
                size[3] = self.lots[i]
        rows = [
            (self.ts[0], int(OrderKind.ADD), order, side, ticks, printed + last)
            for order, (side, ticks, printed, last) in sorted(sizes.items())
            if printed + last > 0
        ]
        self.defects["orders_from_before"] = len(rows)
        return rows


@dataclass(frozen=True, slots=True)
class FlowLaw:
    """A market of one level per side, in balance around adds_per_s / cancels_per_s orders.

    back_bias : 0: all orders of a level are as likely to cancel; above: the late ones more, below 0: less;
                the rank of who cancels, from the front, is distributed as u^(1 / (1 + back_bias))
    """

    adds_per_s: float = 2.0
    cancels_per_s: float = 0.04  # of each order
    takers_per_s: float = 0.25
    order_lots: float = 5.0  # mean
    taker_lots: float = 12.0  # mean
    back_bias: float = 0.0


BID_TICKS, ASK_TICKS = 1_000, 1_001


def synthetic_flow(law: FlowLaw, duration_s: float, seed: int) -> OrderFlow:
    """Return a seeded market in which every order's place is known.

    What it assumes: Poisson arrivals, geometric sizes, and cancels that know nothing but the rank. A taker
    that is larger than the level prints the rest one tick behind it.
    """
    assert law.back_bias > -1.0
    rng = np.random.default_rng(seed)
    queues: dict[int, list[list[int]]] = {BUY: [], SELL: []}  # [order, lots], front first
    rows: list[tuple[int, int, int, int, int, int]] = []
    now_s, number = 0.0, 0
    while True:
        n = len(queues[BUY]) + len(queues[SELL])
        rates = (2 * law.adds_per_s, 2 * law.takers_per_s, n * law.cancels_per_s)
        now_s += rng.exponential(1.0 / sum(rates))
        if now_s >= duration_s:
            return OrderFlow(f"synthetic, seed {seed}", np.array(rows, order_row_t), {})
        ts_ns = math.floor(now_s * NS_PER_S)
        draw = rng.random() * sum(rates)
        side = BUY if rng.random() < 0.5 else SELL
        if draw < rates[0]:
            number += 1
            queues[side].append([number, int(rng.geometric(1.0 / law.order_lots))])
            rows.append(_row(ts_ns, OrderKind.ADD, side, 0, *queues[side][-1]))
        elif draw < rates[0] + rates[1]:
            rows += _taken(queues[side], ts_ns, side, int(rng.geometric(1.0 / law.taker_lots)))
        else:
            side = BUY if rng.random() * n < len(queues[BUY]) else SELL
            rank = rng.random() ** (1.0 / (1.0 + law.back_bias))
            order, lots = queues[side].pop(min(len(queues[side]) - 1, int(rank * len(queues[side]))))
            rows.append(_row(ts_ns, OrderKind.CANCEL, side, 0, order, lots))


def _taken(
    queue: list[list[int]], ts_ns: int, side: int, lots: int
) -> list[tuple[int, int, int, int, int, int]]:
    """Return the fills of a taker, and take them off the front of a queue."""
    rows = []
    while lots > 0 and queue:
        part = min(lots, queue[0][1])
        rows.append(_row(ts_ns, OrderKind.FILL, side, 0, queue[0][0], part))
        queue[0][1] -= part
        lots -= part
        if queue[0][1] == 0:
            del queue[0]
    return [*rows, _row(ts_ns, OrderKind.FILL, side, 1, 0, lots)] if lots else rows


def _row(
    ts_ns: int, kind: OrderKind, side: int, behind_ticks: int, order: int, lots: int
) -> tuple[int, int, int, int, int, int]:
    touch = BID_TICKS if side == BUY else ASK_TICKS
    return ts_ns, int(kind), order, side, touch - side * behind_ticks, lots
