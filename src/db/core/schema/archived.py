"""Archived: the months of partitioned tables whose rows are in files of the archive."""

from datetime import datetime

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Mapped, mapped_column

from db.core.session.database import ReadSession
from db.core.table import Count, Table, checked
from db.core.values import validation


class ArchivedMonth(Table):
    """A month of the table `source`, from its first instant on, and its file.

    Until `archived_at` is set, its rows are also in a detached partition. From `restored_at` on
    they are in the table again.
    """

    __tablename__ = "archived_months"

    source: Mapped[str] = checked(validation.string(63), primary_key=True)
    month: Mapped[datetime] = mapped_column(primary_key=True)
    file: Mapped[str] = checked(validation.string(200))
    rows: Mapped[Count | None]
    bytes: Mapped[Count | None]
    sha256: Mapped[str | None] = checked(validation.string(64))
    archived_at: Mapped[datetime | None]
    restored_at: Mapped[datetime | None]


def is_away(source: str) -> tuple[ColumnElement[bool], ...]:
    """The conditions on the months of a table that are not in it."""
    return ArchivedMonth.source == source, ArchivedMonth.restored_at.is_(None)


async def months_away(session: ReadSession, source: str) -> set[datetime]:
    """The starts of the months of a table that are not in it."""
    statement = select(ArchivedMonth.month).where(*is_away(source))
    return {month for (month,) in await session.rows(statement)}
