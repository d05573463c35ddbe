"""Comparators: the input types that compare a column with values, by the type of the column."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any

import strawberry
from sqlalchemy import ARRAY, BigInteger, Boolean, DateTime, Integer, Numeric, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from strawberry import UNSET
from strawberry.scalars import JSON

from db.core.errors import FieldError
from db.core.query.batch import Column
from db.core.query.filter import Compare, Condition
from db.core.query.operators import OPERATORS, of_family
from db.core.table import Table, referred
from db.core.values import json
from db.core.values.validation import CONTAINED, Check, single, string
from graph.core.permission import VALUE
from graph.core.types.annotations import many, optional
from graph.core.types.field import as_mapping, field
from graph.core.types.node import key_of, parse_id, without_ids
from graph.core.types.scalars import BigInt, Number

EQUAL = of_family("equality")
ORDERED = of_family("order")
TEXT = of_family("text")
LIST = of_family("list")
DOCUMENT = of_family("document")
NULL = of_family("null")

MAX_VALUES = 1_000
MAX_TEXT = 1_000  # characters
MAX_EXPONENT = 308  # of a decimal number, as of a float; the driver distorts much larger ones
NO_CONDITION = "Null is not a condition. Omit this field."

Read = Callable[[Any], object]  # a value of the scalar that the comparator is of


class Comparator:
    """Base of the input types that compare a column with values."""

    access = VALUE  # the column is revealed, not the value
    read: Read = staticmethod(lambda value: value)

    @classmethod
    def conditions(
        cls, column: str, given: Mapping[str, object], tables: Mapping[str, type[Table]]
    ) -> Iterator[Condition]:
        """`tables`: those whose ids are in a document, by name in it."""
        for name, value in given.items():
            operator = OPERATOR_NAMES[name]
            read = bool if operator == "is_null" else cls.read
            values = tuple(map(read, value)) if isinstance(value, list) else read(value)
            if isinstance(values, dict):  # conditions are hashable
                values = json.dumps(without_ids(values, tables)).decode()
            yield Compare(column, operator, values)


@cache
def comparator(
    name: str, kind: object, *operators: str, read: Read | None = None
) -> type[Comparator]:
    shapes = {"one": optional(kind), "many": optional(many(kind)), "flag": bool | None}
    chosen = {operator: OPERATORS[operator] for operator in operators}
    members: dict[str, object] = {
        f"{o}_": optional_input(o, each.description) for o, each in chosen.items()
    }
    members["__annotations__"] = {f"{o}_": shapes[each.shape] for o, each in chosen.items()}
    if read:
        members["read"] = staticmethod(read)
    made = type(f"{name}Filter", (Comparator,), members)
    description = f"Conditions on a value of type {name}. All given conditions must hold."
    if any(each.shape == "many" for each in chosen.values()):
        description += f" A list has at most {MAX_VALUES:,} values."
    if kind is str:
        description += f" A text has at most {MAX_TEXT:,} characters."
    if kind is JSON:
        description += f" {CONTAINED.said}"
    return as_mapping(strawberry.input(made, description=description))


def optional_input(
    name: str, description: str, check: Check | None = None, apart: bool | None = None
) -> object:
    return field(
        description,
        name=graphql_name(name),
        default=UNSET,
        not_null=NO_CONDITION,
        check=check,
        apart=apart,
    )


@cache
def graphql_name(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(map(str.capitalize, tail))


OPERATOR_NAMES = {graphql_name(operator): operator for operator in OPERATORS}


@cache
def comparator_of(column: Column) -> type[Comparator]:
    type_, choices = column.type, column.info.get("choices")
    if choices:
        return comparator(choices.__name__, choices, *EQUAL, read=lambda item: item.value)
    if isinstance(type_, ARRAY):
        return comparator("StringList", str, *LIST)
    for sql, name, kind, operators, read in KINDS:
        if isinstance(type_, sql) and (name != "Decimal" or "money" in column.info):
            return comparator(name, kind, *operators, read=read)
    return comparator("String", str, *EQUAL, *ORDERED, *TEXT, *NULL)


KINDS: tuple[tuple[type, str, object, tuple[str, ...], Read | None], ...] = (
    (Uuid, "ID", strawberry.ID, (*EQUAL, *NULL), lambda text: parse_id(text)[1]),
    (Boolean, "Boolean", bool, ("eq", "ne", *NULL), None),
    (BigInteger, "BigInt", BigInt, (*EQUAL, *ORDERED, *NULL), None),
    (Integer, "Int", int, (*EQUAL, *ORDERED, *NULL), None),
    (DateTime, "DateTime", datetime, (*EQUAL, *ORDERED, *NULL), None),
    (Numeric, "Decimal", Decimal, (*EQUAL, *ORDERED, *NULL), None),
    (Numeric, "Float", Number, (*EQUAL, *ORDERED, *NULL), None),
    (JSONB, "JSON", JSON, DOCUMENT, None),
)


def comparison_check(column: Column) -> Check:
    wrong = _value(column)

    def faults(given: Mapping[str, object]) -> Iterator[FieldError]:
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
    if isinstance(column.type, JSONB):
        return CONTAINED
    if isinstance(column.type, Text | ARRAY) and "choices" not in column.info:
        return string(MAX_TEXT, 0)
    return single("", lambda _: None)


def _too_large(number: object) -> str | None:
    is_held = not isinstance(number, Decimal) or abs(number.adjusted()) <= MAX_EXPONENT
    return None if is_held else f"This number is beyond 10^{MAX_EXPONENT}."
