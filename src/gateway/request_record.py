"""Request record: the facts about one request, for its transport, the log and the request events.

`request.state` holds it and nothing else. Each operation over a WebSocket has a record of its own.
"""

import os
import re
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Protocol

from starlette.datastructures import Headers
from starlette.types import Scope

from db.core.error_codes import ErrorCode
from gateway.networks import client_network, region
from gateway.trace_context import TraceContext, trace_context
from graph.core.context import Context
from graph.core.execution.operation import Operation
from graph.core.principal import ANONYMOUS, Client, Principal

API_PATH = "/graphql"
OTLP_PATHS = ("/v1/traces", "/v1/metrics", "/v1/logs")
API_PATHS = frozenset({API_PATH, *OTLP_PATHS})

_ACCEPTABLE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_ID_BYTES = 16
_BLOCK_BYTES = 256 * _ID_BYTES  # random bytes read at once: a system call for each id takes longer


class RequestSpan(Protocol):
    """The span of a request that is traced."""

    def executing(self, context: Context) -> AbstractContextManager[None]:
        """Measure the execution of its operation."""


@dataclass(slots=True)
class RequestRecord:
    """One request or one operation over a WebSocket, where `status` and `response_bytes` are None.

    `path` is that of a route, never what a client has sent. `prefix` is the path of the gateway on
    its proxies, `media_type` the one of an error response, None for JSON. `error` is set if the
    gateway is at fault, even for a part of the answer. `refused` requests are counted; others are
    recorded. `trace` is that of the client, or the one that the gateway began; `span` is None
    unless it is recorded. `is_connection`: a WebSocket as a whole.
    """

    request_id: str
    host: str = ""
    user_agent: str = ""
    method: str = ""
    path: str = ""
    prefix: str = ""
    media_type: str | None = None
    principal: Principal = ANONYMOUS
    operation: Operation | None = None
    fallback: str | None = None
    status: int | None = None
    error: ErrorCode | None = None
    refused: bool = False
    request_bytes: int = 0
    response_bytes: int | None = None
    began: float = 0.0
    seconds: float = 0.0
    trace: TraceContext | None = None
    span: RequestSpan | None = None
    is_connection: bool = False

    @property
    def network(self) -> str:
        return client_network(self.host)

    @property
    def region(self) -> str | None:
        """The network that events and counts name; None for a host without an address."""
        return region(self.host)

    @property
    def client(self) -> Client:
        return self.principal.known_client or self.principal.client(self.network)

    @property
    def failed(self) -> bool:
        return self.error is not None

    @property
    def is_served_operation(self) -> bool:
        return self.path in API_PATHS and not self.refused

    @property
    def is_refused_operation(self) -> bool:
        return self.path in API_PATHS and self.refused

    @property
    def duration_ms(self) -> float:
        return round(self.seconds * 1000, 2)

    @property
    def facts(self) -> dict[str, object]:
        facts: dict[str, object] = {
            "request_id": self.request_id,
            "method": self.method,
            "path": self.path,
        }
        if self.operation:
            facts |= {"operation": self.operation.short_name, "kind": self.operation.kind}
        if self.trace:
            facts["trace_id"] = self.trace.trace_id
        return facts | ({"fallback": self.fallback} if self.fallback else {})

    def of_operation(self, number: int) -> "RequestRecord":
        request_id = f"{self.request_id}.{number}"
        return replace(self, request_id=request_id, is_connection=False)


def record_of(scope: Scope) -> RequestRecord:
    state = scope.setdefault("state", {})
    if "record" not in state:
        headers, (host, _) = Headers(scope=scope), scope.get("client") or ("", 0)
        state["record"] = RequestRecord(
            _request_id(headers),
            host,
            headers.get("user-agent", ""),
            trace=trace_context(headers.get("traceparent", "")),
        )
    record: RequestRecord = state["record"]
    return record


_random = BytesIO()


def new_request_id() -> str:
    global _random
    if not (taken := _random.read(_ID_BYTES)):
        _random = BytesIO(os.urandom(_BLOCK_BYTES))
        taken = _random.read(_ID_BYTES)
    return taken.hex()


def _forget_random_bytes() -> None:
    """A child process must not use the ids of its parent."""
    _random.seek(0, os.SEEK_END)


os.register_at_fork(after_in_child=_forget_random_bytes)


def _request_id(headers: Headers) -> str:
    return acceptable_id(headers.get("x-request-id", "")) or new_request_id()


def acceptable_id(given: str) -> str | None:
    """The request id that a client has sent, if it is one."""
    return given if _ACCEPTABLE_ID.fullmatch(given) else None
