"""Pages: filters, orders and windows give what a plain Python model of the same rows gives.

The model reads the promises of `db.core.filter` and `db.core.page` literally: a comparison with
null is false, `ne` and `notIn` hold for null, `not` is two-valued, nulls come last forward. Only
the order of texts is PostgreSQL's own, because it depends on the collation of the database.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from operator import itemgetter
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from sqlalchemy import insert, text

from counting import statements
from db import Database
from db.ai_tests import AiTest, AiTestStatus
from db.core import partition
from db.core.ids import uuid7
from db.dreams import Dream, DreamCategory, DreamStatus
from db.users import User
from factories import START, make_ai_test, make_dream, make_user
from graph.core.node import global_id, id_of
from graph.core.operation import Answer

Data = Callable[..., Awaitable[Any]]
Run = Callable[..., Awaitable[Answer]]
Row = dict[str, Any]

many_examples = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

# Rows: few different values, so that they tie; every column that may be null sometimes is.

TEXTS = ["", "a", "A", "aB", "b", "é", "É", "ß", "%", "a%b", "_", "a_b", "\\", "/", "\\_", "日本"]
TIMES = [START + timedelta(days=days, microseconds=us) for days in (0, 1, 40) for us in (0, 1, 999)]
SCORES = [*map(Decimal, ("0", "33.33", "33.34", "80", "100"))]
WHOLE = [0, 1, 1500, 2**31, 2**62]
COSTS = [*map(Decimal, ("0", "0.000001", "0.03", "1.5", "9999.999999"))]
LABELS = ["x", "y", "z"]
CATEGORIES = [category.value for category in [*DreamCategory][:3]]
STATUSES = [status.value for status in [*DreamStatus][:2]]
TEST_STATUSES = [status.value for status in [*AiTestStatus][:2]]
USERS = [
    {"id": uuid7(START), "email": "a_Da@example.org", "passportTier": "a", "createdAt": TIMES[0]},
    {"id": uuid7(START), "email": None, "passportTier": "%", "createdAt": TIMES[1]},
]
USER_IDS = [id_of(User.Record, user["id"]) for user in USERS]


def row_of_dream(random: Random) -> Row:
    owner, at = random.choice([None, *USERS]), random.choice(TIMES)
    return {
        "id": uuid7(at, str(random.random())),
        "createdAt": at,
        "updatedAt": random.choice(TIMES),
        "owner": owner,
        "userId": owner and id_of(User.Record, owner["id"]),
        "title": random.choice(TEXTS),
        "category": random.choice(CATEGORIES),
        "status": random.choice(STATUSES),
        "tags": random.sample(LABELS, random.randrange(3)),
        "isPublic": random.random() < 0.5,
        "tests": [],
    }


def row_of_test(random: Random, dream: Row) -> Row:
    at = random.choice(TIMES)
    return {
        "id": uuid7(at, str(random.random())),
        "createdAt": at,
        "dream": dream,
        "provider": random.choice(TEXTS),
        "status": random.choice(TEST_STATUSES),
        "impossibilityScore": random.choice([None, *SCORES]),
        "durationMs": random.choice([None, *WHOLE]),
        "cost": random.choice([None, *COSTS]),
    }


class World:
    """Thirty dreams, and as many tests of some of them; a seed always makes the same."""

    def __init__(self, seed: int) -> None:
        random = Random(seed)  # noqa: S311  nothing secret
        self.dreams = [row_of_dream(random) for _ in range(30)]
        some = random.choices(self.dreams[:20], k=30)
        self.tests = [row_of_test(random, dream) for dream in some]
        for test in self.tests:
            test["dream"]["tests"].append(test)


def _dream(row: Row) -> Row:
    return {
        "id": row["id"],
        "created_at": row["createdAt"],
        "updated_at": row["updatedAt"],
        "user_id": row["owner"] and row["owner"]["id"],
        "title": row["title"],
        "category": row["category"],
        "status": row["status"],
        "tags": row["tags"],
        "is_public": row["isPublic"],
    }


def _test(row: Row) -> Row:
    return {
        "id": row["id"],
        "created_at": row["createdAt"],
        "dream_id": row["dream"]["id"],
        "provider": row["provider"],
        "model": "gpt",
        "status": row["status"],
        "impossibility_score": row["impossibilityScore"],
        "duration": row["durationMs"],
        "cost": row["cost"],
    }


def _user(row: Row) -> Row:
    return {
        "id": row["id"],
        "created_at": row["createdAt"],
        "email": row["email"],
        "passport_tier": row["passportTier"],
    }


@pytest.fixture(params=[1, 2])
async def world(request: pytest.FixtureRequest, database: Database) -> World:
    """A world that the database of this test holds."""
    world = World(request.param)
    async with database.write() as session:
        await partition.ensure(session, AiTest, TIMES)
        await session.execute(insert(User), [*map(_user, USERS)])
        await session.execute(insert(Dream), [*map(_dream, world.dreams)])
        await session.execute(insert(AiTest), [*map(_test, world.tests)])
    return world


# Filters: for each kind of column every comparator, with values that occur and values that do not.


@st.composite
def compared(draw: st.DrawFn, values: list[Any], *operators: str) -> Row:
    """One or two comparisons of a column with such values."""
    one, several = st.sampled_from(values), st.lists(st.sampled_from(values), max_size=3)
    shapes = {
        **dict.fromkeys(("in", "notIn", "hasAny", "hasAll"), several),
        "isNull": st.booleans(),
    }
    chosen = draw(st.lists(st.sampled_from(operators), min_size=1, max_size=2, unique=True))
    return {operator: draw(shapes.get(operator, one)) for operator in chosen}


EQUAL = ("eq", "ne", "in", "notIn")
ORDERED = (*EQUAL, "lt", "lte", "gt", "gte", "isNull")
ALL = (*ORDERED, "contains", "startsWith", "hasAny", "hasAll")
texts = compared(TEXTS, *ORDERED, "contains", "startsWith")
times = compared([*TIMES, START + timedelta(days=2)], *ORDERED)

COLUMNS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "user": {"email": texts, "passportTier": texts, "createdAt": times},
    "dream": {
        "userId": compared(USER_IDS, *EQUAL, "isNull"),
        "title": texts,
        "category": compared(CATEGORIES, *EQUAL),
        "status": compared(STATUSES, *EQUAL),
        "tags": compared(LABELS, "hasAny", "hasAll"),
        "isPublic": compared([True, False], "eq", "ne", "isNull"),
        "createdAt": times,
        "updatedAt": times,
    },
    "test": {
        "provider": texts,
        "status": compared(TEST_STATUSES, *EQUAL),
        "impossibilityScore": compared([*SCORES, *map(Decimal, ("33.334", "-1", "1e9"))], *ORDERED),
        "durationMs": compared([*WHOLE, 2, -(2**62)], *ORDERED),
        "cost": compared([*COSTS, *map(Decimal, ("0.0299999", "1e12"))], *ORDERED),
        "createdAt": times,
    },
}
RELATIONS = {"dream": {"tests": "test"}, "test": {"dream": "dream"}}


@st.composite
def filters(draw: st.DrawFn, noun: str, depth: int = 2, related: bool = True) -> Row:
    """A filter on a noun: up to two conditions, or filters joined by `and`, `or` and `not`."""
    relations = RELATIONS[noun] if related else {}
    parts = {name: filters(target, 1, related=False) for name, target in relations.items()}
    fields = {**COLUMNS[noun], **parts}
    kind = draw(st.sampled_from(["fields", "fields", "and", "or", "not"] if depth else ["fields"]))
    inner = filters(noun, depth - 1, related)
    if kind == "not":
        return {"not": draw(inner)}
    if kind in ("and", "or"):
        return {kind: draw(st.lists(inner, max_size=3))}
    names = draw(st.lists(st.sampled_from([*fields]), min_size=1, max_size=2, unique=True))
    return {name: draw(fields[name]) for name in names}


# Orders, and which part of a row each field of them means.

DREAM_ORDERS = {
    "CREATED_AT": "id",
    "UPDATED_AT": "updatedAt",
    "TITLE": "title",
    "CATEGORY": "category",
    "STATUS": "status",
}
TEST_ORDERS = {
    "CREATED_AT": "id",
    "IMPOSSIBILITY_SCORE": "impossibilityScore",
    "DURATION_MS": "durationMs",
    "COST": "cost",
}
FIELDS = DREAM_ORDERS | TEST_ORDERS


def orders(names: Iterable[str]) -> st.SearchStrategy[list[Row]]:
    term = st.fixed_dictionaries(
        {"field": st.sampled_from([*names]), "direction": st.sampled_from(["ASC", "DESC"])}
    )
    return st.lists(term, max_size=2, unique_by=itemgetter("field"))


# The model.


class Model:
    """What a filter and an order mean, in plain Python."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.places = {text: place for place, text in enumerate(texts)}

    def ordinal(self, value: Any) -> Any:
        """Something that sorts as PostgreSQL sorts the value."""
        return self.places[value] if isinstance(value, str) else value

    def holds(self, condition: Row, row: Row) -> bool:
        return all(self._part(name, sent, row) for name, sent in condition.items())

    def _part(self, name: str, sent: Any, row: Row) -> bool:
        if name == "and":
            return all(self.holds(part, row) for part in sent)
        if name == "or":
            return any(self.holds(part, row) for part in sent)
        if name == "not":
            return not self.holds(sent, row)
        if name == "tests":
            return any(self.holds(sent, test) for test in row["tests"])
        if name == "dream":
            return row[name] is not None and self.holds(sent, row[name])
        return all(self._compare(operator, row[name], value) for operator, value in sent.items())

    def _compare(self, operator: str, held: Any, value: Any) -> bool:
        if operator in ("ne", "notIn"):
            return held != value if operator == "ne" else held not in value
        if operator == "isNull":
            return (held is None) is value
        return held is not None and self._of_something(operator, held, value)

    def _of_something(self, operator: str, held: Any, value: Any) -> bool:
        match operator:
            case "eq":
                return held == value
            case "in":
                return held in value
            case "lt":
                return self.ordinal(held) < self.ordinal(value)
            case "lte":
                return self.ordinal(held) <= self.ordinal(value)
            case "gt":
                return self.ordinal(held) > self.ordinal(value)
            case "gte":
                return self.ordinal(held) >= self.ordinal(value)
            case "contains":
                return value.lower() in held.lower()
            case "startsWith":
                return held.lower().startswith(value.lower())
            case "hasAny":
                return bool(set(held) & set(value))
            case "hasAll":
                return set(held) >= set(value)
        raise AssertionError(operator)

    def sorted(self, rows: Iterable[Row], order: Sequence[Row]) -> list[Row]:
        """Nulls last whatever the direction; rows that tie in the direction of the last field."""
        newest = {"field": "CREATED_AT", "direction": "DESC"}
        last = {**newest, "direction": order[-1]["direction"]} if order else newest
        made = list(rows)
        for term in reversed([*order, last]):
            made = self._by(FIELDS[term["field"]], term["direction"] == "DESC", made)
        return made

    def _by(self, name: str, descending: bool, rows: list[Row]) -> list[Row]:
        some = [row for row in rows if row[name] is not None]
        some.sort(key=lambda row: self.ordinal(row[name]), reverse=descending)
        return some + [row for row in rows if row[name] is None]


