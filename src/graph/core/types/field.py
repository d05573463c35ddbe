"""Fields: declarations of fields, arguments and types."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING
from enum import Enum
from types import MappingProxyType
from typing import Any, NamedTuple, TypedDict, TypeVar, Unpack, dataclass_transform

import strawberry
from graphql import GraphQLArgument, GraphQLField, GraphQLInputField
from strawberry.extensions import FieldExtension
from strawberry.schema.name_converter import NameConverter
from strawberry.types import get_object_definition
from strawberry.types.arguments import StrawberryArgumentAnnotation
from strawberry.types.field import StrawberryField

from db.core.errors import FieldError
from db.core.query.batch import Column, Columns
from db.core.query.listing import ListSpec
from db.core.table import Table
from db.core.values.validation import Check
from graph.core.context import Info
from graph.core.loader import Loader
from graph.core.permission import VALUE, Access
from graph.core.types.declared import ColumnField, Declared, RelatedField

T = TypeVar("T", bound=type)
V = TypeVar("V")
Together = Callable[[Mapping[str, object]], Iterator[FieldError]]
Resolver = Callable[..., object]
Revealed = Column | Columns | Access


class Kept(NamedTuple):
    """How results may be kept: the tables that they are computed from, and the most seconds."""

    tables: tuple[type[Table], ...]
    seconds: int

    @property
    def nouns(self) -> list[str]:
        return [table.__tablename__ for table in self.tables]


class Declarations(TypedDict, total=False):
    """What a field declares for `graph.core.execution`, in its metadata.

    `columns`: the columns that a resolver shows. `others`: the access to rows of other users.

    `reveals`: by argument, the column or access that the argument reveals; lists declare their
    `listing` instead.

    `shows`: what the resolver does, for plans of operations. `reads`: all columns that a
    hand-written resolver reads, so that a plan reads no others.

    `stale_ok`: of a root field, whether a replica may serve it, a few seconds late for callers who
    do not write.

    `kept`: of a root field, how its results may be kept.

    `check`, `column`, `not_null`: for an input field, its validation, its column if the name
    differs, and the message that rejects null. `apart`: items of the list are validated one by one,
    so that an invalid item does not reject the others. `values`: the number of values that a batch
    may hold.
    """

    columns: tuple[str, ...] | None
    others: Access
    reveals: Mapping[str, Revealed] | None
    listing: ListSpec
    check: Check | None
    column: str
    apart: bool | None
    not_null: str
    values: int
    shows: Declared | None
    reads: tuple[str, ...]
    stale_ok: bool | None
    kept: Kept | None


class Metadata(Declarations, total=False):
    access: Access
    cost: int


NONE: Metadata = {}


def metadata_of(item: GraphQLField | GraphQLArgument | GraphQLInputField) -> Metadata:
    metadata: Metadata = getattr(item.extensions.get("strawberry-definition"), "metadata", NONE)
    return metadata


def field(
    description: str,
    access: Access | None = None,
    resolver: Resolver | None = None,
    cost: int | None = None,
    *,
    name: str | None = None,
    graphql_type: object = None,
    default: object = MISSING,
    default_factory: object = MISSING,
    is_subscription: bool = False,
    deprecated: str | None = None,
    extensions: Sequence[FieldExtension] = (),
    **declared: Unpack[Declarations],
) -> Any:  # stands for a value of any type, as dataclasses.field does
    """A field with its description. Without a resolver it shows the column of the same name.

    `cost`: points, by default by the rule of `graph.core.execution.cost`. An input field costs its
    points for each use. `deprecated`: what to use in place of a field that will be removed, see
    docs/deprecations.md.
    """
    made = strawberry.field(
        name=name,
        description=_bounded(description, declared.get("check")),
        graphql_type=graphql_type,
        default=default,
        default_factory=default_factory,
        is_subscription=is_subscription,
        deprecation_reason=deprecated,
        extensions=[*extensions],
        metadata=_without_none({"access": access, "cost": cost, **declared}),
    )
    return made if resolver is None else made(resolver)


def _without_none(values: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}


def argument(
    description: str, check: Check | None = None, name: str | None = None, cost: int = 0
) -> StrawberryArgumentAnnotation:
    return strawberry.argument(
        description=_bounded(description, check),
        name=name,
        metadata=_without_none({"check": check, "cost": cost}),
    )


def _bounded(description: str, check: Check | None) -> str:
    return f"{description} {check.said}".strip() if check else description


def checked(table: type[Table], *together: Together) -> Callable[[T], T]:
    """Declare that the fields of an input are columns of a table, with their checks and
    descriptions. `together` validates several columns at once."""

    def declare(cls: T) -> T:
        for field in get_object_definition(cls, strict=True).fields:
            check = table.checks.get(column_of(field))
            if check and "check" not in field.metadata:
                field.metadata = MappingProxyType({**field.metadata, "check": check})
                field.description = _bounded(field.description or "", check)
        cls.together = together  # type: ignore[attr-defined]  # read by graph.core.execution.input_validation
        return cls

    return declare


def column_of(field: StrawberryField) -> str:
    return str(field.metadata.get("column", field.python_name))


def names_of(input_type: object) -> dict[str, str]:
    fields = get_object_definition(input_type, strict=True).fields
    return {column_of(field): NameConverter().from_field(field) for field in fields}


def column(name: str, description: str, access: Access | None = None) -> Any:  # as `field`
    return field(
        description,
        access,
        lambda root: getattr(root, name),
        columns=(name,),
        shows=ColumnField(name),
    )


def related(
    loader: type[Loader[V]],
    *keys: str,
    description: str,
    access: Access | None = None,
    cost: int | None = None,
) -> Any:  # as `field`
    """A field that shows the loader's value for the named columns. Null if one of them is null."""

    async def resolve(root: object, info: Info) -> V | None:
        key = tuple(getattr(root, name) for name in keys)
        if None in key:
            return None
        return await loader.of(info).load(key if len(key) > 1 else key[0])

    shown = None if keys == ("id",) else keys
    shows = RelatedField(loader, keys)
    return field(description, access, resolve, cost, columns=shown, shows=shows)


