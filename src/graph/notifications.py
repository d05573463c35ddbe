"""Notifications: what the viewer should hear about, and nobody else."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Self

import strawberry
from strawberry.scalars import JSON

import db
from db import ReadSession
from db.core.batch import Key
from graph.core.connection import Connection, listed
from graph.core.context import Info
from graph.core.field import field
from graph.core.filter import filters, orders
from graph.core.loader import Loader
from graph.core.node import Node, node
from graph.core.permission import MEMBER

# Loaders


class NotificationById(Loader):
    """A notification of the viewer; those of others are not found."""

    @classmethod
    def of(cls, info: Info, *_: Any) -> Self:
        return super().of(info, info.context.principal.user_id)

    async def found(self, session: ReadSession, keys: Sequence[Key]) -> Mapping[Key, Any]:
        (user_id,) = self.arguments
        return await db.notifications.by_id(session, user_id, keys)


# Types


@node(db.notifications.Notification, access=MEMBER, loader=NotificationById)
class Notification(Node):
    """A message to one user, which only that user can read."""

    kind: str = field("What it is about, for example `DREAM_TESTED`.")
    title: str = field("The message in one line.")
    body: str | None = field("The message at length.")
    payload: JSON = field("The facts behind it, for programs.")
    read_at: datetime | None = field("When the user read it; null while unread.")
    created_at: datetime = field("When it was sent.")


# Inputs


@filters(db.notifications.LISTING)
class NotificationFilter:
    """Conditions on notifications; all given must hold."""


@orders(db.notifications.LISTING)
class NotificationOrder:
    """Order of notifications."""


# Operations


@strawberry.type
class Queries:
    notifications: Connection[Notification] = listed(
        db.notifications.LISTING,
        "The notifications of the viewer, newest first; none for keys that belong to nobody.",
        MEMBER,
        where=lambda info: db.notifications.of_user(info.context.principal.user_id),
    )

    @field("How many notifications the viewer has not read.", MEMBER)
    async def unread_notification_count(self, info: Info) -> int:
        async with info.context.db.read() as session:
            return await db.notifications.unread(session, info.context.principal.user_id)
