"""Ingestion: acknowledged rows are stored once, and an invalid item affects no other."""

import asyncio
import os
import signal
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import func, select, text

import db
from db import Database
from db.core.embedded import Embedded
from db.core.errors import Invalid, OutcomeUnknown, RateLimited, Unavailable
from db.core.ingest import writer
from db.core.ingest.rows import IngestRow
from db.core.ingest.writer import Ingestion
from db.core.schema import migrate
from db.events import LOGGED, Event
from support.ingest_rows import NOW, event
from support.query_count import statements
from support.stored_rows import rows
from support.wait import until


def unchecked(number: int, **row: Any) -> IngestRow:
    """An item that nobody looked at before PostgreSQL does."""
    item = event(number)
    return IngestRow(item.id, item.at, orjson.dumps({**orjson.loads(item.text), **row}))


async def count(database: Database) -> int:
    return (await rows(database, select(func.count()).select_from(Event)))[0][0]


async def test_every_item_is_stored_once(database: Database, ingestion: Ingestion) -> None:
    parcels = [[event(100 * n + i) for i in range(100)] for n in range(30)]
    answers = await asyncio.gather(*(ingestion.submit(LOGGED, items) for items in parcels))
    assert answers == [{}] * 30
    stored = {id for (id,) in await rows(database, select(Event.id))}
    assert stored == {item.id for items in parcels for item in items}
    assert await count(database) == 3000


async def test_order_of_storing_is_that_of_arrival(
    database: Database, ingestion: Ingestion
) -> None:
    items = [event(n, NOW - timedelta(seconds=n)) for n in range(50)]
    await ingestion.submit(LOGGED, items)
    stored = await rows(database, select(Event.id).order_by(Event.seq))
    assert [id for (id,) in stored] == [item.id for item in items]


async def test_repeats_are_folded(database: Database, ingestion: Ingestion) -> None:
    first = [event(1, key="k"), event(1, key="k")]
    assert await ingestion.submit(LOGGED, first) == {}
    assert await ingestion.submit(LOGGED, [event(2, key="k")]) == {}
    assert await rows(database, select(Event.event_type)) == [("e1",)]


async def test_missing_months_are_made(database: Database, ingestion: Ingestion) -> None:
    times = [NOW - timedelta(days=31 * n) for n in range(12)]
    assert await ingestion.submit(LOGGED, [event(n, at) for n, at in enumerate(times)]) == {}
    assert await count(database) == 12


async def test_a_month_that_was_dropped_is_made_again(
    database: Database, ingestion: Ingestion
) -> None:
    at = NOW - timedelta(days=400)
    await ingestion.submit(LOGGED, [event(1, at)])
    async with database.write() as session:
        await session.execute(text(f"drop table {db.core.schema.partition.name(Event, at)}"))
    assert await ingestion.submit(LOGGED, [event(2, at)]) == {}
    assert await rows(database, select(Event.event_type)) == [("e2",)]


async def test_poison_that_only_postgresql_sees_refuses_itself_alone(
    database: Database, ingestion: Ingestion
) -> None:
    items: list[IngestRow] = [event(n) for n in range(200)]
    bad = {
        3: unchecked(3, severity="BAD"),
        77: unchecked(77, payload={"a": "\0"}),
        78: unchecked(78, user_id="nobody"),
        199: unchecked(199, timestamp="yesterday-ish"),
    }
    for position, item in bad.items():
        items[position] = item
    errors = await ingestion.submit(LOGGED, items)
    assert errors.keys() == bad.keys()
    assert {type(error) for error in errors.values()} == {Invalid}
    assert await count(database) == 196


async def test_a_text_too_large_for_an_index_refuses_itself_alone(
    database: Database, ingestion: Ingestion
) -> None:
    noise = os.urandom(5000).hex()  # PostgreSQL would compress anything regular
    errors = await ingestion.submit(LOGGED, [event(1), unchecked(2, source=noise), event(3)])
    assert list(errors) == [1]
    assert await count(database) == 2


async def test_a_full_lane_refuses_at_once_and_loses_nothing(
    database: Database, ingestion: Ingestion
) -> None:
    parcels = [[event(n) for n in range(1000)] for _ in range(30)]
    answers = await asyncio.gather(
        *(ingestion.submit(LOGGED, items) for items in parcels), return_exceptions=True
    )
    refused = [answer for answer in answers if isinstance(answer, RateLimited)]
    assert [answer for answer in answers if answer == {}] == [{}] * 20
    assert len(refused) == 10
    assert all(0.05 <= error.retry_after <= 5 for error in refused)
    assert await count(database) == 20_000
    assert await ingestion.submit(LOGGED, [event(1)]) == {}


