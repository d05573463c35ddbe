"""Fields: declarations of fields, arguments and types."""

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

    `cost`: points, by default by the rule of `graph.core.execution.cost`. An input field costs its
    points for each use; a batch declares the number of `values` that it may hold.

    `columns`: the columns that a resolver shows. `others`: the access to rows of other users.

    `reveals`: by argument, the column or access that the argument reveals; lists declare their
    `listing` instead.

    `check`, `column`, `not_null`: for an input field, its validation, its column if the name
    differs, and the message that rejects null. `apart`: items of the list are validated one by one,
    so that an invalid item does not reject the others.
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
    metadata: dict[str, Any] = {"cost": cost} if check is None else {"check": check, "cost": cost}
    return strawberry.argument(
        description=_bounded(description, check), name=name, metadata=metadata
    )


def _bounded(description: str, check: Check | None) -> str:
    return f"{description} {check.said}".strip() if check else description


def checked(table: type[Table], *together: Together) -> Callable[[T], T]:
    """Declare that the fields of an input are columns of a table, with their checks and
    descriptions. `together` validates several columns at once."""

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
    """The column of an input field."""
    return str(field.metadata.get("column", field.python_name))


def names_of(cls: Any) -> dict[str, str]:
    """GraphQL names of the fields of an input, by column."""
    fields = cls.__strawberry_definition__.fields
    return {column_of(field): NameConverter().from_field(field) for field in fields}


def column(name: str, description: str, access: Access | None = None) -> Any:
    return field(description, access, lambda root: getattr(root, name), columns=(name,))


def related(
    loader: type[Loader],
    *keys: str,
    description: str,
    access: Access | None = None,
    cost: int | None = None,
) -> Any:
    """A field that shows the loader's value for the named columns. Null if one of them is null."""

    async def resolve(root: Any, info: Info) -> Any:
        key = tuple(getattr(root, name) for name in keys)
        if None in key:
            return None
        return await loader.of(info).load(key if len(key) > 1 else key[0])

    shown = None if keys == ("id",) else keys
    return field(description, access, resolve, cost, columns=shown)


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


def described(cls: type) -> str:
    return " ".join((cls.__doc__ or "").split())
