"""Permission: the access that fields require.

Every field declares its access, itself or through its type. A field without a declared access is
closed.
"""

from dataclasses import dataclass

from graphql import GraphQLField, GraphQLNamedType

from db.scopes import SCOPES
from db.users import Role


@dataclass(frozen=True, slots=True)
class Access:
    """The permission to use a field: public, or for users with at least a role. API keys with
    scopes need one of `scopes`; if that is empty, no key with scopes has access."""

    public: bool = False
    role: Role | None = None
    scopes: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return f"role {self.role}" + (f", key scope {self.scope_names}" if self.scopes else "")

    @property
    def scope_names(self) -> str:
        return " or ".join(sorted(self.scopes))


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
TESTS = scope("tests:read", "tests:write", "tests:work", role=Role.MEMBER)
ALL_ENTRIES = scope("audit:read", role=Role.ADMIN)  # of the audit log


def access_of_type(type_: GraphQLNamedType) -> Access | None:
    definition = type_.extensions.get("strawberry-definition")
    return getattr(getattr(definition, "origin", None), "access", None)


def access_of_field(parent: GraphQLNamedType, field: GraphQLField) -> Access | None:
    definition = field.extensions.get("strawberry-definition")
    own = getattr(definition, "metadata", {}).get("access")
    return own or access_of_type(parent)
