"""Operators: the comparisons of filters, each with its SQL, its evaluation in process and its
description in the schema."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from operator import ge, gt, le, lt
from typing import Any, Literal

from sqlalchemy import ARRAY, ColumnElement, all_, any_, literal, or_

from db.core.query.filter_eval import Predicate, ignoring_case, ordered
from db.core.table import Column, Expression

Sql = ColumnElement[bool]


@dataclass(frozen=True, slots=True)
class Operator:
    """A comparison of a column with a value, a list of values or a flag. `matches` returns what
    `sql` does, or None if only PostgreSQL can tell."""

    description: str
    sql: Callable[[Any, Any], Sql]  # Any: a column, and a value or values of its type
    matches: Predicate
    shape: Literal["one", "many", "flag"] = "one"


def _array(column: Column, values: Collection[object]) -> Expression:
    return literal(list(values), ARRAY(column.type))


OPERATORS: Mapping[str, Operator] = {
    "eq": Operator(
        "Equals this value.",
        lambda column, value: column == value,
        lambda value, other: value is not None and value == other,
    ),
    "ne": Operator(
        "Does not equal this value. Nulls match.",
        lambda column, value: column.is_distinct_from(value),
        lambda value, other: value is None or value != other,
    ),
    "in": Operator(
        "Equals one of these values.",
        lambda column, values: column == any_(_array(column, values)),
        lambda value, others: value is not None and value in others,
        "many",
    ),
    "not_in": Operator(
        "Equals none of these values. Nulls match.",
        lambda column, values: or_(column.is_(None), column != all_(_array(column, values))),
        lambda value, others: value is None or value not in others,
        "many",
    ),
    "lt": Operator("Is less than this value.", lambda column, value: column < value, ordered(lt)),
    "lte": Operator(
        "Is less than or equal to this value.",
        lambda column, value: column <= value,
        ordered(le),
    ),
    "gt": Operator(
        "Is greater than this value.", lambda column, value: column > value, ordered(gt)
    ),
    "gte": Operator(
        "Is greater than or equal to this value.",
        lambda column, value: column >= value,
        ordered(ge),
    ),
    "contains": Operator(
        "Contains this text, ignoring case.",
        lambda column, value: column.icontains(value, autoescape=True),
        ignoring_case(lambda value, part: part in value),
    ),
    "starts_with": Operator(
        "Starts with this text, ignoring case.",
        lambda column, value: column.istartswith(value, autoescape=True),
        ignoring_case(str.startswith),
    ),
    "has_any": Operator(
        "Contains at least one of these values.",
        lambda column, values: column.overlap(list(values)),
        lambda values, others: values is not None and not set(values).isdisjoint(others),
        "many",
    ),
    "has_all": Operator(
        "Contains all of these values.",
        lambda column, values: column.contains(list(values)),
        lambda values, others: values is not None and set(values).issuperset(others),
        "many",
    ),
    "is_null": Operator(
        "True matches nulls, false matches values other than null.",
        lambda column, value: column.is_(None) if value else column.is_not(None),
        lambda value, wanted: (value is None) is wanted,
        "flag",
    ),
}
