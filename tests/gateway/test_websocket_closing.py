"""WebSockets: each invalid message closes its socket, with a code and a reason."""

import json
from typing import Any

import pytest

from gateway.transport.websocket import connection
from support.gateways import WHO
from support.stream_client import HISTORY, report
from support.websocket_client import dialled, greeted, kinds

pytestmark = pytest.mark.usefixtures("log")


def subscribe(id: Any = "1", **payload: Any) -> dict[str, Any]:
    return {"type": "subscribe", "id": id, "payload": {"query": WHO, **payload}}


def nested(depth: int) -> str:
    return '{"type":"ping","payload":{"a":' + "[" * depth + "]" * depth + "}}"


MALFORMED: dict[str, Any] = {
    "no JSON": "hello",
    "nothing": "",
    "half a message": '{"type": "ping"',
    "null": "null",
    "a number": "1",
    "a string": '"ping"',
    "an array": "[]",
    "an array of messages": '[{"type": "ping"}]',
    "an object without a type": "{}",
    "a huge integer": "9" * 5000,
    "deep arrays": "[" * 50_000,
    "a deep payload": nested(5_000),
    "a payload too deep to be sent back": nested(300),
    "a lone surrogate": '{"type": "ping", "payload": {"a": "\\ud800"}}',
    "not a number": '{"type": "ping", "payload": {"a": NaN}}',
    "a binary frame": b'{"type": "ping"}',
    "an unknown type": {"type": "start", "id": "1", "payload": {"query": WHO}},
    "a type of the server": {"type": "next", "id": "1", "payload": {}},
    "an acknowledgement": {"type": "connection_ack"},
    "a type that is null": {"type": None},
    "a type that is a list": {"type": ["ping"]},
    "a type that is an object": {"type": {}},
    "a ping with a string": {"type": "ping", "payload": "x"},
    "a ping with an array": {"type": "ping", "payload": [1]},
    "a pong with a number": {"type": "pong", "payload": 1},
    "no id": {"type": "subscribe", "payload": {"query": WHO}},
    "an id that is null": subscribe(None),
    "an id that is empty": subscribe(""),
    "an id that is a number": subscribe(1),
    "an id that is an object": subscribe({}),
    "an id that is an array": subscribe([]),
    "an id that is long": subscribe("x" * 257),
    "no payload": {"type": "subscribe", "id": "1"},
    "a payload that is null": {"type": "subscribe", "id": "1", "payload": None},
    "a payload that is a string": {"type": "subscribe", "id": "1", "payload": "x"},
    "a payload that is an array": {"type": "subscribe", "id": "1", "payload": [WHO]},
    "no query": {"type": "subscribe", "id": "1", "payload": {}},
    "a query that is null": subscribe(query=None),
    "a query that is a number": subscribe(query=1),
    "a query that is an object": subscribe(query={}),
    "variables that are an array": subscribe(variables=[1]),
    "variables that are a string": subscribe(variables="{}"),
    "variables that are false": subscribe(variables=False),
    "an operation name that is a number": subscribe(operationName=1),
    "an operation name that is an object": subscribe(operationName={}),
    "extensions that are an array": subscribe(extensions=[]),
    "extensions that are a string": subscribe(extensions="x"),
    "completing nothing": {"type": "complete"},
    "completing a number": {"type": "complete", "id": 1},
    "completing an object": {"type": "complete", "id": {}},
}


@pytest.mark.parametrize("message", MALFORMED.values(), ids=MALFORMED)
async def test_a_malformed_message_ends_this_socket_alone(address: str, message: Any) -> None:
    async with greeted(address) as healthy, greeted(address) as client:
        await healthy.follow("s")

        await client.say(message)
        code, reason = await client.close_code()

        assert code == 4400
        assert reason.startswith("Invalid message: ")
        assert len(reason) <= 100
        assert reason.isascii()
        await report(address, "a", "RUNNING")
        assert kinds(await healthy.hear()) == ("s", "UPDATE")


@pytest.mark.parametrize("message", MALFORMED.values(), ids=MALFORMED)
async def test_a_malformed_message_before_connection_init(address: str, message: Any) -> None:
    async with dialled(address) as client:
        await client.say(message)
        assert (await client.close_code())[0] == 4400


@pytest.mark.parametrize(
    "payload",
    ["x", 1, [], False, {"authorization": 1}, {"headers": []}, {"headers": {"Authorization": {}}}],
)
async def test_a_malformed_connection_init(address: str, payload: Any) -> None:
    async with dialled(address) as client:
        await client.say({"type": "connection_init", "payload": payload})
        assert (await client.close_code())[0] == 4400


async def test_a_second_connection_init(address: str) -> None:
    async with greeted(address) as client:
        await client.say({"type": "connection_init"})
        expected = (4429, "Too many initialisation requests")
        assert await client.close_code() == expected


async def test_subscribing_before_connection_init(address: str) -> None:
    async with dialled(address) as client:
        await client.ask("1", WHO)
        assert await client.close_code() == (4401, "Unauthorized")


async def test_connection_init_timeout(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "INIT_SECONDS", 0.1)
    async with dialled(address) as client:
        await client.say({"type": "ping"})
        expected = (4408, "Connection initialisation timeout")
        assert await client.close_code() == expected


@pytest.mark.parametrize("id", ["s", "ü" * 250, '"\\' * 60])
async def test_an_id_in_use(address: str, id: str) -> None:
    async with greeted(address) as client:
        await client.follow(id)
        await client.ask(id, HISTORY)
        code, reason = await client.close_code()
        whole = f"Subscriber for {id} already exists"
        assert code == 4409
        assert len(reason.encode()) <= 123
        assert whole.startswith(reason)
        assert (reason == whole) == (len(whole.encode()) <= 123)


@pytest.mark.parametrize("offered", [[], ["graphql-ws"], ["chat", "graphql-ws"]])
async def test_other_protocols_are_not_spoken(address: str, offered: list[str]) -> None:
    async with dialled(address, offered) as client:
        assert client.connection.subprotocol is None
        expected = (4406, "Subprotocol not acceptable: use graphql-transport-ws")
        assert await client.close_code() == expected


async def test_a_message_of_a_megabyte(address: str) -> None:
    async with greeted(address) as client:
        await client.say(json.dumps(subscribe(variables={"a": "x" * 1_000_000})))
        assert (await client.close_code())[0] == 1009


async def test_too_many_messages_at_once(address: str) -> None:
    async with greeted(address) as client:
        for _ in range(connection.BURST + 60):
            await client.say({"type": "pong"})
        assert await client.close_code() == (1013, "Too many messages")
