"""Table: the base class of tables, common column types, and records.

A table is a SQLAlchemy class that is never instantiated. Statements refer to its columns, and rows
are read as `Record`, a named tuple of the columns. For mypy a record of `Dream` is a `Dream`, so
its fields have the types of the columns.
"""

from collections import namedtuple
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, TypedDict, TypeVar, Unpack, cast
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ColumnElement,
    DateTime,
    Index,
    MetaData,
    Numeric,
    Select,
    Sequence,
    Text,
    TextClause,
    Uuid,
    func,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import (
    DeclarativeBase,
    InstrumentedAttribute,
    Mapped,
    MappedColumn,
    mapped_column,
)
from sqlalchemy.types import TypeEngine

from db.core.values import validation
from db.core.values.json import JsonObject as JsonObject
from db.core.values.validation import Check

T = TypeVar("T")  # the type of the attribute of a column
ANY_TABLE = "*"  # what a column `refers` to if its ids are of several tables

type_map = {
    str: Text,
    UUID: Uuid,
    datetime: DateTime(timezone=True),
    list[str]: ARRAY(Text),
    JsonObject: JSONB,
}

convention = {
    "pk": "pk_%(table_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
}

Id = Annotated[UUID, mapped_column(primary_key=True)]
CreatedAt = Annotated[datetime, mapped_column(server_default=func.now())]
UpdatedAt = Annotated[datetime, mapped_column(server_default=func.now())]
Count = Annotated[int, mapped_column(BigInteger)]
Score = Annotated[Decimal, mapped_column(Numeric(5, 2), info={"check": validation.PERCENT})]
Money = Annotated[Decimal, mapped_column(Numeric(10, 6), info={"money": True})]
Texts = Annotated[list[str], mapped_column(server_default=text("'{}'"))]
Json = Annotated[JsonObject, mapped_column(server_default=text("'{}'"))]


# The types of these columns, expressions and statements are known only at run time.
Column = InstrumentedAttribute[Any]
Expression = ColumnElement[Any]
AnySelect = Select[*tuple[Any, ...]]
Row = dict[str, Any]  # the values of columns, by name, each of the type of its column
Values = Mapping[str, object]


class ColumnOptions(TypedDict, total=False):
    """Arguments of `mapped_column`."""

    name: str
    type_: type[TypeEngine[object]] | TypeEngine[Decimal]
    primary_key: bool
    index: bool
    unique: bool
    server_default: str | TextClause
    sort_order: int


class Table(DeclarativeBase):
    """Base of every table."""

    metadata = MetaData(naming_convention=convention)
    type_annotation_map = type_map

    if TYPE_CHECKING:
        id: Mapped[UUID]  # of every noun; few other tables have none

    Record: ClassVar[type[Any]]  # its fields are made from the columns
    checks: ClassVar[Mapping[str, Check]]  # by column name
    parent: ClassVar[str | None] = None  # the column with the id of the parent, for its subscribers

    def __init_subclass__(cls, **keywords: object) -> None:
        super().__init_subclass__(**keywords)
        if "__abstract__" in cls.__dict__:  # columns that several tables begin with
            return
        cls.Record = namedtuple(cls.__name__, [column.name for column in cls.columns()])  # type: ignore[misc]  # made from the columns
        columns = cls.__table__.columns
        cls.checks = {c.name: c.info["check"] for c in columns if "check" in c.info}

    @classmethod
    def cleaned(cls, values: Values) -> Row:
        """Normalize values of columns. Raises Invalid with all errors."""
        validation.raise_if_invalid(validation.field_errors(cls.checks, values))
        sent = [name for name in cls.checks if values.get(name) is not None]
        return {**values, **{name: cls.checks[name].clean(values[name]) for name in sent}}

    @classmethod
    def columns(cls) -> list[Column]:
        """The columns of a record: all but hidden ones, which only serve searches."""
        shown = [column for column in cls.__table__.columns if not column.info.get("hidden")]
        return [cls.__mapper__.get_property_by_column(c).class_attribute for c in shown]

    @classmethod
    def select(cls) -> AnySelect:
        return select(*cls.columns())

    @classmethod
    def records(cls, rows: Iterable[Iterable[object]]) -> list[Self]:
        return list(map(cls.Record._make, rows))


TableT = TypeVar("TableT", bound=Table)


def choice(values: type[StrEnum], column: str, **options: Unpack[ColumnOptions]) -> MappedColumn[T]:
    names = ", ".join(f"'{value}'" for value in values)
    constraint = CheckConstraint(f"{column} in ({names})", name=column)
    info = {"choices": values, "check": validation.one_of(tuple(values), said="")}
    return mapped_column(Text, constraint, info=info, **options)


def checked(check: Check, **options: Unpack[ColumnOptions]) -> MappedColumn[T]:
    return mapped_column(info={"check": check}, **options)


def referred(column: Column) -> type[Table] | None:
    """The table whose ids a column holds: its own, that of its foreign key, or, for a column that
    cannot have one, that of `refers`; None if they are of several."""
    keys = [key.column.table.name for key in column.property.columns[0].foreign_keys]
    name = column.info.get("refers") or next(iter(keys), column.table.name)
    return None if name == ANY_TABLE else _table_named(name)


@cache
def tables_referred() -> Mapping[str, Mapping[str, type[Table]]]:
    """The tables whose ids the columns of each table hold, by its name and that of the column."""
    tables = [mapper.class_ for mapper in Table.registry.mappers]
    return {table.__tablename__: dict(_references(table)) for table in tables}


def _references(table: type[Table]) -> Iterator[tuple[str, type[Table]]]:
    for column in table.columns():
        if isinstance(column.type, Uuid) and (other := referred(column)):
            yield column.name, other


def tables_in(column: Column) -> Mapping[str, type[Table]]:
    """The tables whose ids are in a document, by name in it."""
    return {name: _table_named(table) for name, table in column.info.get("ids", {}).items()}


def _table_named(name: str) -> type[Table]:
    return next(m.class_ for m in Table.registry.mappers if m.class_.__tablename__ == name)


def spelled(column: Column) -> Expression:
    check: Check | None = column.info.get("check")
    if check and check.spelled:
        return check.spelled(column)
    return cast("Expression", column)  # it has the same operators


def documents(column: str) -> Index:
    """An index of the values in JSON documents, by path."""
    return Index(None, column, postgresql_using="gin", postgresql_ops={column: "jsonb_path_ops"})


def percent(column: str) -> CheckConstraint:
    return CheckConstraint(f"{column} between 0 and 100", name=column)


def sequence(name: str) -> MappedColumn[int]:
    """A column with a sequence of its own: identity columns of partitioned tables need
    PostgreSQL 17."""
    numbers = Sequence(name, metadata=Table.metadata)
    return mapped_column(BigInteger, numbers, server_default=numbers.next_value(), index=True)
