"""Migrations: up, down, side by side, and equal to the tables in the code."""

import asyncio
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import TextClause, text, update
from sqlalchemy.dialects.postgresql import insert

from db import Database, identity
from db.agents import Agent, AgentReport
from db.core.connections.connect import engine
from db.core.connections.url import connection_info
from db.core.errors import Conflict
from db.core.ids import uuid7
from db.core.schema import migrate, partition
from db.core.schema.revision import VERSIONS
from db.core.table import Table
from db.events import Event
from db.users import User
from support import databases
from support.factories import make_ai_test, make_metric, make_user
from support.wait import patience

STRUCTURE = text("""
    select conrelid::regclass::text, conname, pg_get_constraintdef(oid)
    from pg_constraint where connamespace = 'public'::regnamespace and contype <> 't'
    union all
    select tablename, indexname, indexdef from pg_indexes where schemaname = 'public'
    union all
    select table_name, column_name, concat_ws(' ', data_type, is_nullable, column_default)
    from information_schema.columns where table_schema = 'public'
    union all
    select 'sequence', sequencename, data_type::text from pg_sequences
""")
RELATIONS = text("select count(*) from pg_class where relnamespace = 'public'::regnamespace")


@pytest.fixture
async def empty_url(server_url: str) -> AsyncIterator[str]:
    """The URL of a database in which no migration ever ran."""
    url = await databases.create_database(server_url)
    yield url
    await databases.drop_database(server_url, url)


async def test_up_to_head_down_to_base_and_up_again(empty_url: str) -> None:
    assert await migrate.current(empty_url) is None
    await migrate.upgrade(empty_url)
    assert await migrate.current(empty_url) == migrate.head()
    await migrate.downgrade(empty_url, "base")
    assert await migrate.current(empty_url) is None
    assert await _relations(empty_url) == 2  # the table of the revision and its key
    await migrate.upgrade(empty_url)
    assert await migrate.current(empty_url) == migrate.head()


async def test_down_takes_partitions_and_rows_along(database: Database, database_url: str) -> None:
    await make_ai_test(database)
    await migrate.downgrade(database_url, "base")
    assert await _relations(database_url) == 2


async def test_success_rates_stored_before_get_the_unit_of_those_to_come(
    database: Database, database_url: str
) -> None:
    ours = {"metric_name": "agent_scout_success_rate", "tags": {"agent_key": "scout"}}
    await make_metric(database, **ours, unit="percent")
    await make_metric(database, metric_name="cpu", unit="percent")
    await make_metric(database, **ours | {"tags": {}}, unit="percent")
    units = text("select unit from performance_metrics order by id")
    await migrate.downgrade(database_url, "0005")
    assert await _rows(database_url, units) == [("percent",)] * 3
    await migrate.upgrade(database_url)
    assert await _rows(database_url, units) == [("percentage",), ("percent",), ("percent",)]
    await migrate.downgrade(database_url, "0005")
    assert await _rows(database_url, units) == [("percent",)] * 3


async def test_upgrading_twice_changes_nothing(database: Database, database_url: str) -> None:
    test = await make_ai_test(database)
    await migrate.upgrade(database_url)
    async with database.read() as session:
        assert await session.scalar(text("select id from ai_tests")) == test.id


async def test_check_finds_no_difference(database_url: str) -> None:
    assert await migrate.check(database_url) == []


async def test_check_names_what_is_missing_and_what_is_too_much(database_url: str) -> None:
    await _run(database_url, "alter table users drop column preferences, add column shoe_size int")
    differences = await migrate.check(database_url)
    assert len(differences) == 2
    assert "preferences" in str(differences)
    assert "shoe_size" in str(differences)


async def test_check_of_an_empty_database_says_that_it_is_behind(empty_url: str) -> None:
    assert await migrate.check(empty_url) == ["Target database is not up to date."]


async def test_migrations_make_what_the_tables_declare(empty_url: str, server_url: str) -> None:
    """More than `check` sees: check constraints, index definitions, sequences."""
    declared_url = await databases.create_database(server_url)
    declared = engine(connection_info(declared_url))
    async with declared.begin() as connection:
        await connection.run_sync(Table.metadata.create_all)
    await declared.dispose()
    await migrate.upgrade(empty_url)
    expected, migrated = await _structure(declared_url), await _structure(empty_url)
    await databases.drop_database(server_url, declared_url)
    assert migrated == expected


async def test_two_starters_at_once(empty_url: str) -> None:
    starters = [await _starter(empty_url) for _ in range(3)]
    outcomes = [await starter.communicate() for starter in starters]
    assert [starter.returncode for starter in starters] == [0, 0, 0], outcomes
    assert await migrate.current(empty_url) == migrate.head()


