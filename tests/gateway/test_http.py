"""HTTP: every method, path, host and failure has a response in JSON."""

from collections.abc import AsyncIterator

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
from db.core.ingest.writer import Ingestion
from gateway import errors
from gateway.app import create_app
from gateway.auth.authenticator import Auth
from gateway.auth.clients import ClientAccounts
from gateway.middleware.recorder import Recorder
from gateway.middleware.request_events import RequestEvents
from gateway.middleware.request_log import RequestLog
from gateway.settings import Settings
from gateway.transport.admission import Admission
from gateway.transport.connections import OpenStreams
from gateway.transport.executor import Executor
from gateway.transport.http import Endpoint
from gateway.transport.memory_shares import Rooms
from graph.core.budget import Budget
from graph.core.execution.bounds import Limits
from graph.core.subscriptions.broker import SubscriptionBroker
from support.gateways import production
from support.http_client import GRAPHQL_JSON, ID, JSON, client_of, extensions, post, refused

UNAVAILABLE = "The database does not answer; try again in a moment."


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
    assert (response.status_code, response.headers["location"]) == (303, "console")


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
        message = "In development, use the host localhost or 127.0.0.1."
        assert response.json() == refused(message, "FORBIDDEN")


async def test_production_shows_public_data_only_to_anonymous_clients(database: Database) -> None:
    url = "postgresql://somewhere/else"
    settings = Settings(_env_file=None, env="production", database_url=url, public_read=True)
    async with client_of(create_app(settings, database), "http://api.example") as client:
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
    unrestricted = ClientAccounts(Budget(), 0, 0)
    ingestion, live = Ingestion(database), SubscriptionBroker(database)
    nobody = Recorder(RequestEvents(ingestion, 0))
    service = Executor(
        *(schema, database, ingestion, live, auth, 1024),
        *(Limits(), unrestricted, nobody, Rooms(1024)),
    )
    endpoint = Endpoint(service, 1024, OpenStreams(0, 0, 0), Admission(1024, service.turns))
    app = Starlette(
        routes=[Route("/graphql", endpoint.handle, methods=["GET", "POST"])],
        middleware=[Middleware(RequestLog, recorder=nobody)],
        exception_handlers=errors.handlers,
    )
    async with client_of(app) as client:
        yield client


async def test_mutations_go_by_post_only(other: httpx2.AsyncClient) -> None:
    response = await other.get("/graphql", params={"query": "mutation { greet }"}, headers=ID)
    assert (response.status_code, response.json()) == (405, refused("Send mutations by POST."))
    assert response.headers["allow"] == "POST"


@pytest.mark.parametrize("accept", [JSON, f"{GRAPHQL_JSON}, {JSON};q=0.9"])
async def test_a_subscription_needs_a_stream(other: httpx2.AsyncClient, accept: str) -> None:
    response = await post(other, {"query": "subscription { greetings }"}, accept)
    message = (
        "Send subscriptions over a WebSocket (graphql-transport-ws), or accept "
        "text/event-stream or multipart/mixed."
    )
    assert (response.status_code, response.json()) == (406, refused(message))


async def test_no_database_is_503() -> None:
    nowhere = Database("postgresql://nobody@127.0.0.1:1/nothing")
    app = create_app(production(public_read=True), nowhere)
    dream = f'dream(id: "dream_{"0" * 32}") {{ id }}'
    async with client_of(app) as client:
        whole = await post(client, {"query": f"{{ {dream} }}"})
        part = await post(client, {"query": f"{{ __typename {dream} }}"})
    error = whole.json()["errors"][0]
    code = extensions("SERVICE_UNAVAILABLE")
    assert (whole.status_code, whole.headers["retry-after"]) == (503, "1")
    assert (error["message"], error["extensions"]) == (UNAVAILABLE, code)
    assert (part.status_code, part.json()["data"]) == (200, {"__typename": "Query", "dream": None})


async def test_development_without_a_database_is_503(settings: Settings) -> None:
    app = create_app(settings, Database("postgresql://nobody@127.0.0.1:1/nothing"))
    async with client_of(app) as client:
        response = await post(client, {"query": "{ __typename }"})
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert response.json()["errors"][0]["message"] == UNAVAILABLE


async def test_an_exception_is_masked_and_logged_once(
    settings: Settings, database: Database
) -> None:
    app = create_app(settings, database)
    app.router.routes.append(Route("/broken", _broken))
    with capture_logs() as logs:
        async with client_of(app) as client:
            response = await client.get("/broken", headers=ID)
    masked = "Something went wrong on our side. Quote the request id when you report it."
    expected = refused(masked, "INTERNAL_SERVER_ERROR")
    assert (response.status_code, response.json()) == (500, expected)
    assert [line["event"] for line in logs] == ["request failed", "request"]


async def _broken(_: Request) -> Response:
    raise RuntimeError("a secret detail")
