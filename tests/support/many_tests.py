"""Many tests: a dream with many tests, and what writes read of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text

from db import Database
from db.ai_tests import AiTest
from db.core.ids import uuid7
from db.core.ingest.statements import insert_rows
from db.core.schema import partition
from db.progress.replay import recompute
from support.factories import make_dream

READ = text("""
    select sum(pg_stat_get_xact_tuples_returned(oid))::bigint from pg_class
    where relname ~ '(ai_tests|progress_logs|model_scores)'
""")
STEP = timedelta(minutes=10)  # between two tests
UNTIL = datetime(2026, 1, 25, tzinfo=UTC)  # so all are in one month


async def dream_with_tests(database: Database, count: int) -> Any:
    """Tests by forty models in turn."""
    dream, times = await make_dream(database), [UNTIL - STEP * n for n in range(count)]
    rows = [
        {
            "id": uuid7(at),
            "dream_id": dream.id,
            "provider": "openai",
            "model": f"model-{n % 40}",
            "impossibility_score": f"{n % 90 + 5}.00",
            "status": "COMPLETED",
            "test_parameters": {},
            "created_at": at.isoformat(),
        }
        for n, at in enumerate(times)
    ]
    async with database.write() as session:
        await partition.ensure(session, AiTest, times)
        await session.execute(insert_rows(AiTest, list(rows[0]), rows))
        await recompute(session, [dream.id])
    return dream
