"""Dreams: things AI cannot do yet, in the words of the people who want them."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Computed,
    ForeignKey,
    Index,
    Select,
    Uuid,
    any_,
    func,
    literal,
    or_,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from db import ai_tests, audit
from db.audit import AuditEntry, Change, ChangeKind
from db.core.database import ReadSession, WriteSession
from db.core.errors import Conflict, Invalid
from db.core.filter import Condition, Relation
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


def matching(where: Condition | None) -> tuple[ColumnElement[bool], ...]:
    """What a filter says about a dream; nothing without one."""
    return () if where is None else (LISTING.filterable.compile(where),)


async def left(session: ReadSession, sight: Sight, changes: Sequence[Change]) -> frozenset[UUID]:
    """The ids of changed dreams that somebody may have known of before the changes: who sees
    everything of all that are not new; others of those they see, or could see until then."""
    touched = [change for change in changes if change.kind != ChangeKind.CREATED]
    ids = [change.entity_id for change in touched]
    if sight.everything:
        return frozenset(ids)
    now = select(Dream.id).where(Dream.id == any_(literal(ids, ARRAY(Uuid))))
    then = _seen_before(sight, [change.audit_id for change in touched])
    found = [*await session.rows(now), *await session.rows(then)]
    return frozenset(id for (id,) in found)


def _seen_before(sight: Sight, audit_ids: Sequence[UUID | None]) -> Select[Any]:
    """Ids of dreams that were public, or the viewer's own, until a change. Of what a change left as
    it was nothing is noted: but then it did not take the dream out of sight."""
    was = AuditEntry.before
    public = was["is_public"].astext == "true"
    own = was["user_id"].astext == str(sight.user_id)
    among = AuditEntry.id == any_(literal([id for id in audit_ids if id], ARRAY(Uuid)))
    return select(AuditEntry.entity_id).where(among, or_(public, own))


MAX_TITLE = 200
MAX_TEXT = 100_000
MAX_TAGS = 50


async def create(session: WriteSession, owner_id: UUID | None, **values: Any) -> Any:
    """Writes a dream. Raises Invalid."""
    _check(values)
    return await audit.create(session, Dream, user_id=owner_id, **values)


async def edit(session: WriteSession, dream: Any, **values: Any) -> Any:
    """Changes a dream. Raises Invalid."""
    _check(values)
    return await audit.change(session, Dream, dream, **values)


async def move(session: WriteSession, dream: Any, status: DreamStatus, *before: DreamStatus) -> Any:
    """Moves a dream on in its life. Raises Conflict if it is not in one of the states before."""
    if dream.status == status:
        return dream
    if dream.status not in before:
        raise Conflict(f"A dream that is {dream.status} cannot become {status}.")
    return await audit.change(session, Dream, dream, status=status)


async def remix(session: WriteSession, source: Any, owner_id: UUID | None, **values: Any) -> Any:
    """Writes a dream that varies another: a private draft with its words, but for those given."""
    copied = {name: getattr(source, name) for name in REMIXED}
    return await create(
        session, owner_id, **copied | values, remixed_from_id=source.id, status=DreamStatus.DRAFT
    )


async def remove(session: WriteSession, dream: Any) -> int:
    """Removes a dream with its tests and progress; returns the number of tests."""
    counted = select(func.count()).select_from(ai_tests.AiTest)
    tests = await session.scalar(counted.where(ai_tests.AiTest.dream_id == dream.id))
    await audit.remove(session, Dream, dream)
    return int(tests)


REMIXED = ("title", "description", "original_prompt", "category", "tags")


def _check(values: Mapping[str, Any]) -> None:
    """Raises Invalid for texts that are too short or too long."""
    for name, low, high in LENGTHS:
        if values.get(name) is not None and not low <= len(values[name]) <= high:
            raise Invalid(f"{name} must have {low} to {high} characters or entries.", name)


LENGTHS = (
    ("title", 1, MAX_TITLE),
    ("description", 0, MAX_TEXT),
    ("original_prompt", 0, MAX_TEXT),
    ("tags", 0, MAX_TAGS),
)
