"""What a session listens to and what it has counted: `Feeds`, `Watch`, `SessionStatistics`. Pure."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from makerside.venues.hyperliquid.wire_frames import Subscription

ERRORS_KEPT = 16  # texts; enough to see what came before the last one


@dataclass(frozen=True, slots=True)
class Feeds:
    """What is subscribed to. book, bbo, trades, prices : per instrument; the others need a user.

    is_book_fast : 5 levels each 0.5 s, otherwise 20 levels each 5 s (section 4.3)
    prices       : mark and oracle price;  funding : our own hourly payments
    """

    book: bool = True
    is_book_fast: bool = True
    bbo: bool = True
    trades: bool = True
    prices: bool = False
    orders: bool = True
    fills: bool = True
    funding: bool = False

    def subscriptions(self, symbols: Iterable[str], user: str) -> list[Subscription]:
        """Return the subscriptions, our own channels first so that nothing of ours is missed.

        user : "" leaves our own channels out
        """
        private = (("orderUpdates", self.orders), ("userFills", self.fills), ("userFundings", self.funding))
        public = (("bbo", self.bbo), ("trades", self.trades), ("activeAssetCtx", self.prices))
        chosen = [Subscription(kind=kind, user=user) for kind, is_on in private if is_on and user]
        for symbol in symbols:
            if self.book:
                chosen.append(Subscription(kind="l2Book", coin=symbol, is_fast=self.is_book_fast or None))
            chosen += [Subscription(kind=kind, coin=symbol) for kind, is_on in public if is_on]
        return chosen


@dataclass(frozen=True, slots=True)
class SessionStatistics:
    """What a session has seen so far; every number only grows.

    errors : the last texts, ours and the venue's; what the counts mean: see `Watch`
    """

    n_frames: int
    n_rows: int
    n_malformed: int
    n_private_lost: int
    n_unfollowed: int
    n_ignored: int
    n_old_fills: int
    n_old_trades: int
    n_unmatched_posts: int
    n_open_posts: int
    n_venue_errors: int
    n_dropped_posts: int
    errors: tuple[str, ...]


@dataclass(slots=True)
class Watch:
    """The counters of one session, written while it works."""

    n_frames: int = 0
    n_rows: int = 0
    n_malformed: int = 0  # frames, and single facts of private frames, that could not be read
    n_private_lost: int = 0  # of these, the ones that may have been about our orders or money
    n_unfollowed: int = 0  # facts about instruments that are not followed
    n_ignored: int = 0  # frames of channels, and states of orders, that give no rows
    n_old_fills: int = 0  # snapshot fills and fundings that were not wanted
    n_old_trades: int = 0  # prints from before the connection, sent on subscribing
    n_unmatched_posts: int = 0  # answers to requests that do not wait (any more)
    n_open_posts: int = 0  # answers that leave open whether the action was executed
    n_venue_errors: int = 0
    errors: deque[str] = field(default_factory=lambda: deque(maxlen=ERRORS_KEPT))

    def trouble(self, error: Exception, is_private: bool) -> None:
        """Count something that could not be read."""
        self.n_malformed += 1
        self.n_private_lost += 1 if is_private else 0
        self.errors.append(str(error))

    def statistics(self, n_dropped_posts: int) -> SessionStatistics:
        """Return the counts so far."""
        counts = {name: getattr(self, name) for name in self.__slots__ if name != "errors"}
        return SessionStatistics(**counts, n_dropped_posts=n_dropped_posts, errors=tuple(self.errors))
