"""Plans: what they hide, when graphql-core takes over, and that no resolver is called twice."""

import asyncio
import gc
import os
import weakref
from collections import Counter
from typing import Any

import pytest
import strawberry
from sqlalchemy import text

from db import Database
from db.core.session import compiled
from db.core.session.row_rules import Visibility
from db.core.values import json
from db.users import Role
from graph.core.context import Context
from graph.core.execution.execute import execute
from graph.core.execution.operation import prepare
from graph.core.execution.result import OperationResult
from graph.core.permission import PUBLIC
from graph.core.principal import DEVELOPER, Principal
from graph.core.types.field import field
from graph.core.types.node import global_id
from graph.schema import schema
from support.factories import make_ai_model, make_ai_test, make_dream, make_progress_log, make_user
from support.query_count import statements

pytestmark = pytest.mark.skipif(
    os.environ.get("DREAMNET_EXECUTOR") == "core", reason="plans are switched off"
)
called: Counter[str] = Counter()


@strawberry.type
class Part:
    """A part that cannot be completed."""

    fine: int = field("Works.", PUBLIC, lambda: 1)
    missing: int = field("Is null.", PUBLIC, lambda: None)
    broken: int | None = field("Fails.", PUBLIC, lambda: 1 // 0)


def counted(name: str) -> Any:
    def resolve() -> Part:
        called[name] += 1
        return Part()

    return field("Is counted.", PUBLIC, resolve, graphql_type=Part | None)


def refused() -> Part:
    called["refused"] += 1
    raise ZeroDivisionError


@strawberry.type
class Query:
    one: Part | None = counted("one")
    two: Part | None = counted("two")


@strawberry.type
class Mutation:
    first: Part | None = counted("first")
    second: Part | None = counted("second")
    refused: Part | None = field("Fails.", PUBLIC, refused)


extra = strawberry.Schema(query=Query, mutation=Mutation)


@pytest.fixture(autouse=True)
def _nothing_called() -> None:
    called.clear()


async def both(
    database: Database, text: str, used: strawberry.Schema = extra
) -> tuple[OperationResult, OperationResult, Context]:
    """The answers of a plan and of graphql-core, and the context of the plan."""
    operation = prepare(used, text)
    context = Context(database, DEVELOPER, "request")
    plan = await execute(operation, None, context)
    core = await execute(operation, None, Context(database, DEVELOPER, "request", executor="core"))
    return plan, core, context


@pytest.mark.parametrize(
    "document",
    [
        "{ one { fine missing } two { fine } }",
        "{ one { broken } two { missing } }",
        "mutation { first { missing } second { fine } }",
        "mutation { first { fine } refused { fine } second { broken } }",
        "mutation { refused { fine } }",
        "mutation { a: first { fine } b: first { missing } }",
    ],
)
async def test_each_root_resolver_is_called_once(database: Database, document: str) -> None:
    plan, core, _ = await both(database, document)

    assert plan.body == core.body
    assert {name: count // 2 for name, count in called.items()} == {
        name: document.count(name) for name in called
    }


async def test_a_mutation_goes_on_where_its_plan_ended(database: Database) -> None:
    plan, _, context = await both(database, "mutation { first { missing } second { fine } }")

    assert plan.data == {"first": None, "second": {"fine": 1}}
    assert context.fallback == "null in a field that is not nullable"


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ("{ __schema { queryType { name } } }", "introspection"),
        ("{ one { fine } }", None),
        ("{ __typename one { a: fine } }", None),
        ("{ one { broken } }", "ZeroDivisionError"),
    ],
)
async def test_the_context_names_the_reason_for_graphql_core(
    database: Database, document: str, reason: str | None
) -> None:
    plan, core, context = await both(database, document)

    assert plan.body == core.body
    assert context.fallback == reason


async def test_an_operation_that_is_not_planned_keeps_nothing(database: Database) -> None:
    operation = prepare(schema, "{ __schema { queryType { name } } }")
    names = []
    for _ in range(3):
        context = Context(database, DEVELOPER, "request")
        names.append(weakref.ref(context.db))
        await execute(operation, None, context)
        del context
    gc.collect()

    assert [name() for name in names] == [None, None, None]


NO_FIELDS = """query ($no: Boolean!) {
  dreams {
    nodes { id @include(if: $no) }
    edges { cursor @include(if: $no) }
    pageInfo { hasNextPage @include(if: $no) }
  }
  empty: dreams { totalCount @include(if: $no) }
  aiModels {
    nodes {
      statistics { testCount @include(if: $no) }
      tests { totalCount @include(if: $no) }
    }
  }
}"""


async def test_objects_without_fields_are_empty(database: Database) -> None:
    await make_dream(database)
    await make_ai_model(database)
    context = Context(database, DEVELOPER, "request")

    result = await execute(prepare(schema, NO_FIELDS), {"no": False}, context)

    assert context.fallback is None
    assert result.data == {
        "dreams": {"nodes": [{}], "edges": [{}], "pageInfo": {}},
        "empty": {},
        "aiModels": {"nodes": [{"statistics": {}, "tests": {}}]},
    }


