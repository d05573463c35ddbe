"""Fixtures of `dreamnet migrate`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.commands import commands
from support.migrate_command import Capture, Run


@pytest.fixture
def run(
    database_url: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Run]:
    """Runs `dreamnet migrate` on this test's database."""
    with commands(monkeypatch, tmp_path):
        yield Run(database_url, capsys, monkeypatch)


@pytest.fixture
def empty(empty_url: str, run: Run) -> Run:
    """The same on a database to which no migration was applied."""
    return Run(empty_url, run.capsys, run.monkeypatch)