@dataclass_transform(kw_only_default=True, field_specifiers=(field,))
def value(cls: T) -> T:
    """A type without an ID, described by its class docstring."""
    cls.access = VALUE  # type: ignore[attr-defined]  # read by graph.core.permission
    cls.viewer_independent = True  # type: ignore[attr-defined]  # read by graph.core.execution.shareable
    return strawberry.type(cls, description=described(cls))


def enum(cls: type[Enum], **descriptions: str) -> type[Enum]:
    strawberry.enum(cls, description=described(cls))
    for item in cls.__strawberry_definition__.values:  # type: ignore[attr-defined]  # set by Strawberry
        item.description = descriptions[item.name]
    return cls


def as_mapping(cls: T) -> T:
    """Keep the values of an input type as mappings, with their GraphQL names."""
    cls.__strawberry_definition__.from_input = lambda _cls, value, _context: value  # type: ignore[attr-defined]  # set by Strawberry
    return cls


def flat(cls: T) -> T:
    """Make inputs of scalars and enums, whose values graphql-core has converted, in one step: in a
    batch of hundreds, Strawberry's conversion of each field takes a fifth of the time."""
    definition = cls.__strawberry_definition__  # type: ignore[attr-defined]  # set by Strawberry
    names = {NameConverter().from_field(field): field.python_name for field in definition.fields}

    def from_input(_cls: object, sent: Mapping[str, object], _context: object) -> object:
        return cls(**{names[name]: value for name, value in sent.items()})

    definition.from_input = from_input
    return cls


def described(cls: type) -> str:
    return " ".join((cls.__doc__ or "").split())
