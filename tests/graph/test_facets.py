"""Facets count a list by values, with its filter and row rules; menus have the different values."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import text

from db import Database
from db.core.ids import floor
from db.core.query.counting import MAX_COUNT
from db.core.values import json
from graph.core.context import Context
from graph.core.execution.execute import execute
from graph.core.execution.operation import prepare
from graph.core.principal import ANONYMOUS, DEVELOPER, Principal
from graph.schema import schema
from support.executors import PLANS_ARE_OFF, needs_plans
from support.factories import (
    make_agent,
    make_ai_model,
    make_ai_test,
    make_dream,
    make_event,
    make_metric,
)
from support.principals import OPERATORS
from support.query_count import statements

EXECUTORS = ["core"] if PLANS_ARE_OFF else ["plan", "core"]
Ask = Callable[..., Awaitable[Any]]


@pytest.fixture(params=EXECUTORS)
def ask(request: pytest.FixtureRequest, database: Database) -> Ask:
    async def ask(document: str, who: Principal = DEVELOPER) -> Any:
        context = Context(database, who, "request", executor=request.param)
        answer = await execute(prepare(schema, document), None, context)
        assert answer.errors == []
        assert context.fallback is None
        return json.loads(answer.body)["data"]

    return ask


def counts(facet: list[dict[str, Any]]) -> dict[str, int]:
    return {each["value"]: each["count"] for each in facet if each["count"]}


DREAMS = """{ dreams(%s first: 1) {
  nodes { title }
  facets { byStatus { value count countIsExact } byCategory { value count } }
} }"""


async def test_dreams_that_match_and_are_visible(
    database: Database, ask: Ask, ada: Principal
) -> None:
    for title, status, category, is_public in (
        ("fly", "ACTIVE", "MATH", True),
        ("fly far", "DRAFT", "MATH", True),
        ("swim", "ACTIVE", "CODING", True),
        ("fly hidden", "ARCHIVED", "VISION", False),
    ):
        await make_dream(
            database,
            title=title,
            status=status,
            category=category,
            is_public=is_public,
            user_id=ada.user_id,
        )
    for arguments, who, status, category in (
        ("", ANONYMOUS, {"ACTIVE": 2, "DRAFT": 1}, {"MATH": 2, "CODING": 1}),
        ("", ada, {"ACTIVE": 2, "DRAFT": 1, "ARCHIVED": 1}, {"MATH": 2, "CODING": 1, "VISION": 1}),
        ('search: "fly",', ada, {"ACTIVE": 1, "DRAFT": 1, "ARCHIVED": 1}, {"MATH": 2, "VISION": 1}),
        ("filter: {status: {eq: DRAFT}},", ada, {"DRAFT": 1}, {"MATH": 1}),
    ):
        facets = (await ask(DREAMS % arguments, who))["dreams"]["facets"]
        assert counts(facets["byStatus"]) == status, (arguments, who)
        assert counts(facets["byCategory"]) == category, (arguments, who)
    assert [each["value"] for each in facets["byStatus"]] == [
        "DRAFT",
        "ACTIVE",
        "ACHIEVED",
        "ARCHIVED",
    ]
    assert {each["countIsExact"] for each in facets["byStatus"]} == {True}


async def test_tests_of_each_dream(database: Database, ask: Ask) -> None:
    for title, states in (
        ("a", ("COMPLETED", "COMPLETED", "FAILED")),
        ("b", ("RUNNING",)),
        ("c", ()),
    ):
        dream = await make_dream(database, title=title)
        for status in states:
            await make_ai_test(database, dream_id=dream.id, status=status, impossibility_score=None)
    answer = await ask(
        """{ dreams(orderBy: [{field: TITLE}]) { __typename nodes { tests(first: 0) {
          totalCount facets { __typename all: byStatus { __typename value count } }
        } } }
        failed: dreams(orderBy: [{field: TITLE}]) { nodes { tests(filter: {status: {eq: FAILED}}) {
          facets { byStatus { value count } } nodes { id }
        } } } }"""
    )
    assert answer["dreams"]["__typename"] == "DreamConnection"
    tests = [node["tests"] for node in answer["dreams"]["nodes"]]
    assert [each["totalCount"] for each in tests] == [3, 1, 0]
    assert {each["facets"]["__typename"] for each in tests} == {"AiTestFacets"}
    assert [counts(each["facets"]["all"]) for each in tests] == [
        {"COMPLETED": 2, "FAILED": 1},
        {"RUNNING": 1},
        {},
    ]
    assert {each["facets"]["all"][0]["__typename"] for each in tests} == {"AiTestStatusFacet"}
    failed = [node["tests"]["facets"]["byStatus"] for node in answer["failed"]["nodes"]]
    assert list(map(counts, failed)) == [{"FAILED": 1}, {}, {}]


async def test_agents_and_events(database: Database, ask: Ask) -> None:
    await make_agent(database, status="ERROR")
    await make_event(database, severity="CRITICAL")
    answer = await ask(
        """{ agents { facets { byStatus { value count } } }
        events { facets { bySeverity { value count } } } }""",
        OPERATORS,
    )
    assert counts(answer["agents"]["facets"]["byStatus"]) == {"ERROR": 1}
    assert counts(answer["events"]["facets"]["bySeverity"]) == {"CRITICAL": 1}


FILL = text("""
insert into ai_tests (id, dream_id, provider, model, status, created_at)
select cast(:prefix || lpad(to_hex(n), 12, '0') as uuid), :dream, 'p', 'm', 'FAILED', now()
from generate_series(1, :number) as n
""")


async def test_each_value_is_counted_up_to_a_bound(database: Database, ask: Ask) -> None:
    dream = await make_dream(database)
    prefix = str(floor(await database.now()))[:24]
    async with database.write() as session:
        values = {"prefix": prefix, "dream": dream.id, "number": MAX_COUNT + 2}
        await session.execute(FILL.bindparams(**values))
    facets = "facets { byStatus { value count countIsExact } }"
    answer = await ask(
        f"{{ aiTests {{ {facets} }} dreams {{ nodes {{ tests {{ {facets} }} }} }} }}"
    )
    for connection in (answer["aiTests"], answer["dreams"]["nodes"][0]["tests"]):
        found = {each["value"]: each for each in connection["facets"]["byStatus"]}
        assert found["FAILED"] == {"value": "FAILED", "count": MAX_COUNT, "countIsExact": False}
        assert found["COMPLETED"] == {"value": "COMPLETED", "count": 0, "countIsExact": True}


@needs_plans
async def test_what_is_not_selected_is_not_counted(database: Database, ask: Ask) -> None:
    with statements(database, exactly=1):
        await ask("{ dreams { nodes { id } facets { __typename } } }")
    with statements(database, exactly=2):
        await ask("{ dreams { nodes { id } facets { byStatus { count } } } }")


async def test_menus_have_the_different_values_page_by_page(database: Database, ask: Ask) -> None:
    for name in ("b", "a", "c", "a", "ä", "B"):
        await make_metric(database, metric_name=name)
        await make_event(database, event_type=name, source=f"s{name}")
    names = sorted({"b", "a", "c", "ä", "B"})
    found = await ask("{ metricNames eventTypes eventSources }", OPERATORS)
    assert found["metricNames"] == found["eventTypes"] == names
    assert found["eventSources"] == [f"s{name}" for name in names]
    first = (await ask("{ metricNames(first: 2) }", OPERATORS))["metricNames"]
    rest = (await ask(f'{{ metricNames(after: "{first[-1]}") }}', OPERATORS))["metricNames"]
    assert first + rest == names
    ends = f'{{ metricNames(first: 0) eventTypes(after: "{names[-1]}") }}'
    assert await ask(ends, OPERATORS) == {"metricNames": [], "eventTypes": []}


async def test_menus_of_providers_and_of_tags_of_visible_dreams(
    database: Database, ask: Ask
) -> None:
    for provider, name in (("openai", "a"), ("openai", "b"), ("acme", "a")):
        await make_ai_model(database, provider=provider, name=name)
    await make_dream(database, tags=["b", "a"])
    await make_dream(database, tags=["c", "a"])
    await make_dream(database, tags=["secret"], is_public=False)
    await make_dream(database, tags=[])
    menus = '{ modelProviders dreamTags after: dreamTags(after: "a", first: 1) }'
    assert await ask(menus, ANONYMOUS) == {
        "modelProviders": ["acme", "openai"],
        "dreamTags": ["a", "b", "c"],
        "after": ["b"],
    }
