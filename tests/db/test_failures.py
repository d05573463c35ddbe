"""Errors of the driver become domain errors."""

from datetime import UTC, datetime
from secrets import token_hex
from typing import Any

import pytest
from sqlalchemy import func, insert, select, text
from sqlalchemy.exc import DBAPIError

from db import Database
from db.core.errors import (
    Conflict,
    DomainError,
    Invalid,
    Locked,
    NotFound,
    ReadOnly,
    Unavailable,
)
from db.core.ids import uuid7
from db.core.session.pg_errors import is_rolled_back
from db.metrics import Metric
from support.factories import START, make_ai_test, make_dream, make_user

LONG_AGO = datetime(1999, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("overrides", "error", "message", "field"),
    [
        ({"role": "KING"}, Invalid, "This value is not allowed.", "role"),
        ({"passport_tier": None}, Invalid, "This value is required.", "passport_tier"),
        ({"email": "a\0b"}, Invalid, "A value is out of range, or contains characters that", None),
    ],
)
async def test_a_value_that_postgresql_refuses_is_invalid(
    database: Database, overrides: dict[str, Any], error: type, message: str, field: str | None
) -> None:
    with pytest.raises(error, match=message) as raised:
        await make_user(database, **overrides)

    assert raised.value.field == field


async def test_a_second_row_with_a_unique_value_is_a_conflict(database: Database) -> None:
    await make_user(database, email="ada@example.org")

    with pytest.raises(Conflict, match=r"There is already one with this email."):
        await make_user(database, email="ada@example.org")


async def test_a_reference_to_nothing_is_not_found(database: Database) -> None:
    with pytest.raises(NotFound, match=r"The object that user_id refers to does not exist."):
        await make_dream(database, user_id=uuid7(START))


@pytest.mark.parametrize("score", [-1, 100.01, 1000])
async def test_a_score_outside_0_to_100_is_invalid(database: Database, score: float) -> None:
    with pytest.raises(Invalid):
        await make_ai_test(database, impossibility_score=score)


async def test_a_month_without_a_partition_is_a_fault_of_ours(database: Database) -> None:
    async with database.write() as session:
        with pytest.raises(DBAPIError, match="no partition of relation"):
            await session.execute(
                insert(Metric).values(
                    id=uuid7(LONG_AGO), metric_name="cpu", value=1, timestamp=LONG_AGO
                )
            )


async def test_an_internal_error_is_not_converted(database: Database) -> None:
    with pytest.raises(Exception, match="no_such_function") as raised:
        async with database.read() as session:
            await session.rows(select(func.no_such_function()))

    assert not isinstance(raised.value, DomainError)


async def test_a_database_that_is_not_there_is_unavailable(database: Database) -> None:
    """It is being restored; a gateway that starts without one is told by its migrations."""
    nowhere = Database(database.url.set(dbname="nowhere"))
    with pytest.raises(Unavailable):
        async with nowhere.read():
            pass
    await nowhere.close()


async def test_a_value_beyond_a_limit_of_postgresql_is_invalid(database: Database) -> None:
    with pytest.raises(Invalid, match=r"A value is too large for PostgreSQL"):
        await make_dream(database, tags=[token_hex(5_000)])


@pytest.mark.parametrize(
    ("sqlstate", "error"),
    [
        ("25006", ReadOnly),
        ("40001", Locked),
        ("40P01", Locked),
        ("55P03", Locked),
        ("53100", Unavailable),
        ("57014", Unavailable),
    ],
)
async def test_accepted_values_have_a_description(
    database: Database, sqlstate: str, error: type[DomainError]
) -> None:
    fail = text(f"do $$ begin raise exception using errcode = '{sqlstate}'; end $$")
    with pytest.raises(error) as raised:
        async with database.write() as session:
            await session.execute(fail)

    assert raised.type is error
    assert is_rolled_back(raised.value.__cause__ or raised.value)


async def test_a_connection_that_breaks_leaves_it_open_whether_a_row_is_stored(
    database: Database,
) -> None:
    with pytest.raises(Unavailable) as raised:
        async with database.write() as session:
            await session.execute(text("select pg_terminate_backend(pg_backend_pid())"))

    assert not is_rolled_back(raised.value.__cause__ or raised.value)
