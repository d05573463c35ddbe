"""Tested dreams: their number as comparisons of categories tell it, and as counted in the tests."""

from datetime import datetime, timedelta
from itertools import product

from sqlalchemy import func, select

from db import Database
from db.ai_tests import AiTest, sums
from db.core.query.time_range import TimeRange
from db.core.table import AnySelect
from db.dreams import Dream

DAYS = (0, 1, 8, 20, 45, 90, 400, 900)


async def assert_counted(database: Database, now: datetime) -> None:
    """Compare both in time ranges of many lengths, ended and open."""
    for since, until in product([None, *DAYS], [None, *DAYS]):
        if since is None or until is None or since >= until:
            span = TimeRange(_ago(now, since), _ago(now, until), now)
            assert await _told(database, span) == await _counted(database, span), span
            by_tests = sums.dreams_of_tests(sums.ALL, span)
            assert await _rows(database, by_tests) == await _counted(database, span), span


def _ago(now: datetime, days: int | None) -> datetime | None:
    return None if days is None else now - timedelta(days=days)


async def _told(database: Database, span: TimeRange) -> dict[str, int]:
    return await _rows(database, sums.tested_dreams(span))


async def _rows(database: Database, counts: AnySelect) -> dict[str, int]:
    async with database.read() as session:
        return dict(map(tuple, await session.rows(counts)))


async def _counted(database: Database, span: TimeRange) -> dict[str, int]:
    tests = select(Dream.category, func.count(AiTest.dream_id.distinct()))
    among = Dream.status == "ACTIVE", AiTest.status == "COMPLETED", *span.of(AiTest.id)
    statement = tests.join(AiTest, AiTest.dream_id == Dream.id).where(*among)
    async with database.read() as session:
        return dict(map(tuple, await session.rows(statement.group_by(Dream.category))))
