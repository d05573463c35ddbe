"""Fill a database of two sizes, ask what dashboards ask, and compare with the targets.

    PYTHONPATH=bench python -m growth --rows 300000

`--rows` is the number of tests; a realistic gateway of two years has 3,000,000. A question fails
if its statement takes longer than its target, or if its execution takes a fifth and a millisecond
more, and reads a fifth and 100 pages more, than in a database of half the size. GROWTH has the
groups that may grow by more.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
from sqlalchemy import func, select

from db import Database, rollups
from db.ai_tests import AiTest
from db.core.embedded import Embedded
from db.core.schema import migrate
from db.dreams import Dream
from db.users import User
from growth.asking import Cost, cost_of
from growth.filling import Size, fill
from growth.questions import GROWTH, TARGETS, Facts, questions
from growth.writing import GROUP, costs_of_writes

SETTINGS = {
    "fsync": "off",
    "autovacuum": "off",
    "shared_buffers": "1GB",
    "max_wal_size": "1GB",
    "jit": "off",
}
AGE = timedelta(days=730)
TOLERATED, NOISE_MS, NOISE_PAGES = 1.2, 1.0, 100
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
    parser.add_argument("--only", nargs="*", choices=TARGETS, help="groups of questions")
    chosen = parser.parse_args()
    groups = chosen.only or [*TARGETS]
    small = measured(chosen.rows // 2, groups)
    large = measured(chosen.rows, groups)
    sys.exit(show(small, large))


def measured(tests: int, groups: Collection[str]) -> Costs:
    with tempfile.TemporaryDirectory() as folder, Embedded(Path(folder) / "db", SETTINGS) as url:
        return asyncio.run(_measured(url, tests, groups))


async def _measured(url: str, tests: int, groups: Collection[str]) -> Costs:
    await migrate.upgrade(url)
    until = datetime.now(UTC).replace(microsecond=0)
    size = Size(tests, until - AGE, until)
    database = Database(url)
    connection = await asyncpg.connect(url)
    try:
        print(f"\n{tests:,} tests")
        await fill(database, url, size, print)
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
    tolerated = GROWTH.get(group, TOLERATED)
    takes_longer = large.execution > tolerated * small.execution + NOISE_MS
    reads_more = large.buffers > tolerated * small.buffers + NOISE_PAGES
    return "grows" if takes_longer and reads_more else ""


if __name__ == "__main__":
    main()
