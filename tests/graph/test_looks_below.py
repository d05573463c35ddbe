"""A page within a parent looks at a bounded number of its rows, and the next page continues where
it ended."""

from collections.abc import Callable
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
LOOKED, SIZE, TESTS = 4, 2, 23
MATCHING = {0, 1, 2, 3, 14, 15, 22}
TESTS_OF = """query ($title: String, $f: AiTestFilter, $o: [AiTestOrder!], $first: Int,
        $after: String, $last: Int, $before: String) {
  dreams(filter: { title: { eq: $title } }) { nodes {
    tests(filter: $f, orderBy: $o, first: $first, after: $after, last: $last, before: $before) {
      nodes { SHOWN }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  } }
}"""
COLUMNS, RECORDS = "model", "model attachments { totalCount }"  # of a row, and of a whole record
WALKED = {"model": {"startsWith": "odd"}}
Ask = Callable[..., Any]


@pytest.fixture(params=EXECUTORS)
def ask(database: Database, monkeypatch: pytest.MonkeyPatch, request: Any) -> Ask:
    monkeypatch.setattr(looking, "LOOKED_BELOW", LOOKED)

    async def ask(document: str, who: Principal = DEVELOPER, **variables: Any) -> Any:
        context = Context(database, who, "request", executor=request.param)
        return json.loads((await execute(prepare(schema, document), variables, context)).body)

    return ask


@pytest.fixture
async def tests(database: Database) -> list[Any]:
    """Tests of a dream of which some match, some of them in a row, and others far apart."""
    dream = await make_dream(database, title="large")
    return [
        await make_ai_test(
            database,
            dream_id=dream.id,
            model=f"odd {n:02}" if n in MATCHING else f"even {n:02}",
            duration=100 - n,
        )
        for n in range(TESTS)
    ]


async def pages(ask: Ask, shown: str = COLUMNS, backward: bool = False, **given: Any) -> list[Any]:
    """The pages of tests of the dream, one after another."""
    found, cursor, more = [], None, True
    while more:
        at = {"last": SIZE, "before": cursor} if backward else {"first": SIZE, "after": cursor}
        answer = await ask(TESTS_OF.replace("SHOWN", shown), title="large", **given, **at)
        [dream] = answer["data"]["dreams"]["nodes"]
        page = dream["tests"]
        found.append([test["model"] for test in page["nodes"]])
        more = page["pageInfo"]["hasPreviousPage" if backward else "hasNextPage"]
        cursor = page["pageInfo"]["startCursor" if backward else "endCursor"]
    return found


@pytest.mark.parametrize("shown", [COLUMNS, RECORDS])
async def test_the_pages_together_have_all_rows_that_match(
    ask: Ask, tests: list[Any], shown: str
) -> None:
    odd = [f"odd {n:02}" for n in sorted(MATCHING, reverse=True)]
    ascending = [{"field": "CREATED_AT", "direction": "ASC"}]

    newest_first = await pages(ask, shown, f=WALKED)
    oldest_first = await pages(ask, shown, f=WALKED, o=ascending)
    from_the_end = await pages(ask, shown, backward=True, f=WALKED)

    assert [model for page in newest_first for model in page] == odd
    assert [model for page in oldest_first for model in page] == odd[::-1]
    assert [model for page in reversed(from_the_end) for model in page] == odd
    assert [] in newest_first
    assert len(newest_first) >= TESTS / LOOKED


async def test_a_look_costs_no_statement(database: Database, ask: Ask, tests: list[Any]) -> None:
    document = TESTS_OF.replace("SHOWN", COLUMNS)
    with statements(database, exactly=2):
        answer = await ask(document, title="large", f={"model": {"eq": "none"}}, first=SIZE)

    [dream] = answer["data"]["dreams"]["nodes"]
    assert dream["tests"]["nodes"] == []
    assert dream["tests"]["pageInfo"]["hasNextPage"] is True
    assert dream["tests"]["pageInfo"]["endCursor"] is not None


async def test_a_page_is_whole_without_a_filter_on_other_columns(
    ask: Ask, tests: list[Any]
) -> None:
    since = {"createdAt": {"gte": tests[3].created_at.isoformat()}}
    by_duration = [{"field": "DURATION_MS", "direction": "ASC"}]

    assert all(len(page) == SIZE for page in (await pages(ask))[:-1])
    assert all(len(page) == SIZE for page in (await pages(ask, f=since))[:-1])
    sorted_pages = await pages(ask, f=WALKED, o=by_duration)
    assert [len(page) for page in sorted_pages] == [2, 2, 2, 1]


async def test_parents_share_a_look(database: Database, ask: Ask, tests: list[Any]) -> None:
    """Two parents look at three rows each, one more than a page shows."""
    other = await make_dream(database, title="large")
    for n in range(3):
        await make_ai_test(database, dream_id=other.id, model=f"odd {n}")
    document = TESTS_OF.replace("SHOWN", COLUMNS)

    answer = await ask(document, title="large", f=WALKED, first=SIZE)

    small, large = (dream["tests"] for dream in answer["data"]["dreams"]["nodes"])
    assert [test["model"] for test in small["nodes"]] == ["odd 2", "odd 1"]
    assert [test["model"] for test in large["nodes"]] == ["odd 22"]
    assert small["pageInfo"]["hasNextPage"] is large["pageInfo"]["hasNextPage"] is True


async def test_a_look_is_at_rows_that_the_viewer_sees(database: Database, ask: Ask) -> None:
    dream = await make_dream(database, title="original", is_public=True)
    for n in range(12):
        await make_dream(
            database, title=f"remix {n}", remixed_from_id=dream.id, is_public=n in (0, 7)
        )
    document = """query ($after: String) { dreams(filter: { title: { eq: "original" } }) { nodes {
      remixes(first: 2, after: $after, filter: { title: { contains: "remix" } }) {
        nodes { title } pageInfo { hasNextPage endCursor }
      } } } }"""

    found, cursor, more = [], None, True
    while more:
        answer = await ask(document, Principal(), after=cursor)
        [shown] = answer["data"]["dreams"]["nodes"]
        found += [remix["title"] for remix in shown["remixes"]["nodes"]]
        info = shown["remixes"]["pageInfo"]
        more, cursor = info["hasNextPage"], info["endCursor"]

    assert found == ["remix 7", "remix 0"]