# Row rules

HIDDEN = """query ($private: ID!, $remix: ID!) {
  dream(id: $private) { title }
  node(id: $private) { id }
  nodes(ids: [$private]) { id }
  dreams { nodes { title } edges { node { title } } }
  aiTests { nodes { model } }
  progressLogs { nodes { dream { title } } }
  remix: dream(id: $remix) { title remixedFrom { title latestTest { model } } }
}"""


async def _hidden(database: Database, comment: str) -> dict[str, Any]:
    """What a member sees of the private dream of another."""
    ada, bob = await make_user(database), await make_user(database)
    dream = await make_dream(database, user_id=ada.id, is_public=False, title="secret")
    await make_ai_test(database, dream_id=dream.id, user_id=ada.id, model="secret")
    await make_progress_log(database, dream_id=dream.id)
    remix = await make_dream(database, user_id=bob.id, remixed_from_id=dream.id, title="remix")
    member = Principal(bob.id, Role.MEMBER)
    context = Context(database, member, "request")
    variables = {"private": global_id(dream), "remix": global_id(remix)}
    operation = prepare(schema, f"# {comment}\n{HIDDEN}")
    result = await execute(operation, variables, context)
    assert (result.errors, context.fallback) == ([], None)
    shown: dict[str, Any] = json.loads(result.body)["data"]
    return shown


async def test_a_plan_hides_what_row_rules_hide(database: Database) -> None:
    assert "secret" not in str(await _hidden(database, "with rules"))


async def test_without_row_rules_a_plan_would_show_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the test above: it would notice if plans did not apply the rules."""
    monkeypatch.setattr(compiled, "row_rules", lambda _: ())

    shown = await _hidden(database, "without")  # no plan of this text is known

    assert shown["dream"] == {"title": "secret"}
    assert [row["title"] for row in shown["dreams"]["nodes"]] == ["remix", "secret"]
    assert shown["aiTests"] == {"nodes": [{"model": "secret"}]}
    assert shown["progressLogs"] == {"nodes": [{"dream": {"title": "secret"}}]}
    assert shown["remix"]["remixedFrom"] == {"title": "secret", "latestTest": {"model": "secret"}}


async def test_viewers_of_one_kind_share_a_statement_and_see_their_own(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Visibility] = []
    compile_statement = compiled.compile_statement

    def counting(statement: Any, visibility: Visibility) -> Any:
        made.append(visibility)
        return compile_statement(statement, visibility)

    monkeypatch.setattr("graph.core.execution.plan.run.compile_statement", counting)
    operation = prepare(schema, "{ dreams { nodes { mine: title } } }")
    for number in range(3):
        user = await make_user(database)
        await make_dream(database, user_id=user.id, is_public=False, title=f"of {number}")
        context = Context(database, Principal(user.id, Role.MEMBER), "request")
        result = await execute(operation, None, context)
        assert json.loads(result.body)["data"] == {"dreams": {"nodes": [{"mine": f"of {number}"}]}}

    assert len(made) == 1


async def test_reads_by_id_of_one_viewer_share_a_statement(database: Database) -> None:
    ada, bob = await make_user(database), await make_user(database)
    public = await make_dream(database, user_id=ada.id, title="public")
    private = await make_dream(database, user_id=ada.id, title="private", is_public=False)
    operation = prepare(schema, "query ($id: ID!) { dream(id: $id) { title } }")

    async def ask(user: Any, dream: Any) -> object:
        context = Context(database, Principal(user.id, Role.MEMBER), "request")
        result = await execute(operation, {"id": global_id(dream)}, context)
        return json.loads(result.body)["data"]["dream"]

    with statements(database, exactly=2):
        found = await asyncio.gather(
            *(ask(user, dream) for user in (ada, bob) for dream in (public, private, public))
        )

    shown = {"title": "public"}
    assert found == [shown, {"title": "private"}, shown, shown, None, shown]


# Failures


async def test_a_read_on_a_dead_connection_is_repeated(database: Database) -> None:
    await make_dream(database, title="found")
    operation = prepare(schema, "{ dreams { nodes { title } } }")
    await execute(operation, None, Context(database, DEVELOPER, "request"))
    async with Database(database.url, pool_size=1).read() as other:
        await other.rows(
            text(
                "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
                " where pid <> pg_backend_pid() and datname = current_database()"
            )
        )

    context = Context(database, DEVELOPER, "request")
    result = await execute(operation, None, context)

    assert json.loads(result.body) == {"data": {"dreams": {"nodes": [{"title": "found"}]}}}


async def test_a_relation_reads_each_row_once(database: Database) -> None:
    owner = await make_user(database)
    for _ in range(3):
        await make_dream(database, user_id=owner.id)
    operation = prepare(schema, "{ dreams { nodes { owner { passportTier } } } }")

    with statements(database, exactly=2) as sent:
        await execute(operation, None, Context(database, DEVELOPER, "request"))

    assert "users.email" not in sent[1]  # only what is shown
