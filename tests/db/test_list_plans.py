"""Every order and filter of every list is served by an index, on every partition.

The tables are small, so reading them whole is forbidden; the rows are those of `make bench-growth`.
"""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import product
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.dialects.postgresql import JSONB

from db import Database
from db.core.query.filter import Compare
from db.core.query.keyset import encode
from db.core.query.listing import ListArgs, ListSpec
from db.core.query.served import is_served
from growth.filling import Size, fill
from support.factories import (
    make_ai_test_schedule,
    make_alert,
    make_attachment,
    make_dream,
    make_queued_ai_test,
    make_webhook_delivery,
)
from support.list_plans import (
    Node,
    condition,
    connected,
    listings,
    plan_of,
    plan_of_filter,
    scans,
    sorts,
    window,
)

UNTIL = datetime.now(UTC).replace(microsecond=0)
SIZE = Size(3_000, UNTIL - timedelta(days=80), UNTIL)

# Sorting others whole takes less than a millisecond.
BOUNDED = {
    "agent_states",
    "alert_rules",
    "ai_models",
    "api_keys",
    "feature_flags",
    "system_config",
    "webhooks",
}
# Filters answered by looking at a bounded number of rows: decision 53.
WALKED = {
    "agent_history": {"previous_status", "error", "received_at"},
    "ai_test_queue": {"attempts", "available_at", "claimed_until", "model", "provider"},
    "ai_test_schedules": {"is_active", "next_run_at"},
    "ai_tests": set(),
    "alerts": {"kind", "closed_at", "acknowledged_at", "opened_at"},
    "attachments": set(),
    "audit_log": {"key_id"},
    "dreams": {"is_public"},
    "notifications": {"kind", "read_at", "created_at"},
    "performance_metrics": {"unit", "value"},
    "progress_logs": {"active_models", "best_score", "improvement_trend", "test_count"},
    "system_events": set(),
    "user_analytics": {"page"},
    "webhook_deliveries": {"event_type", "delivered_at", "failed_at", "created_at"},
    "users": {"created_at", "disabled_at", "passport_tier", "role"},
}
# Found in an index that has these rows alone, without a condition.
PARTIAL = [
    ("ai_test_schedules", "is_active", "eq"),
    ("alerts", "closed_at", "is_null"),
    ("dreams", "is_public", "eq"),
    ("notifications", "read_at", "is_null"),
]
LISTS = {name: listing for name, listing in listings().items() if name not in BOUNDED}
ORDERS = [
    (name, order, descending)
    for name, listing in LISTS.items()
    for order, descending in product(listing.orders, (False, True))
]
# A value that few rows have, for columns with a partial index; and one for columns that are null.
VALUES = {("ai_tests", "status"): "RUNNING", ("system_events", "severity"): "CRITICAL"} | {
    ("agent_history", "status"): "OFFLINE"
}
ABSENT = {str: "absent", datetime: UNTIL, UUID: UUID(int=1), Decimal: Decimal(1), int: 1}


@pytest.fixture
async def connection(database: Database, database_url: str) -> AsyncIterator[Any]:
    """A connection to a filled database that avoids reading tables whole."""
    await fill(database, database_url, SIZE, lambda _: None)
    for _ in range(3):
        dream = await make_dream(database, user_id=None)
        await make_queued_ai_test(database, dream_id=dream.id)
        await make_ai_test_schedule(database, dream_id=dream.id)
        await make_attachment(database, dream_id=dream.id)
        await make_alert(database)
        await make_webhook_delivery(database)
    connection = await connected(database_url)
    yield connection
    await connection.close()


async def test_each_page_of_each_order_is_a_range_of_an_index(
    database: Database, connection: Any
) -> None:
    for name, field, descending in ORDERS:
        listing, order = LISTS[name], ((field, descending),)
        for backward in (False, True):
            first = ListArgs(order=order, window=window(backward))
            plan, rows = await plan_of(database, connection, listing, first)
            assert_ordered(plan, name, order)
            for row in await _edges(database, listing, order, rows):
                after = ListArgs(order=order, window=window(backward, row))
                plan, _ = await plan_of(database, connection, listing, after)
                assert_ordered(plan, name, order)
                assert all(map(condition, scans(plan))), (name, order, plan)


@pytest.mark.parametrize(
    "order",
    [
        (("CATEGORY", False), ("TITLE", False)),
        (("CATEGORY", True), ("TITLE", False)),
        (("STATUS", False), ("UPDATED_AT", True), ("TITLE", False)),
    ],
)
async def test_a_later_page_of_several_columns_begins_at_the_first_of_them(
    database: Database, connection: Any, order: tuple[tuple[str, bool], ...]
) -> None:
    listing = LISTS["dreams"]
    for backward in (False, True):
        first = ListArgs(order=order, window=window(backward))
        _, rows = await plan_of(database, connection, listing, first)
        cursor = encode(listing.order(order), rows[0])
        after = ListArgs(order=order, window=window(backward, cursor))
        plan, _ = await plan_of(database, connection, listing, after)
        assert_ordered(plan, "dreams", order)
        assert all(map(condition, scans(plan))), plan


