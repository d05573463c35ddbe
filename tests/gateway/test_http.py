"""Every request to /graphql has an answer in JSON, whatever was sent."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import strawberry
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from structlog.testing import capture_logs

from db import Database
from db.core.ingest import Ingestion
from gateway import errors
from gateway.app import create_app
from gateway.auth import Auth
from gateway.callers import Callers
from gateway.http import Endpoint
from gateway.requests import Recorder
from gateway.service import Service
from gateway.settings import Settings
from gateway.streams import Streams
from gateway.telemetry import RequestLog
from graph.core.budget import Budget
from graph.core.limits import Limits
from graph.core.live import Live

JSON = "application/json"
GRAPHQL_JSON = "application/graphql-response+json"
ID = {"x-request-id": "test"}
NUL = "PostgreSQL cannot store the character U+0000: remove it from the document."
SHAPE = "The body must be a JSON object with the key `query`."
QUERY = "`query` must be a string with a GraphQL document."
UNAVAILABLE = "The database does not answer; try again in a moment."


def refused(message: str, code: str = "BAD_USER_INPUT", **more: Any) -> dict[str, Any]:
    """The whole answer to a request that was not executed."""
    return {"errors": [{"message": message, **more, "extensions": extensions(code)}]}


def extensions(code: str) -> dict[str, str]:
    return {"code": code, "requestId": "test"}


async def post(
    client: httpx2.AsyncClient, body: bytes | dict[str, Any], accept: str = JSON, **headers: str
) -> httpx2.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    sent: dict[str, Any] = {"content": body} if isinstance(body, bytes) else {"json": body}
    headers = ID | {"accept": accept, "content-type": JSON} | named
    return await client.post("/graphql", headers=headers, **sent)


BODIES = [
    (
        b"",
        "The body is not JSON: Input is a zero-length, empty document: line 1 column 1 (char 0).",
    ),
    (b"3", SHAPE),
    (b'"x"', SHAPE),
    (b"null", SHAPE),
    (b"{}", QUERY),
    (b"[]", "Batching is not supported: send one operation as a JSON object."),
    (b"[1]", "Batching is not supported: send one operation as a JSON object."),
    (b'{"query": null}', QUERY),
    (b'{"query": 3}', QUERY),
    (b'{"query": ""}', QUERY),
    (b'{"query": "{ __typename }", "operationName": 3}', "`operationName` must be a string."),
    (b'{"query": "{ __typename }", "variables": [1]}', "`variables` must be an object."),
    (b'{"query": "{ __typename }", "variables": "{}"}', "`variables` must be an object."),
    (b'{"query": "{ __typename }", "extensions": 3}', "`extensions` must be an object."),
    (b'{"query": "{ __typename \\u0000 }"}', NUL),
    (b'{"query": "{ user(id: \\"\\\\u0000\\") { id } }"}', NUL),
    (b'{"query": "{ user(id: \\"\\\\u{00}\\") { id } }"}', NUL),
    (
        b'{"query": "{ __typename }", "variables": {"a": 123456789012345678901234567890}}',
        "The variables hold an integer of more than 64 bits: send it as a string.",
    ),
    (
        b'{"query": "{ __typename }", "variables": {"a": %b}}' % (b"[" * 40 + b"]" * 40),
        "The variables are nested more than 32 levels deep.",
    ),
]


@pytest.mark.parametrize(("body", "message"), BODIES)
async def test_odd_bodies_are_refused(
    client: httpx2.AsyncClient, body: bytes, message: str
) -> None:
    response = await post(client, body)
    assert (response.status_code, response.json()) == (400, refused(message))


@pytest.mark.parametrize(
    "body",
    [
        b"\xff\xfe",
        b'{"query": "\xff"}',
        b"[" * 2000,
        b'{"query": "{ __typename }", "variables": {"a": NaN}}',
        b'{"query": "{ __typename }", "variables": {"a": "\\ud800"}}',
        b'{"query": "{ __typename }"',
        b"query=1",
    ],
)
async def test_what_is_not_json_is_refused(client: httpx2.AsyncClient, body: bytes) -> None:
    response = await post(client, body)
    error = response.json()["errors"][0]
    assert response.status_code == 400
    assert error["message"].startswith("The body is not JSON: ")
    assert error["extensions"] == extensions("BAD_USER_INPUT")


async def test_escaped_backslashes_are_no_nul(client: httpx2.AsyncClient) -> None:
    body = b'{"query": "{ __typename }", "variables": {"a": "\\\\u0000"}}'
    assert (await post(client, body)).json() == {"data": {"__typename": "Query"}}


async def test_a_nul_in_variables_is_the_callers_fault(client: httpx2.AsyncClient) -> None:
    query = "query ($text: String!) { dreams(filter: {title: {eq: $text}}) { totalCount } }"
    response = await post(client, {"query": query, "variables": {"text": "a\0b"}})
    message = "A value is out of range, or holds characters that cannot be stored."
    place = {"locations": [{"line": 1, "column": 26}], "path": ["dreams"]}
    expected = refused(message, **place) | {"data": None}
    assert (response.status_code, response.json()) == (200, expected)


async def test_a_nul_in_a_variable_that_nobody_asked_for_is_nothing(
    client: httpx2.AsyncClient,
) -> None:
    body = {"query": "{ __typename }", "variables": {"a": "\0", "\0": 1}}
    assert (await post(client, body)).json() == {"data": {"__typename": "Query"}}


async def test_body_too_large(client: httpx2.AsyncClient) -> None:
    response = await post(client, b" " * 5000)
    expected = refused("The body is larger than 4096 bytes.")
    assert (response.status_code, response.json()) == (413, expected)


async def test_body_too_large_without_saying_so(client: httpx2.AsyncClient) -> None:
    async def pieces() -> Any:
        for _ in range(10):
            yield b" " * 1000

    headers = ID | {"content-type": JSON}
    response = await client.post("/graphql", content=pieces(), headers=headers)
    expected = refused("The body is larger than 4096 bytes.")
    assert (response.status_code, response.json()) == (413, expected)


async def test_document_too_large(client: httpx2.AsyncClient) -> None:
    response = await post(client, {"query": "{ __typename }" + " " * 1024})
    expected = refused("The document is larger than 1024 bytes.", "QUERY_TOO_COMPLEX")
    assert (response.status_code, response.json()) == (400, expected)


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/graphql",
        "application/x-www-form-urlencoded",
        "application/json; charset=latin-1",
        "application/jsonp",
        "",
    ],
)
async def test_other_content_types_are_refused(
    client: httpx2.AsyncClient, content_type: str
) -> None:
    response = await post(client, {"query": "{ __typename }"}, content_type=content_type)
    expected = refused("Send application/json, encoded in UTF-8.")
    assert (response.status_code, response.json()) == (415, expected)


@pytest.mark.parametrize("content_type", ["Application/JSON", 'application/json; charset="UTF-8"'])
async def test_json_by_any_spelling(client: httpx2.AsyncClient, content_type: str) -> None:
    response = await post(client, {"query": "{ __typename }"}, content_type=content_type)
    assert (response.status_code, response.json()) == (200, {"data": {"__typename": "Query"}})


@pytest.mark.parametrize(
    ("accept", "answered"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (JSON, JSON),
        ("application/json; charset=utf-8", JSON),
        (GRAPHQL_JSON, GRAPHQL_JSON),
        (f"{GRAPHQL_JSON}, {JSON}", GRAPHQL_JSON),
        (f"{JSON}, {GRAPHQL_JSON}", GRAPHQL_JSON),
        (f"{GRAPHQL_JSON};q=0.5, {JSON}", JSON),
        (f"{GRAPHQL_JSON}, {JSON}, text/event-stream, multipart/mixed", GRAPHQL_JSON),
        (f"{GRAPHQL_JSON};q=0, */*", JSON),
        (f"{JSON}, */*", JSON),
    ],
)
async def test_accept_decides_the_form(
    client: httpx2.AsyncClient, accept: str, answered: str
) -> None:
    response = await post(client, {"query": "{ __typename }"}, accept)
    assert response.headers["content-type"] == f"{answered}; charset=utf-8"
    assert response.headers["vary"] == "Accept"
    assert response.json() == {"data": {"__typename": "Query"}}


@pytest.mark.parametrize("accept", ["text/html", "image/png", "application/json;q=0", ";;;q=x"])
async def test_nothing_acceptable(client: httpx2.AsyncClient, accept: str) -> None:
    response = await post(client, {"query": "{ __typename }"}, accept)
    message = f"Accept {GRAPHQL_JSON} or {JSON}, or text/event-stream or multipart/mixed."
    assert (response.status_code, response.json()) == (406, refused(message))
    assert response.headers["vary"] == "Accept"


@pytest.mark.parametrize(
    ("body", "message", "code", "more"),
    [
        (
            {"query": "{"},
            "Syntax Error: Expected Name, found <EOF>.",
            "GRAPHQL_PARSE_FAILED",
            {"locations": [{"line": 1, "column": 2}]},
        ),
        (
            {"query": "{ nothing }"},
            "Cannot query field 'nothing' on type 'Query'.",
            "GRAPHQL_VALIDATION_FAILED",
            {"locations": [{"line": 1, "column": 3}]},
        ),
        (
            {"query": "query A { __typename } query B { __typename }"},
            "The document has several operations; name one.",
            "BAD_USER_INPUT",
            {},
        ),
        (
            {"query": "query A { __typename }", "operationName": "B"},
            "There is no such operation in the document.",
            "BAD_USER_INPUT",
            {},
        ),
    ],
)
async def test_what_cannot_be_executed(
    client: httpx2.AsyncClient, body: dict[str, Any], message: str, code: str, more: dict[str, Any]
) -> None:
    expected = refused(message, code, **more)
    modern, legacy = await post(client, body, GRAPHQL_JSON), await post(client, body, JSON)
    assert (modern.status_code, modern.json()) == (400, expected)
    assert (legacy.status_code, legacy.json()) == (200, expected)


async def test_variables_that_do_not_fit(client: httpx2.AsyncClient) -> None:
    body = {"query": "query ($n: Int!) { dreams(first: $n) { totalCount } }", "variables": {}}
    response = await post(client, body, GRAPHQL_JSON)
    assert response.status_code == 400
    assert list(response.json()) == ["errors"]
    assert response.json()["errors"][0]["extensions"] == extensions("BAD_USER_INPUT")


async def test_answers_an_operation_with_variables(client: httpx2.AsyncClient) -> None:
    text = "query A($n: Int) { dreams(first: $n) { nodes { title } } } query B { __typename }"
    body = {"query": text, "operationName": "A", "variables": {"n": 1}, "extensions": {"a": 1}}
    response = await post(client, body, GRAPHQL_JSON)
    assert (response.status_code, response.json()) == (200, {"data": {"dreams": {"nodes": []}}})


async def test_get_answers_queries(client: httpx2.AsyncClient) -> None:
    text = "query A($n: Int) { dreams(first: $n) { nodes { title } } }"
    parameters = {"query": text, "variables": '{"n": 1}', "extensions": "{}", "operationName": "A"}
    response = await client.get("/graphql", params=parameters)
    assert (response.status_code, response.json()) == (200, {"data": {"dreams": {"nodes": []}}})


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, QUERY),
        ({"query": "{ __typename }", "variables": "[1]"}, "`variables` must be an object."),
        ({"query": "{ __typename }", "extensions": "3"}, "`extensions` must be an object."),
        ({"query": "{ __typename \0 }"}, NUL),
        (
            {"query": "{ __typename }", "variables": "{"},
            "`variables` is not JSON: unexpected end of data: line 1 column 2 (char 1).",
        ),
    ],
)
async def test_get_is_refused(
    client: httpx2.AsyncClient, parameters: dict[str, str], message: str
) -> None:
    response = await client.get("/graphql", params=parameters, headers=ID)
    assert (response.status_code, response.json()) == (400, refused(message))


async def test_a_browser_is_sent_to_the_console(client: httpx2.AsyncClient) -> None:
    accept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
    for path, target in (("/graphql?query={a}", "/graphiql?query={a}"), ("/graphql", "/graphiql")):
        response = await client.get(path, headers={"accept": accept})
        assert response.status_code == 303
        assert response.headers["location"].replace("%7B", "{").replace("%7D", "}") == target


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_other_methods(client: httpx2.AsyncClient, method: str) -> None:
    response = await client.request(method, "/graphql", headers=ID)
    expected = refused(f"Method Not Allowed: {method} /graphql")
    assert (response.status_code, response.json()) == (405, expected)
    assert set(response.headers["allow"].split(", ")) == {"GET", "HEAD", "POST"}
    assert "access-control-allow-origin" not in response.headers


async def test_unknown_path(client: httpx2.AsyncClient) -> None:
    response = await client.get("/nothing", headers=ID)
    expected = refused("Not Found: GET /nothing", "NOT_FOUND")
    assert (response.status_code, response.json()) == (404, expected)


async def test_the_root_leads_to_the_console(client: httpx2.AsyncClient) -> None:
    response = await client.get("/")
    assert (response.status_code, response.headers["location"]) == (303, "/graphiql")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8000", 200),
        ("127.0.0.1:8000", 200),
        ("[::1]:8000", 200),
        ("evil.example", 403),
        ("127.0.0.1.evil.example:8000", 403),
        ("[::1", 403),
        ("", 403),
    ],
)
async def test_development_answers_to_local_names_only(
    client: httpx2.AsyncClient, host: str, status: int
) -> None:
    response = await post(client, {"query": "{ __typename }"}, host=host)
    assert response.status_code == status
    if status == 403:
        message = "In development, call this gateway localhost or 127.0.0.1."
        assert response.json() == refused(message, "FORBIDDEN")


async def test_production_shows_strangers_only_what_is_public(database: Database) -> None:
    url = "postgresql://somewhere/else"
    settings = Settings(_env_file=None, env="production", database_url=url, public_read=True)
    async with _client_of(create_app(settings, database), "http://api.example") as client:
        response = await post(client, {"query": "{ users { nodes { email } } }"}, GRAPHQL_JSON)
    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("Bearer ")
    assert list(response.json()) == ["errors"]
    assert response.json()["errors"][0]["extensions"] == extensions("UNAUTHENTICATED")


@strawberry.type
class Query:
    """Something to ask for."""

    hello: str


@strawberry.type
class Mutation:
    """Something to do."""

    @strawberry.mutation
    def greet(self) -> str:
        raise AssertionError


@strawberry.type
class Subscription:
    """Something to hear."""

    @strawberry.subscription
    async def greetings(self) -> AsyncIterator[str]:
        raise AssertionError
        yield ""


@pytest.fixture
async def other(database: Database) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of an endpoint over a schema with mutations and subscriptions."""
    schema = strawberry.Schema(Query, Mutation, Subscription)
    auth = Auth(Settings(_env_file=None), database)
    unlimited = Callers(Budget(), 0, 0)
    ingestion, live = Ingestion(database), Live(database)
    nobody = Recorder(ingestion, 0)
    service = Service(schema, database, ingestion, live, auth, 1024, Limits(), unlimited, nobody)
    endpoint = Endpoint(service, 1024, Streams(0, 0, 0))
    app = Starlette(
        routes=[Route("/graphql", endpoint.handle, methods=["GET", "POST"])],
        middleware=[Middleware(RequestLog)],
        exception_handlers=errors.handlers,
    )
    async with _client_of(app) as client:
        yield client


