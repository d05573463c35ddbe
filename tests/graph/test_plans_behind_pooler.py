"""Plans behind PgBouncer in transaction mode: a statement may be executed by any of its servers."""

import asyncio
from pathlib import Path
from typing import Any

from db import Database
from db.core.connections.pooler import Pooler
from db.core.connections.url import connection_info
from graph.core.context import Context
from graph.core.execution.execute import execute
from graph.core.execution.operation import prepare
from graph.core.principal import DEVELOPER
from graph.schema import schema
from support.executors import needs_plans
from support.factories import make_dream
from support.pgbouncer import needed, pgbouncer

pytestmark = needs_plans
TEXT = "{ dreams { nodes { title owner { passportTier } } } # %d\n}"


async def test_no_read_of_a_plan_fails(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    await make_dream(database)
    async with pgbouncer(needed(), database_url, tmp_path, default_pool_size=3) as url:
        behind = Database(connection_info(url).behind(Pooler.TRANSACTION), pool_size=20)

        async def ask(number: int) -> str | None:
            context = Context(behind, DEVELOPER, "request")
            result = await execute(prepare(schema, TEXT % (number % 5)), None, context)
            assert not result.errors
            return context.fallback

        try:
            reasons: list[Any] = await asyncio.gather(*map(ask, range(200)))
        finally:
            await behind.close()

    assert set(reasons) == {None}
