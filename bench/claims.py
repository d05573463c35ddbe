"""Claims: tests of the work queue that workers claim per second, by the number of
workers.

make bench-claims rows=20000
"""

import argparse
import asyncio
import os
import platform
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from sqlalchemy import text

from db import Database
from db.ai_tests import claims
from db.core.embedded import Embedded
from db.core.schema import migrate, partition
from db.core.session.audit_context import AuditContext
from db.core.timeouts import Timeouts

FILL = """
with dream as (
    insert into dreams (id, title, category)
    values (cast('019bc187-10c8-7000-8000-000000000001' as uuid), 'Fold a shirt', 'AGENTIC')
    returning id
), test as (
    insert into ai_tests (id, dream_id, provider, model, status, created_at)
    select cast(lpad(to_hex(cast(extract(epoch from at) * 1000 as bigint)), 12, '0') || '7000'
                || '8' || lpad(to_hex(n), 15, '0') as uuid),
           dream.id, 'openai', 'gpt-' || n % 40, 'PENDING', at
    from dream, generate_series(1, :rows) as n,
         lateral (select now() - interval '1 minute' as at) as at
    returning id, dream_id, provider, model, created_at
)
insert into ai_test_queue (id, dream_id, provider, model, available_at, created_at)
select id, dream_id, provider, model, created_at, created_at from test
"""
CONTEXT = AuditContext("claimAiTests")
LEASE = timedelta(hours=1)


async def work(database: Database, worker: int, limit: int) -> list[int]:
    """Claim tests until there are none; the numbers of each claim."""
    wanted = claims.Wanted(f"user:{worker}", "openai", limit, LEASE)
    found = []
    while True:
        async with database.write(CONTEXT) as session:
            claimed = await claims.claim(session, wanted)
        if not claimed:
            return found
        found.append(len(claimed))


async def measure(database: Database, rows: int, workers: int, limit: int) -> None:
    async with database.write() as session:
        await session.execute(text("set local statement_timeout = 0"))
        await session.execute(text("truncate ai_test_queue, ai_tests, audit_log, dreams cascade"))
        await session.execute(text(FILL).bindparams(rows=rows))
    async with database.write() as session:
        await session.execute(text("analyze ai_tests"))
        await session.execute(text("analyze ai_test_queue"))
    began = time.perf_counter()
    each = await asyncio.gather(*(work(database, worker, limit) for worker in range(workers)))
    seconds = time.perf_counter() - began
    count = sum(map(sum, each))
    if count != rows:
        raise SystemExit(f"{count} claims of {rows} tests")
    requests = sum(map(len, each))
    write(
        f"{workers:>3} workers, {limit:>3} tests a claim: {count / seconds:>8,.0f} tests/s, "
        f"{requests / seconds:>6,.0f} claims/s, each test claimed once"
    )


def write(line: str) -> None:
    print(line, flush=True)  # noqa: T201  its result


async def all_of(url: str, rows: int) -> None:
    await migrate.upgrade(url)
    database = Database(url, timeouts=Timeouts(other=600))
    await partition.ensure_ahead(database)
    write(f"{platform.machine()}, {os.cpu_count()} CPUs, {rows:,} tests wait")
    for workers, limit in ((1, 4), (8, 4), (8, 100)):
        await measure(database, rows, workers, limit)
    await database.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=20_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as folder, Embedded(Path(folder)) as url:
        asyncio.run(all_of(url, rows))


if __name__ == "__main__":
    main()
