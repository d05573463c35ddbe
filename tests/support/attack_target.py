"""Target: a gateway in production, asked over HTTP with real credentials."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2

from db import Database
from gateway.settings import Settings
from support.factories import make_user
from support.gateways import Clock, gateway, make_key, production

# Attacks send many requests, and budgets are tested elsewhere.
RICH = {"budget_points_per_minute": 10**9, "budget_points_per_minute_anonymous": 10**9}


class Target:
    """A gateway whose cached credentials expire when its clock is moved."""

    def __init__(self, client: httpx2.AsyncClient, database: Database, settings: Settings) -> None:
        self.client = client
        self.database = database
        self.settings = settings
        self.clock = Clock()

    async def post(
        self, document: str, credential: str | None = None, **variables: Any
    ) -> httpx2.Response:
        """The response to an operation."""
        headers = {} if credential is None else {"authorization": f"Bearer {credential}"}
        body = {"query": document, "variables": variables}
        return await self.client.post("/graphql", json=body, headers=headers)

    async def ask(self, document: str, credential: str | None = None, **variables: Any) -> Any:
        """The data of an answer without errors."""
        answer = (await self.post(document, credential, **variables)).json()
        assert "errors" not in answer, answer
        return answer["data"]

    async def refusal(
        self, document: str, credential: str | None = None, **variables: Any
    ) -> tuple[str, str]:
        """The message and code of the one error of an answer without data."""
        answer = (await self.post(document, credential, **variables)).json()
        (error,) = answer["errors"]
        assert answer.get("data") is None
        return error["message"], error["extensions"]["code"]

    async def key(self, **more: Any) -> str:
        """A key; of a new member unless the user is given."""
        return (await make_key(self.database, self.settings, **more)).text

    async def key_of(self, role: str, *scopes: str) -> str:
        """A key of a new user with that role."""
        user = await make_user(self.database, role=role)
        return await self.key(user_id=user.id, scopes=scopes)

    def forget(self) -> None:
        """Let five seconds pass, after which nothing is remembered of credentials."""
        self.clock.now += 5


@asynccontextmanager
async def attacked(database: Database, **more: Any) -> AsyncIterator[Target]:
    """A gateway with public read."""
    settings = production(**{"public_read": True, **RICH, **more})
    clock = Clock()
    transport = httpx2.ASGITransport(gateway(settings, database, clock))
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        made = Target(client, database, settings)
        made.clock = clock
        yield made
