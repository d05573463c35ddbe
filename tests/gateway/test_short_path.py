"""Short path: the same responses as those of the ordinary way, to requests of every kind."""

import inspect
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import pytest
from sqlalchemy import select
from uvicorn.protocols.http import httptools_impl

from db import Database
from db.dreams import Dream
from db.users import Role
from gateway.protocols.short_path import Exchange
from gateway.settings import Settings
from gateway.transport.request_head import Head
from gateway.transport.short_path import ShortPath
from support.factories import make_dream, make_user
from support.gateways import make_key, production
from support.raw_http import Response, connected, request
from support.running_gateway import Served, serving
from support.wait import until

DREAM = "query Dream($id: ID!) { dream(id: $id) { id title description } }"
LIST = "{ dreams(first: 2) { nodes { title owner { id } } pageInfo { hasNextPage } totalCount } }"
LIMIT = "{ rateLimit { cost limit remaining } }"
CREATE = """mutation Create($input: CreateDreamInput!) { createDream(input: $input) {
  dream { title } errors { message code } } }"""
ARCHIVE = """mutation Archive($id: ID!) { archiveDream(input: {id: $id}) {
  dream { title } errors { message code } } }"""
CHANGING = re.compile(rb'"requestId":"[^"]*"|retry: [0-9]+')


@dataclass
class Answers:
    """What was answered on one way."""

    served: Served
    started: list[bool] = field(default_factory=list)  # whether the short path took a request

    async def of(self, *parts: bytes, count: int = 1) -> list[Response]:
        async with connected(self.served.port) as connection:
            await connection.send(*parts)
            return [await connection.response() for _ in range(count)]


@pytest.fixture
def settings() -> Settings:
    return production(
        drain_seconds=0, spread_seconds=0, short_path="on", cors_origins="https://app.example.org"
    )


@pytest.fixture
async def key(database: Database, settings: Settings) -> str:
    user = await make_user(database, role=Role.OPERATOR)
    return (await make_key(database, settings, user_id=user.id)).text


@pytest.fixture
async def short(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Answers]:
    started: list[bool] = []
    start = ShortPath.start

    def noted(self: ShortPath, head: Head, body: bytes, exchange: Exchange) -> bool:
        started.append(start(self, head, body, exchange))
        return started[-1]

    monkeypatch.setattr(ShortPath, "start", noted)
    async with serving(settings, database.borrowed_by("short")) as served:
        yield Answers(served, started)


@pytest.fixture
async def ordinary(database: Database, settings: Settings) -> AsyncIterator[Answers]:
    off = settings.model_copy(update={"short_path": "off"})
    async with serving(off, database.borrowed_by("ordinary")) as served:
        yield Answers(served)


def comparable(response: Response) -> tuple[int, list[tuple[str, str]], bytes]:
    """A response without what differs from request to request."""
    changing = {"date", "x-request-id", "content-length"}
    headers = [(name, "" if name in changing else value) for name, value in response.headers]
    return response.status, headers, CHANGING.sub(b"", response.body)


def body(query: str, **variables: Any) -> dict[str, object]:
    return {"query": query, "variables": variables}


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


async def warm(answers: Answers, key: str, content: bytes | dict[str, object]) -> None:
    """After this the caller and the operation are known."""
    await answers.of(request(content, bearer(key)))
    answers.started.clear()


async def test_a_request_of_a_known_caller_takes_the_short_path(
    short: Answers, ordinary: Answers, key: str, database: Database
) -> None:
    dream = await make_dream(database, title="Dreams of electric sheep", is_public=True)
    content = body(DREAM, id=f"dream_{dream.id.hex}")
    await warm(short, key, content)
    sent = request(content, bearer(key))

    (first,) = await short.of(sent)
    (again,) = await short.of(sent)
    (expected,) = await ordinary.of(sent)

    assert short.started == [True, True]
    assert b"electric sheep" in first.body
    assert comparable(first) == comparable(again) == comparable(expected)


