"""Permission: what is not declared is closed, and only the operation that runs counts."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import strawberry

from db import Database
from db.users import Role
from graph.core.context import Context
from graph.core.execution.execute import execute
from graph.core.execution.operation import prepare
from graph.core.execution.required_access import undeclared_inputs
from graph.core.execution.result import OperationResult
from graph.core.permission import ADMIN, MEMBER, OPERATOR, PUBLIC, scope
from graph.core.principal import ANONYMOUS, READER_OF_SCHEMA, Principal
from graph.core.types.field import field
from graph.core.types.node import global_id
from graph.schema import schema
from support.factories import make_ai_model, make_ai_test, make_dream, make_user
from support.principals import ADMINS, KEY, KINDS, LIMITED, MEMBERS, OPERATORS, WEAK_KEY
from support.query_count import statements

SCHEMA_KEY = Principal(role=Role.MEMBER, scopes=frozenset({"schema:read"}))

Run = Callable[..., Awaitable[OperationResult]]


@strawberry.type
class Vault:
    """A type that declares nothing; one field declares itself."""

    gold: int
    door: str = field("For all callers.", PUBLIC)


@strawberry.input
class Guess:
    """An input that declares nothing."""

    gold: int | None = None


@strawberry.type
class Query:
    """Roots with one access each, and one with inputs that declare nothing."""

    @field("For everybody, without arguments.", PUBLIC)
    def guess(self, more: int = 0, than: Guess | None = None) -> int:
        return 8 + more + (than is not None)

    open: int = field("For all callers.", PUBLIC, lambda: 1)
    member: int = field("For members.", MEMBER, lambda: 2)
    operator: int = field("For operators.", OPERATOR, lambda: 3)
    admin: int = field("For admins.", ADMIN, lambda: 4)
    scoped: int = field("For keys.", scope("models:write"), lambda: 5)
    vault: Vault = field("For all callers.", PUBLIC, lambda: Vault(gold=6, door="oak"))

    @strawberry.field
    def forgotten(self) -> int:
        return 7


extra = strawberry.Schema(query=Query)


async def ask(
    database: Database, text: str, who: Principal, name: str | None = None
) -> tuple[Any, list[tuple[str, str]]]:
    """The data of an operation on the extra schema, and the message and code of each error."""
    answer = await execute(prepare(extra, text, name), None, Context(database, who, "request"))
    errors = [(error["message"], error["extensions"]["code"]) for error in answer.errors]
    assert answer.executed is (errors == [])
    return answer.data, errors


def test_every_field_of_the_schema_declares_its_access() -> None:
    assert list(undeclared_inputs(schema._schema)) == []


def test_fields_that_declare_nothing_are_reported() -> None:
    assert list(undeclared_inputs(extra._schema)) == [
        "Query.forgotten",
        "Vault.gold",
        "Query.guess(more:)",
        "Guess.gold",
    ]


@pytest.mark.parametrize("who", [ANONYMOUS, MEMBERS, ADMINS])
async def test_an_input_that_declares_nothing_is_closed(database: Database, who: Principal) -> None:
    variable = "query ($than: Guess) { guess(than: $than) }"
    document = prepare(extra, variable)

    assert await ask(database, "{ guess }", who) == ({"guess": 8}, [])
    for text in ("{ guess(more: 1) }", "{ guess(than: {gold: 1}) }"):
        [(message, _)] = (await ask(database, text, who))[1]
        assert message in (
            "Query.guess(more:) is closed to all callers.",
            "Guess.gold is closed to all callers.",
        )
    for given, refused in (({}, False), ({"than": {}}, False), ({"than": {"gold": 1}}, True)):
        answer = await execute(document, given, Context(database, who, "request"))
        assert bool(answer.errors) is refused


@pytest.mark.parametrize("field", ["forgotten", "vault { gold }"])
@pytest.mark.parametrize("who", [MEMBERS, OPERATORS, ADMINS, KEY])
async def test_a_field_without_declared_access_is_closed(
    database: Database, field: str, who: Principal
) -> None:
    path = {"forgotten": "Query.forgotten", "vault { gold }": "Vault.gold"}[field]
    assert await ask(database, f"{{ {field} }}", who) == (
        None,
        [(f"{path} is closed to all callers.", "FORBIDDEN")],
    )


async def test_an_anonymous_client_is_asked_to_sign_in(database: Database) -> None:
    assert await ask(database, "{ forgotten }", ANONYMOUS) == (
        None,
        [("Query.forgotten is closed to all callers.", "UNAUTHENTICATED")],
    )
    assert await ask(database, "{ scoped }", ANONYMOUS) == (
        None,
        [
            (
                "Query.scoped requires the role OPERATOR. Send an API key or a token.",
                "UNAUTHENTICATED",
            )
        ],
    )


async def test_a_key_with_scopes_is_refused_fields_closed_to_scopes(database: Database) -> None:
    who = Principal(role=Role.ADMIN, scopes=LIMITED)
    refused = "Query.admin requires a key without scopes."
    assert await ask(database, "{ admin }", who) == (None, [(refused, "FORBIDDEN")])


@pytest.mark.parametrize(
    ("who", "fields"),
    [
        (ANONYMOUS, {"open": 1}),
        (KEY, {"open": 1, "scoped": 5}),
        (WEAK_KEY, {"open": 1}),
        (MEMBERS, {"open": 1, "member": 2}),
        (OPERATORS, {"open": 1, "member": 2, "operator": 3, "scoped": 5}),
        (ADMINS, {"open": 1, "member": 2, "operator": 3, "admin": 4, "scoped": 5}),
    ],
    ids=list(KINDS),
)
async def test_each_principal_reads_its_fields_and_no_other(
    database: Database, who: Principal, fields: dict[str, int]
) -> None:
    every = ("open", "member", "operator", "admin", "scoped", "forgotten")
    answers = {name: await ask(database, f"{{ {name} }}", who) for name in every}

    assert {name: data[name] for name, (data, _) in answers.items() if data} == fields
    assert all(errors for name, (_, errors) in answers.items() if name not in fields)


async def test_one_field_too_many_refuses_the_whole_operation(database: Database, run: Run) -> None:
    await make_dream(database)
    with statements(database, exactly=0):
        answer = await run("{ dreams { nodes { title } } users { totalCount } }", who=MEMBERS)

    assert answer == OperationResult(
        data=None,
        errors=[
            {
                "message": "Query.users requires the role OPERATOR; your role is MEMBER.",
                "extensions": {"code": "FORBIDDEN", "requestId": "test-request"},
            }
        ],
        executed=False,
    )


@pytest.mark.parametrize(
    "document",
    [
        "{ open ...More } fragment More on Query { ...Most } fragment Most on Query { admin }",
        "{ open ... on Query { harmless: admin } }",
        "{ open ... { admin @include(if: false) } }",
        "query ($no: Boolean = true) { open admin @skip(if: $no) }",
    ],
)
async def test_a_field_is_found_wherever_it_hides(database: Database, document: str) -> None:
    assert await ask(database, document, MEMBERS) == (
        None,
        [("Query.admin requires the role ADMIN; your role is MEMBER.", "FORBIDDEN")],
    )


async def test_only_the_operation_that_runs_counts(database: Database) -> None:
    document = """
        query Low { ...Fields }
        query High { ...Fields ...Secrets }
        fragment Fields on Query { open member }
        fragment Secrets on Query { admin }
    """
    assert await ask(database, document, MEMBERS, "Low") == ({"open": 1, "member": 2}, [])
    assert await ask(database, document, MEMBERS, "High") == (
        None,
        [("Query.admin requires the role ADMIN; your role is MEMBER.", "FORBIDDEN")],
    )
    assert await ask(database, document, ADMINS, "High") == (
        {"open": 1, "member": 2, "admin": 4},
        [],
    )


@pytest.mark.parametrize("who", [MEMBERS, READER_OF_SCHEMA, SCHEMA_KEY])
async def test_introspection_is_for_members(database: Database, who: Principal) -> None:
    document = '{ __typename __type(name: "Vault") { name fields { name } } }'
    needed = "Query.__type requires the role MEMBER. Send an API key or a token."

    assert await ask(database, "{ __typename }", ANONYMOUS) == ({"__typename": "Query"}, [])
    assert await ask(database, document, ANONYMOUS) == (None, [(needed, "UNAUTHENTICATED")])
    assert await ask(database, document, who) == (
        {
            "__typename": "Query",
            "__type": {"name": "Vault", "fields": [{"name": "gold"}, {"name": "door"}]},
        },
        [],
    )


async def test_a_node_of_a_type_one_may_not_read_is_null(database: Database, run: Run) -> None:
    test = await make_ai_test(database)
    document = "query ($id: ID!) { node(id: $id) { __typename id } nodes(ids: [$id]) { id } }"
    variables = {"id": global_id(test)}

    with statements(database, exactly=0):
        refused = await run(document, variables, who=ANONYMOUS)
    with statements(database, exactly=1):
        found = await run(document, variables, who=MEMBERS)

    assert refused == OperationResult({"node": None, "nodes": [None]}, [])
    assert found == OperationResult(
        {"node": {"__typename": "AiTest", **variables}, "nodes": [variables]}, []
    )


async def test_a_field_of_a_node_is_guarded_behind_its_interface(
    database: Database, run: Run
) -> None:
    model = await make_ai_model(database)
    document = "query ($id: ID!) { node(id: $id) { ... on AiModel { tests { totalCount } } } }"
    variables = {"id": global_id(model)}

    refused = await run(document, variables, who=ANONYMOUS)
    found = await run(document, variables, who=MEMBERS)

    assert [error["message"] for error in refused.errors] == [
        "AiModel.tests requires the role MEMBER. Send an API key or a token."
    ]
    assert found == OperationResult({"node": {"tests": {"totalCount": 0}}}, [])


async def test_the_viewer_is_the_caller(database: Database, run: Run) -> None:
    user = await make_user(database)
    who = Principal(user.id, Role.MEMBER)
    key = Principal(user.id, Role.MEMBER, frozenset({"users:read", "tests:read"}))

    nobody = await run("{ viewer { user { __typename } role scopes } }", who=ANONYMOUS)
    somebody = await run("{ viewer { user { id } role scopes } }", who=who)
    limited = await run("{ viewer { user { id } role scopes } }", who=key)

    assert nobody == OperationResult({"viewer": {"user": None, "role": None, "scopes": []}}, [])
    shown = {"user": {"id": global_id(user)}, "role": "MEMBER", "scopes": []}
    assert somebody == OperationResult({"viewer": shown}, [])
    scopes = ["tests:read", "users:read"]
    assert limited == OperationResult({"viewer": {**shown, "role": None, "scopes": scopes}}, [])