async def model(database: Database) -> Model:
    """A model that knows the order of the texts."""
    statement = text("select s from unnest(cast(:texts as text[])) s order by s")
    texts = [
        *TEXTS,
        *CATEGORIES,
        *STATUSES,
        *TEST_STATUSES,
        *filter(None, map(itemgetter("email"), USERS)),
    ]
    async with database.read() as session:
        return Model([row[0] for row in await session.rows(statement, {"texts": texts})])


def sent(thing: Any, field: str = "") -> Any:
    """A filter as a client writes it in JSON; scores are floats, money is text."""
    if isinstance(thing, dict):
        return {name: sent(part, field if name in ALL else name) for name, part in thing.items()}
    if isinstance(thing, list):
        return [sent(part, field) for part in thing]
    if isinstance(thing, Decimal):
        return str(thing) if field == "cost" else float(thing)
    return thing.isoformat() if isinstance(thing, datetime) else thing


def refusal(answer: Answer) -> str | None:
    """What a refused list says, or None when it was not refused."""
    if not answer.errors:
        return None
    (error,) = answer.errors
    assert (answer.data, error["extensions"]["code"]) == (None, "BAD_USER_INPUT")
    return error["message"]


def printed(row: Row) -> str:
    return id_of((Dream if "title" in row else AiTest).Record, row["id"])


