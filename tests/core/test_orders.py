"""The order table beside its twin, under reports in any order."""

from collections import Counter
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from builders import (
    MS,
    START_NS,
    S,
    acks,
    active_orders,
    check_tables,
    command,
    connect,
    disconnect,
    events_of,
    feed,
    fill,
    make_engine,
    places,
    report,
    row,
    side_of,
    timer,
    touch,
)
from makerside.core.orders import find_order, order_new
from makerside.model.action import ActionKind
from makerside.model.event import Kind
from makerside.model.order import COUNTER_BITS, ORDER_CAPACITY, OrderState, bot_of, client_order_id
from makerside.model.units import BUY, SELL
from reference.orders import TableTwin
from scripted import QUOTES_MAX, script

TIMEOUT_NS = 5 * S
ENDS = {"CANCELED": Kind.ORDER_CANCELED, "EXPIRED": Kind.ORDER_EXPIRED, "SELF_TRADE": Kind.ORDER_SELF_TRADE}
WORDS = {
    "ACK": Kind.ORDER_ACK,
    "REJECT": Kind.ORDER_REJECT,
    "CANCEL_REFUSED": Kind.CANCEL_REFUSED,
    "CANCEL_TOO_LATE": Kind.CANCEL_TOO_LATE,
    "NEVER_EXISTED": Kind.ORDER_NEVER_EXISTED,
    "SEND_FAILED": Kind.SEND_FAILED,
}


class Desk:
    """An engine and a twin that see the same reports; the quotes change as told."""

    def __init__(self):
        self.engine = make_engine()
        self.twin = TableTwin(TIMEOUT_NS)
        self.now = START_NS
        self.sizes = {}
        self.sides = {}
        self.wanted = []
        self.next_price = 0
        self.trades = []
        feed(self.engine, touch(9_000, 11_000))

    def feed(self, *rows):
        """Feed rows and let the twin see what was sent."""
        for action in feed(self.engine, *rows):
            order = int(action["client_order_id"])
            if action["kind"] == ActionKind.PLACE:
                assert order not in self.sizes, "an id is used once"
                self.sizes[order], self.sides[order] = int(action["size_lots"]), side_of(action)
                self.twin.place(order, side_of(action), int(action["size_lots"]), self.now)
            else:
                self.twin.cancel(order, self.now)

    @contextmanager
    def connected(self):
        """Let decisions be taken for a moment."""
        self.feed(connect(self.now))
        yield
        self.feed(disconnect(self.now))

    def wait(self, ns):
        """Let time pass."""
        self.now += ns
        self.twin.time(self.now)
        self.feed(touch(9_000, 11_000, self.now))
        self.feed(timer(self.now))

    def want(self, side, lots):
        """Want one more quote, at a price that no other has."""
        self.next_price = (self.next_price + 1) % 900
        self.wanted = [*self.wanted, (side, 10_000 - side * (1 + self.next_price), lots)][-QUOTES_MAX:]
        script(self.engine, *self.wanted)
        self.wait(1)

    def drop(self, index):
        """Want one quote less."""
        del self.wanted[index % len(self.wanted)]
        script(self.engine, *self.wanted)
        self.wait(1)

    def told(self, order, kind, **values):
        """Feed a report about an order."""
        self.now += MS
        self.feed(report(kind, order, self.now, side=self.sides[order], price=10_000, **values))

    def fill(self, order, lots):
        """Tell a new execution."""
        self.trades.append((order, lots, 1 + len(self.trades)))
        self.repeat(-1)

    def repeat(self, index):
        """Tell an execution, perhaps again."""
        order, lots, trade = self.trades[index]
        self.now += MS
        self.twin.fill(order, self.sides[order], lots, trade, self.now)
        self.feed(fill(order, self.now, lots, 10_000, self.sides[order], trade_id=trade))

    def ended(self, order, how, left):
        """Tell the end of an order with `left` unfilled."""
        self.twin.ended(order, how, left, self.now + MS)
        self.told(order, ENDS[how], size=left)

    def venue_filled(self, order):
        """Tell that nothing of an order is open any more."""
        self.twin.venue_filled(order, self.now + MS)
        self.told(order, Kind.ORDER_FILLED)

    def word(self, order, what):
        """Tell anything else."""
        self.twin.word(order, what, self.now + MS)
        self.told(order, WORDS[what], size=self.sizes[order])

    def check(self):
        """Assert that table and twin agree in everything."""
        found = {
            int(order["client_order_id"]): (
                OrderState(int(order["state"])).name,
                int(order["side"]),
                int(order["size_lots"]),
                int(order["filled_lots"]),
                int(order["open_lots"]),
            )
            for order in active_orders(self.engine)
        }
        expected = {
            order: (entry["state"], entry["side"], entry["size"], entry["filled"], entry["open"])
            for order, entry in self.twin.orders.items()
        }
        assert found == expected
        assert list(found) == list(expected), "oldest first"
        account = self.engine.accounts[0]
        position = account["positions"][0]
        assert position["position_lots"] == self.twin.position, "position is the sum of unique fills"
        assert position["open_buy_lots"] == self.twin.exposure(BUY)
        assert position["open_sell_lots"] == self.twin.exposure(SELL)
        assert account["n_duplicate_fills"] == self.twin.duplicates
        assert account["n_impossible"] == self.twin.impossible
        check_tables(self.engine)


