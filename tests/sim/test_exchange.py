"""The simulated exchange: stories as text, one action a line, with every report that it causes."""

import numpy as np
import pytest

from builders import book_row, plain, tape, trade
from makerside.core.book import book_lots
from makerside.model.event import Flag, Kind, Reason
from makerside.model.units import ASK, BID, BUY, SELL
from makerside.sim.build import make_exchange
from makerside.sim.door import cancel, feed_house, place
from makerside.sim.matching import find_client_order, next_published, published_lots
from makerside.sim.records import UNKNOWN_AHEAD
from reference import ledger

FLAGS = {"post": Flag.POST_ONLY, "ioc": Flag.IOC, "reduce": Flag.REDUCE_ONLY}
SIDES = {"buy": BUY, "sell": SELL}
KINDS = {"house": Kind.SNAPSHOT, "delta": Kind.DELTA, "bbo": Kind.BBO}
WORDS = {
    Kind.ORDER_ACK: "ack",
    Kind.ORDER_REJECT: "reject",
    Kind.ORDER_CANCELED: "canceled",
    Kind.ORDER_SELF_TRADE: "self",
    Kind.FILL: "fill",
}

# Orders are named by client and number: a1 and a2 are of one client, b1 of another.
#   house, delta, bbo  SIDE PRICExSIZE ...       a message of the house;  trade  SIDE PRICExSIZE  a print of it
#   place NAME SIDE PRICExSIZE [post] [ioc] [reduce];  cancel NAME;  ahead NAME;  position CLIENT
STORIES = """
a resting order waits behind the level
    house bid 99x10 ask 101x10
    place a1 buy 99x5                 ack a1 5
    ahead a1                          10
    trade sell 99x4
    ahead a1                          6
    trade sell 99x8                   fill a1 2@99 maker
    trade sell 99x9                   fill a1 3@99 maker
    trade sell 99x9

an order in an empty place is the first there
    house bid 98x10 ask 101x10
    place a1 buy 99x5                 ack a1 5
    ahead a1                          0
    trade sell 99x2                   fill a1 2@99 maker
    ahead a1                          0

cancels of the house bring us forward, growth does not
    house bid 99x10 ask 101x10
    place a1 buy 99x5                 ack a1 5
    delta bid 99x30
    ahead a1                          10
    delta bid 99x29
    ahead a1                          9.6567
    delta bid 99x0
    ahead a1                          0

a level that was removed and comes again stands behind us
    house bid 99x10 ask 101x10
    place a1 buy 99x5                 ack a1 5
    delta bid 99x0
    delta bid 99x40
    ahead a1                          0
    trade sell 99x1                   fill a1 1@99 maker

a print through our price fills us whole
    house bid 99x10 ask 101x10
    place a1 buy 99x5                 ack a1 5
    trade sell 98x1                   fill a1 5@99 maker

prints of the other side and above us do nothing
    house bid 99x10 ask 101x10
    place a1 buy 99x5                 ack a1 5
    trade buy 101x50
    trade sell 100x50
    trade buy 98x50

asks mirror bids
    house bid 99x10 ask 101x10
    place a1 sell 101x5               ack a1 5
    trade buy 101x12                  fill a1 2@101 maker
    trade buy 102x1                   fill a1 3@101 maker

clients stand behind each other by time
    house bid 98x10 ask 101x10
    place a1 buy 99x5                 ack a1 5
    place b1 buy 99x5                 ack b1 5
    place c1 buy 99x5                 ack c1 5
    trade sell 99x7                   fill a1 5@99 maker, fill b1 2@99 maker
    cancel b1                         canceled b1 3 USER
    trade sell 99x7                   fill c1 5@99 maker

a better price comes first
    house bid 97x10 ask 101x10
    place a1 buy 98x5                 ack a1 5
    place b1 buy 99x5                 ack b1 5
    place t1 sell 99x6                fill t1 5@99 taker, fill b1 5@99 maker, ack t1 1
    place t2 sell 98x2                fill t2 2@98 taker, fill a1 2@98 maker

post-only does not take
    house bid 99x10 ask 101x10
    place a1 buy 101x5 post           reject a1 POST_ONLY_WOULD_TAKE
    place a2 buy 102x5 post           reject a2 POST_ONLY_WOULD_TAKE
    place a3 buy 100x5 post           ack a3 5
    place b1 sell 100x5 post          reject b1 POST_ONLY_WOULD_TAKE
    place a4 sell 99x5 post           reject a4 POST_ONLY_WOULD_TAKE

a taker walks the levels up to its limit and rests with the rest
    house bid 99x10 ask 101x4 102x4 103x4
    place a1 buy 102x10               fill a1 4@101 taker, fill a1 4@102 taker, ack a1 2
    ahead a1                          0
    cancel a1                         canceled a1 2 USER

what a taker took comes back with the next row of the house
    house bid 99x10 ask 101x4 102x4
    place a1 buy 101x3 ioc            fill a1 3@101 taker
    place a2 buy 101x3 ioc            fill a2 1@101 taker, canceled a2 2 NO_MATCH
    place a3 buy 101x3 ioc            reject a3 NO_MATCH
    delta ask 101x4
    place a4 buy 101x3 ioc            fill a4 3@101 taker

immediate or cancel
    house bid 99x10 ask 101x4
    place a1 buy 100x5 ioc            reject a1 NO_MATCH
    place a2 buy 101x5 ioc            fill a2 4@101 taker, canceled a2 1 NO_MATCH

a taker meets house and clients in the order of the queue
    house bid 99x10 ask 101x4
    place a1 sell 101x5               ack a1 5
    place b1 sell 101x5               ack b1 5
    place t1 buy 101x6 ioc            fill t1 4@101 taker, fill t1 2@101 taker, fill a1 2@101 maker
    place t2 buy 101x3                fill t2 3@101 taker, fill a1 3@101 maker
    place t3 buy 101x3                fill t3 3@101 taker, fill b1 3@101 maker

the house behind a client comes after it
    house bid 99x10 ask 102x4
    place a1 sell 101x5               ack a1 5
    delta ask 101x6
    ahead a1                          0
    place t1 buy 101x8 ioc            fill t1 5@101 taker, fill a1 5@101 maker, fill t1 3@101 taker

a client does not trade with itself: the older order goes
    house bid 99x10 ask 105x4
    place a1 sell 101x5               ack a1 5
    place b1 sell 101x5               ack b1 5
    place a2 buy 101x5                self a1 5 SELF_TRADE, fill a2 5@101 taker, fill b1 5@101 maker
    position a                        5

reduce-only is shrunk to the position and refused without one
    house bid 99x50 ask 101x50
    place a1 sell 101x5 reduce        reject a1 REDUCE_ONLY
    place a2 buy 101x6 ioc            fill a2 6@101 taker
    position a                        6
    place a3 buy 99x5 reduce          reject a3 REDUCE_ONLY
    place a4 sell 102x9 reduce        ack a4 6
    place a5 sell 99x4 ioc            fill a5 4@99 taker, ack a4 2
    place a6 sell 99x9 ioc reduce     fill a6 2@99 taker, canceled a4 2 REDUCE_ONLY
    position a                        0

a resting reduce-only order ends with the position
    house bid 99x50 ask 101x50 110x1
    place a1 buy 101x6 ioc            fill a1 6@101 taker
    place a2 sell 103x6 reduce        ack a2 6
    place a3 sell 102x6               ack a3 6
    trade buy 102x60                  fill a3 6@102 maker, canceled a2 6 REDUCE_ONLY

a reduce-only order that still fits is left alone
    house bid 99x50 ask 101x50 110x1
    place a1 buy 101x7 ioc            fill a1 7@101 taker
    place a2 sell 103x6 reduce        ack a2 6
    place a3 sell 99x1 ioc            fill a3 1@99 taker
    place a4 sell 99x1 ioc            fill a4 1@99 taker, ack a2 5

an unknown aggressor is the one who crossed the spread
    house bid 99x10 ask 101x10
    place a1 buy 99x5                 ack a1 5
    place b1 sell 101x5               ack b1 5
    trade unknown 101x12              fill b1 2@101 maker
    trade unknown 99x12               fill a1 2@99 maker
    trade unknown 98x1                fill a1 3@99 maker

an unknown aggressor in the middle follows the tick
    house bid 99x10 ask 101x10
    place a1 buy 100x5                ack a1 5
    trade unknown 101x1
    trade unknown 100x2               fill a1 2@100 maker
    trade unknown 99x1                fill a1 3@100 maker

the house crosses us
    house bid 99x10 ask 103x10
    place a1 buy 101x5                ack a1 5
    place b1 buy 102x5                ack b1 5
    delta ask 101x1                   fill b1 5@102 maker, fill a1 5@101 maker

a print reaches the better price first, also when it is the younger order
    house bid 99x50 ask 101x50
    place a1 buy 101x6 ioc            fill a1 6@101 taker
    delta ask 101x0 ask 110x9
    place a2 sell 105x6 reduce        ack a2 6
    place a3 sell 103x6               ack a3 6
    trade buy 106x1                   fill a3 6@103 maker, canceled a2 6 REDUCE_ONLY
    position a                        0

the house crosses the better price first
    house bid 99x50 ask 101x50
    place a1 buy 101x6 ioc            fill a1 6@101 taker
    delta ask 101x0 ask 110x9
    place a2 sell 105x6 reduce        ack a2 6
    place a3 sell 103x6               ack a3 6
    delta bid 106x1                   fill a3 6@103 maker, canceled a2 6 REDUCE_ONLY
    position a                        0

the best prices of the house cross us
    house bid 99x10 ask 103x10
    place a1 sell 101x5               ack a1 5
    bbo bid 101x3 ask 103x10          fill a1 5@101 maker

a locked house fills nobody at its price
    house bid 99x10 ask 103x10
    place a1 buy 101x5                ack a1 5
    place a2 sell 102x5               ack a2 5
    delta bid 101x1 ask 101x1
    delta bid 100x1 bid 101x0         fill a1 5@101 maker

a crossed house fills nobody, a taker neither
    house bid 99x10 ask 105x10
    place b1 sell 103x2               ack b1 2
    delta bid 104x1 ask 101x1
    place a1 buy 101x5 ioc            reject a1 NO_MATCH
    place a2 buy 102x5 post           reject a2 POST_ONLY_WOULD_TAKE
    place a3 buy 103x3                fill a3 2@103 taker, fill b1 2@103 maker, ack a3 1
    delta bid 104x0                   fill a3 1@103 maker

a snapshot that does not reach down to us says nothing about us
    house bid 99x10 98x20 97x30 ask 101x10
    place a1 buy 97x5                 ack a1 5
    ahead a1                          30
    house bid 100x4 99x9 ask 101x10
    ahead a1                          30
    house bid 100x4 99x9 97x12 ask 101x10
    ahead a1                          12

an order beyond the known window has an unknown queue
    house bid 99x10 98x20 ask 101x10
    place a1 buy 96x5                 ack a1 5
    ahead a1                          unknown
    trade sell 96x3
    ahead a1                          unknown
    house bid 98x10 96x20 ask 101x10
    ahead a1                          20

a source of best prices tells the queue at the best prices only
    bbo bid 99x10 ask 101x10
    place a1 buy 98x5                 ack a1 5
    place a2 sell 102x5               ack a2 5
    place a3 buy 99x5                 ack a3 5
    ahead a1                          unknown
    ahead a2                          unknown
    ahead a3                          10
    bbo bid 98x7 ask 101x10
    ahead a1                          7
    ahead a2                          unknown
    ahead a3                          0

a level beyond the snapshot is known once a row has told it
    house bid 99x10 98x20 ask 101x10
    delta bid 96x200
    place a1 buy 96x5                 ack a1 5
    ahead a1                          200
    place t1 sell 96x100 ioc          fill t1 10@99 taker, fill t1 20@98 taker, fill t1 70@96 taker
    ahead a1                          130

a level that nobody told is told by the first row, whatever it says
    house bid 99x10 98x20 ask 101x10
    place a1 buy 95x5                 ack a1 5
    ahead a1                          unknown
    delta bid 95x0
    ahead a1                          0

a print through an unknown queue fills all the same
    house bid 99x10 98x20 ask 101x10
    place a1 buy 96x5                 ack a1 5
    trade sell 95x1                   fill a1 5@96 maker

what is no order is refused
    house bid 99x10 ask 101x10
    place a1 buy 99x0                 reject a1 SIZE
    place a2 buy 99x-3                reject a2 SIZE
    place a3 buy 0x5                  reject a3 SIZE

an order is cancelled once, and only by its client
    house bid 99x10 ask 101x10
    place a1 buy 99x5                 ack a1 5
    cancel b1                         not there
    cancel a1                         canceled a1 5 USER
    cancel a1                         not there

a house without a side
    bbo bid 99x10
    place a1 buy 200x5 ioc            reject a1 NO_MATCH
    place a2 buy 200x5 post           ack a2 5
    bbo ask 201x1
    position a                        0
"""


