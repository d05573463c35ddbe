"""Pages of relations cost a few pages of memory per parent and month, however many rows other
parents have."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from db import Database
from db.agents import AgentReport
from db.ai_tests import AiTest
from db.core.schema import partition
from db.users import Role
from support.databases import create_database, drop_database
from support.executors import needs_plans
from support.factories import make_user
from support.gateways import ask, gateway, make_key, production
from support.query_plans import Plan, explained

PARENTS, ROWS = 60, 12 * 400
FILL = """
insert into dreams (id, title, is_public)
select cast(lpad(to_hex(1767225600000 + n), 12, '0') || '7' || lpad(to_hex(n), 19, '0') as uuid),
    'Dream ' || n, true
from generate_series(1, 60) as n;

insert into ai_models (id, provider, name, display_name)
select gen_random_uuid(), 'openai', 'model ' || n, 'Model ' || n
from generate_series(1, 60) as n;

insert into ai_tests (id, dream_id, provider, model, impossibility_score, status, created_at)
select cast(
        lpad(to_hex(cast(extract(epoch from at) * 1000 as bigint)), 12, '0')
        || '7' || lpad(to_hex(n), 3, '0') || substr(md5(n || at::text), 1, 16) as uuid),
    (select id from dreams where title = 'Dream ' || 1 + n % 3),
    'openai', 'model ' || 1 + n % 3, n % 100, 'COMPLETED', at
from generate_series(timestamptz '2025-01-15Z', '2025-12-15Z', '1 month') as at,
    generate_series(1, 400) as n;

insert into agent_states (id, agent_key, last_active)
select gen_random_uuid(), 'agent ' || n, now() from generate_series(1, 60) as n;

insert into agent_history (id, agent_key, status, reported_at)
select id, 'agent ' || 1 + abs(hashtext(id::text)) % 3, 'IDLE', created_at from ai_tests;

analyze;
"""
PAGES = [
    "aiModels(first: 100) { nodes { tests(first: 3) { nodes { id } } } }",
    "aiModels(first: 100) { nodes { tests(last: 3) { nodes { id } } } }",
    "dreams(first: 100) { nodes { tests(first: 3) { nodes { id } } } }",
    "dreams(first: 100) { nodes { latestTest { id } } }",
    "agents(first: 100) { nodes { history(first: 3) { nodes { id } } } }",
]
SORTED = [
    "aiModels(first: 100) { nodes { tests(first: 3, orderBy: [{field: IMPOSSIBILITY_SCORE}]) "
    "{ nodes { id } } } }",
    "dreams(first: 100) { nodes { tests(first: 3, orderBy: [{field: COST, direction: DESC}]) "
    "{ nodes { id } } } }",
]
REAL = [*PAGES[:4], SORTED[0]]


async def plans_of(
    database: Database, url: str, *pages: str, having: str = "((SELECT"
) -> list[Plan]:
    """The plans of the statements that read pages, asked for with a key of an operator."""
    user = await make_user(database, role=Role.OPERATOR)
    key = await make_key(database, production(), user_id=user.id)
    app = gateway(production(), database)
    async with explained(database, url, having) as plans:
        for page in pages:
            answer = (await ask(app, key.text, "{" + page + "}")).json()
            assert "errors" not in answer, answer
    assert len(plans) == len(pages)
    return plans


@pytest.fixture
async def filled(database: Database, database_url: str) -> Database:
    """Three models, dreams and agents with 1,600 rows each, and 57 of each without any."""
    months = [datetime(2025, month, 1, tzinfo=UTC) for month in range(1, 13)]
    async with database.write() as session:
        for table in (AiTest, AgentReport):
            await partition.ensure(session, table, months)
        for statement in FILL.split(";"):
            if statement.strip():
                await session.connection.execute(text(statement))
    return database


async def partitions(database: Database) -> int:
    async with database.read() as session:
        return len(await partition.partitions(session, AiTest))


@needs_plans
async def test_a_page_reads_only_rows_of_its_parents(filled: Database, database_url: str) -> None:
    probes = PARENTS * await partitions(filled)
    for plan in await plans_of(filled, database_url, *PAGES):
        assert plan.discarded == 0
        assert plan.buffers <= 3 * probes
        scanned = {n["Relation Name"] for n in plan.nodes() if n["Node Type"] == "Seq Scan"}
        assert scanned <= {"ai_models", "dreams", "agent_states"}  # the parents


@needs_plans
async def test_a_sorted_page_reads_no_more_than_all_rows_of_its_parents(
    filled: Database, database_url: str
) -> None:
    probes = PARENTS * await partitions(filled)
    for plan in await plans_of(filled, database_url, *SORTED):
        assert plan.discarded == 0
        assert plan.buffers <= 3 * probes + ROWS


async def test_statistics_of_many_models_read_each_test_once(
    filled: Database, database_url: str
) -> None:
    page = "aiModels(first: 100) { nodes { statistics { testCount } } }"
    [plan] = await plans_of(filled, database_url, page, having="GROUP BY")

    async with filled.read() as session:
        size = text("select sum(relpages) from pg_class where relname ~ '^ai_tests_y[0-9m]+$'")
        pages = await session.scalar(size)
    assert 0 < plan.buffers <= pages + PARENTS


@needs_plans
async def test_pages_of_real_rows(server_url: str, imported_template_url: str) -> None:
    url = await create_database(server_url, imported_template_url)
    database = Database(url)
    probes = 100 * await partitions(database)
    for plan in await plans_of(database, url, *REAL):
        assert plan.discarded == 0
        assert plan.buffers <= 3 * probes
    await database.close()
    await drop_database(server_url, url)
