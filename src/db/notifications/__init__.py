"""Notifications: messages to users."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement

from db import audit
from db.audit import ChangeKind
from db.audit.batch import note_all
from db.audit.entries import Note
from db.audit.setting import set_all
from db.core.errors import NotFound
from db.core.ids import uuid7
from db.core.ingest.statements import insert_from, recordset, row_parameters
from db.core.query import looking
from db.core.query.listing import ListArgs, ListSpec, columns_by_name
from db.core.session.database import ReadSession, WriteSession
from db.core.session.row_rules import Visibility
from db.core.table import Values
from db.notifications import mail
from db.notifications.table import Notification as Notification

DREAM_REMIXED, TEST_FAILED = "DREAM_REMIXED", "TEST_FAILED"

_ITEMS = recordset(*(c for c in Notification.columns() if c.name != "created_at"))
_INSERT = insert_from(Notification, dict(_ITEMS.c.items()), _ITEMS, _ITEMS.c.id).returning(
    *Notification.columns()
)
DEFAULTS: Values = {"body": None, "payload": {}}
MOST = 100

LISTING = ListSpec(
    Notification,
    filters=columns_by_name(Notification.kind, Notification.read_at, Notification.created_at),
    orders={"CREATED_AT": Notification.id},
)


def of_user(user_id: UUID | None) -> list[ColumnElement[bool]]:
    return [Notification.visible(Visibility(user_id=user_id))]


async def unread(session: ReadSession, user_id: UUID | None) -> int:
    conditions = (*of_user(user_id), Notification.read_at.is_(None))
    return (await looking.count(session, LISTING, ListArgs(), *conditions)).rows


async def newest_unread(session: ReadSession, user_id: UUID) -> list[Notification]:
    statement = Notification.select().where(*of_user(user_id), Notification.read_at.is_(None))
    return await session.records(
        Notification, statement.order_by(Notification.id.desc()).limit(MOST)
    )


async def send(session: WriteSession, user_id: UUID, **message: object) -> Notification:
    """Raises Invalid, and NotFound for an unknown user."""
    sent = await audit.create(session, Notification, user_id=user_id, **message)
    await mail.queue(session, [sent.id])
    return sent


async def send_all(session: WriteSession, messages: Sequence[Values]) -> None:
    """Send notifications, each to its `user_id`, in as many statements as one."""
    if messages:
        now = session.now()
        rows = [{**DEFAULTS, **message, "id": uuid7(now)} for message in messages]
        sent = await session.unrestricted().records(Notification, _INSERT, row_parameters(rows))
        await note_all(session, [Note(ChangeKind.CREATED, Notification, None, n) for n in sent])
        await mail.queue(session, [notification.id for notification in sent])


def to(user_ids: Iterable[UUID], message: Values) -> list[Values]:
    """One message to several users."""
    return [{**message, "user_id": user_id} for user_id in user_ids]


def others(session: WriteSession, *user_ids: UUID | None) -> list[UUID]:
    """These users, but not the one who acts."""
    known = {id for id in user_ids if id is not None}
    return sorted(known - {session.audit_context.actor})


async def mark_read(session: WriteSession, user_id: UUID | None, id: UUID) -> Notification:
    """Mark a notification as read, if it is not. Raises NotFound for one of another user."""
    mine = Notification.select().where(*of_user(user_id), Notification.id == id)
    notification = await session.record(Notification, mine.with_for_update())
    if notification is None:
        raise NotFound
    read_at = notification.read_at or session.now()
    return await audit.change(session, Notification, notification, read_at=read_at)


async def mark_all_read(session: WriteSession, user_id: UUID | None, until: datetime) -> int:
    mine = *of_user(user_id), Notification.created_at <= until
    return await set_all(session, Notification, Notification.read_at, None, session.now(), *mine)
