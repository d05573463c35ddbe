"""Stopping: readiness first, then streams, then requests in progress."""

import asyncio
from typing import Any

import httpx2
import pytest

from db import Database
from gateway.settings import Settings
from support.running_gateway import serving
from support.stalled_clients import load, stalled
from support.stream_client import HISTORY, listening
from support.wait import patience, until

READY = "/api/health/ready"
ID = {"x-request-id": "test"}


def settings(**more: Any) -> Settings:
    """Settings that no variable and no file of the developer's changes."""
    return Settings(_env_file=None, **more)


async def test_requests_are_served_while_draining(database: Database) -> None:
    async with (
        serving(settings(drain_seconds=60), database) as served,
        httpx2.AsyncClient(base_url=served.address, timeout=20) as client,
        patience(),
    ):
        assert (await client.get(READY)).status_code == 200
        stopping = served.stop()
        await until(lambda: served.server.health.stopping)
        ready = await client.get(READY)
        assert ready.status_code == 503
        assert ready.json()["checks"] == {
            "database": True,
            "migrations": True,
            "statements": True,
            "serving": False,
            "writable": True,
        }
        answer = await client.post("/graphql", json={"query": "{ __typename }"})
        assert answer.json() == {"data": {"__typename": "Query"}}
        async with listening(served.address) as stream:
            assert stream.status == 200
        served.server.force_exit = True  # as a second Ctrl-C does
        await stopping


async def test_event_streams_break_off_so_that_clients_come_back(database: Database) -> None:
    async with (
        serving(settings(), database) as served,
        listening(served.address) as events,
        listening(served.address, accept="multipart/mixed") as parts,
    ):
        for stream in (events, parts):
            await stream.chunk()
            await stream.chunk()
        await served.stop()
        assert await events.rest() == b"0\r\n\r\n"
        last = (
            b"\r\ncontent-type: application/json\r\n\r\n"
            b'{"payload":null,"errors":[{"message":"The stream was broken off; subscribe again.",'
            b'"extensions":{"code":"SERVICE_UNAVAILABLE"}}]}\r\n--graphql--\r\n'
        )
        assert await parts.rest() == b"%x\r\n%b\r\n0\r\n\r\n" % (len(last), last)


async def test_no_stream_is_opened_once_they_leave(database: Database) -> None:
    async with (
        serving(settings(spread_seconds=60), database) as served,
        listening(served.address),
        listening(served.address),
        httpx2.AsyncClient(base_url=served.address, timeout=20) as client,
        patience(),
    ):
        stopping = served.stop()
        await until(lambda: served.streams == 1)  # the second one leaves after half the time
        headers = ID | {"accept": "text/event-stream"}
        refused = await client.post("/graphql", json={"query": HISTORY}, headers=headers)
        message = "This gateway is stopping; connect to another one."
        extensions = {
            "code": "SERVICE_UNAVAILABLE",
            "requestId": "test",
            "retryAfterMs": 1000,
        }
        assert refused.json() == {"errors": [{"message": message, "extensions": extensions}]}
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        answer = await client.post("/graphql", json={"query": "{ __typename }"})
        assert answer.json() == {"data": {"__typename": "Query"}}
        served.server.force_exit = True
        await stopping


async def test_a_client_that_does_not_read_does_not_delay_the_stop(
    database: Database, log: list[Any]
) -> None:
    async with serving(settings(), database) as served, stalled(served.port, 5, 5):
        await until(lambda: served.streams == 10)
        async with httpx2.AsyncClient(timeout=20) as client, patience():
            while served.stuck < 10:
                await load(client, f"{served.address}/graphql", 0)
        async with asyncio.timeout(8):
            await served.stop()
        assert (served.streams, served.stuck) == (0, 0)


@pytest.mark.parametrize(
    ("given", "drain", "spread"),
    [
        ({}, 0, 0),
        ({"drain_seconds": 1, "spread_seconds": 2}, 1, 2),
        ({"env": "production", "database_url": "postgresql://a/b"}, 5, 10),
        ({"env": "production", "database_url": "postgresql://a/b", "drain_seconds": 0}, 0, 10),
    ],
)
def test_production_takes_its_time(given: dict[str, Any], drain: int, spread: int) -> None:
    chosen = settings(**given)
    assert (chosen.drain, chosen.spread) == (drain, spread)
