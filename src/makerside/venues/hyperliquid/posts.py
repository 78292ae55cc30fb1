"""Requests that were posted and not answered: what each answer means for the orders that it carried.

A lost answer is not a lost order. So an answer that leaves open whether the action was executed gives
no row: the order runs into its deadline and is asked for. Pure. Next: `session.py`.
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import Any, NamedTuple

from makerside.model.event import Flag, Kind, Reason
from makerside.venues.hyperliquid.reasons import (
    action_error_reason,
    is_outcome_unknown,
    is_too_late,
    order_error_reason,
)
from makerside.venues.hyperliquid.rows import Followed
from makerside.venues.hyperliquid.wire_actions import SUCCESS, Accepted, Refused, Status
from makerside.venues.hyperliquid.wire_frames import ActionResult, ErrorResult, InfoResult, PostResult

# source : section 4.2. The venue refuses a 101st request in flight, across all sockets of an IP.
POSTS_MAX = 100
_TOO_MANY_REQUESTS = 429


class PostKind(IntEnum):
    """What was posted."""

    INFO = 0
    PLACE = 1
    CANCEL = 2
    OTHER = 3  # an action that concerns no single order: leverage, dead-man switch, noop


class SentOrder(NamedTuple):
    """One order of a posted batch, in the batch's order. flags : SELL and IOC of `event.Flag`."""

    client_order_id: int
    instrument: int
    price_ticks: int
    size_lots: int
    flags: int


def sent_order(action: Any) -> SentOrder:
    """Return what the session must know of an action row. action : action_t, scalar record."""
    return SentOrder(
        int(action["client_order_id"]),
        int(action["instrument"]),
        int(action["price_ticks"]),
        int(action["size_lots"]),
        int(action["flags"]) & (Flag.SELL | Flag.IOC),
    )


class PendingPost(NamedTuple):
    """A request that waits for its answer.

    is_resend   : the same signed bytes were sent before
    ts_floor_ns : newest venue time that was seen when it was sent: the answer is later
    """

    kind: PostKind
    orders: tuple[SentOrder, ...]
    is_resend: bool
    ts_floor_ns: int


class OrderOutcome(NamedTuple):
    """What an answer says about one order. size_lots : open, or left of it."""

    order: SentOrder
    kind: Kind
    reason: Reason
    venue_order_id: int
    size_lots: int


class PendingPosts:
    """The bounded table of unanswered requests, oldest first; a new one pushes out the oldest.

    Answers that concern no order are kept, as many as requests may be in flight, until they are taken.
    """

    def __init__(self) -> None:
        self._posts: dict[int, PendingPost] = {}
        self._answers: dict[int, PostResult] = {}
        self._untold: set[int] = set()  # client order ids placed, about which no stream has spoken yet
        self.n_dropped = 0

    def __len__(self) -> int:
        return len(self._posts)

    def add(self, post_id: int, post: PendingPost) -> None:
        """Register a request before it is sent; errors : asserts that the id is not waiting already."""
        assert post_id not in self._posts
        if len(self._posts) >= POSTS_MAX:
            self.forget(next(iter(self._posts)))
            self.n_dropped += 1
        self._posts[post_id] = post
        if post.kind == PostKind.PLACE:
            self._untold.update(order.client_order_id for order in post.orders)

    def take(self, post_id: int) -> PendingPost | None:
        """Return a request and stop waiting for it; None when it does not wait. Next: `untold`."""
        return self._posts.pop(post_id, None)

    def untold(self, post: PendingPost) -> set[int]:
        """Return the client ids for which the answer to `post` is the first word, and note that it was said."""
        first = self._untold.intersection(order.client_order_id for order in post.orders)
        self._untold -= first
        return first

    def told(self, client_order_id: int) -> None:
        """Note that a stream has spoken about an order: it knows better than an answer that comes later."""
        self._untold.discard(client_order_id)

    def forget(self, post_id: int) -> None:
        """Stop waiting. What became of the action stays unknown."""
        self._answers.pop(post_id, None)
        post = self._posts.pop(post_id, None)
        if post is not None:
            self.untold(post)

    def clear(self) -> None:
        """Stop waiting for everything: the connection is lost, and the answers with it."""
        self._posts.clear()
        self._answers.clear()
        self._untold.clear()

    def keep_answer(self, post_id: int, result: PostResult) -> None:
        """Keep an answer for the client."""
        if len(self._answers) >= POSTS_MAX:
            del self._answers[next(iter(self._answers))]
        self._answers[post_id] = result

    def take_answer(self, post_id: int) -> PostResult | None:
        """Return a kept answer, once."""
        return self._answers.pop(post_id, None)


