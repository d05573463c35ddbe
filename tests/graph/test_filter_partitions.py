"""A filter on the time of rows reads only the monthly partitions it can meet."""

from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text

from db import Database, ai_tests, dreams
from db.core.query.batch import ById, ends_of_keys, select_by_key
from db.core.query.filter import And, Compare, Condition, Exists, Not, Or, id_bounds
from db.core.query.listing import ListArgs
from db.core.query.projection import Projection
from db.core.session.compiled import compile_statement
from db.core.session.row_rules import UNRESTRICTED
from support.factories import make_ai_test, make_dream
from support.query_plans import explained

MARCH = datetime(2019, 3, 14, 15, 9, 26, 535897, tzinfo=UTC)
APRIL = datetime(2019, 4, 1, tzinfo=UTC)
MAY = datetime(2019, 5, 1, tzinfo=UTC)


def created(operator: str, at: datetime) -> Compare:
    return Compare("created_at", operator, at)


@pytest.mark.parametrize(
    ("condition", "months"),
    [
        (created("eq", MARCH), ["03"]),
        (created("lt", APRIL), ["03"]),
        (created("lte", APRIL), ["03", "04"]),
        (And((created("gt", MARCH), created("lt", APRIL))), ["03"]),
        (And((created("gte", APRIL), created("lt", MAY))), ["04"]),
        (Or((created("eq", MARCH), created("eq", MAY))), ["03", "05"]),
        (created("ne", MARCH), ["03", "04", "05"]),
        (Not(created("lt", APRIL)), ["03", "04", "05"]),
    ],
)
async def test_a_time_reads_only_the_partitions_it_meets(
    database: Database, condition: Condition, months: list[str]
) -> None:
    dream = (await make_dream(database)).id
    for at in (MARCH, APRIL, MAY):
        await make_ai_test(database, dream_id=dream, created_at=at)

    where = ai_tests.LISTING.conditions(ListArgs(condition))
    plan = await _plan(database, ai_tests.AiTest.select().where(*where))

    read = [month for month in ("03", "04", "05") if f"ai_tests_y2019m{month}" in plan]
    assert read == months


def test_several_times_bound_the_id_by_the_first_and_the_last() -> None:
    id = ai_tests.AiTest.id
    bounds = id_bounds(id, "in", (MAY, MARCH, APRIL))
    expected = id_bounds(id, "gte", MARCH) + id_bounds(id, "lte", MAY)
    assert [bound.compare(other) for bound, other in zip(bounds, expected, strict=True)] == [
        True
    ] * 2
    assert id_bounds(id, "in", ()) == []


async def test_a_time_of_related_tests_reads_one_partition(database: Database) -> None:
    for at in (MARCH, APRIL):
        await make_ai_test(database, created_at=at)
    march = Exists("tests", created("eq", MARCH))
    for condition in (march, And((march, Not(Exists("tests", created("lt", MARCH)))))):
        where = dreams.LISTING.conditions(ListArgs(condition))
        plan = await _plan(database, dreams.Dream.select().where(*where))

        assert "ai_tests_y2019m03" in plan
        assert "ai_tests_y2019m04" not in plan


async def test_several_ids_read_the_partitions_between_the_first_and_the_last(
    database: Database, database_url: str
) -> None:
    dream = (await make_dream(database)).id
    times = (MARCH, MARCH + timedelta(days=1), APRIL, MAY)
    tests = [await make_ai_test(database, dream_id=dream, created_at=at) for at in times]

    by_id, plans_of = ById(ai_tests.AiTest), explained(database, database_url, "FROM ai_tests")
    async with plans_of as plans, database.read() as session:
        found = await by_id(session, [tests[1].id, tests[0].id])
        assert await by_id(session, [tests[3].id, tests[0].id]) != found
    [few, several] = (str(plan.root) for plan in plans)

    assert found.keys() == {tests[0].id, tests[1].id}
    assert [month for month in ("03", "04", "05") if f"ai_tests_y2019m{month}" in few] == ["03"]
    assert "ai_tests_y2019m05" in several


async def test_a_compiled_statement_for_ids_reads_the_partitions_between_them(
    database: Database, database_url: str
) -> None:
    dream = (await make_dream(database)).id
    at = (MARCH, MARCH + timedelta(days=1), MAY)
    ids = [(await make_ai_test(database, dream_id=dream, created_at=each)).id for each in at]
    table = ai_tests.AiTest
    projection = Projection(table)
    projection.index("model")
    compiled = compile_statement(select_by_key(projection, (table.id,)), UNRESTRICTED)
    asked = {"keys_0": ids[:2], **ends_of_keys(ids[:2])}

    connection = await asyncpg.connect(database_url)
    rows = await connection.fetch("explain " + compiled.sql, *compiled.arguments(asked))
    await connection.close()

    plan = "\n".join(row[0] for row in rows)
    assert [month for month in ("03", "05") if f"ai_tests_y2019m{month}" in plan] == ["03"]


async def _plan(database: Database, statement: Any) -> str:
    dialect = database.engine.sync_engine
    literal = statement.compile(dialect, compile_kwargs={"literal_binds": True})
    async with database.read() as session:
        rows = await session.rows(text("explain (costs off) " + str(literal).replace(":", r"\:")))
    return "\n".join(row[0] for row in rows)
