"""Milestones: when each dream was written, published, activated and achieved for the first time.

A trigger on dreams keeps them, whatever writes the dream. Deleted dreams do not count.
"""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Double,
    ForeignKey,
    case,
    cast,
    extract,
    func,
    literal,
    null,
    select,
    text,
    union_all,
)
from sqlalchemy.orm import Mapped, mapped_column

from db.core.query.time_range import Bucket, TimeRange, bucket_start
from db.core.table import AnySelect, Column, Expression, Table

DAY = timedelta(days=1)


class DreamMilestones(Table):
    """The first times of one dream. A time is null if it has not come, or is unknown because the
    dream was stored in that status. `is_tested` is true after its first scored test."""

    __tablename__ = "dream_milestones"

    dream_id: Mapped[UUID] = mapped_column(
        ForeignKey("dreams.id", ondelete="CASCADE"), primary_key=True
    )
    is_remix: Mapped[bool]
    is_tested: Mapped[bool] = mapped_column(server_default=text("false"))
    written_at: Mapped[datetime] = mapped_column(index=True)
    activated_at: Mapped[datetime | None]
    published_at: Mapped[datetime | None] = mapped_column(index=True)
    achieved_at: Mapped[datetime | None] = mapped_column(index=True)


def reached(span: TimeRange, bucket: Bucket | None = None) -> AnySelect:
    """Dreams written, remixed, published and achieved, and the median of days from the first
    ACTIVE to the first ACHIEVED: in all, or by bucket."""
    of = DreamMilestones
    seconds = cast(extract("epoch", of.achieved_at - of.activated_at), Double)
    days = case((of.activated_at <= of.achieved_at, seconds / DAY.total_seconds()))
    times = union_all(
        _reached(span, of.written_at, "written", is_remix=of.is_remix),
        _reached(span, of.published_at, "published"),
        _reached(span, of.achieved_at, "achieved", days=days),
    ).subquery("times")
    start = [] if bucket is None else [bucket_start(times.c.at, bucket)]
    counts = [
        func.count().filter(times.c.kind == kind).label(f"dreams_{kind}")
        for kind in ("written", "published", "achieved")
    ]
    median = func.percentile_cont(0.5).within_group(times.c.days).label("median_days_to_achieve")
    remixed = func.count().filter(times.c.is_remix).label("dreams_remixed")
    return select(*start, *counts, remixed, median).group_by(*start).order_by(*start)


def _reached(span: TimeRange, at: Column, kind: str, **more: Column | Expression) -> AnySelect:
    names = {"is_remix": cast(null(), Boolean), "days": cast(null(), Double), **more}
    columns = [column.label(name) for name, column in names.items()]
    return select(at.label("at"), literal(kind).label("kind"), *columns).where(*_within(at, span))


def funnel(span: TimeRange) -> AnySelect:
    """Of the dreams written in a time range: those that were tested, and those that were also
    published, up to now."""
    tested = DreamMilestones.is_tested
    published = tested & DreamMilestones.published_at.is_not(None)
    return select(
        func.count().label("written"),
        func.count().filter(tested).label("tested"),
        func.count().filter(published).label("published"),
    ).where(*_within(DreamMilestones.written_at, span))


def _within(at: Column, span: TimeRange) -> list[ColumnElement[bool]]:
    lower: list[ColumnElement[bool]] = [at >= span.since if span.since else at.is_not(None)]
    return [*lower, at < span.until] if span.until else lower
