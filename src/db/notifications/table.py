"""Table: messages to users."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from db.core.session.row_rules import Visibility
from db.core.table import CreatedAt, Id, Json, Table, checked
from db.core.values import validation

MAX_TITLE = 300  # characters: the title of a dream with the text around it


class Notification(Table):
    """One message to one user."""

    __tablename__ = "notifications"
    parent = "user_id"
    __table_args__ = (
        Index(None, "user_id", "id"),
        Index("ix_notifications_unread", "user_id", "id", postgresql_where=text("read_at is null")),
    )

    id: Mapped[Id]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    kind: Mapped[str] = checked(validation.string())
    title: Mapped[str] = checked(validation.string(MAX_TITLE))
    body: Mapped[str | None] = checked(validation.string(2_000, 0))
    payload: Mapped[Json] = checked(validation.OBJECT)
    read_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]

    @classmethod
    def visible(cls, visibility: Visibility) -> ColumnElement[bool]:
        return visibility.owns(cls.user_id)