class TableMachine(RuleBasedStateMachine):
    """Reports in random order about random orders, also about orders that have long ended."""

    def __init__(self):
        super().__init__()
        self.desk = Desk()

    def _order(self, pick):
        ids = list(self.desk.sizes)
        recent = ids[-12:]
        return recent[pick % len(recent)] if pick % 5 else ids[pick % len(ids)]

    @rule(side=st.sampled_from([BUY, SELL]), lots=st.integers(1, 9))
    def want(self, side, lots):
        self.desk.want(side, lots)

    @precondition(lambda self: self.desk.wanted)
    @rule(index=st.integers(0, 50))
    def drop(self, index):
        self.desk.drop(index)

    @precondition(lambda self: self.desk.sizes)
    @rule(pick=st.integers(0, 999), lots=st.integers(1, 9))
    def fill(self, pick, lots):
        order = self._order(pick)
        seen = sum(each for other, each, _ in self.desk.trades if other == order)
        if seen < self.desk.sizes[order]:
            self.desk.fill(order, min(lots, self.desk.sizes[order] - seen))

    @precondition(lambda self: self.desk.trades)
    @rule(index=st.integers(0, 50))
    def repeat_fill(self, index):
        self.desk.repeat(-1 - index % min(len(self.desk.trades), 20))

    @precondition(lambda self: self.desk.sizes)
    @rule(pick=st.integers(0, 999), how=st.sampled_from(sorted(ENDS)), share=st.integers(0, 3))
    def end(self, pick, how, share):
        order = self._order(pick)
        self.desk.ended(order, how, self.desk.sizes[order] * share // 3)

    @precondition(lambda self: self.desk.sizes)
    @rule(pick=st.integers(0, 999))
    def venue_filled(self, pick):
        self.desk.venue_filled(self._order(pick))

    @precondition(lambda self: self.desk.sizes)
    @rule(pick=st.integers(0, 999), what=st.sampled_from(["ACK", "ACK", "ACK", *sorted(WORDS)]))
    def word(self, pick, what):
        self.desk.word(self._order(pick), what)

    @rule(ns=st.sampled_from([1, S, TIMEOUT_NS - 1, TIMEOUT_NS]))
    def wait(self, ns):
        self.desk.wait(ns)

    @rule(what=st.sampled_from(["PAUSE", "RESUME"]))
    def order_of_the_operator(self, what):
        self.desk.now += 1
        self.desk.feed(command(what, self.desk.now))

    @invariant()
    def agree(self):
        self.desk.check()


TableMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
TestTableMachine = TableMachine.TestCase


def test_long_walk_over_reused_slots(rng):
    """Thousands of orders through the same few slots; late reports of old ids hit nobody."""
    desk = Desk()
    for step in range(events_of(20_000)):
        draw, ids = rng.random(), list(desk.twin.orders)
        if not ids or rng.random() < 0.3:  # an old story
            ids = list(desk.sizes)[-40:]
        order = ids[int(rng.integers(len(ids)))] if ids else 0
        if draw < 0.25 or not ids:
            desk.want(BUY if rng.random() < 0.5 else SELL, int(rng.integers(1, 9)))
        elif draw < 0.35 and desk.wanted:
            desk.drop(int(rng.integers(50)))
        elif draw < 0.55:
            desk.word(order, "ACK")
        elif draw < 0.75:
            desk.ended(order, "CANCELED", int(rng.integers(0, desk.sizes[order] + 1)))
        elif draw < 0.85:
            desk.fill(order, int(rng.integers(1, 4)))
        elif draw < 0.90 and desk.trades:
            desk.repeat(-1 - int(rng.integers(min(10, len(desk.trades)))))
        elif draw < 0.95:
            desk.word(order, sorted(WORDS)[int(rng.integers(len(WORDS)))])
        else:
            desk.wait(int(rng.integers(1, 2 * S)))
        if step % 20 == 0:
            desk.check()
    desk.check()
    assert len(desk.sizes) > events_of(20_000) // 20
    slots = Counter(order & 1_023 for order in desk.sizes)
    assert slots.most_common(1)[0][1] > 2, "slots were used again"


# One order of 10 lots at a time: what was told, and what it is then: state, filled, still open.
STORIES = """
-                                        PENDING_NEW    0 10
ack                                      RESTING        0 10
fill:4                                   PENDING_NEW    4  6
fill:4 ack                               RESTING        4  6
fill:4 fill:6                            ended         10  0
ack fill:4 fill:6                        ended         10  0
ack fill:4 again                         RESTING        4  6
ack filled                               SETTLING       0 10
ack filled fill:4                        SETTLING       4  6
ack filled fill:4 fill:6                 ended         10  0
ack fill:4 filled                        SETTLING       4  6
filled fill:10                           ended         10  0
filled fill:10 ack                       ended         10  0
ack filled late                          UNKNOWN        0 10
ack filled late fill:10                  ended         10  0
ack filled late never                    ended          0  0
reject                                   ended          0  0
failed                                   ended          0  0
late                                     UNKNOWN        0 10
late ack                                 RESTING        0 10
late never                               ended          0  0
late fill:3                              UNKNOWN        3  7
late fill:3 ack                          RESTING        3  7
late reject                              ended          0  0
ack late                                 RESTING        0 10
ack never                                ended          0  0
ack canceled:10                          ended          0  0
ack expired:10                           ended          0  0
ack self:7                               SETTLING       0  3
ack cancel                               PENDING_CANCEL 0 10
ack cancel canceled:10                   ended          0  0
ack cancel fill:4 canceled:6             ended          4  0
ack cancel canceled:6                    SETTLING       0  4
ack cancel canceled:6 fill:4             ended          4  0
ack cancel canceled:6 fill:1             SETTLING       1  3
ack cancel canceled:6 fill:1 canceled:6  SETTLING       1  3
ack cancel fill:10                       ended         10  0
ack cancel filled                        SETTLING       0 10
ack cancel refused                       RESTING        0 10
ack cancel failed                        UNKNOWN        0 10
ack cancel failed ack                    RESTING        0 10
pause failed                             UNKNOWN        0 10
pause failed reject                      ended          0  0
ack cancel toolate                       UNKNOWN        0 10
ack cancel toolate fill:10               ended         10  0
ack cancel late                          UNKNOWN        0 10
ack cancel late canceled:10              ended          0  0
ack cancel late refused                  RESTING        0 10
ack fill:4 cancel late canceled:6        ended          4  0
pause                                    PENDING_CANCEL 0 10
pause ack                                PENDING_CANCEL 0 10
pause reject                             ended          0  0
pause fill:2 canceled:8                  ended          2  0
"""

HOW = {"canceled": "CANCELED", "expired": "EXPIRED", "self": "SELF_TRADE"}
SHORT = {
    "ack": "ACK",
    "reject": "REJECT",
    "refused": "CANCEL_REFUSED",
    "toolate": "CANCEL_TOO_LATE",
    "never": "NEVER_EXISTED",
    "failed": "SEND_FAILED",
}


def tell(desk, order, word):
    """Let one word of a story happen."""
    what, _, number = word.partition(":")
    if what == "fill":
        desk.fill(order, int(number))
    elif what == "again":
        desk.repeat(-1)
    elif what == "filled":
        desk.venue_filled(order)
    elif what == "late":
        desk.wait(TIMEOUT_NS)
    elif what in HOW:
        desk.ended(order, HOW[what], int(number))
    elif what in SHORT:
        desk.word(order, SHORT[what])
    else:
        with desk.connected():
            desk.drop(0) if what == "cancel" else desk.feed(command("PAUSE", desk.now))


@pytest.mark.parametrize("line", STORIES.strip().splitlines(), ids=lambda line: "_".join(line.split()[:-3]))
def test_story_of_one_order(line):
    """Between the words the channel is down, so that nothing is decided because of them."""
    *story, state, filled, left = line.split()
    desk = Desk()
    desk.want(BUY, 10)
    (order,) = desk.sizes
    desk.feed(disconnect(desk.now))
    for word in story if story != ["-"] else []:
        tell(desk, order, word)
        desk.check()
    assert list(desk.sizes) == [order]
    assert desk.engine.accounts[0]["positions"][0]["position_lots"] == int(filled)
    found = active_orders(desk.engine)
    if state == "ended":
        assert found == []
        return
    assert OrderState(int(found[0]["state"])).name == state
    assert (found[0]["filled_lots"], found[0]["open_lots"]) == (int(filled), int(left))


def test_reports_of_strangers_touch_nothing():
    engine = make_engine()
    script(engine, (BUY, 9_990, 5))
    (action,) = feed(engine, touch(9_999, 10_001))
    ours = int(action["client_order_id"])
    before = engine.traders.tobytes()
    stranger = client_order_id(bot_of(ours) + 1, 1, 0, 0)
    for order in (0, -1, stranger):
        feed(engine, report(Kind.ORDER_CANCELED, order, START_NS + 1, size=5))
        feed(engine, fill(order, START_NS + 1, 5, 9_990))
    assert engine.traders.tobytes() == before
    assert engine.accounts[0]["n_strange"] == 6
    assert engine.accounts[0]["positions"][0]["position_lots"] == 0


def test_an_old_id_does_not_find_the_new_order_in_its_slot():
    engine = make_engine()
    script(engine, (BUY, 9_990, 5))
    (first,) = feed(engine, touch(9_999, 10_001))
    (second,) = feed(engine, report(Kind.ORDER_REJECT, int(first["client_order_id"]), START_NS + 1))
    old, new = int(first["client_order_id"]), int(second["client_order_id"])
    assert old != new
    assert old & 1_023 == new & 1_023
    trader = engine.traders[0]
    assert find_order(trader, old) == -1
    assert find_order(trader, new) == new & 1_023
    feed(engine, report(Kind.ORDER_CANCELED, old, START_NS + 2, size=5))
    assert [int(o["client_order_id"]) for o in active_orders(engine)] == [new]


@pytest.mark.parametrize("slot", [ORDER_CAPACITY, 1_023])
def test_an_id_beyond_the_table_is_nobodys(slot):
    """Ten bits of slot, sixty-four slots: such an id was never ours, whatever its bot says."""
    engine = make_engine()
    order = client_order_id(1, 1, 0, slot)
    assert find_order(engine.traders[0], order) == -1
    feed(engine, report(Kind.ORDER_CANCELED, order, START_NS + 1, size=5))


def test_ids_are_those_of_the_model():
    engine = make_engine({"bot.id": 5})
    feed(engine, row(Kind.EPOCH, START_NS, size=77))
    script(engine, (BUY, 9_990, 5), (SELL, 10_010, 5))
    found = [int(a["client_order_id"]) for a in feed(engine, touch(9_999, 10_001))]
    assert found == [client_order_id(5, 77, 0, 0), client_order_id(5, 77, 1, 1)]


def test_a_new_epoch_starts_counting_again():
    engine = make_engine()
    script(engine, (BUY, 9_990, 5))
    feed(engine, touch(9_999, 10_001))
    feed(engine, row(Kind.EPOCH, START_NS + 1, size=2))
    assert (engine.traders[0]["epoch"], engine.traders[0]["counter"]) == (2, 0)


def test_a_million_orders_do_not_repeat_an_id():
    engine = make_engine()
    trader, position = engine.traders[0], engine.accounts[0]["positions"][0]
    trader["counter"] = (1 << COUNTER_BITS) - 1
    ids = set()
    for _ in range(3):
        slot = order_new(trader, position, BUY, 0, 0, 100, 1, START_NS)
        ids.add(int(trader["orders"][slot]["client_order_id"]) >> 10)
    assert len(ids) == 3
    assert {bot_of(i << 10) for i in ids} == {1}


@pytest.mark.parametrize("epoch", [4_096, 5_000])
def test_late_epochs_keep_the_bot_id(epoch):
    """The epoch has 12 bits; the 4,096th start must be refused or wrap, and not lose its orders."""
    engine = make_engine({"bot.id": 2})
    try:
        feed(engine, row(Kind.EPOCH, START_NS, size=epoch))
    except AssertionError:
        return
    script(engine, (BUY, 9_990, 5))
    (action,) = feed(engine, touch(9_999, 10_001))
    assert bot_of(int(action["client_order_id"])) == 2


@pytest.mark.parametrize("what", ["PAUSE", "STOP"])
def test_pausing_cancels_orders_in_doubt(what):
    """An order that timed out may rest: leaving the market means to cancel it as well."""
    desk = Desk()
    desk.want(BUY, 10)
    desk.feed(disconnect(desk.now))
    desk.wait(TIMEOUT_NS)
    assert [int(o["state"]) for o in active_orders(desk.engine)] == [OrderState.UNKNOWN]
    actions = feed(desk.engine, command(what, desk.now + TIMEOUT_NS), connect(desk.now + TIMEOUT_NS))
    assert [int(a["kind"]) for a in actions] == [ActionKind.CANCEL]


def test_an_order_in_doubt_is_cancelled_once_per_time_out_while_we_quote():
    """It may rest and serves no quote any more: another order takes its place."""
    engine = make_engine({"pacing.timeout_ms": 1_000})
    script(engine, (BUY, 9_990, 5))
    (sent,) = feed(engine, touch(9_999, 10_001))
    cancelled = []
    for tenth in range(1, 31):
        now = START_NS + tenth * 100 * MS
        actions = feed(engine, timer(now))
        cancelled += [tenth] * int((actions["client_order_id"] == sent["client_order_id"]).sum())
        feed(engine, acks(places(actions), now))
    assert cancelled == [10, 20, 30]
    feed(engine, report(Kind.ORDER_CANCELED, int(sent["client_order_id"]), START_NS + 3 * S, size=5))
    assert [int(o["price_ticks"]) for o in active_orders(engine)] == [9_990], "the one that replaced it"


@pytest.mark.parametrize("late_ns", [-1, 0])
def test_an_answer_is_overdue_exactly_at_its_deadline(late_ns):
    desk = Desk()
    desk.want(BUY, 10)
    desk.wait(TIMEOUT_NS + late_ns)
    order = active_orders(desk.engine)[0]
    assert order["state"] == (OrderState.UNKNOWN if late_ns == 0 else OrderState.PENDING_NEW)


def test_table_that_is_full_sends_nothing_more():
    engine = make_engine()
    quotes = [(BUY, 9_990 - i, 1) for i in range(QUOTES_MAX)]
    sent = 0
    for round_number in range(8):
        script(engine, *[(side, price - 20 * round_number, lots) for side, price, lots in quotes])
        actions = feed(engine, touch(9_999, 10_001, START_NS), timer(START_NS))
        sent += int((actions["kind"] == ActionKind.PLACE).sum())
        check_tables(engine)
    assert sent == len(engine.traders[0]["orders"])
    assert engine.traders[0]["n_free"] == 0
    assert np.unique([int(o["client_order_id"]) for o in active_orders(engine)]).size == sent
