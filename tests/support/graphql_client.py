"""Endpoint: a gateway in production, asked over HTTP with an API key."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2

from db import Database
from db.users import Role
from support.factories import make_user
from support.gateways import gateway, make_key, production
from support.payloads import ERRORS, outcome_of


@dataclass(frozen=True)
class Endpoint:
    """A gateway, and the user of the key sent to it."""

    client: httpx2.AsyncClient
    user: Any

    async def post(self, query: str, variables: Any = None) -> httpx2.Response:
        """The response to an operation."""
        content = {"query": query, "variables": variables}
        return await self.client.post("/graphql", json=content)

    async def answer(self, query: str, variables: Any = None) -> Any:
        """The answer to an operation, which is no failure of the gateway."""
        response = await self.post(query, variables)
        assert response.status_code < 500, response.text
        answer = response.json()
        assert "INTERNAL_SERVER_ERROR" not in codes(answer), answer
        return answer

    async def data(self, query: str, variables: Any = None) -> Any:
        """The data of an answer without errors."""
        answer = await self.answer(query, variables)
        assert "errors" not in answer, answer
        return answer["data"]

    async def mutate(self, verb: str, input: Any, shown: str = "", kind: str = "") -> Any:
        """The outcome of a mutation: what it shows, or its first error. `kind` is the type of its
        input if it has another name."""
        return outcome_of(await self.payload(verb, input, shown, kind))

    async def payload(self, verb: str, input: Any, shown: str = "", kind: str = "") -> Any:
        """The payload of a mutation."""
        kind = kind or f"{verb[0].upper()}{verb[1:]}Input"
        document = (
            f"mutation ($input: {kind}!) {{ answer: {verb}(input: $input) {{ {shown} {ERRORS} }} }}"
        )
        return (await self.data(document, {"input": input}))["answer"]


@asynccontextmanager
async def endpoint(database: Database, role: Role = Role.ADMIN) -> AsyncIterator[Endpoint]:
    """A running gateway in production, and a new user of that role to ask it."""
    settings = production()
    user = await make_user(database, role=role)
    key = await make_key(database, settings, user_id=user.id)
    app = gateway(settings, database)
    transport = httpx2.ASGITransport(app)
    headers = {"authorization": f"Bearer {key.text}"}
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(
            transport=transport, base_url="http://127.0.0.1:8000", headers=headers
        ) as client,
    ):
        yield Endpoint(client, user)


def codes(answer: Any) -> list[str]:
    """The codes of the errors of an answer."""
    return [error["extensions"]["code"] for error in answer.get("errors", ())]
