"""Attacks with WebSocket frames that are no messages: they are counted, and end the connection."""

from collections.abc import AsyncIterator

import pytest
from websockets.frames import Frame, Opcode

from db import Database
from gateway.protocols.websocket import FRAMES_AT_ONCE, SLICE
from support.attack_target import RICH
from support.gateways import production
from support.wait import patience
from support.websocket_client import dialled, raw, serving

COUNT = 40_000
BEGUN = Frame(Opcode.TEXT, b"{", fin=False).serialize(mask=True)
PING = Frame(Opcode.PING, b"").serialize(mask=True)
SHORTEST = len(PING)
FLOODS = {
    "pings": (b"", PING),
    "pongs": (b"", Frame(Opcode.PONG, b"").serialize(mask=True)),
    "fragments": (BEGUN, Frame(Opcode.CONT, b" ", fin=False).serialize(mask=True)),
    "empty fragments": (BEGUN, Frame(Opcode.CONT, b"", fin=False).serialize(mask=True)),
    "messages": (b"", Frame(Opcode.TEXT, b"").serialize(mask=True)),
}


@pytest.fixture
async def address(database: Database) -> AsyncIterator[str]:
    settings = production(drain_seconds=0, spread_seconds=0, public_read=True, **RICH)
    async with serving(settings, database) as address:
        yield address


PONG = b"\x8a\x00"


@pytest.mark.parametrize("kind", FLOODS)
async def test_a_flood_of_frames_ends_the_connection(address: str, kind: str) -> None:
    first, frame = FLOODS[kind]
    async with patience(), raw(address) as (reader, writer):
        writer.write(first + frame * COUNT)
        received = b""
        try:
            while part := await reader.read(65_536):
                received += part
        except ConnectionError:
            pass
    pongs = received.count(PONG)
    assert pongs <= FRAMES_AT_ONCE + SLICE / SHORTEST
    assert len(received) < 10_000
    reason = received.replace(
        PONG, b""
    )  # a flood may break the connection before the reason arrives
    assert reason.endswith((b"Too many messages", b"Invalid message: not JSON")) or not reason
    async with dialled(address) as other:
        await other.greet()


async def test_a_message_may_come_in_many_fragments(address: str) -> None:
    text = b'{"type": "connection_init", "payload": {"a": "%b"}}' % (b"x" * 100_000)
    parts = [text[at : at + 1_000] for at in range(0, len(text), 1_000)]
    frames = [Frame(Opcode.TEXT, parts[0], fin=False).serialize(mask=True)]
    frames += [Frame(Opcode.CONT, part, fin=False).serialize(mask=True) for part in parts[1:-1]]
    frames += [Frame(Opcode.CONT, parts[-1]).serialize(mask=True)]
    async with patience(), raw(address) as (reader, writer):
        writer.write(b"".join(frames))
        assert await reader.readexactly(2 + 25) == b'\x81\x19{"type":"connection_ack"}'
