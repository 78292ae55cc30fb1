"""Latency laws: draws follow the table, nothing overtakes on the connection, the venue's bumps by class."""

import numpy as np
import pytest

from builders import IS_INTERPRETED, MS, START_NS, S, config_of, tape, touch
from makerside.model.action import ActionKind
from makerside.model.errors import ConfigError
from makerside.model.event import Flag
from makerside.sim.latency import (
    SpeedBumps,
    What,
    delay_feed,
    is_plain,
    make_latency,
    next_delay_ns,
    what_of,
)

LAW = ((0.0, 20.0), (0.5, 40.0), (0.9, 80.0), (1.0, 400.0))
# Lighter, account types, 2026-07: Standard, and Premium without LIT.
STANDARD = SpeedBumps(post_only_ns=200 * MS, taker_ns=300 * MS, cancel_ns=200 * MS)
PREMIUM = SpeedBumps(taker_ns=200 * MS)
DRAWS = 400 if IS_INTERPRETED else 40_000


def law(rules=None, stream=0, **settings):
    """Return (1,) latency_t of settings of section `simulation`."""
    section = config_of({f"simulation.{name}": value for name, value in settings.items()}).simulation
    return make_latency(section, rules, stream)


def draws(latency, what, n=DRAWS, every_ns=S):
    """Return the delays of n things that are sent so far apart that none waits for another."""
    return np.array([next_delay_ns(latency, int(what), START_NS + i * every_ns) for i in range(n)])


def test_a_constant_leg_is_constant():
    latency = law(entry_ms=60, response_ms=35)
    assert set(draws(latency, What.PLACE_POST_ONLY, 100).tolist()) == {60 * MS}
    assert set(draws(latency, What.RESPONSE, 100).tolist()) == {35 * MS}
    assert is_plain(latency[0])


@pytest.mark.parametrize(
    ("what", "leg"), [(What.CANCEL, "entry"), (What.RESPONSE, "response"), (What.FEED, "feed")]
)
def test_draws_follow_the_table(what, leg):
    """Each quantile of the table within four standard errors of a share; mean by hand."""
    found = draws(law(**{f"{leg}_quantiles_ms": LAW}), what) / MS
    assert found.min() >= 20.0
    assert found.max() <= 400.0
    for share, ms in ((0.25, 30.0), *LAW[1:3], (0.95, 240.0)):
        error = 4 * (share * (1 - share) / DRAWS) ** 0.5
        assert abs((found <= ms).mean() - share) < error, ms
    assert abs(found.mean() - (0.5 * 30 + 0.4 * 60 + 0.1 * 240)) < 4 * found.std() / DRAWS**0.5


def test_draws_are_reproducible_and_streams_have_nothing_in_common():
    def found(**more):
        return draws(law(entry_quantiles_ms=LAW, **more), What.CANCEL, 400)

    assert (found() == found()).all()
    for other in ({"stream": 1}, {"latency_seed": 2}):
        ours, theirs = found(), found(**other)
        assert abs(np.corrcoef(ours, theirs)[0, 1]) < 0.2, other


def test_what_one_leg_draws_does_not_depend_on_another():
    settings = {"entry_quantiles_ms": LAW, "response_quantiles_ms": LAW}
    alone, busy = law(**settings), law(**settings)
    for i in range(50):
        for j in range(i % 4):
            next_delay_ns(busy, int(What.RESPONSE), START_NS + i * S + j)
        now = START_NS + i * S
        assert next_delay_ns(alone, int(What.CANCEL), now) == next_delay_ns(busy, int(What.CANCEL), now)


def test_an_order_never_overtakes_an_earlier_one():
    latency = law(entry_quantiles_ms=LAW)
    sent = START_NS + np.arange(2_000) * MS
    arrived = [int(ts) + next_delay_ns(latency, int(What.PLACE_POST_ONLY), int(ts)) for ts in sent]
    assert (np.diff(arrived) >= 0).all()
    assert (np.diff(arrived) == 0).any(), "some had to wait"


def test_what_is_sent_together_arrives_together():
    latency = law(entry_quantiles_ms=LAW)
    for i in range(20):
        now = START_NS + i * S
        assert len({next_delay_ns(latency, int(What.CANCEL), now) for _ in range(5)}) == 1


