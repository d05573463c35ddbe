"""Filters: conditions as data, compiled to SQL against an allow-list of columns.

Conditions are two-valued: a comparison with null is false, `ne` and `notIn` hold for null, and
`Not` turns everything that is not true into true. So a filter and its negation share no row and
miss none.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Numeric,
    all_,
    and_,
    any_,
    exists,
    false,
    func,
    literal,
    not_,
    or_,
    true,
    type_coerce,
)
from sqlalchemy.orm import InstrumentedAttribute

from db.core import ids
from db.core.compare import HOLDS, all_hold, any_holds
from db.core.errors import Invalid
from db.core.table import spelled

Column = InstrumentedAttribute[Any]
Sql = ColumnElement[bool]


@dataclass(frozen=True, slots=True)
class Compare:
    """One column against one value; `operator` is a key of OPERATORS."""

    column: str
    operator: str
    value: Any


@dataclass(frozen=True, slots=True)
class All:
    """Every condition holds; with none it holds for every row."""

    conditions: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Either:
    """At least one condition holds; with none it holds for no row."""

    conditions: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The condition does not hold."""

    condition: "Condition"


@dataclass(frozen=True, slots=True)
class Some:
    """At least one related row fulfils the condition."""

    relation: str
    condition: "Condition"


Condition = Compare | All | Either | Not | Some


def size(condition: Condition) -> int:
    """How many comparisons a condition is made of."""
    match condition:
        case Compare():
            return 1
        case All(conditions) | Either(conditions):
            return sum(map(size, conditions))
        case Not(inner) | Some(_, inner):
            return size(inner)


def columns(condition: Condition) -> frozenset[str] | None:
    """The columns that a condition is about; None where related rows matter as well."""
    match condition:
        case Compare(name):
            return frozenset({name})
        case All(conditions) | Either(conditions):
            parts = [columns(part) for part in conditions]
            return None if None in parts else frozenset().union(*filter(None, parts))
        case Not(inner):
            return columns(inner)
        case Some():
            return None


@dataclass(frozen=True)
class Filterable:
    """What may be asked of a table: its columns by name, and its relations one level deep.

    `time` is the column that ids are made from: a condition on it also bounds the id, which is
    what PostgreSQL prunes partitions by.
    """

    columns: Mapping[str, Column]
    relations: Mapping[str, "Relation"] = field(default_factory=dict)
    time: Column | None = None
    id: Column | None = None

    def compile(self, condition: Condition) -> Sql:
        """The condition as SQL. Raises Invalid for a column, operator or depth not allowed."""
        match condition:
            case Compare():
                return self._compare(condition)
            case All(conditions):
                return and_(true(), *map(self.compile, conditions))
            case Either(conditions):
                return or_(false(), *map(self.compile, conditions))
            case Not(inner):
                return not_(func.coalesce(self.compile(inner), false()))
            case Some(relation, inner):
                return self._related(relation).exists(inner)

    def holds(self, condition: Condition, record: Any) -> bool | None:
        """Whether the condition holds for one record; None where only PostgreSQL can tell."""
        match condition:
            case Compare(name, operator, value):
                return HOLDS[operator](getattr(record, self.columns[name].name), value)
            case All(conditions):
                return all_hold([self.holds(part, record) for part in conditions])
            case Either(conditions):
                return any_holds([self.holds(part, record) for part in conditions])
            case Not(inner):
                held = self.holds(inner, record)
                return None if held is None else not held
            case Some():
                return None

    def _compare(self, condition: Compare) -> Sql:
        column = self.columns.get(condition.column)
        if column is None:
            raise Invalid(f"There is no filter on {condition.column}.", condition.column)
        sql = OPERATORS[condition.operator](_comparable(column), _spelled(column, condition))
        return and_(sql, *self._id_bounds(column, condition))

    def _id_bounds(self, column: Column, condition: Compare) -> list[Sql]:
        if column is not self.time or self.id is None:
            return []
        return id_bounds(self.id, condition.operator, condition.value)

    def _related(self, name: str) -> "Relation":
        if name not in self.relations:
            raise Invalid("Filters reach through one relation, not further.", name)
        return self.relations[name]


@dataclass(frozen=True)
class Relation:
    """Rows of another table that belong to a row: `on` joins them, `target` says what may be asked.

    `target` is called when a filter is compiled, because two tables may each lead to the other.
    """

    on: Callable[[], Sql]
    target: Callable[[], Filterable]

    def exists(self, condition: Condition) -> Sql:
        """A condition on the related rows; their own relations are out of reach."""
        target = self.target()
        shallow = Filterable(target.columns, time=target.time, id=target.id)
        return exists().where(self.on(), shallow.compile(condition))


def _comparable(column: Column) -> Any:
    """The column, compared in the spelling of its check, and with numbers as they are: a value cast
    to numeric(5,2) would be rounded first, or refused as too large."""
    if isinstance(column.type, Numeric):
        return type_coerce(column, Numeric())
    return spelled(column)


def _spelled(column: Column, condition: Compare) -> Any:
    """The value that a column is compared with, in the spelling of its check."""
    check, value = column.info.get("check"), condition.value
    if check is None or check.spelled is None or condition.operator == "is_null":
        return value
    return tuple(map(check.clean, value)) if isinstance(value, tuple) else check.clean(value)


def _array(column: Column, values: Any) -> Any:
    return literal(list(values), ARRAY(column.type))


OPERATORS: Mapping[str, Callable[[Column, Any], Sql]] = {
    "eq": lambda column, value: column == value,
    "ne": lambda column, value: column.is_distinct_from(value),
    "in": lambda column, values: column == any_(_array(column, values)),
    "not_in": lambda column, values: or_(column.is_(None), column != all_(_array(column, values))),
    "lt": lambda column, value: column < value,
    "lte": lambda column, value: column <= value,
    "gt": lambda column, value: column > value,
    "gte": lambda column, value: column >= value,
    "contains": lambda column, value: column.icontains(value, autoescape=True),
    "starts_with": lambda column, value: column.istartswith(value, autoescape=True),
    "is_null": lambda column, value: column.is_(None) if value else column.is_not(None),
    "has_any": lambda column, values: column.overlap(list(values)),
    "has_all": lambda column, values: column.contains(list(values)),
}


def id_bounds(id: Column, operator: str, value: Any) -> list[Sql]:
    """The bounds that a condition on a row's time puts on its id."""
    if operator not in ("eq", "lt", "lte", "gt", "gte"):
        return []
    start, end = ids.floor(value), ids.floor(value + timedelta(microseconds=1))
    bounds: dict[str, list[Sql]] = {
        "eq": [id >= start, id < end],
        "lt": [id < start],
        "lte": [id < end],
        "gt": [id >= end],
        "gte": [id >= start],
    }
    return bounds[operator]
