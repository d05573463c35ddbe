"""Short path: small POST requests of clients that were authenticated moments ago, without ASGI.

The same code authenticates, parses, charges, executes, responds and records as in `transport/http`.
What differs is that nothing is asked of a request that its head has answered before. A request that
is unusual in any way takes the ordinary way, before it has had an effect.
"""

from collections.abc import Awaitable
from contextlib import closing

import structlog

from db.core.error_codes import ErrorCode
from db.core.errors import Unavailable
from gateway import errors
from gateway.errors import HttpError
from gateway.log_context import current_record
from gateway.middleware.forwarded import TrustedProxies
from gateway.middleware.loopback_only import is_local
from gateway.middleware.recorder import Recorder
from gateway.middleware.refusals import fault_of
from gateway.protocols.short_path import Exchange, RawHeaders
from gateway.request_record import API_PATH, RequestRecord, new_request_id
from gateway.transport import responses
from gateway.transport.admission import SHORT
from gateway.transport.executor import Executor
from gateway.transport.known_requests import KnownRequest, KnownRequests
from gateway.transport.memory_shares import Claim
from gateway.transport.params import GraphQLParams
from gateway.transport.request_head import Head, read_head
from gateway.transport.responder import Additions, Responder
from graph.core.execution.operation import InvalidOperation
from graph.core.execution.result import OperationResult
from graph.core.principal import Principal

log = structlog.get_logger()


class ShortPath:
    """The short path of the GraphQL endpoint."""

    def __init__(
        self,
        executor: Executor,
        recorder: Recorder,
        proxies: TrustedProxies,
        *,
        prefix: str,
        is_local_only: bool,
        additions: Additions,
    ) -> None:
        self.executor = executor
        self.auth = executor.auth
        self.requests = KnownRequests(executor)
        self.recorder = recorder
        self.proxies = proxies
        self.is_local_only = is_local_only
        self.additions = additions
        self.targets = {API_PATH.encode(), (prefix + API_PATH).encode()}

    def accept(self, method: bytes, target: bytes, headers: RawHeaders) -> Head | None:
        """What a head says, if the request is usual and its client known."""
        if method != b"POST" or target not in self.targets:
            return None
        head = read_head(headers)
        if head is None or self.auth.recent(head.authorization) is None:
            return None
        return None if self.is_local_only and not is_local(head.host) else head

    def start(self, head: Head, body: bytes, exchange: Exchange) -> bool:
        principal = self.auth.recent(head.authorization)
        if principal is None:
            return False
        if (request := self.requests.read(body, principal)) is None:
            return False
        record = self._record(head, principal, exchange.peer)
        self.recorder.begin(record)
        responder = Responder(exchange, record, head, len(body), self.recorder, self.additions)
        begin = self._share if request.operation.kind == "query" else self._store
        is_alone = head.shows_cost or record.span is not None
        if is_alone or not begin(head, request, responder):
            exchange.run(
                self._serve(head, responder, self._execute(head, request.params, responder))
            )
        return True

    def _share(self, head: Head, request: KnownRequest, responder: Responder) -> bool:
        """Execute a query with others that are the same. False if it is executed alone."""
        checked, group = request.checked, request.group
        if checked is None or group is None:
            return False

        def done(body: bytes | None, claim: Claim | None) -> None:
            if body is None:
                responder.exchange.run(
                    self._serve(head, responder, self._execute(head, request.params, responder))
                )
            elif claim is None and responder.is_ready(body):
                responder.now(body)
            else:
                responder.exchange.run(self._serve(head, responder, responder.held(body, claim)))

        return self.executor.share(request.operation, group, checked, responder.record, done)

    def _store(self, head: Head, request: KnownRequest, responder: Responder) -> bool:
        """Store one item with those of others. False if the mutation is executed."""
        checked, item = request.checked, request.item
        if checked is None or item is None:
            return False

        def done(response: bytes | Awaitable[OperationResult]) -> None:
            if isinstance(response, bytes):
                responder.now(response)
            else:
                responder.exchange.run(
                    self._serve(head, responder, self._reject(responder, response))
                )

        given = request.params.variables
        return self.executor.store(request.operation, item, given, checked, responder.record, done)

    def _record(self, head: Head, principal: Principal, peer: str) -> RequestRecord:
        return RequestRecord(
            head.request_id or new_request_id(),
            self._client(head, peer),
            head.user_agent,
            "POST",
            API_PATH,
            media_type=head.media_type,
            principal=principal,
            trace=head.trace,
        )

    def _client(self, head: Head, peer: str) -> str:
        named = () if head.forwarded_for is None else (head.forwarded_for,)
        return self.proxies.client_host(peer, named)

    async def _serve(self, head: Head, responder: Responder, respond: Awaitable[None]) -> None:
        """Respond, with the error if that fails, and record the request."""
        record = responder.record
        current_record.set(record)
        try:
            await respond
        except HttpError as refused:
            await responder.response(errors.refusal(refused, record.request_id, head.media_type))
        except Unavailable as error:
            await responder.response(errors.unavailable(error, record.request_id))
        except Exception:
            log.exception("request failed")
            record.error = ErrorCode.INTERNAL_SERVER_ERROR
            await responder.response(errors.masked(record.request_id))
        finally:
            self.recorder.finish(record)

    async def _execute(self, head: Head, params: GraphQLParams, responder: Responder) -> None:
        if responder.size > SHORT:
            await self.executor.turns.next(responder.record.client.name)
        try:
            execution = await self.executor.start(params, responder.record)
        except InvalidOperation as refused:
            result = responses.invalid(refused, responder.record)
            await responder.result(result)
            return
        execution.context.shows_cost = head.shows_cost
        with closing(execution):
            await responder.result(await execution.execute())

    async def _reject(self, responder: Responder, rejection: Awaitable[OperationResult]) -> None:
        result = await rejection
        responder.record.error = fault_of(result.errors)
        await responder.result(result)
