"""Records of the synthetic market: its parameters in steps and lots, and its whole state.

One `synthetic_t` per instrument, about 200 KiB. A place is a price in steps of the market (ticks divided
by `step_ticks`), so that the book is a ring over places. Pure; numpy and model only.
"""

import numpy as np

from makerside.model.instrument import instrument_t
from makerside.sim.market_model import EXCITATIONS, FLOWS_MAX, KNOTS, SCALES
from makerside.sim.random import random_t

RING = 1 << 12  # places that the own book covers, both sides of the price together
RING_MASK = RING - 1
REACH_MAX = RING // 4  # places behind the touch; half the ring is left for moves of the price
PRINTS_MAX = 128  # of one market order; what is left of it then is not executed
NO_PLACE = 1 << 40

params_t = np.dtype(
    [
        ("n_flows", "i8"),  # the touch and its bands
        ("edges", "f8", (FLOWS_MAX,)),  # places behind the touch
        ("flow_sums", "f8", (2 * FLOWS_MAX,)),  # running sum of arrivals (even) and cancels (odd), per s
        ("level_lots", "f8", (FLOWS_MAX,)),  # per level
        ("depth_lots", "f8", (FLOWS_MAX,)),  # per level, at the opening
        ("arrival_lots", "f8", (FLOWS_MAX, KNOTS)),
        ("cancel_lots", "f8", (FLOWS_MAX, KNOTS)),
        ("other_lots", "f8", (2, KNOTS)),  # of orders that improve the best price; of market orders
        ("wide_share", "f8"),
        ("half_spread", "f8"),  # places
        ("tolerance", "f8"),  # places
        ("reprice_per_s", "f8"),
        ("refill_per_s", "f8"),
        ("rush_per_s", "f8"),  # trades against stale quotes
        ("base_per_s", "f8"),  # trades that no other trade brought about
        ("branching", "f8", (EXCITATIONS,)),
        ("excitation_per_s", "f8", (EXCITATIONS,)),
        ("more_prints", "f8"),  # probability that a print is not the last of its level
        ("sign_weights", "f8", (SCALES,)),
        ("sign_keeps", "f8", (SCALES,)),
        ("impact", "f8"),  # places, of a trade that empties the best level
        ("impact_expected_share", "f8"),
        ("jumps_per_s", "f8"),
        ("jump", "f8"),  # mean absolute size, places
        ("message_ns", "i8"),
        ("trim", "i8"),  # levels further behind the touch than this are dropped
    ]
)

print_row_t = np.dtype([("place", "i8"), ("lots", "i8"), ("side", "i8")])

synthetic_t = np.dtype(
    [
        ("random", random_t),
        ("rules", instrument_t),
        ("params", params_t),
        ("instrument", "i8"),
        ("step_ticks", "i8"),  # ticks of one place
        ("limit_place", "i8"),  # from here on the price rule allows fewer places
        ("ts_open_ns", "i8"),
        ("ts_ns", "i8"),  # the event at hand
        ("ts_next_ns", "i8"),
        ("ts_excited_ns", "i8"),
        ("is_open", "i8"),  # the opening snapshot has been made
        ("is_stale", "i8"),  # quotes have not followed the latent price yet
        ("latent", "f8"),  # places
        ("seen", "f8"),  # the latent price as quotes last followed it
        ("half", "f8", (2,)),  # distance of new best prices from it
        ("memory", "f8", (SCALES,)),  # decayed mean of trade signs
        ("excitation", "f8", (EXCITATIONS,)),  # trades per s
        ("rates", "f8", (6,)),  # running sum: flows, jumps, trades, repricing, refill bid, refill ask
        # The book.
        ("best", "i8", (2,)),
        ("far", "i8", (2,)),  # the worst place that may hold a level
        ("n_levels", "i8", (2,)),
        ("lots", "i8", (2, RING)),
        # The message in the making; a closed one waits to be given out.
        ("message", "i8"),  # its number
        ("is_closed", "i8"),
        ("is_touch_changed", "i8"),
        ("ts_message_ns", "i8"),
        ("ts_pending_ns", "i8"),
        ("n_pending", "i8"),
        ("n_prints", "i8"),
        ("n_given", "i8"),
        ("prints", print_row_t, (PRINTS_MAX,)),
        ("pending", "i8", (2 * RING,)),  # places x 2 + side
        ("stamp", "i8", (2, RING)),  # number of the last message that a level is pending in
        # Counters.
        ("n_events", "i8"),
        ("n_trades", "i8"),
    ]
)
