"""Months: the partitions of a table as they are, and removing or compacting old ones.

A month is marked before it is removed: if the process dies between detaching and dropping it, the
mark distinguishes it from a month that an operator has detached to keep.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import DDL, ColumnElement, Text, column, func, select, table as named
from sqlalchemy.dialects.postgresql import OID
from sqlalchemy.schema import ExecutableDDLElement

from db.core.schema import partition
from db.core.session.database import Database, ReadSession, WriteSession
from db.core.table import AnySelect, Table

EXPIRED = "expired"  # the comment that marks a month to be removed
COMPACTED = "compacted"  # the comment of a month whose indexes were rebuilt

Step = Callable[[WriteSession, str], Awaitable[None]]  # with the name of a month

_utility: Callable[..., ExecutableDDLElement] = DDL
_classes = named(
    "pg_class",
    *(column("oid", OID), column("relname", Text), column("relkind", Text)),
    column("relnamespace", OID),
)
_parents = _classes.alias("parents")
_inherits = named(
    "pg_inherits", column("inhrelid"), column("inhparent", OID), column("inhdetachpending")
)
_indexes = named(
    "pg_index", column("indexrelid", OID), column("indrelid", OID), column("indisvalid")
)


class Month(NamedTuple):
    """A month of a partitioned table: attached, half detached (pending) or detached; and the
    comment on it."""

    name: str
    attached: bool
    pending: bool
    mark: str | None

    @property
    def start(self) -> datetime:
        return datetime(int(self.name[-7:-3]), int(self.name[-2:]), 1, tzinfo=UTC)

    @property
    def end(self) -> datetime:
        return partition.next_month(self.start)


async def _nothing(_session: WriteSession, _month: str) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Removal:
    """Removes months of a table, with what its other tables need before a month is detached and
    before it is dropped."""

    table: type[Table]
    before_detaching: Step = _nothing
    before_dropping: Step = _nothing

    async def remove(self, database: Database, month: Month) -> bool:
        """Remove a month; False for one that an operator has detached. Raises as sessions do."""
        if month.attached and not month.pending:
            async with database.write() as session:
                await self.before_detaching(session, month.name)
                await mark(session, month, EXPIRED)
        if not month.attached and month.mark != EXPIRED:
            return False
        await detach(database, self.table.__tablename__, month)
        async with database.write() as session:
            await self.drop(session, month)
        return True

    async def drop(self, session: WriteSession, month: Month) -> None:
        """Drop a month that is detached."""
        await self.before_dropping(session, month.name)
        await session.execute(_utility("drop table %(child)s", context={"child": month.name}))


async def detach(database: Database, table: str, month: Month) -> None:
    """Detach a month, or finish to, while the table is read and written. Raises as sessions do."""
    if month.attached:
        how = "finalize" if month.pending else "concurrently"
        names = {"parent": table, "child": month.name, "how": how}
        statement = "alter table %(parent)s detach partition %(child)s %(how)s"
        await outside_transaction(database, statement, names)


async def compact(database: Database, month: Month) -> None:
    """Rebuild the indexes of a month, while it is read and written. What an interrupted run left is
    dropped first. Raises as sessions do."""
    names = {"child": month.name}
    async with database.read() as session:
        leftovers = [row[0] for row in await session.rows(_invalid_indexes(month))]
    for index in leftovers:
        await outside_transaction(
            database, "drop index concurrently if exists %(index)s", {"index": index}
        )
    await outside_transaction(database, "reindex table concurrently %(child)s", names)
    async with database.write() as session:
        await mark(session, month, COMPACTED)


async def months(session: ReadSession, table: str) -> list[Month]:
    """The months of a table, oldest first, detached ones included."""
    pattern = f"^{table}_y\\d{{4}}m\\d{{2}}$"
    statement = (
        select(
            _classes.c.relname,
            _inherits.c.inhrelid.is_not(None),
            func.coalesce(_inherits.c.inhdetachpending, False),
            func.obj_description(_classes.c.oid, "pg_class"),
        )
        .outerjoin_from(_classes, _inherits, _inherits.c.inhrelid == _classes.c.oid)
        .where(_classes.c.relname.op("~")(pattern), _classes.c.relkind == "r")
        .where(_is_ours(table))
        .order_by(_classes.c.relname)
    )
    return [Month(*row) for row in await session.rows(statement)]


async def mark(session: WriteSession, month: Month, comment: str) -> None:
    names = {"child": month.name, "comment": comment}
    await session.execute(_utility("comment on table %(child)s is '%(comment)s'", context=names))


async def outside_transaction(database: Database, statement: str, names: dict[str, str]) -> None:
    async with database.read() as session:
        await session.connection.execute(_utility(statement, context=names))


def _is_ours(table: str) -> ColumnElement[bool]:
    """The condition on partitions of this table, and detached ones in its schema: the search path
    may find tables of the same name that belong to another gateway."""
    own = func.to_regclass(table)
    schema = select(_parents.c.relnamespace).where(_parents.c.oid == own).scalar_subquery()
    apart = _inherits.c.inhparent.is_(None) & (_classes.c.relnamespace == schema)
    return (_inherits.c.inhparent == own) | apart


def _invalid_indexes(month: Month) -> AnySelect:
    of_month = _indexes.c.indrelid == func.to_regclass(month.name)
    return (
        select(_classes.c.relname)
        .join(_indexes, _indexes.c.indexrelid == _classes.c.oid)
        .where(of_month, ~_indexes.c.indisvalid)
    )
