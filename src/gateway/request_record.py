"""Request record: the facts about one request, for its transport, the log and the request events.

`request.state` holds it and nothing else. Each operation over a WebSocket has a record of its own.
"""

import re
import time
from dataclasses import dataclass, field, replace
from uuid import uuid4

from starlette.datastructures import Headers
from starlette.types import Scope

from gateway.networks import client_network, region
from graph.core.execution.operation import Operation
from graph.core.principal import ANONYMOUS, Client, Principal

_ACCEPTABLE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(slots=True)
class RequestRecord:
    """One request or one operation over a WebSocket, where `status` and `response_bytes` are None.

    `prefix` is the path of the gateway on its proxies, `media_type` the one of an error response,
    None for JSON. `refused` requests are counted; others are recorded one by one.
    """

    request_id: str
    host: str = ""
    user_agent: str = ""
    prefix: str = ""
    media_type: str | None = None
    principal: Principal = ANONYMOUS
    operation: Operation | None = None
    status: int | None = None
    failed: bool = False
    refused: bool = False
    request_bytes: int = 0
    response_bytes: int | None = None
    began: float = field(default_factory=time.perf_counter)

    @property
    def network(self) -> str:
        return client_network(self.host)

    @property
    def region(self) -> str | None:
        """The network that events and counts name; None for a host without an address."""
        return region(self.host)

    @property
    def client(self) -> Client:
        return self.principal.client(self.network)

    def of_operation(self, number: int) -> "RequestRecord":
        request_id = f"{self.request_id}.{number}"
        return replace(self, request_id=request_id, began=time.perf_counter())


def record_of(scope: Scope) -> RequestRecord:
    state = scope.setdefault("state", {})
    if "record" not in state:
        headers, (host, _) = Headers(scope=scope), scope.get("client") or ("", 0)
        state["record"] = RequestRecord(_request_id(headers), host, headers.get("user-agent", ""))
    record: RequestRecord = state["record"]
    return record


def new_request_id() -> str:
    return uuid4().hex


def _request_id(headers: Headers) -> str:
    given = headers.get("x-request-id", "")
    return given if _ACCEPTABLE_ID.fullmatch(given) else new_request_id()
