"""Filter: conditions as data, compiled to SQL against an allow-list of columns.

Conditions have two values: a comparison with null is false, `ne` and `notIn` are true for null, and
`Not` is true wherever its condition is not. So each row matches either a filter or its negation.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import (
    Numeric,
    Text,
    and_,
    false,
    func,
    literal_column,
    not_,
    or_,
    select,
    true,
    type_coerce,
)

from db.core import ids
from db.core.errors import Invalid
from db.core.query.operators import OPERATORS, Sql
from db.core.table import AnySelect, Column, Expression, Table, spelled


@dataclass(frozen=True, slots=True)
class Compare:
    """One column against one value; `operator` is a key of OPERATORS."""

    column: str
    operator: str
    value: object


@dataclass(frozen=True, slots=True)
class And:
    """True if all conditions are; true without any."""

    conditions: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """True if one of the conditions is; false without any."""

    conditions: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """True if the condition is not."""

    condition: "Condition"


@dataclass(frozen=True, slots=True)
class Exists:
    """True if at least one related row meets the condition. `singly`: the related rows of each row
    are looked up by themselves, in place of a join that may read all of them."""

    relation: str
    condition: "Condition"
    singly: bool = False


Condition = Compare | And | Or | Not | Exists


def condition_count(condition: Condition) -> int:
    match condition:
        case And(conditions) | Or(conditions) if conditions:
            return sum(map(condition_count, conditions))
        case Not(inner) | Exists(_, inner):
            return condition_count(inner)
        case _:
            return 1


def related(condition: Condition) -> tuple[Exists, ...]:
    match condition:
        case Exists():
            return (condition,)
        case And(conditions) | Or(conditions):
            return tuple(some for part in conditions for some in related(part))
        case Not(inner):
            return related(inner)
        case _:
            return ()


def looked_up_singly(condition: Condition) -> Condition:
    match condition:
        case Exists():
            return replace(condition, singly=True)
        case And(parts) | Or(parts):
            return replace(condition, conditions=tuple(map(looked_up_singly, parts)))
        case Not(inner):
            return Not(looked_up_singly(inner))
    return condition


def columns(condition: Condition) -> frozenset[str] | None:
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


@dataclass(frozen=True, eq=False)
class Filterable:
    """The columns of a table that filters may use, by name, and its relations, one level deep.

    `time` is the column that ids are made from: a condition on it also limits the id, by which
    PostgreSQL prunes partitions.
    """

    columns: Mapping[str, Column]
    relations: Mapping[str, "Relation"] = field(default_factory=dict)
    time: Column | None = None
    id: Column | None = None

    def compile(self, condition: Condition) -> Sql:
        """The condition as SQL. Raises Invalid for a column or depth that is not allowed."""
        match condition:
            case Compare():
                return self._compare(condition)
            case And(conditions):
                return and_(true(), *self._parts(And, conditions))
            case Or(conditions):
                return or_(false(), *self._parts(Or, conditions))
            case Not(inner):
                return not_(func.coalesce(self.compile(inner), false()))
            case Exists(relation, inner, singly):
                return self._related(relation).exists(inner, singly=singly)

    def _parts(
        self, joined: type[And] | type[Or], conditions: tuple[Condition, ...]
    ) -> Iterator[Sql]:
        reaching = tuple(part for part in conditions if related(part))
        names = {some.relation for part in reaching for some in related(part)}
        if len(names) != 1 or len(related(And(reaching))) == 1:
            yield from map(self.compile, conditions)
            return
        yield from (self.compile(part) for part in conditions if part not in reaching)
        yield self._related(*names).exists_jointly(joined(reaching), self)

    def holds(self, condition: Condition, record: Table) -> bool | None:
        """True if a record meets the condition; None if only PostgreSQL can decide."""
        match condition:
            case Compare(name, operator, value):
                return OPERATORS[operator].matches(getattr(record, self.columns[name].name), value)
            case And(conditions):
                return _all_true([self.holds(part, record) for part in conditions])
            case Or(conditions):
                return _any_true([self.holds(part, record) for part in conditions])
            case Not(inner):
                held = self.holds(inner, record)
                return None if held is None else not held
            case Exists():
                return None

    def _compare(self, condition: Compare) -> Sql:
        column = self.columns.get(condition.column)
        if column is None:
            raise Invalid(f"There is no filter on {condition.column}.", condition.column)
        sql = OPERATORS[condition.operator].sql(
            _comparable_column(column), _normalized_value(column, condition)
        )
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
    """Rows of another table that belong to a row: the join condition `on`, and the filters of
    `target`, which is called late because two tables may refer to each other. `many` if a row has
    several.
    """

    on: Callable[[], Sql]
    target: Callable[[], Filterable]
    many: bool = False

    def exists(self, condition: Condition, *, singly: bool = False) -> Sql:
        """PostgreSQL does not join a subquery with an offset."""
        rows: AnySelect = select(literal_column("1")).where(self.on(), self._compiled(condition))
        return (rows.offset(0) if singly else rows).exists()

    def exists_jointly(self, condition: Condition, of: Filterable) -> Sql:
        """Several conditions on related rows in one subquery: PostgreSQL plans each subquery for
        all partitions, and in every join order."""
        some = or_(*(self._compiled(part.condition) for part in related(condition)))
        whole = _Aggregated(of.columns, of.relations, of.time, of.id).compile(condition)
        rows = select(func.count(self.target().id)).where(self.on(), some)
        return rows.having(whole).exists()

    def aggregate(self, condition: Condition) -> Sql:
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


def _comparable_column(column: Column) -> Expression:
    """The column in the normalized form of its check, and numbers without a scale: a value cast to
    numeric(5,2) would be rounded, or rejected as too large."""
    if isinstance(column.type, Numeric):
        return type_coerce(column, Numeric())
    return spelled(column)


def is_constant(column: Column, operator: str, value: object) -> bool:
    """True if the value of a comparison is a constant in its statement: one of few choices. So
    PostgreSQL plans it once, and uses partial indexes."""
    return operator in ("eq", "ne") and value in tuple(column.info.get("choices", ()))


def _normalized_value(column: Column, condition: Compare) -> object:
    check, value = column.info.get("check"), condition.value
    if is_constant(column, condition.operator, value):
        return literal_column(f"'{value}'", Text())
    if check is None or check.spelled is None or condition.operator == "is_null":
        return value
    return tuple(map(check.clean, value)) if isinstance(value, tuple) else check.clean(value)


def _all_true(parts: list[bool | None]) -> bool | None:
    if False in parts:
        return False
    return None if None in parts else True


def _any_true(parts: list[bool | None]) -> bool | None:
    if True in parts:
        return True
    return None if None in parts else False


def id_bounds(id: Column, operator: str, value: Any) -> list[Sql]:  # times, as in `Operator`
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
