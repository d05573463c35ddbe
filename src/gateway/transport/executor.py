"""Service: from what a caller asks for to an operation that may run, by whatever transport."""

from dataclasses import dataclass, field
from functools import partial

from strawberry import Schema

from db import Database
from db.core.ingest.writer import Ingestion
from db.core.turns import Turns
from gateway.auth import Auth
from gateway.auth.clients import DEVELOPERS, Client, ClientAccounts
from gateway.auth.pepper import api_key_codec
from gateway.errors import RETRY, HttpError
from gateway.middleware.request_events import RequestRecorder
from gateway.transport.memory_shares import Claim, Rooms
from gateway.transport.params import GraphQLParams
from graph.core.context import Context
from graph.core.execution.limits import Limits
from graph.core.execution.operation import InvalidOperation, Operation, cached_operation, prepare
from graph.core.execution.rate_limit import charge_fault, check_parse_budget, read
from graph.core.permission import INTROSPECTION, Principal
from graph.core.quota import Account
from graph.core.subscriptions.broker import SubscriptionBroker
from graph.core.types.input_values import BATCH

SMALL_DOCUMENT = 64 * 1024  # bytes that a parsed document takes up
STANDING = "Your subscriptions take up all the room that you have: end one, or ask for less."


@dataclass(frozen=True, slots=True)
class Executor:
    """The operations of one schema on one database, and what callers may spend on them. Results
    take up `rooms` until they are sent."""

    schema: Schema
    database: Database
    ingestion: Ingestion
    broker: SubscriptionBroker
    auth: Auth
    max_document_bytes: int
    limits: Limits
    accounts: ClientAccounts
    recorder: RequestRecorder
    rooms: Rooms
    turns: Turns = field(default_factory=Turns)

    def check_size(self, asked: GraphQLParams) -> None:
        """Whether the document is small enough to be looked at. Raises Refused."""
        if len(asked.query.encode()) > self.max_document_bytes:
            message = f"The document is larger than {self.max_document_bytes} bytes."
            raise HttpError(message, code="QUERY_TOO_COMPLEX")

    def most_values(self, principal: Principal) -> int:
        """The values of a request that are read at all: those of a batch, or of the inputs of
        callers who may not send one."""
        least = 0 if principal.is_known else self.limits.values_anonymous
        return least or max(BATCH, self.limits.values)

    async def prepare(
        self, asked: GraphQLParams, principal: Principal, account: Account | None
    ) -> Operation:
        """The operation asked for. Raises RequestFailed; the caller pays for a document that was
        not read lately, and more for a faulty one."""
        if refused := await check_parse_budget(account):
            raise InvalidOperation(*refused)
        name, suggestions = asked.operation_name, principal.may(INTROSPECTION)
        if known := cached_operation(self.schema, asked.query, name, self.limits):
            return known
        if refused := await read(account, asked.query):
            raise InvalidOperation(*refused)
        try:
            return prepare(self.schema, asked.query, name, self.limits, suggestions)
        except InvalidOperation:
            await charge_fault(account)
            raise

    def standing(self, client: Client | None, operation: Operation) -> Claim:
        """Room for the document of a subscription, which is kept as long as that lasts. Raises
        Refused."""
        claim = self.rooms.claim(client)
        if (more := operation.size - SMALL_DOCUMENT) > 0 and not claim.take(more):
            raise HttpError(STANDING, 429, "RATE_LIMITED", RETRY)
        return claim

    def context(
        self,
        client: Client | None,
        operation: Operation,
        principal: Principal,
        account: Account | None,
        request_id: str,
        shows_cost: bool = False,
        claim: Claim | None = None,
    ) -> Context:
        """What the resolvers of one operation can reach; every operation has its own."""
        name, known = client or Client(DEVELOPERS, known=True)
        return Context(
            self.database.borrowed_by(name, operation.text, known),
            principal,
            request_id,
            self.ingestion,
            account=account,
            shows_cost=shows_cost,
            api_key_codec=partial(api_key_codec, self.auth.settings),
            storable_variables=self.auth.settings.storable_variables,
            max_response_bytes=self.auth.settings.max_response_bytes,
            claim=claim.take if claim else None,
        )
