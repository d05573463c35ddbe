"""Batch: the statements behind loaders, one for any number of keys.

A key is a value of one column, or a tuple of values of several. Keys are sent as one array per
column, so the text of a statement does not depend on their number.
"""

from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    TableValuedAlias,
    bindparam,
    column,
    func,
    literal,
    literal_column,
    select,
    tuple_,
)

from db.core.query.projection import NOT_NESTED, Nested, Projection
from db.core.session.database import ReadSession, ResultRow
from db.core.table import AnySelect, Column as Column, Expression, Table, TableT
from db.core.timeouts import Kind, of_kind

Columns = tuple[Column, ...]
Key = Hashable
K = TypeVar("K", bound=Hashable)
ENDS = ("keys_first", "keys_last")


def requested_keys(columns: Columns, keys: Sequence[Key]) -> TableValuedAlias:
    """The keys as a table with the columns k0, k1 … and `position`, from 1."""
    return _unnested(
        columns,
        [
            literal(values, ARRAY(key_column.type))
            for values, key_column in zip(arrays_of(keys, len(columns)), columns, strict=True)
        ],
    )


def key_parameters(columns: Columns) -> TableValuedAlias:
    """The table of keys of a statement that is compiled once: the arrays are the parameters keys_0,
    keys_1 … They are subqueries, so that PostgreSQL does not plan for the number of keys, which it
    would do for each execution."""
    return _unnested(
        columns,
        [
            select(bindparam(f"keys_{index}", type_=ARRAY(key_column.type))).scalar_subquery()
            for index, key_column in enumerate(columns)
        ],
    )


def ends_of_keys(ids: Sequence[UUID]) -> dict[str, object]:
    """The parameters keys_first and keys_last of `select_by_key`."""
    return dict(zip(ENDS, (min(ids), max(ids)), strict=True))


def key_values(keys: Sequence[Key], width: int) -> dict[str, object]:
    """The parameters of a statement with `key_parameters`."""
    return {f"keys_{index}": values for index, values in enumerate(arrays_of(keys, width))}


def arrays_of(keys: Sequence[Key], width: int) -> list[list[object]]:
    """The values of keys of `width` columns, as one array per column."""
    if width == 1:
        return [[key[0] if isinstance(key, tuple) else key for key in keys]]
    rows = [key for key in keys if isinstance(key, tuple)]
    return [[row[index] for row in rows] for index in range(width)]


def _unnested(columns: Columns, arrays: Sequence[Expression]) -> TableValuedAlias:
    names = [column(f"k{index}", key_column.type) for index, key_column in enumerate(columns)]
    table = func.unnest(*arrays).table_valued(*names, with_ordinality="position", name="wanted")
    return table.render_derived()


def matches(columns: Columns, keys: TableValuedAlias) -> list[ColumnElement[bool]]:
    return [key_column == keys.c[f"k{index}"] for index, key_column in enumerate(columns)]


def within(columns: Columns, keys: Sequence[Expression | Column]) -> list[ColumnElement[bool]]:
    """`matches` as ranges, for statements sorted by these columns: PostgreSQL drops a column
    compared with `=` from the sort order."""
    row, key = tuple_(*columns), tuple_(*keys)
    return [row >= key, row <= key]


def parts_of(keys: TableValuedAlias, width: int) -> list[Expression]:
    return [keys.c[f"k{index}"] for index in range(width)]


def select_by_key(
    projection: Projection, columns: Columns, nested: Nested = NOT_NESTED
) -> AnySelect:
    """Select the rows with the keys of `key_parameters`, and ids between the parameters keys_first
    and keys_last. The last column is the key's position."""
    asked = key_parameters(columns)
    among = matches(columns, asked)
    if _are_ids(projection.table, columns):
        id = projection.table.id
        among += _between(id, *(bindparam(name, type_=id.type) for name in ENDS))
    selected = select(*projection.selected(nested), asked.c.position)
    return selected.select_from(projection.table).where(*among)


def select_one(projection: Projection, column: Column, nested: Nested = NOT_NESTED) -> AnySelect:
    """`select_by_key` for one key, the parameter keys_0, which PostgreSQL plans faster."""
    key: Expression = bindparam("keys_0", type_=column.type)
    selected = select(*projection.selected(nested), literal_column("1"))
    return selected.select_from(projection.table).where(column == key)


async def rows_by_key(
    session: ReadSession,
    table: type[TableT],
    columns: Columns,
    keys: Sequence[K],
    *where: ColumnElement[bool],
) -> dict[K, TableT]:
    asked = requested_keys(columns, keys)
    among = *matches(columns, asked), *_bounds(table, columns, keys)
    statement = select(asked.c.position, *table.columns()).where(*among, *where)
    rows = await session.rows(statement)
    return {keys[row[0] - 1]: table.Record._make(row[1:]) for row in rows}


def _bounds(table: type[Table], columns: Columns, keys: Sequence[Key]) -> list[ColumnElement[bool]]:
    ids = [key for key in keys if isinstance(key, UUID)]
    if not (_are_ids(table, columns) and ids):
        return []
    return _between(table.id, min(ids), max(ids))


def _are_ids(table: type[Table], columns: Columns) -> bool:
    return len(columns) == 1 and columns[0] is getattr(table, "id", None)


def _between(id: Column, first: object, last: object) -> list[ColumnElement[bool]]:
    """The first and the last of several ids, by which PostgreSQL leaves out the other partitions
    before it opens them. It knows them only by their values, not by those of an array."""
    return [id >= first, id <= last]


@dataclass(frozen=True, slots=True)
class ById(Generic[TableT]):
    """Read rows of a table by id; for ReadCoalescer."""

    table: type[TableT]

    async def __call__(self, session: ReadSession, ids: Collection[UUID]) -> dict[UUID, TableT]:
        return await rows_by_key(session, self.table, (self.table.id,), list(ids))


async def rows_by_parent(
    session: ReadSession, table: type[TableT], columns: Columns, keys: Sequence[K], *order: Column
) -> dict[K, list[TableT]]:
    asked = requested_keys(columns, keys)
    statement = select(asked.c.position, *table.columns()).where(*matches(columns, asked))
    found: dict[K, list[TableT]] = {}
    for row in await session.rows(statement.order_by(*order)):
        found.setdefault(keys[row[0] - 1], []).append(table.Record._make(row[1:]))
    return found


async def grouped(
    session: ReadSession,
    columns: Columns,
    keys: Sequence[K],
    *selected: Expression | Column,
    where: Sequence[ColumnElement[bool]] = (),
    by: Sequence[Expression] = (),
) -> dict[K, list[ResultRow]]:
    asked = requested_keys(columns, keys)
    statement = (
        select(asked.c.position, *selected)
        .where(*matches(columns, asked), *where)
        .group_by(asked.c.position, *by)
        .order_by(asked.c.position, *by)
    )
    found: dict[K, list[ResultRow]] = {}
    for row in await session.rows(of_kind(Kind.AGGREGATE, statement)):
        found.setdefault(keys[row[0] - 1], []).append(row)
    return found
