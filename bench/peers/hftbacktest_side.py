"""The comparison's strategy in hftbacktest 2.4.4, as a process: one JSON request a line, one answer a line.

Runs in the peer's environment, hence imports nothing of makerside. What it works around, so that both sides
do the same (numbers are those of the peer's issue tracker):

* 316, 299: with partial fills the peer's own position counts only the last piece of an order. The strategy
  keeps the position itself, from what each order has left.
* 312, 301: an order that a print fills exactly ends the run with error 14. Orders are a millionth of a lot
  smaller than whole lots: the last piece then always is less than what reaches it. Volumes are rounded back.
"""

import contextlib
import io
import json
import math
import os
import resource
import sys
import time

import numpy as np
from hftbacktest import BUY, GTX, LIMIT, BacktestAsset, HashMapMarketDepthBacktest, ROIVectorMarketDepthBacktest
from hftbacktest.data.utils import hyperliquid
from hftbacktest.order import CANCELED, NEW, NONE, PARTIALLY_FILLED
from numba import njit, types
from numba.typed import Dict

ALPHA = 0.05
SHORT_LOTS = 1e-6  # see 312 above
TIME_OUT, DATA_END, FEED, ORDER_RESPONSE = 0, 1, 2, 3  # what waiting returns
LOG_CAPACITY = 8_000_000
CANCEL = -1  # in place of lots
ROI_SHARE = 0.04  # of the first price, to each side: what its faster book covers

# Places in the array of parameters, and in the strategy's memory.
HALF_SPREAD, VOLATILITY, SKEW, LEVELS, INTERVAL, SIZE_LOTS, POSITION_MAX, TICK, LOT = range(9)
NAMES = ("half_spread_ticks", "volatility_factor", "skew_ticks", "levels", "interval_ticks")
NAMES += ("size_lots", "position_max_lots")
VARIANCE, MID, DECISIONS, REQUESTS, CLOSED_LOTS, WITHHELD = range(6)
N_MEMORY = 6

# lots 0: the order was accepted then; -1: it was cancelled
log_t = np.dtype(
    [("ts_ns", "i8"), ("accepted_ns", "i8"), ("price_ticks", "i8"), ("side", "i8"), ("lots", "i8")]
)


@njit
def executed_lots(order, lot):
    """Return the whole lots that an order has filled."""
    return round((order.qty - order.leaves_qty) / lot)


@njit
def own_position(hbt, params, memory, is_partial):
    """Return the position in lots; what ended is taken off the table first."""
    lot = params[LOT]
    if is_partial == 0:
        hbt.clear_inactive_orders(0)
        return round(hbt.position(0) / lot)
    working = 0
    values = hbt.orders(0).values()
    while values.has_next():
        order = values.get()
        lots = executed_lots(order, lot) * (1 if order.side == BUY else -1)
        if order.status in (NEW, PARTIALLY_FILLED):
            working += lots
        else:
            memory[CLOSED_LOTS] += lots
    hbt.clear_inactive_orders(0)
    return int(memory[CLOSED_LOTS]) + working


@njit
def update_half_spread(params, memory, mid):
    """Take in the mid of this decision; returns the half-spread in ticks."""
    if memory[DECISIONS] > 0:
        change = mid - memory[MID]
        memory[VARIANCE] = (1.0 - ALPHA) * memory[VARIANCE] + ALPHA * change * change
    memory[MID] = mid
    memory[DECISIONS] += 1
    return params[HALF_SPREAD] + params[VOLATILITY] * math.sqrt(memory[VARIANCE])


@njit
def cancel_unwanted(hbt, params, memory, first_bid, first_ask):
    """Cancel what is off the grid; returns the lowest own sell and the highest own buy that may still rest."""
    interval = int(params[INTERVAL])
    reach = interval * (int(params[LEVELS]) - 1)
    lowest_sell, highest_buy = 1 << 40, -(1 << 40)
    values = hbt.orders(0).values()
    while values.has_next():
        order = values.get()
        tick = order.price_tick
        if order.side == BUY:
            highest_buy = max(highest_buy, tick)
            behind = first_bid - tick
        else:
            lowest_sell = min(lowest_sell, tick)
            behind = tick - first_ask
        if order.cancellable and (behind < 0 or behind > reach or behind % interval != 0):
            hbt.cancel(0, order.order_id, False)
            memory[REQUESTS] += 1
    return lowest_sell, highest_buy


