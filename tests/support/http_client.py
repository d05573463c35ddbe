"""Posting: requests to /graphql, and the answers to those that are not executed."""

from typing import Any

import httpx2
from starlette.applications import Starlette

JSON = "application/json"
GRAPHQL_JSON = "application/graphql-response+json"
ID = {"x-request-id": "test"}


def refused(message: str, code: str = "BAD_USER_INPUT", **more: Any) -> dict[str, Any]:
    """The whole answer to a request that was not executed."""
    return {"errors": [{"message": message, **more, "extensions": extensions(code)}]}


def extensions(code: str) -> dict[str, str]:
    """Those of the error of such a request."""
    return {"code": code, "requestId": "test"}


async def post(
    client: httpx2.AsyncClient, body: bytes | dict[str, Any], accept: str = JSON, **headers: str
) -> httpx2.Response:
    """The answer to a body, or to an object as one."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    sent: dict[str, Any] = {"content": body} if isinstance(body, bytes) else {"json": body}
    headers = ID | {"accept": accept, "content-type": JSON} | named
    return await client.post("/graphql", headers=headers, **sent)


def client_of(app: Starlette, base_url: str = "http://localhost") -> httpx2.AsyncClient:
    """A client of an app in this process, which is not started."""
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=base_url)
