"""WebSockets: messages of graphql-transport-ws, and their answers."""

import json
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from gateway.transport.websocket import connection
from support.gateways import WHO
from support.stream_client import HISTORY, REPORT, report
from support.wait import until
from support.websocket_client import PROTOCOL, dialled, greeted, kinds

pytestmark = pytest.mark.usefixtures("log")

VIEWER = {"data": {"viewer": {"role": "ADMIN", "scopes": []}}}
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "syntax": ({"query": "subscription {"}, "GRAPHQL_PARSE_FAILED"),
    "an empty document": ({"query": " "}, "BAD_USER_INPUT"),
    "a NUL": ({"query": "{ a\0 }"}, "BAD_USER_INPUT"),
    "validation": ({"query": "subscription { nothing }"}, "GRAPHQL_VALIDATION_FAILED"),
    "two roots": (
        {"query": "subscription { a: agentHistory { kind } b: agentHistory { kind } }"},
        "GRAPHQL_VALIDATION_FAILED",
    ),
    "no such operation": ({"query": WHO, "operationName": "Other"}, "BAD_USER_INPUT"),
    "missing variables": (
        {"query": "query($a: Int!) { agents(first: $a) { totalCount } }"},
        "BAD_USER_INPUT",
    ),
    "wrong variables": (
        {
            "query": "subscription($k: [String!]) { agentHistory(keys: $k) { kind } }",
            "variables": {"k": {"a": 1}},
        },
        "BAD_USER_INPUT",
    ),
    "deep variables": (
        {"query": WHO, "variables": {"a": json.loads("[" * 40 + "]" * 40)}},
        "BAD_USER_INPUT",
    ),
    "a huge integer": ({"query": WHO, "variables": {"a": 10**450}}, "BAD_USER_INPUT"),
    "a large document": ({"query": WHO + "#" * 2000}, "QUERY_TOO_COMPLEX"),
    "deep fields": ({"query": "{ a " * 12 + "}" * 12}, "QUERY_TOO_COMPLEX"),
    "a bad cursor": (
        {"query": 'subscription { agentHistory(after: "x") { kind } }'},
        "BAD_USER_INPUT",
    ),
}


async def test_the_newer_protocol_is_chosen(address: str) -> None:
    async with dialled(address, ["graphql-ws", "graphql-transport-ws"]) as client:
        assert client.connection.subprotocol == PROTOCOL
        assert await client.is_alive()


async def test_messages_are_not_compressed(address: str) -> None:
    async with greeted(address) as client:
        response = client.connection.response
        assert response is not None
        assert "sec-websocket-extensions" not in response.headers


async def test_there_is_one_place_for_sockets(address: str) -> None:
    url = address.replace("http", "ws", 1)
    for path in ("/", "/health", "/graphiql"):
        with pytest.raises(InvalidStatus) as refused:
            await connect(url + path, subprotocols=[PROTOCOL], proxy=None)
        assert refused.value.response.status_code == 403


async def test_pings_are_answered_before_and_after_connection_init(address: str) -> None:
    async with dialled(address) as client:
        await client.say({"type": "pong"})
        assert await client.is_alive()
        await client.greet()
        await client.say({"type": "ping", "payload": {"at": [1, "ü", None]}})
        expected = {"type": "pong", "payload": {"at": [1, "ü", None]}}
        assert await client.hear() == expected
        await client.say({"type": "ping", "payload": {}})
        assert await client.hear() == {"type": "pong", "payload": {}}
        await client.say({"type": "pong", "payload": {"any": 1}})
        await client.say({"type": "complete", "id": "never begun"})
        assert await client.is_alive()


@pytest.mark.parametrize("payload", [None, {}, {"authorization": None}, {"headers": None, "a": 1}])
async def test_connection_init_without_a_credential(address: str, payload: Any) -> None:
    async with dialled(address) as client:
        await client.say({"type": "connection_init", "payload": payload})
        assert await client.hear() == {"type": "connection_ack"}
        assert await client.answer("1", WHO) == VIEWER


async def test_a_query(address: str) -> None:
    async with greeted(address) as client:
        assert await client.answer("1", WHO) == VIEWER
        assert await client.answer("1", WHO) == VIEWER  # its id is free again


async def test_variables_operation_name_and_extensions(address: str) -> None:
    query = (
        "query One { rateLimit { cost } } query Two($yes: Boolean!) { __typename @skip(if: $yes) }"
    )
    async with greeted(address) as client:
        more = {"variables": {"yes": True}, "operationName": "Two", "extensions": {"any": [1]}}
        assert await client.answer("ü", query, **more) == {"data": {}}
        nulls = {"variables": None, "operationName": None, "extensions": None}
        assert await client.answer("2", WHO, **nulls) == VIEWER


async def test_a_mutation(address: str) -> None:
    async with greeted(address) as client:
        answer = await client.answer("1", REPORT, variables={"key": "a", "status": "RUNNING"})
        assert answer == {"data": {"reportAgentStatus": {"__typename": "ReportAgentStatusPayload"}}}
        agents = await client.answer("2", "{ agents { nodes { key } } }")
        assert agents == {"data": {"agents": {"nodes": [{"key": "a"}]}}}