async def test_each_filter_is_a_range_of_an_index_or_listed_as_walked(
    database: Database, connection: Any
) -> None:
    walked: dict[str, set[str]] = {name: set() for name in LISTS}
    for name, listing in LISTS.items():
        [row] = await connection.fetch(f"select * from {name} order by id desc limit 1")  # noqa: S608  a table of ours
        for field, column in listing.filters.items():
            value = VALUES.get((name, field), row[column.name])
            where = _equal(field, column, value)
            plan = await plan_of_filter(database, connection, listing, where)
            if not _is_found(plan, column.name, listing):
                walked[name].add(field)
    assert walked == WALKED


def test_tables_that_do_not_grow_with_use() -> None:
    assert {name for name, listing in listings().items() if not listing.grows} == BOUNDED


def test_lists_know_which_filters_have_an_index() -> None:
    walked = {
        name: {
            field
            for field in listing.filters
            if not is_served(Compare(field, "eq", None), listing.filterable)
        }
        for name, listing in LISTS.items()
    }
    assert walked == {name: fields - {"is_active", "is_public"} for name, fields in WALKED.items()}


async def test_each_comparison_that_is_known_to_have_an_index_is_found_by_it(
    database: Database, connection: Any
) -> None:
    walked = []
    for name, listing in LISTS.items():
        [row] = await connection.fetch(f"select * from {name} order by id desc limit 1")  # noqa: S608  a table of ours
        for field, column in listing.filters.items():
            for where in _comparisons(field, column, VALUES.get((name, field), row[column.name])):
                if is_served(where, listing.filterable):
                    plan = await plan_of_filter(database, connection, listing, where)
                    if not _is_found(plan, column.name, listing):
                        walked.append((name, field, where.operator))
    assert walked == PARTIAL


def _comparisons(field: str, column: Any, value: Any) -> Iterator[Compare]:
    """Each comparison of a column that an index can serve."""
    equal = _equal(field, column, value)
    yield equal
    yield Compare(field, "is_null", True)
    if equal.operator == "has_any":
        yield Compare(field, "has_all", equal.value)
    elif equal.operator == "eq" and not isinstance(equal.value, bool):
        yield Compare(field, "in", (equal.value,))
        for operator in () if "choices" in column.info else ("lt", "lte", "gt", "gte"):
            yield Compare(field, operator, equal.value)


def test_a_partial_index_does_not_serve_the_other_rows() -> None:
    for name, where in (
        ("dreams", Compare("is_public", "eq", False)),
        ("system_events", Compare("user_id", "is_null", True)),
        ("system_events", Compare("user_id", "is_null", False)),
    ):
        assert not is_served(where, LISTS[name].filterable)
    assert is_served(Compare("is_public", "eq", True), LISTS["dreams"].filterable)
    assert is_served(Compare("duration_ms", "is_null", True), LISTS["ai_tests"].filterable)


def _equal(field: str, column: Any, value: Any) -> Compare:
    if isinstance(value, list):
        return Compare(field, "has_any", tuple(value))
    if isinstance(column.type, JSONB):
        return Compare(field, "has", '{"absent": 1}')
    return Compare(field, "eq", ABSENT[column.type.python_type] if value is None else value)


def _is_found(plan: Node, column: str, listing: ListSpec) -> bool:
    names = {column, "id"} if listing.time is not None and listing.time.name == column else {column}
    return all(any(name in condition(scan) for name in names) for scan in scans(plan))


def assert_ordered(plan: Node, name: str, order: object) -> None:
    read = scans(plan)
    assert read, (name, order)
    assert [node["Node Type"] for node in read if node["Node Type"] == "Seq Scan"] == []
    assert sorts(plan) == [], (name, order, plan)


async def _edges(
    database: Database, listing: ListSpec, order: tuple[tuple[str, bool], ...], rows: list[Any]
) -> list[str]:
    """Cursors of the first row with a value and, where there is one, of a row with null."""
    terms = listing.order(order)
    cursors = [encode(terms, rows[0])]
    if terms[0].nullable:
        null = Compare(_filter_of(listing, terms[0].column), "is_null", True)
        value = Compare(_filter_of(listing, terms[0].column), "is_null", False)
        async with database.read() as session:
            for where in (null, value):
                page = await listing.page(session, ListArgs(where, order=order))
                cursors += [encode(terms, row) for row in page.records[:1]]
    return cursors


def _filter_of(listing: ListSpec, column: Any) -> str:
    return next(name for name, known in listing.filters.items() if known is column)
