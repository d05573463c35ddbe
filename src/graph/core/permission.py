"""Permission: principals, and the access that fields require.

Every field declares its access, itself or through its type. A field without a declared access is
closed.
"""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from graphql import GraphQLField

from db.core.session.row_rules import Visibility
from db.scopes import SCOPES, limits
from db.users import RANKS, Role


@dataclass(frozen=True, slots=True)
class Access:
    """The permission to use a field: public, or for users with at least a role. API keys with
    scopes need one of `scopes`; if that is empty, no key with scopes has access."""

    public: bool = False
    role: Role | None = None
    scopes: frozenset[str] = frozenset()

    def __str__(self) -> str:
        scopes = " or ".join(sorted(self.scopes))
        return f"the role {self.role}" + (f", and of a key with scopes {scopes}" if scopes else "")


CLOSED = Access()
PUBLIC = Access(public=True)
VALUE = PUBLIC  # part of an answer: as readable as the field that returned it
MEMBER = Access(role=Role.MEMBER)
OPERATOR = Access(role=Role.OPERATOR)
ADMIN = Access(role=Role.ADMIN)


def scope(*names: str, role: Role = Role.OPERATOR) -> Access:
    """The access of users with at least a role: unscoped, or with one of these scopes."""
    if unknown := set(names).difference(SCOPES):
        raise ValueError(f"There are no such scopes: {unknown}.")
    return Access(role=role, scopes=frozenset(names))


INTROSPECTION = scope("schema:read", role=Role.MEMBER)
ALL_DREAMS = scope("dreams:read")


@dataclass(frozen=True, slots=True)
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
        """Convert IDs from asyncpg's subclass of UUID, which JSON encoders reject."""
        for name in ("user_id", "key_id"):
            if (id := getattr(self, name)) is not None:
                object.__setattr__(self, name, UUID(int=id.int))

    @property
    def is_known(self) -> bool:
        """True unless the caller is anonymous."""
        return bool(self.role or self.user_id or self.key_id)

    @property
    def visibility(self) -> Visibility:
        """The visible rows: for operators all but personal ones, for others public ones and their
        own."""
        return Visibility(shared=self.may(ALL_DREAMS), keys=self.may(ADMIN), user_id=self.user_id)

    @property
    def is_limited(self) -> bool:
        """True for a key whose scopes limit it."""
        return limits(self.scopes)

    def may(self, access: Access) -> bool:
        """True if this principal has the access."""
        if access.public or (self.introspects and access == INTROSPECTION):
            return True
        if self.is_limited and self.scopes.isdisjoint(access.scopes):
            return False
        return self.ranks(access.role)

    def ranks(self, role: Role | None) -> bool:
        """True if its role is at least this one; False for None."""
        return bool(self.role and role and RANKS[self.role] >= RANKS[role])

    def refusal(self, access: Access, place: str) -> str:
        """The error message for a principal without the access to a field or argument."""
        if access.role is None:
            return f"{place} is closed to all callers."
        if self.ranks(access.role) and not access.scopes:
            return f"{place} is not for keys with scopes."
        return f"{place} needs {access}."


ANONYMOUS = Principal()
READER_OF_SCHEMA = Principal(introspects=True)
DEVELOPER = Principal(role=Role.ADMIN, is_unlimited=True)  # local development without users


def access_of_type(type_: Any) -> Access | None:
    """The access that a GraphQL type declares for its fields, or None."""
    definition = type_.extensions.get("strawberry-definition")
    return getattr(getattr(definition, "origin", None), "access", None)


def access_of_field(parent: Any, field: GraphQLField) -> Access | None:
    """The access of a field, declared by itself or its type. None if neither does: then it is
    closed."""
    definition = field.extensions.get("strawberry-definition")
    own = getattr(definition, "metadata", {}).get("access")
    return own or access_of_type(parent)
