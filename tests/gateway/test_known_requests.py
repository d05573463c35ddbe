"""Requests that are sent again byte for byte are read once, and mean the same for each caller."""

import gc
from typing import Any

import orjson
import pytest

import db
from db import Database
from db.core.table import Table
from db.users import Role
from gateway.settings import Settings
from gateway.transport import known_requests
from gateway.transport.known_requests import KnownRequests
from graph.core.execution import operation as operations
from graph.core.execution.operation import Operation
from graph.core.principal import Principal
from graph.schema import schema
from support.executors import needs_plans
from support.factories import make_dream, make_user
from support.gateways import make_key, production
from support.raw_http import connected, request
from support.running_gateway import Served

DREAM = "query Dream($id: ID!) { dream(id: $id) { title } }"
USERS = "query Users($first: Int) { users(first: $first) { nodes { email } } }"
ADMIN, MEMBER = Principal(role=Role.ADMIN), Principal(role=Role.MEMBER)


@pytest.fixture
def settings() -> Settings:
    return production(drain_seconds=0, spread_seconds=0, short_path="on")


@pytest.fixture
def requests(served: Served) -> KnownRequests:
    requests: KnownRequests = served.server.config.app.state.heads.path.requests
    return requests


async def test_the_same_bytes_mean_the_same_for_each_caller(
    database: Database, settings: Settings, served: Served
) -> None:
    owner, stranger, admin = [
        await make_user(database, role=role) for role in (Role.MEMBER, Role.MEMBER, Role.ADMIN)
    ]
    dream = await make_dream(database, title="Private", user_id=owner.id, is_public=False)
    asked = {"query": DREAM, "variables": {"id": f"dream_{dream.id.hex}"}}
    listed = {"query": USERS, "variables": {"first": 0}}
    seen = []
    async with connected(served.port) as connection:
        for user in (admin, owner, stranger):
            key = await make_key(database, settings, user_id=user.id)
            for content in (asked, listed):
                for _ in range(5):  # signed in, prepared, planned, repeated, known
                    head = {"authorization": f"Bearer {key.text}"}
                    connection.writer.write(request(content, head))
                    answer = orjson.loads((await connection.response()).body)
                seen.append(answer.get("data") or answer["errors"][0]["extensions"]["code"])

    shown, hidden, users = (
        {"dream": {"title": "Private"}},
        {"dream": None},
        {"users": {"nodes": []}},
    )
    assert seen == [shown, users, shown, "FORBIDDEN", hidden, "FORBIDDEN"]


@needs_plans
async def test_a_known_request_is_not_read_again(requests: KnownRequests) -> None:
    operation = await prepared(requests, "Known")
    once, first = [requests.read(body(operation, 1), ADMIN) for _ in range(2)]
    assert once is not None
    assert first is not once
    assert requests.read(body(operation, 1), ADMIN) is first
    assert requests.read(body(operation, 1), MEMBER) is not first
    assert requests.read(body(operation, 2), ADMIN) is not first


REPORT = (
    "mutation ($key: String!) { reportAgentStatus(input: {agentKey: $key, status: RUNNING}) "
    "{ storedId errors { code field } } }"
)
EVENT = (
    'mutation ($source: String!) { logEvent(input: {eventType: "repeated", source: $source, '
    "severity: INFO}) { id: storedId errors { code field } } }"
)
METRIC = (
    'mutation ($value: Float!) { recordMetric(input: {metricName: "repeated", value: $value}) '
    "{ again: storedId storedId errors { code field } } }"
)


@pytest.mark.parametrize(
    ("text", "valid", "invalid", "table"),
    [
        (REPORT, {"key": "a"}, {"key": ""}, db.agents.AgentReport),
        (EVENT, {"source": "a"}, {"source": ""}, db.events.Event),
        (METRIC, {"value": 1.5}, {"value": 10**9}, db.metrics.Metric),
    ],
)
async def test_an_item_sent_again_is_stored_again(
    database: Database,
    settings: Settings,
    served: Served,
    text: str,
    valid: Any,
    invalid: Any,
    table: type[Table],
) -> None:
    user = await make_user(database, role=Role.ADMIN)
    key = await make_key(database, settings, user_id=user.id)
    head = {"authorization": f"Bearer {key.text}"}
    stored: list[Any] = []
    refused: list[Any] = []
    async with connected(served.port) as connection:
        for variables, results in [(valid, stored), (invalid, refused)] * 5:
            connection.writer.write(request({"query": text, "variables": variables}, head))
            answer = orjson.loads((await connection.response()).body)
            results += answer["data"].values()

    ids = [id for payload in stored for id in payload.values() if isinstance(id, str)]
    async with database.read() as session:
        rows = await session.records(table, table.select().order_by(table.id))
    own = [row for row in rows if getattr(row, "source", "a") == "a"]
    assert len(own) == 5
    assert {id.rpartition("_")[2] for id in ids} == {row.id.hex for row in own}
    assert all(payload["errors"] == [] for payload in stored)
    assert [error["code"] for payload in refused for error in payload["errors"]] == ["INVALID"] * 5


@needs_plans
async def test_requests_are_forgotten_with_their_operation(requests: KnownRequests) -> None:
    sent = body(await prepared(requests, "Gone"), 1)
    assert requests.read(sent, ADMIN) is not None
    operations._operations.clear()
    gc.collect()
    assert requests.read(sent, ADMIN) is None


@needs_plans
async def test_few_and_short_requests_are_kept(
    requests: KnownRequests, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_requests, "MAX_REQUESTS", 3)
    operation = await prepared(requests, "Many")
    for first in [number for number in range(8) for _ in range(2)]:
        requests.read(body(operation, first), ADMIN)
        assert len(operation.kept) == len(requests.known) <= 3
    kept = len(operation.kept)
    for _ in range(2):
        requests.read(body(operation, 1) + b" " * known_requests.LONGEST_BODY, ADMIN)
    requests.read(body(operation, 9), ADMIN)  # once
    assert len(operation.kept) == kept


async def prepared(requests: KnownRequests, name: str) -> Operation:
    """An operation that was executed before."""
    text = f"query {name}($first: Int) {{ agents(first: $first) {{ nodes {{ key }} }} }}"
    operation = operations.prepare(schema, text, limits=requests.executor.limits)
    variables = operation.variables.coerced({}, suggestions=False)
    assert not isinstance(variables, list)
    await operation.plans.of(variables)
    return operation


def body(operation: Operation, first: int) -> bytes:
    return orjson.dumps({"query": operation.text, "variables": {"first": first}})
