"""The embedded server survives everything that may happen to it or to the processes using it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from db.core.embedded import Embedded, EmbeddedFailed
from db.core.embedded.server import LONGEST_SOCKET

QUICK = {"fsync": "off"}

USER = """
import sys
from pathlib import Path
from db.core.embedded import Embedded

with Embedded(Path(sys.argv[1]), {"fsync": "off"}):
    print("ready", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Embedded]:
    server = Embedded(tmp_path / "folder", QUICK)
    yield server
    server.stop()


@contextmanager
def another_process(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that uses the folder's server until its standard input ends."""
    command = [sys.executable, "-c", USER, str(folder)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.communicate()


def write(embedded: Embedded) -> None:
    embedded.server.query("create table kept (value int); insert into kept values (42)")


def kept(embedded: Embedded) -> str:
    return embedded.server.query("select value from kept").strip()


def running(embedded: Embedded) -> int:
    pid = embedded.server.pid
    assert pid is not None
    return pid


def test_keeps_data_over_a_restart(embedded: Embedded) -> None:
    url = embedded.start()
    write(embedded)
    embedded.stop()
    assert embedded.server.pid is None
    assert embedded.start() == url
    assert kept(embedded) == "42"


def test_a_dropped_database_is_created_again(embedded: Embedded) -> None:
    embedded.start()
    embedded.server.query("drop database dreamnet")
    embedded.stop()
    embedded.start()
    assert embedded.server.query("select 1 from pg_database where datname = 'dreamnet'")


def test_the_server_listens_on_a_private_socket_only(embedded: Embedded) -> None:
    embedded.start()
    assert embedded.server.query("show listen_addresses").strip() == ""
    assert embedded.folder.stat().st_mode & 0o077 == 0


def test_starts_after_the_server_was_killed(embedded: Embedded) -> None:
    embedded.start()
    write(embedded)
    embedded.server.query("checkpoint")
    os.kill(running(embedded), signal.SIGKILL)
    embedded.start()
    assert kept(embedded) == "42"


def test_starts_although_the_killed_server_is_a_zombie(embedded: Embedded) -> None:
    with another_process(embedded.folder):
        embedded.start()
        write(embedded)
        killed = running(embedded)
        os.kill(killed, signal.SIGKILL)
        embedded.start()
        assert Path(f"/proc/{killed}/stat").read_text().split()[2] == "Z"
        assert kept(embedded) == "42"


def test_uses_the_server_of_a_killed_process_and_stops_it(embedded: Embedded) -> None:
    with another_process(embedded.folder) as owner:
        left_behind = running(embedded)
        owner.kill()
    embedded.start()
    assert embedded.server.pid == left_behind
    embedded.stop()
    assert embedded.server.pid is None


def test_the_last_one_out_stops_the_server(embedded: Embedded) -> None:
    with another_process(embedded.folder):
        embedded.start()
        shared = running(embedded)
        embedded.stop()
        assert embedded.server.pid == shared
    assert embedded.server.pid is None


def test_stays_for_a_guest_when_its_owner_leaves(embedded: Embedded) -> None:
    with another_process(embedded.folder):
        embedded.start()
        shared = running(embedded)
    assert embedded.server.pid == shared


def test_a_stale_record_is_recognised(embedded: Embedded) -> None:
    embedded.start()
    write(embedded)
    embedded.stop()
    record = embedded.server.data / "postmaster.pid"
    record.write_text(f"{os.getpid()}\n{embedded.server.data}\n0\n5432\n{embedded.folder}\n\n")
    embedded.start()
    assert kept(embedded) == "42"


def test_forgets_an_unfinished_data_folder(embedded: Embedded) -> None:
    unfinished = embedded.folder / "data.new"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")
    embedded.start()
    assert not unfinished.exists()


def test_works_in_a_folder_whose_path_is_too_long_for_a_socket(tmp_path: Path) -> None:
    folder = tmp_path / ("deep" * 25)
    assert len(os.fsencode(folder)) > LONGEST_SOCKET
    embedded = Embedded(folder, QUICK)
    embedded.start()
    sockets = Path(embedded.server.sockets)
    assert sockets.stat().st_mode & 0o077 == 0
    embedded.stop()
    assert not sockets.exists()


def test_a_failed_start_is_explained(tmp_path: Path) -> None:
    embedded = Embedded(tmp_path / "folder", {"max_connections": "many"})
    with pytest.raises(EmbeddedFailed, match='invalid value for parameter "max_connections"'):
        embedded.start()
    assert embedded.server.pid is None


def test_a_file_as_data_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EmbeddedFailed, match="is not usable"):
        Embedded(tmp_path / "file").start()
