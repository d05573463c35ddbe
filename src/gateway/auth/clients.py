"""Clients: the accounts that their operations are charged to."""

from dataclasses import dataclass, field

from graph.core.budget import Budget
from graph.core.principal import Client
from graph.core.quota import Account

REMEMBERED = 10_000  # accounts; one that is forgotten loses the rest of its lease


@dataclass(frozen=True, slots=True)
class ClientAccounts:
    """The accounts of all clients, in points per minute; 0 means no limit."""

    budget: Budget
    signed_in: int
    anonymous: int
    known: dict[str, Account] = field(default_factory=dict)

    def account(self, client: Client) -> Account | None:
        limit = self.signed_in if client.known else self.anonymous
        if not limit or not client.is_limited:
            return None
        account = self.known.get(client.name)
        if account is None:
            if len(self.known) >= REMEMBERED:
                self.known.clear()
            account = self.known[client.name] = Account(self.budget, client.name, limit)
        return account
