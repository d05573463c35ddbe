"""Rows: those of one month as lines for a file, and batches of a file as rows again.

A file has the columns of the table. JSON is kept as its text, and everything else in a type of
Parquet that holds each of its values.
"""

from collections.abc import AsyncGenerator, Iterator, Sequence
from pathlib import Path

import sqlalchemy
from sqlalchemy import (
    ARRAY,
    JSON,
    Boolean,
    DateTime,
    Integer,
    Numeric,
    TableClause,
    Text,
    cast,
    column,
    func,
    insert,
    select,
)

from db.core.errors import Invalid
from db.core.ingest.statements import core_table, recordset
from db.core.session.database import Database, ReadSession, WriteSession
from db.core.table import Expression, Row, Table
from db.core.values import json
from db.exporter.columns import ColumnType, ExportColumn, flat_line
from db.exporter.formats import MISSING, ParquetEncoder

AnyColumn = sqlalchemy.Column[object]

ROWS_AT_ONCE = 500
PLACES = 6

TYPES: Sequence[tuple[type, ColumnType]] = (
    (Numeric, ColumnType.DECIMAL),
    (Integer, ColumnType.INTEGER),
    (DateTime, ColumnType.TIME),
    (Boolean, ColumnType.BOOLEAN),
    (ARRAY, ColumnType.TEXTS),
    (JSON, ColumnType.OBJECT),
)


def stored_columns(table: type[Table]) -> list[AnyColumn]:
    return [each for each in core_table(table).columns if each.computed is None]


def month_table(table: type[Table], name: str) -> TableClause:
    """A month of a table by its name, attached or not."""
    return sqlalchemy.table(name, *(column(c.name, c.type) for c in stored_columns(table)))


async def chunks(database: Database, table: type[Table], name: str) -> AsyncGenerator[bytes, None]:
    """The file of the rows of a month, in the order of their ids. Raises as sessions do, and
    Invalid without PyArrow."""
    month = month_table(table, name)
    columns = [_exported(each, month) for each in stored_columns(table)]
    file, line = ParquetEncoder(columns), flat_line(table.__tablename__, columns)
    async with database.snapshot() as session:
        yield file.begin()
        statement = select(line).order_by(month.c.id)
        async for rows in session.batches(statement, ROWS_AT_ONCE):
            if chunk := await file.add([text for (text,) in rows]):
                yield chunk
    yield await file.end()


def batches(path: Path) -> Iterator[list[Row]]:
    """The rows of a file. Raises Invalid without PyArrow."""
    try:
        from pyarrow import parquet  # type: ignore[import-untyped]  # it has no types
    except ImportError as error:
        raise Invalid(MISSING) from error
    with parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=ROWS_AT_ONCE):
            yield batch.to_pylist()


async def equal_rows(
    session: ReadSession, table: type[Table], name: str, rows: Sequence[Row]
) -> int:
    """The number of rows that are in a month with the same bytes in each column."""
    month, values = month_table(table, name), _values(table, rows)
    items = values["id"].table
    stored = func.row(*(month.c[name] for name in values))
    same = func.record_image_eq(func.row(*values.values()), stored)
    joined = items.join(month, month.c.id == items.c.id)
    found: int = await session.scalar(select(func.count()).select_from(joined).where(same))
    return found


async def count_rows(session: ReadSession, name: str) -> int:
    count: int = await session.scalar(select(func.count()).select_from(sqlalchemy.table(name)))
    return count


async def store_rows(
    session: WriteSession, table: type[Table], name: str, rows: Sequence[Row]
) -> None:
    """Insert rows of a file into a month that is detached."""
    values = _values(table, rows)
    chosen = select(*values.values())
    await session.execute(insert(month_table(table, name)).from_select(list(values), chosen))


def _exported(of_table: AnyColumn, month: TableClause) -> ExportColumn:
    value: Expression = month.c[of_table.name]
    types = (kind for sort, kind in TYPES if isinstance(of_table.type, sort))
    kind = next(types, ColumnType.TEXT)
    if kind is ColumnType.TEXT:
        value = cast(value, Text)
    places = getattr(of_table.type, "scale", None)
    return ExportColumn(of_table.name, kind, value, PLACES if places is None else places)


def _values(table: type[Table], rows: Sequence[Row]) -> dict[str, Expression]:
    """The values of the columns that a file has, in the types of the table."""
    columns = {each.name: each for each in stored_columns(table) if each.name in rows[0]}
    is_json = {name: isinstance(each.type, JSON) for name, each in columns.items()}
    read = [column(name, Text() if is_json[name] else columns[name].type) for name in columns]
    text = json.dumps(rows).decode()
    items = recordset(*read, text=sqlalchemy.literal(text, Text))
    return {
        name: cast(items.c[name], columns[name].type) if is_json[name] else items.c[name]
        for name in columns
    }
