"""Filters and orders: input types derived from a listing, and their conversion to conditions.

A filter stays the mapping that graphql-core returns: creating an object for each part takes ten
times as long as all the other work on it.
"""

from collections.abc import Callable, Iterator, Mapping
from enum import Enum, StrEnum
from typing import Any, NamedTuple, TypeVar, cast

import strawberry
from strawberry import UNSET

from db.core.errors import Invalid
from db.core.query.batch import Column
from db.core.query.filter import (
    And,
    Condition,
    Exists,
    Filterable,
    Not,
    Or,
    condition_count,
    related,
)
from db.core.query.listing import ListSpec
from db.core.table import tables_in
from db.core.values.validation import Check, items
from graph.core.types.annotations import forward_reference, many, optional
from graph.core.types.comparators import (
    NO_CONDITION,
    comparator_of,
    comparison_check,
    graphql_name,
    optional_input,
)
from graph.core.types.field import as_mapping, described, enum, field

T = TypeVar("T", bound=type)

MAX_LEVELS = 6
MAX_CONDITIONS = 100
REACHING = 20  # points of a condition on related rows, which is planned for each partition

Filter = Mapping[str, Any]  # filters, lists of them and comparisons, by name


def filters(listing: ListSpec) -> Callable[[T], T]:
    """Make a class the filter type of a listing: a comparator for each filterable column, and
    `and`, `or` and `not`, in addition to the relations that the class declares."""

    def make(cls: T) -> T:
        for name, column in listing.filters.items():
            description = f"Filter by `{graphql_name(name)}`."
            check = comparison_check(column)
            _declare(cls, name, comparator_of(column), description, check, apart=True)
        itself = forward_reference(cls.__name__, cls.__module__)
        several, most = many(itself), items(MAX_CONDITIONS)
        _declare(cls, "and", several, "All of these filters match.", most)
        _declare(cls, "or", several, "At least one of these filters matches.", most)
        _declare(cls, "not", itself, "This filter does not match.")
        cls.filters = listing  # type: ignore[attr-defined]  # read by graph.core.execution.input_access
        return as_mapping(strawberry.input(cls, description=described(cls)))

    return make


def _declare(
    cls: type,
    name: str,
    type_: object,
    description: str,
    check: Check | None = None,
    apart: bool | None = None,
) -> None:
    _set_field(cls, f"{name}_", optional(type_), optional_input(name, description, check, apart))


def _set_field(cls: type, name: str, annotation: object, declared: object) -> None:
    cls.__annotations__[name] = annotation
    setattr(cls, name, declared)


def relation(description: str) -> Any:  # as `field`
    return field(description, cost=REACHING, default=UNSET, not_null=NO_CONDITION)


class FilterBounds(NamedTuple):
    """The maximum number of conditions in a filter, and of those on related rows."""

    conditions: int = MAX_CONDITIONS
    related: int = 10
    of: str = "A filter"

    @property
    def description(self) -> str:
        return f"At most {self.conditions} conditions, {self.related} of them on related rows."


LIST_BOUNDS = FilterBounds()
# That of a subscription is evaluated again for each change.
SUBSCRIPTION_BOUNDS = FilterBounds(20, 2, "The filter of a subscription")


def condition(
    listing: ListSpec, given: object, bounds: FilterBounds = LIST_BOUNDS
) -> Condition | None:
    """The condition of a filter, None if omitted. Raises Invalid if it has too many conditions."""
    if given is None or given is UNSET:
        return None
    made = _all(listing.filterable, cast("Filter", given), 1)  # see `as_mapping`
    if condition_count(made) > bounds.conditions:
        raise Invalid(f"{bounds.of} has at most {bounds.conditions} conditions.", "filter")
    if len(related(made)) > bounds.related:
        message = f"{bounds.of} has at most {bounds.related} conditions on related rows."
        raise Invalid(message, "filter")
    return made


def _all(of: Filterable, given: Filter, level: int, below_relation: bool = False) -> Condition:
    if level > MAX_LEVELS:
        raise Invalid(f"Filters can be nested at most {MAX_LEVELS} levels deep.", "filter")
    parts = (part for item in given.items() for part in _parts(of, *item, level, below_relation))
    return And(tuple(parts))


def _parts(
    of: Filterable, name: str, sent: Any, level: int, below_relation: bool
) -> Iterator[Condition]:  # as in `Filter`
    match name:
        case "and":
            yield And(tuple(_all(of, part, level + 1, below_relation) for part in sent))
        case "or":
            yield Or(tuple(_all(of, part, level + 1, below_relation) for part in sent))
        case "not":
            yield Not(_all(of, sent, level + 1, below_relation))
        case _ if column := _column_named(name, of.columns):
            compared = of.columns[column]
            tables = tables_in(compared)
            yield from comparator_of(compared).conditions(column, sent, tables)
        case _:
            if below_relation:
                raise Invalid("A filter can follow only one relation.", "filter")
            target = of.relations[name].target()
            yield Exists(name, _all(target, sent, level + 1, below_relation=True))


def _column_named(name: str, columns: Mapping[str, Column]) -> str | None:
    return next((column for column in columns if graphql_name(column) == name), None)


class Direction(StrEnum):
    """Sort direction."""

    ASC = "ASC"
    DESC = "DESC"


enum(Direction, ASC="Ascending, nulls last.", DESC="Descending, nulls last.")


def orders(listing: ListSpec) -> Callable[[T], T]:
    def make(cls: T) -> T:
        noun = described(cls).removeprefix("Sort order for ").rstrip(".")
        by = strawberry.field(description="Field to sort by.")
        _set_field(cls, "field", _sort_fields(listing, f"{cls.__name__}Field", noun), by)
        ascending = strawberry.field(default=Direction.ASC, description="Sort direction.")
        _set_field(cls, "direction", Direction, ascending)
        cls.orders = listing  # type: ignore[attr-defined]  # read by graph.core.execution.input_access
        return strawberry.input(cls, description=described(cls))

    return make


def _sort_fields(listing: ListSpec, type_name: str, noun: str) -> type[Enum]:
    fields: type[Enum] = Enum(type_name, {name: name for name in listing.orders})  # type: ignore[misc]  # made from data
    fields.__doc__ = f"Fields by which {noun} can be sorted."
    fields.listing = listing  # type: ignore[attr-defined]  # read by graph.core.execution.input_access
    return enum(
        fields, **{name: f"Sort by `{graphql_name(name.lower())}`." for name in listing.orders}
    )
