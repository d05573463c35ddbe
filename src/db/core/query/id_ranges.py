"""Id ranges: many rows in parts, so that no statement takes long however many there are."""

from collections.abc import AsyncIterator
from uuid import UUID

from sqlalchemy import ColumnElement, and_, delete, select

from db.core.session.database import ReadSession, WriteSession
from db.core.table import Table

MAX_ROWS = 5_000  # of one range
FIRST = UUID(int=0)


async def id_ranges(
    session: ReadSession, table: type[Table], where: ColumnElement[bool]
) -> AsyncIterator[ColumnElement[bool]]:
    """Conditions that divide the rows that meet one, by ascending ids. An index on the columns of
    the condition and the id finds each range."""
    since: UUID | None = FIRST
    while since is not None:
        rest = and_(where, table.id >= since)
        since = await session.scalar(
            select(table.id).where(rest).order_by(table.id).offset(MAX_ROWS).limit(1)
        )
        yield rest if since is None else and_(rest, table.id < since)


async def delete_all(session: WriteSession, table: type[Table], where: ColumnElement[bool]) -> int:
    """Delete rows range by range; return their number."""
    ranges = id_ranges(session, table, where)
    return sum([await session.execute(delete(table).where(some)) async for some in ranges])
