"""Storing: the rows of a request, by batch mutations of the API, with the rights, points and limits
of the client."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from graphql import GraphQLFormattedError

from db.core.error_codes import ErrorCode
from db.core.values import json
from gateway.errors import HttpError
from gateway.otlp.rows import Row, Table
from gateway.request_record import RequestRecord
from gateway.transport import declared
from gateway.transport.executor import Executor
from graph.core.types.input_values import count_values

MAX_ROWS, MAX_VALUES = 100, 2_000  # of a batch: one of invalid rows takes 40 ms of the event loop
MOST_SHOWN = 5  # kinds of refusals in a message
SHOWN = 200  # characters of each
AGAIN = {ErrorCode.OUTCOME_UNKNOWN, ErrorCode.TIMEOUT}  # of a part; what is stored is not repeated
DENIED = {ErrorCode.FORBIDDEN, ErrorCode.UNAUTHENTICATED}


@dataclass(slots=True)
class Refusals:
    """Why items were not stored, by their position in the request."""

    messages: dict[int, str] = field(default_factory=dict)
    denied: set[int] = field(default_factory=set)

    def add(self, item: int, message: str) -> None:
        self.messages.setdefault(item, message)

    @property
    def summary(self) -> str:
        counts = Counter(self.messages.values()).most_common()
        shown = [f"{count} of: {message[:SHOWN]}" for message, count in counts[:MOST_SHOWN]]
        more = [f"{len(counts) - MOST_SHOWN} more reasons"] if len(counts) > MOST_SHOWN else []
        return "; ".join([*shown, *more])


@dataclass(slots=True)
class Batch:
    """Rows that are stored together, with the positions of their items."""

    rows: list[object] = field(default_factory=list)
    items: list[int] = field(default_factory=list)
    values: int = 0


class Store:
    """Stores the rows of one request."""

    def __init__(self, executor: Executor, record: RequestRecord) -> None:
        self.executor = executor
        self.record = record
        self.refusals = Refusals()
        self.batches: dict[Table, Batch] = {}

    async def add(self, item: int, rows: Iterable[Row]) -> None:
        """Raises HttpError."""
        for table, values in rows:
            size = count_values(values)
            batch = self.batches.setdefault(table, Batch())
            if len(batch.rows) >= MAX_ROWS or batch.values + size > MAX_VALUES:
                await self._flush(table)
                batch = self.batches.setdefault(table, Batch())
            batch.rows.append(values)
            batch.items.append(item)
            batch.values += size

    async def flush(self) -> None:
        """Raises HttpError."""
        for table in list(self.batches):
            await self._flush(table)

    async def _flush(self, table: Table) -> None:
        batch = self.batches.pop(table)
        result = await declared.run(
            self.executor, self.record, table.document, {"items": batch.rows}
        )
        errors = result.errors
        _check(errors)
        content = json.loads(result.body)
        answer = ((content.get("data") if isinstance(content, dict) else None) or {}).get("answer")
        if errors or answer is None:
            self._refuse_all(batch, errors)
            return
        for error in answer["errors"]:
            self._refuse(batch.items, error["message"])
        for refused in answer["refused"]:
            first = refused["errors"][0]
            _check_code(first["code"], first["message"])
            self._refuse([batch.items[refused["index"]]], _said(first))

    def _refuse_all(self, batch: Batch, errors: Sequence[GraphQLFormattedError]) -> None:
        self._refuse(batch.items, errors[0]["message"])
        if errors[0]["extensions"]["code"] in DENIED:
            self.refusals.denied.update(batch.items)

    def _refuse(self, items: Iterable[int], message: str) -> None:
        for item in items:
            self.refusals.add(item, message)


def _check(errors: Sequence[GraphQLFormattedError]) -> None:
    """Raises HttpError if the request should be sent again."""
    for error in errors:
        extensions = error["extensions"]
        wait = max(1, math.ceil(extensions.get("retryAfterMs", 0) / 1000))
        _check_code(extensions["code"], error["message"], wait)


def _check_code(name: str, message: str, wait: int = 1) -> None:
    code = ErrorCode.of_name(name)
    again = {"retry-after": str(wait)}
    if code.retryable:
        raise HttpError(message, code.http_status, code, again)
    if code in AGAIN:
        raise HttpError(message, 503, ErrorCode.SERVICE_UNAVAILABLE, again)
    if code == ErrorCode.INTERNAL_SERVER_ERROR:
        raise HttpError(message, 500, code)


def _said(error: dict[str, object]) -> str:
    """What is wrong, with the field, but not with the position, which would make each differ."""
    place = error["field"]
    names = [part for part in place[1:] if not part.isdecimal()] if isinstance(place, list) else []
    return f"{'.'.join(names)}: {error['message']}" if names else str(error["message"])
