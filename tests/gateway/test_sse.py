"""Server-sent events, byte by byte."""

import re
from typing import Any

import httpx2
import orjson
import pytest

from db import Database, api_keys
from gateway.auth.authenticator import Auth
from gateway.settings import Settings
from gateway.transport import admission
from gateway.transport.admission import LARGE
from support.gateways import make_key, production
from support.running_gateway import serving
from support.stream_client import HISTORY, listening, report
from support.wait import until

JSON = "application/json"
GRAPHQL_JSON = "application/graphql-response+json"
EVENT_STREAM = "text/event-stream"
ID = {"x-request-id": "test"}
QUERY = {"query": "{ __typename }"}
SCOPES = ["agents:read"]
ANSWER = b'event: next\ndata: {"data":{"__typename":"Query"}}\n\nevent: complete\ndata:\n\n'

# What clients send with a query, unless they are told otherwise.
GRAPHQL_SSE = EVENT_STREAM
URQL = (
    f"{GRAPHQL_JSON}, application/graphql+json, {JSON}, {EVENT_STREAM}, multipart/mixed",
    "text/event-stream, multipart/mixed",
)
APOLLO = (
    f"{GRAPHQL_JSON},{JSON};q=0.9",
    f"multipart/mixed;boundary=graphql;subscriptionSpec=1.0,{GRAPHQL_JSON},{JSON};q=0.9",
)


async def post(
    client: httpx2.AsyncClient, body: Any, accept: str = EVENT_STREAM, **headers: str
) -> httpx2.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.post("/graphql", json=body, headers=ID | {"accept": accept} | named)


def events(response: httpx2.Response) -> bytes:
    """The bytes of an event stream after the hint when to come back, which varies."""
    hint, _, rest = response.content.partition(b"\n\n")
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert hint.startswith(b"retry: ")
    assert 1000 <= int(hint[7:]) <= 5000
    return rest


async def test_a_query_is_one_event(client: httpx2.AsyncClient) -> None:
    response = await post(client, QUERY, GRAPHQL_SSE)
    assert (response.status_code, events(response)) == (200, ANSWER)
    assert response.headers["cache-control"] == "no-store, no-transform"
    assert response.headers["x-accel-buffering"] == "no"
    assert response.headers["vary"] == "Accept, Accept-Encoding"


async def test_a_query_by_get(client: httpx2.AsyncClient) -> None:
    headers = {"accept": EVENT_STREAM}
    response = await client.get("/graphql", params=QUERY, headers=headers)
    assert events(response) == ANSWER


@pytest.mark.parametrize(
    ("accept", "answered"),
    [
        (URQL[0], GRAPHQL_JSON),
        (APOLLO[0], GRAPHQL_JSON),
        (APOLLO[1], GRAPHQL_JSON),
        (f"{EVENT_STREAM}, {JSON}", JSON),
        (f"{EVENT_STREAM}, */*", EVENT_STREAM),
        (f"{EVENT_STREAM};q=0.9, {JSON};q=0.8", EVENT_STREAM),
        (f"multipart/mixed, {JSON};q=0.5", "multipart/mixed"),
        (f"{EVENT_STREAM};q=0, */*", JSON),
        ("text/*", EVENT_STREAM),
    ],
)
async def test_a_stream_is_chosen_for_a_query_only_where_it_is_wanted_more(
    client: httpx2.AsyncClient, accept: str, answered: str
) -> None:
    response = await post(client, QUERY, accept)
    assert response.headers["content-type"].partition(";")[0] == answered


@pytest.mark.parametrize(
    ("query", "error"),
    [
        (
            "{",
            b'{"message":"Syntax Error: Expected Name, found <EOF>.",'
            b'"locations":[{"line":1,"column":2}],'
            b'"extensions":{"code":"GRAPHQL_PARSE_FAILED","requestId":"test"}}',
        ),
        (
            "{ nothing }",
            b"{\"message\":\"Cannot query field 'nothing' on type 'Query'.\","
            b'"locations":[{"line":1,"column":3}],'
            b'"extensions":{"code":"GRAPHQL_VALIDATION_FAILED","requestId":"test"}}',
        ),
    ],
)
async def test_an_invalid_operation_is_reported_in_an_event(
    client: httpx2.AsyncClient, query: str, error: bytes
) -> None:
    response = await post(client, {"query": query})
    received = b'event: next\ndata: {"errors":[%b]}\n\nevent: complete\ndata:\n\n' % error
    assert (response.status_code, events(response)) == (200, received)


async def test_invalid_requests_are_refused_in_json(client: httpx2.AsyncClient) -> None:
    response = await post(client, [QUERY])
    message = "Batching is not supported: send one operation as a JSON object."
    extensions = {"code": "BAD_USER_INPUT", "requestId": "test"}
    expected = {"errors": [{"message": message, "extensions": extensions}]}
    assert (response.status_code, response.json()) == (400, expected)
    assert response.headers["content-type"] == "application/json; charset=utf-8"


