"""Whose rows are seen: one rule in lists, nodes, relations, counts, searches and aggregates."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import Executable, select, text

from db import Database
from db.core.query.children import Children
from db.core.query.keyset import PageArgs
from db.core.query.listing import ListArgs
from db.dreams import LISTING, Dream
from graph.core.execution.result import OperationResult
from graph.core.principal import ANONYMOUS
from graph.core.types.node import global_id
from support.factories import make_ai_model, make_ai_test, make_dream, make_progress_log, make_user
from support.principals import signed_in

Run = Callable[..., Awaitable[OperationResult]]
EVER = 'from: "1970-01-01T00:00:00Z"'


@pytest.fixture
async def world(database: Database) -> dict[str, Any]:
    """A public and a private dream of Ada, each with a test of its own model, and its progress."""
    ada, bob = await make_user(database), await make_user(database)
    world: dict[str, Any] = {"ada": ada, "bob": bob}
    for name, public in (("public", True), ("private", False)):
        dream = await make_dream(database, user_id=ada.id, is_public=public, title=f"{name} dream")
        await make_ai_model(database, name=name)
        world[name] = dream
        world[f"{name} test"] = await make_ai_test(
            database, dream_id=dream.id, user_id=ada.id, model=name
        )
        world[f"{name} log"] = await make_progress_log(database, dream_id=dream.id)
    world["remix"] = await make_dream(
        database, user_id=bob.id, title="remix", remixed_from_id=world["private"].id
    )
    return world


LISTS = """{
  dreams(orderBy: [{field: TITLE}]) { totalCount nodes { title } }
  found: dreams(search: "dream", orderBy: [{field: TITLE}]) { nodes { title } }
  tested: dreams(filter: {tests: {model: {contains: "p"}}}) { totalCount }
  aiTests(filter: {dream: {title: {contains: "dream"}}}) { totalCount nodes { model } }
  progressLogs { totalCount nodes { dream { title } } }
}"""


def lists(*names: str) -> dict[str, Any]:
    """What somebody sees who sees the dreams of those names, beside the remix."""
    dreams = [f"{name} dream" for name in sorted(names)]
    return {
        "dreams": {
            "totalCount": len(names) + 1,
            "nodes": [{"title": title} for title in [*dreams, "remix"]],
        },
        "found": {"nodes": [{"title": title} for title in dreams]},
        "tested": {"totalCount": len(names)},
        "aiTests": {"totalCount": len(names), "nodes": [{"model": name} for name in names]},
        "progressLogs": {
            "totalCount": len(names),
            "nodes": [{"dream": {"title": f"{name} dream"}} for name in names],
        },
    }


async def test_lists_counts_searches_and_filters(run: Run, world: dict[str, Any]) -> None:
    assert (await run(LISTS, who=signed_in(world["ada"]))).data == lists("private", "public")
    assert (await run(LISTS, who=signed_in(world["bob"]))).data == lists("public")
    assert (await run(LISTS)).data == lists("private", "public")


@pytest.mark.parametrize("name", ["private", "private test", "private log"])
async def test_a_foreign_row_is_not_there(run: Run, world: dict[str, Any], name: str) -> None:
    query = "query ($id: ID!) { node(id: $id) { id } nodes(ids: [$id]) { id } }"
    id = global_id(world[name])

    own = await run(query, {"id": id}, signed_in(world["ada"]))
    foreign = await run(query, {"id": id}, signed_in(world["bob"]))

    assert own.data == {"node": {"id": id}, "nodes": [{"id": id}]}
    assert (foreign.data, foreign.errors) == ({"node": None, "nodes": [None]}, [])


async def test_relations(run: Run, world: dict[str, Any]) -> None:
    query = """{
      dreams(filter: {title: {eq: "remix"}}) { nodes { remixedFrom { title } } }
      aiModels(orderBy: [{field: NAME}]) {
        nodes { name tests { totalCount } statistics { testCount } }
      }
    }"""

    seen = (await run(query, who=signed_in(world["ada"]))).data
    unseen = (await run(query, who=signed_in(world["bob"]))).data

    assert seen["dreams"]["nodes"] == [{"remixedFrom": {"title": "private dream"}}]
    assert unseen["dreams"]["nodes"] == [{"remixedFrom": None}]
    counts = [node["statistics"]["testCount"] for node in unseen["aiModels"]["nodes"]]
    totals = [node["tests"]["totalCount"] for node in unseen["aiModels"]["nodes"]]
    assert (counts, totals) == ([0, 1], [0, 1])


async def test_aggregates(run: Run, world: dict[str, Any]) -> None:
    query = f"""{{
      modelComparison({EVER}) {{ rows {{ model }} }}
      categoryPerformance {{ rows {{ dreamCount testCount }} }}
    }}"""

    other = (await run(query, who=signed_in(world["bob"]))).data
    owner = (await run(query, who=signed_in(world["ada"]))).data
    of_categories = "{ categoryPerformance { rows { dreamCount testCount } } }"
    anonymous = (await run(of_categories, who=ANONYMOUS)).data

    assert anonymous == {"categoryPerformance": {"rows": [{"dreamCount": 1, "testCount": 1}]}}
    assert other == {
        "modelComparison": {"rows": [{"model": "public"}]},
        "categoryPerformance": {"rows": [{"dreamCount": 1, "testCount": 1}]},
    }
    assert owner == {
        "modelComparison": {"rows": [{"model": "private"}, {"model": "public"}]},
        "categoryPerformance": {"rows": [{"dreamCount": 2, "testCount": 2}]},
    }


async def test_pages_per_parent(database: Database, world: dict[str, Any]) -> None:
    seen = database.scoped_to(signed_in(world["bob"]).visibility)

    async with seen.read() as session:
        dreams = Children(LISTING, (Dream.user_id,))
        pages = await dreams.pages(session, [world["ada"].id], ListArgs(window=PageArgs(first=5)))

    assert [dream.title for dream in pages[world["ada"].id].records] == ["public dream"]


@pytest.mark.parametrize(
    "statement", [text("select title from dreams"), select(Dream.__table__.c.title.label("t"))]
)
async def test_a_statement_that_no_rule_can_limit_is_not_sent(
    database: Database, statement: Executable
) -> None:
    seen = database.scoped_to(ANONYMOUS.visibility)

    with pytest.raises(RuntimeError, match="No rule on rows"):
        async with seen.read() as session:
            await session.rows(statement)