# Walks over all pages.

EDGES_OF_TESTS = """query ($orderBy: [AiTestOrder!], $after: String, $before: String) {
    aiTests(orderBy: $orderBy, after: $after, before: $before) { edges { cursor } } }"""
PAGE = "nodes { id } totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"
WINDOW = "$first: Int, $after: String, $last: Int, $before: String"
GIVEN = "first: $first, after: $after, last: $last, before: $before"
DREAMS = f"""query ($filter: DreamFilter, $orderBy: [DreamOrder!], {WINDOW}) {{
    page: dreams(filter: $filter, orderBy: $orderBy, {GIVEN}) {{ {PAGE} }} }}"""
TESTS = f"""query ($filter: AiTestFilter, $orderBy: [AiTestOrder!], {WINDOW}) {{
    page: aiTests(filter: $filter, orderBy: $orderBy, {GIVEN}) {{ {PAGE} }} }}"""
TESTS_OF_DREAMS = f"""query ($filter: AiTestFilter, $orderBy: [AiTestOrder!], {WINDOW}) {{
    dreams(first: 100) {{ nodes {{ id tests(filter: $filter, orderBy: $orderBy, {GIVEN}) {{
        {PAGE} }} }} }} }}"""


def page(
    rows: Sequence[Row], total: int, has_next: bool, has_previous: bool, cursors: Row
) -> dict[str, Any]:
    """A page as the answer shows it."""
    ids = [printed(row) for row in rows]
    return {
        "nodes": [{"id": id} for id in ids],
        "totalCount": total,
        "pageInfo": {
            "hasNextPage": has_next,
            "hasPreviousPage": has_previous,
            "startCursor": cursors[ids[0]] if ids else None,
            "endCursor": cursors[ids[-1]] if ids else None,
        },
    }


