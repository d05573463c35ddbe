"""Explain: an administrator sees the statements of an operation, nobody else does, and no value is
in them."""

from typing import Any

import orjson
import pytest

from db import Database
from db.core.session.recorder import MAX_PLANS
from db.users import Role
from gateway.settings import Settings
from support.executors import needs_plans
from support.factories import make_ai_test, make_dream, make_user
from support.gateways import make_key, production
from support.query_count import statements
from support.raw_http import Connection, connected, request
from support.running_gateway import Served

DREAM = "query Dream($id: ID!) { dream(id: $id) { title tests(first: 3) { nodes { model } } } }"
LIST = """query List($filter: DreamFilter) {
  dreams(first: 2, filter: $filter) { nodes { title owner { email } } } }"""
CREATE = """mutation Create($input: CreateDreamInput!) { createDream(input: $input) {
  dream { title } errors { message } } }"""
MIXED = """query Mixed($filter: DreamFilter) {
  __schema { queryType { name } } dreams(first: 2, filter: $filter) { nodes { title } } }"""
TWO = """query Two($id: ID!, $other: ID!) {
  dream(id: $id) { title } other: dream(id: $other) { title } }"""
SECRET = "hunter2-correct-horse"  # noqa: S105  no secret


@pytest.fixture
def settings() -> Settings:
    return production(drain_seconds=0, spread_seconds=0)


@pytest.fixture
async def administrator(database: Database, settings: Settings) -> str:
    return await key_of(database, settings, Role.ADMIN)


async def key_of(database: Database, settings: Settings, role: Role, **more: Any) -> str:
    user = await make_user(database, role=role)
    return (await make_key(database, settings, user_id=user.id, **more)).text


async def answer(
    served: Served, key: str | None, query: str, explain: str = "1", **variables: object
) -> Any:
    """The whole answer to a request whose statements are asked for."""
    async with connected(served.port) as connection:
        return await asked(connection, key, query, explain, **variables)


async def asked(
    connection: Connection, key: str | None, query: str, explain: str, **variables: object
) -> Any:
    headers = {"x-graphql-explain": explain}
    if key is not None:
        headers["authorization"] = f"Bearer {key}"
    await connection.send(request({"query": query, "variables": variables}, headers))
    return orjson.loads((await connection.response()).body)


def id_of(row: Any) -> str:
    return f"dream_{row.id.hex}"


@needs_plans
async def test_an_administrator_sees_the_statements_of_a_query(
    served: Served, administrator: str, database: Database
) -> None:
    dream = await make_dream(database, title="Fly")
    for model in ("a", "b"):
        await make_ai_test(database, dream_id=dream.id, model=model)
    await answer(served, administrator, DREAM, id=id_of(dream))

    with statements(database, exactly=2) as sent:
        found = await answer(served, administrator, DREAM, id=id_of(dream))

    explained = found["extensions"]["explain"]
    shown = explained["statements"]
    assert found["data"]["dream"]["title"] == "Fly"
    assert (explained["executor"], explained["fallback"]) == ("plan", None)
    assert explained["statementCount"] == 2
    assert [each["sql"] for each in shown] == sent
    assert [each["rows"] for each in shown] == [1, 2]
    assert all(each.keys() == {"sql", "rows", "milliseconds"} for each in shown)
    assert all(0 < each["milliseconds"] < 60_000 for each in shown)


@needs_plans
async def test_statements_of_a_mutation_are_shown_in_their_order(
    served: Served, administrator: str, database: Database
) -> None:
    input = {"title": SECRET, "category": "VISION", "idempotencyKey": SECRET}
    await answer(served, administrator, CREATE, input=input | {"idempotencyKey": "other"})

    with statements(database) as sent:
        found = await answer(served, administrator, CREATE, input=input)

    explained = found["extensions"]["explain"]
    assert found["data"] == {"createDream": {"dream": {"title": SECRET}, "errors": []}}
    assert explained["executor"] == "plan"
    assert [each["sql"] for each in explained["statements"]] == sent
    assert any("INSERT INTO dreams" in each["sql"] for each in explained["statements"])
    assert SECRET not in str(explained)


@pytest.mark.parametrize("query", [LIST, MIXED])
async def test_no_value_is_in_a_statement(
    served: Served, administrator: str, database: Database, query: str
) -> None:
    await make_dream(database, title=SECRET, tags=[SECRET])
    filter = {
        "title": {"contains": SECRET},
        "tags": {"hasAll": [SECRET]},
        "createdAt": {"gte": "1987-06-05T00:00:00Z"},
        "or": [{"id": {"in": ["dream_" + 32 * "e", "dream_" + 32 * "d"]}}, {}],
    }
    found = await answer(served, administrator, query, filter=filter)

    explained = found["extensions"]["explain"]
    (node,) = found["data"]["dreams"]["nodes"]
    assert node["title"] == SECRET
    assert "= ANY ($" in str(explained)
    for value in (SECRET, "1987", "eeee", "dddd"):
        assert value not in str(explained)


@needs_plans
async def test_a_fallback_is_explained(
    served: Served, administrator: str, database: Database
) -> None:
    await make_dream(database, title="Fly")
    await answer(served, administrator, MIXED)

    with statements(database, exactly=1) as sent:
        found = await answer(served, administrator, MIXED)

    explained = found["extensions"]["explain"]
    assert (explained["executor"], explained["fallback"]) == ("core", "introspection")
    assert [(each["sql"], each["rows"]) for each in explained["statements"]] == [(sent[0], 1)]


