"""Analytics: what users did, page by page."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from db.core.table import Id, Json, Table


class UserAction(Table):
    """One thing one user did."""

    __tablename__ = "user_analytics"
    __table_args__ = (
        Index(None, "user_id", "id"),
        Index(None, "action", "id"),
        {"postgresql_partition_by": "RANGE (id)"},
    )

    id: Mapped[Id]
    user_id: Mapped[UUID | None]
    action: Mapped[str]
    page: Mapped[str | None]
    session_id: Mapped[str | None]
    timestamp: Mapped[datetime]
    metadata_: Mapped[Json] = mapped_column("metadata")
