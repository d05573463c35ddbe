"""Permission: who asks, and who may read each field.

Every field declares its access, itself or through its type; a field that declares nothing is
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
    """The right to read or do something: public, or for users of a role or a higher one. Their keys
    with scopes need one of `scopes`; without any here, keys with scopes do not have it."""

    public: bool = False
    role: Role | None = None
    scopes: frozenset[str] = frozenset()

    def __str__(self) -> str:
        if self.role is None:
            return "nobody"
        scopes = " or ".join(sorted(self.scopes))
        return f"the role {self.role}" + (f", and of a key with scopes {scopes}" if scopes else "")


CLOSED = Access()
PUBLIC = Access(public=True)
VALUE = PUBLIC  # part of an answer: as readable as the field that returned it
MEMBER = Access(role=Role.MEMBER)
OPERATOR = Access(role=Role.OPERATOR)
ADMIN = Access(role=Role.ADMIN)


def scope(*names: str, role: Role = Role.OPERATOR) -> Access:
    """For users of a role and their keys without scopes, or with one of these."""
    if unknown := set(names).difference(SCOPES):
        raise ValueError(f"There are no such scopes: {unknown}.")
    return Access(role=role, scopes=frozenset(names))


INTROSPECTION = scope("schema:read", role=Role.MEMBER)
ALL_DREAMS = scope("dreams:read")


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller: a user with a role, a key of a user, or an anonymous client.

    Scopes limit a key to a part of what the role allows; a key without any is not limited. A
    principal that `introspects` may read the schema whatever its role; one that `is_unlimited`,
    which is for the developer, has no budget and no quota.
    """

    user_id: UUID | None = None
    role: Role | None = None
    scopes: frozenset[str] = field(default_factory=frozenset)
    key_id: UUID | None = None
    introspects: bool = False
    is_unlimited: bool = False

    def __post_init__(self) -> None:
        """Ids come from rows as asyncpg's subclass of UUID, which JSON encoders do not know."""
        for name in ("user_id", "key_id"):
            if (id := getattr(self, name)) is not None:
                object.__setattr__(self, name, UUID(int=id.int))

    @property
    def is_known(self) -> bool:
        """Whether it is somebody in particular."""
        return bool(self.role or self.user_id or self.key_id)

    @property
    def visibility(self) -> Visibility:
        """The rows this principal sees: operators all but personal ones, others public ones and
        their own."""
        return Visibility(shared=self.may(ALL_DREAMS), keys=self.may(ADMIN), user_id=self.user_id)

    @property
    def is_limited(self) -> bool:
        """Whether it is a key that may do less than its user."""
        return limits(self.scopes)

    def may(self, access: Access) -> bool:
        """Whether this principal has that access."""
        if access.public or (self.introspects and access == INTROSPECTION):
            return True
        if self.is_limited and self.scopes.isdisjoint(access.scopes):
            return False
        return self.ranks(access.role)

    def ranks(self, role: Role | None) -> bool:
        """Whether its user has that role or a higher one; false for None."""
        return bool(self.role and role and RANKS[self.role] >= RANKS[role])

    def refusal(self, access: Access, place: str) -> str:
        """The message for a principal that lacks the access needed at a place in a document."""
        if self.ranks(access.role) and not access.scopes:
            return f"{place} is not for keys with scopes."
        return f"{place} needs {access}."


ANONYMOUS = Principal()
READER_OF_SCHEMA = Principal(introspects=True)
DEVELOPER = Principal(role=Role.ADMIN, is_unlimited=True)  # where no user is at hand


def access_of_type(type_: Any) -> Access | None:
    """What a GraphQL type declares for its fields, or None."""
    definition = type_.extensions.get("strawberry-definition")
    return getattr(getattr(definition, "origin", None), "access", None)


def access_of_field(parent: Any, field: GraphQLField) -> Access | None:
    """What a field declares, itself or through its type, or None: then it is closed."""
    definition = field.extensions.get("strawberry-definition")
    own = getattr(definition, "metadata", {}).get("access")
    return own or access_of_type(parent)