async def test_two_upgrades_in_one_process(empty_url: str) -> None:
    await asyncio.gather(migrate.upgrade(empty_url), migrate.upgrade(empty_url))
    assert await migrate.current(empty_url) == migrate.head()


async def test_gives_way_to_a_lock_and_goes_on_when_it_is_free(database_url: str) -> None:
    database = Database(database_url)
    async with database.write() as session:
        await session.execute(text("lock table users in access share mode"))
        going_down = asyncio.create_task(migrate.downgrade(database_url, "base"))
        await _until_waiting(database, 1)
        await _until_waiting(database, 0)
        assert not going_down.done()
    await going_down
    await database.close()
    assert await migrate.current(database_url) is None


BEFORE_ARRIVAL = """
insert into agent_history (id, agent_key, status, reported_at) values
  ('018cd9a0-0000-7000-8000-000000000001', 'imported', 'IDLE', '2024-01-05T00:00Z'),
  ('018cd9a0-0000-7000-8000-000000000002', 'heard', 'IDLE', '2024-01-05T00:00Z'),
  ('018cd9a0-0000-7000-8000-000000000003', 'ahead', 'IDLE', '2024-01-05T00:00Z');
insert into system_events (id, event_type, source, timestamp) values
  ('018cd9a0-0000-7000-8000-000000000002', 'e', 's', '2024-01-05T00:00Z'),
  ('018cd9a0-0000-7000-8000-000000000003', 'e', 's', '2024-01-05T00:00Z');
insert into agent_states (id, agent_key, last_active) values
  (gen_random_uuid(), 'imported', '2024-01-05T00:00Z'),
  (gen_random_uuid(), 'heard', '2024-01-05T00:00Z'),
  (gen_random_uuid(), 'ahead', now() + interval '1 day')
"""
STATES = text("""
    select agent_key, last_active <= now(), reported_at = last_active, received_at = last_active
    from agent_states order by agent_key
""")
LINES = text("select count(*), count(received_at) from agent_history")


async def test_agents_that_were_heard_before_arrivals_were_kept(empty_url: str) -> None:
    """Imported reports left no event. Agents whose clock was ahead are of this moment again."""
    await migrate.upgrade(empty_url, "0010")
    months = [datetime(2024, 1, 1, tzinfo=UTC)]
    database = Database(empty_url)
    async with database.write() as session:
        for table in (AgentReport, Event):
            await partition.ensure(session, table, months)
    await database.close()
    for statement in BEFORE_ARRIVAL.split(";"):
        await _run(empty_url, statement)

    await migrate.upgrade(empty_url)
    assert await _rows(empty_url, STATES) == [
        ("ahead", True, True, True),
        ("heard", True, True, True),
        ("imported", True, True, None),
    ]
    assert await _rows(empty_url, LINES) == [(3, 0)]


async def test_what_an_older_gateway_stores_has_an_arrival(database_url: str) -> None:
    database, now = Database(database_url), datetime.now(UTC)
    async with database.write() as session:
        line = {"id": uuid7(now), "agent_key": "a", "status": "IDLE", "reported_at": now}
        await session.execute(insert(AgentReport).values(line))
        state = {"id": uuid7(now), "agent_key": "a", "last_active": now}
        await session.execute(insert(Agent).values(state))
    await database.close()
    assert await _rows(database_url, LINES) == [(1, 1)]
    heard = text("select count(received_at) from agent_states")
    assert await _rows(database_url, heard) == [(1,)]


def test_supported_are_the_revisions_this_code_knows() -> None:
    assert migrate.supported(migrate.head())
    assert not migrate.supported("of-a-later-release")
    assert not migrate.supported(None)


async def _starter(url: str) -> asyncio.subprocess.Process:
    code = "import asyncio, sys; from db.core.schema import migrate; "
    code += "asyncio.run(migrate.upgrade(sys.argv[1]))"
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, url, stderr=asyncio.subprocess.PIPE
    )


async def _until_waiting(database: Database, sessions: int) -> None:
    waiting = text(
        "select count(*) from pg_locks join pg_database on pg_database.oid = database"
        " where datname = current_database() and not granted and relation is not null"
    )
    async with patience(), database.read() as session:
        while await session.scalar(waiting) != sessions:
            pass


async def _run(url: str, statement: str) -> None:
    database = Database(url)
    async with database.write() as session:
        await session.execute(text(statement))
    await database.close()


async def _rows(url: str, statement: TextClause) -> list[tuple[Any, ...]]:
    database = Database(url)
    async with database.read() as session:
        rows = [tuple(row) for row in await session.rows(statement)]
    await database.close()
    return rows


async def _relations(url: str) -> int:
    [(count,)] = await _rows(url, RELATIONS)
    return int(count)


async def _structure(url: str) -> set[tuple[Any, ...]]:
    return {row for row in await _rows(url, STRUCTURE) if row[0] != VERSIONS}


