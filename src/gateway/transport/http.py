"""HTTP: the endpoint that runs one GraphQL operation per request.

The response to a query or a mutation is JSON, or a stream of one message if the client prefers
that. The response to a subscription is a stream. A malformed request gets a 4xx in JSON.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import cache, partial

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from strawberry import Schema

from gateway.auth.challenges import unauthenticated
from gateway.errors import JSON, HttpError
from gateway.middleware.cross_origin import check_stream_origin
from gateway.middleware.forwarded import link
from gateway.origins import Origins
from gateway.request_record import RequestRecord, record_of
from gateway.transport import params as parameters, responses
from gateway.transport.admission import SHORT, Admission, Body
from gateway.transport.caching import cached
from gateway.transport.connections import OpenStreams
from gateway.transport.executor import Execution, Executor
from gateway.transport.formats import STREAM_FORMATS
from gateway.transport.negotiation import (
    GRAPHQL_JSON,
    HTML,
    is_json,
    media_type_of_result,
    stream_format,
)
from gateway.transport.params import GraphQLParams
from gateway.transport.streaming import SubscriptionResponse
from graph.core.execution.operation import InvalidOperation, Operation
from graph.core.execution.result import OperationResult
from graph.core.permission import ADMIN, INTROSPECTION
from graph.core.principal import Principal

ACCEPT = f"Accept {GRAPHQL_JSON} or {JSON}, or {{}}."
SUBSCRIBE = "Send subscriptions over a WebSocket (graphql-transport-ws), or accept {}."
GRAPHIQL = "/graphiql"
SHOW_COST = "x-graphql-cost"
EXPLAIN = "x-graphql-explain"
STATEMENTS, PLANS = "1", "plans"
ANONYMOUS_BODY_BYTES = 64 * 1024  # batches need a credential


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The GraphQL endpoint of one schema."""

    executor: Executor
    max_body_bytes: int
    streams: OpenStreams
    admission: Admission
    origins: Origins | None = None
    has_graphiql: bool = True

    async def handle(self, request: Request) -> Response:
        """Respond to a GET or a POST. Raises HttpError."""
        media_type = _media_type(request, self.has_graphiql)
        if media_type == HTML:
            return RedirectResponse(_graphiql(request), 303, responses.VARY)
        record = record_of(request.scope)
        record.media_type = GRAPHQL_JSON if media_type == GRAPHQL_JSON else JSON
        record.principal = await self.executor.auth.principal(request)
        with self.admission.body(record.client) as body:
            return await self._respond(request, record, body, media_type)

    async def _respond(
        self, request: Request, record: RequestRecord, body: Body, media_type: str
    ) -> Response:
        params = await self._params(request, record.principal, body)
        respond = partial(responses.respond, record=record, media_type=media_type)
        try:
            execution = await self.executor.start(params, record)
        except InvalidOperation as invalid:
            return respond(responses.invalid(invalid, record))
        _check_method(execution.operation, request.method)
        execution.context.shows_cost = request.headers.get(SHOW_COST) == "1"
        explain = request.headers.get(EXPLAIN)
        if explain in (STATEMENTS, PLANS) and record.principal.may(ADMIN):
            execution.context.record_statements(with_plans=explain == PLANS)
        if execution.is_subscription:
            return self._stream(request, record, execution, respond)
        with ExitStack() as held:
            held.callback(execution.close)
            result = await execution.execute()
            response = respond(result)
            if request.method != "POST" and params.document_id is not None:
                is_public = self._is_public(request, execution, result)
                response = cached(request, response, is_public)
            return responses.HeldResponse(response, held.pop_all())

    def _is_public(self, request: Request, execution: Execution, result: OperationResult) -> bool:
        """True if anonymous clients may have the response, and it is the same for all."""
        is_whole = result.executed and not result.errors
        is_open = self.executor.auth.settings.public_read and EXPLAIN not in request.headers
        return is_whole and is_open and execution.is_public

    def _stream(
        self,
        request: Request,
        record: RequestRecord,
        execution: Execution,
        refused: Callable[[OperationResult], Response],
    ) -> Response:
        check_stream_origin(request.headers, self.origins)
        format = stream_format(request.headers.get("accept", ""))
        if format is None:
            raise HttpError(SUBSCRIBE.format(_stream_types()), 406)
        # An empty id means that there is none: HTML §9.2.4, last event ID string.
        last_event = request.headers.get("last-event-id", "")
        return SubscriptionResponse(
            format,
            partial(execution.subscribe, after=None if last_event == "" else last_event),
            partial(self._admit, request, record, execution),
            refused,
        )

    @contextmanager
    def _admit(
        self,
        request: Request,
        record: RequestRecord,
        execution: Execution,
        leave: Callable[[], None],
    ) -> Iterator[None]:
        """Count a stream as open. `leave` ends it when the process stops or its credential is no
        longer valid. Raises HttpError."""
        with (
            self.streams.admit(record.client, leave),
            closing(execution),
            self.executor.auth.watched(request, record.principal, leave),
        ):
            execution.hold_document()
            yield

    async def sdl(self, request: Request) -> Response:
        principal = await self.executor.auth.principal(request)
        if not principal.may(INTROSPECTION):
            forbidden = HttpError(principal.refusal(INTROSPECTION, "The schema"), 403)
            raise forbidden if principal.is_known else unauthenticated()
        return PlainTextResponse(_printed(self.executor.schema))

    async def _params(self, request: Request, principal: Principal, body: Body) -> GraphQLParams:
        max_values = self.executor.max_values(principal)
        if request.method == "POST":
            if not is_json(request.headers.get("content-type", "")):
                raise HttpError(f"Send {JSON}, encoded in UTF-8.", 415)
            limit = self.max_body_bytes
            if not principal.is_known:
                limit = min(ANONYMOUS_BODY_BYTES, limit)
            params = parameters.from_body(await received(request, body, limit), max_values)
            await asyncio.sleep(0)  # other requests run between reading a body and executing it
            return params
        if len(request.url.query) > SHORT:
            await self.executor.turns.next(body.claim.client)
        return parameters.from_query_string(request.query_params, max_values)


@cache
def _printed(schema: Schema) -> str:
    return schema.as_str()


def _media_type(request: Request, has_graphiql: bool) -> str:
    with_pages = has_graphiql and request.method != "POST"
    media_type = media_type_of_result(request.headers.get("accept", ""), with_pages)
    if media_type is None:
        raise HttpError(ACCEPT.format(_stream_types()), 406)
    return media_type


def _stream_types() -> str:
    return " or ".join(STREAM_FORMATS)


def _graphiql(request: Request) -> str:
    query = f"?{request.url.query}" if request.url.query else ""
    return link(request, GRAPHIQL + query)


async def received(request: Request, body: Body, limit: int) -> bytes:
    """Read the whole body. Raises HttpError as soon as it is known to be too large."""
    too_large = HttpError(f"The body is larger than {limit} bytes.", 413)
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > limit:
        raise too_large
    async for chunk in request.stream():
        body.add(chunk)
        if len(body) > limit:
            raise too_large
    return await body.whole()


def _check_method(operation: Operation, method: str) -> None:
    if operation.kind == "mutation" and method != "POST":
        raise HttpError("Send mutations by POST.", 405, headers={"allow": "POST"})
    if operation.kind == "subscription" and method == "HEAD":
        raise HttpError(
            "HEAD is not supported for subscriptions; send GET or POST.",
            405,
            headers={"allow": "GET, POST"},
        )
