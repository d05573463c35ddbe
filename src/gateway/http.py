"""HTTP: the endpoint that runs one GraphQL operation per request.

It follows the GraphQL over HTTP specification with the statuses in use today: 200 for an operation
that was executed, errors or not; for one that could not be (syntax, validation, variables) 400
where the caller accepts application/graphql-response+json, and 200 where it knows only
application/json, whose clients take any other status for a failure of the network. The exceptions
are a database that cannot be reached, 503, and more work than can be done, 429, so that proxies and
clients try again.
"""

import math
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from gateway import parameters, telemetry
from gateway.auth.refusal import CHALLENGE, unauthenticated
from gateway.errors import JSON, RETRY, STATUSES, Refused, respond
from gateway.negotiation import GRAPHQL_JSON, HTML, preferred
from gateway.parameters import Parameters
from gateway.service import Service
from gateway.streams import Streams
from graph.core.errors import formatted
from graph.core.operation import Answer, Operation, RequestFailed, execute
from graph.core.permission import INTROSPECTION, Principal

VARY = {"vary": "Accept"}
TRY_AGAIN = {"SERVICE_UNAVAILABLE": 503, "RATE_LIMITED": 429}
CONSOLE = "/graphiql"
SHOW_COST = "x-graphql-cost"
STRANGERS_BODY = 64 * 1024  # bytes; those who signed in send batches, and pay for them


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The GraphQL endpoint of one schema."""

    service: Service
    max_body_bytes: int
    streams: Streams

    async def handle(self, request: Request) -> Response:
        """Answers a GET or a POST. Raises Refused."""
        media_type = _media_type(request)
        if media_type == HTML:
            return RedirectResponse(_console(request), 303, VARY)
        request.state.media_type = media_type
        request.state.principal = principal = await self.service.auth.principal(request)
        asked = await self._parameters(request, principal)
        account = self.service.callers.account(request, principal)
        try:
            operation = await self.service.prepared(asked, principal, account)
        except RequestFailed as failed:
            return _failed(failed, request)
        telemetry.note(operation=operation.name, kind=operation.kind)
        _check_kind(operation, request.method)
        request.state.document = asked.query
        shows_cost = request.headers.get(SHOW_COST) == "1"
        request_id = request.state.request_id
        context = self.service.context(principal, account, request_id, shows_cost)
        return _response(await execute(operation, asked.variables, context), media_type)

    async def sdl(self, request: Request) -> Response:
        """The schema as text, for whoever may ask anything at all. Raises Refused."""
        principal = await self.service.auth.principal(request)
        if not principal.may(INTROSPECTION):
            needed = Refused(f"The schema needs {INTROSPECTION}.", 403)
            raise needed if principal.is_known else unauthenticated()
        return PlainTextResponse(self.service.schema.as_str())

    async def _parameters(self, request: Request, principal: Principal) -> Parameters:
        if request.method == "POST":
            _check_content_type(request.headers.get("content-type", ""))
            strangers = min(STRANGERS_BODY, self.max_body_bytes)
            limit = self.max_body_bytes if principal.is_known else strangers
            asked = parameters.from_body(await _body(request, limit))
        else:
            asked = parameters.from_address(request.query_params)
        self.service.check_size(asked, principal)
        return asked


def _media_type(request: Request) -> str:
    offered = (JSON, GRAPHQL_JSON) if request.method == "POST" else (JSON, GRAPHQL_JSON, HTML)
    media_type = preferred(request.headers.get("accept", ""), offered)
    if media_type is None:
        raise Refused(f"Accept {GRAPHQL_JSON} or {JSON}; we have nothing else.", 406)
    return media_type


def _console(request: Request) -> str:
    return f"{CONSOLE}?{request.url.query}" if request.url.query else CONSOLE


def _check_content_type(content_type: str) -> None:
    media_type, *details = (piece.strip().lower() for piece in content_type.split(";"))
    charsets = [detail[8:].strip('"') for detail in details if detail.startswith("charset=")]
    if media_type != JSON or charsets not in ([], ["utf-8"], ["utf8"]):
        raise Refused(f"Send {JSON}, encoded in UTF-8.", 415)


async def _body(request: Request, limit: int) -> bytes:
    """The body, refused as soon as it is known to be too large."""
    too_large = Refused(f"The body is larger than {limit} bytes.", 413)
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > limit:
        raise too_large
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise too_large
    return bytes(body)


def _check_kind(operation: Operation, method: str) -> None:
    if operation.kind == "subscription":
        raise Refused("Subscriptions are not served yet.")
    if operation.kind == "mutation" and method != "POST":
        raise Refused("Send mutations by POST.", 405, headers={"allow": "POST"})


def _failed(failed: RequestFailed, request: Request) -> Response:
    state = request.state
    errors = [formatted(error, state.request_id) for error in failed.errors]
    return _response(Answer(None, errors, executed=False), state.media_type)


def _response(answer: Answer, media_type: str) -> Response:
    status = _status(answer, media_type)
    content: dict[str, Any] = {"errors": answer.errors} if answer.errors else {}
    if answer.executed and status not in TRY_AGAIN.values():
        content["data"] = answer.data
    if answer.extensions:
        content["extensions"] = answer.extensions
    return respond(content, status, _headers(status, answer), media_type)


def _headers(status: int, answer: Answer) -> dict[str, str]:
    if status == 401:
        return VARY | CHALLENGE
    return VARY | _retry(answer) if status in TRY_AGAIN.values() else VARY


def _status(answer: Answer, media_type: str) -> int:
    codes = {error["extensions"]["code"] for error in answer.errors}
    nothing = all(value is None for value in (answer.data or {}).values())
    if nothing and len(codes) == 1 and codes <= TRY_AGAIN.keys():
        return TRY_AGAIN[codes.pop()]
    if answer.executed or media_type == JSON:
        return 200
    return STATUSES.get(codes.pop(), 400) if len(codes) == 1 else 400


def _retry(answer: Answer) -> dict[str, str]:
    """When to try again, in whole seconds: after the longest time that any error names."""
    times = [error["extensions"].get("retryAfterMs", 0) for error in answer.errors]
    return RETRY | {"retry-after": str(max(1, math.ceil(max(times) / 1000)))}