@njit
def decide(hbt, params, memory, is_partial):
    """One decision: cancel what is off the new grid, submit post-only what is missing."""
    position = own_position(hbt, params, memory, is_partial)
    hbt.clear_last_trades(0)
    depth = hbt.depth(0)
    bid, ask = depth.best_bid_tick, depth.best_ask_tick
    mid = (bid + ask) * 0.5
    half = update_half_spread(params, memory, mid)
    center = mid - params[SKEW] * (position / params[SIZE_LOTS])
    first_bid = min(math.floor(center - half), bid)
    first_ask = max(math.ceil(center + half), ask)
    lowest_sell, highest_buy = cancel_unwanted(hbt, params, memory, first_bid, first_ask)
    orders = hbt.orders(0)
    interval, tick_size = int(params[INTERVAL]), params[TICK]
    size = params[LOT] * (params[SIZE_LOTS] - (SHORT_LOTS if is_partial == 1 else 0.0))
    if position < params[POSITION_MAX]:
        for level in range(int(params[LEVELS])):
            tick = first_bid - level * interval
            order_id = 2 * tick
            if order_id in orders:
                continue
            if tick >= lowest_sell:  # would meet a sell of ours whose cancel travels
                memory[WITHHELD] += 1
                continue
            hbt.submit_buy_order(0, order_id, tick * tick_size, size, GTX, LIMIT, False)
            memory[REQUESTS] += 1
    if position > -params[POSITION_MAX]:
        for level in range(int(params[LEVELS])):
            tick = first_ask + level * interval
            order_id = 2 * tick + 1
            if order_id in orders:
                continue
            if tick <= highest_buy:
                memory[WITHHELD] += 1
                continue
            hbt.submit_sell_order(0, order_id, tick * tick_size, size, GTX, LIMIT, False)
            memory[REQUESTS] += 1


@njit
def run_timed(hbt, params, memory, first_ns, step_ns, is_partial):
    """Decide once per step until the data ends; returns the peer's code: 1 is the end of the data."""
    code = hbt.elapse(first_ns)
    while code == 0:
        code = hbt.elapse(step_ns)
        if code == 0:
            decide(hbt, params, memory, is_partial)
    return code


@njit
def note_orders(hbt, lot, seen, accepted, log, n):
    """Append what happened to orders since the last look; returns the length of the log."""
    values = hbt.orders(0).values()
    while values.has_next():
        order = values.get()
        if order.status == NONE:
            continue
        lots = executed_lots(order, lot)
        more = lots - seen.get(order.order_id, 0)
        if order.order_id not in accepted:
            accepted[order.order_id] = order.exch_timestamp
            if order.status != NEW:
                continue  # refused
        elif more <= 0 and order.status == CANCELED:
            more = CANCEL
        elif more <= 0:
            continue
        log[n]["ts_ns"] = order.exch_timestamp
        log[n]["accepted_ns"] = accepted[order.order_id]
        log[n]["price_ticks"] = order.price_tick
        log[n]["side"] = 1 if order.side == BUY else -1
        log[n]["lots"] = more
        n += 1
        seen[order.order_id] = lots
    return n


@njit
def forget_ended(hbt, lot, seen, accepted):
    """Keep what is known of working orders; the numbers of others will be given to new ones."""
    known = accepted.copy()
    seen.clear()
    accepted.clear()
    values = hbt.orders(0).values()
    while values.has_next():
        order = values.get()
        if order.order_id in known and order.status != NONE:
            seen[order.order_id] = executed_lots(order, lot)
            accepted[order.order_id] = known[order.order_id]


