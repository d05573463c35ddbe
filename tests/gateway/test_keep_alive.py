"""Keep-alive: a connection may wait so long for its next request, and no longer."""

import asyncio
import inspect
from collections.abc import Callable
from typing import cast

import pytest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from db import Database
from gateway.process import configuration
from gateway.protocols.keep_alive import KeepAlive
from gateway.settings import Settings
from support.raw_http import connected, request
from support.running_gateway import serving
from support.wait import until

SECONDS = 10.0
QUERY = request(b'{"query": "{ __typename }"}')
HEALTH = request(b"", line="GET /health HTTP/1.1")


class Clock:
    """The clock of an event loop, with one timer."""

    def __init__(self) -> None:
        self.now = 0.0
        self.due: tuple[float, Callable[[], None]] | None = None

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], None]) -> "Clock":
        assert self.due is None
        self.due = when, callback
        return self

    def cancel(self) -> None:
        self.due = None

    def pass_until(self, now: float) -> None:
        while self.due is not None and self.due[0] <= now:
            (self.now, callback), self.due = self.due, None
            callback()
        self.now = now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def closed() -> list[float]:
    """When the connection was closed."""
    return []


@pytest.fixture
def keep_alive(clock: Clock, closed: list[float]) -> KeepAlive:
    loop = cast("asyncio.AbstractEventLoop", clock)
    return KeepAlive(loop, SECONDS, lambda: closed.append(clock.now))


def test_each_pause_between_requests_has_its_time(
    clock: Clock, closed: list[float], keep_alive: KeepAlive
) -> None:
    for began in (0.0, 4.0, 13.0):
        clock.pass_until(began)
        keep_alive.end()
        keep_alive.begin()
    clock.pass_until(60)
    assert closed == [13.0 + SECONDS]


def test_a_request_in_progress_ends_no_connection(
    clock: Clock, closed: list[float], keep_alive: KeepAlive
) -> None:
    keep_alive.begin()
    keep_alive.end()
    clock.pass_until(60)
    assert closed == []
    keep_alive.begin()
    clock.pass_until(100)
    assert closed == [60 + SECONDS]


def test_a_connection_that_was_given_up_has_no_timer(
    clock: Clock, closed: list[float], keep_alive: KeepAlive
) -> None:
    keep_alive.begin()
    keep_alive.stop()
    assert clock.due is None
    clock.pass_until(60)
    assert closed == []


@pytest.mark.parametrize("short_path", ["on", "off"])
async def test_a_connection_that_waits_too_long_is_closed(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch, short_path: str
) -> None:
    monkeypatch.setattr(configuration, "KEEP_ALIVE_SECONDS", 1)
    settings = settings.model_copy(update={"short_path": short_path})
    async with serving(settings, database) as served, connected(served.port) as connection:
        for _ in range(2):
            await connection.send(HEALTH)
            assert (await connection.response()).status == 200
        assert await connection.ends()


def test_uvicorn_has_its_timer_where_this_one_replaces_it() -> None:
    using = {
        name
        for name, member in vars(HttpToolsProtocol).items()
        if inspect.isfunction(member) and "timeout_keep_alive_task" in inspect.getsource(member)
    }
    assert using == {"__init__", "_unset_keepalive_if_required", "on_response_complete"}


@pytest.mark.parametrize("short_path", ["on", "off"])
async def test_a_gateway_that_stops_closes_connections_after_a_response(
    database: Database, settings: Settings, short_path: str
) -> None:
    """A load balancer may send a request in the moment in which an idle connection is closed."""
    settings = settings.model_copy(update={"short_path": short_path, "drain_seconds": 60})
    async with serving(settings, database) as served, connected(served.port) as connection:
        for _ in range(2):
            await connection.send(QUERY)
            assert (await connection.response()).header("connection") is None
        served.stop()
        await until(lambda: served.server.health.stopping)
        await connection.send(QUERY)
        response = await connection.response()
        assert (response.status, response.header("connection")) == (200, "close")
        assert await connection.ends()
        served.server.force_exit = True
