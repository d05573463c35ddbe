"""Attachments: files of dreams and tests. The files themselves are in an object store.

A row is created before its file is uploaded, and counts as an attachment once the file was checked.
A trigger writes the IDs of deleted rows to `deleted_attachments`, also those that are deleted with
their dream, so that no file outlives its row.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, ForeignKey, Index, and_, delete, func, select, text, true
from sqlalchemy.orm import Mapped, mapped_column

from db import audit, dreams
from db.core.errors import Invalid
from db.core.query.listing import ListSpec, columns_by_name
from db.core.session.database import Database, ReadSession, WriteSession
from db.core.session.row_rules import Visibility
from db.core.table import Count, CreatedAt, Id, Table, checked
from db.core.values import validation

DeleteFiles = Callable[[Sequence[UUID]], Awaitable[None]]

MAX_BYTES = 5 * 1024**3  # the most that object stores accept in one request
UPLOAD_HOURS = 24  # until a row without a file is deleted
LATE = timedelta(hours=1)  # until the file of a deleted row is: an upload may have begun before
AT_ONCE = 1_000
NAME = validation.pattern(
    r"[^/\\\x00-\x1f\x7f]{1,200}",
    200,
    "This must be the name of a file, without a folder.",
    "1 to 200 characters, without slashes and control characters.",
)
CONTENT_TYPE = validation.pattern(
    r"[a-z]+/[a-z0-9.+-]+",
    100,
    "This must be a media type, like `image/png`.",
    "At most 100 characters.",
)
DIGITS = "64 hexadecimal digits in lower case"
SHA256 = validation.pattern(r"[0-9a-f]{64}", 64, f"This must be {DIGITS}.", f"{DIGITS}.")


class Attachment(Table):
    """One file of a dream or of one of its tests."""

    __tablename__ = "attachments"
    __table_args__ = (
        Index(None, "dream_id", "id"),
        Index(None, "ai_test_id", "id"),
        Index(None, "user_id", "id"),
        Index("ix_attachments_pending", "created_at", postgresql_where=text("stored_at is null")),
    )
    parent = "dream_id"

    id: Mapped[Id]
    dream_id: Mapped[UUID] = mapped_column(ForeignKey("dreams.id", ondelete="CASCADE"))
    ai_test_id: Mapped[UUID | None] = mapped_column(info={"refers": "ai_tests"})
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    name: Mapped[str] = checked(NAME)
    content_type: Mapped[str] = checked(CONTENT_TYPE)
    size: Mapped[Count] = checked(validation.within(1, MAX_BYTES))
    sha256: Mapped[str] = checked(SHA256)
    stored_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]

    @classmethod
    def visible(cls, visibility: Visibility) -> ColumnElement[bool]:
        of_dream = true() if visibility.shared else cls.dream_id.in_(select(dreams.Dream.id))
        return of_dream if visibility.tests else and_(of_dream, cls.ai_test_id.is_(None))


class DeletedAttachment(Table):
    """A file to delete."""

    __tablename__ = "deleted_attachments"

    id: Mapped[Id]
    deleted_at: Mapped[CreatedAt]


LISTING = ListSpec(
    Attachment,
    filters=columns_by_name(Attachment.dream_id, Attachment.ai_test_id, Attachment.user_id),
    orders={"CREATED_AT": Attachment.id},
)


async def create(
    session: WriteSession, dream: dreams.Dream, most: int, **values: object
) -> Attachment:
    """Announce a file of a locked dream. Raises Invalid, also for a dream with `most` of them."""
    of_dream = Attachment.dream_id == dream.id
    counted = select(func.count().label("count")).select_from(Attachment).where(of_dream)
    [(count,)] = await session.unrestricted().rows(counted)
    if count >= most:
        raise Invalid(f"A dream has at most {most} attachments: delete one first.", "dream_id")
    return await audit.create(session, Attachment, dream_id=dream.id, **values)


async def holds(session: WriteSession, dream: dreams.Dream, name: str, sha256: str) -> bool:
    """True if the dream has a stored file of this name and content."""
    same = Attachment.name == name, Attachment.sha256 == sha256
    found = select(Attachment.id).where(Attachment.dream_id == dream.id, *same)
    return bool(await session.rows(found.where(Attachment.stored_at.is_not(None))))


async def dream_of(session: ReadSession, attachment: Attachment) -> dreams.Dream | None:
    of_attachment = dreams.Dream.id == attachment.dream_id
    return await session.record(dreams.Dream, dreams.Dream.select().where(of_attachment))


async def complete(session: WriteSession, attachment: Attachment) -> Attachment:
    """Note that the file is stored and was checked."""
    if attachment.stored_at is not None:
        return attachment
    return await audit.change(session, Attachment, attachment, stored_at=session.now())


async def abandon(database: Database) -> int:
    """Delete rows whose files were not uploaded in time. Returns how many."""
    async with database.unrestricted().write() as session:
        since = session.now() - timedelta(hours=UPLOAD_HOURS)
        late = Attachment.stored_at.is_(None), Attachment.created_at < since
        chosen = select(Attachment.id).where(*late).limit(AT_ONCE).with_for_update()
        gone = delete(Attachment).where(Attachment.id.in_(chosen)).returning(Attachment.id)
        return len(await session.rows(gone))


async def no_files(ids: Sequence[UUID]) -> None:
    """Delete nothing, where there is no store."""


async def delete_files(database: Database, delete_files: DeleteFiles) -> int:
    """Delete rows without files, and the files of deleted rows; a failure leaves the rest for the
    next time. Returns the number of files."""
    await abandon(database)
    if ids := await deleted(database):
        await delete_files(ids)
        await forget(database, ids)
    return len(ids)


async def deleted(database: Database) -> list[UUID]:
    """The files that may be deleted now, at most a thousand."""
    async with database.unrestricted().read() as session:
        before = DeletedAttachment.deleted_at < session.now() - LATE
        ids = select(DeletedAttachment.id).where(before).order_by(DeletedAttachment.id)
        return [id for (id,) in await session.rows(ids.limit(AT_ONCE))]


async def forget(database: Database, ids: Sequence[UUID]) -> None:
    """Note that these files are deleted."""
    async with database.unrestricted().write() as session:
        await session.execute(delete(DeletedAttachment).where(DeletedAttachment.id.in_(ids)))
