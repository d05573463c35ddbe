"""Service: from what a caller asks for to an operation that may run, by whatever transport."""

from dataclasses import dataclass, field
from functools import partial

from strawberry import Schema

from db import Database
from db.core.ingest import Ingestion
from db.core.turns import Turns
from gateway.auth import Auth
from gateway.auth.minting import mint
from gateway.callers import DEVELOPERS, Caller, Callers
from gateway.errors import RETRY, Refused
from gateway.parameters import Parameters
from gateway.requests import Recorder
from gateway.room import Claim, Rooms
from graph.core.budget import Account
from graph.core.context import Context
from graph.core.limits import Limits
from graph.core.live import Live
from graph.core.operation import Operation, RequestFailed, prepare, prepared
from graph.core.permission import INTROSPECTION, Principal
from graph.core.rate_limit import charge_fault, read, unread
from graph.core.values import BATCH

SMALL_DOCUMENT = 64 * 1024  # bytes that a parsed document takes up
STANDING = "Your subscriptions take up all the room that you have: end one, or ask for less."


@dataclass(frozen=True, slots=True)
class Service:
    """The operations of one schema on one database, and what callers may spend on them. Results
    take up `rooms` until they are sent."""

    schema: Schema
    database: Database
    ingestion: Ingestion
    live: Live
    auth: Auth
    max_document_bytes: int
    limits: Limits
    callers: Callers
    recorder: Recorder
    rooms: Rooms
    turns: Turns = field(default_factory=Turns)

    def check_size(self, asked: Parameters) -> None:
        """Whether the document is small enough to be looked at. Raises Refused."""
        if len(asked.query.encode()) > self.max_document_bytes:
            message = f"The document is larger than {self.max_document_bytes} bytes."
            raise Refused(message, code="QUERY_TOO_COMPLEX")

    def most_values(self, principal: Principal) -> int:
        """The values of a request that are read at all: those of a batch, or of the inputs of
        callers who may not send one."""
        least = 0 if principal.is_known else self.limits.values_anonymous
        return least or max(BATCH, self.limits.values)

    async def prepared(
        self, asked: Parameters, principal: Principal, account: Account | None
    ) -> Operation:
        """The operation asked for. Raises RequestFailed; the caller pays for a document that was
        not read lately, and more for a faulty one."""
        if refused := await unread(account):
            raise RequestFailed(*refused)
        name, suggestions = asked.operation_name, principal.may(INTROSPECTION)
        if known := prepared(self.schema, asked.query, name, self.limits):
            return known
        if refused := await read(account, asked.query):
            raise RequestFailed(*refused)
        try:
            return prepare(self.schema, asked.query, name, self.limits, suggestions)
        except RequestFailed:
            await charge_fault(account)
            raise

    def standing(self, caller: Caller | None, operation: Operation) -> Claim:
        """Room for the document of a subscription, which is kept as long as that lasts. Raises
        Refused."""
        claim = self.rooms.claim(caller)
        if (more := operation.size - SMALL_DOCUMENT) > 0 and not claim.take(more):
            raise Refused(STANDING, 429, "RATE_LIMITED", RETRY)
        return claim

    def context(
        self,
        caller: Caller | None,
        operation: Operation,
        principal: Principal,
        account: Account | None,
        request_id: str,
        shows_cost: bool = False,
        claim: Claim | None = None,
    ) -> Context:
        """What the resolvers of one operation can reach; every operation has its own."""
        name, known = caller or Caller(DEVELOPERS, known=True)
        return Context(
            self.database.lent_to(name, operation.text, known),
            principal,
            request_id,
            self.ingestion,
            account=account,
            shows_cost=shows_cost,
            mint=partial(mint, self.auth.settings),
            storable_variables=self.auth.settings.storable_variables,
            max_response_bytes=self.auth.settings.max_response_bytes,
            claim=claim.take if claim else None,
        )
