"""Perp accounting in fractions, straight from the terms: fees, funding, margin, liquidation.

It knows no records and no kernels. Rounding, all of it, in units of 10^-8 (`floor`, `ceil` and `trunc` below
stand exactly where the source states a rounding).
"""

from fractions import Fraction
from math import ceil, floor

from makerside.model.terms import Execution, Premium
from reference.ledger import CashTwin, LedgerTwin

E8 = 10**8
E12 = 10**12
NS = 10**9


def trunc(value):
    """Round towards zero."""
    return floor(value) if value >= 0 else -floor(-value)


def rounded_fee(terms, notional, rate):
    """Return a fee in steps of the venue's quantum."""
    quantum = 10 ** (8 - terms.decimals)
    steps = Fraction(notional) * Fraction(rate) / quantum
    if terms.is_nearest:
        nearest = floor(abs(steps) + Fraction(1, 2))
        return (nearest if steps >= 0 else -nearest) * quantum
    return (ceil(steps) if steps >= 0 else -floor(-steps)) * quantum


def tiered(terms, name, notional):
    """Return margin by parts of the notional, exactly."""
    total = Fraction(0)
    for k, tier in enumerate(terms.tiers):
        lower = Fraction(tier.lower_usd) * E8
        upper = Fraction(terms.tiers[k + 1].lower_usd) * E8 if k + 1 < len(terms.tiers) else None
        part = notional - lower if upper is None else min(notional, upper) - lower
        if part > 0:
            total += part * getattr(tier, name)
    return total


def clip(value, low, high):
    """Return a value inside two bounds."""
    return max(low, min(high, value))


def rule_rate(terms, premium_e12):
    """Return the rate of the rule's hours in 10^-12."""
    premium = trunc(premium_e12 * Fraction(terms.multiplier))
    interest, clamp = Fraction(terms.interest) * E12, Fraction(terms.clamp) * E12
    rate = premium + clip(interest - premium, -clamp, clamp)
    if terms.cap is not None:
        rate = clip(rate, -Fraction(terms.cap) * E12, Fraction(terms.cap) * E12)
    return rate