async def check_walks(data: Data, document: str, asked: Row, rows: list[Row], size: int) -> None:
    """All pages forward, then all pages backward, are the rows in their order."""
    cursors = await _cursors(data, document, asked)
    assert list(cursors) == [printed(row) for row in rows]

    after = None
    for start in range(0, max(len(rows), 1), size):
        answer = await data(document, {**asked, "first": size, "after": after})
        more = start + size < len(rows)
        expected = rows[start : start + size]
        assert answer["page"] == page(expected, len(rows), more, after is not None, cursors)
        after = answer["page"]["pageInfo"]["endCursor"]

    before = None
    for end in range(len(rows), min(len(rows) - 1, 0), -size):
        answer = await data(document, {**asked, "last": size, "before": before})
        expected = rows[max(end - size, 0) : end]
        assert answer["page"] == page(expected, len(rows), before is not None, end > size, cursors)
        before = answer["page"]["pageInfo"]["startCursor"]


async def _cursors(data: Data, document: str, asked: Row) -> dict[str, str]:
    """The cursor of each row of a list by its id, in the order of the list."""
    edges = document.replace("nodes { id }", "edges { cursor node { id } }")
    answer = await data(edges, {**asked, "first": 100})
    return {edge["node"]["id"]: edge["cursor"] for edge in answer["page"]["edges"]}


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


