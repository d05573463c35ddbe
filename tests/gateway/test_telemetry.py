"""The log: one line per request, in one form, without what users keep to themselves."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
import structlog
from starlette.applications import Starlette
from structlog.testing import capture_logs

from gateway import telemetry
from gateway.settings import Settings

SEARCH = 'query Search($words: String) { dreams(search: $words) { nodes { title } } } # "psst"'


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    """What is logged, with the details of the request."""
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as captured:
        yield captured


@pytest.fixture
def _logging() -> Iterator[None]:
    """Puts back what `configure` changes."""
    handlers, level = logging.root.handlers, logging.root.level
    yield
    logging.root.handlers, logging.root.level = handlers, level
    structlog.reset_defaults()


async def test_one_line_per_request(client: httpx2.AsyncClient, lines: list[Any]) -> None:
    body = {"query": SEARCH, "variables": {"words": "hunter2"}}
    response = await client.post("/graphql", json=body)
    (line,) = [line for line in lines if line["event"] == "request"]
    assert line.pop("duration_ms") > 0
    assert line == {
        "event": "request",
        "log_level": "info",
        "method": "POST",
        "path": "/graphql",
        "status": 200,
        "operation": "Search",
        "kind": "query",
        "request_id": response.headers["x-request-id"],
    }


async def test_a_request_without_operation(client: httpx2.AsyncClient, lines: list[Any]) -> None:
    await client.get("/livez?token=hunter2")
    (line,) = [line for line in lines if line["event"] == "request"]
    assert set(line) == {
        *("event", "log_level", "method", "path", "status", "duration_ms", "request_id")
    }
    assert line["path"] == "/livez"


@pytest.mark.parametrize("given", ["abc-1.2_X", "x" * 64])
async def test_a_sane_request_id_is_kept(client: httpx2.AsyncClient, given: str) -> None:
    response = await client.get("/livez", headers={"x-request-id": given})
    assert response.headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", "a\tb", "<script>"])
async def test_any_other_is_replaced(client: httpx2.AsyncClient, given: str) -> None:
    response = await client.get("/livez", headers={"x-request-id": given})
    assert len(response.headers["x-request-id"]) == 32


async def test_a_caller_who_hangs_up(app: Starlette, lines: list[Any]) -> None:
    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        raise AssertionError(message)

    headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/graphql", "query_string": b""}
    await app({**scope, "headers": headers}, receive, send)
    assert [(line["event"], line["status"]) for line in lines] == [("request", 499)]


@pytest.mark.usefixtures("_logging")
def test_lines_of_libraries_have_the_same_form(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.configure(Settings(_env_file=None, log_format="json"))
    structlog.get_logger().info("ours", answer=42)
    logging.getLogger("library").warning("theirs: %s", "news")
    logging.getLogger("uvicorn.error").info("chatter")
    ours, theirs = map(json.loads, capsys.readouterr().err.splitlines())
    assert ours.pop("timestamp").endswith("Z")
    assert theirs.pop("timestamp").endswith("Z")
    assert ours == {"event": "ours", "answer": 42, "level": "info"}
    assert theirs == {"event": "theirs: news", "level": "warning"}


@pytest.mark.usefixtures("_logging")
def test_a_traceback_is_part_of_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.configure(Settings(_env_file=None, log_format="json"))
    try:
        raise ValueError("too bad")
    except ValueError:
        structlog.get_logger().exception("failed")
    (line,) = capsys.readouterr().err.splitlines()
    assert "ValueError: too bad" in json.loads(line)["exception"]


@pytest.mark.usefixtures("_logging")
def test_people_get_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.configure(Settings(_env_file=None))
    structlog.get_logger().info("ours", answer=42)
    assert capsys.readouterr().err.split()[1:] == ["[info", "]", "ours", "answer=42"]
