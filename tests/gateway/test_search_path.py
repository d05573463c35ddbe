"""The gateway in a schema other than public, as its operators and callers meet it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from db import Database
from support.commands import Dreamnet, commands
from support.databases import create_database, drop_database, execute
from support.graphql_client import endpoint

SAMPLE = Path(__file__).parents[1] / "samples" / "everything.jsonl"
ELSEWHERE = """
    select count(*) from pg_class
    where relnamespace <> 'inner_one'::regnamespace and relname = 'dreams'
"""


@pytest.fixture(params=["role", "options"])
async def url(request: pytest.FixtureRequest, server_url: str) -> AsyncIterator[str]:
    """The URL of a database whose sessions work in a schema of its own, which is empty; `public`
    belongs to another application."""
    owner, role = await create_database(server_url), f"role_{uuid4().hex}"
    await execute(owner, "create schema inner_one", "create table users (shoe_size int)")
    if request.param == "options":
        yield f"{owner}&options=-csearch_path%3Dinner_one"
    else:
        await execute(
            owner,
            f"create role {role} login",
            f"grant all on schema inner_one to {role}",
            f"alter role {role} set search_path = inner_one, public",
        )
        yield f"{owner}&user={role}"
        await execute(owner, f"drop owned by {role}", f"drop role {role}")
    await drop_database(server_url, owner)


@pytest.fixture
def dreamnet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str) -> Iterator[Dreamnet]:
    """Runs a command on that database and returns its exit code."""
    with commands(monkeypatch, tmp_path, DATABASE_URL=url) as dreamnet:
        yield dreamnet


def test_everything_works_in_the_schema_of_the_search_path(
    dreamnet: Dreamnet, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dreamnet("migrate", "up") == 0
    assert dreamnet("migrate", "check") == 0
    assert dreamnet("doctor") == 0, capsys.readouterr().out
    assert dreamnet("import", str(SAMPLE)) == 0
    assert dreamnet("keys", "list") == 0
    asyncio.run(write_and_read(url))
    assert dreamnet("migrate", "down", "0004", "--yes") == 0
    assert dreamnet("migrate", "up") == 0
    assert dreamnet("migrate", "check") == 0


async def write_and_read(url: str) -> None:
    """Through a gateway in production."""
    database = Database(url)
    async with endpoint(database) as asked:
        made: Any = await asked.mutate("createDream", {"title": "Inner"}, "dream { id }")
        found = await asked.data(
            "query ($id: ID!) { dream(id: $id) { title } }", {"id": made["id"]}
        )
        assert found == {"dream": {"title": "Inner"}}
        event = {"eventType": "deployed", "source": "ci"}
        assert (await asked.mutate("logEvent", event)) == {}
    async with database.read() as session:
        assert await session.scalar(text(ELSEWHERE)) == 0
    await database.close()
