"""Writing: what the writes of a score read and how long they take, in a dream with many tests.

Each is rolled back, so that all find the same rows.
"""

import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select, text

from db import Database, WriteSession
from db.ai_tests import SCORED, AiTest, AiTestStatus, writes
from db.ai_tests.batch import locked_dreams
from db.progress import pending
from db.progress.replay import recompute
from growth.asking import TIMES, Cost

GROUP = "write"  # in TARGETS
DAY = timedelta(days=1)
READ = text("""
    select sum(pg_stat_get_xact_tuples_returned(oid))::bigint,
      sum(pg_stat_get_xact_blocks_fetched(oid))::bigint
    from pg_class where relnamespace = 'public'::regnamespace
""")
Write = Callable[[WriteSession], Awaitable[object]]


class _RolledBack(Exception):
    """Ends a measurement."""


async def costs_of_writes(database: Database, dream: UUID) -> dict[tuple[str, str], Cost]:
    await database.now()
    async with database.write() as session:
        await recompute(session, [dream])
    async with database.write() as session:
        await _score(session, dream, None)
    async with database.write() as session:
        await session.execute(text("analyze progress_logs, model_scores"))
        newest = select(AiTest.created_at).where(AiTest.dream_id == dream, *SCORED)
        fifth = await session.scalar(newest.order_by(AiTest.id.desc()).offset(5).limit(1))
    late = fifth - timedelta(milliseconds=1)
    found: dict[str, Write] = {
        "a score": lambda session: _score(session, dream, None),
        "a score older than five others": lambda session: _score(session, dream, late),
        "a score of a day ago": lambda session: _score(session, dream, late - DAY),
        "a score of 30 days ago": lambda session: _score(session, dream, late - 30 * DAY),
        "a score of 540 days ago": lambda session: _score(session, dream, late - 540 * DAY),
        "a score of 30 days ago, and a step of corrections": lambda session: _corrected(
            session, dream, late - 30 * DAY
        ),
    }
    return {(GROUP, name): await _cost(database, write) for name, write in found.items()}


async def _score(session: WriteSession, dream_id: UUID, at: datetime | None) -> None:
    dream = (await locked_dreams(session, [dream_id]))[dream_id]
    status, name, points = AiTestStatus.COMPLETED, "measured", Decimal(50)
    await writes.record(
        session, dream, None, status, at, provider=name, model=name, impossibility_score=points
    )


async def _corrected(session: WriteSession, dream: UUID, at: datetime) -> None:
    await _score(session, dream, at)
    await pending.correct(session)


async def _cost(database: Database, write: Write) -> Cost:
    costs: list[Cost] = []
    for _ in range(TIMES + 2):
        with suppress(_RolledBack):
            async with database.write() as session:
                [(rows, buffers)] = await session.rows(READ)
                began = time.perf_counter()
                await write(session)
                milliseconds = 1_000 * (time.perf_counter() - began)
                [(rows_after, buffers_after)] = await session.rows(READ)
                read = rows_after - rows, buffers_after - buffers
                costs.append(Cost(0.0, milliseconds, *read, "one transaction"))
                raise _RolledBack
    return min(costs, key=lambda cost: cost.total)
