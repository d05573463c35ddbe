"""Sources: the subscriptions of a noun, and how it declares them.

The resolver of a subscription returns a source: which rows of a feed are relevant to the
subscriber, and what is shown for them. It is queried again for each message, so a message shows
what is stored and visible when it is made. Positions, snapshots, heartbeats and resets are the same
for all sources and are implemented by the broker.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from inspect import Parameter, Signature
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Generic, NoReturn, TypeVar

import strawberry
from sqlalchemy import ColumnElement
from strawberry import UNSET

from db import Database
from db.core.session.coalescing import ReadCoalescer
from db.core.table import Table
from db.core.values import validation
from graph.core.context import Info
from graph.core.permission import VALUE, Access
from graph.core.subscriptions.heartbeat import HEARTBEAT_SECONDS
from graph.core.types.field import Revealed, argument, described, enum, field
from graph.core.types.unset import or_none

if TYPE_CHECKING:
    from graph.core.subscriptions.polled import PolledSource

T = TypeVar("T", bound=type)
RowT = TypeVar("RowT", bound=Table)
STALE_SECONDS = 5.0


class UpdateKind(StrEnum):
    """The kind of a subscription message."""

    SNAPSHOT = "SNAPSHOT"
    UPDATE = "UPDATE"
    HEARTBEAT = "HEARTBEAT"
    RESET = "RESET"


enum(
    UpdateKind,
    SNAPSHOT="The current state. Replaces all state that the client has. The first message, unless "
    "the client resumed. In subscriptions that only send new rows, it is empty and marks "
    "the start.",
    UPDATE="Changes since the previous message.",
    HEARTBEAT=f"No changes. Sent every {HEARTBEAT_SECONDS:g} seconds to show that the subscription "
    "is alive and how far it lags.",
    RESET="The subscription cannot continue from its cursor, for the given `reason`: the client's "
    "state may be wrong. A SNAPSHOT follows.",
)


class ResetReason(StrEnum):
    """Reasons why a subscription cannot continue from its cursor."""

    EPOCH = "EPOCH"
    EXPIRED = "EXPIRED"
    AHEAD = "AHEAD"
    DIVERGED = "DIVERGED"


enum(
    ResetReason,
    EPOCH="Many rows changed at once without individual updates, for example in an import, or the "
    "database was restored to an earlier time.",
    EXPIRED="The changes after the cursor are no longer stored.",
    AHEAD="The database was restored to an earlier state, before the cursor.",
    DIVERGED="The database was restored and has diverged: its history does not contain the cursor.",
)


@dataclass(frozen=True, slots=True)
class UpdatePayload:
    """The source of one message. `skipped`: number of rows of the feed that are not shown because
    later rows replaced them. `removed`: keys of rows that are no longer shown."""

    kind: UpdateKind
    cursor: str
    at: datetime
    lag: float = 0.0
    reason: ResetReason | None = None
    rows: Sequence[Table] = ()
    removed: Sequence[str] = ()
    skipped: int = 0


@strawberry.interface(description="A message of a subscription.")
class Update:
    """A message of a subscription."""

    access = VALUE
    viewer_independent = True
    kind: UpdateKind = field("Kind of the message.")
    cursor: str = field("Cursor of this message. Send it as `after` to resume after this message.")
    at: datetime = field("When the message was created.")
    lag_ms: int = field(
        "Milliseconds since the database was last checked for changes.",
        resolver=lambda root: round(root.lag * 1000),
    )
    is_stale: bool = field(
        "Whether the database has not responded recently, so that changes may be missing.",
        resolver=lambda root: root.lag > STALE_SECONDS,
    )
    reason: ResetReason | None = field("Reason of a RESET. Null in all other messages.")

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, UpdatePayload)


def message(viewer_independent: bool = False) -> Callable[[T], T]:
    """The message type of a subscription, described by its class docstring. `viewer_independent`:
    all viewers with access who subscribe with the same arguments receive the same messages."""

    def register(cls: T) -> T:
        cls.viewer_independent = viewer_independent  # type: ignore[attr-defined]  # read by graph.core.execution.shareable
        return strawberry.type(cls, description=described(cls))

    return register


def rows(description: str) -> Any:  # as `field`
    return field(description, resolver=lambda root: root.rows)


def removed(description: str) -> Any:  # as `field`
    return field(description, resolver=lambda root: root.removed)


@dataclass(frozen=True, slots=True)
class VisibleRows:
    """The rows to show for rows of the feed, and the keys of those no longer shown."""

    rows: Sequence[Table]
    removed: Sequence[str] = ()


Conditions = tuple[ColumnElement[bool], ...]
Invalidations = Callable[[Database], AsyncIterator[Collection[str]]]


class Source(Generic[RowT]):
    """What one subscription follows: relevant rows of a feed, and what is shown for them.

    A source of current `state` may skip intermediate states that a slow subscriber missed. All
    others show every row, in order.
    """

    feed: ClassVar[str]
    state: ClassVar[bool] = False

    def conditions(self) -> Conditions:
        """The SQL conditions of `is_relevant`. They may select more rows, never fewer."""
        return ()

    def is_relevant(self, _row: RowT) -> bool:
        return True

    async def snapshot(self, _database: Database) -> Sequence[Table]:
        return ()

    async def pending_keys(self, _reads: ReadCoalescer) -> Collection[str]:
        """Keys of rows that may have changed without a row in the feed while a subscriber was away.
        After a restart thousands of subscribers return at once, so one read serves all of them."""
        return ()

    async def visible(
        self, _database: Database, rows: Sequence[RowT], _reads: ReadCoalescer
    ) -> VisibleRows:
        """The rows to show for relevant rows of the feed, by default these rows themselves.
        `database` has the visibility of the subscriber; `_reads` is shared by all subscribers of
        the feed."""
        return VisibleRows(rows)

    def invalidations(self) -> Invalidations | None:
        return None

    async def invalidated_rows(
        self, database: Database, keys: Collection[str], coalescer: ReadCoalescer
    ) -> VisibleRows:
        raise NotImplementedError


AnySource = Source[Any]  # the rows of the feed that the source names


@dataclass(frozen=True, slots=True)
class SubscriptionStart:
    """The result of a subscription's resolver: a source, and the cursor to resume from."""

    source: "AnySource | PolledSource"
    after: str | None = None

    def __aiter__(self) -> NoReturn:
        # graphql-core requires it. The broker reads sources by position, not by subscriber.
        raise TypeError("Sources are read by graph.core.subscriptions.broker, not iterated.")


