"""Fill a database of two sizes, ask what dashboards ask, and compare with the targets.

    PYTHONPATH=bench python -m growth --rows 300000

`--rows` is the number of tests; a realistic gateway of two years has 3,000,000. `--keep` names a
folder for both databases, which are filled only if they are not there. A question fails if its
statement takes longer than its target, or if it grows: if it reads a fifth and 100 pages more than
in a database of half the size and, from 2 ms on, takes a fifth longer.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import func, select

from db import Database, rollups
from db.ai_tests import AiTest
from db.core.connections.connect import OWN, connect
from db.core.connections.url import connection_info
from db.core.embedded import Embedded
from db.core.schema import migrate
from db.core.timeouts import Timeouts
from db.dreams import Dream
from db.users import User
from growth.asking import Cost, cost_of
from growth.filling import Size, fill
from growth.questions import TARGETS, Facts, questions
from growth.writing import GROUP, costs_of_writes

SETTINGS = {
    "fsync": "off",
    "autovacuum": "off",
    "shared_buffers": "1GB",
    "max_wal_size": "1GB",
    "jit": "off",
}
PATIENT = Timeouts(600, 600, 600, 600)
AGE = timedelta(days=730)
TOLERATED, SHORT_MS, NOISE_PAGES = 1.2, 2.0, 100
INDEX_SIZES = """
select coalesce(parent.relname, leaf.relname), sum(pg_relation_size(leaf.oid))::bigint
from pg_class leaf join pg_index on indexrelid = leaf.oid
left join pg_inherits on inhrelid = leaf.oid left join pg_class parent on parent.oid = inhparent
where leaf.relkind = 'i' and leaf.relnamespace = 'public'::regnamespace
group by 1 order by 2 desc limit 40
"""

Costs = Mapping[tuple[str, str], Cost]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=300_000, help="tests in the larger database")
    parser.add_argument("--keep", type=Path, help="a folder for the databases")
    parser.add_argument("--only", nargs="*", choices=TARGETS, help="groups of questions")
    chosen = parser.parse_args()
    groups = chosen.only or [*TARGETS]
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.keep or Path(temporary)
        small = measured(folder, chosen.rows // 2, groups)
        large = measured(folder, chosen.rows, groups)
    sys.exit(show(small, large))


def measured(folder: Path, tests: int, groups: Collection[str]) -> Costs:
    with Embedded(folder / f"{tests}", SETTINGS) as url:
        return asyncio.run(_measured(url, tests, groups))


async def _measured(url: str, tests: int, groups: Collection[str]) -> Costs:
    await migrate.upgrade(url)
    database = Database(url, timeouts=PATIENT)
    connection = await connect(connection_info(url), OWN)
    try:
        print(f"\n{tests:,} tests")
        size = await _filled(database, url, tests)
        print(f"periods of rollups: {sum((await rollups.roll(database)).values()):,}")
        await connection.execute("vacuum analyze", timeout=3600)
        for name, size_of in await connection.fetch(INDEX_SIZES):
            print(f"index {name}: {size_of / 1e6:.1f} MB")
        facts = await _facts(database, size)
        asked = [question for question in questions(facts) if question.group in groups]
        costs = {
            (question.group, question.name): await cost_of(database, connection, question)
            for question in asked
        }
        written = await costs_of_writes(database, facts.big_dream) if GROUP in groups else {}
        return costs | written
    finally:
        await connection.close()
        await database.close()


async def _filled(database: Database, url: str, tests: int) -> Size:
    async with database.read() as session:
        until = await session.scalar(select(AiTest.created_at).order_by(AiTest.id.desc()).limit(1))
    if until is not None:
        return Size(tests, until - AGE, until)
    now = datetime.now(UTC).replace(microsecond=0)
    size = Size(tests, now - AGE, now)
    await fill(database, url, size, print)
    return size


async def _facts(database: Database, size: Size) -> Facts:
    async with database.read() as session:
        tests = select(AiTest.dream_id).group_by(AiTest.dream_id).order_by(func.count())
        smallest = await session.scalar(tests.limit(1))
        largest = await session.scalar(
            select(AiTest.dream_id).group_by(AiTest.dream_id).order_by(func.count().desc()).limit(1)
        )
        user = await session.scalar(select(User.id).join(Dream, Dream.user_id == User.id).limit(1))
    return Facts(size, largest, smallest, user)


def show(small: Costs, large: Costs) -> int:
    """Print a line per question; return how many missed their target."""
    missed = 0
    print("\n| group | question | half, ms | whole, ms | planning | rows ", end="")
    print("| pages, half | pages | steps | |\n|---|---|---:|---:|---:|---:|---:|---:|---|---|")
    for (group, name), cost in large.items():
        before = small[group, name]
        fault = _fault(group, before, cost)
        missed += bool(fault)
        print(
            f"| {group} | {name} | {before.total:.1f} | {cost.total:.1f} | {cost.planning:.1f} |"
            f" {cost.rows:,} | {before.buffers:,} | {cost.buffers:,} | {cost.steps} | {fault} |"
        )
    print(f"\n{len(large)} questions, {missed} missed their target")
    return min(missed, 1)


def _fault(group: str, small: Cost, large: Cost) -> str:
    if large.total > TARGETS[group]:
        return f"over {TARGETS[group]:.0f} ms"
    is_short = max(small.execution, large.execution) < SHORT_MS
    takes_longer = is_short or large.execution > TOLERATED * small.execution
    reads_more = large.buffers > TOLERATED * small.buffers + NOISE_PAGES
    return "grows" if takes_longer and reads_more else ""


if __name__ == "__main__":
    main()
