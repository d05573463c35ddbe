"""Analytics: actions of users, listed and counted."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import strawberry
from strawberry import UNSET
from strawberry.scalars import JSON

import db
from db import ReadSession
from db.core.errors import Forbidden as NotAllowed
from db.core.ingest.rows import IngestRow
from db.core.query.batch import Key
from db.core.query.time_range import TimeRange
from db.users import Role
from graph.core.context import Context, Info, as_source, rows
from graph.core.loader import Loader
from graph.core.permission import scope
from graph.core.types.aggregate import Aggregate, AggregateSource
from graph.core.types.connection import Connection, listed
from graph.core.types.field import checked, field, names_of, related, value
from graph.core.types.filter import filters, orders
from graph.core.types.groups import MAX_GROUPS, First, Skip
from graph.core.types.ingestion import (
    TIME,
    IngestMutation,
    ItemInput,
    Stored,
    StoredItems,
    batch,
    batch_key,
    ingest_input,
    key,
)
from graph.core.types.mutation import Input, mutation
from graph.core.types.node import Node, identified, node, parse_id
from graph.core.types.scalars import BigInt
from graph.core.types.time_range import From, To, reveals_time, window
from graph.users import USER, User, UserById

FOR_OTHERS = scope("events:write")
WRITE = scope("events:write", role=Role.MEMBER)
READ = scope("actions:read")

# Loaders


class UsersByAction(Loader[int, TimeRange]):
    """Numbers of distinct users by action and page."""

    missing = 0

    async def found(self, session: ReadSession, keys: Sequence[Key]) -> Mapping[Key, int]:
        return await db.analytics.users(session, keys, *self.arguments)


# Types


@node(db.analytics.UserAction, access=READ)
class UserAction(Node):
    """An action of a user in a front end."""

    action: str = field("Name of the action, for example `page_viewed`.")
    page: str | None = field("Path of the page. Null if the action was not on a page.")
    session_id: str | None = field("Session of the action, as the front end names it.")
    timestamp: datetime = field("When the action happened.")
    metadata: JSON = field("Additional data of the front end.")
    user: User | None = related(
        UserById, "user_id", description="The user who acted. Null for anonymous visitors."
    )


@value
class UserActionCount:
    """Number of times an action happened on a page within a time range."""

    action: str = field("Name of the action.")
    page: str | None = field("Path of the page. Null for actions that were not on a page.")
    count: BigInt = field("Number of times the action happened.")
    span: strawberry.Private[TimeRange]

    @field(
        "Number of distinct users, without anonymous visitors. The users of at most 92 days are "
        "counted.",
        cost=10,
    )
    async def user_count(self, info: Info) -> int:
        return await UsersByAction.of(info, self.span).load((self.action, self.page))


# Inputs


@filters(db.analytics.LISTING)
class UserActionFilter:
    """Filter conditions on user actions. All given conditions must hold."""


@orders(db.analytics.LISTING)
class UserActionOrder:
    """Sort order for user actions."""


@checked(db.analytics.UserAction)
@ingest_input
class TrackUserActionInput:
    """An action of a user in a front end."""

    action: str = field("Name of the action, for example `page_viewed`.")
    page: str | None = field("Path of the page.", default=UNSET)
    session_id: str | None = field(
        "Session of the action, as the front end names it.", default=UNSET
    )
    metadata: JSON | None = field("Additional data of the front end.", default=UNSET)
    user_id: strawberry.ID | None = field(
        "ID of the user who acted. The viewer if omitted, null for an anonymous visitor. Only "
        "operators may set another user.",
        check=USER,
        default=UNSET,
    )
    timestamp: datetime | None = field(f"When the action happened. {TIME}", default=UNSET)
    idempotency_key: str | None = key()


@ingest_input
class TrackUserActionsInput:
    """The input fields to track several user actions. Each is stored or rejected on its own."""

    actions: list[TrackUserActionInput] = batch("The actions.")
    idempotency_key: str | None = batch_key()


def _action(context: Context, given: ItemInput, at: datetime, key: str | None) -> IngestRow:
    metadata = given.get("metadata")
    row = {
        "user_id": _user_id(context, given),
        "action": given["action"],
        "page": given.get("page"),
        "session_id": given.get("sessionId"),
        "timestamp": at,
        "metadata": {} if metadata is None else metadata,
    }
    return db.analytics.TRACKED.validator.ingest_row(row, at, key)


def _user_id(context: Context, given: ItemInput) -> UUID | None:
    """The user of an action. Raises Forbidden for another user unless the caller may act for
    others."""
    principal = context.principal
    if "userId" not in given:
        return principal.user_id
    id = given["userId"]
    user = None if id is None else parse_id(id, db.users.User, "user_id")[1]
    if user != principal.user_id and not principal.may(FOR_OTHERS):
        raise NotAllowed("You can only track your own actions; omit userId.")
    return user


ACTIONS = IngestMutation(
    db.analytics.TRACKED, db.analytics.UserAction.Record, _action, names_of(TrackUserActionInput)
)

# Operations


@strawberry.type
class Queries:
    user_actions: Connection[UserAction] = listed(
        db.analytics.LISTING, "Actions of users, newest first.", READ, stale_ok=True
    )

    user_action: UserAction | None = identified(
        db.analytics.UserAction, "The user action with this ID, or null if it does not exist.", READ
    )

    @field(
        "Number of actions by page, most frequent first. The last 24 hours by default.",
        READ,
        cost=100,
        reveals=reveals_time(db.analytics.UserAction.timestamp),
        stale_ok=True,
    )
    async def user_action_counts(
        self,
        info: Info,
        from_: From = UNSET,
        to: To = UNSET,
        first: First = MAX_GROUPS,
        skip: Skip = 0,
    ) -> Aggregate[UserActionCount]:
        span = await window(info, from_, to, db.analytics.COUNTED)
        counts = db.analytics.counts(span, info.context.db.visibility).limit(first).offset(skip)
        found = [
            UserActionCount(action=action, page=page, count=count, span=span)
            for action, page, count in await rows(info, counts)
        ]
        return as_source(AggregateSource(span, found, db.analytics.times()))


@strawberry.type
class Mutations:
    @mutation(
        "Track an action of a user. Also logs a `user_action` event.",
        WRITE,
        Stored,
        shows=ACTIONS.one_item,
    )
    async def track_user_action(self, info: Info, input: Input[TrackUserActionInput]) -> Stored:
        return await ACTIONS.one(info, input)

    @mutation("Track several actions of users.", WRITE, StoredItems)
    async def track_user_actions(
        self, info: Info, input: Input[TrackUserActionsInput]
    ) -> StoredItems:
        return await ACTIONS.many(info, input, "actions")
