"""Endpoint: requests of exporters and collectors of OpenTelemetry over HTTP.

Source: https://opentelemetry.io/docs/specs/otlp/#otlphttp
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from google.protobuf.message import Message
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from db.core.errors import Unavailable
from gateway.auth.challenges import unauthenticated
from gateway.errors import RETRY, HttpError
from gateway.otlp.faults import MAX_ITEMS, Malformed, Refused
from gateway.otlp.forms import (
    FACTOR,
    PROTOBUF,
    Form,
    check_encoding,
    decompressed,
    form_of,
)
from gateway.otlp.parts import Item
from gateway.otlp.rows import Row
from gateway.otlp.signals import SIGNALS, Signal
from gateway.otlp.storing import Refusals, Store
from gateway.request_record import RequestRecord, record_of
from gateway.transport.admission import FULL, Admission, Body
from gateway.transport.executor import Executor
from gateway.transport.http import received

TURN_ITEMS, TURN_BYTES = 50, 64 * 1024  # that are mapped in one turn of the event loop
TOO_MANY = f"the request has more than {MAX_ITEMS:,} items; send smaller batches"


def routes(executor: Executor, admission: Admission, max_body_bytes: int) -> list[Route]:
    receiver = Receiver(executor, admission, max_body_bytes)
    return [
        Route(path, partial(receiver.handle, signal=signal), methods=["POST"])
        for path, signal in SIGNALS.items()
    ]


@dataclass(frozen=True, slots=True)
class Receiver:
    """Stores the items of requests."""

    executor: Executor
    admission: Admission
    max_body_bytes: int

    async def handle(self, request: Request, signal: Signal) -> Response:
        form = form_of(request)
        try:
            if form is None:
                raise HttpError(f"Send {PROTOBUF}, or application/json in UTF-8.", 415)
            return form.respond(await self._stored(request, form, signal))
        except Malformed as malformed:
            return (form or Form.JSON).refuse(HttpError(str(malformed)))
        except Unavailable as error:
            return (form or Form.JSON).refuse(HttpError(error.message, 503, headers=RETRY))
        except HttpError as refused:
            return (form or Form.JSON).refuse(refused)

    async def _stored(self, request: Request, form: Form, signal: Signal) -> Message:
        """The response to a request whose items are stored. Raises HttpError, Malformed,
        Unavailable."""
        is_compressed, record = check_encoding(request), record_of(request.scope)
        record.principal = await self.executor.auth.principal(request)
        if not record.principal.is_known:
            raise unauthenticated()
        with self.admission.body(record.client) as body:
            content = await received(request, body, self.max_body_bytes)
            if is_compressed:
                content = await self._decompressed(content, body)
            store = Store(self.executor, record)
            count = await self._store(form.items(content, signal.levels), signal, store, record)
        _check_access(count, store.refusals)
        refusals = store.refusals
        return signal.answer(len(refusals.messages), refusals.summary)

    async def _decompressed(self, content: bytes, body: Body) -> bytes:
        """Raises HttpError, Malformed."""
        content = await decompressed(content, FACTOR * self.max_body_bytes)
        if not body.claim.take(len(content)):
            raise HttpError(FULL, 429, headers=RETRY)
        await self.admission.turns.next(body.claim.client)
        return content

    async def _store(
        self, items: list[Item], signal: Signal, store: Store, record: RequestRecord
    ) -> int:
        """Map items and store them; return their number. Raises HttpError, Malformed."""
        seen: Counter[str] = Counter()
        for first, last in _turns(items[:MAX_ITEMS]):
            await self.admission.turns.next(record.client.name)
            for position in range(first, last):
                try:
                    rows = signal.rows(items[position])
                except Refused as refused:
                    store.refusals.add(position, str(refused))
                else:
                    await store.add(position, _numbered(rows, seen) if signal.repeats else rows)
        for position in range(MAX_ITEMS, len(items)):
            store.refusals.add(position, TOO_MANY)
        await store.flush()
        return len(items)


def _turns(items: list[Item]) -> Iterator[tuple[int, int]]:
    """The bounds of slices of items that are mapped in one turn."""
    first = size = 0
    for position, item in enumerate(items):
        size += len(item.part.content)
        if position - first + 1 >= TURN_ITEMS or size >= TURN_BYTES:
            yield first, position + 1
            first, size = position + 1, 0
    if first < len(items):
        yield first, len(items)


def _numbered(rows: list[Row], seen: Counter[str]) -> Iterator[Row]:
    """Rows whose keys tell equal items of one request apart."""
    for table, values in rows:
        key = str(values["idempotencyKey"])
        seen[key] += 1
        number = f"#{seen[key]}" if seen[key] > 1 else ""
        yield Row(table, values | {"idempotencyKey": f"{key}{number}"})


def _check_access(count: int, refusals: Refusals) -> None:
    """Raises HttpError if the client may store none of the items."""
    if count and len(refusals.denied) == count:
        raise HttpError(refusals.messages[min(refusals.denied)], 403)
