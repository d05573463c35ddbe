"""Executor: starts and runs operations, in the same way for every transport."""

from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial

from strawberry import Schema

from db import Database
from db.core.error_codes import ErrorCode
from db.core.ingest.pending import Errors
from db.core.ingest.writer import Ingestion
from db.core.session.replicas import Replicas
from db.core.turns import Turns
from db.core.values.json import JsonObject
from gateway.auth.authenticator import Auth
from gateway.auth.clients import ClientAccounts
from gateway.auth.pepper import api_key_codec
from gateway.errors import RETRY, HttpError
from gateway.middleware.recorder import Recorder
from gateway.middleware.refusals import fault_of
from gateway.protocols.slow_clients import LARGE
from gateway.request_record import RequestRecord
from gateway.transport.documents import Documents, RegisteredDocuments
from gateway.transport.memory_shares import Claim, Rooms
from gateway.transport.params import GraphQLParams
from graph.core.context import Context
from graph.core.execution.answers import Answers
from graph.core.execution.bounds import Limits
from graph.core.execution.execute import execute, report
from graph.core.execution.operation import InvalidOperation, Operation, cached_operation, prepare
from graph.core.execution.plan.ingested import SingleItem
from graph.core.execution.plan.shared import Group, Query, SharedExecutions
from graph.core.execution.preconditions import Checked
from graph.core.execution.rate_limit import (
    charge_fault,
    charge_leased,
    charge_parsing,
    check_parse_budget,
    give_back,
)
from graph.core.execution.result import OperationResult
from graph.core.media import MediaStore
from graph.core.permission import INTROSPECTION
from graph.core.principal import ANONYMOUS, Principal
from graph.core.quota import Account
from graph.core.subscriptions.broker import Subscription, SubscriptionBroker
from graph.core.subscriptions.sink import Sink
from graph.core.types.input_values import BATCH

SMALL_DOCUMENT = 64 * 1024  # bytes of a parsed document that are not counted
SUBSCRIPTIONS_TOO_LARGE = (
    "Your subscriptions use all memory available to you: end one, or send shorter documents."
)


