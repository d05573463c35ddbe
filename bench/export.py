"""Export: rows per second and memory of exports of tests, by format.

make bench-export rows=200000
"""

import argparse
import asyncio
import platform
import resource
import tempfile
import time
from pathlib import Path

from sqlalchemy import func, select, text

from db import Database
from db.ai_tests import AiTest
from db.core.embedded import Embedded
from db.core.schema import migrate, partition
from db.core.timeouts import Timeouts
from db.exporter import NOUNS, Format, Part, chunks

FILL = """
with dream as (
    insert into dreams (id, title, category)
    values (cast('019bc187-10c8-7000-8000-000000000001' as uuid), 'Fold a shirt', 'AGENTIC')
    returning id
)
insert into ai_tests (id, dream_id, provider, model, impossibility_score, confidence, reasoning,
    duration, tokens_used, cost, status, test_parameters, created_at)
select cast(lpad(to_hex(cast(extract(epoch from at) * 1000 as bigint)), 12, '0') || '7000'
            || '8' || lpad(to_hex(n), 15, '0') as uuid),
       dream.id, 'openai', 'gpt-' || n % 40, n % 100, 90, repeat('It did not manage. ', 10),
       1500, 1000, 0.03, 'COMPLETED', jsonb_build_object('temperature', 0.2), at
from dream, generate_series(1, :rows) as n,
     lateral (select now() - interval '1 minute' as at) as at
"""
PEAK = resource.RUSAGE_SELF


async def measure(url: str, rows: int) -> None:
    await migrate.upgrade(url)
    database = Database(url, timeouts=Timeouts(other=600))
    await partition.ensure_ahead(database)
    async with database.write() as session:
        await session.execute(text("set local statement_timeout = 0"))
        await session.execute(text(FILL).bindparams(rows=rows))
    async with database.read() as session:
        stored = await session.scalar(select(func.count()).select_from(AiTest))
    now = await database.now()
    write(f"{platform.machine()}, {platform.python_version()}, {stored:,} tests")
    for noun in ("tests", "features"):
        for format in Format:
            began, used, size = time.perf_counter(), time.process_time(), 0
            async for chunk in chunks(database, NOUNS[noun], format, Part(None, now)):
                size += len(chunk)
            seconds, used = time.perf_counter() - began, time.process_time() - used
            peak = resource.getrusage(PEAK).ru_maxrss / 1024
            write(
                f"{noun:<10}{format:<10}{stored / seconds:>10,.0f} tests/s"
                f"{used / stored * 1e6:>8.1f} µs of CPU each"
                f"{size / 2**20:>8.1f} MiB   peak {peak:.0f} MiB"
            )
    await database.close()


def write(line: str) -> None:
    print(line, flush=True)  # noqa: T201  its result


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=200_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as folder, Embedded(Path(folder)) as url:
        asyncio.run(measure(url, rows))


if __name__ == "__main__":
    main()
