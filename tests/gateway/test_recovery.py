"""`make serve`: signals, kills and a second gateway; no row is lost."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest

from db.core.embedded import Embedded
from support.ports import free_port

SAMPLE = Path(__file__).parents[1] / "samples" / "everything.jsonl"
GREETING_LINES = 6
COUNTS = "{ dreams { totalCount } aiTests { totalCount } agents { totalCount } }"


class Gateway:
    """`dreamnet` in processes of its own, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.folder = folder
        self.greeting: list[str] = []
        self.embedded = Embedded(folder / ".dreamnet")
        self.log = folder / "log"

    @contextmanager
    def serving(self) -> Iterator[subprocess.Popen[str]]:
        """A gateway that answers; it is stopped at the end unless something else stopped it."""
        with (
            self.log.open("w") as log,
            subprocess.Popen(
                [sys.executable, "-m", "gateway", "serve"],
                cwd=self.folder,
                env=self._environment(),
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            ) as process,
        ):
            assert process.stdout is not None
            self.greeting = [process.stdout.readline() for _ in range(GREETING_LINES)]
            try:
                yield process
            finally:
                process.terminate()

    def run(self, *arguments: str) -> int:
        """The exit code of another command."""
        command = [sys.executable, "-m", "gateway", *arguments]
        return subprocess.run(command, cwd=self.folder, env=self._environment()).returncode

    def ask(self, query: str) -> Any:
        """The answer to a query."""
        url = f"http://127.0.0.1:{self.port}/graphql"
        return httpx2.post(url, json={"query": query}, timeout=10).json()

    def until_ready(self, killed: int) -> None:
        """Returns when another server runs and is used; gives up after a minute."""
        for _ in range(600):
            replaced = self.embedded.server.pid not in (None, killed)
            if replaced and "data" in self.ask("{ viewer { user { id } } }"):
                return
            time.sleep(0.1)
        raise TimeoutError(self.log.read_text())

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if "DATABASE_URL" not in name}
        return {**kept, "DREAMNET_PORT": str(self.port)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That of all gateways of this module, so that its database is created and migrated once."""
    return tmp_path_factory.mktemp("recovery")


@pytest.fixture
def gateway(folder: Path) -> Iterator[Gateway]:
    gateway = Gateway(folder)
    yield gateway
    assert gateway.embedded.server.pid is None


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_stops_cleanly(gateway: Gateway, how: signal.Signals) -> None:
    with gateway.serving() as process:
        process.send_signal(how)
        assert process.communicate()[0] == "Stopped.\n"
        assert process.returncode == 0


def test_the_startup_message_has_all_urls(gateway: Gateway) -> None:
    with gateway.serving():
        assert gateway.greeting[1:] == [
            f"  GraphQL  http://127.0.0.1:{gateway.port}/graphql\n",
            f"  Console  http://127.0.0.1:{gateway.port}/console\n",
            f"  Health   http://127.0.0.1:{gateway.port}/health\n",
            f"  Data     {gateway.folder}/.dreamnet (embedded PostgreSQL)\n",
            "Ctrl-C stops it.\n",
        ]


def test_rows_outlive_the_gateway_and_the_server(gateway: Gateway) -> None:
    with gateway.serving() as process:
        assert gateway.run("import", str(SAMPLE)) == 0
        counts = gateway.ask(COUNTS)
        server = gateway.embedded.server.pid
        assert server is not None
        process.kill()
        os.kill(server, signal.SIGKILL)
    assert counts["data"]["dreams"]["totalCount"] > 0
    with gateway.serving():
        assert gateway.ask(COUNTS) == counts


def test_serves_again_on_the_server_of_a_killed_gateway(gateway: Gateway) -> None:
    with gateway.serving() as process:
        server = gateway.embedded.server.pid
        process.kill()
    assert gateway.embedded.server.pid == server
    with gateway.serving():
        assert gateway.embedded.server.pid == server


def test_serves_again_when_its_server_is_killed(gateway: Gateway) -> None:
    with gateway.serving():
        assert gateway.run("import", str(SAMPLE)) == 0
        counts = gateway.ask(COUNTS)
        for _ in range(2):
            server = gateway.embedded.server.pid
            assert server is not None
            os.kill(server, signal.SIGKILL)
            gateway.until_ready(server)
            assert gateway.ask(COUNTS) == counts
    assert "the embedded database is running again" in gateway.log.read_text()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_stops_when_its_data_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: str
) -> None:
    monkeypatch.setenv("DREAMNET_WORKERS", workers)
    gateway = Gateway(tmp_path)
    with gateway.serving() as process:
        server = gateway.embedded.server.pid
        shutil.rmtree(gateway.embedded.server.data, ignore_errors=True)
        assert process.wait() == 3
        assert server is not None
        with suppress(ProcessLookupError):  # it would notice by itself within a minute
            os.kill(server, signal.SIGKILL)
    assert "The data of the embedded database in " in gateway.log.read_text()
    assert not (gateway.embedded.server.data / "PG_VERSION").exists()


def test_a_second_gateway_reports_the_used_port(gateway: Gateway) -> None:
    with gateway.serving() as process:
        assert gateway.run("serve") == 4
        assert gateway.ask("{ __typename }") == {"data": {"__typename": "Query"}}
        assert process.poll() is None


def test_invalid_http_gets_json(gateway: Gateway) -> None:
    with gateway.serving(), socket.create_connection(("127.0.0.1", gateway.port)) as connection:
        connection.sendall(
            b"POST /graphql HTTP/1.1\r\nhost: localhost\r\n"
            b"content-length: 1\r\ncontent-length: 2\r\n\r\n{}"
        )
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json")
    assert body.startswith(b'{"errors":[{"message":"Invalid HTTP request received."')