class Play:
    """One exchange of `plain` and the clients of a story."""

    def __init__(self, instrument=None, model="log_prob", exponent=3.0):
        self.exchanges = make_exchange(instrument or plain(), 0, model, exponent)
        self.others, self.pit = self.exchanges[0]["house"], self.exchanges[0]["pit"]
        self.ts = 0

    def name(self, report):
        """Return the order's name."""
        return f"{chr(97 + report['client'])}{report['order_id'] % 100}"

    def reports(self):
        """Return and clear what waits."""
        found = self.pit["reports"][: self.pit["n_reports"]].copy()
        self.pit["n_reports"] = 0
        return found

    def told(self):
        """Return what waits as text."""
        return ", ".join(self._text(report) for report in self.reports())

    def _text(self, report):
        text = f"{WORDS[Kind(int(report['kind']))]} {self.name(report)}"
        if report["kind"] == Kind.FILL:
            part = "taker" if report["is_taker"] else "maker"
            return f"{text} {report['size_lots']}@{report['price_ticks']} {part}"
        if report["kind"] == Kind.ORDER_REJECT:
            return f"{text} {Reason(int(report['reason'])).name}"
        reason = Reason(int(report["reason"]))
        is_end = report["kind"] != Kind.ORDER_ACK
        return f"{text} {report['size_lots']}" + (f" {reason.name}" if is_end else "")

    def house(self, kind, words):
        """Let a message of the house happen."""
        rows, side = [], BID
        for word in words:
            if word in ("bid", "ask"):
                side = BID if word == "bid" else ASK
                continue
            price, lots = (int(part) for part in word.split("x"))
            rows.append(book_row(KINDS[kind], side, price, lots, self.ts, last=False))
        rows[-1]["flags"] |= int(Flag.LAST)
        feed_house(self.exchanges, tape(rows))

    def do(self, line):
        """Do one line and return what it says."""
        what, *words = line.split()
        self.ts += 1
        if what in KINDS:
            self.house(what, words)
        elif what == "trade":
            price, lots = (int(part) for part in words[1].split("x"))
            flags = int(Flag.UNKNOWN_SIDE) if words[0] == "unknown" else 0
            feed_house(self.exchanges, trade(SIDES.get(words[0], BUY), price, lots, self.ts, flags=flags))
        elif what == "place":
            name, side, level, *flags = words
            price, lots = (int(part) for part in level.split("x"))
            bits = sum(int(FLAGS[flag]) for flag in flags)
            client = ord(name[0]) - 97
            place(self.exchanges, 0, self.ts, self.id(name), client, SIDES[side], price, lots, bits)
        elif what == "cancel":
            if not cancel(self.exchanges, 0, self.ts, ord(words[0][0]) - 97, self.id(words[0])):
                return "not there"
        elif what == "ahead":
            slot = find_client_order(self.pit, ord(words[0][0]) - 97, self.id(words[0]))
            ahead = float(self.pit["orders"][slot]["ahead_lots"])
            return "unknown" if ahead >= UNKNOWN_AHEAD else f"{ahead:g}"
        elif what == "position":
            return str(int(self.pit["positions"][ord(words[0]) - 97]))
        else:
            raise ValueError(line)
        return self.told()

    @staticmethod
    def id(name):
        """Return the order id of a name."""
        return (ord(name[0]) - 96) * 100 + int(name[1:])


