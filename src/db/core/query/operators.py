"""Operators: the comparisons of filters, all in one table.

An operator declares its SQL, its evaluation in process, its description in the schema and the
columns that have it. The evaluation in process returns what the SQL does, or None if only
PostgreSQL can decide: the order of texts and case folding depend on the collation of the database.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from operator import ge, gt, le, lt
from typing import Any, Literal

from sqlalchemy import ARRAY, ColumnElement, Text, all_, any_, cast, literal, or_
from sqlalchemy.dialects.postgresql import JSONB

from db.core.table import Column, Expression

Sql = ColumnElement[bool]
Predicate = Callable[[Any, Any], bool | None]  # of values of the type of a column
Family = Literal["equality", "order", "text", "list", "document", "null"]


@dataclass(frozen=True, slots=True)
class Operator:
    """A comparison of a column with a value, a list of values or a flag. Columns have families of
    operators, by their types."""

    family: Family
    description: str
    sql: Callable[[Any, Any], Sql]  # of a column, and a value or values of its type
    matches: Predicate
    shape: Literal["one", "many", "flag"] = "one"


def _ordered(compare: Predicate) -> Predicate:
    def holds(value: object, other: object) -> bool | None:
        if value is None:
            return False
        return None if isinstance(other, str) else compare(value, other)

    return holds


def _ignoring_case(find: Callable[[str, str], bool]) -> Predicate:
    def holds(value: str | None, other: str) -> bool | None:
        if value is None:
            return False
        sure = _folds_alike(value) and _folds_alike(other)
        return find(value.lower(), other.lower()) if sure else None

    return holds


def _folds_alike(text: str) -> bool:
    """True if lowercasing does not depend on the collation; in Turkish that of I does."""
    return text.isascii() and "I" not in text


def _array(column: Column, values: Collection[object]) -> Expression:
    return literal(list(values), ARRAY(column.type))


OPERATORS: Mapping[str, Operator] = {
    "eq": Operator(
        "equality",
        "Equals this value.",
        lambda column, value: column == value,
        lambda value, other: value is not None and value == other,
    ),
    "ne": Operator(
        "equality",
        "Does not equal this value. Nulls match.",
        lambda column, value: column.is_distinct_from(value),
        lambda value, other: value is None or value != other,
    ),
    "in": Operator(
        "equality",
        "Equals one of these values.",
        lambda column, values: column == any_(_array(column, values)),
        lambda value, others: value is not None and value in others,
        "many",
    ),
    "not_in": Operator(
        "equality",
        "Equals none of these values. Nulls match.",
        lambda column, values: or_(column.is_(None), column != all_(_array(column, values))),
        lambda value, others: value is None or value not in others,
        "many",
    ),
    "lt": Operator(
        "order", "Is less than this value.", lambda column, value: column < value, _ordered(lt)
    ),
    "lte": Operator(
        "order",
        "Is less than or equal to this value.",
        lambda column, value: column <= value,
        _ordered(le),
    ),
    "gt": Operator(
        "order", "Is greater than this value.", lambda column, value: column > value, _ordered(gt)
    ),
    "gte": Operator(
        "order",
        "Is greater than or equal to this value.",
        lambda column, value: column >= value,
        _ordered(ge),
    ),
    "contains": Operator(
        "text",
        "Contains this text, ignoring case.",
        lambda column, value: column.icontains(value, autoescape=True),
        _ignoring_case(lambda value, part: part in value),
    ),
    "starts_with": Operator(
        "text",
        "Starts with this text, ignoring case.",
        lambda column, value: column.istartswith(value, autoescape=True),
        _ignoring_case(str.startswith),
    ),
    "has_any": Operator(
        "list",
        "Contains at least one of these values.",
        lambda column, values: column.overlap(list(values)),
        lambda values, others: values is not None and not set(values).isdisjoint(others),
        "many",
    ),
    "has_all": Operator(
        "list",
        "Contains all of these values.",
        lambda column, values: column.contains(list(values)),
        lambda values, others: values is not None and set(values).issuperset(others),
        "many",
    ),
    "has": Operator(
        "document",
        'Has each of these values at the same path: `{"run": {"seed": 7}}` matches documents with '
        "the number 7 as `seed` of `run`, whatever else they have. A list matches a longer one.",
        lambda column, document: column.bool_op("@>")(cast(literal(document, Text), JSONB)),
        lambda _value, _part: None,
    ),
    "is_null": Operator(
        "null",
        "True matches nulls, false matches values other than null.",
        lambda column, value: column.is_(None) if value else column.is_not(None),
        lambda value, wanted: (value is None) is wanted,
        "flag",
    ),
}


def of_family(family: Family) -> tuple[str, ...]:
    return tuple(name for name, operator in OPERATORS.items() if operator.family == family)