async def test_mutations_go_by_post_only(other: httpx2.AsyncClient) -> None:
    response = await other.get("/graphql", params={"query": "mutation { greet }"}, headers=ID)
    assert (response.status_code, response.json()) == (405, refused("Send mutations by POST."))
    assert response.headers["allow"] == "POST"


@pytest.mark.parametrize("accept", [JSON, f"{GRAPHQL_JSON}, {JSON};q=0.9"])
async def test_a_subscription_needs_a_stream(other: httpx2.AsyncClient, accept: str) -> None:
    response = await post(other, {"query": "subscription { greetings }"}, accept)
    message = (
        "A subscription needs a WebSocket (graphql-transport-ws), or that you accept "
        "text/event-stream or multipart/mixed."
    )
    assert (response.status_code, response.json()) == (406, refused(message))


async def test_no_database_is_503(settings: Settings) -> None:
    app = create_app(settings, Database("postgresql://nobody@127.0.0.1:1/nothing"))
    user = f'user(id: "user_{"0" * 32}") {{ id }}'
    async with _client_of(app) as client:
        whole = await post(client, {"query": f"{{ {user} }}"})
        part = await post(client, {"query": f"{{ __typename {user} }}"})
    error = whole.json()["errors"][0]
    code = extensions("SERVICE_UNAVAILABLE")
    assert (whole.status_code, whole.headers["retry-after"]) == (503, "1")
    assert (error["message"], error["extensions"]) == (UNAVAILABLE, code)
    assert (part.status_code, part.json()["data"]) == (200, {"__typename": "Query", "user": None})


async def test_what_breaks_is_masked_and_logged_once(
    settings: Settings, database: Database
) -> None:
    app = create_app(settings, database)
    app.router.routes.append(Route("/broken", _broken))
    with capture_logs() as logs:
        async with _client_of(app) as client:
            response = await client.get("/broken", headers=ID)
    masked = "Something went wrong on our side. Quote the request id when you report it."
    expected = refused(masked, "INTERNAL_SERVER_ERROR")
    assert (response.status_code, response.json()) == (500, expected)
    assert [line["event"] for line in logs] == ["request failed", "request"]


async def _broken(_: Request) -> Response:
    raise RuntimeError("a secret detail")


def _client_of(app: Starlette, base_url: str = "http://localhost") -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=base_url)
