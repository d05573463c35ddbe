"""Streams: what can be subscribed to, and how a noun declares it.

The resolver of a subscription answers with a source: which rows of a feed concern the subscriber,
and what is shown of them. It is asked anew for each message, so that what is shown is what is
stored at that moment and may be seen by then. Positions, snapshots, heartbeats and resets are the
same for all streams, and `live` takes care of them.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from inspect import Parameter, Signature
from typing import Annotated, Any, ClassVar, TypeVar

import strawberry
from sqlalchemy import ColumnElement
from strawberry import UNSET

from db import Database
from db.core.session.coalescing import ReadCoalescer
from db.core.values import validation
from graph.core.context import Info
from graph.core.permission import VALUE, Access
from graph.core.types.field import argument, described, enum, field
from graph.core.types.unset import or_none

T = TypeVar("T", bound=type)
STALE_SECONDS = 5.0


class UpdateKind(StrEnum):
    """Why a message of a subscription was sent."""

    SNAPSHOT = "SNAPSHOT"
    UPDATE = "UPDATE"
    HEARTBEAT = "HEARTBEAT"
    RESET = "RESET"


enum(
    UpdateKind,
    SNAPSHOT="What there is at this moment; forget what you had. The first message, unless you "
    "resumed. Where a stream only tells what happens, it is empty and marks where it begins.",
    UPDATE="What has changed or happened since the message before.",
    HEARTBEAT="Nothing new, every 10 seconds: the stream is alive, and how far behind it is.",
    RESET="The stream cannot go on where you were, `reason` says why: what you have may be wrong. "
    "A SNAPSHOT follows.",
)


class ResetReason(StrEnum):
    """Why a stream cannot go on where it was."""

    EPOCH = "EPOCH"
    EXPIRED = "EXPIRED"
    AHEAD = "AHEAD"
    DIVERGED = "DIVERGED"


enum(
    ResetReason,
    EPOCH="Much has changed at once, as by an import, and is not told row by row.",
    EXPIRED="What came after your cursor is no longer kept.",
    AHEAD="The database went back in time: your cursor lies in what it never had.",
    DIVERGED="The database went back in time and on another way: your cursor is not in it.",
)


@dataclass(frozen=True, slots=True)
class UpdatePayload:
    """The source of one message. `skipped` are rows of the feed that are told only by what came
    after them, `removed` names what is no longer there."""

    kind: UpdateKind
    cursor: str
    at: datetime
    lag: float = 0.0
    reason: ResetReason | None = None
    rows: Sequence[Any] = ()
    removed: Sequence[Any] = ()
    skipped: int = 0


@strawberry.interface(description="A message of a subscription.")
class Update:
    """A message of a subscription."""

    access = VALUE
    viewer_independent = True
    kind: UpdateKind = field("Why it was sent.")
    cursor: str = field("Where the stream is after it: resume with this as `after`.")
    at: datetime = field("When it was made.")
    lag_ms: int = field(
        "How long ago the database was last asked for news, in milliseconds.",
        resolver=lambda root: round(root.lag * 1000),
    )
    is_stale: bool = field(
        "Whether the database has not answered for a while, so that there may be news not known.",
        resolver=lambda root: root.lag > STALE_SECONDS,
    )
    reason: ResetReason | None = field("Why a RESET was sent; null in every other message.")

    @classmethod
    def is_type_of(cls, obj: Any, _info: Any) -> bool:
        """Messages are shown as what was told."""
        return isinstance(obj, UpdatePayload)


def message(viewer_independent: bool = False) -> Callable[[T], T]:
    """The type of the messages of one stream; the class docstring describes it. It is `alike` when
    all who may follow the stream with the same arguments are told the same."""

    def register(cls: T) -> T:
        cls.viewer_independent = viewer_independent  # type: ignore[attr-defined]  # read by graph.core.execution.shareable
        return strawberry.type(cls, description=described(cls))

    return register


def rows(description: str) -> Any:
    """The field of a message that holds its rows."""
    return field(description, resolver=lambda root: root.rows)


def removed(description: str) -> Any:
    """The field of a message that names what is no longer there."""
    return field(description, resolver=lambda root: root.removed)


@dataclass(frozen=True, slots=True)
class VisibleRows:
    """What a source shows of rows of its feed."""

    rows: Sequence[Any]
    removed: Sequence[Any] = ()


Conditions = tuple[ColumnElement[bool], ...]
Invalidations = Callable[[Database], AsyncIterator[Collection[Any]]]


class Source:
    """What one subscription follows: rows of a feed, and what is shown of them.

    A source that shows the present `state` may leave out what a slow subscriber missed, and tells
    only what came of it; any other shows every row, in order.
    """

    feed: ClassVar[str]
    state: ClassVar[bool] = False

    def conditions(self) -> Conditions:
        """What `concerns` says, for PostgreSQL; it may say less, but never more."""
        return ()

    def concerns(self, _row: Any) -> bool:
        """Whether a row of the feed may change what is shown."""
        return True

    async def snapshot(self, _database: Database) -> Sequence[Any]:
        """What is shown at the beginning; nothing for what only happens."""
        return ()

    async def pending_keys(self, _reads: ReadCoalescer) -> Collection[Any]:
        """Keys of what may have changed, without a row in the feed, while a subscriber was away.
        After a restart thousands come back at once, so it is read for all of them together."""
        return ()

    async def visible(
        self, _database: Database, rows: Sequence[Any], _reads: ReadCoalescer
    ) -> VisibleRows:
        """What is shown of the rows that concern it; by default the rows themselves. The database
        is seen as its subscriber sees it, the reads are those of all who follow the feed."""
        return VisibleRows(rows)

    def invalidations(self) -> Invalidations | None:
        """Where it is told what changes without a row in the feed."""
        return None

    async def named(
        self, database: Database, keys: Collection[Any], coalescer: ReadCoalescer
    ) -> VisibleRows:
        """What is shown of the things that a nudge named."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class SubscriptionStart:
    """What the resolver of a subscription answers: a source, and where to go on."""

    source: Any
    after: str | None = None

    def __aiter__(self) -> Any:
        """graphql-core takes only what could be iterated for a subscription; nobody iterates this,
        because a source is asked per position and not per subscriber."""
        raise TypeError("A source is followed by graph.core.subscriptions.broker, not iterated.")


