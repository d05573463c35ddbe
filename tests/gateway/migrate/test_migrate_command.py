"""`dreamnet migrate`: what it refuses, and what it warns of."""

import asyncio
import os
from contextlib import closing
from pathlib import Path

import pytest

from db.core.connections.url import connection_info
from db.core.embedded import Embedded
from db.core.schema import migrate, revisions
from support.migrate_command import Run
from support.ports import free_port

HEAD = revisions.head()


def test_down_needs_a_yes(run: Run) -> None:
    sentence = "Migrating down drops tables and columns with their data: confirm with --yes.\n"
    for target in ("0004", "base"):
        assert run("down", target) == (2, "", sentence)
    assert run.revision == HEAD


def test_down_to_any_revision_shows_the_loss(run: Run) -> None:
    code, out, warning = run("down", "0004", "--yes")
    assert (code, out) == (0, "The database is at revision 0004.\n")
    first, *lines = warning.splitlines()
    assert first == f"The database {run.place} loses these migrations:"
    titles = [line[:6] for line in lines if line.startswith("  0")]
    above = [number for number in revisions.revisions() if number > "0004"]
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
    known = ("base", *revisions.revisions())
    for place, above in enumerate(known[1:], 1):
        for below in {known[0], known[place // 2], known[place - 1]}:
            loss = migrate.loss(above, below)
            assert len(loss.migrations) == place - known.index(below)
            assert all(len(title) > len("0001 ") for title in loss.migrations)


def test_an_empty_name_is_no_revision(run: Run) -> None:
    code, _, error = run("up", "")
    assert (code, error.startswith("There is no revision")) == (2, True)


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


@pytest.mark.parametrize(
    "command", ["up", "up 0003", "down 0003 --yes", "current", "check", "serve"]
)
def test_a_revision_from_the_future_is_refused(run: Run, command: str) -> None:
    run.execute("update dreamnet_version set version_num = '9999'")
    port = str(free_port())
    code, out, error = run(*command.split(), DREAMNET_PORT=port)
    assert code == 3
    assert error == f"The database {run.place} {revisions.unknown('9999')}\n"
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
                (3, f"The database {embedded.place} {revisions.unknown('9999')}\n"),
            )


def test_a_database_that_takes_no_writes_is_not_migrated(run: Run) -> None:
    name = connection_info(run.url).dbname
    run.execute(f'alter database "{name}" set default_transaction_read_only = on')
    sentence = f"The database {run.place} is read-only: point DATABASE_URL at the primary.\n"
    for command in ("up", "down 0004 --yes"):
        assert run(*command.split()) == (3, "", sentence)
