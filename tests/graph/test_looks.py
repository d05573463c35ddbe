"""A page looks at a bounded number of rows for a filter that no index serves, and the next page
continues where it ended."""

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest

from db import Database
from db.core.query import looking
from db.core.values import json
from graph.core.context import Context
from graph.core.execution.execute import execute
from graph.core.execution.operation import prepare
from graph.core.principal import DEVELOPER, Principal
from graph.schema import schema
from support.executors import PLANS_ARE_OFF
from support.factories import make_ai_test, make_dream
from support.query_count import statements

EXECUTORS = ["core"] if PLANS_ARE_OFF else ["plan", "core"]
LOOKED, SIZE, DREAMS = 4, 3, 23
PAGE = """query ($f: DreamFilter, $o: [DreamOrder!], $first: Int, $after: String, $last: Int,
        $before: String) {
  dreams(filter: $f, orderBy: $o, first: $first, after: $after, last: $last, before: $before) {
    nodes { title }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}"""
COUNTS = """query ($f: DreamFilter) { dreams(filter: $f, first: 0) {
  totalCount totalCountIsExact facets { byCategory { value count countIsExact } }
} }"""
WALKED = {"title": {"contains": "TH"}}
Ask = Callable[..., Any]


@pytest.fixture(params=EXECUTORS)
def ask(database: Database, monkeypatch: pytest.MonkeyPatch, request: Any) -> Ask:
    monkeypatch.setattr(looking, "LOOKED", LOOKED)
    monkeypatch.setattr(looking, "LOOKED_THROUGH", LOOKED)
    monkeypatch.setattr(looking, "LOOKED_THROUGH_MANY", LOOKED)
    monkeypatch.setattr(looking, "COUNTED", 2 * LOOKED)

    async def ask(document: str, who: Principal = DEVELOPER, **variables: Any) -> Any:
        context = Context(database, who, "request", executor=request.param)
        return json.loads((await execute(prepare(schema, document), variables, context)).body)

    return ask


@pytest.fixture
async def dreams(database: Database) -> list[Any]:
    """Dreams of which some match, some of them in a row, and others far apart."""
    matching = {0, 1, 2, 3, 4, 5, 14, 15, 22}
    made = []
    for n in range(DREAMS):
        title = f"the {n:02}" if n in matching else f"a {n:02}"
        score = None if n % 4 == 0 else n % 5
        made.append(
            await make_dream(
                database,
                title=title,
                average_impossibility=score,
                category="MATH" if n % 2 else "CODING",
                is_public=n != 14,
            )
        )
    return made


ORDERS = [*product(("CREATED_AT", "TITLE", "AVERAGE_IMPOSSIBILITY"), (False, True), (False, True))]


async def test_the_pages_together_have_all_rows_that_match(ask: Ask, dreams: list[Any]) -> None:
    for field, falls, backward in ORDERS:
        await follow(ask, field, falls, backward)


async def follow(ask: Ask, field: str, falls: bool, backward: bool) -> None:
    by = [{"field": field, "direction": "DESC" if falls else "ASC"}]
    whole = (await ask(PAGE, o=by, first=100))["data"]["dreams"]["nodes"]
    expected = [row["title"] for row in whole if "th" in row["title"]]

    found: list[str] = []
    pages, cursor, more = 0, None, True
    while more:
        given = {"last": SIZE, "before": cursor} if backward else {"first": SIZE, "after": cursor}
        page = (await ask(PAGE, f=WALKED, o=by, **given))["data"]["dreams"]
        titles, info = [row["title"] for row in page["nodes"]], page["pageInfo"]
        found = titles + found if backward else found + titles
        more = info["hasPreviousPage" if backward else "hasNextPage"]
        cursor = info["startCursor" if backward else "endCursor"]
        pages += 1

    assert found == expected
    assert pages >= DREAMS / LOOKED


async def test_a_page_of_one_look_is_two_statements(
    database: Database, ask: Ask, dreams: list[Any]
) -> None:
    with statements(database, exactly=2):
        answer = await ask(PAGE, f={"title": {"startsWith": "no"}}, first=SIZE)

    page = answer["data"]["dreams"]
    assert page["nodes"] == []
    assert page["pageInfo"]["hasNextPage"] is True
    assert page["pageInfo"]["endCursor"] is not None


SERVED: list[dict[str, Any]] = [
    {"title": {"eq": "the 03"}},
    {"category": {"eq": "MATH"}, "isPublic": {"eq": True}},
    {"or": [{"title": {"eq": "the 03"}}, {"averageImpossibility": {"gt": 3}}]},
]


async def test_a_filter_with_an_index_is_read_at_once(
    database: Database, ask: Ask, dreams: list[Any]
) -> None:
    for filter in SERVED:
        with statements(database, exactly=1):
            answer = await ask(PAGE, f=filter, first=20)
        assert answer["data"]["dreams"]["pageInfo"]["hasNextPage"] is False


async def test_a_look_is_at_rows_that_meet_the_other_conditions(
    ask: Ask, dreams: list[Any]
) -> None:
    """Fewer dreams of this time than are looked at: the page is whole."""
    since = dreams[-LOOKED + 1].created_at.isoformat()
    narrow = {"createdAt": {"gte": since}, **WALKED}
    page = (await ask(PAGE, f=narrow, first=SIZE))["data"]["dreams"]

    assert [row["title"] for row in page["nodes"]] == ["the 22"]
    assert page["pageInfo"]["hasNextPage"] is False


async def test_a_look_is_at_rows_that_the_viewer_sees(ask: Ask, dreams: list[Any]) -> None:
    found, cursor, more = [], None, True
    while more:
        answer = await ask(PAGE, Principal(), f=WALKED, first=SIZE, after=cursor)
        page = answer["data"]["dreams"]
        found += [row["title"] for row in page["nodes"]]
        more, cursor = page["pageInfo"]["hasNextPage"], page["pageInfo"]["endCursor"]
    assert "the 14" not in found
    assert len(found) == 8


async def test_related_rows_are_looked_at_for_fewer_rows(
    database: Database, ask: Ask, dreams: list[Any]
) -> None:
    await make_ai_test(database, dream_id=dreams[0].id, model="odd")
    filter = {"tests": {"model": {"contains": "odd"}}}
    found, cursor, more = [], None, True
    while more:
        page = (await ask(PAGE, f=filter, first=SIZE, after=cursor))["data"]["dreams"]
        found += [row["title"] for row in page["nodes"]]
        more, cursor = page["pageInfo"]["hasNextPage"], page["pageInfo"]["endCursor"]
    assert found == ["the 00"]


async def test_a_count_of_a_part_is_not_exact(ask: Ask, dreams: list[Any]) -> None:
    counted = (await ask(COUNTS, f=WALKED))["data"]["dreams"]
    since = {"createdAt": {"gte": dreams[-LOOKED].created_at.isoformat()}}
    whole = (await ask(COUNTS, f={**WALKED, **since}))["data"]["dreams"]

    # The eight newest dreams are 15 to 22.
    assert (counted["totalCount"], counted["totalCountIsExact"]) == (2, False)
    of_category = {each["value"]: each for each in counted["facets"]["byCategory"]}
    assert of_category["MATH"] == {"value": "MATH", "count": 1, "countIsExact": False}
    assert (whole["totalCount"], whole["totalCountIsExact"]) == (1, True)
