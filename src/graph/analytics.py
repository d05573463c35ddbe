"""Analytics: what users did, one by one and counted."""

from datetime import datetime
from typing import Any
from uuid import UUID

import strawberry
from strawberry import UNSET
from strawberry.scalars import JSON

import db
from db.core.errors import Forbidden as NotAllowed
from db.core.ingest.rows import IngestRow
from db.users import Role
from graph.core.context import Info, rows
from graph.core.permission import scope
from graph.core.types.connection import Connection, listed
from graph.core.types.errors import Forbidden, Invalid
from graph.core.types.field import checked, field, names_of, related, value
from graph.core.types.filter import filters, orders
from graph.core.types.ingestion import (
    TIME,
    IngestMutation,
    Stored,
    batch,
    batch_key,
    batch_result,
    ingest_input,
    key,
)
from graph.core.types.mutation import Input, result
from graph.core.types.node import IdOf, Node, load, node, parse_id
from graph.core.types.scalars import BigInt
from graph.core.types.time_range import From, To, reveals_time, time_range
from graph.users import USER, User, UserById

FOR_OTHERS = scope("events:write")
WRITE = scope("events:write", role=Role.MEMBER)
READ = scope("actions:read")

# Types


@node(db.analytics.UserAction, access=READ)
class UserAction(Node):
    """Something a user did in a front end."""

    action: str = field("What was done, for example `page_viewed`.")
    page: str | None = field("Path of the page where it was done; null when on none.")
    session_id: str | None = field("The visit it belongs to, as the front end names it.")
    timestamp: datetime = field("When it was done.")
    metadata: JSON = field("What else the front end knows of it.")
    user: User | None = related(
        UserById, "user_id", description="Who did it; null for visitors that did not sign in."
    )


@value
class UserActionCount:
    """How often one action was done on one page in a span of time."""

    action: str = field("What was done.")
    page: str | None = field("Path of the page; null when on none.")
    count: BigInt = field("How often it was done.")
    user_count: int = field("Number of users that did it, without visitors that did not sign in.")


# Inputs


@filters(db.analytics.LISTING)
class UserActionFilter:
    """Conditions on what users did; all given must hold."""


@orders(db.analytics.LISTING)
class UserActionOrder:
    """Order of what users did."""


@checked(db.analytics.UserAction)
@ingest_input
class TrackUserActionInput:
    """Something a user did in a front end."""

    action: str = field("What was done, for example `page_viewed`.")
    page: str | None = field("Path of the page where it was done.", default=UNSET)
    session_id: str | None = field("The visit it belongs to.", default=UNSET)
    metadata: JSON | None = field("What else the front end knows of it.", default=UNSET)
    user_id: strawberry.ID | None = field(
        "Id of the user who did it, you by default; null for a visitor that did not sign in. "
        "Only operators may name others than themselves.",
        check=USER,
        default=UNSET,
    )
    timestamp: datetime | None = field(f"When it was done. {TIME}", default=UNSET)
    idempotency_key: str | None = key()


@ingest_input
class TrackUserActionsInput:
    """What users did, stored as far as each action is acceptable."""

    actions: list[TrackUserActionInput] = batch("The actions.")
    idempotency_key: str | None = batch_key()


# Results

TrackUserActionResult = result("TrackUserActionResult", Stored, Invalid, Forbidden)
TrackUserActionsResult = batch_result("TrackUserActionsResult")


def _action(info: Info, given: Any, at: datetime, key: str | None) -> IngestRow:
    metadata = given.get("metadata")
    row = {
        "user_id": _who(info, given),
        "action": given["action"],
        "page": given.get("page"),
        "session_id": given.get("sessionId"),
        "timestamp": at,
        "metadata": {} if metadata is None else metadata,
    }
    return db.analytics.TRACKED.rules.item(row, at, key)


def _who(info: Info, given: Any) -> UUID | None:
    """Who did it. Raises Forbidden for somebody else, unless one may speak for others."""
    principal = info.context.principal
    if "userId" not in given:
        return principal.user_id
    id = given["userId"]
    user = None if id is None else parse_id(id, db.users.User, "user_id")[1]
    if user != principal.user_id and not principal.may(FOR_OTHERS):
        raise NotAllowed("You may only tell what you did yourself.")
    return user


ACTIONS = IngestMutation(
    db.analytics.TRACKED, db.analytics.UserAction.Record, _action, names_of(TrackUserActionInput)
)

# Operations


@strawberry.type
class Queries:
    user_actions: Connection[UserAction] = listed(
        db.analytics.LISTING, "What users did, newest first.", READ
    )

    @field("The action with that id; null if there is none.", READ)
    async def user_action(self, info: Info, id: IdOf) -> UserAction | None:
        return await load(info, id, db.analytics.UserAction)

    @field(
        "Actions by page, those done most often first; the last 24 hours by default.",
        READ,
        cost=100,
        reveals=reveals_time(db.analytics.UserAction.timestamp),
    )
    async def user_action_counts(
        self, info: Info, from_: From = UNSET, to: To = UNSET
    ) -> list[UserActionCount]:
        return await rows(info, db.analytics.counts(await time_range(info, from_, to)))


@strawberry.type
class Mutations:
    @field(
        "Tell what a user did; it becomes a `user_action` event as well.",
        WRITE,
        graphql_type=TrackUserActionResult,
    )
    async def track_user_action(self, info: Info, input: Input[TrackUserActionInput]) -> Any:
        return await ACTIONS.one(info, input)

    @field("Tell what users did, many actions at once.", WRITE, graphql_type=TrackUserActionsResult)
    async def track_user_actions(self, info: Info, input: Input[TrackUserActionsInput]) -> Any:
        return await ACTIONS.many(info, input, "actions")