class Market:
    """Prices, book and funding clock of one instrument."""

    def __init__(self, instrument, terms, source, start_ns, rates=()):
        self.terms, self.source = terms, source
        self.unit = int(instrument.tick_size * instrument.lot_size * instrument.multiplier * E8)
        self.tick_e8 = int(instrument.tick_size * E8)
        self.mark = self.index = 0
        self.is_told = False
        self.told = 0
        self.book = {1: {}, -1: {}}  # side of the resting size -> {ticks: lots}
        self.samples = []
        self.rate = Fraction(0)
        self.rates = [rate for rate in rates if rate[0] > start_ns]
        funding = terms.funding
        self.due_ns = self.sample_ns = None
        if funding is None or source == "none":
            return
        self.is_accruing = funding.is_accruing and source != "recorded"
        if source == "recorded":
            self.due_ns = self.rates[0][0] if self.rates else None
            return
        step, offset = funding.interval_s * NS, funding.offset_s * NS
        self.due_ns = ((start_ns - offset) // step + 1) * step + offset
        if source == "rule" or self.is_accruing:
            self.sample_ns = (start_ns // (funding.sample_s * NS) + 1) * funding.sample_s * NS

    def value(self, lots, price):
        """Return |lots| x price."""
        return floor(Fraction(abs(lots) * self.unit * price, self.tick_e8))

    def look(self):
        """Take the touch for prices that nobody tells."""
        if not self.book[1] or not self.book[-1]:
            return
        mid = (max(self.book[1]) + min(self.book[-1])) * self.tick_e8 // 2
        if not self.is_told:
            self.mark = self.index = mid
        elif self.index == 0:
            self.index = self.mark

    def impact(self, side):
        """Return the mean price of buying (+1) or selling (-1) the impact notional; 0: too little there."""
        wanted = self.terms.funding.impact_notional_usd * E8
        value = lots = 0
        levels = self.book[-side]
        for tick in sorted(levels, reverse=side < 0):
            taken = min(levels[tick], ceil(Fraction(wanted - value, tick * self.unit)))
            value += taken * tick * self.unit
            lots += taken
            if value >= wanted:
                return floor(Fraction(value * self.tick_e8, lots * self.unit))
        return 0

    def premium(self):
        """Return the premium now."""
        kind, index = self.terms.funding.premium, self.index
        if index == 0:
            return 0
        if kind == Premium.MARK:
            return trunc(Fraction((self.mark - index) * E12, index))
        bid, ask = self.impact(-1), self.impact(1)
        if kind == Premium.IMPACT_MID:
            return trunc(Fraction((bid + ask - 2 * index) * E12, 2 * index)) if bid and ask else 0
        above = max(0, bid - index) if bid else 0
        below = max(0, index - ask) if ask else 0
        return trunc(Fraction((above - below) * E12, index))

    def sample(self):
        """Take one premium sample."""
        self.sample_ns += self.terms.funding.sample_s * NS
        if not self.is_accruing:
            self.samples.append(self.premium())
        elif self.source == "rule":
            self.rate = rule_rate(self.terms.funding, self.premium())
        else:
            self.rate = self.told

    def payment_rate(self):
        """Return what one payment is of the notional, and the price it is due on."""
        funding = self.terms.funding
        price = self.index if funding.is_on_index else self.mark
        if self.source == "recorded":
            _, rate, recorded = self.rates[0]
            return Fraction(rate, E12), recorded or price
        if self.source == "told":
            return Fraction(self.told, E12), price
        mean = Fraction(sum(self.samples), max(1, len(self.samples)))
        share = Fraction(funding.interval_s, funding.rate_hours * 3_600)
        return rule_rate(funding, floor(mean)) / E12 * share, price

    def close(self):
        """End the interval."""
        self.samples = []
        if self.source == "recorded":
            self.rates.pop(0)
            self.due_ns = self.rates[0][0] if self.rates else None
        else:
            self.due_ns += self.terms.funding.interval_s * NS


class Leg:
    """One position of the account."""

    def __init__(self, market, is_isolated, leverage):
        self.market, self.terms = market, market.terms
        self.is_spot = market.terms.margin is None
        self.is_isolated = is_isolated and not self.is_spot
        self.ledger = LedgerTwin(market.unit)
        self.isolated = 0
        self.accrued = Fraction(0)
        self.again_ns = 0
        self.is_part_sent = False
        self.leverage = None if self.is_spot else (leverage or 1 / self.terms.margin.tiers[0].initial)

    @property
    def held(self):
        """The position in lots."""
        return self.ledger.position

    def initial(self, notional):
        """Return initial margin: by the tiers, and by the account's own leverage; each rounded up."""
        margin = self.terms.margin
        return max(ceil(tiered(margin, "initial", notional)), ceil(Fraction(notional) / self.leverage))

    def margin_notional(self):
        """Return the notional that margin is asked on."""
        market = self.market
        return market.value(self.held, market.index if self.terms.margin.is_on_index else market.mark)

    def maintenance(self):
        """Return maintenance margin, rounded up."""
        return ceil(tiered(self.terms.margin, "maintenance", self.margin_notional()))

    def open_result(self):
        """Return the open result at the mark, with owed funding rounded down."""
        value = self.market.value(self.held, self.market.mark)
        result = value - self.ledger.cost if self.held >= 0 else self.ledger.cost - value
        return int(result) + floor(self.accrued)


class PerpTwin:
    """One account at a venue, over any number of instruments; `told` collects what it is told.

    told : (kind, time, instrument, lots, price ticks, fee or amount)
    """

    def __init__(self, markets, cash, is_isolated=False, leverage=None):
        self.markets = markets
        self.legs = [Leg(market, is_isolated, leverage) for market in markets]
        self.cash = Fraction(cash)
        self.plain = [CashTwin(market.unit) for market in markets]  # the same without any cost basis
        self.start = Fraction(cash)
        self.told = []
        self.is_taken_over = False

    # Booking.

    def book(self, i, side, price, lots, fee):
        """Book a fill with a given fee."""
        leg = self.legs[i]
        held, opened = leg.held, lots
        assert not leg.is_spot or held + side * lots >= 0
        if held * side < 0:
            closed = min(lots, abs(held))
            opened = lots - closed
            leg.isolated -= floor(Fraction(max(0, leg.isolated) * closed, abs(held)))
            if closed == abs(held):
                leg.isolated = 0
                leg.is_part_sent = False
        before = leg.ledger.cash
        leg.ledger.fill(side, price, lots, fee)
        self.cash += leg.ledger.cash - before
        self.plain[i].fill(side, price, lots, fee)
        if leg.is_isolated and opened:
            leg.isolated += leg.initial(price * opened * leg.market.unit)

    def fees(self, i, price, lots, is_taker, limit=None, side=0):
        """Return the fee of a fill; of a liquidation when a limit is given."""
        leg = self.legs[i]
        terms, unit = leg.terms.fees, leg.market.unit
        basis = leg.market.value(lots, leg.market.index) if terms.is_on_index else price * lots * unit
        fee = rounded_fee(terms, basis, terms.taker if is_taker else terms.maker)
        if limit is None:
            return fee
        extra = rounded_fee(terms, basis, terms.liquidation)
        if terms.is_of_improvement:
            quantum = 10 ** (8 - terms.decimals)
            extra = min(extra, max(0, side * (limit - price) * lots * unit) // quantum * quantum)
        return fee + extra

    def fill(self, ts_ns, i, side, price, lots, is_taker):
        """Book a fill of the account's own trading."""
        fee = self.fees(i, price, lots, is_taker)
        self.book(i, side, price, lots, fee)
        self.told.append(("fill", ts_ns, i, side * lots, price, fee))

    # Funding.

    def tick(self, ts_ns):
        """Do what is due at a time."""
        for i, market in enumerate(self.markets):
            if market.sample_ns is not None and market.sample_ns <= ts_ns:
                market.look()
                market.sample()
                if market.is_accruing:
                    self.accrue(self.legs[i])
            if market.due_ns is not None and market.due_ns <= ts_ns:
                market.look()
                self.pay(i, ts_ns)
                market.close()

    def accrue(self, leg):
        """Owe one sample's funding."""
        funding, market = leg.terms.funding, leg.market
        price = market.index if funding.is_on_index else market.mark
        share = Fraction(funding.sample_s, funding.rate_hours * 3_600)
        part = market.value(leg.held, price) * Fraction(market.rate) / E12 * share
        leg.accrued -= part if leg.held > 0 else -part

    def pay(self, i, ts_ns):
        """Pay what is due on one leg."""
        leg, market = self.legs[i], self.markets[i]
        if leg.is_spot:
            return
        quantum = 10 ** (8 - leg.terms.funding.decimals)
        if market.is_accruing if market.source != "recorded" else False:
            exact, leg.accrued = Fraction(floor(leg.accrued)), Fraction(0)
        elif leg.held == 0:
            return
        else:
            rate, price = market.payment_rate()
            exact = -market.value(leg.held, price) * rate * (1 if leg.held > 0 else -1)
        amount = floor(exact / quantum) * quantum
        if amount == 0:
            return
        leg.ledger.fund(amount)
        self.plain[i].fund(amount)
        self.cash += amount
        if leg.is_isolated and leg.held:
            leg.isolated += amount
        self.told.append(("funding", ts_ns, i, leg.held, 0, amount))

    # Margin.

    def cross(self):
        """Return the legs that share margin and hold something."""
        return [leg for leg in self.legs if not leg.is_spot and not leg.is_isolated and leg.held]

    def cross_equity(self):
        """Return what stands for all cross positions."""
        total = int(self.cash)
        for leg in self.legs:
            if leg.is_spot:
                total -= int(leg.ledger.cost)
            elif leg.is_isolated:
                total -= leg.isolated
            else:
                total += leg.open_result()
        return total

    def equity(self):
        """Return what the account is worth at mark prices."""
        return int(self.cash) + sum(leg.open_result() for leg in self.legs)

    def liquidate(self, ts_ns):
        """Do all that is due now about margin."""
        for market in self.markets:
            market.look()
        while self.liquidate_isolated(ts_ns) or self.liquidate_cross(ts_ns):
            pass

    @staticmethod
    def state(equity, maintenance, closeout):
        """Return healthy, liquidate or take over."""
        if equity < 0 or equity < closeout:
            return "take over" if maintenance > 0 else "healthy"
        return "liquidate" if equity < maintenance else "healthy"

    def liquidate_isolated(self, ts_ns):
        """Look after isolated positions."""
        for i, leg in enumerate(self.legs):
            if not leg.is_isolated or not leg.held:
                continue
            maintenance = leg.maintenance()
            equity = leg.isolated + leg.open_result()
            state = self.state(equity, maintenance, floor(maintenance * leg.terms.margin.closeout))
            if state == "take over":
                self.take_over(i, ts_ns)
                return True
            if state == "liquidate" and ts_ns >= leg.again_ns:
                self.send(i, ts_ns, equity, maintenance)
                return True
            if state == "healthy" and ts_ns >= leg.again_ns:
                leg.is_part_sent = False
        return False

    def liquidate_cross(self, ts_ns):
        """Look after cross positions."""
        legs = self.cross()
        if not legs:
            return False
        equity = self.cross_equity()
        maintenance = sum(leg.maintenance() for leg in legs)
        closeout = sum(floor(leg.maintenance() * leg.terms.margin.closeout) for leg in legs)
        state = "take over" if self.is_taken_over else self.state(equity, maintenance, closeout)
        if state == "healthy":
            for leg in legs:
                leg.is_part_sent = leg.is_part_sent and ts_ns < leg.again_ns
            return False
        free = [leg for leg in legs if state == "take over" or ts_ns >= leg.again_ns]
        if not free:
            return False
        leg = max(free, key=lambda leg: leg.maintenance())
        if state == "take over":
            self.is_taken_over = True
            self.take_over(self.legs.index(leg), ts_ns)
        else:
            self.send(self.legs.index(leg), ts_ns, equity, maintenance)
        return True

    def send(self, i, ts_ns, equity, maintenance):
        """Send a position, or part of it, to the book."""
        leg = self.legs[i]
        terms, market, held = leg.terms.margin, leg.market, leg.held
        side = -1 if held > 0 else 1
        lots = abs(held)
        if leg.margin_notional() > terms.part_usd * E8 and not leg.is_part_sent:
            lots = ceil(lots * terms.part_share)
        limit = 1 if side < 0 else (1 << 31) - 1
        if terms.execution == Execution.ZERO_PRICE:
            offset = floor(Fraction(leg.maintenance() * max(0, equity), maintenance))
            per_tick = abs(held) * market.unit
            at_mark = market.value(held, market.mark)
            limit = (
                max(1, ceil(Fraction(at_mark - offset, per_tick)))
                if held > 0
                else max(1, min((1 << 31) - 1, floor(Fraction(at_mark + offset, per_tick))))
            )
        leg.again_ns = ts_ns + max(1, terms.cooldown_s) * NS
        leg.is_part_sent = True
        levels = market.book[-side]
        for tick in sorted(levels, reverse=side < 0):
            if lots == 0 or (tick - limit) * side > 0:
                break
            part = min(lots, levels[tick])
            fee = self.fees(i, tick, part, True, limit, side)
            self.book(i, side, tick, part, fee)
            self.told.append(("fill", ts_ns, i, side * part, tick, fee))
            lots -= part

    def take_over(self, i, ts_ns):
        """Give a position to the venue, with what is left of its margin."""
        leg = self.legs[i]
        side, lots = (-1 if leg.held > 0 else 1), abs(leg.held)
        price = max(1, leg.market.mark // leg.market.tick_e8)
        isolated, before = leg.isolated, leg.ledger.realized
        self.book(i, side, price, lots, 0)
        if leg.is_isolated:
            fee = int(isolated + leg.ledger.realized - before) + floor(leg.accrued)
        elif self.cross():
            fee = 0
        else:
            self.is_taken_over = False
            fee = self.cross_equity()
        leg.ledger.fees += fee
        leg.ledger.cash -= fee
        self.plain[i].cash -= fee
        self.cash -= fee
        self.told.append(("fill", ts_ns, i, side * lots, price, fee))
