"""WebSockets below their messages: frames, pings, clients that do not read, and how all leave."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.frames import Frame, Opcode

from db import Database
from gateway.process.configuration import uvicorn_config
from gateway.protocols import slow_clients, websocket
from gateway.settings import Settings
from support.stalled_clients import narrow
from support.stream_client import port, report
from support.wait import patience, until
from support.websocket_client import Client, dialled, greeted, raw, running

pytestmark = pytest.mark.usefixtures("log")

SCHEMA = "{ types { name description fields { name description } } }"
LARGE = f"{{ {' '.join(f'a{number}: __schema {SCHEMA}' for number in range(8))} }}"


@pytest.fixture
def settings() -> Settings:
    return Settings(_env_file=None)


async def news(client: Client) -> str:
    """The kind of the next message that is no heartbeat."""
    kind = "HEARTBEAT"
    while kind == "HEARTBEAT":
        update = await client.hear()
        kind = update["payload"]["data"]["agentHistory"]["kind"]
    return kind


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 65_535, 65_536, 1_000_000])
def test_headers_are_those_of_the_standard(length: int) -> None:
    content = b"x" * length
    whole = Frame(Opcode.TEXT, content).serialize(mask=False)
    assert websocket.header(length) + content == whole


@pytest.mark.parametrize("length", [1, 60, 61, 62, 63, 64, 256])
async def test_messages_around_the_first_boundary(address: str, length: int) -> None:
    async with greeted(address) as client:
        assert await client.answer("x" * length, "{ __typename }") == {
            "data": {"__typename": "Query"}
        }


async def test_large_messages(address: str) -> None:
    async with dialled(address, max_size=None) as client:
        await client.greet()
        answer = await client.answer("1", LARGE)
        assert len(answer["data"]["a7"]["types"]) > 100


async def test_messages_in_fragments_with_pings_between(address: str) -> None:
    async with greeted(address) as client:
        pieces = ['{"type": "pi', 'ng", "pay', "", 'load": {"a": "ü"}}']
        await client.connection.send(pieces)
        assert await client.hear() == {"type": "pong", "payload": {"a": "ü"}}
        async with patience():
            await (await client.connection.ping(b"still there?"))


BROKEN = {
    "no text in UTF-8": (Frame(Opcode.TEXT, b"\xff\xfe"), 1007),
    "half a character": (Frame(Opcode.TEXT, b'{"type":"ping\xc3'), 1007),
    "a continuation of nothing": (Frame(Opcode.CONT, b"x"), 1002),
    "a close code of nobody": (Frame(Opcode.CLOSE, b"\x00\x01"), 1002),
    "a binary message": (Frame(Opcode.BINARY, b"\xff"), 4400),
    "a message of a megabyte": (Frame(Opcode.TEXT, b"x" * 1_000_000), 1009),
}


@pytest.mark.parametrize(("frame", "code"), BROKEN.values(), ids=BROKEN)
async def test_broken_frames_end_the_connection(address: str, frame: Frame, code: int) -> None:
    async with greeted(address) as healthy, raw(address) as (reader, writer):
        writer.write(frame.serialize(mask=True))
        async with patience():
            head = await reader.readexactly(2)
            received = await reader.readexactly(head[1])
        assert (head[0], int.from_bytes(received[:2])) == (0x88, code)
        assert await healthy.is_alive()


@pytest.mark.parametrize(
    "sent", [b"\x81\x05hello", b"\x89\xfe\x00\xff", b"\x8b\x80", b"\x83\x80", b"\x00" * 64]
)
async def test_bytes_that_are_no_frames(address: str, sent: bytes) -> None:
    async with greeted(address) as healthy:
        async with raw(address) as (_, writer):
            writer.write(sent)
        assert await healthy.is_alive()


async def test_a_client_that_hangs_up_without_a_word(address: str, log: list[Any]) -> None:
    async with raw(address) as (_, writer):
        message = b'{"type":"connection_init"}'
        writer.write(Frame(Opcode.TEXT, message).serialize(mask=True))
        writer.transport.abort()
    await until(lambda: any(line["event"] == "socket closed" for line in log))


async def test_a_client_that_answers_no_pings_is_cut_off(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "PING_SECONDS", 0.2)
    async with (
        running(uvicorn_config(settings, database)) as address,
        greeted(address) as healthy,
        raw(address) as (reader, _),
    ):
        async with patience():
            pinged = await reader.read()
        assert (pinged[0], len(pinged)) == (0x89, 6)  # one ping, and nothing more
        assert await healthy.is_alive()


async def test_a_client_that_does_not_read_is_cut_off(
    address: str, log: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slow_clients, "STALLED_SECONDS", 0.5)
    async with greeted(address) as healthy:
        await healthy.follow("s")
        async with dialled(
            address, sock=narrow(port(address)), max_queue=1, close_timeout=0.1
        ) as client:
            await client.greet()
            for number in range(12):
                await client.ask(str(number), LARGE)
            await until(lambda: any(line["event"] == "socket closed" for line in log))
        await report(address, "a", "RUNNING")
        assert await news(healthy) == "UPDATE"


async def test_a_client_that_reads_slowly_gets_everything(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In much more time than it is left alone without taking anything, pings included."""
    monkeypatch.setattr(slow_clients, "STALLED_SECONDS", 4.0)
    monkeypatch.setattr(slow_clients, "LEAST", 1)
    monkeypatch.setattr(websocket, "PING_SECONDS", 4.0)
    async with dialled(address, sock=narrow(port(address)), max_queue=1, max_size=None) as client:
        await client.greet()
        for number in range(12):
            await client.ask(str(number), LARGE)
        completed = 0
        while completed < 12:
            await asyncio.sleep(0.25)  # it has something else to do
            completed += (await client.hear())["type"] == "complete"
        assert await client.is_alive()


async def test_all_are_sent_elsewhere(database: Database, settings: Settings) -> None:
    config = uvicorn_config(settings, database)
    async with running(config) as address, AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(greeted(address)) for _ in range(5)]
        clients.append(await stack.enter_async_context(dialled(address)))
        await clients[0].follow("s")

        streams = config.app.state.streams
        await streams.drain(0.3)

        for client in clients:
            assert await client.close_code() == (1012, "Service restart")
        with pytest.raises(InvalidStatus) as refused:
            async with dialled(address):
                pass
        assert refused.value.response.status_code == 503
        await until(lambda: not streams.open)


async def test_uvicorn_ends_sockets_that_are_left(database: Database, settings: Settings) -> None:
    async with AsyncExitStack() as stack:
        async with running(uvicorn_config(settings, database)) as address:
            client = await stack.enter_async_context(greeted(address))
            await client.follow("s")
        assert (await client.close_code())[0] == 1012
