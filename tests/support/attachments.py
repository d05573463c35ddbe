"""Attachments: a client that announces, sends, completes and reads files."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from starlette.applications import Starlette

from db import Database
from gateway.settings import Settings
from support.gateways import make_key
from support.mutations import mutation
from support.payloads import ERRORS

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 400
CREATED = (
    "attachment { id name size url storedAt } upload { url method headers { name value } } "
    f"{ERRORS}"
)
BASE = "http://127.0.0.1:8000"


@asynccontextmanager
async def client(
    app: Starlette, database: Database, settings: Settings, **key: Any
) -> AsyncIterator["Client"]:
    made = await make_key(database, settings, **key)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=BASE) as http:
        yield Client(http, made.text)


class Client:
    """Requests with a key to the API, and without one to addresses of files."""

    def __init__(self, http: httpx2.AsyncClient, key: str) -> None:
        self.http = http
        self.headers = {"authorization": f"Bearer {key}"}

    async def ask(self, query: str, **variables: Any) -> Any:
        body = {"query": query, "variables": variables}
        answer = (await self.http.post("/graphql", json=body, headers=self.headers)).json()
        assert "errors" not in answer, answer
        return answer["data"]

    async def do(self, verb: str, shown: str, **input: Any) -> Any:
        return (await self.ask(mutation(verb, shown), input=input))["answer"]

    async def create(self, content: bytes = PNG, **more: Any) -> Any:
        announced = {"name": "a.png", "contentType": "image/png", **announcement(content), **more}
        return await self.do("createAttachment", CREATED, **announced)

    async def send(self, upload: Any, content: bytes) -> httpx2.Response:
        headers = {each["name"]: each["value"] for each in upload["headers"]}
        url = f"/{upload['url']}"
        return await self.http.request(upload["method"], url, content=content, headers=headers)

    async def complete(self, id: str) -> Any:
        shown = f"attachment {{ id storedAt url }} {ERRORS}"
        return await self.do("completeAttachment", shown, id=id)

    async def attach(self, content: bytes = PNG, **more: Any) -> Any:
        made = await self.create(content, **more)
        assert (await self.send(made["upload"], content)).status_code == 201
        completed = await self.complete(made["attachment"]["id"])
        assert completed["errors"] == []
        return completed["attachment"]


def announcement(content: bytes) -> dict[str, str]:
    return {"size": str(len(content)), "sha256": hashlib.sha256(content).hexdigest()}


def messages(answer: Any) -> list[str]:
    return [error["message"] for error in answer["errors"]]


def files(settings: Settings) -> list[str]:
    folder = settings.data_dir / "media"
    return sorted(str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file())
