"""Progress of dreams: the columns of dreams that show their newest log, verified and kept.

Triggers keep them in the transaction that writes logs (migration 0019). Decision 49.
"""

from collections.abc import Mapping

from sqlalchemy import ColumnElement, Select, func, select, true, tuple_
from sqlalchemy.sql.selectable import LateralFromClause

from db.core.query.id_ranges import id_ranges
from db.core.session.database import Database
from db.core.table import Column, Expression
from db.dreams import Dream
from db.progress import ProgressLog

OF_LOG: Mapping[str, Column] = {
    "average_impossibility": ProgressLog.average_impossibility,
    "best_score": ProgressLog.best_score,
    "improvement_trend": ProgressLog.improvement_trend,
    "test_count": ProgressLog.test_count,
    "last_tested_at": ProgressLog.created_at,
}


async def differing(database: Database) -> int:
    """The number of dreams that do not show their newest log. Raises as sessions do."""
    async with database.unrestricted().read() as session:
        ranges = id_ranges(session, Dream, true())
        counts = [await session.scalar(_differing(some, func.count())) async for some in ranges]
    return sum(counts)


async def keep(database: Database) -> None:
    """Have all dreams show their newest logs. Raises as sessions do."""
    async with database.unrestricted().read() as session:
        ranges = [some async for some in id_ranges(session, Dream, true())]
    for some in ranges:
        async with database.unrestricted().write() as session:
            ids = _differing(some, func.array_agg(Dream.id)).scalar_subquery()
            await session.scalar(select(func.keep_progress_of_dreams(ids)))


def _differing(where: ColumnElement[bool], selected: Expression) -> Select[tuple[object]]:
    log = _newest_log()
    shown = [getattr(Dream, name) for name in OF_LOG]
    stored = [
        func.coalesce(log.c[name], 0) if name == "test_count" else log.c[name] for name in OF_LOG
    ]
    differs = tuple_(*shown).is_distinct_from(tuple_(*stored))
    return select(selected).select_from(Dream).outerjoin(log, true()).where(where, differs)


def _newest_log() -> LateralFromClause:
    columns = [column.label(name) for name, column in OF_LOG.items()]
    logs = select(*columns).where(ProgressLog.dream_id == Dream.id).correlate(Dream)
    return logs.order_by(ProgressLog.id.desc()).limit(1).lateral("log")
