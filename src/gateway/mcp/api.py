"""API: operations sent to the gateway over HTTP, with the credential of the caller."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, cast

import httpx2
import orjson

from db.core.error_codes import ErrorCode
from db.users import Role
from graph.core.principal import Principal

CODES: dict[str, ErrorCode] = {str(code): code for code in ErrorCode}
TIMEOUT_SECONDS = 30.0
VIEWER = "{ viewer { role scopes } }"

Json = dict[str, object]


class Error(NamedTuple):
    code: ErrorCode
    message: str

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


NO_RESPONSE = Error(
    ErrorCode.SERVICE_UNAVAILABLE, "The gateway does not respond. Try again in some seconds."
)


@dataclass(frozen=True, slots=True)
class Answer:
    """The data of an operation and its errors, also those of the payloads of mutations."""

    data: Json | None
    errors: list[Error]


class Refused(Exception):
    """The gateway does not accept a credential."""

    def __init__(self, error: Error) -> None:
        super().__init__(str(error))
        self.error = error


class Api:
    def __init__(self, client: httpx2.AsyncClient) -> None:
        self.client = client

    async def principal(self, credential: str) -> Principal:
        """The rights of a caller. A key with scopes has no role here: they are its only limit.
        Raises Refused."""
        answer = await self.execute(VIEWER, {}, credential)
        if answer.errors or answer.data is None:
            raise Refused(next(iter(answer.errors), NO_RESPONSE))
        viewer = cast("Json", answer.data["viewer"])
        scopes = frozenset(cast("list[str]", viewer["scopes"]))
        role = Role.ADMIN if scopes else viewer["role"]
        return Principal(role=Role(cast("str", role)) if role else None, scopes=scopes)

    async def execute(
        self, document: str, variables: Mapping[str, object], credential: str
    ) -> Answer:
        body = {"query": document, "variables": variables}
        headers = {"authorization": credential}
        try:
            response = await self.client.post("/graphql", json=body, headers=headers)
            answer = cast("Json", orjson.loads(response.content))
        except (httpx2.TransportError, orjson.JSONDecodeError):
            return Answer(None, [NO_RESPONSE])
        data = cast("Json | None", answer.get("data"))
        return Answer(data, [*_errors(answer), *_payload_errors(data)])


def _errors(answer: Json) -> Iterator[Error]:
    for error in cast("list[Json]", answer.get("errors") or []):
        extensions = cast("Json", error.get("extensions") or {})
        yield Error(_code(extensions.get("code")), str(error.get("message")))


def _payload_errors(data: Json | None) -> Iterator[Error]:
    for payload in (data or {}).values():
        for error in (payload.get("errors") or []) if isinstance(payload, dict) else []:
            if "code" in error:
                yield Error(_code(error["code"]), error["message"])


def _code(code: object) -> ErrorCode:
    """A newer gateway may have codes that are unknown here."""
    return CODES.get(str(code), ErrorCode.INTERNAL_SERVER_ERROR)