def _stories():
    blocks = [block.splitlines() for block in STORIES.strip().split("\n\n")]
    return [pytest.param(lines, id=title.replace(" ", "_").replace(",", "")) for title, *lines in blocks]


@pytest.mark.parametrize("lines", _stories())
def test_story(lines):
    play = Play()
    for line in lines:
        action, _, expected = line.strip().partition("   ")
        assert play.do(action) == expected.strip(), line


def play_all(lines, **options):
    """Return a play after some lines."""
    play = Play(**options)
    for line in lines:
        play.do(line)
    return play


def test_risk_averse_queue_ignores_cancels():
    play = play_all(
        ["house bid 99x10 ask 101x10", "place a1 buy 99x5", "delta bid 99x30", "delta bid 99x12"],
        model="risk_averse",
    )
    assert play.do("ahead a1") == "10"
    assert play.do("delta bid 99x7") == ""
    assert play.do("ahead a1") == "7"


@pytest.mark.parametrize(
    ("model", "exponent", "ahead"),
    [
        ("power", 1.0, "20"),
        ("power", 2.0, "24"),
        ("power2", 2.0, "13.3333"),
        ("power3", 2.0, "26.6667"),
        ("log2", 2.0, "21.9678"),
        ("log2", 9.0, "21.9678"),
    ],
)
def test_a_cancel_is_shared_by_model_and_exponent(model, exponent, ahead):
    """30 before us, 60 behind, 30 leave: 10, 6, 50/3, 10/3 or 30 (1 - ln 1.6 / ln 1.9) of ours (coins)."""
    play = play_all(
        ["house bid 99x30 ask 101x10", "place a1 buy 99x5", "delta bid 99x90", "delta bid 99x60"],
        model=model,
        exponent=exponent,
    )
    assert play.do("ahead a1") == ahead


