"""Permission: who asks, and who may read each field.

Every field declares its access, itself or through its type; a field that declares nothing is
closed. What an operation needs is collected once from its text, so that execution checks nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLField,
    GraphQLSchema,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    visit,
)

from db.core.sight import Sight
from db.users import Role

RANKS = {Role.MEMBER: 1, Role.OPERATOR: 2, Role.ADMIN: 3}


@dataclass(frozen=True, slots=True)
class Access:
    """Who may read or do something: everybody, a role or a higher one, or who holds a scope."""

    public: bool = False
    role: Role | None = None
    scope: str | None = None

    def __str__(self) -> str:
        needed = [f"the role {self.role}" if self.role else "", f"the scope {self.scope}"]
        return " or ".join(filter(None, needed[: 2 if self.scope else 1])) or "nobody"


CLOSED = Access()
PUBLIC = Access(public=True)
VALUE = PUBLIC  # part of an answer: as readable as the field that returned it
MEMBER = Access(role=Role.MEMBER)
OPERATOR = Access(role=Role.OPERATOR)
ADMIN = Access(role=Role.ADMIN)


def scope(name: str) -> Access:
    """For keys that hold the scope, and for operators."""
    return Access(role=Role.OPERATOR, scope=name)


INTROSPECTION = Access(role=Role.MEMBER, scope="schema:read")


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: a user with a role, a key with scopes, or nobody in particular."""

    user_id: UUID | None = None
    role: Role | None = None
    scopes: frozenset[str] = field(default_factory=frozenset)
    key_id: UUID | None = None

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
    def sight(self) -> Sight:
        """The rows this principal sees: operators all but personal ones, others public ones and
        their own."""
        return Sight(shared=self.may(OPERATOR), keys=self.may(ADMIN), user_id=self.user_id)

    def may(self, access: Access) -> bool:
        """Whether this principal has that access."""
        ranked = self.role and access.role and RANKS[self.role] >= RANKS[access.role]
        return access.public or bool(ranked) or access.scope in self.scopes


ANONYMOUS = Principal()
READER_OF_SCHEMA = Principal(scopes=frozenset({"schema:read"}))
DEVELOPER = Principal(role=Role.ADMIN)


def access_of_type(type_: Any) -> Access | None:
    """What a GraphQL type declares for its fields, or None."""
    definition = type_.extensions.get("strawberry-definition")
    return getattr(getattr(definition, "origin", None), "access", None)


def access_of_field(parent: Any, field: GraphQLField) -> Access | None:
    """What a field declares, itself or through its type, or None: then it is closed."""
    definition = field.extensions.get("strawberry-definition")
    own = getattr(definition, "metadata", {}).get("access")
    return own or access_of_type(parent)


def needs(schema: GraphQLSchema, document: DocumentNode) -> dict[Access, str]:
    """Every access that a document needs, with the first field that needs it."""
    collector = _Collector(TypeInfo(schema))
    visit(document, TypeInfoVisitor(collector.types, collector))
    return collector.found


class _Collector(Visitor):
    def __init__(self, types: TypeInfo) -> None:
        super().__init__()
        self.types = types
        self.found: dict[Access, str] = {}

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        name, parent, field = (
            node.name.value,
            self.types.get_parent_type(),
            self.types.get_field_def(),
        )
        if parent is None or field is None or name == "__typename" or parent.name.startswith("__"):
            return
        introspects = name.startswith("__")
        access = INTROSPECTION if introspects else access_of_field(parent, field) or CLOSED
        self.found.setdefault(access, f"{parent.name}.{name}")


def undeclared(schema: GraphQLSchema) -> Iterator[str]:
    """The fields of a schema that declare no access: they are closed to everybody."""
    for name, type_ in schema.type_map.items():
        for field_name, item in getattr(type_, "fields", {}).items():
            ours = isinstance(item, GraphQLField) and not name.startswith("__")
            if ours and access_of_field(type_, item) is None:
                yield f"{name}.{field_name}"
