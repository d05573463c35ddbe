"""Plans: what they hide, when graphql-core takes over, and that no resolver is called twice."""

import gc
import weakref
from collections import Counter
from typing import Any

import pytest
import strawberry
from sqlalchemy import text

from db import Database
from db.core.values import json
from graph.core.context import Context
from graph.core.execution.bounds import Limits
from graph.core.execution.execute import execute
from graph.core.execution.operation import prepare
from graph.core.execution.result import OperationResult
from graph.core.permission import PUBLIC
from graph.core.principal import DEVELOPER
from graph.core.types.field import field
from graph.schema import schema
from support.executors import needs_plans
from support.factories import (
    make_agent,
    make_ai_model,
    make_dream,
    make_event,
    make_progress_log,
    make_user,
)
from support.query_count import statements

pytestmark = needs_plans
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


async def test_an_error_of_a_resolver_that_waited_comes_after_those_raised_at_once(
    database: Database,
) -> None:
    await database.now()  # known from then on, so that `spend` is refused without a read
    document = """{
      spend(from: "2020-01-01T00:00:00Z", bucket: DAY) { rows { user { id } } }
      dream { title } }"""
    plan, core, context = await both(database, document, schema)
    assert context.fallback == "one of several root fields failed"
    assert [error["path"] for error in plan.errors] == [["dream"], ["spend"]]
    assert plan.body == core.body


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


@pytest.mark.parametrize(("fields", "most"), [(20, 16), (400, 4), (1_500, 1)])
async def test_plans_of_a_large_operation_are_few(
    database: Database, fields: int, most: int
) -> None:
    directives = " ".join(f"t{n}: title @include(if: $v{n})" for n in range(5))
    variables = ", ".join(f"$v{n}: Boolean!" for n in range(5))
    spread = " ".join(f"t{n}: dreams {{ nodes {{ ...F }} }}" for n in range(fields // 20))
    text = f"""query ({variables}) {{ dreams {{ nodes {{ {directives} }} }} {spread} }}
        fragment F on Dream {{ {" ".join(f"f{n}: title" for n in range(18))} }}"""
    operation = prepare(schema, text, limits=Limits(*(0,) * 11))
    reasons = []
    for number in range(32):
        given: dict[str, object] = {f"v{n}": bool(number >> n & 1) for n in range(5)}
        context = Context(database, DEVELOPER, "request")
        result = await execute(operation, given, context)
        assert json.loads(result.body)["data"]["dreams"] == {"nodes": []}
        reasons.append(context.fallback)

    assert reasons == [None] * most + ["too many combinations of directives"] * (32 - most)
    assert operation.size > 512 * operation.selections * most


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
    assert json.loads(result.body)["data"] == {
        "dreams": {"nodes": [{}], "edges": [{}], "pageInfo": {}},
        "empty": {},
        "aiModels": {"nodes": [{"statistics": {}, "tests": {}}]},
    }


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
    operation = prepare(schema, "{ dreams { nodes { owner { passportTier } decay { bucket } } } }")

    with statements(database, exactly=3) as sent:
        await execute(operation, None, Context(database, DEVELOPER, "request"))

    [owners] = [statement for statement in sent if "FROM users" in statement]
    assert "users.email" not in owners  # only what is shown


@pytest.mark.parametrize(
    ("shown", "read"),
    [
        ("agents { nodes { key isStale } }", ["agent_key", "last_active"]),
        ("agents { nodes { errors { message } } }", ["error_log"]),
        ("dreams { nodes { title decay { bucket } } }", ["title", "id"]),
        ("aiModels { nodes { statistics { testCount } } }", ["provider", "name"]),
        ("progressLogs { nodes { snapshotData } }", ["snapshot_data"]),
        ("events { nodes { payload } }", ["event_type", "source", "user_id", "payload"]),
    ],
)
async def test_a_resolver_reads_the_columns_that_it_declares(
    database: Database, shown: str, read: list[str]
) -> None:
    await make_agent(database, error_log=[{"at": "2026-01-01T00:00:00+00:00", "error": "no"}])
    await make_ai_model(database)
    await make_progress_log(database)
    await make_event(database)

    with statements(database, at_most=9) as sent:
        plan, core, context = await both(database, f"{{ {shown} }}", schema)

    assert plan.body == core.body
    assert context.fallback is None
    columns = sent[0].partition(" \nFROM")[0].removeprefix("SELECT ").split(", ")
    names = [column.partition(" AS ")[0].partition(".")[2] for column in columns]
    assert names[: len(read)] == read
    assert set(names) <= {*read, "id", "key"}
