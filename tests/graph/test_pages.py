"""Pages: filters, orders and windows give what a plain Python model of the same rows gives, and
whoever walks through them while others write meets every row once."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from db import Database
from graph.core.types.node import global_id
from support.factories import START, make_dream, make_user
from support.paging import DREAMS, TESTS, TESTS_OF_DREAMS, Data, check_walks, cursors_of, page
from support.plain_model import DREAM_ORDERS, TEST_ORDERS, model
from support.query_count import statements
from support.random_queries import filters, orders, sent
from support.random_rows import Row, World, hold, printed

many_examples = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(params=[1, 2])
async def world(request: pytest.FixtureRequest, database: Database) -> World:
    """A world that the database of this test holds."""
    world = World(request.param)
    await hold(database, world)
    return world


@many_examples
@given(filters("dream"), orders(DREAM_ORDERS), st.integers(2, 12))
async def test_pages_of_dreams_are_those_of_the_model(
    database: Database, data: Data, world: World, where: Row, order: list[Row], size: int
) -> None:
    plain = await model(database)
    expected = plain.sorted([row for row in world.dreams if plain.holds(where, row)], order)

    await check_walks(data, DREAMS, {"filter": sent(where), "orderBy": order}, expected, size)


@many_examples
@given(filters("test"), orders(TEST_ORDERS), st.integers(2, 12))
async def test_pages_of_tests_are_those_of_the_model(
    database: Database, data: Data, world: World, where: Row, order: list[Row], size: int
) -> None:
    plain = await model(database)
    expected = plain.sorted([row for row in world.tests if plain.holds(where, row)], order)

    await check_walks(data, TESTS, {"filter": sent(where), "orderBy": order}, expected, size)


@dataclass(frozen=True)
class Part:
    """A part of a list: so many rows from one end of what lies between two positions in it."""

    size: int
    backward: bool
    after: int | None
    before: int | None

    def written(self, cursors: Sequence[str]) -> dict[str, Any]:
        """The arguments of a connection that ask for it."""
        return {
            "last" if self.backward else "first": self.size,
            "after": None if self.after is None else cursors[self.after],
            "before": None if self.before is None else cursors[self.before],
        }

    def page(self, rows: list[Row], fits: Callable[[Row], bool], cursors: dict[str, str]) -> Row:
        """The page it is, of those rows of a list that fit."""
        start = 0 if self.after is None else self.after + 1
        between = [row for row in rows[start : self.before] if fits(row)]
        more = len(between) > self.size
        total = sum(map(fits, rows))
        if self.backward:
            taken = between[max(len(between) - self.size, 0) :]
            return page(taken, total, self.before is not None, more, cursors)
        return page(between[: self.size], total, more, self.after is not None, cursors)


positions = st.none() | st.integers(0, 29)
parts = st.builds(Part, st.integers(0, 6), st.booleans(), positions, positions)


@many_examples
@given(filters("test"), orders(TEST_ORDERS), parts)
async def test_a_window_lies_between_its_cursors(
    database: Database, data: Data, world: World, where: Row, order: list[Row], part: Part
) -> None:
    plain = await model(database)
    cursors = await cursors_of(data, TESTS, {"orderBy": order})
    asked = {"filter": sent(where), "orderBy": order, **part.written([*cursors.values()])}

    answer = await data(TESTS, asked)

    rows = plain.sorted(world.tests, order)
    assert answer["page"] == part.page(rows, partial(plain.holds, where), cursors)


@many_examples
@given(filters("test"), orders(TEST_ORDERS), parts)
async def test_each_parent_has_pages_of_its_own_by_one_statement(
    database: Database, data: Data, world: World, where: Row, order: list[Row], part: Part
) -> None:
    plain = await model(database)
    cursors = await cursors_of(data, TESTS, {"orderBy": order})
    asked = {"filter": sent(where), "orderBy": order, **part.written([*cursors.values()])}

    with statements(database, exactly=3):  # dreams, pages of tests, counts of tests
        answer = await data(TESTS_OF_DREAMS, asked)

    rows = plain.sorted(world.tests, order)
    for dream, found in zip(plain.sorted(world.dreams, []), answer["dreams"]["nodes"], strict=True):
        own = {"and": [where, {"dream": {"id": {"eq": dream["id"]}}}]}
        expected = part.page(rows, partial(plain.holds, own), cursors)
        assert found == {"id": printed(dream), "tests": expected}


@pytest.mark.parametrize("order", [[], [{"field": "TITLE", "direction": "ASC"}]])
@pytest.mark.parametrize("backward", [False, True])
async def test_rows_there_before_the_walk_are_met_once_whatever_is_added_meanwhile(
    database: Database, data: Data, order: list[Row], backward: bool
) -> None:
    owner = (await make_user(database)).id

    async def add(place: float) -> str:
        at = START + timedelta(seconds=place)
        made = await make_dream(
            database, user_id=owner, created_at=at, title=f"{place + 1000:010.3f}"
        )
        return global_id(made)

    there = [await add(place) for place in range(50)]
    expected = there if bool(order) is not backward else there[::-1]
    added: list[str] = []

    async def add_some(round: int) -> None:
        added.extend([await add(place) for place in (-1 - round, 50 + round, 24.5 + round / 1000)])

    met: list[str] = []
    size, cursor = ("last", "before") if backward else ("first", "after")
    asked: Row = {"orderBy": order, size: 7}
    more, round = True, 0
    while more:
        answer, _ = await asyncio.gather(data(DREAMS, asked), add_some(round))
        ids, info = [node["id"] for node in answer["page"]["nodes"]], answer["page"]["pageInfo"]
        met += ids[::-1] if backward else ids
        more = info["hasPreviousPage" if backward else "hasNextPage"]
        asked[cursor] = info["startCursor" if backward else "endCursor"]
        round += 1

    assert len(met) == len(set(met))
    assert [id for id in met if id in there] == expected
    assert {id for id in met if id in added}  # they did meet