@needs_plans
async def test_statements_of_both_executors_are_shown(
    served: Served, administrator: str, database: Database
) -> None:
    """A plan that gave up has sent statements, too."""
    dream = await make_dream(database)
    await answer(served, administrator, LIST)  # authenticated before
    with statements(database) as sent:
        found = await answer(served, administrator, TWO, id=id_of(dream), other="user_1")

    explained = found["extensions"]["explain"]
    assert explained["executor"] == "core"
    assert explained["fallback"] == "Invalid"
    assert [each["sql"] for each in explained["statements"]] == sent


@pytest.mark.parametrize("query", [LIST, MIXED])
async def test_plans_are_those_of_the_reads_with_their_parameters(
    served: Served, administrator: str, database: Database, query: str
) -> None:
    """By a plan and by graphql-core, whose statements go different ways to the database."""
    for title in ("Fly", "Swim"):
        await make_dream(database, title=title)
    filter = {"title": {"eq": "Swim"}}
    plain = await answer(served, administrator, query, "1", filter=filter)
    found = await answer(served, administrator, query, "plans", filter=filter)

    assert found["data"] == plain["data"]
    shown = found["extensions"]["explain"]["statements"]
    assert [each["sql"] for each in shown] == [
        each["sql"] for each in plain["extensions"]["explain"]["statements"]
    ]
    assert "on dreams" in shown[0]["plan"]
    assert "Swim" in shown[0]["plan"]
    assert "actual time" not in shown[0]["plan"]


async def test_statements_of_a_transaction_have_no_plans(
    served: Served, administrator: str
) -> None:
    input = {"title": "Swim", "category": "VISION", "idempotencyKey": "key"}
    found = await answer(served, administrator, CREATE, "plans", input=input)

    assert found["data"]["createDream"]["errors"] == []
    shown = found["extensions"]["explain"]["statements"]
    written = [each for each in shown if "INSERT INTO" in each["sql"]]
    assert written
    assert not [each for each in written if "plan" in each]


async def test_plans_have_a_bound(served: Served, administrator: str) -> None:
    counted = "dreams(first: 1) { totalCount facets { byStatus { count } } nodes { title } }"
    query = f"{{ {' '.join(f'{name}: {counted}' for name in 'abcdefgh')} }}"
    found = await answer(served, administrator, query, "plans")

    shown = found["extensions"]["explain"]["statements"]
    assert len(shown) > MAX_PLANS
    assert sum("plan" in each for each in shown) == MAX_PLANS


@pytest.mark.parametrize("explain", ["0", "", "true", "2"])
async def test_other_values_ask_for_nothing_for_statements(
    served: Served, administrator: str, explain: str
) -> None:
    found = await answer(served, administrator, LIST, explain)
    assert found == {"data": {"dreams": {"nodes": []}}}


@pytest.mark.parametrize("caller", ["scoped", "OPERATOR", "MEMBER", "anonymous"])
@pytest.mark.parametrize("query", [LIST, MIXED, CREATE])
@pytest.mark.parametrize("explain", ["1", "plans"])
async def test_other_callers_get_the_same_answer_as_ever(
    served: Served,
    database: Database,
    settings: Settings,
    caller: str,
    query: str,
    explain: str,
) -> None:
    key = None
    if caller == "scoped":
        scopes = {"dreams:read", "dreams:write", "users:read", "schema:read"}
        key = await key_of(database, settings, Role.ADMIN, scopes=scopes)
    elif caller != "anonymous":
        key = await key_of(database, settings, Role(caller))
    await make_dream(database, title="Fly")
    input = {"title": "Swim", "category": "VISION"}

    plain = await answer(served, key, query, "0", input=input)
    found = await answer(served, key, query, explain, input=input)

    assert without_ids(found) == without_ids(plain)
    assert "explain" not in found.get("extensions", {})


def without_ids(answer: Any) -> Any:
    for error in answer.get("errors", ()):
        error["extensions"].pop("requestId", None)
    return answer


async def test_rows_of_other_callers_are_not_in_it(
    served: Served, administrator: str, database: Database, settings: Settings
) -> None:
    """A request that asks for its statements shares none with requests that arrive with it."""
    dreams = [await make_dream(database, title=str(n)) for n in range(2)]
    other = await key_of(database, settings, Role.ADMIN)
    async with connected(served.port) as first, connected(served.port) as second:
        await asked(first, administrator, DREAM, "1", id=id_of(dreams[0]))
        await asked(second, other, DREAM, "0", id=id_of(dreams[1]))
        for _ in range(3):
            sent = [
                (first, administrator, "1", dreams[0]),
                (second, other, "0", dreams[1]),
            ]
            for connection, key, explain, dream in sent:
                headers = {"authorization": f"Bearer {key}", "x-graphql-explain": explain}
                body = {"query": DREAM, "variables": {"id": id_of(dream)}}
                connection.writer.write(request(body, headers))
            found, plain = [orjson.loads((await each.response()).body) for each in (first, second)]
            assert plain == {"data": {"dream": {"title": "1", "tests": {"nodes": []}}}}
            assert found["data"]["dream"]["title"] == "0"
            explained = found["extensions"]["explain"]
            assert [each["rows"] for each in explained["statements"]] == [1, 0]