@pytest.mark.parametrize(("maker", "taker"), [("0.00015", "0.00045"), ("-0.00002", "0.0003")])
def test_fees_are_the_instruments(maker, taker):
    from decimal import Decimal

    instrument = plain(maker_fee=Decimal(maker), taker_fee=Decimal(taker))
    play = play_all(["house bid 9000x10 ask 9100x333"], instrument=instrument)
    play.do("place a1 sell 9050x77")
    place(play.exchanges, 0, 9, 201, 1, BUY, 9_100, 100, 0)
    fees = {
        (bool(r["is_taker"]), int(r["price_ticks"])): (int(r["size_lots"]), int(r["fee_e8"]))
        for r in play.reports()
    }
    for (is_taker, price), (lots, fee) in fees.items():
        if price:
            rate = int(Decimal(taker if is_taker else maker) * 10**9)
            assert fee == ledger.fee(price * lots * 10_000, rate, 100) if lots else True
    assert {key for key in fees if key[1] in (9_050, 9_100)} >= {(True, 9_050), (False, 9_050), (True, 9_100)}


def test_every_fill_has_its_own_number_and_both_sides_share_it():
    play = play_all(["house bid 99x10 ask 101x4"])
    play.do("place a1 sell 101x5")
    place(play.exchanges, 0, 9, 201, 1, BUY, 101, 6, int(Flag.IOC))
    fills = [r for r in play.reports() if r["kind"] == Kind.FILL]
    by_trade = {}
    for fill in fills:
        by_trade.setdefault(int(fill["trade_id"]), []).append(int(fill["is_taker"]))
    assert sorted(map(sorted, by_trade.values())) == [[0, 1], [1]]
    other = make_exchange(plain(), 1, "log_prob")
    assert int(other["pit"]["next_trade_id"][0]) not in range(1, 1 << 40), (
        "unique over all instruments of a venue"
    )