@dataclass(frozen=True, slots=True)
class Executor:
    """Starts the operations of one schema on one database. Results take up `rooms` until they are
    sent."""

    schema: Schema
    database: Database
    ingestion: Ingestion
    broker: SubscriptionBroker
    auth: Auth
    max_document_bytes: int
    limits: Limits
    accounts: ClientAccounts
    recorder: Recorder
    rooms: Rooms
    documents: Documents = field(default_factory=RegisteredDocuments)
    turns: Turns = field(default_factory=Turns)
    shared: SharedExecutions = field(default_factory=SharedExecutions)
    media: MediaStore | None = None
    replicas: Replicas | None = None
    answers: Answers | None = None

    async def start(self, params: GraphQLParams, record: RequestRecord) -> "Execution":
        """Check, charge and parse one operation for the client of `record`, and set its
        `operation`. Raises HttpError, InvalidOperation."""
        params = self.documents.resolve(params)
        self._check_size(params)
        execution = await self.start_declared(params, record)
        self.documents.keep(params, record.client)
        return execution

    async def start_declared(self, params: GraphQLParams, record: RequestRecord) -> "Execution":
        """The same for a document of the gateway itself, which no list of documents contains."""
        account = self.accounts.account(record.client)
        operation = await self._prepare(params, record.principal, account)
        record.operation = operation
        claim = self.rooms.claim(record.client)
        context = self._context(operation, record, account, claim)
        return Execution(
            operation, params.variables, context, self.broker, claim, record, self.answers
        )

    def caller(self, record: RequestRecord) -> Context:
        """The context of a client that asks for something outside of GraphQL."""
        client = record.client
        return Context(
            self.database.borrowed_by(client.name, "export", client.known),
            record.principal,
            record.request_id,
            self.ingestion,
            account=self.accounts.account(client),
            replicas=self.replicas,
        )

    def known(self, params: GraphQLParams) -> Operation | None:
        """A query or a mutation that was prepared before."""
        found = cached_operation(self.schema, params.query, params.operation_name, self.limits)
        return None if found is None or found.kind == "subscription" else found

    def share(
        self,
        operation: Operation,
        group: Group,
        checked: Checked,
        record: RequestRecord,
        done: Callable[[bytes | None, Claim | None], None],
    ) -> bool:
        """Execute a query together with others that are the same, and call `done` with the
        response, and with the room that a large one takes up until the claim is closed; or with
        None if that failed. False, with nothing done, if it has to be executed alone, as all that
        is not accepted at once."""
        if (self.replicas and operation.may_be_stale) or (self.answers and operation.kept_as):
            return False
        account = self.accounts.account(record.client)
        cost, variables = checked.cost, checked.variables
        if not charge_leased(account, cost, operation.limits.cost):
            return False

        def finished(body: bytes | None) -> None:
            claim = None
            if body is not None and len(body) > LARGE:
                claim = self.rooms.claim(record.client)
                is_allowed = len(body) <= self.auth.settings.max_response_bytes
                body = body if is_allowed and claim.take(len(body)) else None
            if body is None:
                give_back(account, cost)
            done(body, claim)

        query = Query(
            operation, group, variables, record.principal, record.client, self.database, finished
        )
        if not self.shared.submit(query):
            give_back(account, cost)
            return False
        record.operation = operation
        return True

    def store(
        self,
        operation: Operation,
        item: SingleItem,
        given: JsonObject | None,
        checked: Checked,
        record: RequestRecord,
        done: Callable[[bytes | Awaitable[OperationResult]], None],
    ) -> bool:
        """Store the item of a mutation that stores one, and call `done` with the response, or with
        what makes the result of an item that was rejected. False, with nothing done, if the
        mutation has to be executed."""
        account, cost = self.accounts.account(record.client), checked.cost
        if not charge_leased(account, cost, operation.limits.cost):
            return False
        root, template = item

        def settled(errors: Errors) -> None:
            if errors:
                context = self._context(operation, record, account, claim=None)
                context.cost = cost
                done(report(operation, given, context, root.rejected(errors[0])))
            else:
                done(root.response(row))

        try:
            if template is not None:
                row = template.row(self.ingestion.now())
            else:
                row = root.row(
                    self._context(operation, record, account, claim=None), checked.variables
                )
            self.ingestion.put(root.items.intake, [row], settled)
        except Exception:  # its resolver reports it
            give_back(account, cost)
            return False
        record.operation = operation
        return True

    @property
    def has_plans(self) -> bool:
        return self.auth.settings.executor == "plan"

    def max_values(self, principal: Principal) -> int:
        """The limit of values in one request: that of a batch, or that of anonymous clients, which
        may not send one."""
        least = 0 if principal.is_known else self.limits.values_anonymous
        return least or max(BATCH, self.limits.values)

    def _check_size(self, params: GraphQLParams) -> None:
        if len(params.query.encode()) > self.max_document_bytes:
            message = f"The document is larger than {self.max_document_bytes} bytes."
            raise HttpError(message, code=ErrorCode.QUERY_TOO_COMPLEX)

    async def _prepare(
        self, params: GraphQLParams, principal: Principal, account: Account | None
    ) -> Operation:
        """Parse and validate. The account is charged for a document that is not in the cache, and
        for an invalid one."""
        if refused := await check_parse_budget(account):
            raise InvalidOperation(*refused)
        name, suggestions = params.operation_name, principal.may(INTROSPECTION)
        if known := cached_operation(self.schema, params.query, name, self.limits):
            return known
        if refused := await charge_parsing(account, params.query):
            raise InvalidOperation(*refused)
        try:
            return prepare(self.schema, params.query, name, self.limits, suggestions)
        except InvalidOperation:
            await charge_fault(account)
            raise

    def _context(
        self,
        operation: Operation,
        record: RequestRecord,
        account: Account | None,
        claim: Claim | None,
    ) -> Context:
        client = record.client
        is_subscription = operation.kind == "subscription"
        return Context(
            self.database.borrowed_by(client.name, operation.text, client.known),
            record.principal,
            record.request_id,
            self.ingestion,
            account=account,
            api_key_codec=partial(api_key_codec, self.auth.settings),
            storable_variables=self.auth.settings.storable_variables,
            keep_keys=self.auth.settings.keep_keys,
            max_response_bytes=self.auth.settings.max_response_bytes,
            claim=None if claim is None or is_subscription else claim.take,
            executor=self.auth.settings.executor,
            media=self.media,
            replicas=self.replicas,
        )


@dataclass(frozen=True, slots=True)
class Execution:
    """One operation that may run. It holds room for its result, or for the document of a
    subscription, until it is closed."""

    operation: Operation
    variables: JsonObject | None
    context: Context
    broker: SubscriptionBroker
    claim: Claim
    record: RequestRecord
    answers: Answers | None = None

    @property
    def is_subscription(self) -> bool:
        return self.operation.kind == "subscription"

    @property
    def is_public(self) -> bool:
        """True if anonymous clients may run the operation, and all clients get the same."""
        variables = self.variables or {}
        return (
            self.operation.is_same_for_all
            and not self.context.shows_cost
            and self.operation.required_access.refused(ANONYMOUS, variables) is None
        )

    async def execute(self) -> OperationResult:
        """Execute a query or a mutation. The log says why graphql-core executed a query, and the
        fault of the gateway if there is one."""
        span = self.record.span
        with nullcontext() if span is None else span.executing(self.context):
            result = await execute(self.operation, self.variables, self.context, self.answers)
        self.record.fallback = self.context.fallback
        self.record.error = fault_of(result.errors)
        return result

    async def subscribe(
        self, sink: Sink, /, after: str | None = None
    ) -> Subscription | OperationResult:
        """Open the subscription after a cursor if one is given. An OperationResult holds the
        errors if it is refused."""
        opened = await self.broker.open(self.operation, self.variables, self.context, sink, after)
        if isinstance(opened, OperationResult):
            self.record.error = fault_of(opened.errors)
        return opened

    def hold_document(self) -> None:
        """Take room for the document of a subscription. Raises HttpError."""
        more = self.operation.size - SMALL_DOCUMENT
        if more > 0 and not self.claim.take(more):
            raise HttpError(SUBSCRIPTIONS_TOO_LARGE, 429, headers=RETRY)

    def close(self) -> None:
        self.claim.close()