SPELLINGS = """
insert into users (id, email, wallet_address, role) values
  ('018cd9a0-0000-7000-8000-000000000001', 'ada@example.org', '0xAB', 'MEMBER'),
  ('018cd9a0-0000-7000-8000-000000000002', ' Ada@Example.org', '0xab', 'ADMIN'),
  ('018cd9a0-0000-7000-8000-000000000003', 'ADA@example.org', null, 'MEMBER'),
  ('018cd9a0-0000-7000-8000-000000000004', 'bob@example.org', null, 'MEMBER'),
  ('018cd9a0-0000-7000-8000-000000000005', null, null, 'MEMBER'),
  ('018cd9a0-0000-7000-8000-000000000006', null, null, 'MEMBER');
insert into dreams (id, user_id, title)
  select gen_random_uuid(), id, coalesce(email, 'nobody') from users
"""
COPIES = text("select email, role, email_copy, wallet_copy from users order by id")
BEFORE_ADDRESSES = "0008"


async def test_users_with_one_address_in_two_spellings_are_kept(empty_url: str) -> None:
    await migrate.upgrade(empty_url, BEFORE_ADDRESSES)
    for statement in SPELLINGS.split(";"):
        await _run(empty_url, statement)

    for _ in range(2):
        await migrate.upgrade(empty_url)
        assert await _rows(empty_url, COPIES) == [
            ("ada@example.org", "MEMBER", 0, 0),
            (" Ada@Example.org", "ADMIN", 1, 1),
            ("ADA@example.org", "MEMBER", 2, 0),
            ("bob@example.org", "MEMBER", 0, 0),
            (None, "MEMBER", 0, 0),
            (None, "MEMBER", 0, 0),
        ]
        assert await _rows(empty_url, text("select count(*) from dreams")) == [(6,)]
        await migrate.downgrade(empty_url, BEFORE_ADDRESSES)


@pytest.mark.parametrize("spelling", ["ada@example.org", " ADA@example.org"])
async def test_an_older_gateway_cannot_store_another_spelling(
    database: Database, spelling: str
) -> None:
    """It names neither of the new columns, and takes the refusal for a conflict."""
    await make_user(database, email="Ada@Example.org")
    other = insert(User).values(id=uuid7(datetime.now(UTC)), email=spelling)

    async with database.write() as session:
        assert await session.execute(other.on_conflict_do_nothing()) == 0
    with pytest.raises(Conflict):
        async with database.write() as session:
            await session.execute(other)


async def test_the_first_of_several_spellings_signs_in(database: Database) -> None:
    first = await make_user(database, email="Ada@example.org")
    await make_user(database, email="ada@example.org", email_copy=1)

    async with database.read() as session:
        found = await identity.by_email(session, "ADA@example.org")

    assert found.id == first.id


CLAIMS = """
insert into users (id, email, wallet_address, email_copy) values
  ('018cd9a0-0000-7000-8000-000000000001', 'ada@example.org', '0xAB', 0),
  ('018cd9a0-0000-7000-8000-000000000002', 'ada@example.org', '0xab', 1);
insert into user_identities (id, issuer, subject, user_id) values
  (gen_random_uuid(), 'https://login', 'ada', '018cd9a0-0000-7000-8000-000000000001')
"""
BEFORE_IDENTITIES = "0011"


async def test_users_who_share_an_address_or_wallet_are_kept_on_the_way_down(
    database: Database, database_url: str
) -> None:
    for statement in CLAIMS.split(";"):
        await _run(database_url, statement)

    for _ in range(2):
        await migrate.downgrade(database_url, BEFORE_IDENTITIES)
        assert await _rows(database_url, COPIES) == [
            ("ada@example.org", "MEMBER", 0, 0),
            ("ada@example.org", "MEMBER", 1, 1),
        ]
        for copy in ("email_copy", "wallet_copy"):
            with pytest.raises(Conflict):
                async with database.write() as session:
                    await session.execute(update(User).values({copy: 0}))
        await migrate.upgrade(database_url)
        assert await migrate.check(database_url) == []


async def test_an_older_gateway_signs_in_beside_this_one(database: Database) -> None:
    """It knows no identities, and makes users that the next sign-in at this version links."""
    made = insert(User).values(id=uuid7(datetime.now(UTC)), email="ada@example.org")
    async with database.write() as session:
        await session.execute(made.on_conflict_do_nothing())
        first = await identity.sign_in_first(session, "issuer", "1", "ada@example.org", True)
        second = await identity.sign_in_first(session, "issuer", "2", "ada@example.org", True)
        [known] = (await identity.by_subjects(session, "issuer", ["1"])).values()
        assert (await identity.by_email(session, "ada@example.org")).id == first.id == known.id
    assert (first.email_copy, second.email_copy) == (0, 1)
