"""Filling: a database with so many tests, and the other rows in the proportions of a real one.

Rows are inserted in the order of time, without triggers: feeds and foreign keys are not checked.
Indexes are built after the rows of their table, which takes a fraction of the time.
Each row depends on its number alone, so two databases of one size are equal.
"""

import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import asyncpg

from db import Database
from db.core.connections.pooler import DriverConnection
from db.core.schema import partition

FOLDER = Path(__file__).parent
INDEXES = """
select indexrelid::regclass::text, replace(pg_get_indexdef(indexrelid), ' ON ONLY ', ' ON ')
from pg_index where indrelid = to_regclass($1)
  and not exists (select from pg_constraint where conindid = indexrelid)
"""
HOUR = 3600  # seconds
PROGRESS = "select keep_progress_of_dreams(array(select id from dreams))"  # as triggers do
Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Size:
    """Numbers of rows, from the number of tests. The time of rows ends at `until`."""

    tests: int
    since: datetime
    until: datetime

    def numbers(self) -> dict[str, int]:
        return {
            "tests": self.tests,
            "events": self.tests * 5 // 3,
            "actions": self.tests // 3,
            "dreams": self.tests // 15,
            "users": max(10, self.tests // 150),
            "agents": max(10, self.tests // 3000),
        }


async def fill(database: Database, url: str, size: Size, report: Report) -> None:
    """Fill a migrated, empty database; needs the rights of a superuser."""
    await _add_partitions(database, size)
    connection: DriverConnection = await asyncpg.connect(url)
    try:
        await connection.execute(
            "set session_replication_role = replica; set synchronous_commit = off;"
            "set maintenance_work_mem = '256MB'"
        )
        times = ((name, getattr(size, name).isoformat()) for name in ("since", "until"))
        for name, at in times:
            await connection.execute(f"set growth.{name} = '{at}'")
        await connection.execute((FOLDER / "functions.sql").read_text())
        for table, statement in _statements(size):
            began = time.monotonic()
            async with _indexed_afterwards(connection, table):
                done = await connection.execute(statement, timeout=HOUR)
            report(f"{table}: {int(done.split()[-1]):,} rows in {time.monotonic() - began:.1f} s")
        await connection.execute(PROGRESS, timeout=HOUR)
        await connection.execute("vacuum analyze", timeout=HOUR)
    finally:
        await connection.close()


@asynccontextmanager
async def _indexed_afterwards(connection: DriverConnection, table: str) -> AsyncIterator[None]:
    indexes = await connection.fetch(INDEXES, table)
    for name, _ in indexes:
        await connection.execute(f"drop index {name}")
    yield
    for _, definition in indexes:
        await connection.execute(definition, timeout=HOUR)


async def _add_partitions(database: Database, size: Size) -> None:
    months = [size.since]
    while months[-1] < size.until:
        months.append(partition.next_month(months[-1]))
    for table in partition.partitioned():
        async with database.write() as session:
            await partition.ensure(session, table, months)


def _statements(size: Size) -> Iterator[tuple[str, str]]:
    text = (FOLDER / "rows.sql").read_text()
    for name, count in size.numbers().items():
        text = text.replace(f":{name}", str(count))
    for statement in filter(str.strip, text.split(";\n")):
        yield statement.split()[2], statement
