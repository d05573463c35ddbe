"""Notifications: messages to one user, which no other user can read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import strawberry
from strawberry import UNSET, Maybe
from strawberry.scalars import JSON

import db
from db import Database, WriteSession
from db.users import Role
from graph.core.context import Info
from graph.core.permission import scope
from graph.core.principal import NOBODY
from graph.core.subscriptions.source import Update, message, rows, stream
from graph.core.subscriptions.table_source import ChildTableSource
from graph.core.types.connection import Connection, listed
from graph.core.types.field import checked, field, value
from graph.core.types.filter import filters, orders
from graph.core.types.mutation import (
    Input,
    audit_context,
    create_unseen_idempotently,
    id_of_table,
    idempotency_key,
    input_type,
    mutation,
    provided_fields,
)
from graph.core.types.node import Node, id_of, key_of, node, with_ids
from graph.core.types.unset import or_none

READ = scope("notifications:read", role=Role.MEMBER)
WRITE = scope("notifications:write", role=Role.MEMBER)
SEND = scope("notifications:send")
# The result of a mutation is readable with the scope for the mutation.
READ_OR_WRITE = scope("notifications:read", "notifications:write", role=Role.MEMBER)

# Types


@node(db.notifications.Notification, access=READ_OR_WRITE, name="UserNotification")
class Notification(Node):
    """A message to one user, which only that user can read."""

    kind: str = field("Kind of the notification, for example `DREAM_TESTED`.")
    title: str = field("Title of the notification.")
    body: str | None = field("Text of the notification.")
    payload: JSON = field(
        "Data of the notification, as free-form JSON. A `DREAM_ACHIEVED` has the `dreamId` and "
        "`bestScore`, a `DREAM_REMIXED` the `dreamId`, a `TEST_FAILED` also the `testId`, and "
        "the `count` of several, and a `BUDGET_REACHED` the `month`, `percent`, `budget` and "
        "`spent`. A `KEY_EXPIRES` has the `keyPrefix` and `expiresAt`.",
        resolver=lambda root: with_ids(
            root.payload, dreamId=db.dreams.Dream, testId=db.ai_tests.AiTest
        ),
        reads=("payload",),
    )
    read_at: datetime | None = field("When the user read the notification. Null if unread.")
    created_at: datetime = field("When the notification was sent.")


@message()
class NotificationsUpdate(Update):
    """New and read notifications of the viewer."""

    notifications: list[Notification] = rows(
        "The notifications that were sent or read. In a SNAPSHOT, the unread notifications, "
        "newest first, at most 100."
    )


# Inputs

NOTIFICATION = key_of(db.notifications.Notification)


@filters(db.notifications.LISTING)
class NotificationFilter:
    """Filter conditions on notifications. All given conditions must hold."""


@orders(db.notifications.LISTING)
class NotificationOrder:
    """Sort order for notifications."""


@checked(db.notifications.Notification)
@input_type
class SendNotificationInput:
    """The input fields to send a notification to a user."""

    user_id: strawberry.ID = field("ID of the user.", check=key_of(db.users.User))
    kind: str = field("Kind of the notification, for example `MAINTENANCE`.")
    title: str = field("Title of the notification.")
    body: str | None = field("Text of the notification.", default=UNSET)
    payload: Maybe[JSON] = field("Data of the notification, for programs; empty if omitted.")
    idempotency_key: str | None = idempotency_key()


@input_type
class MarkNotificationReadInput:
    """The input fields to mark a notification as read."""

    id: strawberry.ID = field("ID of the notification.", check=NOTIFICATION)


@input_type
class MarkAllNotificationsReadInput:
    """The input fields to mark all notifications as read."""

    until: datetime | None = field(
        "Mark only notifications sent up to this time, so that later ones stay unread. Now if "
        "omitted.",
        default=UNSET,
    )


# Results


@value
class NotificationSent:
    """A notification was sent. Only its user can read it."""

    notification_id: strawberry.ID | None = field("ID of the notification.", default=None)


@value
class NotificationsRead:
    """The result of marking all notifications as read."""

    read_count: int | None = field("Number of notifications that were unread.", default=None)


# Operations


@strawberry.type
class Queries:
    notifications: Connection[Notification] = listed(
        db.notifications.LISTING,
        "Notifications of the viewer, newest first. Empty for keys without a user.",
        READ,
        where=lambda info: db.notifications.of_user(info.context.principal.user_id),
    )

    @field("Number of unread notifications of the viewer.", READ)
    async def unread_notification_count(self, info: Info) -> int:
        async with info.context.db.read() as session:
            return await db.notifications.unread(session, info.context.principal.user_id)


@strawberry.type
class Mutations:
    @mutation("Send a notification to a user, who sees it at once.", SEND, NotificationSent)
    async def send_notification(
        self, info: Info, input: Input[SendNotificationInput]
    ) -> NotificationSent:
        user_id = id_of_table(input.user_id, db.users.User)
        message = provided_fields(input, "user_id")

        async def send(session: WriteSession) -> db.notifications.Notification:
            return await db.notifications.send(session, user_id, **message)

        id = await create_unseen_idempotently(info, input, send)
        shown = id_of(db.notifications.Notification.Record, id)
        return NotificationSent(notification_id=strawberry.ID(shown))

    @mutation("Mark a notification of the viewer as read.", WRITE, Notification)
    async def mark_notification_read(
        self, info: Info, input: Input[MarkNotificationReadInput]
    ) -> db.notifications.Notification:
        id = id_of_table(input.id, db.notifications.Notification)
        async with info.context.db.write(audit_context(info)) as session:
            return await db.notifications.mark_read(session, info.context.principal.user_id, id)

    @mutation("Mark all notifications of the viewer as read.", WRITE, NotificationsRead)
    async def mark_all_notifications_read(
        self, info: Info, input: Input[MarkAllNotificationsReadInput]
    ) -> NotificationsRead:
        viewer, until = info.context.principal.user_id, or_none(input.until)
        async with info.context.db.write(audit_context(info)) as session:
            until = session.now() if until is None else until
            count = await db.notifications.mark_all_read(session, viewer, until)
        return NotificationsRead(read_count=count)


# Streams


@dataclass(frozen=True, slots=True)
class Inbox(ChildTableSource[db.notifications.Notification]):
    """The notifications of one user."""

    table = db.notifications.Notification

    async def snapshot(self, database: Database) -> Sequence[db.notifications.Notification]:
        async with database.read() as session:
            return await db.notifications.newest_unread(session, self.parent_id)


@strawberry.type
class Subscriptions:
    @stream(
        NotificationsUpdate,
        "Notifications of the viewer: an update whenever one is sent or read. Empty for keys "
        "without a user.",
        READ,
    )
    async def notifications(self, info: Info) -> Inbox:
        return Inbox(info.context.principal.user_id or NOBODY)
