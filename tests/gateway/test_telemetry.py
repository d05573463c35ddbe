"""The log: one line per request, in one format, without private data."""

import asyncio
import gc
import json
import logging
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx2
import pytest
import structlog
from starlette.applications import Starlette
from structlog.testing import capture_logs

from gateway import log_format
from gateway.middleware import request_log
from gateway.settings import Settings
from support.executors import needs_plans

SECRET = "hunter2plain"  # noqa: S105  not one of anything
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


@needs_plans
@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("{ dreams { nodes { title } } }", None),
        ("{ __schema { queryType { name } } }", "introspection"),
        ('{ dreams(after: "hunter2") { nodes { title } } }', None),
        (f'{{ dreams(search: "{"hunter2" * 100}") {{ nodes {{ title }} }} }}', "invalid arguments"),
    ],
)
async def test_the_line_names_why_an_operation_was_not_planned(
    client: httpx2.AsyncClient, lines: list[Any], query: str, reason: str | None
) -> None:
    await client.post("/graphql", json={"query": query})
    (line,) = [line for line in lines if line["event"] == "request"]
    assert line.get("fallback") == reason


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


async def test_paths_that_are_not_served_are_not_logged(
    client: httpx2.AsyncClient, lines: list[Any]
) -> None:
    await client.get("/reset/hunter2")
    assert [line["path"] for line in lines if line["event"] == "request"] == ["(other)"]


async def test_a_client_that_disconnects(app: Starlette, lines: list[Any]) -> None:
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
    request_log.configure(Settings(_env_file=None, log_format="json"))
    structlog.get_logger().info("ours", answer=42)
    logging.getLogger("library").warning("theirs: %s", "news")
    logging.getLogger("uvicorn.error").info("chatter")
    ours, theirs = map(json.loads, capsys.readouterr().err.splitlines())
    assert ours.pop("timestamp").endswith("Z")
    assert theirs.pop("timestamp").endswith("Z")
    assert ours == {"event": "ours", "answer": 42, "level": "info"}
    assert theirs == {"event": "theirs: %s", "level": "warning", "logger": "library"}


@pytest.mark.usefixtures("_logging")
def test_a_traceback_is_part_of_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    request_log.configure(Settings(_env_file=None, log_format="json"))
    try:
        raise ValueError("hunter2")
    except ValueError:
        structlog.get_logger().exception("failed")
    (line,) = capsys.readouterr().err.splitlines()
    exception = json.loads(line)["exception"]
    assert exception.endswith("\nValueError")
    assert "test_telemetry.py" in exception
    assert "in test_a_traceback_is_part_of_its_line" in exception


async def loses_a_task() -> None:
    async def fail() -> None:
        raise ValueError(SECRET)

    task = asyncio.ensure_future(fail())
    await asyncio.wait([task])
    del task
    gc.collect()


async def fails_in_a_callback() -> None:
    def fail(value: str) -> None:
        raise ValueError(value)

    asyncio.get_running_loop().call_soon(fail, SECRET)
    await asyncio.sleep(0)


async def logs_an_exception() -> None:
    logging.getLogger("strawberry.execution").error(ValueError(SECRET))


async def quotes_in_an_argument() -> None:
    logging.getLogger("library").error("cannot read %r of %s", SECRET, {"value": SECRET})


async def quotes_in_a_message() -> None:
    logging.getLogger("library").error(f"cannot read <{SECRET}>")


async def groups_exceptions() -> None:
    async def fail() -> None:
        raise KeyError(SECRET) from ValueError(SECRET)

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())
    except* KeyError as failed:
        structlog.get_logger().error("failed", error=failed, exc_info=failed)


@pytest.mark.usefixtures("_logging")
@pytest.mark.parametrize("as_json", [True, False], ids=["json", "console"])
@pytest.mark.parametrize(
    ("failing", "shown"),
    [
        (loses_a_task, ["Task exception was never retrieved", "ValueError"]),
        (fails_in_a_callback, ["Exception in callback", "ValueError"]),
        (logs_an_exception, ["ValueError"]),
        (quotes_in_an_argument, ["cannot read %r of %s"]),
        (quotes_in_a_message, ["cannot read"]),
        (groups_exceptions, ["ExceptionGroup", "KeyError", "ValueError"]),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
async def test_no_message_of_an_exception_is_logged(
    failing: Callable[[], Awaitable[None]],
    shown: list[str],
    as_json: bool,
    capsys: pytest.CaptureFixture[str],
) -> None:
    log_format.configure(as_json, "debug")
    await failing()
    logged = capsys.readouterr().err
    assert all(text in logged for text in shown), logged
    assert SECRET not in logged


UNCAUGHT = {
    "an exception": "raise ValueError(secret)",
    "an exception in a thread": "threading.Thread(target=int, args=(secret,)).start()",
    "an exception in a finalizer": "Failing()",
    "a warning": "warnings.warn(secret)",
}


@pytest.mark.parametrize("statement", UNCAUGHT.values(), ids=UNCAUGHT)
def test_uncaught_exceptions_are_logged_without_their_message(statement: str) -> None:
    program = f"""
import sys, threading, warnings
from gateway import log_format
secret = sys.argv[1]
class Failing:
    def __del__(self):
        raise ValueError(secret)
log_format.configure(True, "info")
log_format.guard_process()
{statement}
"""
    command = [sys.executable, "-c", program, SECRET]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    events = [json.loads(line)["event"] for line in ended.stderr.splitlines()]
    assert events in (["uncaught exception"], ["warning"])
    assert SECRET not in ended.stderr


@pytest.mark.usefixtures("_logging")
def test_people_get_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    request_log.configure(Settings(_env_file=None))
    structlog.get_logger().info("ours", answer=42)
    assert capsys.readouterr().err.split()[1:] == ["[info", "]", "ours", "answer=42"]