def test_published_sizes_are_the_houses_and_the_clients():
    play = play_all(
        ["house bid 99x10 ask 101x10", "place a1 buy 99x5", "place b1 buy 100x7", "place b2 sell 103x2"]
    )
    assert published_lots(play.others, play.pit, BID, 99) == 15
    assert published_lots(play.others, play.pit, BID, 100) == 7
    assert book_lots(play.others["book"], BID, 99) == 10
    assert next_published(play.others, play.pit, BID, 10_000) == 100
    assert next_published(play.others, play.pit, BID, 99) == 99
    assert next_published(play.others, play.pit, ASK, 0) == 101
    assert next_published(play.others, play.pit, ASK, 102) == 103


def test_positions_are_the_sum_of_fills(rng):
    """Random orders of three clients in a random house: no lot is made or lost."""
    play = Play()
    positions, open_lots = dict.fromkeys(range(3), 0), {}
    play.do("house bid 95x40 96x40 97x40 98x40 99x40 ask 101x40 102x40 103x40 104x40 105x40")
    for i in range(2_000):
        draw = rng.random()
        client, price = int(rng.integers(0, 3)), int(rng.integers(95, 106))
        side = BUY if rng.random() < 0.5 else SELL
        if draw < 0.5:
            flags = int(rng.choice([0, int(Flag.POST_ONLY), int(Flag.IOC), int(Flag.REDUCE_ONLY)]))
            place(play.exchanges, 0, i, 1_000 + i, client, side, price, int(rng.integers(1, 30)), flags)
        elif draw < 0.7 and open_lots:
            key = list(open_lots)[int(rng.integers(len(open_lots)))]
            cancel(play.exchanges, 0, i, *key)
        elif draw < 0.85:
            feed_house(play.exchanges, trade(side, price, int(rng.integers(1, 60)), i))
        else:
            book_side, level = (BID, min(price, 99)) if side == BUY else (ASK, max(price, 101))
            feed_house(play.exchanges, book_row(Kind.DELTA, book_side, level, int(rng.integers(0, 60)), i))
        for report in play.reports():
            key = int(report["client"]), int(report["order_id"])
            if report["kind"] == Kind.FILL:
                positions[key[0]] += int(report["side"]) * int(report["size_lots"])
            if report["open_lots"] > 0:
                open_lots[key] = int(report["open_lots"])
            else:
                open_lots.pop(key, None)
        record = play.pit
        assert record["positions"][:3].tolist() == list(positions.values())
        active = [record["orders"][slot] for slot in record["active"][: record["n_active"]]]
        assert {(int(o["client"]), int(o["order_id"])): int(o["open_lots"]) for o in active} == open_lots
        slots = record["active"][: record["n_active"]].tolist() + record["free"][: record["n_free"]].tolist()
        assert sorted(slots) == list(range(len(record["orders"])))
    assert min(abs(p) for p in positions.values()) > 0
    assert np.abs(record["positions"][3:]).sum() == 0


