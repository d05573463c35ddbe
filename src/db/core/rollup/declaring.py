"""Declaring: what a rollup sums up, by what, and of which rows."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeAlias

from sqlalchemy import CTE, BigInteger, ColumnElement, case, cast, func, literal, select, true
from sqlalchemy.orm import Mapped, mapped_column

from db.core.query.time_range import Bucket
from db.core.rollup.periods import start_sql
from db.core.session.row_rules import Visibility
from db.core.table import AnySelect, Column, Expression, Table, checked
from db.core.values import validation

Combine: TypeAlias = Callable[[Expression], Expression]
AT = "at"  # the column of a time in the period of a piece

WIDTH = validation.one_of(tuple(Bucket), said="")


class RollupTable(Table):
    """The columns that every rollup begins with: the width of a period, and its start."""

    __abstract__ = True

    width: Mapped[str] = checked(WIDTH, primary_key=True, sort_order=-3)
    period: Mapped[datetime] = mapped_column(primary_key=True, sort_order=-2)


@dataclass(frozen=True, slots=True)
class Measure:
    """A column of sums: its value for one row, and the function that combines values."""

    of_row: Expression
    combine: Combine


def _sum(values: Expression) -> Expression:
    return func.sum(values)


def _count(values: Expression) -> Expression:
    return cast(func.sum(values), BigInteger)


def summed(value: Expression | Column) -> Measure:
    return Measure(value.expression, _sum)


def squared(value: Expression | Column) -> Measure:
    """The sum of squares of values that are known. It is null while one of its parts is: an earlier
    version computes sums without it."""
    return Measure(value * value, _known_sum)


def _known_sum(values: Expression) -> Expression:
    return case((func.count() == func.count(values), func.sum(values)))


def counted(number: Expression | None = None) -> Measure:
    """The number of rows, or the sum of whole numbers."""
    return Measure(literal(1, BigInteger) if number is None else number, _count)


def least(value: Expression | Column) -> Measure:
    return Measure(value.expression, func.min)


def greatest(value: Expression | Column) -> Measure:
    return Measure(value.expression, func.max)


class Link(Protocol):
    """Pieces with what lies between them, never across values of the columns `within`."""

    def __call__(self, pieces: CTE, within: Sequence[str], /) -> AnySelect: ...  # type: ignore[explicit-any]  # as AnySelect


@dataclass(frozen=True, slots=True)
class Parent:
    """The row of another table that each row belongs to: the column with its id, its table, and the
    keys of the rollup that depend on it."""

    id: Column
    table: type[Table]
    keys: Collection[str]


@dataclass(frozen=True, eq=False)
class Rollup:
    """Sums of the rows of `source` in `table`, by period, `keys` and nothing else.

    `widths` are those of its periods, shortest first; longer ones are computed from the shortest.
    `time` is the column that ids are made from. The row rule of `table` hides the sums of rows of
    some parents, also from viewers who see these: the rows of `hidden` ones are read as they are.

    Where the rows of two periods have more to add together than each by itself, `linked` adds it.
    """

    table: type[RollupTable]
    source: type[Table]
    time: Column
    widths: tuple[Bucket, ...]
    keys: Mapping[str, Column | Expression]
    measures: Mapping[str, Measure]
    parent: Parent | None = None
    where: Sequence[ColumnElement[bool]] = ()
    hidden: Callable[[Visibility], ColumnElement[bool]] | None = None
    linked: Link | None = None

    @property
    def name(self) -> str:
        return str(self.table.__tablename__)

    @property
    def at(self) -> Expression:
        """The time of a row in a piece; where pieces are linked, the start of its period."""
        return self.time.expression if self.linked is None else start_sql(self.time, self.shortest)

    @property
    def shortest(self) -> Bucket:
        return self.widths[0]

    @property
    def names(self) -> list[str]:
        return [*self.keys, *self.measures]

    def columns(self) -> list[Column]:
        return [getattr(self.table, name) for name in self.names]

    def rows(self, *others: Expression | Column) -> AnySelect:
        """The rows of the source as sums of one row each, after `others`."""
        rows = self._selected(others, self.keys)
        return rows.join(of.table, of.table.id == of.id) if (of := self.parent) else rows

    def few_rows(self, *others: Expression | Column) -> AnySelect:
        """`rows`, with a lookup of the parent of each: PostgreSQL would read all parents instead,
        but does not look into a subquery with an offset."""
        of = self.parent
        if of is None:
            return self.rows(*others)
        keys = (self.keys[name].label(name) for name in of.keys)
        parent = select(*keys).where(of.table.id == of.id).offset(0).lateral("parent")
        found = {name: parent.c[name] for name in of.keys}
        return self._selected(others, {**self.keys, **found}).join(parent, true())

    def _selected(
        self, others: Sequence[Expression | Column], keys: Mapping[str, Column | Expression]
    ) -> AnySelect:
        measures = [each.of_row.label(name) for name, each in self.measures.items()]
        named = [key.label(name) for name, key in keys.items()]
        return select(*others, *named, *measures).select_from(self.source).where(*self.where)

    def combine(self, name: str, column: Expression) -> Expression:
        return self.measures[name].combine(column).label(name)

    def reads_hidden(self, visibility: Visibility) -> bool:
        return self.hidden is not None and not visibility.shared