async def test_the_cost_is_shown_if_requested(address: str) -> None:
    async with greeted(address) as client:
        answer = await client.answer("1", "{ rateLimit { cost } }")
        assert answer["extensions"]["cost"]["requested"] == 1


async def test_every_operation_reads_anew(address: str) -> None:
    query = '{ agent(key: "a") { status } }'
    async with greeted(address) as client:
        for status in ("RUNNING", "ERROR"):
            await report(address, "a", status)
            answer = await client.answer("1", query)
            assert answer == {"data": {"agent": {"status": status}}}


async def test_a_subscription_until_it_is_completed(address: str) -> None:
    async with greeted(address) as client:
        await client.follow("s")
        await report(address, "a", "RUNNING")
        update = await client.hear()
        assert kinds(update) == ("s", "UPDATE")
        reports = update["payload"]["data"]["agentHistory"]["reports"]
        assert reports == [{"agentKey": "a", "status": "RUNNING"}]

        await client.say({"type": "complete", "id": "s"})
        await report(address, "b", "RUNNING")
        assert await client.answer("s", WHO) == VIEWER


async def test_several_subscriptions_get_their_own_messages(address: str) -> None:
    one = 'subscription { agentHistory(keys: ["a"]) { kind reports { agentKey } } }'
    async with greeted(address) as client:
        for id, query in (("all", HISTORY), ("one", one)):
            await client.follow(id, query)
        await report(address, "a", "RUNNING")
        assert {kinds(await client.hear()) for _ in range(2)} == {
            ("all", "UPDATE"),
            ("one", "UPDATE"),
        }
        await report(address, "b", "RUNNING")
        assert kinds(await client.hear()) == ("all", "UPDATE")


@pytest.mark.parametrize(("asked", "code"), WRONG.values(), ids=WRONG)
async def test_an_operation_that_is_wrong_leaves_the_others_alone(
    address: str, asked: dict[str, Any], code: str
) -> None:
    async with greeted(address) as client:
        await client.follow("good")

        errors = await client.refusal("bad", **asked)
        assert {error["extensions"]["code"] for error in errors} == {code}
        assert all(error["message"] for error in errors)
        assert all(error["extensions"]["requestId"] for error in errors)

        await report(address, "a", "RUNNING")
        assert kinds(await client.hear()) == ("good", "UPDATE")
        assert await client.answer("bad", WHO) == VIEWER


async def test_too_many_operations_at_once(address: str) -> None:
    async with greeted(address) as client:
        for number in range(connection.MAX_OPERATIONS):
            await client.follow(str(number))
        (error,) = await client.refusal("more", HISTORY)
        assert error["extensions"]["code"] == "RATE_LIMITED"
        await client.say({"type": "complete", "id": "0"})
        assert await client.answer("more", WHO) == VIEWER


async def test_a_client_that_leaves_takes_its_subscriptions_along(address: str) -> None:
    async with greeted(address) as staying:
        await staying.follow("s")
        for _ in range(3):
            async with greeted(address) as leaving:
                await leaving.follow("s")
        await report(address, "a", "RUNNING")
        assert kinds(await staying.hear()) == ("s", "UPDATE")


async def test_a_mutation_completes_after_its_client_disconnects(
    address: str, log: list[Any]
) -> None:
    async with greeted(address) as client:
        await client.ask("1", REPORT, variables={"key": "a", "status": "RUNNING"})
        await client.say({"type": "complete", "id": "1"})
    await until(lambda: closed(log))
    async with greeted(address) as client:
        agents = await client.answer("1", "{ agents { totalCount } }")
        assert agents == {"data": {"agents": {"totalCount": 1}}}


async def test_every_operation_has_a_request_id_of_its_own(address: str) -> None:
    headers = {"X-Request-Id": "socket"}
    async with dialled(address, additional_headers=headers) as client:
        await client.greet()
        for number in ("1", "2"):
            (error,) = await client.refusal(number, "{ nothing }")
            assert error["extensions"]["requestId"] == f"socket.{number}"


async def test_a_socket_is_two_lines_of_log(address: str, log: list[Any]) -> None:
    async with dialled(address, additional_headers={"X-Request-Id": "mine"}) as client:
        await client.greet(authorization=None)
        await client.answer("1", "query Who { viewer { role } }")
    await until(lambda: closed(log))
    lines = [line for line in log if line["event"].startswith(("socket", "operation"))]
    assert [line["event"] for line in lines] == ["socket opened", "operation", "socket closed"]
    assert (lines[1]["operation"], lines[1]["kind"]) == ("Who", "query")
    assert lines[2]["code"] == 1000


def closed(log: list[Any]) -> bool:
    """Whether a socket was closed, and all it had begun is done."""
    return any(line["event"] == "socket closed" for line in log)
