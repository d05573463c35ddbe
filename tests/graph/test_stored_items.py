"""Mutations that store one item are answered by plans as by graphql-core, valid or not."""

import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from graphql import GraphQLInputField, GraphQLInputObjectType, get_named_type, is_enum_type

import db
from db import Database
from db.core.ingest.writer import Ingestion
from db.users import Role
from graph.core.context import Context, ExecutorName
from graph.core.execution.execute import execute
from graph.core.execution.operation import InvalidOperation, prepare
from graph.core.execution.plan.ingested import StoredItem
from graph.core.principal import DEVELOPER, Principal
from graph.core.types.declared import IngestField
from graph.schema import schema
from support.executors import needs_plans
from support.factories import make_user
from support.sample_inputs import samples

pytestmark = needs_plans
CORE = schema._schema
STORING = sorted(
    name
    for name, field in CORE.mutation_type.fields.items()  # type: ignore[union-attr]
    if isinstance(field.extensions["strawberry-definition"].metadata.get("shows"), IngestField)
)
SHOWN = "a: __typename storedId b: storedId errors { message code field }"
NESTED: Any = []
for _ in range(40):
    NESTED = [NESTED]
WRONG = [None, "", "x" * 101_000, "a\0b", -1, 10**12, "user_" + "0" * 32, {"a": NESTED}, [1]]

NAMES = {*db.agents.AgentStatus, *db.events.EventSeverity}
ID = re.compile(rb"_[0-9a-f]{32}")
Document = tuple[str, dict[str, Any]]


@pytest.fixture
async def ingestion(database: Database) -> AsyncIterator[Ingestion]:
    ingestion = Ingestion(database)
    yield ingestion
    await ingestion.close()


def input_type(name: str) -> GraphQLInputObjectType:
    return CORE.type_map[f"{name[0].upper()}{name[1:]}Input"]  # type: ignore[return-value]


def in_variable(name: str, input: dict[str, Any]) -> Document:
    document = f"mutation ($i: {input_type(name)}!) {{ r: {name}(input: $i) {{ {SHOWN} }} }}"
    return document, {"i": input}


def of_variables(name: str, input: dict[str, Any]) -> Document:
    """Each field has a variable of its own; those that are not given have no value."""
    fields = input_type(name).fields
    declared = ", ".join(f"${field}: {fields[field].type}" for field in fields)
    given = ", ".join(f"{field}: ${field}" for field in fields)
    return f"mutation ({declared}) {{ r: {name}(input: {{{given}}}) {{ {SHOWN} }} }}", input


def as_literal(name: str, input: dict[str, Any]) -> Document:
    fields = input_type(name).fields
    given = ", ".join(f"{key}: {literal(value, fields[key])}" for key, value in input.items())
    return f"mutation {{ r: {name}(input: {{{given}}}) {{ {SHOWN} }} }}", {}


def literal(value: Any, field: GraphQLInputField | None = None) -> str:
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {literal(part)}' for key, part in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(literal, value))}]"
    is_enum = field is not None and is_enum_type(get_named_type(field.type))
    return value if is_enum and value in NAMES else json.dumps(value)


FORMS = (in_variable, of_variables, as_literal)


async def answered(
    database: Database, ingestion: Ingestion, sent: Document, who: Principal, by: ExecutorName
) -> tuple[bytes, str | None]:
    text, variables = sent
    context = Context(database, who, "test-request", ingestion, executor=by)
    try:
        result = await execute(prepare(schema, text), variables, context)
    except InvalidOperation as invalid:
        return str(invalid).encode(), None
    return result.body, context.fallback


def test_all_mutations_that_store_one_item_declare_it() -> None:
    assert STORING == [
        "logError",
        "logEvent",
        "recordMetric",
        "reportAgentError",
        "reportAgentPerformance",
        "reportAgentStatus",
        "trackUserAction",
    ]


@pytest.mark.parametrize("name", STORING)
async def test_plans_answer_as_graphql_core(
    database: Database, ingestion: Ingestion, name: str
) -> None:
    user = await make_user(database, role=Role.ADMIN)
    who = Principal(user_id=user.id, role=Role.ADMIN)
    sample = (await samples(database, user))[name]
    inputs = [sample]
    for field in input_type(name).fields:
        inputs.append({key: value for key, value in sample.items() if key != field})
        inputs += [sample | {field: wrong} for wrong in WRONG]

    for input in inputs:
        for form in FORMS:
            sent = form(name, input)
            planned, fallback = await answered(database, ingestion, sent, who, "plan")
            core, _ = await answered(database, ingestion, sent, who, "core")
            assert shown(planned, input) == shown(core, input), sent
            assert fallback is None or b'"data":null' in planned or b'"errors":[{' in planned


def shown(body: bytes, input: dict[str, Any]) -> bytes:
    """A response; only an item with a key has the same id each time."""
    return body if input.get("idempotencyKey") else ID.sub(b"", body)


async def test_an_item_is_read_without_graphql_core(
    database: Database, ingestion: Ingestion, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A valid item never takes the ordinary way."""
    await database.now()
    ordinary = []
    value = StoredItem.value

    async def watched(self: StoredItem, run: Any) -> object:
        monkeypatch.setattr(self.resolved, "value", ordinary.append)
        return await value(self, run)

    monkeypatch.setattr(StoredItem, "value", watched)
    sample = {"agentKey": "a", "status": "RUNNING", "currentTask": {"n": 1}}
    for form in FORMS:
        body, fallback = await answered(
            database, ingestion, form("reportAgentStatus", sample), DEVELOPER, "plan"
        )
        assert b'"a":"ReportAgentStatusPayload","storedId":"agent_report_' in body
        assert b'"errors":[]' in body
        assert (fallback, ordinary) == (None, [])
