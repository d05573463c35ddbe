"""Retention of tables without a feed, and closed months."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from db import Database, retention
from db.ai_tests import AiTest
from db.alerts import Alert
from db.audit import AuditEntry
from db.core.ids import time_of
from db.core.schema import expiry, partition
from db.core.schema.months import COMPACTED, months
from db.metrics import Metric
from db.notifications import Notification
from db.progress import ProgressLog
from support.factories import (
    make_ai_test,
    make_alert,
    make_dream,
    make_metric,
    make_notification,
    make_progress_log,
    make_user,
    make_user_action,
    make_webhook_delivery,
)
from support.feeds import make_user_with_trace
from support.stored_rows import execute

LONG_AGO = datetime(2020, 5, 17, tzinfo=UTC)
YEAR = timedelta(days=365)


async def ids_of(database: Database, table: Any) -> set[Any]:
    async with database.read() as session:
        return {id for (id,) in await session.rows(select(table.id))}


@pytest.fixture
async def aged(database: Database) -> Database:
    """Rows of long ago and of now in each table."""
    dream, user = await make_dream(database), await make_user(database)
    for at in (LONG_AGO, datetime.now(UTC)):
        await make_ai_test(database, dream_id=dream.id, created_at=at)
        await make_progress_log(database, dream_id=dream.id, created_at=at)
        await make_metric(database, timestamp=at)
        await make_user_action(database, timestamp=at)
        await make_notification(database, user_id=user.id, created_at=at)
        await make_alert(database, created_at=at, closed_at=at)
        await make_webhook_delivery(database, created_at=at)
    return database


@pytest.mark.parametrize(
    "name",
    ["metrics", "actions", "tests", "progress", "notifications", "alerts", "deliveries"],
)
async def test_rows_of_one_table_expire_and_no_others(aged: Database, name: str) -> None:
    before = {other: await ids_of(aged, table) for other, table in retention.TABLES.items()}

    assert await retention.expire(aged, {name: YEAR}) == {name: 1}

    for other, table in retention.TABLES.items():
        old = {id for id in before[other] if time_of(id) < datetime.now(UTC) - YEAR}
        expected = before[other] - old if other == name else before[other]
        assert await ids_of(aged, table) == expected
        if other == name:
            assert old
    assert await retention.expire(aged, {name: YEAR}) == {name: 0}


async def test_alerts_expire_by_the_time_at_which_they_closed(database: Database) -> None:
    kept = [
        await make_alert(database, created_at=LONG_AGO, closed_at=closed_at)
        for closed_at in (None, datetime.now(UTC))
    ]
    assert await retention.expire(database, {"alerts": YEAR}) == {"alerts": 0}
    assert await ids_of(database, Alert) == {alert.id for alert in kept}


async def test_nothing_expires_without_a_setting(aged: Database) -> None:
    before = [await ids_of(aged, table) for table in retention.TABLES.values()]
    assert await retention.expire(aged, {}) == {}
    assert [await ids_of(aged, table) for table in retention.TABLES.values()] == before


async def test_entries_of_the_audit_log_expire_in_batches(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry, "BATCH_ROWS", 2)
    for number in range(5):
        await make_user_with_trace(database, f"user{number}@example.org")
    assert len(await ids_of(database, AuditEntry)) == 5
    assert await retention.expire(database, {"audit": timedelta()}) == {"audit": 5}
    assert await ids_of(database, AuditEntry) == set()


async def test_a_row_that_is_being_written_is_left_for_the_next_time(aged: Database) -> None:
    async with aged.write() as session:
        await session.execute(text("select from notifications for update"))
        assert await retention.expire(aged, {"notifications": YEAR}) == {"notifications": 0}
    assert await retention.expire(aged, {"notifications": YEAR}) == {"notifications": 1}


async def test_a_dream_survives_its_tests(aged: Database) -> None:
    await retention.expire(aged, {"tests": YEAR, "progress": YEAR})
    [test] = await ids_of(aged, AiTest)
    [log] = await ids_of(aged, ProgressLog)
    assert min(time_of(test), time_of(log)) > datetime.now(UTC) - YEAR


async def test_closed_months_are_compacted_once(aged: Database) -> None:
    """Those of long ago, and the previous month, which each test has."""
    closed = {"ai_tests_y2020m05", "performance_metrics_y2020m05", "user_analytics_y2020m05"}
    before = await _files(aged)

    compacted = await expiry.compact_closed(aged) or []
    assert closed.issubset(compacted)
    after = await _files(aged)
    changed = {name for name, file in after.items() if file != before[name]}
    assert changed == {name for name in before if any(map(name.startswith, compacted))}
    assert await expiry.compact_closed(aged) == []
    async with aged.read() as session:
        found = {month.name: month.mark for month in await months(session, "ai_tests")}
    marked = {name for name, mark in found.items() if mark == COMPACTED}
    assert marked == {name for name in compacted if name in found}
    assert await retention.expire(aged, {"metrics": YEAR}) == {"metrics": 1}


async def test_months_are_compacted_some_at_a_time(
    aged: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry, "MOST_COMPACTED", 2)
    first, second = [await expiry.compact_closed(aged) or [] for _ in range(2)]
    assert (len(first), len(second)) == (2, min(len(second), 2))
    assert second
    assert not set(first) & set(second)


async def test_what_an_interrupted_run_left_is_dropped(aged: Database) -> None:
    await execute(aged, text("create index left_ccnew on performance_metrics_y2020m05 (value)"))
    broken = "update pg_index set indisvalid = false where indexrelid = 'left_ccnew'::regclass"
    await execute(aged, text(broken))
    await expiry.compact_closed(aged)
    assert "left_ccnew" not in await _files(aged)


async def test_a_month_with_late_rows_is_not_closed(database: Database) -> None:
    """The last month may still get rows of agents that were not connected."""
    now = datetime.now(UTC)
    async with database.write() as session:
        recent = now - expiry.SETTLED + timedelta(days=1)
        await partition.ensure(session, Metric, [recent.replace(day=1) - timedelta(days=1)])
    compacted = await expiry.compact_closed(database) or []
    ends = [datetime(int(name[-7:-3]), int(name[-2:]), 1, tzinfo=UTC) for name in compacted]
    assert all(partition.next_month(start) <= now - expiry.SETTLED for start in ends)


async def test_one_process_at_a_time(aged: Database) -> None:
    async with expiry.turn(aged) as taken:
        assert taken is not None
        assert await retention.expire(aged, {"metrics": YEAR, "progress": YEAR}) == {}
        assert await expiry.compact_closed(aged) is None
    assert len(await ids_of(aged, Notification)) == 2


async def _files(database: Database) -> dict[str, int]:
    """The file of each index by name; an index that is built anew has another one."""
    statement = text("""
        select relname, relfilenode from pg_class
        where relkind = 'i' and relnamespace = 'public'::regnamespace
    """)
    async with database.read() as session:
        return {row[0]: row[1] for row in await session.rows(statement)}
