"""Fields: how a type declares what it has. A resolver written by hand is the exception."""

from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from typing import Any, TypeVar, dataclass_transform

import strawberry
from strawberry.schema.name_converter import NameConverter
from strawberry.types.arguments import StrawberryArgumentAnnotation
from strawberry.types.field import StrawberryField

from db.core.errors import FieldError
from db.core.query.listing import ListSpec
from db.core.table import Table
from db.core.values.validation import Check
from graph.core.context import Info
from graph.core.loader import Loader
from graph.core.permission import VALUE, Access

T = TypeVar("T", bound=type)
Together = Callable[[Mapping[str, Any]], Iterator[FieldError]]


def field(
    description: str,
    access: Access | None = None,
    resolver: Callable[..., Any] | None = None,
    cost: int | None = None,
    *,
    columns: tuple[str, ...] | None = None,
    others: Access | None = None,
    reveals: Mapping[str, Any] | None = None,
    listing: ListSpec | None = None,
    check: Check | None = None,
    column: str | None = None,
    apart: bool | None = None,
    not_null: str | None = None,
    values: int | None = None,
    **options: Any,
) -> Any:
    """A field with its description. Without a resolver it shows the column of the same name.

    `cost`: points; by default by the rule of `graph.core.execution.cost`. An input field costs its
    points each time it is used; a batch declares the number of `values` it may hold.
    `columns`: the columns that a resolver shows. `others`: the access to rows of other users.
    `reveals`: by argument, the column or the access that the argument reveals something about; for
    lists their `listing` says so.
    `check`, `column`, `not_null`: of an input field, its validation, the column if it has another
    name, and the message that refuses null. `apart`: items of the list are validated one by one, so
    that an invalid item does not refuse the others.
    """
    declared = {
        "access": access,
        "cost": cost,
        "columns": columns,
        "others": others,
        "reveals": reveals,
        "listing": listing,
        "check": check,
        "column": column,
        "apart": apart,
        "not_null": not_null,
        "values": values,
    }
    metadata = {name: value for name, value in declared.items() if value is not None}
    resolved: Any = resolver
    return strawberry.field(
        resolver=resolved, description=_bounded(description, check), metadata=metadata, **options
    )


def argument(
    description: str, check: Check | None = None, name: str | None = None, cost: int = 0
) -> StrawberryArgumentAnnotation:
    """The description of an argument, with the check of its value, and what its use costs."""
    metadata: dict[str, Any] = {"cost": cost} if check is None else {"check": check, "cost": cost}
    return strawberry.argument(
        description=_bounded(description, check), name=name, metadata=metadata
    )


def _bounded(description: str, check: Check | None) -> str:
    return f"{description} {check.said}".strip() if check else description


def checked(table: type[Table], *together: Together) -> Callable[[T], T]:
    """Declares that the fields of an input are columns of a table: each is checked as its column
    is, and described so. `together` finds what is wrong with the values of several columns."""

    def declare(cls: Any) -> Any:
        for field in cls.__strawberry_definition__.fields:
            check = table.checks.get(column_of(field))
            if check and "check" not in field.metadata:
                field.metadata = {**field.metadata, "check": check}
                field.description = _bounded(field.description, check)
        cls.together = together
        return cls

    return declare


def column_of(field: StrawberryField) -> str:
    """The column that a field of an input stands for."""
    return str(field.metadata.get("column", field.python_name))


def names_of(cls: Any) -> dict[str, str]:
    """The names by which clients know the fields of an input, by their columns."""
    fields = cls.__strawberry_definition__.fields
    return {column_of(field): NameConverter().from_field(field) for field in fields}


def column(name: str, description: str, access: Access | None = None) -> Any:
    """A field that shows a column under another name."""
    return field(description, access, lambda root: getattr(root, name), columns=(name,))


def related(
    loader: type[Loader],
    *keys: str,
    description: str,
    access: Access | None = None,
    cost: int | None = None,
) -> Any:
    """What a loader finds for the columns named; null where one of them is null."""

    async def resolve(root: Any, info: Info) -> Any:
        key = tuple(getattr(root, name) for name in keys)
        if None in key:
            return None
        return await loader.of(info).load(key if len(key) > 1 else key[0])

    shown = None if keys == ("id",) else keys
    return field(description, access, resolve, cost, columns=shown)


@dataclass_transform(kw_only_default=True, field_specifiers=(field,))
def value(cls: T) -> T:
    """A type that is part of an answer and no entity; the class docstring describes it."""
    cls.access = VALUE  # type: ignore[attr-defined]  # read by graph.core.permission
    cls.viewer_independent = True  # type: ignore[attr-defined]  # read by graph.core.execution.shareable
    return strawberry.type(cls, description=described(cls))


def enum(cls: type[Enum], **descriptions: str) -> type[Enum]:
    """An enumeration with a description for each of its values."""
    strawberry.enum(cls, description=described(cls))
    for item in cls.__strawberry_definition__.values:  # type: ignore[attr-defined]  # set by Strawberry
        item.description = descriptions[item.name]
    return cls


def described(cls: type) -> str:
    """The docstring of a class, as one paragraph for readers of the schema."""
    return " ".join((cls.__doc__ or "").split())
