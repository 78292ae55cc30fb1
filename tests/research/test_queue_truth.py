"""Queue models against the truth: the reader by hand, what holds for every market, and known biases."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from makerside.model.errors import DataError
from makerside.model.units import BUY, NS_PER_S, SELL
from makerside.research.order_flow import (
    FlowLaw,
    OrderFlow,
    OrderKind,
    fills_out_of_order,
    load_order_flow,
    order_row_t,
    synthetic_flow,
)
from makerside.research.queue_truth import BATCHES, NEVER, Race, Trial, mean_of, models_of, queue_truth

ADD, CANCEL, FILL = (int(kind) for kind in OrderKind)
CREATED, CHANGED, DELETED, TRADE = 1, 2, 3, 4
TRIAL = Trial(every_s=20.0, horizon_s=60.0, levels=1, warmup_s=200.0)


def write(path, rows, **replaced):
    """Write (ms, action, order, side, price, size) as a file of order-by-order data."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    ms, action, order, side, price, size = zip(*rows, strict=True)
    columns = {
        "ts_local_ns": np.array(ms, "i8") * 1_000_000,
        "action": np.array(action, "i1"),
        "order_id": np.array(order, "i8"),
        "side": np.array(side, "i1"),
        "price": np.array(price, "f8"),
        "size": np.array(size, "f8"),
    } | replaced
    pq.write_table(pa.table({name: values for name, values in columns.items() if values is not None}), path)
    return path


# A bid for 2.0; an ask of 3.5 takes it, of an older bid 0.5 too, and rests with 1.0; it moves and is taken.
ROWS = [
    (0, CREATED, 11, 1, 99.5, 2.0),
    (10, CREATED, 12, -1, 101.0, 4.0),
    (1_000, CREATED, 20, -1, 99.0, 3.5),
    (1_005, CHANGED, 20, -1, 99.0, 1.5),
    (1_007, DELETED, 11, 1, 99.5, 0.0),
    (1_010, TRADE, 7001, 0, 99.5, 2.0),
    (1_011, CHANGED, 20, -1, 99.0, 1.0),
    (1_012, DELETED, 5, 1, 99.0, 0.0),
    (1_015, TRADE, 7002, 0, 99.0, 0.5),
    (2_000, CHANGED, 20, -1, 100.5, 1.0),
    (3_000, CREATED, 30, 1, 100.5, 0.5),
    (3_001, DELETED, 30, 1, 100.5, 0.0),
    (3_002, CHANGED, 20, -1, 100.5, 0.5),
    (3_003, TRADE, 7003, 0, 100.5, 0.5),
    (4_000, CHANGED, 12, -1, 101.0, 3.5),
    (5_000, DELETED, 12, -1, 101.0, 3.5),
    (9_000, TRADE, 7004, 0, 98.0, 0.5),
]