def among(values: Sequence[str] | None) -> frozenset[str] | None:
    """The values that an argument chooses; None for all, when it is left out or null."""
    sent = or_none(values)
    return None if sent is None else frozenset(sent)


POSITION = replace(validation.string(200, 0), said="")  # those of streams have 24 characters

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
            "The cursor of the last message you have: the stream goes on after it. Without it, it "
            "begins with a SNAPSHOT.",
            POSITION,
        ),
    ],
)


def stream(
    type_: Any,
    description: str,
    access: Access,
    cost: int | None = None,
    resumes: bool = True,
    reveals: Mapping[str, Any] | None = None,
) -> Callable[[Callable[..., Awaitable[Any]]], Any]:
    """Declares a subscription: the function it decorates makes the source out of the arguments, or
    a series, which does not resume."""

    def declare(make: Callable[..., Awaitable[Any]]) -> Any:
        async def resolve(self: Any, info: Info, **arguments: Any) -> SubscriptionStart:
            after = or_none(arguments.pop("after", None))
            return SubscriptionStart(await make(self, info, **arguments), after)

        _, _, *own = Signature.from_callable(make).parameters.values()  # without self and info
        resolve.__signature__ = Signature(  # type: ignore[attr-defined]  # PEP 362
            [*FIXED, *own, *([AFTER] if resumes else [])], return_annotation=type_
        )
        return field(description, access, resolve, cost, reveals=reveals, is_subscription=True)

    return declare
