"""`dreamnet migrate`: what it refuses, what it warns of, and how it is interrupted."""

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, text

from db import Database
from db.core.connections.pooler import Pooler
from db.core.connections.url import connection_info
from db.core.embedded import Embedded
from db.core.schema import migrate
from db.core.schema.migration_lock import LOCK
from gateway.cli.main import main
from gateway.settings import Settings
from support.databases import create_database, drop_database
from support.pgbouncer import needed, pgbouncer
from support.wait import patience, until

Capture = pytest.CaptureFixture[str]
HEAD = migrate.head()


class Run:
    """`dreamnet migrate` on a database, or another command, in this process or one of its own."""

    def __init__(self, url: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
        self.url = url
        self.capsys = capsys
        self.monkeypatch = monkeypatch

    @property
    def place(self) -> str:
        return str(connection_info(self.url))

    @property
    def revision(self) -> str | None:
        return asyncio.run(migrate.current(self.url))

    def __call__(self, *arguments: str, **variables: str) -> tuple[int, str, str]:
        """The exit code and what was printed."""
        with self.monkeypatch.context() as patch:
            patch.setattr("sys.argv", _command(*arguments)[2:])
            for name, value in {"DATABASE_URL": self.url, **variables}.items():
                patch.setenv(name, value)
            with pytest.raises(SystemExit) as ended:
                main()
        out, error = self.capsys.readouterr()
        return int(ended.value.code or 0), out, error

    async def begun(self, *arguments: str, stdin: int = DEVNULL) -> Process:
        return await asyncio.create_subprocess_exec(
            *_command(*arguments),
            env={**os.environ, "DATABASE_URL": self.url},
            stdin=stdin,
            stdout=PIPE,
            stderr=PIPE,
        )

    def execute(self, statement: str) -> None:
        asyncio.run(self._execute(statement))

    async def _execute(self, statement: str) -> None:
        database = Database(self.url)
        async with database.write() as session:
            await session.execute(text(statement))
        await database.close()


def _command(*arguments: str) -> list[str]:
    commands = [] if arguments[0] in ("serve", "doctor") else ["migrate"]
    return [sys.executable, "-m", "gateway", *commands, *arguments]


@pytest.fixture
def run(
    database_url: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Run]:
    """Runs `dreamnet migrate` on this test's database."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    for name in Settings.model_fields:
        monkeypatch.delenv(Settings.variable(name), raising=False)
    before = signal.getsignal(signal.SIGTERM)
    yield Run(database_url, capsys, monkeypatch)
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def empty(server_url: str, run: Run) -> Iterator[Run]:
    """The same on a database in which no migration ever ran."""
    url = asyncio.run(create_database(server_url))
    yield Run(url, run.capsys, run.monkeypatch)
    asyncio.run(drop_database(server_url, url))


# Going down.


def test_down_needs_a_yes(run: Run) -> None:
    sentence = "Going down drops tables and columns with their rows: confirm it with --yes.\n"
    for target in ("0004", "base"):
        assert run("down", target) == (2, "", sentence)
    assert run.revision == HEAD


def test_down_to_any_revision_shows_the_loss(run: Run) -> None:
    code, out, warning = run("down", "0004", "--yes")
    assert (code, out) == (0, "The database is at revision 0004.\n")
    first, *lines = warning.splitlines()
    assert first == f"The database {run.place} loses these migrations:"
    titles = [line[:6] for line in lines if line.startswith("  0")]
    above = [number for number in migrate.revisions() if number > "0004"]
    assert titles == [f"  {number}" for number in reversed(above)]
    assert "changes.parent_id" in lines[-1]
    assert run.revision == "0004"

    code, out, warning = run("down", "0001", "--yes")
    assert (code, run.revision) == (0, "0001")
    assert "  tables feeds, idempotency_keys\n" in warning
    assert "  columns ai_tests.cost_derived, changes.audit_id\n" in warning

    code, out, warning = run("down", "base", "--yes")
    assert (code, out) == (0, "The database is at revision none.\n")
    assert "users" in warning.splitlines()[-1]


def test_the_loss_of_every_downgrade_can_be_shown() -> None:
    """Without a database: a `downgrade` that asks one cannot be shown before it runs."""
    known = ("base", *migrate.revisions())
    for place, above in enumerate(known[1:], 1):
        for below in known[:place]:
            loss = migrate.loss(above, below)
            assert len(loss.migrations) == place - known.index(below)
            assert all(len(title) > len("0001 ") for title in loss.migrations)


@pytest.mark.parametrize("target", [HEAD, "0003"])
def test_down_does_not_go_up(run: Run, target: str) -> None:
    if target != HEAD:
        asyncio.run(migrate.downgrade(run.url, "0002"))
    at = run.revision
    expected = f"The database {run.place} is at revision {at}, not above {target}.\n"
    assert run("down", target, "--yes") == (2, "", expected)


@pytest.mark.parametrize(("said", "code", "at"), [("n", 1, HEAD), ("y", 0, "0004")])
async def test_down_asks_at_a_terminal(run: Run, said: str, code: int, at: str) -> None:
    ours, theirs = os.openpty()
    with closing(os.fdopen(ours, "wb", buffering=0)) as terminal:
        process = await run.begun("down", "0004", stdin=theirs)
        os.close(theirs)
        terminal.write(f"{said}\n".encode())
        _, error = await process.communicate()
    assert process.returncode == code
    assert b"changes.parent_id" in error
    assert b"Continue? [y/N]" in error
    assert await migrate.current(run.url) == at


# Revisions of other versions, and other applications.


@pytest.mark.parametrize(
    "command", ["up", "up 0003", "down 0003 --yes", "current", "check", "serve"]
)
def test_a_revision_from_the_future_is_refused(run: Run, command: str) -> None:
    run.execute("update dreamnet_version set version_num = '9999'")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
    code, out, error = run(*command.split(), DREAMNET_PORT=port)
    assert code == 3
    assert error == f"The database {run.place} {migrate.unknown('9999')}\n"
    assert out == ("9999\n" if command == "current" else "")


def test_doctor_finds_a_revision_from_the_future(run: Run) -> None:
    run.execute("update dreamnet_version set version_num = '9999'")
    code, out, _ = run("doctor")
    assert code == 1
    assert f"this version knows 0001 to {HEAD}" in " ".join(out.split())


def test_a_table_of_another_application_is_reported(empty: Run) -> None:
    empty.execute("create table users (id int)")
    code, out, error = empty("up")
    assert (code, out) == (3, "")
    assert error.startswith(f"The database {empty.place} has a relation users in the schema public")
    assert error.count("\n") == 1


def test_the_embedded_database_of_a_later_version(run: Run, tmp_path: Path) -> None:
    with Embedded(tmp_path / ".dreamnet") as url:
        embedded = Run(url, run.capsys, run.monkeypatch)
        assert run("up", DATABASE_URL="")[0] == 0
        embedded.execute("update dreamnet_version set version_num = '9999'")
        for command in ("up", "current", "serve"):
            code, _, error = run(command, DATABASE_URL="", DREAMNET_PORT="1")
            assert (code, error) in (
                (3, f"The database {embedded.place} {migrate.unknown('9999')}\n"),
            )


def test_a_database_that_takes_no_writes_is_not_migrated(run: Run) -> None:
    name = connection_info(run.url).dbname
    run.execute(f'alter database "{name}" set default_transaction_read_only = on')
    sentence = f"The database {run.place} is read-only: point DATABASE_URL at the primary.\n"
    for command in ("up", "down 0004 --yes"):
        assert run(*command.split()) == (3, "", sentence)


# Interruptions.


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
async def test_a_wait_for_another_process_is_interrupted(
    run: Run, database: Database, how: signal.Signals
) -> None:
    async with database.write() as other:
        await other.scalar(select(func.pg_advisory_xact_lock(LOCK)))
        process = await run.begun("up")
        assert process.stderr
        async with patience():
            said = await process.stderr.readline()
        assert said == b"Another process migrates this database; waiting for up to 300 s.\n"
        process.send_signal(how)
        async with patience():
            await process.wait()
        rest = (await process.stderr.read()).decode()
    assert process.returncode == 130
    assert "Traceback" not in rest
    await migrate.upgrade(run.url)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
async def test_a_migration_that_waits_for_readers_is_interrupted(
    run: Run, database: Database, how: signal.Signals
) -> None:
    async with database.write() as reader:
        await reader.execute(text("lock table changes in access share mode"))
        process = await run.begun("down", "0004", "--yes")
        await until(lambda: waits(database))
        process.send_signal(how)
        async with patience():
            _, error = await process.communicate()
    assert process.returncode == 130
    assert b"Traceback" not in error
    assert str(await migrate.current(run.url)) >= "0005"
    await migrate.upgrade(run.url)


async def waits(database: Database) -> bool:
    waiting = text(
        "select count(*) from pg_locks join pg_database on pg_database.oid = database"
        " where datname = current_database() and not granted and relation is not null"
    )
    async with database.read() as session:
        return bool(await session.scalar(waiting))


# Poolers.


@pytest.fixture
async def pooled(run: Run, tmp_path: Path) -> AsyncIterator[Run]:
    """Runs `dreamnet migrate` on this test's database behind a PgBouncer."""
    async with pgbouncer(needed(), run.url, tmp_path) as url:
        yield Run(url, run.capsys, run.monkeypatch)


def test_migrations_are_refused_through_a_pooler(pooled: Run, run: Run) -> None:
    refusal = f"The database {pooled.place} is behind a connection pooler, and is not migrated"
    for command in ("up", "down 0004 --yes"):
        code, out, error = pooled(*command.split())
        assert (code, out) == (3, "")
        assert error == (
            f"{refusal} through it: set DREAMNET_DIRECT_URL to the URL of PostgreSQL itself.\n"
        )
        code, _, error = pooled(*command.split(), DREAMNET_DIRECT_URL=pooled.url)
        assert (code, error) == (
            3,
            f"{refusal} through it: let DREAMNET_DIRECT_URL lead to PostgreSQL itself.\n",
        )
    assert run.revision == HEAD


def test_a_direct_url_goes_past_the_pooler(pooled: Run, run: Run) -> None:
    direct = {"DREAMNET_DIRECT_URL": run.url}
    assert (pooled("down", "0004", "--yes", **direct))[:2] == (
        0,
        "The database is at revision 0004.\n",
    )
    assert (pooled("up", **direct))[0] == 0
    assert (pooled("check"))[:2] == (0, "The tables are as the code declares them.\n")
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