def outcomes(post: PendingPost, result: PostResult, followed: Sequence[Followed]) -> list[OrderOutcome] | None:
    """Return what an answer says about the orders of its request; None when it leaves that open.

    Orders that the answer calls "filled", and cancels that succeed, have no outcome here: the order
    stream tells them with sizes and times.

    followed : the session's instruments, by index
    errors   : Malformed when a size in the answer is no number of lots
    """
    if isinstance(result, InfoResult):
        return None
    if isinstance(result, ErrorResult):
        return _all_refused(post, _status_reason(result))
    assert isinstance(result, ActionResult)
    answer = result.payload
    if isinstance(answer, Refused):
        is_open = is_outcome_unknown(answer.response)
        return _all_refused(post, None if is_open else action_error_reason(answer.response))
    return _by_status(post, answer, followed)


def _status_reason(result: ErrorResult) -> Reason | None:
    """Return why the venue's front refused a request; None when it may have been executed (5xx)."""
    if result.http_status == _TOO_MANY_REQUESTS:
        return Reason.RATE_LIMIT
    return Reason.OTHER if 400 <= result.http_status < 500 else None


def _all_refused(post: PendingPost, reason: Reason | None) -> list[OrderOutcome] | None:
    # The first sending of the same bytes may have been executed: only its own answer would tell.
    if reason is None or post.is_resend:
        return None
    kind = Kind.CANCEL_REFUSED if post.kind == PostKind.CANCEL else Kind.ORDER_REJECT
    return [OrderOutcome(order, kind, reason, 0, order.size_lots) for order in post.orders]


def _by_status(post: PendingPost, answer: Accepted, followed: Sequence[Followed]) -> list[OrderOutcome] | None:
    statuses = answer.statuses
    if len(statuses) == 1 and not isinstance(statuses[0], str) and statuses[0].error is not None:
        statuses *= len(post.orders)  # some refusals answer a whole batch with one status (section 2.4)
    if len(statuses) != len(post.orders):
        return None
    found: list[OrderOutcome | None] = []
    for order, status in zip(post.orders, statuses, strict=True):
        if post.kind == PostKind.CANCEL:
            found.append(_cancel_outcome(order, status))
        else:
            found.append(_place_outcome(order, status, followed))
    return [outcome for outcome in found if outcome is not None]


def _place_outcome(order: SentOrder, status: Status | str, followed: Sequence[Followed]) -> OrderOutcome | None:
    if isinstance(status, str):  # "waitingForFill", "waitingForTrigger": children and triggers
        return None
    if status.resting is not None:
        return OrderOutcome(order, Kind.ORDER_ACK, Reason.NONE, status.resting.oid, order.size_lots)
    if status.error is not None:
        return OrderOutcome(order, Kind.ORDER_REJECT, order_error_reason(status.error), 0, order.size_lots)
    if status.filled is None or not order.flags & Flag.IOC:
        return None
    # What an IOC could not fill ends without a word on the order stream (section 2.4).
    left_lots = order.size_lots - followed[order.instrument].lots[status.filled.size]
    if left_lots <= 0:
        return None
    return OrderOutcome(order, Kind.ORDER_CANCELED, Reason.NO_MATCH, status.filled.oid, left_lots)


def _cancel_outcome(order: SentOrder, status: Status | str) -> OrderOutcome | None:
    if isinstance(status, str):
        return None if status == SUCCESS else OrderOutcome(order, Kind.CANCEL_REFUSED, Reason.OTHER, 0, 0)
    if status.error is None:
        return None
    kind = Kind.CANCEL_TOO_LATE if is_too_late(status.error) else Kind.CANCEL_REFUSED
    return OrderOutcome(order, kind, order_error_reason(status.error), 0, order.size_lots)
