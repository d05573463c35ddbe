"""The embedded server is started again when it dies, on its data and no other, and not for ever."""

import os
import shutil
import signal
import sys
import threading
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from db.core.embedded import Embedded, Supervisor, supervisor as subject
from db.core.embedded.server import Server

QUICK = {"fsync": "off"}
WAIT_SECONDS = 60
Usage = namedtuple("Usage", ["total", "used", "free"])


@pytest.fixture(params=["folder", "deep" * 25], ids=["short", "too long for a socket"])
def embedded(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Embedded]:
    server = Embedded(tmp_path / request.param, QUICK)
    server.start()
    yield server
    server.stop()


class Watched:
    """A supervisor, and what it says."""

    def __init__(self, embedded: Embedded) -> None:
        self.server = embedded.server
        self.gave_up = threading.Event()
        self.supervisor = Supervisor(Embedded(embedded.folder, QUICK), self.gave_up.set)

    def kill(self) -> None:
        pid = self.server.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)

    def until_it_runs(self) -> None:
        for _ in range(WAIT_SECONDS * 20):
            if self.gave_up.wait(0.05) or self.server._answers():
                return
        raise TimeoutError


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(subject, "LONGEST_PAUSE", 0.05)


def events(logs: list[Any]) -> list[str]:
    return [line["event"] for line in logs]


def test_a_killed_server_runs_again_at_the_same_address(embedded: Embedded) -> None:
    embedded.server.query("create table kept (value int); insert into kept values (42)")
    embedded.server.query("checkpoint")
    place, killed = embedded.server.sockets, embedded.server.pid
    watched = Watched(embedded)
    with capture_logs() as logs, watched.supervisor:
        watched.kill()
        watched.until_it_runs()
        assert embedded.server.query("select value from kept").strip() == "42"
    assert embedded.server.sockets == place
    assert embedded.server.pid not in (None, killed)
    assert watched.supervisor.failure is None
    assert events(logs) == [
        "the embedded database died and is being restarted",
        "the embedded database is running again",
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no syncfs")
def test_recovery_syncs_the_disk_at_once(embedded: Embedded) -> None:
    """File by file it takes several seconds with the partitions of some years."""
    shown = embedded.server.query("show recovery_init_sync_method")
    assert shown.strip() == "syncfs"


def test_a_server_that_dies_again_and_again_is_given_up(
    embedded: Embedded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "MAX_STARTS", 2)
    watched = Watched(embedded)
    with watched.supervisor:
        for _ in range(10):  # a server that is killed while it starts is the same start
            watched.kill()
            watched.until_it_runs()
            if watched.gave_up.is_set():
                break
        assert watched.gave_up.is_set()
    assert "was restarted 2 times and failed each time" in str(watched.supervisor.failure)
    assert str(embedded.server.log) in str(watched.supervisor.failure)


def test_a_server_that_has_run_for_a_while_may_die_again(
    embedded: Embedded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "MAX_STARTS", 1)
    monkeypatch.setattr(subject, "STABLE_SECONDS", 0)
    watched = Watched(embedded)
    with watched.supervisor:
        for _ in range(2):
            watched.kill()
            watched.until_it_runs()
            assert embedded.server.query("select 1").strip() == "1"
            while watched.supervisor._starts:
                assert not watched.gave_up.wait(0.01)
    assert watched.supervisor.failure is None


def test_no_new_database_takes_the_place_of_one_that_is_gone(embedded: Embedded) -> None:
    watched = Watched(embedded)
    with watched.supervisor:
        watched.kill()
        shutil.rmtree(embedded.server.data, ignore_errors=True)
        assert watched.gave_up.wait(WAIT_SECONDS)
    assert "is missing. Restore it" in str(watched.supervisor.failure)
    assert not (embedded.server.data / "PG_VERSION").exists()
    shutil.rmtree(embedded.folder)


def test_a_full_disk_is_said_once(embedded: Embedded, monkeypatch: pytest.MonkeyPatch) -> None:
    free = [0]
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(1, 1, free[0]))
    watched = Watched(embedded)
    with capture_logs() as logs, watched.supervisor:
        while not logs:
            assert not watched.gave_up.wait(0.01)
        monkeypatch.setattr(Server, "_launch", lambda _: 0)
        monkeypatch.setattr("db.core.embedded.server.LINGER_SECONDS", 0.1)
        monkeypatch.setattr("db.core.embedded.server.START_SECONDS", 0.1)
        watched.kill()
        assert watched.gave_up.wait(WAIT_SECONDS)
    assert events(logs)[0] == "the disk of the embedded database is full"
    assert events(logs).count("the disk of the embedded database is full") == 1
    assert "is on a full disk: 0 bytes are free" in str(watched.supervisor.failure)
