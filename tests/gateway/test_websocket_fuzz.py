"""WebSockets fuzzed: with any frames, each socket continues or ends with a close frame, nothing
fails inside, and other subscribers receive everything."""

import asyncio
import json
import os
import struct
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings, strategies as st
from websockets.frames import Frame, Opcode

from support.stream_client import HISTORY, report
from support.wait import patience
from support.websocket_client import Client, greeted, raw

pytestmark = pytest.mark.usefixtures("log")

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "300"))
CODES = {1000, 1001, 1002, 1003, 1007, 1009, 1013, 4400, 4401, 4403, 4409, 4429}
MARKER = {"marker": "the last thing said"}

TYPES = ["connection_init", "subscribe", "complete", "ping", "pong", "next", "error", "start", ""]
DOCUMENTS = ["{ viewer { role } }", HISTORY, "{ nothing }", "{", "", "subscription { a b }", "\0"]

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()  # NaN and Infinity are no JSON, but are sent
    | st.text(max_size=20)
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
payloads = st.fixed_dictionaries(
    {},
    optional={
        "query": st.sampled_from(DOCUMENTS) | values,
        "variables": values,
        "operationName": values,
        "extensions": values,
        "authorization": values,
        "headers": values,
    },
)
messages = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(TYPES) | values,
        "id": st.sampled_from(["1", "2", ""]) | values,
        "payload": payloads | values,
    },
)
texts = st.one_of(
    messages.map(json.dumps),
    messages.map(lambda message: json.dumps(message, ensure_ascii=False)),
    values.map(json.dumps),
    st.text(max_size=50),
    st.integers(1, 3000).map(lambda depth: "[" * depth + "]" * depth),
    st.integers(1, 3000).map(lambda depth: '{"a":' * depth + "1" + "}" * depth),
    st.integers(300, 5000).map(lambda digits: "9" * digits),
).map(lambda text: text.encode(errors="surrogatepass"))


def framed(opcode: Opcode, content: bytes, fin: bool = True) -> bytes:
    return Frame(opcode, content, fin).serialize(mask=True)


def fragmented(content: bytes, cut: int) -> bytes:
    cut = min(cut, len(content))
    first = framed(Opcode.TEXT, content[:cut], fin=False)
    return first + framed(Opcode.CONT, content[cut:])


GREETING = framed(Opcode.TEXT, b'{"type": "connection_init"}')
GOODBYE = framed(Opcode.TEXT, json.dumps({"type": "ping", "payload": MARKER}).encode())
FILLER = GOODBYE * 2000  # more than a message may have

wild = st.one_of(
    texts.map(lambda text: framed(Opcode.TEXT, text)),
    st.builds(fragmented, texts, st.integers(0, 60)),
    st.builds(framed, st.just(Opcode.TEXT), st.binary(max_size=30), st.booleans()),
    st.builds(framed, st.just(Opcode.BINARY), st.binary(max_size=30)),
    st.builds(framed, st.just(Opcode.CONT), st.binary(max_size=30), st.booleans()),
    st.builds(framed, st.sampled_from([Opcode.PING, Opcode.PONG]), st.binary(max_size=125)),
    st.sampled_from([0, 999, 1000, 1001, 1005, 4400, 5000]).map(
        lambda code: framed(Opcode.CLOSE, struct.pack("!H", code))
    ),
    st.binary(min_size=1, max_size=20),  # no frame at all
)
sensible = st.one_of(
    st.fixed_dictionaries(
        {
            "type": st.just("subscribe"),
            "id": st.sampled_from("123"),
            "payload": st.fixed_dictionaries(
                {"query": st.sampled_from(DOCUMENTS)},
                optional={"variables": st.none() | st.dictionaries(st.text(max_size=5), values)},
            ),
        }
    ),
    st.fixed_dictionaries({"type": st.just("complete"), "id": st.sampled_from("123")}),
    st.fixed_dictionaries({"type": st.sampled_from(["ping", "pong"]), "payload": st.none()}),
).map(lambda message: framed(Opcode.TEXT, json.dumps(message).encode()))
frames = st.one_of(sensible, sensible, sensible, wild)
conversations = st.tuples(st.sampled_from([True, True, False]), st.lists(frames, max_size=8))


@pytest.fixture
async def healthy(address: str) -> AsyncIterator[Client]:
    """A subscriber that hears of a report when all is over."""
    async with greeted(address) as client:
        await client.ask("s", HISTORY)
        assert await kind(client) == "SNAPSHOT"
        yield client
        await report(address, "a", "RUNNING")
        while (received := await kind(client)) == "HEARTBEAT":
            pass
        assert received == "UPDATE"


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(conversations)
@example((True, [b"\x81\xff" + b"\xff" * 8]))  # a length of 2**64 - 1
@example((True, [framed(Opcode.TEXT, b"x" * 10, fin=False)] * 2))
@example((False, [framed(Opcode.PING, b"x" * 125)] * 6))
async def test_random_messages(
    address: str, healthy: Client, conversation: tuple[bool, list[bytes]]
) -> None:
    greets, said = conversation
    async with raw(address) as (reader, writer):
        writer.write(b"".join([GREETING if greets else b"", *said, GOODBYE]))
        ending = asyncio.create_task(outcome(reader))
        await asyncio.wait({ending}, timeout=0.3)
        if not ending.done():  # it was taken for a part of a frame that goes on
            writer.write(FILLER)
        assert await ending in {"alive", "reset", *CODES}


async def outcome(reader: asyncio.StreamReader) -> int | str:
    """The code a socket was closed with, "alive" where it answered the last ping; "reset" where our
    bytes came after its end."""
    with suppress(ConnectionError):
        async with patience():
            while True:
                head = await reader.readexactly(2)
                content = await reader.readexactly(await length(head[1], reader))
                if head[0] == 0x88:
                    return int.from_bytes(content[:2]) if content else 1000
                assert head[0] in (0x81, 0x89, 0x8A), "neither text, ping nor pong"
                if head[0] == 0x81 and json.loads(content).get("payload") == MARKER:
                    return "alive"
    return "reset"


async def length(short: int, reader: asyncio.StreamReader) -> int:
    """The length of a frame's content."""
    size = {126: 2, 127: 8}.get(short, 0)
    return int.from_bytes(await reader.readexactly(size)) if size else short


async def kind(client: Client) -> Any:
    """Of the next message."""
    return (await client.hear())["payload"]["data"]["agentHistory"]["kind"]
