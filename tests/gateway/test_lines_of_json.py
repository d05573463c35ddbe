"""Lines of JSON: in that form of the log `dreamnet serve` writes nothing else."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import httpx2
import orjson
import pytest

from support.ports import free_port

UNREACHABLE = "postgresql://dreamnet:hunter2@127.0.0.1:1/dreamnet"
CANNOT = "the gateway cannot serve"


def environment(**more: str) -> dict[str, str]:
    """That of a production gateway on a port that nobody listens on."""
    port = free_port()
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DREAMNET_", "PG")) and name != "DATABASE_URL"
    }
    own = {
        "DREAMNET_ENV": "production",
        "DREAMNET_KEY_PEPPER": "p" * 32,
        "DREAMNET_PORT": str(port),
        "DREAMNET_DRAIN_SECONDS": "0",
        "DREAMNET_SPREAD_SECONDS": "0",
    }
    return kept | own | more


COMMAND = [sys.executable, "-W", "always", "-m", "gateway", "serve"]


@contextmanager
def serving(folder: Path, **more: str) -> Iterator[tuple[dict[str, Any], "Output"]]:
    """The first line of a gateway that answers, and all others once it has stopped."""
    output = Output()
    with subprocess.Popen(
        COMMAND,
        cwd=folder,
        env=environment(**more),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        try:
            yield orjson.loads(first), output
        finally:
            process.send_signal(signal.SIGTERM)
            out, error = process.communicate()
            output.out, output.error = lines(out), lines(error)
            output.code = process.returncode


class Output:
    """What a process has written, and its exit code."""

    out: list[dict[str, Any]]
    error: list[dict[str, Any]]
    code: int


def lines(written: bytes) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in written.splitlines()]


def send_nonsense(url: str) -> None:
    address = httpx2.URL(url)
    with socket.create_connection((address.host, address.port or 80)) as connection:
        connection.sendall(b"NONSENSE\r\n\r\n")
        stream: IO[bytes] = connection.makefile("rb")
        stream.read()


def test_nothing_but_json_is_written(tmp_path: Path, database_url: str) -> None:
    with serving(tmp_path, DATABASE_URL=database_url) as (greeting, output):
        assert greeting["event"] == "serving"
        assert greeting["env"] == "production"
        with httpx2.Client(timeout=20) as client:
            assert client.get(greeting["health"]).status_code == 200
            for body in (b"{", b'{"query": "{ nothing }"}', b'{"query": "{ viewer { role } }"}'):
                named = {"content-type": "application/json"}
                assert client.post(greeting["graphql"], content=body, headers=named).is_error
        send_nonsense(greeting["health"])
    assert output.code == 0
    assert [line["event"] for line in output.out] == ["stopped"]
    assert {line["event"] for line in output.error} >= {
        "request",
        "first start: the administrator's API key is in a file",
    }
    assert all({"event", "level", "timestamp"} <= line.keys() for line in output.error)


def test_the_startup_message_of_a_closed_development_gateway_opens_the_console(
    tmp_path: Path,
) -> None:
    form = {"DREAMNET_LOG_FORMAT": "json", "DREAMNET_DEV_OPEN": "false"}
    with serving(tmp_path, DREAMNET_ENV="development", **form) as (greeting, output):
        address, _, token = greeting["console"].partition("?token=")
        with httpx2.Client(base_url=address.removesuffix("/console"), timeout=20) as client:
            assert client.post("/session", json={"token": token}).status_code == 204
    assert not [line for line in output.error if token in str(line)]


@pytest.mark.parametrize(
    ("settings", "code", "reason"),
    [
        (
            {},
            2,
            "DREAMNET_ENV=production needs DATABASE_URL: the embedded database is for development.",
        ),
        ({"DATABASE_URL": UNREACHABLE}, 3, "The database at 127.0.0.1:1/dreamnet cannot be"),
        ({"DATABASE_URL": UNREACHABLE, "DREAMNET_HOST": "192.0.2.1"}, 4, "Cannot listen on 192"),
        ({"DATABASE_URL": UNREACHABLE, "DREAMNET_KEY_PEPPER": ""}, 2, "DREAMNET_ENV=production"),
        ({"DREAMNET_LOG_FORMAT": "json", "DREAMNET_PORT": "x"}, 2, "DREAMNET_PORT is invalid"),
    ],
)
def test_a_failed_start_is_logged_as_json(
    tmp_path: Path, settings: dict[str, str], code: int, reason: str
) -> None:
    done = subprocess.run(
        COMMAND, cwd=tmp_path, env=environment(**settings), capture_output=True, check=False
    )
    (line,) = lines(done.stderr)
    assert (done.returncode, done.stdout) == (code, b"")
    assert (line["event"], line["level"], line["exit_code"]) == (CANNOT, "critical", code)
    assert line["reason"].startswith(reason)
    assert "hunter2" not in str(line)


def test_people_get_a_sentence(tmp_path: Path) -> None:
    settings = {"DATABASE_URL": UNREACHABLE, "DREAMNET_LOG_FORMAT": "console"}
    done = subprocess.run(
        COMMAND, cwd=tmp_path, env=environment(**settings), capture_output=True, check=False
    )
    assert done.returncode == 3
    assert done.stderr.startswith(b"The database at 127.0.0.1:1/dreamnet cannot be reached: ")
