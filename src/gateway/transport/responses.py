"""Responses: the result of an operation in the media type that the client accepts.

The status follows the GraphQL over HTTP specification and current practice: 200 for an executed
operation, with or without errors. For one that was not executed (syntax, validation, variables) it
is 400 if the client accepts application/graphql-response+json, else 200, because other clients take
any other status for a network failure. Codes that ask for a retry have 503 or 429 in any form, so
that proxies and clients retry; these responses are always JSON.
"""

import asyncio
import math
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from db.core.error_codes import ErrorCode
from gateway import errors
from gateway.auth.challenges import CHALLENGE
from gateway.errors import JSON, RETRY
from gateway.middleware.refusals import are_refusals
from gateway.protocols.http11 import transport
from gateway.protocols.slow_clients import LARGE, SlowClientDetector
from gateway.request_record import RequestRecord
from gateway.transport.formats import STREAM_FORMATS
from gateway.transport.negotiation import GRAPHQL_JSON
from graph.core.execution.operation import InvalidOperation
from graph.core.execution.result import OperationResult
from graph.core.types.errors import formatted

VARY = {"vary": "Accept"}
RETRY_STATUSES = {code.http_status for code in ErrorCode if code.retryable}


class HeldResponse(Response):
    """A response that holds memory until its client has read it, except for buffered bytes."""

    def __init__(self, inner: Response, held: ExitStack) -> None:
        super().__init__(status_code=inner.status_code)
        self.inner = inner
        self.held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self.held:
            await self.inner(scope, receive, partial(_send_and_wait, send, transport(scope)))


async def _send_and_wait(
    send: Send, connection: asyncio.Transport | None, message: Message
) -> None:
    """Send a message. Wait until a large body has left the buffer. A client that does not read is
    disconnected."""
    if len(message.get("body", b"")) <= LARGE or message.get("more_body"):
        await send(message)
        return
    detector = SlowClientDetector(connection, connection.abort if connection else lambda: None)
    await send({**message, "more_body": True})
    detector.begin()
    try:
        await send({"type": "http.response.body", "body": b""})
    finally:
        detector.end()


def invalid(operation: InvalidOperation, record: RequestRecord) -> OperationResult:
    """The result of an operation that cannot be executed."""
    errors = [formatted(error, record.request_id) for error in operation.errors]
    return OperationResult(None, errors, executed=False)


def respond(result: OperationResult, *, record: RequestRecord, media_type: str) -> Response:
    record.refused = not result.executed and are_refusals(result.errors)
    status = _status(result, media_type)
    if status in RETRY_STATUSES:
        result = replace(result, executed=False)  # without data
    if stream_format := STREAM_FORMATS.get(media_type):
        if status == 200:
            return stream_format.whole(result.body)
        media_type = JSON
    return errors.encoded(result.body, status, _headers(status, result), media_type)


def _headers(status: int, result: OperationResult) -> dict[str, str]:
    if status == 401:
        return VARY | CHALLENGE
    return VARY | _retry(result) if status in RETRY_STATUSES else VARY


def _status(result: OperationResult, media_type: str) -> int:
    codes = {error["extensions"]["code"] for error in result.errors}
    no_data = all(value is None for value in (result.data or {}).values())
    code = ErrorCode.of_name(codes.pop() if len(codes) == 1 else "")
    if no_data and code.retryable:
        return code.http_status
    return 200 if result.executed or media_type != GRAPHQL_JSON else code.http_status


def _retry(result: OperationResult) -> dict[str, str]:
    times = [error["extensions"].get("retryAfterMs", 0) for error in result.errors]
    return RETRY | {"retry-after": str(max(1, math.ceil(max(times) / 1000)))}
