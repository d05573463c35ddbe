"""Planted secrets are looked for in everything that a gateway says and stores.

One canary sits in each place where a gateway meets a secret: the database's password, the pepper,
a variable that a setting refers to, keys and tokens, right and wrong ones. Another is only sent, as
a value that is refused: its sender may be told, the log and the tables may not.
"""

import json
import logging
from collections.abc import Iterator
from io import StringIO
from typing import Any

import httpx2
import pytest
import structlog
from graphql import GraphQLError
from sqlalchemy import literal_column, make_url, select, text

from db import Database
from db.core.ingest import writer
from db.core.table import Table
from db.users import Role
from gateway.middleware import request_log
from gateway.settings import Settings
from graph.schema import schema
from support.factories import make_user
from support.gateways import gateway, make_key, production
from support.websocket_client import greeted, serving

CANARY = "c4n4ryC0alM1ne"
SENT = "s3ntC0alM1ne"
VARIABLE = "DREAMNET_TEST_MAIL_PASSWORD"

SETTING = """mutation ($input: SetConfigInput!) {
  setConfig(input: $input) { errors { message } configEntry { key value } }
}"""
ASKED: list[tuple[str, Any]] = [
    ("{ configs { nodes { key kind value reference isPresent fingerprint } } }", None),
    (SETTING, {"input": {"key": "mail.password", "reference": VARIABLE}}),
    (SETTING, {"input": {"key": "mail.server", "value": f"smtp://user:{CANARY}@mail.example.org"}}),
    (SETTING, {"input": {"key": "mail.token", "value": f"{CANARY}-{'x9Zq' * 8}"}}),
    (
        """mutation ($names: [String!]!) { syncEnvironment(input: {names: $names}) {
          stored referenced missing } }""",
        {"names": [VARIABLE, "PATH"]},
    ),
    ("{ apiKeys { nodes { prefix service scopes } } }", None),
    ("query ($id: ID!) { node(id: $id) { id } }", {"id": f"{SENT}_is_no_id"}),
    ("query ($n: Int!) { dreams(first: $n) { totalCount } }", {"n": f"{SENT} is no number"}),
    ("{ usage { name } databaseHealth { version slowStatements { query } } }", None),
    ("{ nothing }", None),
]