def test_a_file_by_hand(tmp_path):
    """Takers do not stand in the book; what is left of them does, behind the makers they met."""
    flow = load_order_flow(write(tmp_path / "l3.parquet", ROWS))
    assert [(ts // 1_000_000, *rest) for ts, *rest in flow.rows.tolist()] == [
        (0, ADD, 5, BUY, 198 * 5, 5),
        (0, ADD, 11, BUY, 995, 20),
        (10, ADD, 12, SELL, 1_010, 40),
        (1_007, FILL, 11, BUY, 995, 20),
        (1_012, FILL, 5, BUY, 990, 5),
        (1_012, ADD, 20, SELL, 990, 10),
        (2_000, CANCEL, 20, SELL, 990, 10),
        (2_000, ADD, 20, SELL, 1_005, 10),
        (3_002, FILL, 20, SELL, 1_005, 5),
        (4_000, CANCEL, 12, SELL, 1_010, 5),
        (5_000, CANCEL, 12, SELL, 1_010, 35),
    ]
    assert flow.defects == {
        "orders_from_before": 1,
        "executions_without_print": 1,
        "prints_without_order": 1,
    }


def test_a_deletion_that_comes_before_its_execution_is_an_end(tmp_path):
    rows = [
        (0, CREATED, 1, -1, 100.0, 1.0),
        (1_000, CREATED, 2, 1, 101.0, 3.0),
        (1_001, DELETED, 2, 1, 101.0, 0.0),
        (1_002, CHANGED, 1, -1, 100.0, 0.6),
        (1_002, CHANGED, 2, 1, 101.0, 2.6),
        (1_003, TRADE, 9, 0, 100.0, 0.4),
    ]
    flow = load_order_flow(write(tmp_path / "l3.parquet", rows))
    assert [row[1:3] for row in flow.rows.tolist()] == [(ADD, 1), (FILL, 1)]


def test_fills_that_jump_the_queue_are_counted():
    start = [(0, ADD, 1, BUY, 99, 5), (0, ADD, 2, BUY, 99, 5), (0, ADD, 3, BUY, 98, 5)]
    for fills, n in (([1, 2, 3], 0), ([2, 1], 1), ([2, 1, 3], 1), ([0], 0)):
        prices = {3: 98}
        rows = start + [(1, FILL, order, BUY, prices.get(order, 99), 5) for order in fills]
        assert fills_out_of_order(np.array(rows, order_row_t)) == n
    assert fills_out_of_order(synthetic_flow(FlowLaw(), 600.0, 1).rows) == 0


@pytest.mark.parametrize(
    ("replaced", "words"),
    [
        ({"order_id": None}, "no column order_id"),
        ({"price": np.full(len(ROWS), math.nan)}, "column price"),
        ({"price": np.full(len(ROWS), 1 / 3)}, "price is on no grid"),
        ({"size": -np.ones(len(ROWS))}, "row 0: size is below 0"),
        ({"ts_local_ns": np.arange(len(ROWS))[::-1].copy()}, "row 1: ts_local_ns steps back"),
        ({"action": np.full(len(ROWS), TRADE, "i1")}, "no order in it"),
        ({"side": np.array(["x"] * len(ROWS))}, "column side"),
    ],
)
def test_what_is_no_order_by_order_data(tmp_path, replaced, words):
    with pytest.raises(DataError, match=words):
        load_order_flow(write(tmp_path / "l3.parquet", ROWS, **replaced))


def test_a_file_that_is_none(tmp_path):
    with pytest.raises(DataError, match=r"no\.parquet: cannot be read"):
        load_order_flow(tmp_path / "no.parquet")
    (tmp_path / "text.parquet").write_text("hello")
    with pytest.raises(DataError, match=r"text\.parquet: is no Parquet file"):
        load_order_flow(tmp_path / "text.parquet")


def rows_of(steps):
    """Return rows of a market of four prices per side from (action, side, price, which, lots)."""
    rows, queues, number = [], {}, 0
    for i, (what, side, distance, which, lots) in enumerate(steps):
        price = 100 - side * distance
        queue = queues.setdefault((side, price), [])
        if what == "add":
            number += 1
            queue.append([number, lots])
            rows.append((i, ADD, number, side, price, lots))
            continue
        best = min((abs(p - 100) for (s, p), orders in queues.items() if s == side and orders), default=None)
        if what == "cancel" and queue:
            order, left = queue.pop(which % len(queue))
            rows.append((i, CANCEL, order, side, price, left))
        elif what == "take" and best is not None:
            queue = queues[side, 100 - side * best]
            while queue and lots > 0:
                part = min(lots, queue[0][1])
                rows.append((i, FILL, queue[0][0], side, 100 - side * best, part))
                queue[0][1] -= part
                lots -= part
                if queue[0][1] == 0:
                    queue.pop(0)
    return rows


steps = st.lists(
    st.tuples(
        st.sampled_from(["add", "add", "cancel", "take"]),
        st.sampled_from([BUY, SELL]),
        st.integers(1, 3),
        st.integers(0, 30),
        st.integers(1, 20),
    ),
    min_size=20,
    max_size=120,
)


@given(steps)
@settings(max_examples=60)
def test_the_cautious_model_is_never_early_and_no_estimate_leaves_the_level(sequence):
    race = Race(models_of((0.5, 3.0)), Trial(levels=3))
    cautious = [name for name, _, _ in race.models].index("risk_averse")
    for row in rows_of(sequence):
        race.place(row[0] - 1)
        race.on_row(*row)
        for (side, price), probes in race.open.items():
            level = sum(race.levels[side].get(price, {}).values())
            for probe in probes:
                estimates = probe.orders["ahead_lots"][[at == NEVER for at in probe.fills_ns[1:]]]
                assert ((estimates >= 0.0) & (estimates <= level)).all()
                if probe.fills_ns[0] == NEVER:
                    assert race.ahead_lots(probe) <= probe.orders["ahead_lots"][cautious]
    assert all(probe.fills_ns[0] <= probe.fills_ns[1 + cautious] for probe in race.probes)


def test_truth_and_models_by_hand():
    """10 before us, 10 join, the 10 before us leave: the next print is ours, and no model can be sure of it."""
    race = Race(models_of((1.0,)), Trial(levels=1))
    for row in ((0, ADD, 1, BUY, 99, 10), (0, ADD, 2, SELL, 101, 10)):
        race.on_row(*row)
    race.place(1)
    for row in ((2, ADD, 3, BUY, 99, 10), (3, CANCEL, 1, BUY, 99, 10)):
        race.on_row(*row)
    bid = next(probe for probe in race.probes if probe.side == BUY)
    names = [name for name, _, _ in race.models]
    assert race.ahead_lots(bid) == 0
    assert bid.orders["ahead_lots"][names.index("power(1)")] == 5.0
    race.on_row(4, FILL, 3, BUY, 99, 4)
    assert bid.fills_ns[0] == 4
    assert set(bid.fills_ns[1:]) == {NEVER}
    race.on_row(5, FILL, 3, BUY, 99, 2)
    assert bid.fills_ns[1 + names.index("power(1)")] == 5
    assert bid.fills_ns[1 + names.index("risk_averse")] == NEVER
    race.on_row(6, ADD, 4, SELL, 99, 1)
    assert bid.fills_ns[1 + names.index("risk_averse")] == 6
    assert bid.fills_ns[0] == 4


def errors(law, exponents=(1.0, 3.0), seed=1):
    """Return {model: ModelRow}."""
    return {row.model: row for row in queue_truth(synthetic_flow(law, 7_200.0, seed), exponents, TRIAL)[1]}


def test_without_cancels_every_model_is_the_truth():
    rows = errors(FlowLaw(adds_per_s=0.5, cancels_per_s=0.0, takers_per_s=0.25))
    assert rows["log2"].filled_truth.value > 0.1
    for row in rows.values():
        assert row.error_abs_s.value == 0.0
        assert row.differs.value == 0.0


def test_when_anybody_cancels_the_first_power_is_without_bias():
    """A cancel is behind us with B / (B+F) then. What remains of an error is luck; all others lean."""
    rows = errors(FlowLaw())
    fair = rows["power(1)"].error_s
    assert abs(fair.value) < 2.0 * fair.half_width < 2.0
    cautious, clear = rows["risk_averse"].error_s, rows["power3(3)"].error_s
    assert cautious.value - cautious.half_width > clear.value > clear.half_width
    assert rows["power2(3)"].error_s.value < -rows["power2(3)"].error_s.half_width
    assert rows["risk_averse"].error_s.value == rows["risk_averse"].error_abs_s.value


def test_when_the_late_cancel_the_models_are_early_and_the_other_way_round():
    late, early = errors(FlowLaw(back_bias=3.0)), errors(FlowLaw(back_bias=-0.5))
    assert late["power(1)"].error_s.value < 0.0 < early["power(1)"].error_s.value
    assert late["power3(3)"].error_abs_s.value < late["power(1)"].error_abs_s.value
    assert early["power2(3)"].error_abs_s.value < early["power(1)"].error_abs_s.value


def test_a_synthetic_market_is_its_seed():
    first, again, other = (synthetic_flow(FlowLaw(), 600.0, seed).rows for seed in (1, 1, 2))
    assert first.tobytes() == again.tobytes() != other.tobytes()


def test_a_market_that_is_too_short():
    with pytest.raises(DataError, match="virtual orders fit in"):
        queue_truth(synthetic_flow(FlowLaw(), 400.0, 1), (3.0,), TRIAL)
    rows = np.array([(0, ADD, 1, BUY, 99, 1), (900 * NS_PER_S, ADD, 2, SELL, 101, 1)], order_row_t)
    with pytest.raises(DataError, match="only 0 virtual orders"):
        queue_truth(OrderFlow("one", rows, {}), (3.0,), TRIAL)


def test_the_interval_holds_the_mean_as_often_as_it_says():
    rng = np.random.default_rng(8)
    hits = 0
    for _ in range(400):
        estimate = mean_of(rng.normal(2.0, 1.0, 200), rng.random(200) < 0.7)
        hits += abs(estimate.value - 2.0) <= estimate.half_width
    assert 0.92 <= hits / 400 <= 0.98


def test_a_mean_of_nothing_is_none():
    assert math.isnan(mean_of(np.zeros(5 * BATCHES), np.zeros(5 * BATCHES, bool)).value)
    one = mean_of(np.ones(5 * BATCHES), np.arange(5 * BATCHES) < 3)
    assert one.value == 1.0
    assert math.isnan(one.half_width)