@njit
def run_logged(hbt, params, memory, first_ns, step_ns, is_partial, seen, accepted, log):
    """As `run_timed`, and look at the orders whenever a response comes; returns (code, length of the log)."""
    n = 0
    lot = params[LOT]
    code = hbt.elapse(first_ns)
    while code == 0:
        due_ns = hbt.current_timestamp + step_ns
        while hbt.current_timestamp < due_ns:
            code = hbt.wait_next_feed(True, due_ns - hbt.current_timestamp)
            if code == ORDER_RESPONSE:
                n = note_orders(hbt, lot, seen, accepted, log, n)
            elif code not in (TIME_OUT, FEED):
                return code, n
        code = 0
        n = note_orders(hbt, lot, seen, accepted, log, n)
        decide(hbt, params, memory, is_partial)
        forget_ended(hbt, lot, seen, accepted)
    return code, n


def make(tape, case, request, data):
    """Return a fresh backtest of the request's models."""
    asset = (
        BacktestAsset()
        .data(data)
        .linear_asset(1.0)
        .constant_order_latency(case["entry_ns"], case["response_ns"])
        .trading_value_fee_model(case["maker_fee"], case["taker_fee"])
        .tick_size(tape["tick_size"])
        .lot_size(tape["lot_size"])
        .last_trades_capacity(10_000)
    )
    asset = asset.log_prob_queue_model() if case["queue"] == "log_prob" else asset.risk_adverse_queue_model()
    is_partial = request["exchange"] == "partial"
    asset = asset.partial_fill_exchange() if is_partial else asset.no_partial_fill_exchange()
    if request["book"] == "roi":
        asset = asset.roi_lb(tape["price"] * (1 - ROI_SHARE)).roi_ub(tape["price"] * (1 + ROI_SHARE))
        return ROIVectorMarketDepthBacktest([asset])
    return HashMapMarketDepthBacktest([asset])


def run(request, case, data):
    """Run one parameter set; returns plain figures."""
    tape = request["tape"]
    params = np.array([*(case[name] for name in NAMES), tape["tick_size"], tape["lot_size"]], np.float64)
    memory = np.zeros(N_MEMORY)
    is_partial = int(request["exchange"] == "partial")
    first_ns, step_ns = tape["start_ns"] - int(data["exch_ts"][0]), case["step_ns"]
    begun, begun_cpu = time.perf_counter(), time.process_time()
    hbt = make(tape, case, request, data)
    if request.get("log"):
        seen, accepted = Dict.empty(types.uint64, types.int64), Dict.empty(types.uint64, types.int64)
        log = np.zeros(LOG_CAPACITY, log_t)
        code, n = run_logged(hbt, params, memory, first_ns, step_ns, is_partial, seen, accepted, log)
        np.save(request["log"], log[:n])
    else:
        code = run_timed(hbt, params, memory, first_ns, step_ns, is_partial)
    seconds, cpu_s = time.perf_counter() - begun, time.process_time() - begun_cpu
    hbt.close()
    if code != DATA_END:
        raise SystemExit(f"hftbacktest ended with code {code}, not with the end of the data")
    counts = {"decisions": DECISIONS, "requests": REQUESTS, "withheld": WITHHELD}
    figures = {name: int(memory[place]) for name, place in counts.items()}
    return {"seconds": seconds, "cpu_s": cpu_s, **figures}


def peak_mib():
    """Return the most memory that this process has had; what it inherited from its parent does not count."""
    if os.path.exists("/proc/self/status"):
        with open("/proc/self/status") as file:
            return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmHWM"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def convert(request):
    """Convert raw messages to rows with the peer's own converter; returns plain figures."""
    begun = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        rows = hyperliquid.convert(
            request["raw"], request["tick_size"], request["lot_size"], buffer_size=request["rows_max"]
        )
    seconds = time.perf_counter() - begun
    if request.get("save"):
        np.save(request["save"], rows)
    return {"seconds": seconds, "rows": len(rows)}


def main():
    """Answer requests until there are no more; the tape of the last one stays in memory."""
    data, path = None, ""
    for line in sys.stdin:
        request = json.loads(line)
        if request["do"] == "convert":
            answer = convert(request)
        else:
            if request["tape"]["peer"] != path:
                path = request["tape"]["peer"]
                data = np.load(path)
            answers = [run(request, case, data) for case in request["cases"]]
            answer = {name: sum(one[name] for one in answers) for name in ("seconds", "cpu_s")}
            answer["runs"] = answers
        answer["rss_mib"] = peak_mib()
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
