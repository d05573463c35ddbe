"""Attacks with bodies that do not end: they take no room from other callers.

A body is accounted for by what has arrived of it, to the caller that sends it.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx2
import orjson
import pytest

from db import Database
from gateway.protocols import http11
from support.gateways import make_key, production
from support.running_gateway import Served, serving
from support.stream_client import port
from support.wait import patience, until

QUERY = "{ __typename }"
HEAD = b"POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
DECLARED = b"content-length: 1048576\r\n"
CHUNKED = b"transfer-encoding: chunked\r\n"
SIZE = 1024 * 1024 - 1024  # that arrive of each
MANY = 10  # more than one caller has room for
LARGE = {"query": QUERY, "extensions": {"more": "x" * 60_000}}


@asynccontextmanager
async def gateway(database: Database, **more: Any) -> AsyncIterator[tuple[Served, list[str]]]:
    """A gateway, and keys of two members."""
    settings = production(public_read=True, drain_seconds=0, spread_seconds=0, **more)
    keys = [(await make_key(database, settings)).text for _ in range(2)]
    async with serving(settings, database) as served:
        yield served, keys


def authorization(key: str | None) -> dict[str, str]:
    return {} if key is None else {"authorization": f"Bearer {key}"}


async def post(served: Served, key: str | None) -> int:
    """The status of the answer to a large request."""
    async with httpx2.AsyncClient(timeout=30) as client:
        url = f"{served.address}/graphql"
        return (await client.post(url, json=LARGE, headers=authorization(key))).status_code


@asynccontextmanager
async def begun(
    served: Served, key: str | None, framing: bytes, body: bytes
) -> AsyncIterator[asyncio.StreamReader]:
    """A request whose body has begun to arrive."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port(served.address))
    fields = [f"{name}: {value}\r\n".encode() for name, value in authorization(key).items()]
    writer.write(b"".join([HEAD, framing, *fields, b"\r\n", body]))
    await writer.drain()
    try:
        yield reader
    finally:
        writer.close()


def admission(served: Served) -> Any:
    return served.server.config.app.state.admission


@pytest.mark.parametrize("framing", [DECLARED, CHUNKED], ids=["declared", "chunked"])
@pytest.mark.parametrize("is_known", [True, False])
async def test_a_byte_of_a_large_body_takes_no_room(
    database: Database, framing: bytes, is_known: bool
) -> None:
    async with gateway(database) as (served, (mallory, bob)), AsyncExitStack() as open:
        attacker = mallory if is_known else None
        byte = b"1\r\n{\r\n" if framing is CHUNKED else b"{"
        framing = framing if is_known else framing.replace(b"1048576", b"65536")
        for _ in range(50):
            await open.enter_async_context(begun(served, attacker, framing, byte))
        assert [await post(served, key) for key in (bob, None, attacker)] == [200] * 3


async def test_large_bodies_that_do_not_end_leave_room_for_others(database: Database) -> None:
    async with gateway(database) as (served, (mallory, bob)), AsyncExitStack() as open:
        room = admission(served).rooms.known
        size, answers = room.free, []
        for _ in range(MANY):
            body = begun(served, mallory, DECLARED, b"x" * SIZE)
            reader = await open.enter_async_context(body)
            answers.append(asyncio.create_task(reader.readuntil(b"\r\n\r\n")))
        await until(lambda: any(answer.done() for answer in answers))
        refused = next(answer for answer in answers if answer.done())
        assert refused.result()[9:12] == b"429"
        assert room.free >= size // 2
        assert [await post(served, key) for key in (bob, None)] == [200] * 2
        for answer in answers:
            answer.cancel()
    assert (room.free, dict(room.held)) == (size, {})


async def test_anonymous_networks_leave_room_for_others(database: Database) -> None:
    """Also when they come from many networks, as one with IPv6 can."""
    async with gateway(database) as (served, (_, bob)), AsyncExitStack() as open:
        room = admission(served).rooms.anonymous
        for number in range(200):
            framing = DECLARED.replace(b"1048576", b"65536")
            framing += b"x-forwarded-for: 2001:db8:0:%x::1\r\n" % number
            await open.enter_async_context(begun(served, None, framing, b"x" * 65_000))
        await until(lambda: room.free < 200_000)
        assert await post(served, bob) == 200


async def test_a_slow_body_is_given_up(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http11, "BODY_SECONDS", 0.2)
    async with gateway(database) as (served, (mallory, _)):
        async with patience(), begun(served, mallory, DECLARED, b"x" * 10_000) as reader:
            head = await reader.readuntil(b"\r\n\r\n")
            error = orjson.loads(await reader.read())["errors"][0]
        assert (head[9:12], error["message"]) == (b"408", http11.LATE)
        await until(lambda: not admission(served).rooms.known.held)


async def test_a_body_that_arrives_gets_more_time(database: Database) -> None:
    async with gateway(database) as (served, (bob, _)):
        framing = b"expect: 100-continue\r\n" + DECLARED
        async with begun(served, bob, framing, b"") as reader:
            await reader.readuntil(b"100 Continue\r\n\r\n")
            (connection,) = served.server.server_state.connections
            before: Any = connection.until  # type: ignore[union-attr]  # it is a Protocol
            connection.data_received(b"x" * 2 * http11.BODY_RATE)
            assert connection.until == before + 2
