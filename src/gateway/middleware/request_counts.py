"""Request counts: how many requests and operations ended how, and how long they took.

One lookup for each request. What is asked of the counts is summed from them when it is asked.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from enum import StrEnum

from db.core.durations import Durations
from gateway.request_record import API_PATH, RequestRecord
from graph.core.execution.operation import Kind

MAX_REASONS = 100  # of fallbacks that are counted apart
OTHER_REASON = "other"
OTHER_METHOD = "_OTHER"
REDIRECTS = (303, 307)
METHODS = {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"}

Labels = tuple[str, ...]
_Key = tuple[str, str, int | None, Kind | None, bool, bool]


class Outcome(StrEnum):
    """How an operation ended. `OK`: it was executed, perhaps with errors of its caller; `FAILED`:
    the gateway or its database is at fault."""

    OK = "ok"
    REFUSED = "refused"
    FAILED = "failed"


class RequestCounts:
    """The requests and operations of this process that are over."""

    def __init__(self) -> None:
        self.known: dict[_Key, Durations] = {}
        self.fallbacks: Counter[str] = Counter()

    def add(self, record: RequestRecord) -> None:
        operation = record.operation
        key = (
            record.method,
            record.path,
            record.status,
            None if operation is None else operation.kind,
            record.error is not None,
            record.refused,
        )
        if (durations := self.known.get(key)) is None:
            durations = self.known[key] = Durations()
        durations.add(record.seconds)
        if record.fallback is not None:
            self._count_fallback(record.fallback)

    @property
    def requests(self) -> dict[Labels, Durations]:
        """The durations of requests over HTTP by method, route and status."""
        return _summed(self.known.items(), _route)

    @property
    def operations(self) -> dict[Labels, Durations]:
        """The durations of operations by type and outcome. The type of one that could not be read
        is `unknown`."""
        return _summed(self.known.items(), _type_and_outcome)

    def _count_fallback(self, reason: str) -> None:
        is_counted_apart = reason in self.fallbacks or len(self.fallbacks) < MAX_REASONS
        self.fallbacks[reason if is_counted_apart else OTHER_REASON] += 1


def _summed(
    counted: Iterable[tuple[_Key, Durations]], labels_of: Callable[[_Key], Labels | None]
) -> dict[Labels, Durations]:
    found: dict[Labels, Durations] = {}
    for key, durations in counted:
        if (labels := labels_of(key)) is not None:
            found.setdefault(labels, Durations()).merge(durations)
    return found


def _route(key: _Key) -> Labels | None:
    """None for an operation over a WebSocket."""
    method, path, status, *_ = key
    if status is None:
        return None
    return method if method in METHODS else OTHER_METHOD, path, str(status)


def _type_and_outcome(key: _Key) -> Labels | None:
    """None for a request that is no operation, such as one that was redirected to a page."""
    _, path, status, kind, is_failed, is_refused = key
    if kind is None and (path != API_PATH or status in REDIRECTS):
        return None
    is_refused = is_refused or kind is None
    outcome = Outcome.FAILED if is_failed else Outcome.REFUSED if is_refused else Outcome.OK
    return kind or "unknown", outcome
