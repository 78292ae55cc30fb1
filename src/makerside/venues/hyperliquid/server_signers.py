"""Who may act for which account at the local exchange: signatures, nonces, agents.

All times are of the wall clock, in ms, and given: clients date nonces and approvals by it, also while
the market is a recording. No IO. Next: `server.py`.
"""

import re
from typing import NamedTuple

from makerside.model.errors import VenueRefused
from makerside.venues.hyperliquid import reasons
from makerside.venues.hyperliquid.codec import Malformed
from makerside.venues.hyperliquid.server_accounts import Account, NonceSet
from makerside.venues.hyperliquid.server_venue import LocalVenue
from makerside.venues.hyperliquid.signer import recover_candidates, recover_user_action
from makerside.venues.hyperliquid.typed_data import nonce_field
from makerside.venues.hyperliquid.wire_actions import DEFAULT, ExchangeRequest, ExchangeResponse, Refused

NAMED_AGENTS_MAX = (
    3  # beside the unnamed one. source : section 2.3; sub-accounts, which allow more, are not here
)
MS_PER_DAY = 86_400_000
_VALID_UNTIL = re.compile(r"(.*?) ?valid_until ([0-9]{1,15})", re.DOTALL)


class Approval(NamedTuple):
    """An agent under one name of its master. until_ms : None when it has no end"""

    agent: str
    until_ms: int | None


class Signers:
    """Decides for whom a signature speaks."""

    def __init__(self, venue: LocalVenue) -> None:
        self.venue = venue
        self.rules = venue.rules
        self._approvals: dict[tuple[str, str], Approval] = {}  # (master, name) -> agent

    def authorise(self, request: ExchangeRequest, now_ms: int) -> Account | Refused:
        """Return the account an action is for, or the venue's refusal. Sections 3.4 and 3.5.

        errors : Malformed when the action cannot have been signed
        """
        self._drop_expired(now_ms)
        try:
            account, signer = self._signer(request)
        except VenueRefused as error:
            return Refused(str(error))
        if account is None:
            return Refused(reasons.unknown_signer_text(signer))
        if request.vault is not None:
            return Refused(f"Vault not registered: {request.vault}")
        problem = self._use_nonce(signer, request.nonce, now_ms)
        return account if problem is None else Refused(problem)

    def _signer(self, request: ExchangeRequest) -> tuple[Account | None, str]:
        """Return (account or None, address that signed): the first candidate that has an account."""
        venue = self.venue
        if request.is_user_signed:
            address = recover_user_action(request.received, request.signature)
            if request.received.get(nonce_field(request.received["type"])) != request.nonce:
                # Only the inner one is signed: else anybody could send the action again. Section 2.3.
                raise Malformed("the nonce of the envelope is not the one that was signed")
            return venue.accounts.get(address), address
        first = ""
        for address in recover_candidates(
            request.packings(), request.nonce, request.signature, request.vault, request.expires_after_ms
        ):
            first = first or address
            account = venue.accounts.get(address) or venue.accounts.get(venue.agents.get(address, ""))
            if account is not None:
                return account, address
        return None, first

    def _use_nonce(self, signer: str, nonce: int, now_ms: int) -> str | None:
        """Consume a nonce; returns the venue's words when it cannot be used."""
        rules = self.rules
        nonces = self.venue.nonces.setdefault(signer, NonceSet(rules.nonces_kept))
        problem = nonces.problem(nonce)
        if problem == "duplicate":
            return reasons.duplicate_nonce_text(nonce)
        lowest = max(now_ms - rules.nonce_behind_ms_max, min(nonces.seen) if problem else 0)
        if problem == "low" or nonce < lowest:
            return reasons.low_nonce_text(nonce, lowest)
        if nonce > now_ms + rules.nonce_ahead_ms_max:
            return f"Invalid nonce: nonce too high {nonce}"
        nonces.use(nonce)
        return None

    # Agents.

    def user_signed(self, account: Account, request: ExchangeRequest, now_ms: int) -> ExchangeResponse:
        """Carry out an action that only a master key can sign."""
        kind = request.received["type"]
        if request.expires_after_ms is not None:
            return Refused("expiresAfter is not supported on user-signed actions")
        if kind != "approveAgent":
            return Refused(f"{kind} is not available on this exchange yet")
        agent = str(request.received["agentAddress"]).lower()
        return self._approve(account.address, agent, str(request.received.get("agentName") or ""), now_ms)

    def _approve(self, master: str, agent: str, text: str, now_ms: int) -> ExchangeResponse:
        """Make an address somebody's agent. source : section 2.3; the texts of the refusals are ours"""
        ends = _VALID_UNTIL.fullmatch(text)
        name, until_ms = (ends[1], int(ends[2])) if ends else (text, None)
        latest_ms = now_ms + self.rules.agent_days_max * MS_PER_DAY
        if until_ms is not None and not now_ms < until_ms <= latest_ms:
            return Refused(f"Agent cannot be valid until {until_ms}")
        if agent in self.venue.accounts or agent == master:
            return Refused(f"Agent is an account: {agent}")
        holders = [key for key, one in self._approvals.items() if one.agent == agent]
        if agent in self.venue.agents and holders != [(master, name)]:
            return Refused(f"Agent is in use: {agent}")
        named = [key for key in self._approvals if key[0] == master and key[1] not in ("", name)]
        if name and len(named) >= NAMED_AGENTS_MAX:
            return Refused(f"Too many agents: at most {NAMED_AGENTS_MAX} with a name")
        old = self._approvals.get((master, name))
        if old is not None and old.agent != agent:
            self._prune((master, name))
        self._approvals[master, name] = Approval(agent, until_ms)
        self.venue.agents[agent] = master
        return DEFAULT

    def _prune(self, key: tuple[str, str]) -> None:
        """Forget an agent and, as the venue does, its nonces (section 3.5)."""
        agent = self._approvals.pop(key).agent
        self.venue.agents.pop(agent, None)
        self.venue.nonces.pop(agent, None)

    def _drop_expired(self, now_ms: int) -> None:
        for key, one in list(self._approvals.items()):
            if one.until_ms is not None and one.until_ms <= now_ms:
                self._prune(key)
