"""Recordset: a batch of rows as one JSON text, which PostgreSQL turns into a table to select from.

Measured on two cores for 2,000 metrics a batch, per row: 14 µs with 2.6 of them in Python, against
11 and 5.3 for `unnest` with one array per column. Python is what an import waits for, and JSON is
the one way that takes arrays and objects without more ado.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy
from sqlalchemy import (
    ColumnElement,
    Select,
    Text,
    cast,
    column,
    func,
    literal,
    literal_column,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import JSON, Insert, insert
from sqlalchemy.sql.dml import ReturningInsert
from sqlalchemy.sql.selectable import TableValuedAlias

from db.core.table import Table
from db.core.values import json
from db.importer.kinds import Row
from db.importer.report import Counts


def recordset(table: type[Table], names: Sequence[str], rows: Sequence[Row]) -> TableValuedAlias:
    """Rows as a table with some columns of that table; what else a row holds is left out."""
    text = json.dumps(rows, default=str).decode()  # default: a UUID of the driver
    columns = [column(name, table.__table__.c[name].type) for name in names]
    expanded = func.json_to_recordset(cast(literal(text, Text), JSON))
    return expanded.table_valued(*columns).render_derived(with_types=True)


def insertion(table: type[Table], names: Sequence[str], rows: Sequence[Row]) -> Insert:
    """Inserts what is new, in the order of ids; what is there already stays as it is."""
    source = recordset(table, names, rows)
    chosen = select(*source.c).order_by(source.c.id)
    return insert(plain(table)).from_select(names, chosen, False).on_conflict_do_nothing()


def upsertion(
    table: type[Table], names: Sequence[str], chosen: Select[Any], key: Sequence[str]
) -> ReturningInsert[Any]:
    """Inserts what is new and updates what differs in a column that is neither id nor key; returns
    a row `(inserted,)` for each change. No two chosen rows may have the same key."""
    statement = insert(plain(table)).from_select(names, chosen, False)
    fresh = {name: statement.excluded[name] for name in names if name not in {"id", *key}}
    return statement.on_conflict_do_update(
        index_elements=list(key),
        set_=fresh | _touched(table),
        where=or_(*(_differs(table, name, value) for name, value in fresh.items())),
    ).returning(literal_column("xmax = 0"))


def counts(given: int, changes: Sequence[Any]) -> Counts:
    """What an upsertion did with so many rows, by what it returned."""
    inserted = sum(fresh for (fresh,) in changes)
    return Counts(inserted, len(changes) - inserted, given - len(changes))


def plain(table: type[Table]) -> sqlalchemy.Table:
    """The table as statements that write name it."""
    assert isinstance(table.__table__, sqlalchemy.Table)  # noqa: S101  the class says FromClause
    return table.__table__


def _differs(table: type[Table], name: str, value: Any) -> ColumnElement[bool]:
    """Documents are compared as texts: to `jsonb`, 1 and 1.0 are equal."""
    column = plain(table).c[name]
    if isinstance(column.type, JSON):
        return cast(column, Text).is_distinct_from(cast(value, Text))
    return column.is_distinct_from(value)


def _touched(table: type[Table]) -> Row:
    return {"updated_at": func.now()} if "updated_at" in plain(table).c else {}
