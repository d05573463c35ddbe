"""Gateways: in production or development, with credentials and requests for them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from starlette.applications import Starlette

from db import Database, api_keys
from db.api_keys.writes import NewKey
from db.users import Role
from gateway.app import create_app
from gateway.auth.authenticator import Auth
from gateway.auth.pepper import api_key_codec
from gateway.settings import Settings
from support.factories import make_user

Send = Callable[..., Awaitable[Any]]
WHO = "{ viewer { role scopes } }"
MEMBER = {"role": "MEMBER", "scopes": []}


class Clock:
    """A clock that a test moves; in seconds."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def production(**more: Any) -> Settings:
    """Settings of production that no variable and no file changes."""
    url = "postgresql://somewhere/else"
    fixed: dict[str, Any] = {"env": "production", "database_url": url, "key_pepper": "p" * 32}
    return Settings(_env_file=None, **(fixed | more))


def gateway(settings: Settings, database: Database, clock: Clock | None = None) -> Starlette:
    """A gateway with its own caches, like another process."""
    return create_app(settings, database, Auth(settings, database, clock or Clock()))


async def make_key(database: Database, settings: Settings, **more: Any) -> NewKey:
    """A key of a new user unless one is given: of a member, or of an operator if scopes limit it,
    so that all scopes except those of administrators have an effect."""
    if "user_id" not in more:
        role = Role.OPERATOR if more.get("scopes") else Role.MEMBER
        more["user_id"] = (await make_user(database, role=role)).id
    async with database.write() as session:
        return await api_keys.writes.create(
            session, api_key_codec(settings), service="test", **more
        )


async def ask(
    app: Starlette, credential: str | None = None, query: str = WHO, **headers: str
) -> httpx2.Response:
    """The response to a query, by default for the viewer."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if credential is not None:
        named["authorization"] = f"Bearer {credential}"
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        return await client.post("/graphql", json={"query": query}, headers=named)


@asynccontextmanager
async def signed_in(app: Starlette, credential: str) -> AsyncIterator[Send]:
    """`await send(document, input=…)`: the data of an answer of the gateway, which runs until the
    context ends; everything it acknowledged is stored then."""
    transport, headers = httpx2.ASGITransport(app), {"authorization": f"Bearer {credential}"}
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(
            transport=transport, base_url="http://127.0.0.1:8000", headers=headers
        ) as client,
    ):

        async def send(document: str, **variables: Any) -> Any:
            body = {"query": document, "variables": variables}
            answer = (await client.post("/graphql", json=body)).json()
            assert "errors" not in answer, answer
            return answer["data"]

        yield send


async def status(app: Starlette, credential: str) -> int:
    """The status of a response to a query for the viewer."""
    return (await ask(app, credential)).status_code


async def viewer(app: Starlette, credential: str | None = None) -> Any:
    """The viewer that the gateway reports."""
    answer = (await ask(app, credential)).json()
    assert "errors" not in answer, answer
    return answer["data"]["viewer"]


def is_refused(response: httpx2.Response) -> bool:
    """Whether an answer is the one that every credential gets that is not valid."""
    assert response.status_code == 401, response.text
    (error,) = response.json()["errors"]
    challenge = 'Bearer realm="dreamnet", error="invalid_token"'
    return (
        error["message"] == "This credential is not valid: it is unknown, expired or revoked."
        and error["extensions"]["code"] == "UNAUTHENTICATED"
        and response.headers["www-authenticate"] == challenge
    )


def handshake(scheme: str = "ws", **headers: str) -> dict[str, object]:
    """The scope of a WebSocket from this machine."""
    named = {"host": "127.0.0.1:8000"} | headers
    pairs = [(name.encode(), value.encode()) for name, value in named.items()]
    return {
        "type": "websocket",
        "scheme": scheme,
        "path": "/graphql",
        "query_string": b"",
        "headers": pairs,
    }
