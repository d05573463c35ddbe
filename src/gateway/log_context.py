"""Log context: the request that a task serves, for its log lines."""

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Protocol


class LoggedRequest(Protocol):
    """What a line has of its request."""

    @property
    def request_id(self) -> str: ...

    @property
    def facts(self) -> Mapping[str, object]: ...


current_record: ContextVar[LoggedRequest | None] = ContextVar("current_record", default=None)
