"""Partition: monthly partitions of tables that grow without limit.

The tables are those declared with `postgresql_partition_by="RANGE (id)"`. Ids are ordered by time,
so a month is a range of ids, and a query for a range of time reads only its partitions. PostgreSQL
rejects a row without a partition: `ensure_ahead` creates those of coming months, `ensure` those of
rows from the past.
"""

from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime
from typing import cast

import sqlalchemy
from sqlalchemy import DDL, Text, func, select
from sqlalchemy.dialects.postgresql import ARRAY, OID
from sqlalchemy.schema import ExecutableDDLElement

from db.core.errors import Invalid
from db.core.ids import floor
from db.core.schema.archived import months_away
from db.core.session.database import Database, ReadSession, WriteSession
from db.core.table import Table

LOCK = 0x706172746974696F  # "partitio", the key of this advisory lock

# Utility statements take no parameters; only names of tables and ids are formatted into them.
# Attaching an empty table does not block readers of the parent; `create table … partition of` does.
_CREATE = "create table %(child)s (like %(parent)s including all)"
_ATTACH = (
    "alter table %(parent)s attach partition %(child)s"
    " for values from ('%(since)s') to ('%(until)s')"
)
ARCHIVED = "The month {} is in the archive: no more rows of it are stored until it is restored."
_relations = sqlalchemy.table(
    "pg_class",
    *map(sqlalchemy.column, ("oid", "relname")),
    sqlalchemy.column("relnamespace", OID),
)
_inherits = sqlalchemy.table(
    "pg_inherits", sqlalchemy.column("inhrelid"), sqlalchemy.column("inhparent", OID)
)
_utility: Callable[..., ExecutableDDLElement] = DDL


def month(at: datetime) -> datetime:
    """The first instant of the month of an aware time, in UTC."""
    return at.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def next_month(at: datetime, months: int = 1) -> datetime:
    years, index = divmod(at.month - 1 + months, 12)
    return month(at).replace(year=at.year + years, month=index + 1)


def name(table: type[Table] | sqlalchemy.Table, at: datetime) -> str:
    return f"{_plain(table).name}_y{at.year:04}m{at.month:02}"


def partitioned() -> list[sqlalchemy.Table]:
    tables = Table.metadata.sorted_tables
    return [table for table in tables if table.dialect_options["postgresql"]["partition_by"]]


async def partitions(session: ReadSession, table: type[Table]) -> list[str]:
    tree = func.pg_partition_tree(table.__tablename__).table_valued("relid", "isleaf")
    named = sqlalchemy.cast(tree.c.relid, Text)
    statement = select(named).where(tree.c.isleaf).order_by(named)
    return [row[0] for row in await session.rows(statement)]


async def ensure(
    session: WriteSession, table: type[Table] | sqlalchemy.Table, times: Iterable[datetime]
) -> list[str]:
    """Create the missing partitions for those times; return their names. Raises Invalid for a month
    in the archive.

    One query if all exist. Creating one blocks writers of the tables it refers to until the end of
    the transaction, so use a transaction of its own.
    """
    months = {name(table, first): first for first in sorted(set(map(month, times)))}
    if not (missing := await _missing(session, _plain(table), months)):
        return []
    await _check_archived(session, _plain(table), [months[child] for child in missing])
    await session.execute(select(func.pg_advisory_xact_lock(LOCK)))
    # again: another process may have created them during the wait
    missing = await _missing(session, _plain(table), months)
    for child in missing:
        await create(session, table, months[child])
    return missing


async def _check_archived(
    session: ReadSession, table: sqlalchemy.Table, firsts: Iterable[datetime]
) -> None:
    if found := (await months_away(session, table.name)).intersection(firsts):
        raise Invalid(ARCHIVED.format(f"{min(found):%Y-%m}"))


async def ensure_ahead(database: Database, months: int = 3) -> list[str]:
    """Create the missing partitions of all tables, from the previous month to `months` ahead.

    Returns their names. Called when the gateway starts, and once a day.
    """
    now = await database.now()
    times = [next_month(now, distance) for distance in range(-1, months + 1)]
    made: list[str] = []
    for table in partitioned():
        async with database.write() as session:
            made += await ensure(session, table, times)
    return made


async def _missing(
    session: ReadSession, parent: sqlalchemy.Table, names: Collection[str]
) -> list[str]:
    """The names that are not partitions of this table, and not taken in its schema: the search path
    may find tables of the same name that belong to another gateway.

    Reads pg_class, because to_regclass() may use a cache older than the lock.
    """
    ours = func.to_regclass(parent.name) == _inherits.c.inhparent
    here = _relations.c.relnamespace == func.to_regnamespace(
        func.quote_ident(func.current_schema())
    )
    statement = (
        select(_relations.c.relname)
        .outerjoin_from(_relations, _inherits, _inherits.c.inhrelid == _relations.c.oid)
        .where(_relations.c.relname == func.any(sqlalchemy.cast(list(names), ARRAY(Text))))
        .where(ours | here)
    )
    present = {row[0] for row in await session.rows(statement)}
    return [name for name in names if name not in present]


async def create(
    session: WriteSession, table: type[Table] | sqlalchemy.Table, first: datetime
) -> None:
    """Create the partition of the month that begins then, which does not exist."""
    child = name(table, first)
    await create_detached(session, _plain(table), child)
    await attach(session, _plain(table), child, first)


async def create_detached(session: WriteSession, parent: sqlalchemy.Table, child: str) -> None:
    await session.execute(_utility(_CREATE, context={"parent": parent.name, "child": child}))


async def attach(
    session: WriteSession, parent: sqlalchemy.Table, child: str, first: datetime
) -> None:
    bounds = {"since": floor(first), "until": floor(next_month(first))}
    names = {"parent": parent.name, "child": child}
    await session.execute(_utility(_ATTACH, context=bounds | names))


def _plain(table: type[Table] | sqlalchemy.Table) -> sqlalchemy.Table:
    return (
        table if isinstance(table, sqlalchemy.Table) else cast("sqlalchemy.Table", table.__table__)
    )
