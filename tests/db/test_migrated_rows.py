"""Migrations and the rows that are there: converted, kept, and written by the release before."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import text, update
from sqlalchemy.dialects.postgresql import insert

from db import Database, identity
from db.agents import Agent, AgentReport
from db.core.errors import Conflict
from db.core.feed import Position, Reader
from db.core.ids import uuid7
from db.core.schema import migrate, partition
from db.events import Event
from db.feeds import CHANGES
from db.users import User
from support.databases import execute, rows_of
from support.factories import make_metric, make_user
from support.feeds import make_user_with_trace


async def test_success_rates_stored_before_get_the_unit_of_those_to_come(
    database: Database, database_url: str
) -> None:
    ours = {"metric_name": "agent_scout_success_rate", "tags": {"agent_key": "scout"}}
    await make_metric(database, **ours, unit="percent")
    await make_metric(database, metric_name="cpu", unit="percent")
    await make_metric(database, **ours | {"tags": {}}, unit="percent")
    units = text("select unit from performance_metrics order by id")
    await migrate.downgrade(database_url, "0005")
    assert await rows_of(database_url, units) == [("percent",)] * 3
    await migrate.upgrade(database_url)
    assert await rows_of(database_url, units) == [("percentage",), ("percent",), ("percent",)]
    await migrate.downgrade(database_url, "0005")
    assert await rows_of(database_url, units) == [("percent",)] * 3


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
    database = Database(empty_url)
    async with database.write() as session:
        for table in (AgentReport, Event):
            await partition.create(session, table, datetime(2024, 1, 1, tzinfo=UTC))
    await database.close()
    for statement in BEFORE_ARRIVAL.split(";"):
        await execute(empty_url, statement)

    await migrate.upgrade(empty_url)
    assert await rows_of(empty_url, STATES) == [
        ("ahead", True, True, True),
        ("heard", True, True, True),
        ("imported", True, True, None),
    ]
    assert await rows_of(empty_url, LINES) == [(3, 0)]


async def test_rows_of_an_older_gateway_have_an_arrival(database_url: str) -> None:
    database, now = Database(database_url), datetime.now(UTC)
    async with database.write() as session:
        line = {"id": uuid7(now), "agent_key": "a", "status": "IDLE", "reported_at": now}
        await session.execute(insert(AgentReport).values(line))
        state = {"id": uuid7(now), "agent_key": "a", "last_active": now}
        await session.execute(insert(Agent).values(state))
    await database.close()
    assert await rows_of(database_url, LINES) == [(1, 1)]
    heard = text("select count(received_at) from agent_states")
    assert await rows_of(database_url, heard) == [(1,)]


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
        await execute(empty_url, statement)

    for _ in range(2):
        await migrate.upgrade(empty_url)
        assert await rows_of(empty_url, COPIES) == [
            ("ada@example.org", "MEMBER", 0, 0),
            (" Ada@Example.org", "ADMIN", 1, 1),
            ("ADA@example.org", "MEMBER", 2, 0),
            ("bob@example.org", "MEMBER", 0, 0),
            (None, "MEMBER", 0, 0),
            (None, "MEMBER", 0, 0),
        ]
        assert await rows_of(empty_url, text("select count(*) from dreams")) == [(6,)]
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


async def test_users_with_one_address_or_wallet_survive_a_downgrade(
    database: Database, database_url: str
) -> None:
    for statement in CLAIMS.split(";"):
        await execute(database_url, statement)

    for _ in range(2):
        await migrate.downgrade(database_url, BEFORE_IDENTITIES)
        assert await rows_of(database_url, COPIES) == [
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


BEFORE_PROGRESS = """
insert into dreams (id, title) values
  ('018cd9a0-0000-7000-8000-000000000001', 'Fold a shirt'),
  ('018cd9a0-0000-7000-8000-000000000002', 'Write a poem');
insert into progress_logs
  (id, dream_id, average_impossibility, best_score, test_count, improvement_trend, created_at)
values
  ('018cd9a0-0000-7000-8000-000000000003', '018cd9a0-0000-7000-8000-000000000001', 80, 60, 2, 3,
    '2024-01-05T00:00Z'),
  ('018cd9a0-0000-7000-8000-000000000004', '018cd9a0-0000-7000-8000-000000000001', 70, 50, 3, 4,
    '2024-01-06T00:00Z')
"""
PROGRESS = text("""
    select average_impossibility::int, best_score::int, test_count, improvement_trend::int,
      last_tested_at = '2024-01-06T00:00Z', slug
    from dreams order by id
""")


async def test_dreams_stored_before_show_their_progress_and_have_slugs(empty_url: str) -> None:
    """Those of both migrations apart, between which older gateways write as well."""
    await migrate.upgrade(empty_url, "0018")
    for statement in BEFORE_PROGRESS.split(";"):
        await execute(empty_url, statement)
    await migrate.upgrade(empty_url, "0019")
    await execute(
        empty_url,
        "insert into dreams (id, title) values ('018cd9a0-0000-7000-8000-000000000005', '?')",
    )
    for _ in range(2):
        await migrate.upgrade(empty_url)
        assert await rows_of(empty_url, PROGRESS) == [
            (70, 50, 3, 4, True, "fold-a-shirt-000000000001"),
            (None, None, 0, None, None, "write-a-poem-000000000002"),
            (None, None, 0, None, None, "000000000005"),
        ]
        await migrate.downgrade(empty_url, "0018")


AS_BEFORE = """
insert into changes (noun, entity_id, kind) values ('users', gen_random_uuid(), 'CREATED')
"""


async def test_pending_changes_and_cursors_survive_the_release_before(
    database: Database, database_url: str
) -> None:
    reader = Reader(CHANGES, database)
    await make_user_with_trace(database, "first@example.org")
    async with reader.following():
        cursor = str(reader.position)
    await reader.close()
    await make_user_with_trace(database, "pending@example.org")
    await database.close()
    await migrate.downgrade(database_url, "0037")
    await execute(database_url, AS_BEFORE)
    seqs = text("select seq from changes order by seq")
    [first, pending, before] = await rows_of(database_url, seqs)
    await migrate.upgrade(database_url)
    await execute(database_url, AS_BEFORE)
    await make_user_with_trace(database, "after@example.org")
    async with reader.following():
        position = Position.parse(cursor, "changes")
        assert (position.seq,) == first
        assert await reader.check_position(position) is None
        rows, _ = await reader.rows(position.seq, reader.position.seq, 10)
        assert [(row.seq,) for row in rows][:2] == [pending, before]
        assert len(rows) == 4
    await reader.close()
