"""Commands: `dreamnet` run in the process of a test."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.cli.main import main
from gateway.settings import Settings

Dreamnet = Callable[..., int]


@contextmanager
def commands(
    monkeypatch: pytest.MonkeyPatch, folder: Path, *group: str, **variables: str
) -> Iterator[Dreamnet]:
    """`dreamnet("migrate", "up", DATABASE_URL=...)` runs a command in a folder, with these
    variables only, and returns its exit code. `group` precedes its arguments."""
    before = signal.getsignal(signal.SIGTERM)
    isolate(monkeypatch, folder)
    _set(monkeypatch, variables)

    def run(*arguments: str, **more: str) -> int:
        monkeypatch.setattr("sys.argv", ["dreamnet", *group, *arguments])
        _set(monkeypatch, more)
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0)

    yield run
    signal.signal(signal.SIGTERM, before)


def isolate(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Work in a folder, without any variable of the gateway, for a wide terminal."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "200")
    for name in Settings.model_fields:
        monkeypatch.delenv(Settings.variable(name), raising=False)


def _set(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
