"""Planted secrets are looked for in everything that a gateway says and stores.

One canary sits in each place where a gateway meets a secret: the database's password, the pepper,
a variable that a setting refers to, keys and tokens, right and wrong ones. Another is only sent, as
a value that is refused: its sender may be told, the log and the tables may not.
"""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from callers import gateway, make_key, production
from sqlalchemy import literal_column, make_url, select, text

from db import Database
from db.core.table import Table
from db.users import Role
from factories import make_user
from gateway.settings import Settings

CANARY = "c4n4ryC0alM1ne"
SENT = "s3ntC0alM1ne"
VARIABLE = "DREAMNET_TEST_MAIL_PASSWORD"

SETTING = """mutation ($input: SetConfigInput!) {
  setConfig(input: $input) { __typename ... on Error { message } ... on ConfigEntry { key value } }
}"""
ASKED: list[tuple[str, Any]] = [
    ("{ configs { nodes { key kind value reference isPresent fingerprint } } }", None),
    (SETTING, {"input": {"key": "mail.password", "reference": VARIABLE}}),
    (SETTING, {"input": {"key": "mail.server", "value": f"smtp://user:{CANARY}@mail.example.org"}}),
    (SETTING, {"input": {"key": "mail.token", "value": f"{CANARY}-{'x9Zq' * 8}"}}),
    (
        """mutation ($names: [String!]!) { syncEnvironment(input: {names: $names}) {
          ... on EnvironmentSynced { stored referenced missing } } }""",
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


async def test_no_secret_is_said_stored_or_logged(
    settings: Settings, database: Database, capfd: pytest.CaptureFixture[str]
) -> None:
    said = await everything_said(settings, database)
    stored = await everything_stored(database)
    logged = capfd.readouterr()

    assert len(said) > 40
    assert any("mail.password" in row for row in stored), "the reference itself is stored"
    assert "credential refused" in logged.out + logged.err
    assert list(holding(said, CANARY)) == []
    assert list(holding(stored, CANARY, SENT)) == []
    assert list(holding([*logged.out.splitlines(), *logged.err.splitlines()], CANARY, SENT)) == []


async def test_the_canary_would_be_found(database: Database) -> None:
    async with database.write() as session:
        await session.execute(
            text("insert into users (id, email) values (gen_random_uuid(), :canary)"),
            {"canary": CANARY},
        )

    assert len(list(holding(await everything_stored(database), CANARY))) == 1
