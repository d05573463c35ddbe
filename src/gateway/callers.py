"""Callers: whose points a request spends."""

from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from starlette.requests import Request

from graph.core.budget import Account, Budget
from graph.core.permission import DEVELOPER, Principal

NETWORKS = {4: 24, 6: 64}  # what one stranger can easily have many addresses in


@dataclass(frozen=True, slots=True)
class Callers:
    """The accounts of all callers, in points per minute; 0 is no limit."""

    budget: Budget
    signed_in: int
    anonymous: int

    def account(self, request: Request, principal: Principal) -> Account | None:
        """The account of whoever sends a request; None for those who may spend what they like."""
        if principal == DEVELOPER:
            return None
        known = principal.user_id or principal.key_id
        limit = self.signed_in if known else self.anonymous
        caller = str(known or network(request.client.host if request.client else ""))
        return Account(self.budget, caller, limit) if limit else None


def network(host: str) -> str:
    """The network of an address; what is no address, as on a socket in a folder, is its own."""
    try:
        size = NETWORKS[ip_address(host).version]
        return str(ip_network(f"{host}/{size}", strict=False))
    except ValueError:
        return host or "local"
