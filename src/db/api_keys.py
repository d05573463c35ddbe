"""API keys: what services sign in with; only a keyed hash of the secret is stored."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from db.core.table import CreatedAt, Id, Table, Texts


class ApiKey(Table):
    """One key of one user for one service."""

    __tablename__ = "api_keys"

    id: Mapped[Id]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    service: Mapped[str]
    prefix: Mapped[str] = mapped_column(unique=True)
    hashed_key: Mapped[str]
    scopes: Mapped[Texts]
    last_used_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]
