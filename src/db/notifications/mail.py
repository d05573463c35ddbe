"""Mail: notifications that users want by e-mail, queued in the transaction that sends them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Text, Uuid, and_, any_, cast, literal, select, text

from db.core import jobs
from db.core.session.database import Database, ReadSession, WriteSession
from db.core.session.row_rules import without_row_rules
from db.notifications.table import Notification
from db.users import User

QUEUE = "mail"
TASK = "send_mail"
ARGUMENT = "notification_id"
LATEST = timedelta(days=3)  # after which a message is not sent any more
# Messages whose time is over, also where no gateway sends any, and those that were given up.
_REMOVE = text(
    "delete from procrastinate_jobs as job where job.queue_name = :queue "
    "and job.status in ('todo', 'failed') and not exists (select from notifications as sent "
    "where sent.id = cast(job.args ->> :argument as uuid) "
    "and sent.created_at > now() - make_interval(secs => :seconds))"
)


@dataclass(frozen=True, slots=True)
class OutgoingMail:
    """A notification to send, and the address of its user."""

    notification: Notification
    address: str


async def queue(session: WriteSession, ids: Sequence[UUID]) -> None:
    """Store a job for each of these notifications whose user wants its kind by e-mail."""
    among = Notification.id == any_(literal(list(ids), ARRAY(Uuid)))
    wanted = select(cast(Notification.id, Text)).join(User, _wants()).where(among)
    await jobs.defer_each(session.unrestricted(), QUEUE, TASK, ARGUMENT, wanted)


async def outgoing(session: ReadSession, id: UUID) -> OutgoingMail | None:
    """None if the notification is gone or too old, or its user does not want it any more."""
    is_recent = Notification.created_at > session.now() - LATEST
    statement = Notification.select().add_columns(User.email).join(User, _wants())
    found = await session.rows(statement.where(Notification.id == id, is_recent))
    for *columns, address in found:
        return OutgoingMail(Notification.Record(*columns), address)
    return None


async def remove_expired(database: Database) -> int:
    """Delete messages that will not be sent any more. Returns how many. Raises as sessions do."""
    values = {"queue": QUEUE, "argument": ARGUMENT, "seconds": LATEST.total_seconds()}
    async with database.unrestricted().write() as session:
        return await session.execute(without_row_rules(_REMOVE), values)


def _wants() -> ColumnElement[bool]:
    """The user of a notification wants its kind by e-mail, and owns the address."""
    return and_(
        User.id == Notification.user_id,
        Notification.kind == any_(User.email_notifications),
        User.email.is_not(None),
        User.email_copy == 0,
        User.disabled_at.is_(None),
    )
