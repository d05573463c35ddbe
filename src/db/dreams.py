"""Dreams: things AI cannot do yet, in the words of the people who want them."""

from enum import StrEnum
from uuid import UUID

from sqlalchemy import ColumnElement, Computed, ForeignKey, Index, or_, text
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from db import ai_tests
from db.core.filter import Relation
from db.core.listing import Listing, by_name
from db.core.sight import Sight
from db.core.table import CreatedAt, Id, Table, Texts, UpdatedAt, choice


class DreamCategory(StrEnum):
    """The kind of ability a dream asks for."""

    CODING = "CODING"
    REASONING = "REASONING"
    SCIENCE = "SCIENCE"
    MATH = "MATH"
    CREATIVE = "CREATIVE"
    LANGUAGE = "LANGUAGE"
    VISION = "VISION"
    AGENTIC = "AGENTIC"
    OTHER = "OTHER"


class DreamStatus(StrEnum):
    """Where a dream is in its life."""

    DRAFT = "DRAFT"
    ACTIVE = "ACTIVE"
    ACHIEVED = "ACHIEVED"
    ARCHIVED = "ARCHIVED"


SEARCH = (
    "setweight(to_tsvector('english', title), 'A')"
    " || setweight(to_tsvector('english', coalesce(description, '')), 'B')"
    " || setweight(to_tsvector('english', coalesce(original_prompt, '')), 'C')"
)


class Dream(Table):
    """One thing AI cannot do yet."""

    __tablename__ = "dreams"
    __table_args__ = (
        Index(None, "user_id", "id"),
        Index("ix_dreams_public", "id", postgresql_where=text("is_public")),
        Index("ix_dreams_active", "id", postgresql_where=text("status = 'ACTIVE'")),
        Index(None, "tags", postgresql_using="gin"),
        Index(None, "search", postgresql_using="gin"),
    )

    id: Mapped[Id]
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    title: Mapped[str]
    description: Mapped[str | None]
    original_prompt: Mapped[str | None]
    category: Mapped[str] = choice(DreamCategory, "category", server_default="OTHER", index=True)
    tags: Mapped[Texts]
    is_public: Mapped[bool] = mapped_column(server_default=text("false"))
    status: Mapped[str] = choice(DreamStatus, "status", server_default=DreamStatus.ACTIVE)
    remixed_from_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("dreams.id", ondelete="SET NULL"), index=True
    )
    version: Mapped[int] = mapped_column(server_default=text("1"))
    import_key: Mapped[str | None] = mapped_column(unique=True, info={"hidden": True})
    search: Mapped[str] = mapped_column(
        TSVECTOR, Computed(SEARCH, persisted=True), info={"hidden": True}
    )
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]

    @classmethod
    def visible(cls, sight: Sight) -> ColumnElement[bool]:
        """Public dreams, and one's own."""
        return or_(cls.is_public, cls.user_id == sight.user_id)


LISTING: Listing = Listing(
    Dream,
    filters=by_name(
        Dream.id,
        Dream.user_id,
        Dream.title,
        Dream.category,
        Dream.status,
        Dream.tags,
        Dream.is_public,
        Dream.remixed_from_id,
        Dream.created_at,
        Dream.updated_at,
    ),
    orders={
        "CREATED_AT": Dream.id,
        "UPDATED_AT": Dream.updated_at,
        "TITLE": Dream.title,
        "CATEGORY": Dream.category,
        "STATUS": Dream.status,
    },
    relations={
        "tests": Relation(
            lambda: ai_tests.AiTest.dream_id == Dream.id, lambda: ai_tests.LISTING.filterable
        ),
    },
    search=Dream.search,
)
