"""Principal: the caller, and its projections.

Every part of the gateway that needs to know the caller gets it from here: row rules, the audit log,
the limits, idempotency keys, shared subscriptions. docs/architecture.md lists the projections.
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple
from uuid import UUID

from db.core.session.audit_context import AuditContext
from db.core.session.row_rules import Visibility
from db.scopes import limits
from db.users import RANKS, Role
from graph.core.permission import (
    ADMIN,
    ALL_DREAMS,
    ALL_ENTRIES,
    INTROSPECTION,
    TESTS,
    Access,
)

NOBODY = UUID(int=0)


class Client(NamedTuple):
    """The unit that points, streams, memory and connections are counted for: a user, a key without
    a user, or all anonymous clients of one network, which are not `known`."""

    name: str
    known: bool
    is_limited: bool = True


class Rights(NamedTuple):
    """What fields and inputs a principal may use, without its identity."""

    role: Role | None
    scopes: frozenset[str]


@dataclass(frozen=True)
class Principal:
    """A caller: a user with a role, an API key of a user, or an anonymous client.

    `scopes` limit a key to some of its role's permissions; without scopes there is no limit.
    `introspects` permits reading the schema with any role. `is_unlimited` exempts from budget and
    quota, for local development.
    """

    user_id: UUID | None = None
    role: Role | None = None
    scopes: frozenset[str] = field(default_factory=frozenset)
    key_id: UUID | None = None
    introspects: bool = False
    is_unlimited: bool = False

    def __post_init__(self) -> None:
        # JSON encoders reject asyncpg's subclass of UUID.
        for name in ("user_id", "key_id"):
            if (id := getattr(self, name)) is not None:
                object.__setattr__(self, name, UUID(int=id.int))

    # Permission

    @property
    def is_known(self) -> bool:
        return bool(self.role or self.user_id or self.key_id)

    @property
    def is_scoped(self) -> bool:
        return limits(self.scopes)

    def may(self, access: Access) -> bool:
        if access.public or (self.introspects and access == INTROSPECTION):
            return True
        if self.is_scoped and self.scopes.isdisjoint(access.scopes):
            return False
        return self.has_rank(access.role)

    def has_rank(self, role: Role | None) -> bool:
        return bool(self.role and role and RANKS[self.role] >= RANKS[role])

    def owns(self, user_id: UUID | None) -> bool:
        """True if rows of that user are its own. Rows without a user are never its own."""
        return user_id is not None and user_id == self.user_id

    @property
    def may_write(self) -> bool:
        """False for callers who write nothing: anonymous clients, and keys that only read."""
        only_reads = self.is_scoped and all(scope.endswith(":read") for scope in self.scopes)
        return self.is_known and not only_reads

    def refusal(self, access: Access, place: str) -> str:
        if access.role is None:
            return f"{place} is closed to all callers."
        if not self.is_known:
            return f"{place} requires the role {access.role}. Send an API key or a token."
        if not self.has_rank(access.role):
            return f"{place} requires the role {access.role}; your role is {self.role}."
        if not access.scopes:
            return f"{place} requires a key without scopes."
        return f"{place} requires a key without scopes, or with the scope {access.scope_names}."

    # Projections

    @property
    def owner(self) -> str:
        return str(self.user_id or self.key_id)

    @property
    def viewer_id(self) -> UUID:
        """Identifies the caller in caches of clients; the same for all anonymous clients."""
        return self.user_id or self.key_id or NOBODY

    @cached_property
    def visibility(self) -> Visibility:
        """The visible rows: for operators all but personal ones, for others public ones and their
        own."""
        return Visibility(
            shared=self.may(ALL_DREAMS),
            tests=self.may(TESTS),
            keys=self.may(ADMIN),
            audit=self.may(ALL_ENTRIES),
            user_id=self.user_id,
        )

    @cached_property
    def rights(self) -> Rights:
        return Rights(self.role, self.scopes)

    @cached_property
    def kind(self) -> str:
        """Principals of one kind may do the same, and see the same rows but for their own."""
        kind = self.visibility.kind
        return f"{self.role} {sorted(self.scopes)} {self.introspects} {self.is_known} {kind}"

    def audit_context(self, operation: str, request_id: str) -> AuditContext:
        return AuditContext(operation, request_id, self.user_id, self.key_id)

    def client(self, network: str) -> Client:
        return self.known_client or Client(network, known=False)

    @cached_property
    def known_client(self) -> Client | None:
        if self.is_unlimited:
            return DEVELOPERS
        known = self.user_id or self.key_id
        return Client(str(known), known=True) if known else None


DEVELOPERS = Client("developer", known=True, is_limited=False)

ANONYMOUS = Principal()
READER_OF_SCHEMA = Principal(introspects=True)
DEVELOPER = Principal(role=Role.ADMIN, is_unlimited=True)  # local development without users
