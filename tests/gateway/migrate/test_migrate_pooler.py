"""`dreamnet migrate` behind a connection pooler."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from db import Database
from db.core.connections.pooler import Pooler
from db.core.connections.url import connection_info
from db.core.schema import revisions
from support.migrate_command import Run
from support.pgbouncer import needed, pgbouncer

HEAD = revisions.head()


@pytest.fixture
async def pooled(run: Run, tmp_path: Path) -> AsyncIterator[Run]:
    """Runs `dreamnet migrate` on this test's database behind a PgBouncer."""
    async with pgbouncer(needed(), run.url, tmp_path) as url:
        yield Run(url, run.capsys, run.monkeypatch)


def test_migrations_are_refused_through_a_pooler(pooled: Run, run: Run) -> None:
    refusal = f"The database {pooled.place} is behind a connection pooler and cannot be migrated"
    for command in ("up", "down 0004 --yes"):
        code, out, error = pooled(*command.split())
        assert (code, out) == (3, "")
        assert error == (
            f"{refusal} through it: set DREAMNET_DIRECT_URL to the URL of PostgreSQL itself.\n"
        )
        code, _, error = pooled(*command.split(), DREAMNET_DIRECT_URL=pooled.url)
        assert (code, error) == (
            3,
            f"{refusal} through it: DREAMNET_DIRECT_URL must be the URL of PostgreSQL itself.\n",
        )
    assert run.revision == HEAD


def test_a_direct_url_goes_past_the_pooler(pooled: Run, run: Run) -> None:
    direct = {"DREAMNET_DIRECT_URL": run.url}
    assert (pooled("down", "0004", "--yes", **direct))[:2] == (
        0,
        "The database is at revision 0004.\n",
    )
    assert (pooled("up", **direct))[0] == 0
    assert (pooled("check"))[:2] == (0, "The tables match the code.\n")
    assert (pooled("current"))[:2] == (0, f"{HEAD}\n")
    code, out, _ = pooled("doctor", **direct)
    assert code == 0, out
    assert run.place in " ".join(out.split())


@pytest.fixture
async def kept(run: Run, tmp_path: Path) -> AsyncIterator[Run]:
    """The same behind one that keeps sessions, and hands them on as they are."""
    settings = {"mode": "session", "server_reset_query": ""}
    async with pgbouncer(needed(), run.url, tmp_path, **settings) as url:
        yield Run(url, run.capsys, run.monkeypatch)


def test_nothing_stays_on_the_connections_of_a_pooler(kept: Run) -> None:
    said = {"DREAMNET_POOLER": "session"}
    assert kept("down", "0004", "--yes", **said)[0] == 0
    assert kept("up", **said)[0] == 0
    assert asyncio.run(left(kept.url)) == []


async def left(url: str) -> list[Any]:
    """What other sessions left on the connection of the server that is lent."""
    statement = text("""
        select 'lock' from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()
        union all select name from pg_prepared_statements
        union all select name from pg_settings where source = 'session'
            and name not in ('application_name', 'client_encoding')
    """)
    database = Database(connection_info(url).behind(Pooler.TRANSACTION))
    async with database.read() as session:
        rows = list(await session.rows(statement))
    await database.close()
    return rows