def among(values: Sequence[str] | None) -> frozenset[str] | None:
    """The values of an optional argument; None for all, if it is omitted or null."""
    sent = or_none(values)
    return None if sent is None else frozenset(sent)


POSITION = replace(
    validation.string(200, 0), said=""
)  # cursors of subscriptions have 24 characters

FIXED = (
    Parameter("self", Parameter.POSITIONAL_OR_KEYWORD),
    Parameter("info", Parameter.POSITIONAL_OR_KEYWORD, annotation=Info),
)
AFTER = Parameter(
    "after",
    Parameter.KEYWORD_ONLY,
    default=UNSET,
    annotation=Annotated[
        str | None,
        argument(
            "Cursor of the last message that the client received, to resume after it. Without a "
            "cursor, the subscription starts with a SNAPSHOT.",
            POSITION,
        ),
    ],
)


Resolver = Callable[..., Awaitable["AnySource | PolledSource"]]


def stream(
    type_: object,
    description: str,
    access: Access,
    cost: int | None = None,
    resumes: bool = True,
    reveals: Mapping[str, Revealed] | None = None,
) -> Callable[[Resolver], Any]:  # as `field`
    """Declare a subscription. The decorated function makes a source from the arguments, or a polled
    source, which does not resume."""

    def declare(make: Resolver) -> object:
        async def resolve(
            self: object, info: Info, after: str | None = None, **arguments: object
        ) -> SubscriptionStart:
            return SubscriptionStart(await make(self, info, **arguments), or_none(after))

        _, _, *own = Signature.from_callable(make).parameters.values()  # without self and info
        resolve.__signature__ = Signature(  # type: ignore[attr-defined]  # PEP 362
            [*FIXED, *own, *([AFTER] if resumes else [])], return_annotation=type_
        )
        return field(description, access, resolve, cost, reveals=reveals, is_subscription=True)

    return declare
