"""Filters and orders: input types derived from a listing, and their conversion to conditions.

A filter stays the mapping that graphql-core returns: creating an object for each part takes ten
times as long as all the other work on it.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from enum import Enum, StrEnum
from functools import cache
from typing import Any, NamedTuple, TypeVar, cast

import strawberry
from sqlalchemy import ARRAY, BigInteger, Boolean, DateTime, Integer, Numeric, Text, Uuid
from strawberry import UNSET

from db.core.errors import FieldError, Invalid
from db.core.query.batch import Column
from db.core.query.filter import (
    And,
    Compare,
    Condition,
    Exists,
    Filterable,
    Not,
    Or,
    condition_count,
    related,
)
from db.core.query.listing import ListSpec
from db.core.query.operators import OPERATORS, of_family
from db.core.table import referred
from db.core.values.validation import Check, items, single, string
from graph.core.permission import VALUE
from graph.core.types.annotations import lazily, many, optional
from graph.core.types.field import described, enum, field
from graph.core.types.node import key_of, parse_id
from graph.core.types.scalars import BigInt, Number

T = TypeVar("T", bound=type)

EQUAL = of_family("equality")
ORDERED = of_family("order")
TEXT = of_family("text")
LIST = of_family("list")
NULL = of_family("null")

MAX_LEVELS = 6
MAX_CONDITIONS = 100
REACHING = 20  # points of a condition on related rows, which is planned for each partition
MAX_VALUES = 1_000
MAX_TEXT = 1_000  # characters
MAX_EXPONENT = 308  # of a decimal number, as of a float; the driver distorts much larger ones
NO_CONDITION = "Null is not a condition. Omit this field."


Filter = Mapping[str, Any]  # of filters, lists of them and comparisons, by the name of the field


class Comparator:
    """Base of the input types that compare a column with values."""

    access = VALUE  # the column is revealed, not the value
    read: Any = staticmethod(lambda value: value)

    @classmethod
    def conditions(cls, column: str, given: Mapping[str, Any]) -> Iterator[Condition]:
        for name, value in given.items():
            operator = OPERATOR_NAMES[name]
            read = bool if operator == "is_null" else cls.read
            values = tuple(map(read, value)) if isinstance(value, list) else read(value)
            yield Compare(column, operator, values)


@cache
def comparator(name: str, kind: Any, *operators: str, read: Any = None) -> type[Comparator]:
    shapes = {"one": optional(kind), "many": optional(many(kind)), "flag": bool | None}
    chosen = {operator: OPERATORS[operator] for operator in operators}
    members: dict[str, Any] = {f"{o}_": _input(o, each.description) for o, each in chosen.items()}
    members["__annotations__"] = {f"{o}_": shapes[each.shape] for o, each in chosen.items()}
    if read:
        members["read"] = staticmethod(read)
    made = type(f"{name}Filter", (Comparator,), members)
    description = f"Conditions on a value of type {name}. All given conditions must hold."
    if any(each.shape == "many" for each in chosen.values()):
        description += f" A list has at most {MAX_VALUES:,} values."
    if kind is str:
        description += f" A text has at most {MAX_TEXT:,} characters."
    return _mapping(strawberry.input(made, description=description))


def _mapping(cls: T) -> T:
    """Keep values of an input type as mappings, with their GraphQL names."""
    cls.__strawberry_definition__.from_input = lambda _cls, value, _context: value  # type: ignore[attr-defined]  # set by Strawberry
    return cls


def _input(name: str, description: str, check: Check | None = None, **more: Any) -> Any:
    """An optional input field under its GraphQL name."""
    options = {"name": camel(name), "default": UNSET, "not_null": NO_CONDITION}
    return field(description, check=check, **options, **more)


@cache
def camel(name: str) -> str:
    """The GraphQL name of a column."""
    head, *tail = name.split("_")
    return head + "".join(map(str.capitalize, tail))


OPERATOR_NAMES = {camel(operator): operator for operator in OPERATORS}


@cache
def _comparator_of(column: Column) -> type[Comparator]:
    """The comparator for the type of a column."""
    type_, choices = column.type, column.info.get("choices")
    if choices:
        return comparator(choices.__name__, choices, *EQUAL, read=lambda item: item.value)
    if isinstance(type_, ARRAY):
        return comparator("StringList", str, *LIST)
    for sql, name, kind, operators, read in KINDS:
        if isinstance(type_, sql) and (name != "Decimal" or "money" in column.info):
            return comparator(name, kind, *operators, read=read)
    return comparator("String", str, *EQUAL, *ORDERED, *TEXT, *NULL)


KINDS: tuple[tuple[Any, str, Any, tuple[str, ...], Any], ...] = (
    (Uuid, "ID", strawberry.ID, (*EQUAL, *NULL), lambda text: parse_id(text)[1]),
    (Boolean, "Boolean", bool, ("eq", "ne", *NULL), None),
    (BigInteger, "BigInt", BigInt, (*EQUAL, *ORDERED, *NULL), None),
    (Integer, "Int", int, (*EQUAL, *ORDERED, *NULL), None),
    (DateTime, "DateTime", datetime, (*EQUAL, *ORDERED, *NULL), None),
    (Numeric, "Decimal", Decimal, (*EQUAL, *ORDERED, *NULL), None),
    (Numeric, "Float", Number, (*EQUAL, *ORDERED, *NULL), None),
)


def comparison(column: Column) -> Check:
    """The check of the values in a comparator, by operator."""
    wrong = _value(column)

    def faults(given: Mapping[str, Any]) -> Iterator[FieldError]:
        for operator, value in given.items():
            values = value if isinstance(value, list) else [value]
            if len(values) > MAX_VALUES:
                message = f"At most {MAX_VALUES:,} values can be compared at once."
                yield FieldError(message, operator)
                continue
            for index, part in enumerate(values):
                place = f"{operator}.{index}" if isinstance(value, list) else operator
                if part is None:
                    yield FieldError("Null cannot be compared. Use isNull.", place)
                elif operator != "isNull":
                    yield from (fault.under(place) for fault in wrong.faults(part))

    return Check("", faults)


def _value(column: Column) -> Check:
    if isinstance(column.type, Uuid):
        return key_of(referred(column))
    if isinstance(column.type, Numeric):
        return single("", _too_large)
    if isinstance(column.type, Text | ARRAY) and "choices" not in column.info:
        return string(MAX_TEXT, 0)
    return single("", lambda _: None)


def _too_large(number: Any) -> str | None:
    is_held = not isinstance(number, Decimal) or abs(number.adjusted()) <= MAX_EXPONENT
    return None if is_held else f"This number is beyond 10^{MAX_EXPONENT}."


def filters(listing: ListSpec) -> Callable[[T], T]:
    """Make a class the filter type of a listing: a comparator for each filterable column, and
    `and`, `or` and `not`, in addition to the relations that the class declares."""

    def make(cls: T) -> T:
        for name, column in listing.filters.items():
            description = f"Filter by `{camel(name)}`."
            _declare(cls, name, _comparator_of(column), description, comparison(column), apart=True)
        itself = lazily(cls.__name__, cls.__module__)
        _declare(cls, "and", many(itself), "All of these filters match.", items(MAX_CONDITIONS))
        _declare(
            cls, "or", many(itself), "At least one of these filters matches.", items(MAX_CONDITIONS)
        )
        _declare(cls, "not", itself, "This filter does not match.")
        cls.filters = listing  # type: ignore[attr-defined]  # read by graph.core.execution.input_access
        return _mapping(strawberry.input(cls, description=described(cls)))

    return make


def _declare(
    cls: type, name: str, type_: object, description: str, *check: Check, **more: Any
) -> None:
    cls.__annotations__[_python(name)] = optional(type_)
    setattr(cls, _python(name), _input(name, description, *check, **more))


def _python(name: str) -> str:
    return f"{name}_"


def relation(description: str) -> Any:
    """A condition on related rows, declared in a class decorated with `filters`."""
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
    made = _all(listing.filterable, cast("Filter", given), 1)  # see `_mapping`
    if condition_count(made) > bounds.conditions:
        raise Invalid(f"{bounds.of} has at most {bounds.conditions} conditions.", "filter")
    if len(related(made)) > bounds.related:
        message = f"{bounds.of} has at most {bounds.related} conditions on related rows."
        raise Invalid(message, "filter")
    return made


def _all(of: Filterable, given: Filter, level: int, through: bool = False) -> Condition:
    if level > MAX_LEVELS:
        raise Invalid(f"Filters can be nested at most {MAX_LEVELS} levels deep.", "filter")
    parts = (part for item in given.items() for part in _parts(of, *item, level, through))
    return And(tuple(parts))


def _parts(of: Filterable, name: str, sent: Any, level: int, through: bool) -> Iterator[Condition]:
    """The conditions of one field of a filter. `through` is True below a relation."""
    match name:
        case "and":
            yield And(tuple(_all(of, part, level + 1, through) for part in sent))
        case "or":
            yield Or(tuple(_all(of, part, level + 1, through) for part in sent))
        case "not":
            yield Not(_all(of, sent, level + 1, through))
        case _ if column := _named(name, of.columns):
            yield from _comparator_of(of.columns[column]).conditions(column, sent)
        case _:
            if through:
                raise Invalid("A filter can follow only one relation.", "filter")
            target = of.relations[name].target()
            yield Exists(name, _all(target, sent, level + 1, through=True))


def _named(name: str, columns: Mapping[str, Column]) -> str | None:
    """The column with this GraphQL name."""
    return next((column for column in columns if camel(column) == name), None)


class Direction(StrEnum):
    """Sort direction."""

    ASC = "ASC"
    DESC = "DESC"


enum(Direction, ASC="Ascending, nulls last.", DESC="Descending, nulls last.")


def orders(listing: ListSpec) -> Callable[[T], T]:
    """Make a class the order type of a listing: a field and a direction."""

    def make(cls: Any) -> Any:
        noun = described(cls).removeprefix("Sort order for ").rstrip(".")
        named = {name: name for name in listing.orders}
        choices: Any = Enum(f"{cls.__name__}Field", named)  # type: ignore[misc]  # made from data
        choices.listing = listing  # type: ignore[attr-defined]  # read by graph.core.execution.input_access
        cls.orders = listing
        choices.__doc__ = f"Fields by which {noun} can be sorted."
        descriptions = {name: f"Sort by `{camel(name.lower())}`." for name in listing.orders}
        cls.__annotations__ = {"field": enum(choices, **descriptions), "direction": Direction}
        cls.field = strawberry.field(description="Field to sort by.")
        cls.direction = strawberry.field(default=Direction.ASC, description="Sort direction.")
        return strawberry.input(cls, description=described(cls))

    return make