def test_a_print_reaches_everyone_although_an_order_ends_on_the_way():
    """A's sale of its position ends its other reduce-only order, which stands earlier in the list."""
    play = play_all(
        [
            "house bid 99x50 ask 101x50",
            "place a1 buy 101x6 ioc",
            "delta ask 101x0 ask 110x9",
            "place a2 sell 105x6 reduce",
            "place a3 sell 103x6 reduce",
            "place b1 sell 103x6",
        ]
    )
    assert play.do("trade buy 103x9") == "fill a3 6@103 maker, canceled a2 6 REDUCE_ONLY, fill b1 3@103 maker"


@pytest.mark.parametrize("message", ["bbo bid 90x7 ask 92x3", "delta bid 99x0 bid 98x0 bid 90x7"])
def test_the_queue_at_the_touch_is_known(message):
    """The market has left the levels that the snapshot showed; the touch is told with its size."""
    play = play_all(["house bid 99x10 98x20 ask 101x10", message, "place a1 buy 90x5"])
    assert play.do("ahead a1") == "7"
    assert play.do("trade sell 90x8") == "fill a1 1@90 maker"


def test_a_crossed_house_fills_nobody():
    """Bid 104 over ask 101 by its own rows: one of the two is old. `step` does not quote on it either."""
    play = play_all(["house bid 99x10 ask 105x10", "place a1 buy 102x5"])
    assert play.do("delta bid 104x1 ask 101x1") == ""


def test_an_unknown_queue_is_told_after_a_large_print():
    """The level is beyond the snapshot's window; 100 lots print there; then a snapshot reaches down to it."""
    play = play_all(
        [
            "house bid 99x10 98x20 ask 101x10",
            "place a1 buy 96x5",
            "trade sell 96x100",
            "house bid 98x10 96x200 ask 101x10",
        ]
    )
    assert play.do("ahead a1") == "200"


def test_an_order_takes_every_level_once():
    """More levels than a pit remembers to have taken from: what comes back does not meet the same order."""
    asks = " ".join(f"ask {101 + k}x1" for k in range(90))
    play = play_all([f"house bid 99x10 {asks}"])
    said = play.do("place a1 buy 500x1000 ioc")
    assert said.count("fill") == 90
    assert said.endswith("canceled a1 910 NO_MATCH")
