"""Requests: what the clients of a cluster were answered, and when."""

import time
from dataclasses import dataclass, field
from typing import NamedTuple

import httpx2
import orjson

from db.core.error_codes import ErrorCode

NO_ANSWER = 599  # of the load balancer: the connection was closed
FAILURES = {code.value for code in ErrorCode if code.http_status >= 500}
TIMEOUT = 15


class Answer(NamedTuple):
    at: float
    seconds: float
    status: int


@dataclass
class Ledger:
    """Every answer, of all clients."""

    answers: list[Answer] = field(default_factory=list)

    def failed(self, since: float) -> list[Answer]:
        return [each for each in self.answers if each.at >= since and each.status >= 500]

    def since(self, since: float) -> list[Answer]:
        return [each for each in self.answers if each.at >= since]


class Client:
    """Sends operations through the load balancer, with a key or without."""

    def __init__(self, address: str, ledger: Ledger, headers: dict[str, str]) -> None:
        self.url = f"{address}/graphql"
        self.ledger = ledger
        self.http = httpx2.AsyncClient(timeout=TIMEOUT, headers=headers)

    async def close(self) -> None:
        await self.http.aclose()

    async def send(self, query: str, **variables: object) -> tuple[int, dict[str, object]]:
        """The status and the data of an answer. A failure within a result counts as one of HTTP."""
        body = {"query": query, "variables": variables}
        began = time.monotonic()
        try:
            response = await self.http.post(self.url, json=body)
            status, answer = response.status_code, _parsed(response.content)
        except httpx2.TransportError:
            status, answer = NO_ANSWER, {}
        if any(code in FAILURES for code in _codes(answer)):
            status = max(status, 503)
        now = time.monotonic()
        self.ledger.answers.append(Answer(now, now - began, status))
        data = answer.get("data")
        return status, data if isinstance(data, dict) else {}


def _parsed(content: bytes) -> dict[str, object]:
    try:
        return dict(orjson.loads(content))
    except (ValueError, TypeError):  # a page of the load balancer
        return {}


def _codes(found: object) -> list[object]:
    """The codes of all errors, of the request and of payloads."""
    if isinstance(found, list):
        return [code for each in found for code in _codes(each)]
    if not isinstance(found, dict):
        return []
    return [found.get("code"), *(code for each in found.values() for code in _codes(each))]
