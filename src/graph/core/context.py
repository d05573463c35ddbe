"""Context: the state of one operation, available to every resolver."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Literal

import strawberry
from sqlalchemy import Executable

from db import Database
from db.core import idempotency
from db.core.api_key_format import ApiKeyCodec
from db.core.connections.meter import MAX_RESPONSE_BYTES, Claim, Meter
from db.core.ingest.writer import Ingestion
from db.core.session.coalescing import ReadCoalescer
from db.core.session.recorder import Recorder
from db.core.session.replicas import Replica, Replicas
from db.core.timeouts import Kind, of_kind
from graph.core.media import MediaStore
from graph.core.principal import Principal
from graph.core.quota import Account

ExecutorName = Literal["plan", "core"]
READ_FACTOR = 2  # rows are read as a whole, whichever of their columns are shown


@dataclass(slots=True)
class Context:
    """The state of one operation: its database, principal, loaders and cost.

    `executor` is "core" to leave queries to graphql-core. `fallback` is the reason why graphql-core
    executed a query instead of its plan. `recorder` is None unless the caller asked for statements.

    `account` is None for callers without a limit. `api_key_codec` returns the codec of API keys, or
    raises if there is none. Messages of subscriptions share `coalescer`. `storable_variables` are
    the environment variables whose values may be stored. A response, or a message of a
    subscription, has at most `max_response_bytes`; `claim` reserves memory for it. Idempotency keys
    are kept for `keep_keys`. `media` is None if the gateway stores no attachments.
    """

    db: Database
    principal: Principal
    request_id: str
    ingest: Ingestion = field(default_factory=Ingestion)
    loaders: dict[Hashable, object] = field(default_factory=dict)
    account: Account | None = None
    cost: int = 0
    shows_cost: bool = False
    api_key_codec: Callable[[], ApiKeyCodec] | None = None
    coalescer: ReadCoalescer | None = None
    storable_variables: frozenset[str] = frozenset()
    keep_keys: timedelta = idempotency.RETENTION
    max_response_bytes: int = MAX_RESPONSE_BYTES
    claim: Claim | None = None
    executor: ExecutorName = "plan"
    fallback: str | None = None
    recorder: Recorder | None = None
    media: MediaStore | None = None
    replicas: Replicas | None = None

    def __post_init__(self) -> None:
        meter = Meter(READ_FACTOR * self.max_response_bytes, claim=self.claim)
        self.db = self.db.scoped_to(self.principal.visibility, meter)

    def detach(self) -> None:
        """Read without the caller's room, for a result that others may wait for when it is gone."""
        self.db = self.db.metered(Meter(READ_FACTOR * self.max_response_bytes))

    def record_statements(self, with_plans: bool = False) -> None:
        self.recorder = Recorder(with_plans)
        self.db = self.db.recorded_by(self.recorder)

    def traced(self) -> Recorder:
        """Record the statements for a trace, which are not shown unless they are anyway."""
        recorder = self.recorder or Recorder()
        self.db = self.db.recorded_by(recorder)
        return recorder

    async def replica(self, is_current: bool) -> Replica | None:
        """A replica for one read, if there is one that may serve it. Raises Unavailable."""
        return await self.replicas.choose(is_current) if self.replicas else None

    def reading_from(self, replica: Replica) -> "Context":
        return replace(self, db=self.db.at(replica.database), loaders={})

    def executed_by_core(self, reason: str) -> "Context":
        self.fallback = reason
        return replace(self, loaders={})


Info = strawberry.Info[Context, None]


def as_source(row: object) -> Any:  # mypy cannot compare columns with the fields of a type
    """A row, or several, as the GraphQL type that the resolver returns: its fields read the columns
    of the same names."""
    return row


async def rows(info: Info, statement: Executable) -> Any:  # as `as_source`
    async with info.context.db.read() as session:
        return as_source(await session.rows(of_kind(Kind.AGGREGATE, statement)))