async def test_a_lane_is_bounded_by_bytes_too(ingestion: Ingestion) -> None:
    large = [event(n, payload="x" * 90_000) for n in range(400)]
    with pytest.raises(RateLimited):
        await ingestion.submit(LOGGED, large)
    assert await ingestion.submit(LOGGED, large[:10]) == {}


async def test_a_cancelled_wait_leaks_nothing(database: Database, ingestion: Ingestion) -> None:
    tasks = [
        asyncio.create_task(ingestion.submit(LOGGED, [event(n) for n in range(10)]))
        for _ in range(50)
    ]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await ingestion.close()
    assert await count(database) == 500
    buffer = ingestion.writers[LOGGED]
    assert (buffer.rows, buffer.bytes, len(buffer.pending)) == (0, 0, 0)


async def test_stopping_stores_submitted_rows_and_refuses_more(database: Database) -> None:
    ingestion = Ingestion(database)
    for _ in range(20):
        ingestion.submit_nowait(LOGGED, [event(n) for n in range(100)])
    await ingestion.close()
    assert await count(database) == 2000
    with pytest.raises(Unavailable):
        await ingestion.submit(LOGGED, [event(1)])


async def test_the_first_statement_is_for_half_of_many_callers(
    database: Database, ingestion: Ingestion
) -> None:
    await ingestion.submit(LOGGED, [event(0)])
    for callers, count_of_statements in ((writer.MANY_CALLERS - 1, 1), (writer.MANY_CALLERS, 2)):
        parcels = [[event(n), event(n)] for n in range(callers)]
        with statements(database, exactly=count_of_statements):
            answers = await asyncio.gather(*(ingestion.submit(LOGGED, items) for items in parcels))
        assert answers == [{}] * callers
    assert await count(database) == 1 + 2 * (2 * writer.MANY_CALLERS - 1)


async def test_unawaited_rows_are_stored_in_one_batch(
    database: Database, ingestion: Ingestion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "LINGER_SECONDS", 0.05)
    ingestion.submit_nowait(LOGGED, [event(0)])
    await asyncio.sleep(0)
    with statements(database, exactly=1):
        ingestion.submit_nowait(LOGGED, [event(1)])
        buffer = ingestion.writers[LOGGED]
        buffer.months.add((NOW.year, NOW.month))
        await until(lambda: not buffer.rows)
    assert await count(database) == 2


async def test_unawaited_rows_join_an_awaited_batch(
    database: Database, ingestion: Ingestion
) -> None:
    ingestion.submit_nowait(LOGGED, [event(0)])
    assert await ingestion.submit(LOGGED, [event(1)]) == {}
    assert await count(database) == 2
    assert ingestion.writers[LOGGED].lingering is None


async def test_connections_lost_in_flight_cost_nothing(
    database: Database, database_url: str, ingestion: Ingestion
) -> None:
    """Somebody keeps throwing everybody out of the database while items come in."""
    murderer = Database(database_url, pool_size=1)
    others = text(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where datname = current_database() and pid <> pg_backend_pid()"
    )
    parcels = [[event(n) for n in range(50)] for _ in range(200)]
    answers = []
    for start in range(0, 200, 10):
        batch = asyncio.gather(*(ingestion.submit(LOGGED, items) for items in parcels[start:][:10]))
        async with murderer.read() as session:
            await session.rows(others)
        answers += await batch
    await murderer.close()
    assert answers == [{}] * 200
    assert await count(database) == 10_000


async def test_without_a_server_nothing_is_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never sent: not stored. Sent, and then silence: nobody knows."""
    monkeypatch.setattr(writer, "DEADLINE_SECONDS", 0.5)
    embedded = Embedded(tmp_path / "postgres")
    with embedded as url:
        await migrate.upgrade(url)
        database = Database(url)
        ingestion = Ingestion(database)
        assert await ingestion.submit(LOGGED, [event(1)]) == {}
        assert embedded.server.pid
        os.kill(embedded.server.pid, signal.SIGSTOP)  # it answers nobody, connections stay
        stopped = children(embedded.server.pid, signal.SIGSTOP)
        errors = await ingestion.submit(LOGGED, [event(2)])
        assert isinstance(errors[0], OutcomeUnknown)
        for pid in (*stopped, embedded.server.pid):
            os.kill(pid, signal.SIGCONT)
    errors = await ingestion.submit(LOGGED, [event(3)])
    assert isinstance(errors[0], Unavailable)
    await ingestion.close()
    await database.close()


def children(pid: int, how: signal.Signals) -> list[int]:
    """Sends a signal to all children of a process; returns their numbers."""
    path = Path(f"/proc/{pid}/task/{pid}/children")
    found = [int(number) for number in path.read_text().split()]
    for child in found:
        os.kill(child, how)
    return found
