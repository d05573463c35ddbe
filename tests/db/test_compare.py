"""Filters evaluated in process give the results of PostgreSQL."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, given, settings, strategies as st

from db import Database
from db.ai_tests import AiTest
from db.core.query.filter import And, Compare, Condition, Exists, Not, Or
from db.core.query.listing import ListSpec, columns_by_name
from db.dreams import LISTING as DREAMS
from db.events import LISTING as EVENTS
from support import databases
from support.factories import make_dream, make_event

START = datetime(2026, 11, 21, tzinfo=UTC)
TEXTS = [
    "",
    "a",
    "ab",
    "AB",
    "INFO",
    "info",
    "\u0131",
    "Ärger",
    "ärger",
    "ß",
    "a_b",
    "a%b",
    "z",
    "Z",
]
USERS = [None, UUID(int=1), UUID(int=2)]
TIMES = [START + timedelta(microseconds=n) for n in range(3)]
EQUAL, NULL = ("eq", "ne", "in", "not_in"), ("is_null",)
ORDERED, FOLDED = ("lt", "lte", "gt", "gte"), ("contains", "starts_with")


def values(operator: str, kind: list[Any]) -> st.SearchStrategy[Any]:
    one = st.sampled_from([value for value in kind if value is not None])
    if operator == "is_null":
        return st.booleans()
    return st.lists(one, max_size=3).map(tuple) if operator in MANY else one


MANY = ("in", "not_in", "has_any", "has_all")
COLUMNS: dict[str, tuple[list[Any], tuple[str, ...]]] = {
    "event_type": (TEXTS, (*EQUAL, *ORDERED, *FOLDED, *NULL)),
    "user_id": (USERS, (*EQUAL, *NULL)),
    "timestamp": (TIMES, (*EQUAL, *ORDERED, *NULL)),
}
OF_DREAMS: dict[str, tuple[list[Any], tuple[str, ...]]] = {
    "title": (TEXTS, FOLDED),
    "tags": (TEXTS, ("has_any", "has_all")),
    "is_public": ([True, False], ("eq", "ne")),
}


def compares(columns: dict[str, Any]) -> st.SearchStrategy[Condition]:
    return st.one_of(
        values(operator, kind).map(lambda v, n=name, o=operator: Compare(n, o, v))
        for name, (kind, operators) in columns.items()
        for operator in operators
    )


def conditions(columns: dict[str, Any]) -> st.SearchStrategy[Condition]:
    return st.recursive(
        compares(columns),
        lambda part: st.one_of(
            st.lists(part, max_size=3).map(lambda parts: And(tuple(parts))),
            st.lists(part, max_size=3).map(lambda parts: Or(tuple(parts))),
            part.map(Not),
        ),
        max_leaves=5,
    )


class World:
    """Rows of two tables, and a loop to ask PostgreSQL in."""

    def __init__(self, url: str) -> None:
        self.loop = asyncio.new_event_loop()
        self.database = Database(url)
        self.events, self.dreams = self.loop.run_until_complete(self._store())

    async def _store(self) -> tuple[list[Any], list[Any]]:
        async with self.database.write() as session:
            events = [
                await make_event(
                    session, event_type=text, user_id=USERS[n % 3], timestamp=TIMES[n // 3 % 3]
                )
                for n, text in enumerate(TEXTS * 2)
            ]
            dreams = [
                await make_dream(
                    session, user_id=None, title=text, tags=TEXTS[:n], is_public=n % 2 == 0
                )
                for n, text in enumerate(TEXTS)
            ]
        return events, dreams

    def matching(self, listing: ListSpec, condition: Condition, rows: list[Any]) -> frozenset[UUID]:
        async def ask() -> frozenset[UUID]:
            async with self.database.read() as session:
                return await listing.matching(session, condition, [row.id for row in rows])

        return self.loop.run_until_complete(ask())

    def close(self) -> None:
        self.loop.run_until_complete(self.database.close())
        self.loop.close()


@pytest.fixture(scope="module")
def world(server_url: str, template_url: str) -> Iterator[World]:
    url = asyncio.run(databases.create_database(server_url, template_url))
    world = World(url)
    yield world
    world.close()
    asyncio.run(databases.drop_database(server_url, url))


unhurried = settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def agrees(world: World, listing: ListSpec, condition: Condition, rows: list[Any]) -> None:
    matching = world.matching(listing, condition, rows)
    for row in rows:
        received = listing.filterable.holds(condition, row)
        assert received is None or received is (row.id in matching), (condition, row)


@unhurried
@given(condition=conditions(COLUMNS))
def test_events(world: World, condition: Condition) -> None:
    agrees(world, EVENTS, condition, world.events)


@unhurried
@given(condition=conditions(OF_DREAMS))
def test_texts_lists_and_booleans(world: World, condition: Condition) -> None:
    agrees(world, DREAMS, condition, world.dreams)


def test_values_that_only_postgresql_can_compare() -> None:
    """The order of texts, letters beyond ASCII, and I, whose small letter Turkish has another."""
    row = EVENTS.table.Record._make([None] * len(EVENTS.table.Record._fields))
    row = row._replace(event_type="Ärger")
    holds = EVENTS.filterable.holds

    assert holds(Compare("event_type", "gt", "a"), row) is None
    assert holds(Compare("event_type", "contains", "r"), row) is None
    assert holds(Compare("event_type", "contains", "I"), row._replace(event_type="i")) is None
    assert holds(Compare("event_type", "contains", "RG"), row._replace(event_type="arger")) is True


def test_unknown_parts_decide_only_if_they_matter() -> None:
    unknown = Compare("event_type", "gt", "a")
    no, yes = Compare("event_type", "eq", "x"), Compare("event_type", "eq", "y")
    row = EVENTS.table.Record._make([None] * len(EVENTS.table.Record._fields))
    row = row._replace(event_type="y")
    holds = EVENTS.filterable.holds

    assert holds(And((unknown, no)), row) is False
    assert holds(Or((unknown, yes)), row) is True
    assert [holds(c, row) for c in (And((unknown, yes)), Or((unknown, no)), Not(unknown))] == [
        None
    ] * 3


def test_related_rows_are_not_known() -> None:
    listing = ListSpec(AiTest, filters=columns_by_name(AiTest.model))
    assert listing.filterable.holds(Exists("dream", And(())), None) is None