async def test_a_subscription_byte_by_byte(address: str) -> None:
    async with listening(address) as stream:
        assert stream.status == 200
        assert stream.head["content-type"] == "text/event-stream; charset=utf-8"
        assert stream.head["cache-control"] == "no-store, no-transform"
        assert stream.head["x-accel-buffering"] == "no"
        assert re.fullmatch(rb"retry: [1-5]\d{3}\n\n", await stream.chunk())
        assert received(await stream.chunk()) == {"kind": "SNAPSHOT", "reports": []}
        await report(address, "a1", "RUNNING")
        reports = [{"agentKey": "a1", "status": "RUNNING"}]
        assert received(await stream.chunk()) == {"kind": "UPDATE", "reports": reports}


def received(chunk: bytes) -> dict[str, Any]:
    """What one event tells, which must have exactly this form, without its cursor."""
    found = re.fullmatch(rb"id: ([\w-]{24})\nevent: next\ndata: ([^\r\n]+)\n\n", chunk)
    assert found, chunk
    history = orjson.loads(found[2])["data"]["agentHistory"]
    assert history.pop("cursor") == found[1].decode()
    return history


async def test_a_stream_leaves_room_for_large_requests(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = HISTORY + " " * LARGE
    monkeypatch.setattr(admission, "LARGEST", 2)  # room for one body of a caller
    settings = Settings(_env_file=None, max_body_bytes=len(query) + 100)
    async with (
        serving(settings, database) as served,
        listening(served.address, query) as one,
        listening(served.address, query) as another,
    ):
        assert (one.status, another.status) == (200, 200)


async def test_a_browser_resumes_after_the_last_event(address: str) -> None:
    async with listening(address) as stream:
        await stream.chunk()
        first = re.findall(rb"id: (.+)\n", await stream.chunk())[0].decode()
    await report(address, "a1", "RUNNING")
    async with listening(address, last_event_id=first) as stream:
        await stream.chunk()
        reports = [{"agentKey": "a1", "status": "RUNNING"}]
        assert received(await stream.chunk()) == {"kind": "UPDATE", "reports": reports}


async def test_an_invalid_cursor_is_reported_in_an_event(client: httpx2.AsyncClient) -> None:
    response = await post(client, {"query": HISTORY}, last_event_id="nonsense")
    error = b'{"message":"This is not a cursor.","extensions":%b}'
    errors = b'[{"message":"This is not a cursor.","field":["after"]}]'
    extensions = b'{"code":"BAD_USER_INPUT","requestId":"test","errors":%b}' % errors
    data = b'{"errors":[%b]}' % (error % extensions)
    assert events(response) == b"event: next\ndata: %b\n\nevent: complete\ndata:\n\n" % data


async def test_a_client_that_prefers_json_gets_json(client: httpx2.AsyncClient) -> None:
    response = await post(client, {"query": HISTORY}, APOLLO[1], last_event_id="nonsense")
    assert response.status_code == 400
    assert response.headers["content-type"] == f"{GRAPHQL_JSON}; charset=utf-8"
    assert response.json()["errors"][0]["message"] == "This is not a cursor."


@pytest.mark.parametrize(
    ("accept", "answered"),
    [
        (URQL[1], EVENT_STREAM),
        (URQL[0], EVENT_STREAM),
        (APOLLO[1], "multipart/mixed;boundary=graphql;subscriptionSpec=1.0"),
        (GRAPHQL_SSE, EVENT_STREAM),
        ("*/*", EVENT_STREAM),
    ],
)
async def test_a_subscription_is_a_stream_of_the_kind_wanted_most(
    address: str, accept: str, answered: str
) -> None:
    async with listening(address, accept=accept) as stream:
        assert stream.status == 200
        assert stream.head["content-type"].startswith(answered)


async def test_a_head_of_a_subscription_is_refused(client: httpx2.AsyncClient) -> None:
    response = await client.head("/graphql", params={"query": HISTORY})
    assert (response.status_code, response.headers["allow"]) == (405, "GET, POST")


async def test_a_stream_ends_with_its_credential(database: Database) -> None:
    settings = production(drain_seconds=0, spread_seconds=0)
    auth, key = Auth(settings, database), await make_key(database, settings, scopes=SCOPES)
    async with serving(settings, database, auth) as served:
        credential = f"Bearer {key.text}"
        async with listening(served.address, authorization=credential) as stream:
            for _ in range(2):
                await stream.chunk()
            await auth.watch.round()
            assert served.streams == 1
            async with database.write() as session:
                await api_keys.writes.revoke(session, key.record.prefix)
            await auth.watch.round()
            assert await stream.chunk() == b""
        async with listening(served.address, authorization=credential) as stream:
            assert stream.status == 401
        await until(lambda: served.streams == 0)


async def test_a_caller_has_so_many_streams_and_no_more(database: Database) -> None:
    settings = production(drain_seconds=0, spread_seconds=0, max_streams_per_caller=1)
    credential = f"Bearer {(await make_key(database, settings, scopes=SCOPES)).text}"
    async with serving(settings, database) as served:
        async with (
            listening(served.address, authorization=credential),
            listening(served.address, authorization=credential) as second,
        ):
            assert (second.status, second.head["retry-after"]) == (429, "1")
        await until(lambda: served.streams == 0)  # seen at once, although nothing was to be sent
        async with listening(served.address, authorization=credential) as third:
            assert third.status == 200
