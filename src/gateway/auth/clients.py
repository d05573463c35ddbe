"""Callers: whose points a request spends, and whose streams are counted together."""

from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import NamedTuple

from starlette.requests import HTTPConnection

from graph.core.permission import Principal
from graph.core.quota import Account, Budget

DEVELOPERS = "developer"  # whose connections to the database are limited like those of others
NETWORKS = {4: 24, 6: 64}  # what one stranger can easily have many addresses in


class Client(NamedTuple):
    """A user, a key without one, or all strangers of one network, who are not `known`."""

    name: str
    known: bool


def client_of(connection: HTTPConnection, principal: Principal) -> Client | None:
    """Who sends a request; None for the developer, who may have what they like."""
    if principal.is_unlimited:
        return None
    known = principal.user_id or principal.key_id
    return Client(str(known or network_of(connection)), bool(known))


def network_of(connection: HTTPConnection) -> str:
    """The network that a request comes from."""
    return network(connection.client.host if connection.client else "")


@dataclass(frozen=True, slots=True)
class ClientAccounts:
    """The accounts of all callers, in points per minute; 0 is no limit."""

    budget: Budget
    signed_in: int
    anonymous: int

    def account(self, connection: HTTPConnection, principal: Principal) -> Account | None:
        """The account of whoever sends a request; None for those who may spend what they like."""
        if (who := client_of(connection, principal)) is None:
            return None
        limit = self.signed_in if who.known else self.anonymous
        return Account(self.budget, who.name, limit) if limit else None


def network(host: str) -> str:
    """The network of an address; what is no address, as on a socket in a folder, is its own."""
    try:
        size = NETWORKS[ip_address(host).version]
        return str(ip_network(f"{host}/{size}", strict=False))
    except ValueError:
        return host or "local"
