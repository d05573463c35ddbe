"""Notifications: what the viewer should hear about, and nobody else."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import strawberry
from strawberry import UNSET
from strawberry.scalars import JSON

import db
from db import Database
from db.users import Role
from graph.core.context import Info
from graph.core.permission import scope
from graph.core.subscriptions.source import Source, Update, message, rows, stream
from graph.core.subscriptions.table_source import ChildTableSource
from graph.core.types.connection import Connection, listed
from graph.core.types.errors import Invalid, NotFound
from graph.core.types.field import field, value
from graph.core.types.filter import filters, orders
from graph.core.types.mutation import Input, audit_context, id_of_table, input_type, result
from graph.core.types.node import Node, key_of, node, with_ids
from graph.core.types.unset import or_none

READ = scope("notifications:read", role=Role.MEMBER)
WRITE = scope("notifications:write", role=Role.MEMBER)
# The result of a mutation is readable with the scope for the mutation.
READ_OR_WRITE = scope("notifications:read", "notifications:write", role=Role.MEMBER)

# Types


@node(db.notifications.Notification, access=READ_OR_WRITE)
class Notification(Node):
    """A message to one user, which only that user can read."""

    kind: str = field("What it is about, for example `DREAM_TESTED`.")
    title: str = field("The message in one line.")
    body: str | None = field("The message at length.")
    payload: JSON = field(
        "The facts behind it, for programs; of a `DREAM_ACHIEVED` the `dreamId` and `bestScore`.",
        resolver=lambda root: with_ids(root.payload, dreamId=db.dreams.Dream),
    )
    read_at: datetime | None = field("When the user read it; null while unread.")
    created_at: datetime = field("When it was sent.")


@message()
class NotificationsUpdate(Update):
    """What the viewer should hear about."""

    notifications: list[Notification] = rows(
        "The notifications that came in or were read; in a SNAPSHOT those that are not read, "
        "newest first, at most 100."
    )


# Inputs

NOTIFICATION = key_of(db.notifications.Notification)


@filters(db.notifications.LISTING)
class NotificationFilter:
    """Conditions on notifications; all given must hold."""


@orders(db.notifications.LISTING)
class NotificationOrder:
    """Order of notifications."""


@input_type
class MarkNotificationReadInput:
    """A notification of the viewer."""

    id: strawberry.ID = field("The notification.", check=NOTIFICATION)


@input_type
class MarkAllNotificationsReadInput:
    """Notifications of the viewer."""

    until: datetime | None = field(
        "Only those sent until then, so that none is missed that came in after the viewer looked; "
        "now if left out.",
        default=UNSET,
    )


# Results


@value
class NotificationsRead:
    """The viewer has nothing left to read, up to a time."""

    read_count: int = field("How many were unread.")


MarkNotificationReadResult = result("MarkNotificationReadResult", Notification, NotFound, Invalid)

# Operations


@strawberry.type
class Queries:
    notifications: Connection[Notification] = listed(
        db.notifications.LISTING,
        "The notifications of the viewer, newest first; none for keys that belong to nobody.",
        READ,
        where=lambda info: db.notifications.of_user(info.context.principal.user_id),
    )

    @field("How many notifications the viewer has not read.", READ)
    async def unread_notification_count(self, info: Info) -> int:
        async with info.context.db.read() as session:
            return await db.notifications.unread(session, info.context.principal.user_id)


@strawberry.type
class Mutations:
    @field(
        "Note that the viewer read a notification.", WRITE, graphql_type=MarkNotificationReadResult
    )
    async def mark_notification_read(
        self, info: Info, input: Input[MarkNotificationReadInput]
    ) -> Any:
        id = id_of_table(input.id, db.notifications.Notification)
        async with info.context.db.write(audit_context(info)) as session:
            return await db.notifications.mark_read(session, info.context.principal.user_id, id)

    @field("Note that the viewer read all notifications.", WRITE)
    async def mark_all_notifications_read(
        self, info: Info, input: Input[MarkAllNotificationsReadInput]
    ) -> NotificationsRead:
        viewer, until = info.context.principal.user_id, or_none(input.until)
        async with info.context.db.write(audit_context(info)) as session:
            until = session.now() if until is None else until
            count = await db.notifications.mark_all_read(session, viewer, until)
        return NotificationsRead(read_count=count)


# Streams

NOBODY = UUID(int=0)  # to whom nothing is ever sent


@dataclass(frozen=True, slots=True)
class Inbox(ChildTableSource):
    """The notifications of one user."""

    table = db.notifications.Notification

    async def snapshot(self, database: Database) -> Sequence[Any]:
        async with database.read() as session:
            return await db.notifications.newest_unread(session, self.parent_id)


@strawberry.type
class Subscriptions:
    @stream(
        NotificationsUpdate,
        "The notifications of the viewer, as they come in and are read; none for keys that belong "
        "to nobody.",
        READ,
    )
    async def notifications(self, info: Info) -> Source:
        return Inbox(info.context.principal.user_id or NOBODY)