@pytest.fixture
def settings(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv(VARIABLE, CANARY)
    url = make_url(database_url).set(password=CANARY).render_as_string(hide_password=False)
    return production(database_url=url, key_pepper=CANARY * 3, request_log="on", public_read=True)


async def everything_said(settings: Settings, database: Database) -> list[str]:
    """The answers to right and wrong requests with right and wrong credentials."""
    owner = await make_user(database, role=Role.ADMIN)
    key = (await make_key(database, settings, user_id=owner.id)).text
    transport = httpx2.ASGITransport(gateway(settings, database), raise_app_exceptions=False)
    said = []
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        for credential in (
            key,
            f"{key[:-9]}{CANARY[:9]}",
            f"eyJhbGciOiJub25lIn0.{CANARY}.",
            CANARY,
        ):
            headers = {"authorization": f"Bearer {credential}"}
            for query, variables in ASKED:
                body = {"query": query, "variables": variables}
                answer = await client.post("/graphql", json=body, headers=headers)
                said.append(f"{answer.headers} {answer.text}")
        for path in ("/health", "/api/health/ready", "/schema.graphql", "/graphiql", "/nowhere"):
            answer = await client.get(path, headers={"authorization": f"Bearer {key}"})
            said.append(f"{answer.headers} {answer.text}")
    return [each.replace(key, "") for each in said] + [f"{settings!r} {database.url!r}"]


async def everything_stored(database: Database) -> list[str]:
    """Every row of every table, as text."""
    rows = []
    async with database.read() as session:
        for table in Table.metadata.sorted_tables:
            whole = select(literal_column(f'"{table.name}"::text')).select_from(table)
            rows += [row[0] for row in await session.rows(whole)]
    return rows


def holding(texts: list[str], *canaries: str) -> Iterator[str]:
    yield from (each for each in texts if any(canary in each for canary in canaries))


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[StringIO]:
    """What is logged as in production, at the level that logs most."""
    text, handlers, level = StringIO(), logging.root.handlers, logging.root.level
    monkeypatch.setattr(logging.getLogger("httpx2"), "disabled", True)
    request_log.configure(production(log_level="debug"))
    monkeypatch.setattr(logging.root.handlers[0], "stream", text)
    yield text
    logging.root.handlers = handlers
    logging.root.setLevel(level)
    structlog.reset_defaults()


async def test_no_secret_is_said_stored_or_logged(
    settings: Settings, database: Database, log: StringIO
) -> None:
    said = await everything_said(settings, database)
    stored = await everything_stored(database)

    assert len(said) > 40
    assert any("mail.password" in row for row in stored), "the reference itself is stored"
    assert "credential refused" in log.getvalue()
    assert list(holding(said, CANARY)) == []
    assert list(holding(stored, CANARY, SENT)) == []
    assert list(holding(log.getvalue().splitlines(), CANARY, SENT)) == []


async def test_the_canary_would_be_found(database: Database) -> None:
    async with database.write() as session:
        await session.execute(
            text("insert into users (id, email) values (gen_random_uuid(), :canary)"),
            {"canary": CANARY},
        )

    assert len(list(holding(await everything_stored(database), CANARY))) == 1


# Statements that fail, and every way in which a value gets into one

FAILING = """create function fail() returns trigger language plpgsql as $$ begin
  raise exception using errcode = tg_argv[0], constraint = 'uq_example',
    message = row_to_json(new)::text, detail = row_to_json(new)::text, hint = new::text;
end $$"""
STATES = {
    "22003": "INVALID",
    "23505": "CONFLICT",
    "42703": "INTERNAL_SERVER_ERROR",
    "53200": "SERVICE_UNAVAILABLE",
    "54000": "INVALID",
    "57014": "SERVICE_UNAVAILABLE",
    "P0001": "INTERNAL_SERVER_ERROR",
    "XX000": "INTERNAL_SERVER_ERROR",
}
CREATE = """mutation ($input: CreateDreamInput!) {
  createDream(input: $input) { errors { code message } } }"""
LOG = """mutation ($input: LogEventInput!) {
  logEvent(input: $input) { errors { code message } } }"""
DREAM = {"title": SENT, "originalPrompt": SENT}
EVENT = {"eventType": SENT, "source": "test", "payload": {"text": SENT}}


async def fail_inserts(database: Database, table: str, sqlstate: str) -> None:
    """Lets each insert fail with an error whose every text quotes the row."""
    trigger = f"create trigger fail before insert on {table} for each row"
    async with database.write() as session:
        await session.execute(text(FAILING))
        await session.execute(text(f"{trigger} execute function fail('{sqlstate}')"))


async def asked_both_ways(database: Database, document: str, **variables: Any) -> list[Any]:
    """The results over HTTP and over a WebSocket, of an administrator in production."""
    settings = production(request_log="on")
    owner = await make_user(database, role=Role.ADMIN)
    key = (await make_key(database, settings, user_id=owner.id)).text
    headers = {"authorization": f"Bearer {key}"}
    body = {"query": document, "variables": variables}
    async with serving(settings, database) as address:
        async with httpx2.AsyncClient(base_url=address, headers=headers) as client:
            over_http = (await client.post("/graphql", json=body)).json()
        async with greeted(address, authorization=f"Bearer {key}") as socket:
            await socket.ask("1", document, variables=variables)
            over_socket = (await socket.hear())["payload"]
    return [over_http, over_socket]


@pytest.mark.parametrize(("sqlstate", "outcome"), STATES.items())
async def test_a_write_that_fails_logs_no_value(
    database: Database, log: StringIO, sqlstate: str, outcome: str
) -> None:
    await fail_inserts(database, "dreams", sqlstate)

    results = await asked_both_ways(database, CREATE, input=DREAM)

    assert all(f'"{outcome}"' in json.dumps(result) for result in results), results
    assert list(holding(log.getvalue().splitlines(), SENT)) == []


@pytest.mark.parametrize("sqlstate", STATES)
async def test_ingestion_that_fails_logs_no_value(
    database: Database, log: StringIO, monkeypatch: pytest.MonkeyPatch, sqlstate: str
) -> None:
    monkeypatch.setattr(writer, "DEADLINE_SECONDS", 0.3)
    await fail_inserts(database, "system_events", sqlstate)

    results = await asked_both_ways(database, LOG, input=EVENT)

    assert not any(result == {"data": {"logEvent": {"errors": []}}} for result in results)
    assert list(holding(log.getvalue().splitlines(), SENT)) == []


async def test_the_log_names_the_failed_statement_and_the_reason(
    database: Database, log: StringIO
) -> None:
    await fail_inserts(database, "dreams", "42703")

    result, _ = await asked_both_ways(database, CREATE, input=DREAM)

    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    failed = next(line for line in lines if line["event"] == "resolver failed")
    assert failed["request_id"] == result["errors"][0]["extensions"]["requestId"]
    assert failed["path"] == ["createDream"]
    exception = failed["exception"]
    assert "UndefinedColumnError (SQLSTATE 42703, constraint uq_example)" in exception
    assert "Statement: WITH " in exception
    assert "INSERT INTO dreams" in exception
    assert "src/db/dreams.py" in exception or "src/db/audit/" in exception


@pytest.mark.parametrize("kind", [ValueError, KeyError, OSError, GraphQLError])
async def test_a_failing_resolver_logs_no_value(
    database: Database, log: StringIO, monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    async def fail(_root: Any, _info: Any, **arguments: Any) -> Any:
        raise kind(f"cannot look up {arguments}") from RuntimeError(repr(arguments))

    field = schema._schema.query_type.fields["featureEnabled"]
    monkeypatch.setattr(field, "resolve", fail)
    document = f"query ($key: String!) {{ {SENT}: featureEnabled(key: $key) }}"

    results = await asked_both_ways(database, document, key=SENT)

    assert all(result["errors"] for result in results)
    assert list(holding(log.getvalue().splitlines(), SENT)) == []
