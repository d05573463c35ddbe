"""Where the revision is kept: apart from other applications, and in the schema of the tables."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from db import Database, feeds
from db.core.schema import migrate, partition, revisions
from db.core.schema.migration_lock import MigrationFailed
from db.core.schema.revision import LAST_EARLIER, MARK
from db.events import Event
from support.factories import START, make_agent_report, make_ai_test, make_event
from support.stored_rows import seqs

# As earlier releases leave a database: the revision in `alembic_version` alone.
EARLIER = """
    alter table dreamnet_version rename to alembic_version;
    alter table alembic_version rename constraint dreamnet_version_pkc to alembic_version_pkc;
"""
# As another application leaves its own.
ANOTHER = """
    create table alembic_version (version_num varchar(32) primary key);
    insert into alembic_version values ('0005');
    create table stamp (id int primary key);
"""


async def run(url: str, statements: str) -> None:
    """Executes statements with semicolons between."""
    database = Database(url)
    for statement in filter(str.strip, statements.split(";")):
        async with database.write() as session:
            await session.execute(text(statement))
    await database.close()


async def scalar(url: str, statement: str) -> Any:
    database = Database(url)
    async with database.read() as session:
        answer = await session.scalar(text(statement))
    await database.close()
    return answer


async def earlier(url: str) -> Any:
    """The revision as gateways of earlier releases read it."""
    assert await scalar(url, "select to_regclass('alembic_version') is not null")
    return await scalar(url, "select version_num from alembic_version")


# Databases of earlier releases.


async def test_a_database_of_an_earlier_release_is_taken_over(empty_url: str) -> None:
    await migrate.upgrade(empty_url, LAST_EARLIER)
    await run(empty_url, EARLIER)
    assert await migrate.current(empty_url) == LAST_EARLIER
    await migrate.upgrade(empty_url)
    assert await migrate.current(empty_url) == revisions.head()
    assert await earlier(empty_url) == LAST_EARLIER
    assert await migrate.check(empty_url) == []
    await migrate.upgrade(empty_url)
    assert await migrate.current(empty_url) == revisions.head()


async def test_gateways_of_earlier_releases_learn_of_ways_down(empty_url: str) -> None:
    await migrate.upgrade(empty_url, LAST_EARLIER)
    await run(empty_url, EARLIER)
    await migrate.downgrade(empty_url, "0003")
    assert (await migrate.current(empty_url), await earlier(empty_url)) == ("0003", "0003")
    await migrate.downgrade(empty_url, "base")
    assert (await migrate.current(empty_url), await earlier(empty_url)) == (None, None)
    await migrate.upgrade(empty_url)
    assert await earlier(empty_url) == LAST_EARLIER


async def test_a_database_of_an_unreleased_version_is_taken_over(empty_url: str) -> None:
    await migrate.upgrade(empty_url)
    await run(empty_url, EARLIER)
    await migrate.upgrade(empty_url)
    assert await migrate.current(empty_url) == revisions.head()
    assert await earlier(empty_url) == LAST_EARLIER


@pytest.mark.parametrize("table", ["dreamnet_version", "alembic_version"])
async def test_a_revision_of_a_later_release_is_left_alone(empty_url: str, table: str) -> None:
    await migrate.upgrade(empty_url)
    if table == "alembic_version":
        await run(empty_url, EARLIER)
    await run(empty_url, f"update {table} set version_num = '9999'")  # noqa: S608  names of ours
    for way in (migrate.upgrade, migrate.downgrade):
        with pytest.raises(MigrationFailed) as failed:
            await way(empty_url, "0003")
        assert str(failed.value) == revisions.unknown("9999")
    assert await migrate.current(empty_url) == "9999"


# Other applications in the same schema.


async def test_another_applications_revision_is_not_ours(empty_url: str) -> None:
    await run(empty_url, ANOTHER)
    assert await migrate.current(empty_url) is None
    await migrate.upgrade(empty_url)
    assert await migrate.current(empty_url) == revisions.head()
    assert await migrate.check(empty_url) == []
    await migrate.downgrade(empty_url, "base")
    assert await migrate.current(empty_url) is None
    assert await earlier(empty_url) == "0005"
    assert await scalar(empty_url, "select count(*) from stamp") == 0


async def test_a_database_of_an_earlier_release_with_other_tables(empty_url: str) -> None:
    await migrate.upgrade(empty_url, LAST_EARLIER)
    await run(empty_url, f"{EARLIER} create table stamp (id int primary key, about text);")
    await migrate.upgrade(empty_url)
    assert await migrate.check(empty_url) == []
    comment = "select obj_description('alembic_version'::regclass)"
    assert await scalar(empty_url, comment) == MARK


@pytest.mark.parametrize(
    "taken",
    ["create table users (id int)", "create view dreams as select 1", "create sequence feeds"],
)
async def test_a_taken_name_is_a_conflict(empty_url: str, taken: str) -> None:
    await run(empty_url, taken)
    name = taken.split()[2]
    with pytest.raises(MigrationFailed) as failed:
        await migrate.upgrade(empty_url)
    assert str(failed.value) == (
        f"has a relation {name} in the schema public that is not the gateway's: give the gateway "
        "a schema or a database of its own."
    )
    assert await scalar(empty_url, "select to_regclass('api_keys') is null")
    assert await migrate.current(empty_url) is None


async def test_a_refusal_of_the_server_is_one_sentence(empty_url: str) -> None:
    await run(empty_url, "create function feed_number() returns int return 1")
    with pytest.raises(MigrationFailed) as failed:
        await migrate.upgrade(empty_url)
    message = 'function "feed_number" already exists with same argument types'
    assert str(failed.value) == f"cannot be migrated: {message}."
    assert await migrate.current(empty_url) == "0003"
    await run(empty_url, "drop function feed_number()")
    await migrate.upgrade(empty_url)
    assert await migrate.check(empty_url) == []


# Schemas.


@pytest.fixture(params=["role", "options"])
async def schema_url(request: pytest.FixtureRequest, empty_url: str) -> AsyncIterator[str]:
    """The URL of an empty database whose sessions work in the schema "Inner One"."""
    await run(empty_url, 'create schema "Inner One"')
    if request.param == "options":
        yield f"{empty_url}&options=-csearch_path%3D%22Inner%5C%20One%22"
        return
    role = f"role_{uuid4().hex}"
    await run(empty_url, f'create role {role} login; grant all on schema "Inner One" to {role}')
    await run(empty_url, f'alter role {role} set search_path = "Inner One", public')
    yield f"{empty_url}&user={role}"
    await run(empty_url, f"drop owned by {role}; drop role {role}")


async def test_tables_live_in_the_schema_of_the_search_path(
    schema_url: str, empty_url: str
) -> None:
    await migrate.upgrade(schema_url)
    assert await migrate.current(schema_url) == revisions.head()
    assert await migrate.check(schema_url) == []
    assert await migrate.current(empty_url) is None
    database = Database(schema_url)
    await partition.ensure_ahead(database)
    await make_ai_test(database)
    assert (await make_agent_report(database)).seq
    await database.close()
    elsewhere = "select count(*) from pg_class where relnamespace = 'public'::regnamespace"
    assert await scalar(empty_url, elsewhere) == 0
    await migrate.downgrade(schema_url, "0003")
    await migrate.downgrade(schema_url, "base")
    assert await migrate.current(schema_url) is None


async def test_two_gateways_in_two_schemas(empty_url: str) -> None:
    await run(empty_url, "create schema a; create schema b")
    urls = [f"{empty_url}&options=-csearch_path%3D{name}" for name in ("a", "b")]
    for url in urls:
        await migrate.upgrade(url)
    await migrate.downgrade(urls[0], "0004")
    assert [await migrate.current(url) for url in urls] == ["0004", revisions.head()]
    assert await migrate.check(urls[1]) == []


async def test_months_of_another_gateway_in_the_search_path_are_not_ours(empty_url: str) -> None:
    await run(empty_url, "create schema inner_one")
    url = f"{empty_url}&options=-csearch_path%3Dinner_one"
    await migrate.upgrade(empty_url)
    await migrate.upgrade(url)
    outer, inner = Database(empty_url), Database(f"{url},public")
    for database in (outer, inner):
        assert await partition.ensure_ahead(database) != []
        await make_event(database, timestamp=START)
    kept = {"events": timedelta(days=1)}
    assert (await feeds.expire(inner, kept))["events"]
    assert await feeds.expire(inner, kept) == {"events": 0}
    assert [len(await seqs(database, Event)) for database in (outer, inner)] == [1, 0]
    assert (await feeds.expire(outer, kept))["events"]
    for database in (outer, inner):
        await database.close()


async def test_tables_stay_together_when_a_schema_comes_before_theirs(empty_url: str) -> None:
    """As where a schema is made later that is called like the user."""
    await migrate.upgrade(empty_url, "0003")
    await run(empty_url, "create schema earlier")
    url = f"{empty_url}&options=-csearch_path%3Dearlier,public"
    assert await migrate.current(url) == "0003"
    await migrate.upgrade(url)
    assert await migrate.check(url) == []
    assert await migrate.check(empty_url) == []
    there = "select count(*) from pg_class where relnamespace = 'earlier'::regnamespace"
    assert await scalar(empty_url, there) == 0


async def test_without_a_schema_nothing_can_be_made(empty_url: str) -> None:
    with pytest.raises(MigrationFailed, match="has none of the schemas of its search path"):
        await migrate.upgrade(f"{empty_url}&options=-csearch_path%3Dnowhere")


async def test_a_role_without_create_is_reported(empty_url: str) -> None:
    role = f"role_{uuid4().hex}"
    await run(empty_url, f"create role {role} login")
    with pytest.raises(MigrationFailed, match="permission denied for schema public"):
        await migrate.upgrade(f"{empty_url}&user={role}")
    await run(empty_url, f"drop role {role}")


# Trigger functions.


async def test_trigger_functions_need_no_search_path(database_url: str) -> None:
    path = "select count(*) from pg_proc where proname like 'feed\\_%' and proconfig is null"
    assert await scalar(database_url, path) == 0
    database = Database(f"{database_url}&options=-csearch_path%3D")
    async with database.write() as session:
        await session.execute(
            text(
                "insert into public.changes (noun, entity_id, kind)"
                " values ('dreams', gen_random_uuid(), 'CREATED')"
            )
        )
    await database.close()
    assert await scalar(database_url, "select count(*) from changes") == 1


async def test_a_writer_that_hangs_is_still_thrown_out(database: Database) -> None:
    """The functions set a limit for the transaction, which must outlive their own settings."""
    limit = text("select current_setting('idle_in_transaction_session_timeout')")
    async with database.write() as session:
        await make_agent_report(session)
        assert await session.scalar(limit) == "10s"
