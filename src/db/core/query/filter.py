"""Filters: conditions as data, compiled to SQL against an allow-list of columns.

Conditions are two-valued: a comparison with null is false, `ne` and `notIn` hold for null, and
`Not` turns everything that is not true into true. So a filter and its negation share no row and
miss none.
"""

from collections.abc import Callable, Iterator, Mapping
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
    select,
    true,
    type_coerce,
)
from sqlalchemy.orm import InstrumentedAttribute

from db.core import ids
from db.core.errors import Invalid
from db.core.query.filter_eval import PREDICATES, all_true, any_true
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
class And:
    """Every condition holds; with none it holds for every row."""

    conditions: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one condition holds; with none it holds for no row."""

    conditions: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The condition does not hold."""

    condition: "Condition"


@dataclass(frozen=True, slots=True)
class Exists:
    """At least one related row fulfils the condition."""

    relation: str
    condition: "Condition"


Condition = Compare | And | Or | Not | Exists


def condition_count(condition: Condition) -> int:
    """The number of comparisons and empty conditions in a condition."""
    match condition:
        case And(conditions) | Or(conditions) if conditions:
            return sum(map(condition_count, conditions))
        case Not(inner) | Exists(_, inner):
            return condition_count(inner)
        case _:
            return 1


def related(condition: Condition) -> tuple[Exists, ...]:
    """The conditions on related rows in a condition."""
    match condition:
        case Exists():
            return (condition,)
        case And(conditions) | Or(conditions):
            return tuple(some for part in conditions for some in related(part))
        case Not(inner):
            return related(inner)
        case _:
            return ()


def columns(condition: Condition) -> frozenset[str] | None:
    """The columns that a condition is about; None where related rows matter as well."""
    match condition:
        case Compare(name):
            return frozenset({name})
        case And(conditions) | Or(conditions):
            parts = [columns(part) for part in conditions]
            return None if None in parts else frozenset().union(*filter(None, parts))
        case Not(inner):
            return columns(inner)
        case Exists():
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
            case And(conditions):
                return and_(true(), *self._parts(And, conditions))
            case Or(conditions):
                return or_(false(), *self._parts(Or, conditions))
            case Not(inner):
                return not_(func.coalesce(self.compile(inner), false()))
            case Exists(relation, inner):
                return self._related(relation).exists(inner)

    def _parts(
        self, joined: type[And] | type[Or], conditions: tuple[Condition, ...]
    ) -> Iterator[Sql]:
        """Parts about related rows are compiled together, if there are several."""
        reaching = tuple(part for part in conditions if related(part))
        names = {some.relation for part in reaching for some in related(part)}
        if len(names) != 1 or len(related(And(reaching))) == 1:
            yield from map(self.compile, conditions)
            return
        yield from (self.compile(part) for part in conditions if part not in reaching)
        yield self._related(*names).exists_jointly(joined(reaching), self)

    def holds(self, condition: Condition, record: Any) -> bool | None:
        """Whether the condition holds for one record; None where only PostgreSQL can tell."""
        match condition:
            case Compare(name, operator, value):
                return PREDICATES[operator](getattr(record, self.columns[name].name), value)
            case And(conditions):
                return all_true([self.holds(part, record) for part in conditions])
            case Or(conditions):
                return any_true([self.holds(part, record) for part in conditions])
            case Not(inner):
                held = self.holds(inner, record)
                return None if held is None else not held
            case Exists():
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
            raise Invalid("A filter can follow only one relation.", name)
        return self.relations[name]


@dataclass(frozen=True)
class Relation:
    """Rows of another table that belong to a row: `on` joins them, `target` says what may be asked.

    `target` is called when a filter is compiled, because two tables may each lead to the other.
    """

    on: Callable[[], Sql]
    target: Callable[[], Filterable]

    def exists(self, condition: Condition) -> Sql:
        """That a related row fulfils a condition; their own relations are out of reach."""
        return exists().where(self.on(), self._compiled(condition))

    def exists_jointly(self, condition: Condition, of: Filterable) -> Sql:
        """A condition with several parts about related rows, in one subquery: PostgreSQL plans each
        subquery for all partitions, and every order of joining them."""
        some = or_(*(self._compiled(part.condition) for part in related(condition)))
        whole = _Aggregated(of.columns, of.relations, of.time, of.id).compile(condition)
        rows = select(func.count(self.target().id)).where(self.on(), some)
        return rows.having(whole).exists()

    def aggregate(self, condition: Condition) -> Sql:
        """That one of the rows of a group fulfils a condition."""
        return func.coalesce(func.bool_or(self._compiled(condition)), false())

    def _compiled(self, condition: Condition) -> Sql:
        target = self.target()
        shallow = Filterable(target.columns, time=target.time, id=target.id)
        return shallow.compile(condition)


class _Aggregated(Filterable):
    """Compiles a condition for a group of related rows."""

    def compile(self, condition: Condition) -> Sql:
        if isinstance(condition, Exists):
            return self._related(condition.relation).aggregate(condition.condition)
        return super().compile(condition)

    def _parts(
        self, _joined: type[And] | type[Or], conditions: tuple[Condition, ...]
    ) -> Iterator[Sql]:
        yield from map(self.compile, conditions)


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
    if operator == "in" and value:
        return id_bounds(id, "gte", min(value)) + id_bounds(id, "lte", max(value))
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
