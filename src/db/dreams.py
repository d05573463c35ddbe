"""Dreams: things AI cannot do yet, in the words of the people who want them."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from unicodedata import normalize
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Computed,
    ForeignKey,
    Index,
    Numeric,
    Uuid,
    and_,
    any_,
    case,
    cast,
    func,
    literal,
    not_,
    or_,
    select,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from db import ai_tests, audit, progress
from db.audit import AuditEntry, Change, ChangeKind
from db.audit.setting import set_all
from db.core.errors import Conflict
from db.core.ids import uuid7
from db.core.query.filter import Condition, Relation, columns
from db.core.query.id_ranges import delete_all
from db.core.query.listing import ListSpec, columns_by_name
from db.core.session.coalescing import ReadCoalescer
from db.core.session.database import ReadSession, ResultRow, WriteSession
from db.core.session.row_rules import Visibility
from db.core.table import AnySelect, CreatedAt, Id, Score, Table, Texts, UpdatedAt, checked, choice
from db.core.timeouts import Kind, of_kind
from db.core.values import validation
from db.notifications import DREAM_REMIXED, others, send_all, to


class DreamCategory(StrEnum):
    """The ability that a dream asks for."""

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
    """The status of a dream."""

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
    """One thing AI cannot do yet. Triggers keep `slug`, and the columns of its newest progress log
    from `average_impossibility` to `last_tested_at`."""

    __tablename__ = "dreams"
    __table_args__ = (
        Index(None, "user_id", "id"),
        Index("ix_dreams_public", "id", postgresql_where=text("is_public")),
        Index(None, "updated_at", "id"),
        Index(None, "title", "id"),
        Index(None, "status", "id"),
        Index(None, "category", "id"),
        Index(None, "remixed_from_id", "id"),
        Index(None, "average_impossibility", "id"),
        Index(None, "best_score", "id"),
        Index(None, "improvement_trend", "id"),
        Index(None, "test_count", "id"),
        Index(None, "last_tested_at", "id"),
        Index(
            "ix_dreams_counted",
            *("status", "category", "last_tested_at", "id"),
            postgresql_include=["is_public", "user_id"],
        ),
        Index(None, "slug", unique=True),
        Index(None, "tags", postgresql_using="gin"),
        Index(None, "search", postgresql_using="gin"),
    )

    id: Mapped[Id]
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    title: Mapped[str] = checked(validation.string())
    description: Mapped[str | None] = checked(validation.string(validation.MAX_TEXT, 0))
    original_prompt: Mapped[str | None] = checked(validation.string(validation.MAX_TEXT, 0))
    category: Mapped[str] = choice(DreamCategory, "category", server_default="OTHER")
    tags: Mapped[Texts] = checked(validation.each(50, validation.string()))
    is_public: Mapped[bool] = mapped_column(server_default=text("false"))
    status: Mapped[str] = choice(DreamStatus, "status", server_default=DreamStatus.ACTIVE)
    remixed_from_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("dreams.id", ondelete="SET NULL")
    )
    version: Mapped[int] = mapped_column(server_default=text("1"))
    slug: Mapped[str] = checked(validation.string())
    average_impossibility: Mapped[Score | None]
    best_score: Mapped[Score | None]
    improvement_trend: Mapped[Decimal | None] = mapped_column(Numeric(9, 2))
    test_count: Mapped[int] = mapped_column(server_default=text("0"))
    last_tested_at: Mapped[datetime | None]
    import_key: Mapped[str | None] = mapped_column(unique=True, info={"hidden": True})
    search: Mapped[str] = mapped_column(
        TSVECTOR, Computed(SEARCH, persisted=True), info={"hidden": True}
    )
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]

    @classmethod
    def visible(cls, visibility: Visibility) -> ColumnElement[bool]:
        return true() if visibility.shared else or_(cls.is_public, visibility.owns(cls.user_id))

    @classmethod
    def private(cls, visibility: Visibility) -> ColumnElement[bool]:
        """The visible dreams that are not public, in a form for which an index is used."""
        return and_(visibility.owns(cls.user_id), not_(cls.is_public))


TAGGED = 10_000  # dreams whose tags are listed

LISTING: ListSpec = ListSpec(
    Dream,
    filters=columns_by_name(
        Dream.id,
        Dream.user_id,
        Dream.title,
        Dream.category,
        Dream.status,
        Dream.tags,
        Dream.is_public,
        Dream.remixed_from_id,
        Dream.average_impossibility,
        Dream.best_score,
        Dream.improvement_trend,
        Dream.test_count,
        Dream.last_tested_at,
        Dream.created_at,
        Dream.updated_at,
    ),
    orders={
        "CREATED_AT": Dream.id,
        "UPDATED_AT": Dream.updated_at,
        "TITLE": Dream.title,
        "CATEGORY": Dream.category,
        "STATUS": Dream.status,
        "AVERAGE_IMPOSSIBILITY": Dream.average_impossibility,
        "BEST_SCORE": Dream.best_score,
        "IMPROVEMENT_TREND": Dream.improvement_trend,
        "TEST_COUNT": Dream.test_count,
        "LAST_TESTED_AT": Dream.last_tested_at,
    },
    relations={
        "tests": Relation(
            lambda: ai_tests.AiTest.dream_id == Dream.id,
            lambda: ai_tests.LISTING.filterable,
            many=True,
        ),
    },
    time=Dream.created_at,
    facets=columns_by_name(Dream.status, Dream.category),
    search=Dream.search,
    searched=(Dream.title, Dream.description, Dream.original_prompt),
)


def tags(after: str | None, most: int) -> AnySelect:
    """Select the different tags of the newest dreams above another one, in their order."""
    newest = select(Dream.tags).order_by(Dream.id.desc()).limit(TAGGED).subquery("newest")
    tag = select(func.unnest(newest.c.tags).label("tag")).subquery("tagged").c.tag
    above = () if after is None else (tag > after,)
    found = select(tag).where(*above).group_by(tag).order_by(tag)
    return of_kind(Kind.AGGREGATE, found.limit(most))


def matching(where: Condition | None) -> tuple[ColumnElement[bool], ...]:
    return () if where is None else (LISTING.filterable.compile(where),)


@dataclass(frozen=True, slots=True)
class Traces:
    """Audit entries of dreams, by id: `seen`, whether the dream was visible before the change, and
    `changed`, the columns that changed. Entries of others count, so it is read without row
    rules."""

    visibility: Visibility

    async def __call__(self, session: ReadSession, ids: Collection[UUID]) -> dict[UUID, ResultRow]:
        was = AuditEntry.before
        public = was["is_public"].astext == "true"
        own = self.visibility.owns(cast(was["user_id"].astext, Uuid))
        noted = case((func.jsonb_typeof(was) == "object", was), else_=literal({}, JSONB))
        keys = select(func.jsonb_object_keys(noted)).correlate(AuditEntry)
        names = func.array(keys.scalar_subquery())
        seen, changed = or_(public, own).label("seen"), names.label("changed")
        among = AuditEntry.id == any_(literal(list(ids), ARRAY(Uuid)))
        rows = await session.rows(select(AuditEntry.id, seen, changed).where(among))
        return {row.id: row for row in rows}


async def left(
    reads: ReadCoalescer,
    visibility: Visibility,
    where: Condition | None,
    present: Collection[UUID],
    changes: Sequence[Change],
) -> set[UUID]:
    """The ids of changed dreams that a subscriber may have to remove.

    None of the changed dreams matches the filter and is visible now; `present` are those that are
    still visible. Returned are dreams that were visible before the change and are not now, and
    visible ones with a change in a column of the filter.
    """
    touched = [change for change in changes if change.kind != ChangeKind.CREATED]
    noted = {change.audit_id: change.entity_id for change in touched if change.audit_id}
    traces = await reads.of(Traces(visibility), noted)
    names = None if where is None else columns(where)
    seen = {noted[id] for id, trace in traces.items() if trace.seen}
    moved = {
        noted[id]
        for id, trace in traces.items()
        if names is None or not names.isdisjoint(trace.changed)
    }
    gone = {change.entity_id for change in touched} if visibility.shared else seen
    return gone.difference(present) | moved.intersection(present)


_MARKS = re.compile("[\u0300-\u036f]")  # accents, apart from their letters
_NOT_NAMING = re.compile("[^A-Za-z0-9]+")
MAX_NAME = 60  # characters of a slug before those of the id


def slug_of(title: str, id: UUID) -> str:
    """The words of a title and the end of an id, as `slug_of_dream` of PostgreSQL."""
    letters = _MARKS.sub("", normalize("NFKD", title))
    name = _NOT_NAMING.sub("-", letters).lower().strip("-")[:MAX_NAME].strip("-")
    return "-".join(filter(None, (name, id.hex[-12:])))


STARTING = validation.one_of((DreamStatus.DRAFT, DreamStatus.ACTIVE))


async def create(session: WriteSession, owner_id: UUID | None, **values: object) -> Dream:
    """Create a dream, DRAFT or ACTIVE. Raises Invalid."""
    validation.raise_if_invalid(validation.field_errors({"status": STARTING}, values))
    id = uuid7(session.now())
    slug = slug_of(str(values["title"]), id)
    return await audit.create(session, Dream, id=id, slug=slug, user_id=owner_id, **values)


async def edit(session: WriteSession, dream: Dream, **values: object) -> Dream:
    """Raises Invalid."""
    return await audit.change(session, Dream, dream, **values)


async def move(
    session: WriteSession, dream: Dream, status: DreamStatus, *before: DreamStatus
) -> Dream:
    """Change the status of a dream. Raises Conflict if it is not in one of the states `before`."""
    if dream.status == status:
        return dream
    if dream.status not in before:
        raise Conflict(f"A dream with the status {dream.status} cannot become {status}.")
    return await audit.change(session, Dream, dream, status=status)


async def remix(
    session: WriteSession, source: Dream, owner_id: UUID | None, **values: object
) -> Dream:
    """A DRAFT with the texts of another dream, whose owner is notified. Raises Invalid."""
    copied = {name: getattr(source, name) for name in REMIXED}
    made = await create(
        session, owner_id, **copied | values, remixed_from_id=source.id, status=DreamStatus.DRAFT
    )
    title, payload = f"“{source.title}” was remixed", {"dreamId": str(source.id)}
    message = {"kind": DREAM_REMIXED, "title": title, "payload": payload}
    await send_all(session, to(others(session, source.user_id), message))
    return made


async def remove(session: WriteSession, dream: Dream) -> int:
    """Delete a dream with its logs and tests, and let its remixes forget it; return the number of
    tests."""
    unrestricted = session.unrestricted()
    await set_all(unrestricted, Dream, Dream.remixed_from_id, dream.id, None)
    log, test = progress.ProgressLog, ai_tests.AiTest
    await delete_all(unrestricted, log, log.dream_id == dream.id)
    tests = await delete_all(unrestricted, test, test.dream_id == dream.id)
    await audit.remove(session, Dream, dream)
    return tests


REMIXED = ("title", "description", "original_prompt", "category", "tags")
