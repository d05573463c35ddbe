"""The command line: what it prints, and its exit codes."""

import socket
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from db.core.schema import revisions
from support.commands import Dreamnet


@pytest.mark.parametrize(
    "command", ["", "serve", "import", "schema", "doctor", "migrate", "migrate up", "migrate down"]
)
def test_help_is_complete(
    dreamnet: Dreamnet, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert dreamnet(*command.split(), "--help") == 0
    printed = capsys.readouterr().out
    assert "Usage: dreamnet" in printed
    assert "0 success" in printed


def test_a_port_that_is_taken(dreamnet: Dreamnet, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert dreamnet("serve", DREAMNET_PORT=str(port)) == 4
    assert capsys.readouterr().err == (
        f"Cannot listen on 127.0.0.1 port {port}: another program uses it; stop that program, or "
        "set DREAMNET_PORT.\n"
    )


def test_migrations_up_and_down(
    dreamnet: Dreamnet, capsys: pytest.CaptureFixture[str], empty_url: str
) -> None:
    assert dreamnet("migrate", "current", DATABASE_URL=empty_url) == 1
    assert dreamnet("migrate", "up") == 0
    assert dreamnet("migrate", "current") == 0
    assert dreamnet("migrate", "check") == 0
    assert dreamnet("migrate", "down", "base", "--yes") == 0
    assert dreamnet("migrate", "check") == 1
    head = revisions.head()
    assert capsys.readouterr().out.splitlines()[:5] == [
        "none",
        f"The database is at revision {head}.",
        str(head),
        "The tables match the code.",
        "The database is at revision none.",
    ]


def test_a_revision_that_does_not_exist(
    dreamnet: Dreamnet, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dreamnet("migrate", "up", "9999") == 2
    assert capsys.readouterr().err == (
        f"There is no revision 9999: there are 0001 to {revisions.head()}.\n"
    )


def test_schema(dreamnet: Dreamnet, capsys: pytest.CaptureFixture[str]) -> None:
    assert dreamnet("schema") == 0
    printed = capsys.readouterr().out
    assert "type Query {" in printed
    assert dreamnet("schema", "--write", "schema.graphql") == 0
    assert Path("schema.graphql").read_text() == printed
    assert dreamnet("schema", "--check", "schema.graphql") == 0
    Path("schema.graphql").write_text(printed + "type Other { a: Int }\n")
    assert dreamnet("schema", "--check", "schema.graphql") == 1
    assert dreamnet("schema", "--check", "missing.graphql") == 1


def test_the_version(dreamnet: Dreamnet, capsys: pytest.CaptureFixture[str]) -> None:
    assert dreamnet("--version") == 0
    assert capsys.readouterr().out == f"dreamnet {version('dreamnet-gateway')}\n"


def test_commands_start_without_graphql() -> None:
    script = "import sys, gateway.cli.main; print(*{'graphql', 'strawberry'} & sys.modules.keys())"

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert done.stdout == "\n"
