"""Clients: the accounts that their operations are charged to."""

from dataclasses import dataclass

from graph.core.principal import Client
from graph.core.quota import Account, Budget


@dataclass(frozen=True, slots=True)
class ClientAccounts:
    """The accounts of all clients, in points per minute; 0 means no limit."""

    budget: Budget
    signed_in: int
    anonymous: int

    def account(self, client: Client) -> Account | None:
        limit = self.signed_in if client.known else self.anonymous
        return Account(self.budget, client.name, limit) if limit and client.is_limited else None
