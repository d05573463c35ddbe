"""`dreamnet backup` and `dreamnet restore`: the embedded database at an earlier time."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import func, select

from db import Database
from db.core.embedded import Backups, Embedded
from db.core.schema import migrate
from db.core.values.rfc3339 import print_time
from db.users import Role
from support.commands import Dreamnet
from support.factories import make_user
from support.gateways import make_key, production
from support.websocket_client import greeted, serving

CREATE = """mutation($title: String!) {
  createDream(input: {title: $title, originalPrompt: "p"}) {
    dream { id } errors { message }
  }
}"""
TITLES = "{ dreams(first: 50) { nodes { title } } }"
WATCH = """subscription($after: String) {
  dreams(after: $after) { kind cursor reason }
}"""
SETTINGS = production()


class Caller:
    """A user with a key, at a gateway over a database."""

    def __init__(self, address: str, key: str) -> None:
        self.address, self.key = address, key

    async def ask(self, query: str, **variables: Any) -> Any:
        async with httpx2.AsyncClient(headers={"authorization": f"Bearer {self.key}"}) as client:
            content = {"query": query, "variables": variables}
            answer = (await client.post(f"{self.address}/graphql", json=content)).json()
        assert "errors" not in answer, answer
        return answer["data"]

    async def create(self, *titles: str) -> None:
        for title in titles:
            made = await self.ask(CREATE, title=title)
            assert made["createDream"]["dream"], made

    async def titles(self) -> set[str]:
        return {node["title"] for node in (await self.ask(TITLES))["dreams"]["nodes"]}

    async def first_message(self, after: str | None = None) -> Any:
        async with greeted(self.address, Authorization=f"Bearer {self.key}") as client:
            await client.ask("1", WATCH, variables={"after": after})
            return (await client.hear())["payload"]["data"]["dreams"]


@asynccontextmanager
async def gateway_over(embedded: Embedded, key: str | None = None) -> AsyncIterator[Caller]:
    """A gateway of production over the embedded database; a new key unless one is given."""
    database = Database(embedded.start())
    if key is None:
        user = await make_user(database, role=Role.MEMBER)
        key = (await make_key(database, SETTINGS, user_id=user.id)).text
    async with serving(SETTINGS, database) as address:
        yield Caller(address, key)
    await asyncio.to_thread(embedded.stop)


async def time_of(embedded: Embedded) -> datetime:
    database = Database(embedded.start())
    async with database.read() as session:
        at: datetime = await session.scalar(select(func.clock_timestamp()))
    await database.close()
    return at


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def embedded(folder: Path) -> Iterator[Embedded]:
    server = Embedded(folder / ".dreamnet", backups=Backups(folder / "backups"))
    asyncio.run(migrate.upgrade(server.start()))
    yield server
    server.stop()


@pytest.fixture
def command(dreamnet: Dreamnet, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Dreamnet:
    monkeypatch.setenv("DREAMNET_BACKUP_DIR", str(folder / "backups"))
    return dreamnet


def test_a_time_is_restored_and_subscribers_are_reset(
    embedded: Embedded, command: Dreamnet, folder: Path
) -> None:
    assert command("backup") == 0

    async def until_the_time() -> tuple[str, str, datetime]:
        async with gateway_over(embedded) as caller:
            await caller.create("in the full copy")
            assert embedded.backups is not None
            await asyncio.to_thread(embedded.backups.take, embedded.server)
            await caller.create("in the log")
            message = await caller.first_message()
            assert message["kind"] == "SNAPSHOT"
            at = await time_of(embedded)
            await caller.create("too late")
            assert await caller.first_message(message["cursor"])
            return caller.key, message["cursor"], at

    key, cursor, at = asyncio.run(until_the_time())
    assert [path.suffix for path in Backups(folder / "backups").finished()] == [".full", ".part"]

    assert command("restore", "--to", print_time(at), "--yes") == 0

    async def afterwards() -> None:
        async with gateway_over(embedded, key) as caller:
            assert await caller.titles() == {"in the full copy", "in the log"}
            message = await caller.first_message(cursor)
            assert (message["kind"], message["reason"]) == ("RESET", "EPOCH")
            await caller.create("in the new history")

    asyncio.run(afterwards())
    assert command("backup") == 0  # in the new history, all of it
    assert command("restore", "--to", "latest", "--yes") == 0
    asyncio.run(_has(embedded, key, {"in the full copy", "in the log", "in the new history"}))


async def _has(embedded: Embedded, key: str, titles: set[str]) -> None:
    async with gateway_over(embedded, key) as caller:
        assert await caller.titles() == titles


def test_what_a_killed_server_acknowledged_is_restored(
    embedded: Embedded, command: Dreamnet
) -> None:
    """The last segment of its log was never archived."""
    assert command("backup") == 0
    embedded.server.query("create table kept (value int); insert into kept values (42)")
    assert embedded.server.pid is not None
    os.kill(embedded.server.pid, signal.SIGKILL)
    embedded.stop()
    assert command("restore", "--to", "latest", "--yes") == 0
    embedded.start()
    assert embedded.server.query("select value from kept").strip() == "42"


def test_nothing_changes_if_a_time_cannot_be_restored(
    embedded: Embedded, command: Dreamnet, capsys: pytest.CaptureFixture[str]
) -> None:
    restoring = "restore", "--yes", "--to"
    assert command(*restoring, "latest") == 3
    assert "uses the embedded database: stop it" in capsys.readouterr().err
    embedded.stop()
    assert command(*restoring, "latest") == 3
    assert "There is no backup" in capsys.readouterr().err
    assert command("backup") == 0
    assert command(*restoring, "2020-01-01T00:00:00Z") == 3
    assert "The oldest backup is of" in capsys.readouterr().err
    assert command(*restoring, "2100-01-01T00:00:00Z") == 3
    assert "Nothing was committed after that time" in capsys.readouterr().err
    assert command(*restoring, "yesterday") == 2
    assert [path.name for path in embedded.folder.glob("data*")] == ["data"]
    embedded.start()
    assert embedded.server.query("select count(*) from pg_database").strip() == "4"


def test_commands_are_for_the_embedded_database(
    dreamnet: Dreamnet, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dreamnet("backup") == 2
    assert "Set DREAMNET_BACKUP_DIR" in capsys.readouterr().err
    assert dreamnet("backup", DATABASE_URL="postgresql://somewhere/else") == 2
    assert "docs/backup.md" in capsys.readouterr().err