@pytest.mark.parametrize(
    ("bumps", "post_only_ms", "taker_ms", "cancel_ms"), [(STANDARD, 200, 300, 200), (PREMIUM, 0, 200, 0)]
)
def test_the_venue_holds_orders_back_by_class(bumps, post_only_ms, taker_ms, cancel_ms):
    expected = {What.PLACE_POST_ONLY: post_only_ms, What.PLACE_TAKER: taker_ms, What.CANCEL: cancel_ms}
    for what, ms in expected.items():
        assert set(draws(law(bumps, entry_ms=10), what, 5).tolist()) == {(10 + ms) * MS}
    assert not is_plain(law(bumps)[0])


def test_a_premium_cancel_overtakes_a_taker_at_the_venue():
    latency = law(PREMIUM, entry_ms=10)
    taker = START_NS + next_delay_ns(latency, int(What.PLACE_TAKER), START_NS)
    cancel = START_NS + 50 * MS + next_delay_ns(latency, int(What.CANCEL), START_NS + 50 * MS)
    assert cancel < taker


def test_bumps_of_the_settings():
    latency = law(entry_ms=0, post_only_bump_ms=200, taker_bump_ms=300, cancel_bump_ms=100)
    found = [int(draws(latency, what, 1)[0]) // MS for what in (What.PLACE_POST_ONLY, What.PLACE_TAKER)]
    assert found == [200, 300]


def test_a_venue_of_blocks_takes_makers_first():
    """Everything that arrived since the last block is executed at the next: makers, cancels, takers."""
    latency = law(entry_ms=10, block_ms=70)
    block = -(-(START_NS + 10 * MS) // (70 * MS)) * 70 * MS
    times = {
        what: START_NS + next_delay_ns(latency, int(what), START_NS)
        for what in (What.PLACE_TAKER, What.CANCEL, What.PLACE_POST_ONLY)
    }
    assert times[What.PLACE_POST_ONLY] == block
    assert sorted(times, key=times.get) == [What.PLACE_POST_ONLY, What.CANCEL, What.PLACE_TAKER]
    assert max(times.values()) < block + 70 * MS
    assert next_delay_ns(latency, int(What.RESPONSE), START_NS) == 100 * MS, "answers know no blocks"


def test_classes_of_actions():
    assert what_of(int(ActionKind.PLACE), int(Flag.POST_ONLY | Flag.SELL)) == What.PLACE_POST_ONLY
    assert what_of(int(ActionKind.PLACE), int(Flag.IOC)) == What.PLACE_TAKER
    assert what_of(int(ActionKind.PLACE), 0) == What.PLACE_TAKER
    assert what_of(int(ActionKind.CANCEL), int(Flag.POST_ONLY)) == What.CANCEL


def test_a_message_of_the_feed_stays_whole_and_in_order():
    rows = tape([touch(100, 102, START_NS + i * 15 * MS) for i in range(500)])
    before = rows.copy()
    delay_feed(law(feed_quantiles_ms=LAW), rows)
    late = rows["ts_local_ns"] - before["ts_local_ns"]
    assert (late[0::2] == late[1::2]).all()
    assert (np.diff(rows["ts_local_ns"]) >= 0).all()
    assert 20 * MS <= late.min() < late.max() <= 400 * MS
    rows["ts_local_ns"] = before["ts_local_ns"]
    assert rows.tobytes() == before.tobytes(), "nothing else has changed"


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        ([[0, 10]], "give 2 to 64 pairs"),
        ([[i / 64, 1] for i in range(65)], "give 2 to 64 pairs"),
        ([[0.1, 10], [1, 20]], "rise from 0 to 1"),
        ([[0, 10], [0.9, 20]], "rise from 0 to 1"),
        ([[0, 10], [0.5, 20], [0.5, 20], [1, 30]], "rise from 0 to 1"),
        ([[0, 10], [1, 5]], "times must not fall"),
        ([[0, -1], [1, 5]], "times must not fall"),
        ([[0, 1], [1, 60_001]], "times must not fall"),
    ],
)
def test_what_is_no_law(pairs, words):
    with pytest.raises(ConfigError, match=rf"simulation\.entry_quantiles_ms.*{words}"):
        config_of({"simulation.entry_quantiles_ms": pairs})
