"""Hidden: rows of every table that has a rule on rows, made without naming the tables.

A new table is found by its rule, and its rows are made by the factory that is named after it.
"""

import re
from collections.abc import AsyncIterator, Iterator
from itertools import product
from typing import Any

from sqlalchemy import Boolean

from db import Database
from db.core.session.row_rules import tables_with_rules
from support import factories

WITH_RULES: dict[str, Any] = {table.__tablename__: table for table in tables_with_rules()}
TABLES = {name: table for name, table in WITH_RULES.items() if "id" in table.__table__.columns}


def parent_of(table: Any) -> tuple[Any, str] | None:
    """The table whose row rule applies to the rows of a table, and the column that refers to it."""
    for column in table.__table__.columns:
        for key in column.foreign_keys:
            name = key.column.table.name
            if name in TABLES and name != table.__tablename__ and not column.nullable:
                return TABLES[name], column.name
    return None


def users_of(table: Any) -> dict[str, bool]:
    """The columns of a table that name a user, and whether they may be null."""
    found = {}
    for column in table.__table__.columns:
        keys = [key.column.table.name for key in column.foreign_keys]
        if "users" in (*keys, column.info.get("refers")):
            found[column.name] = bool(column.nullable)
    return found


def may_have_no_owner(table: Any) -> bool:
    """Whether rows of a table, or those that they belong to, may have no owner."""
    parent = parent_of(table)
    return may_have_no_owner(parent[0]) if parent else all(users_of(table).values())


async def rows(database: Database, table: Any, owner_id: Any) -> AsyncIterator[Any]:
    """A row for each combination of flags of the row or its parent. All user columns hold the
    owner."""
    owner: dict[str, Any] = dict.fromkeys(users_of(table), owner_id)
    if parent := parent_of(table):
        async for row in rows(database, parent[0], owner_id):
            yield await _make(database, table, owner | {parent[1]: row.id})
    else:
        for flags in _flags(table):
            yield await _make(database, table, owner | flags)


async def _make(database: Database, table: Any, values: dict[str, Any]) -> Any:
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", table.__name__).lower()
    return await getattr(factories, f"make_{name}")(database, **values)


def _flags(table: Any) -> Iterator[dict[str, bool]]:
    names = [c.name for c in table.__table__.columns if isinstance(c.type, Boolean)]
    for values in product((False, True), repeat=len(names)):
        yield dict(zip(names, values, strict=True))