# Any window.


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
    cursors = await _cursors(data, TESTS, {"orderBy": order})
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
    cursors = await _cursors(data, TESTS, {"orderBy": order})
    asked = {"filter": sent(where), "orderBy": order, **part.written([*cursors.values()])}

    with statements(database, exactly=3):  # dreams, pages of tests, counts of tests
        answer = await data(TESTS_OF_DREAMS, asked)

    rows = plain.sorted(world.tests, order)
    for dream, found in zip(plain.sorted(world.dreams, []), answer["dreams"]["nodes"], strict=True):
        own = {"and": [where, {"dream": {"id": {"eq": dream["id"]}}}]}
        expected = part.page(rows, partial(plain.holds, own), cursors)
        assert found == {"id": printed(dream), "tests": expected}


# Cursors.

TERMS = [[]] + [
    [{"field": name, "direction": direction}]
    for name in ("IMPOSSIBILITY_SCORE", "DURATION_MS", "COST")
    for direction in ("ASC", "DESC")
]


@pytest.mark.parametrize("order", TERMS)
async def test_a_cursor_of_another_order_is_refused(
    database: Database, run: Run, data: Data, order: list[Row]
) -> None:
    await make_ai_test(database)
    edges = await data(EDGES_OF_TESTS, {"orderBy": order})
    cursor = edges["aiTests"]["edges"][0]["cursor"]

    for other in TERMS:
        with statements(database, exactly=int(other == order)):
            answer = await run(EDGES_OF_TESTS, {"orderBy": other, "after": cursor})
        assert (refusal(answer) is None) is (other == order)


@pytest.mark.parametrize(
    "cursor", ["", " ", "x", "é", "====", "W10", "bnVsbA", "WzFd", "MQ", "eyJhIjoxfQ", "W" * 99]
)
@pytest.mark.parametrize("side", ["after", "before"])
async def test_what_is_no_cursor_is_refused(
    database: Database, run: Run, cursor: str, side: str
) -> None:
    with statements(database, exactly=0):
        answer = await run(EDGES_OF_TESTS, {side: cursor})

    assert refusal(answer) == "This cursor does not belong to a list in this order."


@pytest.mark.parametrize(
    ("window", "message"),
    [
        ({"first": -1}, "first must be between 0 and 100."),
        ({"first": 101}, "first must be between 0 and 100."),
        ({"last": -1}, "last must be between 0 and 100."),
        ({"last": 101}, "last must be between 0 and 100."),
        ({"first": 1, "last": 1}, "Give first or last, not both."),
    ],
)
async def test_a_window_of_no_sense_is_refused(
    database: Database, run: Run, window: Row, message: str
) -> None:
    with statements(database, exactly=0):
        answer = await run(DREAMS, window)

    assert refusal(answer) == message


async def test_a_page_has_twenty_rows_unless_told_otherwise(database: Database, data: Data) -> None:
    owner = (await make_user(database)).id
    for _ in range(21):
        await make_dream(database, user_id=owner)

    answers = [await data(DREAMS, window) for window in ({}, {"first": None, "last": None})]

    assert [len(answer["page"]["nodes"]) for answer in answers] == [20, 20]


async def test_a_column_named_again_in_an_order_says_nothing_more(
    database: Database, data: Data
) -> None:
    for title in "bac":
        await make_dream(database, title=title)
    order = [{"field": "TITLE", "direction": direction} for direction in ("DESC", "ASC") * 5_000]

    answer = await data(
        "query ($by: [DreamOrder!]) { dreams(orderBy: $by) { nodes { title } } }", {"by": order}
    )

    assert [node["title"] for node in answer["dreams"]["nodes"]] == ["c", "b", "a"]


# Pages while others write.


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
