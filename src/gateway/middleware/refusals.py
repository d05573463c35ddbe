"""Refusals: refused requests, counted by client and stored together once a minute.

A refused request costs a client nothing, so one event for each would fill the database.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from graphql import GraphQLFormattedError

from db.core.error_codes import ErrorCode
from db.core.values.json import JsonObject
from graph.core.execution.operation import Operation

SECONDS = 60.0
MAX_KINDS = 1_000  # in a minute; further ones are counted for no network

DENIED_STATUSES = {401, 403, 405, 429}
FAULT_CODES = {code for code in ErrorCode if code.http_status >= 500} | {ErrorCode.OUTCOME_UNKNOWN}
DENIED_CODES = {ErrorCode.UNAUTHENTICATED, ErrorCode.FORBIDDEN, ErrorCode.RATE_LIMITED}


class Kind(NamedTuple):
    """Refusals that are counted together. Over a WebSocket the status is None."""

    status: int | None
    ip: str | None = None
    user_id: UUID | None = None
    key_id: UUID | None = None


@dataclass(slots=True)
class Count:
    """Refused requests of one kind, the bytes of their bodies, and when the first one came."""

    requests: int = 0
    request_bytes: int = 0
    began: float = field(default_factory=time.monotonic)


class Refusals:
    """Counts refused requests, and hands them to `store` a minute after the first."""

    def __init__(self, store: Callable[[Kind, JsonObject], None]) -> None:
        self.store = store
        self.counts: dict[Kind, Count] = {}
        self.timer: asyncio.TimerHandle | None = None

    def add(self, kind: Kind, request_bytes: int) -> None:
        if kind not in self.counts and len(self.counts) >= MAX_KINDS:
            kind = Kind(kind.status)
        count = self.counts.setdefault(kind, Count())
        count.requests += 1
        count.request_bytes += request_bytes
        if self.timer is None:
            self.timer = asyncio.get_running_loop().call_later(SECONDS, self.flush)

    def flush(self) -> None:
        if self.timer:
            self.timer.cancel()
            self.timer = None
        counts, self.counts = self.counts, {}
        for kind, count in counts.items():
            self.store(kind, _payload(kind, count))


def is_refusal(status: int, operation: Operation | None) -> bool:
    return status in DENIED_STATUSES or (400 <= status < 500 and operation is None)


def are_refusals(errors: Iterable[GraphQLFormattedError]) -> bool:
    """True if errors of an operation that was not executed deny access or points."""
    return any(error["extensions"]["code"] in DENIED_CODES for error in errors)


def fault_of(errors: Iterable[GraphQLFormattedError]) -> ErrorCode | None:
    """The first code among errors that is the gateway's fault, or that of its database."""
    codes = (ErrorCode.of_name(error["extensions"]["code"]) for error in errors)
    return next((code for code in codes if code in FAULT_CODES), None)


def _payload(kind: Kind, count: Count) -> JsonObject:
    return {
        "status": kind.status,
        "ip": kind.ip,
        "key_id": kind.key_id,
        "count": count.requests,
        "request_bytes": count.request_bytes,
        "seconds": round(time.monotonic() - count.began, 1),
    }
