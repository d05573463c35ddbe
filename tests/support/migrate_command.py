"""Migrate command: `dreamnet migrate` in the process of a test, or in its own."""

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process

import pytest

from db.core.connections.url import connection_info
from db.core.schema import migrate
from gateway.cli.main import main
from support import databases

Capture = pytest.CaptureFixture[str]


class Run:
    """`dreamnet migrate` on a database, or another command, in this process or in its own."""

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
        """The exit code, standard output and standard error."""
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
        asyncio.run(databases.execute(self.url, statement))


def _command(*arguments: str) -> list[str]:
    commands = [] if arguments[0] in ("serve", "doctor") else ["migrate"]
    return [sys.executable, "-m", "gateway", *commands, *arguments]
