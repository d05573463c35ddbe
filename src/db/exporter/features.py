"""Features: the tests of each dream, model and day, as one row of a table for machine learning."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from uuid import UUID

import orjson
from sqlalchemy import (
    BigInteger,
    Numeric,
    Text,
    cast,
    func,
    literal,
    select,
    tuple_,
)

from db import ai_tests
from db.ai_tests import COMPLETED, AiTest
from db.core import ids
from db.core.errors import Invalid
from db.core.query.listing import ListSpec
from db.core.query.time_range import Bucket, bucket_start
from db.core.schema.partition import month as start_of_month, next_month
from db.core.session.database import ReadSession
from db.core.table import AnySelect, Expression
from db.dreams import Dream
from db.exporter.columns import ColumnType, ExportColumn, column
from db.exporter.nouns import Part, Printer

NAME = "feature"
FIRST = select(AiTest.created_at).order_by(AiTest.id).limit(1)
COLUMNS: Sequence[tuple[str, ColumnType, int]] = (
    ("id", ColumnType.TEXT, 0),
    ("day", ColumnType.TIME, 0),
    ("dreamId", ColumnType.TEXT, 0),
    ("category", ColumnType.TEXT, 0),
    ("tags", ColumnType.TEXTS, 0),
    ("dreamAgeDays", ColumnType.INTEGER, 0),
    ("provider", ColumnType.TEXT, 0),
    ("model", ColumnType.TEXT, 0),
    ("testCount", ColumnType.INTEGER, 0),
    ("completedCount", ColumnType.INTEGER, 0),
    ("scoredCount", ColumnType.INTEGER, 0),
    ("averageScore", ColumnType.DECIMAL, 6),
    ("bestScore", ColumnType.DECIMAL, 2),
    ("worstScore", ColumnType.DECIMAL, 2),
    ("averageConfidence", ColumnType.DECIMAL, 6),
    ("averageDurationMs", ColumnType.DECIMAL, 6),
    ("totalTokens", ColumnType.INTEGER, 0),
    ("totalCost", ColumnType.DECIMAL, 6),
)


@dataclass(frozen=True, eq=False)
class Features:
    """One row for each dream, model and day with tests, in that order. Read month by month, so that
    PostgreSQL sorts the rows of one month only. The cursor is the `id` of a row: its day, dream,
    provider and model."""

    kind: str = NAME
    listing: ListSpec = ai_tests.LISTING

    @property
    def columns(self) -> Sequence[ExportColumn]:
        return [column(name, type, literal(""), places) for name, type, places in COLUMNS]

    async def statements(
        self, session: ReadSession, part: Part, print: Printer
    ) -> AsyncIterator[AnySelect]:
        cursor = None if part.after is None else Cursor.parsed(part.after)
        first = await session.scalar(FIRST) if cursor is None else cursor.day
        month = start_of_month(first or part.until)
        while month <= part.until:
            yield _month(replace(part, after=None), print, month, cursor)
            month = next_month(month)


@dataclass(frozen=True, slots=True)
class Cursor:
    """The place of a row."""

    day: datetime
    dream_id: UUID
    provider: str
    model: str

    @classmethod
    def parsed(cls, text: str) -> "Cursor":
        try:
            day, dream_id, provider, model = orjson.loads(text)
            at = date.fromisoformat(day)
            return cls(
                datetime(at.year, at.month, at.day, tzinfo=UTC), UUID(dream_id), provider, model
            )
        except (ValueError, TypeError, AttributeError):
            raise Invalid("This is not the `id` of an exported row.", "after") from None


def _month(part: Part, print: Printer, month: datetime, cursor: Cursor | None) -> AnySelect:
    groups = _groups(part, month).subquery("features")
    of = groups.c
    place = of.bucket, of.dream_id, of.provider, of.model
    day = func.to_char(func.timezone("UTC", of.bucket), "YYYY-MM-DD")
    parts = func.jsonb_build_array(day, cast(of.dream_id, Text), of.provider, of.model)
    id = cast(parts, Text)
    values = [id, of.bucket, cast(of.dream_id, Text), *(of[name] for name in NAMES)]
    columns = [
        column(name, type, value, places)
        for (name, type, places), value in zip(COLUMNS, values, strict=True)
    ]
    rows = select(id.label("cursor"), print(NAME, columns).label("line")).order_by(*place)
    if cursor is None:
        return rows
    at = cursor.day, cursor.dream_id, cursor.provider, cursor.model
    types = [each.type for each in place]
    above = tuple_(*(literal(value, type) for value, type in zip(at, types, strict=True)))
    return rows.where(tuple_(*place) > above)


NAMES = (
    *("category", "tags", "age", "provider", "model", "tests", "completed", "scored"),
    *("average", "best", "worst", "confidence", "duration", "tokens", "cost"),
)


def _groups(part: Part, month: datetime) -> AnySelect:
    day, id = bucket_start(AiTest.created_at, Bucket.DAY), AiTest.id
    end = min(ids.floor(next_month(month)), ids.ceiling(part.until))
    is_completed = COMPLETED[0]
    score = func.avg(AiTest.impossibility_score)
    age = func.date_part("day", day - Dream.created_at)
    return (
        select(
            day,
            AiTest.dream_id,
            AiTest.provider,
            AiTest.model,
            Dream.category.label("category"),
            Dream.tags.label("tags"),
            cast(age, BigInteger).label("age"),
            func.count().label("tests"),
            func.count().filter(is_completed).label("completed"),
            func.count(AiTest.impossibility_score).label("scored"),
            _rounded(score).label("average"),
            func.min(AiTest.impossibility_score).label("best"),
            func.max(AiTest.impossibility_score).label("worst"),
            _rounded(func.avg(AiTest.confidence).filter(is_completed)).label("confidence"),
            _rounded(func.avg(AiTest.duration).filter(is_completed)).label("duration"),
            func.sum(AiTest.tokens_used).label("tokens"),
            func.sum(AiTest.cost).label("cost"),
        )
        .join(Dream, Dream.id == AiTest.dream_id)
        .where(id >= ids.floor(month), id < end, *part.conditions(ai_tests.LISTING))
        .group_by(day, AiTest.dream_id, AiTest.provider, AiTest.model, Dream.id)
    )


def _rounded(value: Expression) -> Expression:
    return cast(value, Numeric(38, 6))
