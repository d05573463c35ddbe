"""HTTP: the endpoint that runs one GraphQL operation per request.

A query or mutation is answered in JSON, or as a stream of one message where the caller wants that
more; a subscription as a stream.

Whatever is odd about a request is refused here with a status of 4xx, in JSON.
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
from gateway.auth.clients import client_of
from gateway.errors import JSON, HttpError
from gateway.middleware import request_log
from gateway.middleware.forwarded import link
from gateway.middleware.refusals import are_refusals
from gateway.transport import params, responses
from gateway.transport.admission import SHORT, Admission, Body
from gateway.transport.connections import OpenStreams
from gateway.transport.executor import Executor
from gateway.transport.negotiation import (
    ANSWERS,
    EVENT_STREAM,
    GRAPHQL_JSON,
    HTML,
    MULTIPART,
    PAGES,
    STREAMS,
    preferred,
)
from gateway.transport.params import GraphQLParams
from gateway.transport.streaming import Open, SubscriptionResponse
from graph.core.execution.operation import InvalidOperation, Operation, OperationResult, execute
from graph.core.permission import INTROSPECTION, Principal
from graph.core.types.errors import formatted

ACCEPT = f"Accept {GRAPHQL_JSON} or {JSON}, or {EVENT_STREAM} or {MULTIPART}."
SUBSCRIBE = (
    "A subscription needs a WebSocket (graphql-transport-ws), or that you accept "
    f"{EVENT_STREAM} or {MULTIPART}."
)
CONSOLE = "/graphiql"
SHOW_COST = "x-graphql-cost"
STRANGERS_BODY = 64 * 1024  # bytes; those who signed in send batches, and pay for them


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The GraphQL endpoint of one schema."""

    executor: Executor
    max_body_bytes: int
    streams: OpenStreams
    admission: Admission

    async def handle(self, request: Request) -> Response:
        """Answers a GET or a POST. Raises Refused."""
        media_type = _media_type(request)
        if media_type == HTML:
            return RedirectResponse(_console(request), 303, responses.VARY)
        request.state.media_type = GRAPHQL_JSON if media_type == GRAPHQL_JSON else JSON
        request.state.principal = principal = await self.executor.auth.principal(request)
        with self.admission.body(client_of(request, principal)) as body:
            return await self._answer(request, principal, body, media_type)

    async def _answer(
        self, request: Request, principal: Principal, body: Body, media_type: str
    ) -> Response:
        asked = await self._parameters(request, principal, body)
        account = self.executor.accounts.account(request, principal)
        try:
            operation = await self.executor.prepare(asked, principal, account)
        except InvalidOperation as failed:
            return _failed(failed, request, media_type)
        request_log.bind_log_context(operation=operation.short_name, kind=operation.kind)
        _check_method(operation, request.method)
        request.state.document = asked.query
        who, shows_cost = client_of(request, principal), request.headers.get(SHOW_COST) == "1"
        context = partial(
            self.executor.context,
            *(who, operation, principal, account, request.state.request_id, shows_cost),
        )
        if operation.kind == "subscription":
            open = partial(self.executor.broker.open, operation, asked.variables, context())
            return self._delivery(request, operation, open, media_type)
        claim = self.executor.rooms.claim(who)
        with ExitStack() as held:
            held.callback(claim.close)
            answer = await execute(operation, asked.variables, context(claim=claim))
            response = _respond(answer, request=request, media_type=media_type)
            return responses.Claimed(response, held.pop_all())

    def _delivery(
        self, request: Request, operation: Operation, open: Open, media_type: str
    ) -> Response:
        """A stream; in case it is refused, the answer is in the other media type."""
        stream_type = preferred(request.headers.get("accept", ""), STREAMS)
        if stream_type is None:
            raise HttpError(SUBSCRIBE, 406)
        # An empty id stands for none: HTML §9.2.4, last event ID string.
        last_event = request.headers.get("last-event-id", "")
        return SubscriptionResponse(
            responses.FORMS[stream_type],
            partial(open, after=None if last_event == "" else last_event),
            partial(self._place, request, operation),
            partial(_respond, request=request, media_type=media_type),
        )

    @contextmanager
    def _place(
        self, request: Request, operation: Operation, leave: Callable[[], None]
    ) -> Iterator[None]:
        """A place among the streams, as long as the process and the credential last."""
        principal = request.state.principal
        who = client_of(request, principal)
        with (
            self.streams.admit(who, leave),
            closing(self.executor.standing(who, operation)),
            self.executor.auth.watched(request, principal, leave),
        ):
            yield

    async def sdl(self, request: Request) -> Response:
        """The schema as text, for whoever may ask anything at all. Raises Refused."""
        principal = await self.executor.auth.principal(request)
        if not principal.may(INTROSPECTION):
            needed = HttpError(f"The schema needs {INTROSPECTION}.", 403)
            raise needed if principal.is_known else unauthenticated()
        return PlainTextResponse(_printed(self.executor.schema))

    async def _parameters(
        self, request: Request, principal: Principal, body: Body
    ) -> GraphQLParams:
        most = self.executor.most_values(principal)
        if request.method == "POST":
            _check_content_type(request.headers.get("content-type", ""))
            strangers = min(STRANGERS_BODY, self.max_body_bytes)
            limit = self.max_body_bytes if principal.is_known else strangers
            asked = params.from_body(await _received(request, body, limit), most)
            await asyncio.sleep(0)  # others get a turn between reading it and executing it
        else:
            if len(request.url.query) > SHORT:
                await self.executor.turns.next(body.claim.caller)
            asked = params.from_query_string(request.query_params, most)
        self.executor.check_size(asked)
        return asked


@cache
def _printed(schema: Schema) -> str:
    return schema.as_str()


def _media_type(request: Request) -> str:
    offered = ANSWERS if request.method == "POST" else PAGES
    media_type = preferred(request.headers.get("accept", ""), offered)
    if media_type is None:
        raise HttpError(ACCEPT, 406)
    return media_type


def _console(request: Request) -> str:
    query = f"?{request.url.query}" if request.url.query else ""
    return link(request, CONSOLE + query)


def _check_content_type(content_type: str) -> None:
    media_type, *details = (piece.strip().lower() for piece in content_type.split(";"))
    charsets = [detail[8:].strip('"') for detail in details if detail.startswith("charset=")]
    if media_type != JSON or charsets not in ([], ["utf-8"], ["utf8"]):
        raise HttpError(f"Send {JSON}, encoded in UTF-8.", 415)


async def _received(request: Request, body: Body, limit: int) -> bytes:
    """The whole body, refused as soon as it is known to be too large. Raises Refused."""
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
        raise HttpError("A subscription has no end.", 405, headers={"allow": "GET, POST"})


def _failed(failed: InvalidOperation, request: Request, media_type: str) -> Response:
    errors = [formatted(error, request.state.request_id) for error in failed.errors]
    answer = OperationResult(None, errors, executed=False)
    return _respond(answer, request=request, media_type=media_type)


def _respond(answer: OperationResult, *, request: Request, media_type: str) -> Response:
    request.state.refused = not answer.executed and are_refusals(answer.errors)
    return responses.respond(answer, media_type)
