"""Archived: the periods whose rows are in the archive. Their sums stay, and are not computed."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import ColumnElement, exists

from db.core.query.time_range import Bucket
from db.core.rollup import periods
from db.core.rollup.declaring import Rollup
from db.core.schema.archived import ArchivedMonth, is_away, months_away
from db.core.session.database import ReadSession
from db.core.table import Column


def is_of_archive(rollup: Rollup, period: Column) -> ColumnElement[bool]:
    month = ArchivedMonth.month == periods.start_sql(period, Bucket.MONTH)
    return exists().where(*is_away(rollup.source.__tablename__), month)


async def with_rows(
    session: ReadSession, rollup: Rollup, starts: Iterable[datetime]
) -> list[datetime]:
    """The periods of those that are not in the archive."""
    away = await months_away(session, rollup.source.__tablename__)
    return [start for start in starts if periods.start(start, Bucket.MONTH) not in away]
