"""Errors: responses to failed requests, in the shape of GraphQL errors."""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from db.core.error_codes import ErrorCode
from db.core.errors import Unavailable
from gateway.request_record import record_of
from graph.core.types.errors import CODES as DOMAIN_CODES, shortened

JSON = "application/json"
RETRY = {"retry-after": "1"}
MASKED = "Something went wrong on our side. Quote the request id when you report it."


class HttpError(Exception):
    """The request failed before it was executed. The message is sent to the client."""

    def __init__(
        self,
        message: str,
        status: int = 400,
        code: ErrorCode | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code or ErrorCode.of_status(status)
        self.headers = headers


def respond(
    content: object,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    media_type: str = JSON,
) -> Response:
    return encoded(orjson.dumps(content), status, headers, media_type)


def encoded(
    body: bytes, status: int, headers: Mapping[str, str] | None, media_type: str
) -> Response:
    kept = {"content-type": f"{media_type}; charset=utf-8", "cache-control": "no-store"}
    return Response(body, status, headers={**kept, **(headers or {})})


def refusal(refused: HttpError, request_id: str, media_type: str = JSON) -> Response:
    extensions: dict[str, object] = {"code": str(refused.code), "requestId": request_id}
    if seconds := (refused.headers or {}).get("retry-after"):
        extensions["retryAfterMs"] = int(seconds) * 1000
    error = {"message": str(refused), "extensions": extensions}
    headers = {"vary": "Accept", **(refused.headers or {})}
    return respond({"errors": [error]}, refused.status, headers, media_type)


def masked(request_id: str) -> Response:
    return refusal(HttpError(MASKED, 500), request_id)


async def handle_refused(request: Request, refused: HttpError) -> Response:
    record = record_of(request.scope)
    return refusal(refused, record.request_id, record.media_type or JSON)


async def handle_http(request: Request, error: HTTPException) -> Response:
    """Handle the errors of Starlette: an unknown path, a method that is not allowed."""
    message = f"{HTTPStatus(error.status_code).phrase}: {request.method} {request.url.path}"
    refused = HttpError(shortened(message), error.status_code, headers=error.headers)
    return refusal(refused, record_of(request.scope).request_id)


async def handle_unavailable(request: Request, error: Unavailable) -> Response:
    """Handle an unavailable or read-only database outside the execution of an operation."""
    return unavailable(error, record_of(request.scope).request_id)


def unavailable(error: Unavailable, request_id: str) -> Response:
    refused = HttpError(error.message, 503, DOMAIN_CODES[type(error)], RETRY)
    return refusal(refused, request_id)


handlers: Mapping[type[Exception], Callable[..., Awaitable[Response]]] = {
    HttpError: handle_refused,
    HTTPException: handle_http,
    Unavailable: handle_unavailable,
}
