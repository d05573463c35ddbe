"""The test ground itself: every factory stores a row, and clones do not see each other's rows."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, literal, select

from db import Database
from db.users import User
from support import factories
from support.query_count import statements

MAKERS = [make for name, make in inspect.getmembers(factories) if name.startswith("make_")]


@pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
async def test_every_factory_stores_two_rows_in_the_order_of_their_ids(
    database: Database, make: Callable[..., Any]
) -> None:
    first, second = await make(database), await make(database)
    assert first.id < second.id


@pytest.mark.parametrize("round", [1, 2])
async def test_a_clone_starts_without_rows(database: Database, round: int) -> None:
    async with database.read() as session:
        assert await session.scalar(select(func.count()).select_from(User)) == 0
    await factories.make_user(database)


async def test_statements_are_counted_and_shown(database: Database) -> None:
    async def two_where_one_is_allowed() -> None:
        with statements(database, at_most=1):
            async with database.read() as session:
                await session.scalar(select(literal(41)))
            async with database.write() as session:
                await session.scalar(select(literal(42)))

    with pytest.raises(AssertionError, match=r"2 statements, more than 1:\n1\. SELECT"):
        await two_where_one_is_allowed()
