"""Exports: `GET /export/{noun}`, rows as a file that is streamed, with the rights of the API."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import ExitStack, aclosing
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from graphql import GraphQLError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from db import Database
from db.core.error_codes import ErrorCode
from db.core.errors import DomainError, Invalid
from db.core.values import json
from db.core.values.rfc3339 import print_time, read_time
from db.exporter import Exportable, Format, Part, chunks
from gateway.auth.challenges import unauthenticated
from gateway.errors import RETRY, HttpError, respond
from gateway.export_rights import EXPORTS, allowed
from gateway.protocols.http11 import transport
from gateway.protocols.slow_clients import SlowClientDetector
from gateway.request_record import record_of
from gateway.transport.connections import OpenStreams
from gateway.transport.executor import Executor
from graph.core.permission import MEMBER
from graph.core.types.errors import formatted

MAX_WHERE = 16_384  # characters
MAX_EXPORTS = 2  # at once: each holds a connection
FULL = "This gateway is at its limit of exports; retry later."
UNKNOWN = f"There is no such export. There are {', '.join(EXPORTS)}."
FORMATS = ", ".join(Format)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Query:
    """The parameters of an export."""

    format: Format
    where: object
    after: str | None
    until: datetime | None

    @classmethod
    def of(cls, request: Request) -> "Query":
        """Raises HttpError."""
        given = request.query_params
        if unknown := set(given) - {"format", "where", "after", "until"}:
            raise HttpError(f"There is no parameter {min(unknown)[:50]!r}.")
        try:
            format = Format(given.get("format", Format.JSONL))
        except ValueError:
            raise HttpError(f"The format must be one of {FORMATS}.") from None
        return cls(
            format, _where(given.get("where")), given.get("after"), _time(given.get("until"))
        )


def _where(text: str | None) -> object:
    if text is None:
        return None
    if len(text) > MAX_WHERE:
        raise HttpError(f"`where` has more than {MAX_WHERE:,} characters.")
    try:
        return json.received(text.encode())
    except (json.TooManyDigits, json.JSONDecodeError) as error:
        raise HttpError(f"`where` is not JSON: {error}") from None


def _time(text: str | None) -> datetime | None:
    try:
        return None if text is None else read_time(text)
    except ValueError:
        raise HttpError("`until` must be a time, such as 2026-11-20T09:30:00Z.") from None


@dataclass(slots=True)
class Exports:
    """The endpoint of exports. An export takes `seconds` at most."""

    executor: Executor
    streams: OpenStreams
    seconds: float
    running: set["ExportResponse"] = field(default_factory=set)

    async def handle(self, request: Request) -> Response:
        """Raises HttpError, Unavailable."""
        record, name = record_of(request.scope), request.path_params["noun"]
        record.principal = await self.executor.auth.principal(request)
        if not record.principal.has_rank(MEMBER.role):
            raise unauthenticated()
        if name not in EXPORTS:
            raise HttpError(UNKNOWN, 404)
        query, context = Query.of(request), self.executor.caller(record)
        try:
            found = await allowed(name, query.where, context)
        except Invalid as error:
            raise HttpError(str(error)) from error
        if isinstance(found, list):
            return _refused(found, record.request_id)
        noun, condition = found
        until = query.until or await context.db.now()
        part = Part(condition, until, query.after)
        replica = await context.replica(is_current=record.principal.may_write)
        database = context.db.at(replica.database) if replica else context.db
        return await self._response(request, database.metered(None), noun, query.format, part)

    async def _response(
        self, request: Request, database: Database, noun: Exportable, format: Format, part: Part
    ) -> Response:
        """The response, once its first bytes are known."""
        if len(self.running) >= MAX_EXPORTS:
            raise HttpError(FULL, 503, headers=RETRY)
        response = ExportResponse(chunks(database, noun, format, part), format, self.seconds)
        record = record_of(request.scope)
        response.headers["x-export-until"] = print_time(part.until)
        self.running.add(response)
        with ExitStack() as held:
            held.callback(self.running.discard, response)
            held.enter_context(self.streams.admit(record.client, response.leave))
            held.enter_context(
                self.executor.auth.watched(request, record.principal, response.leave)
            )
            try:
                await response.begin()
            except Invalid as error:
                raise HttpError(str(error)) from error
            response.held = held.pop_all()
        return response


def _refused(found: list[GraphQLError], request_id: str) -> Response:
    errors = [formatted(error, request_id) for error in found]
    status = ErrorCode.of_name(str(errors[0]["extensions"]["code"])).http_status
    return respond({"errors": errors}, status)


class ExportResponse(Response):
    """A file that is sent while it is read. One that ends early is not completed, so that the
    client notices."""

    def __init__(self, chunks: AsyncGenerator[bytes, None], format: Format, seconds: float) -> None:
        super().__init__(media_type=format.media_type)
        del self.headers["content-length"]
        self.chunks = chunks
        self.seconds = seconds
        self.first: bytes | None = None
        self.held = ExitStack()
        self.is_over = False
        self.limit: asyncio.Timeout | None = None

    def leave(self) -> None:
        """End without the rest, also while the client or the database is waited for."""
        self.is_over = True
        if self.limit and not self.limit.expired():
            self.limit.reschedule(asyncio.get_running_loop().time())

    async def begin(self) -> None:
        """Read the first bytes. Raises as sessions do."""
        self.first = await anext(self.chunks, None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection = transport(scope)
        client = SlowClientDetector(connection, connection.abort if connection else self.leave)
        gone = asyncio.ensure_future(self._disconnected(receive))
        try:
            with self.held:
                async with asyncio.timeout(self.seconds) as self.limit, aclosing(self.chunks):
                    await self._send(send, client)
        except (DomainError, TimeoutError, Interrupted) as error:
            log.warning("export interrupted", reason=type(error).__name__)
            if connection is None:
                raise Interrupted from error
            connection.abort()
            await gone
        finally:
            client.end()
            gone.cancel()

    async def _disconnected(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            continue
        self.leave()

    async def _send(self, send: Send, client: SlowClientDetector) -> None:
        """Send each chunk, and read no other one before the client has taken most of it."""
        head = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await send(head)
        chunk = self.first
        while chunk is not None:
            if self.is_over:
                raise Interrupted
            client.begin()
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            client.end()
            chunk = await anext(self.chunks, None)
        await send({"type": "http.response.body", "body": b""})


class Interrupted(Exception):
    """The export ended before its last row; the connection is aborted, so that the client does not
    take it for whole."""