UNKNOWN = "dream_" + 32 * "0"
HEADERS: list[dict[str, str]] = [
    {},
    {"accept": "application/graphql-response+json"},
    {"accept": "*/*"},
    {"accept": "application/json, text/event-stream"},
    {"content-type": "application/json; charset=utf-8"},
    {"x-request-id": "mine-1"},
    {"x-request-id": "not acceptable"},
    {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
    {"x-forwarded-for": "203.0.113.9"},
    {"x-forwarded-prefix": "/api", "x-forwarded-proto": "https"},
    {"x-graphql-cost": "1"},
    {"origin": "https://example.org", "cookie": "a=b", "referer": "https://example.org/"},
    {"origin": "https://app.example.org", "sec-fetch-site": "cross-site"},
    {"origin": "null"},
    {"origin": "\xe9"},
    {"origin": ""},
    {"connection": "keep-alive"},
    {"accept-encoding": "gzip, deflate, br, zstd"},
    {"accept-encoding": "gzip", "origin": "https://app.example.org"},
]
BODIES: list[dict[str, object] | bytes] = [
    body(DREAM, id=UNKNOWN),
    body(DREAM, id="no id"),
    body(DREAM, id=7),
    body(DREAM, id=None),
    body(DREAM),
    body(DREAM, id=UNKNOWN, more=1),
    body(LIST),
    body(CREATE, input={"title": "", "description": "x"}),
    body("{ auditLog(first: 1) { nodes { id } } }"),
    body("{ me"),
    body("{ unknownField }"),
    body("subscription { agentStatus { __typename } }"),
    {"query": LIST, "operationName": "Other"},
    {"query": 7},
    {"query": LIST, "variables": []},
    {"query": LIST, "extensions": {"a": 1}},
    [{"query": LIST}],  # type: ignore[list-item]  # a batch
    b"{",
    b"\xff",
    b"",
]


@pytest.mark.parametrize("content", BODIES, ids=str)
async def test_bodies_are_answered_alike(
    short: Answers, ordinary: Answers, key: str, content: bytes | dict[str, object]
) -> None:
    sent = request(content, bearer(key) | {"origin": "https://app.example.org"})
    expected = [comparable(each) for _ in range(3) for each in await ordinary.of(sent)]
    assert [comparable(each) for _ in range(3) for each in await short.of(sent)] == expected


@pytest.mark.parametrize("headers", HEADERS, ids=str)
async def test_usual_headers_take_the_short_path(
    short: Answers, ordinary: Answers, key: str, headers: dict[str, str]
) -> None:
    await warm(short, key, body(LIST))
    await warm(ordinary, key, body(LIST))
    sent = request(body(LIST), bearer(key) | headers)

    (expected,) = await ordinary.of(sent)
    (found,) = await short.of(sent)

    assert short.started == [True]
    assert comparable(found) == comparable(expected)


UNUSUAL: list[tuple[Sequence[tuple[str, str]], str]] = [
    ([("accept", "text/event-stream")], "POST /graphql HTTP/1.1"),
    ([("accept", "text/html")], "POST /graphql HTTP/1.1"),
    ([("content-type", "text/plain")], "POST /graphql HTTP/1.1"),
    ([("content-length", "99999999")], "POST /graphql HTTP/1.1"),
    ([("authorization", "Bearer dn_production_unknown")], "POST /graphql HTTP/1.1"),
    ([("authorization", "Basic YTpi")], "POST /graphql HTTP/1.1"),
    ([], "POST /graphql HTTP/1.0"),
    ([], "POST /graphql?query=x HTTP/1.1"),
    ([], "POST /graphql/ HTTP/1.1"),
    ([], "POST /elsewhere HTTP/1.1"),
    ([], "PUT /graphql HTTP/1.1"),
    ([("host", "a b")], "POST /graphql HTTP/1.1"),
    ([("expect", "nonsense")], "POST /graphql HTTP/1.1"),
    ([("connection", "close")], "POST /graphql HTTP/1.1"),
    ([("origin", "https://app.example.org"), ("origin", "null")], "POST /graphql HTTP/1.1"),
]


@pytest.mark.parametrize(("headers", "line"), UNUSUAL, ids=str)
async def test_unusual_requests_are_answered_as_ever(
    short: Answers,
    ordinary: Answers,
    key: str,
    headers: Sequence[tuple[str, str]],
    line: str,
) -> None:
    await warm(short, key, body(LIST))
    named = {name for name, _ in headers}
    signed = [] if "authorization" in named else list(bearer(key).items())
    sent = request(body(LIST), [*headers, *signed], line=line)

    (expected,) = await ordinary.of(sent)
    (found,) = await short.of(sent)

    assert comparable(found) == comparable(expected)


async def test_a_document_by_its_hash_takes_the_short_path(
    short: Answers, ordinary: Answers, key: str
) -> None:
    extension = {"version": 1, "sha256Hash": sha256(LIST.encode()).hexdigest()}
    by_hash: dict[str, object] = {"extensions": {"persistedQuery": extension}}
    by_id: dict[str, object] = {"documentId": f"sha256:{extension['sha256Hash']}"}
    for answers in (short, ordinary):
        await warm(answers, key, body(LIST))
        await answers.of(request({"query": LIST, **by_hash}, bearer(key)))
    assert short.started == [False]  # it registers
    short.started.clear()

    for content in (by_hash, by_id, {"query": LIST, **by_id}, {"documentId": "unknown"}):
        sent = request(content, bearer(key))
        (expected,), (found,) = await ordinary.of(sent), await short.of(sent)
        assert comparable(found) == comparable(expected)
    assert short.started == [True, True, False, False]


@pytest.mark.parametrize("size", [10, 1_000, 10_000, 40_000])
@pytest.mark.parametrize("encoding", ["zstd", "br", "gzip", "gzip;q=0", "x"])
async def test_compressed_responses_are_the_same(
    short: Answers, ordinary: Answers, key: str, database: Database, size: int, encoding: str
) -> None:
    for _ in range(2):
        await make_dream(database, title="Compressed", description=size * "ab", is_public=True)
    content = body("{ dreams(first: 2) { nodes { title description } } }")
    await warm(short, key, content)
    sent = request(content, bearer(key) | {"accept-encoding": encoding})

    (expected,), (found,) = await ordinary.of(sent), await short.of(sent)

    assert short.started == [True]
    is_compressed = size >= 1_000 and encoding in ("zstd", "br", "gzip")
    assert found.header("content-encoding") == (encoding if is_compressed else None)
    assert comparable(found) == comparable(expected)


async def test_repeated_credentials_are_refused(
    short: Answers, ordinary: Answers, key: str
) -> None:
    await warm(short, key, body(LIST))
    sent = request(body(LIST), [*bearer(key).items(), *bearer(key).items()])
    (expected,), (found,) = await ordinary.of(sent), await short.of(sent)
    assert short.started == []
    assert found.status == 401
    assert comparable(found) == comparable(expected)


@pytest.mark.parametrize("size", [1, 7, 100, 300])
async def test_requests_in_pieces_are_answered(short: Answers, key: str, size: int) -> None:
    await warm(short, key, body(LIST))
    sent = request(body(LIST), bearer(key))
    pieces = [sent[at : at + size] for at in range(0, len(sent), size)]
    async with connected(short.served.port) as connection:
        for _ in range(2):
            await connection.send(*pieces)
            assert (await connection.response()).status == 200
    assert short.started == [True, True]


async def test_pipelined_requests_are_answered_in_their_order(
    short: Answers, ordinary: Answers, key: str
) -> None:
    await warm(short, key, body(LIST))
    first, second = request(body(LIST), bearer(key)), request(body(LIMIT), bearer(key))
    third = request(body("{ me"), bearer(key))
    whole = first + second + third + first

    expected = [each.status for each in await ordinary.of(whole, count=4)]
    found = await short.of(whole, count=4)
    parts = await short.of(first, second + third[:40], third[40:], first, count=4)

    assert [each.status for each in found] == [each.status for each in parts] == expected
    assert [b"rateLimit" in each.body for each in found] == [False, True, False, False]


async def test_bytes_of_another_request_are_no_head(short: Answers, key: str) -> None:
    """What follows the rest of a body is not kept as the beginning of a request."""
    await warm(short, key, body(LIST))
    sent = request(body(LIST), bearer(key))
    async with connected(short.served.port) as connection:
        await connection.send(sent[:-5])
        await connection.send(sent[-5:] + sent)
        assert [(await connection.response()).status for _ in range(2)] == [200, 200]
        await connection.send(sent[-5:] + sent)
        assert (await connection.response()).status == 400


async def test_a_revoked_key_is_refused_by_bytes_that_were_accepted(
    short: Answers, key: str, database: Database, settings: Settings
) -> None:
    member = await make_key(database, settings)
    await warm(short, member.text, body(LIST))
    sent = request(body(LIST), bearer(member.text))
    assert (await short.of(sent))[0].status == 200

    recents = short.served.server.config.app.state.heads.path.auth.recents
    recents.known = {text: (who, -1.0) for text, (who, _) in recents.known.items()}
    (after,) = await short.of(sent)

    assert after.status == 200  # authenticated once more
    assert short.started == [True, False]


async def test_a_closing_server_answers_what_it_has_begun(
    short: Answers, key: str, database: Database, database_url: str
) -> None:
    dream = await make_dream(database, title="Before")
    change = body(ARCHIVE, id=f"dream_{dream.id.hex}")
    await warm(short, key, body(ARCHIVE, id=UNKNOWN))
    other = Database(database_url)
    async with connected(short.served.port) as connection:
        async with other.write() as session:
            await session.rows(select(Dream.id).with_for_update())
            await connection.send(request(change, bearer(key)))
            await until(lambda: short.started)
            (protocol,) = short.served.server.server_state.connections
            stopped = short.served.stop()
            await until(lambda: not protocol.cycle.keep_alive)  # type: ignore[union-attr]
        response = await connection.response()
        assert (response.status, response.header("connection")) == (200, "close")
        assert b"archiveDream" in response.body
        assert await connection.ends()
    await stopped
    await other.close()


async def test_a_client_that_has_gone_is_no_fault(
    short: Answers, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    await warm(short, key, body(LIST))
    sent = request(body(LIST), bearer(key))
    for part in (sent, sent[:-3]):
        async with connected(short.served.port) as connection:
            await connection.send(part)
    assert (await short.of(sent))[0].status == 200
    assert not [line for line in caplog.records if line.levelname == "ERROR"]


async def test_points_are_the_same(short: Answers, ordinary: Answers, key: str) -> None:
    costs = request(body(LIMIT), bearer(key) | {"x-graphql-cost": "1"})
    for _ in range(3):
        (expected,), (found,) = await ordinary.of(costs), await short.of(costs)
        assert comparable(found) == comparable(expected)


def test_an_exchange_has_what_uvicorn_uses_of_a_cycle() -> None:
    source = inspect.getsource(httptools_impl.HttpToolsProtocol)
    used = set(re.findall(r"\bcycle\.(\w+)", source)) - {"run_asgi", "protocols"}
    assert used == {
        "body",
        "disconnected",
        "keep_alive",
        "message_event",
        "more_body",
        "response_complete",
    }
    missing = used - {name for name in dir(Exchange) if not name.startswith("_")}
    assert missing == {"more_body"}  # of a request whose body is not complete
