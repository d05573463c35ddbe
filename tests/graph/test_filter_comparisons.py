"""Filters compare a column with values: every comparator on every kind of column, by example."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from db import Database
from db.users import User
from graph.core.types.node import id_of
from support.factories import make_ai_test, make_dream, make_progress_log, make_user
from support.filtering import DREAMS, LOGS, TESTS, Data, found

UPDATED = {
    "old": datetime(2026, 1, 1, tzinfo=UTC),
    "mid": datetime(2026, 2, 1, 12, 30, 0, 1, tzinfo=UTC),
    "new": datetime(2026, 3, 1, tzinfo=UTC),
}
ADA = UUID("01930000-0000-7000-8000-000000000001")
BOB = UUID("01930000-0000-7000-8000-000000000002")


@pytest.mark.parametrize(
    ("column", "examples"),
    [
        (
            "title",
            [
                ({"eq": "mid"}, "mid"),
                ({"eq": "MID"}, ""),
                ({"ne": "mid"}, "old new"),
                ({"in": ["old", "new", "older"]}, "old new"),
                ({"in": []}, ""),
                ({"notIn": ["old", "new"]}, "mid"),
                ({"notIn": []}, "old mid new"),
                ({"lt": "mid"}, ""),
                ({"lte": "mid"}, "mid"),
                ({"gt": "mid"}, "old new"),
                ({"gte": "mid"}, "old mid new"),
                ({"contains": "D"}, "old mid"),
                ({"contains": ""}, "old mid new"),
                ({"contains": "%"}, ""),
                ({"contains": "_"}, ""),
                ({"startsWith": "N"}, "new"),
                ({"startsWith": "ew"}, ""),
                ({"isNull": True}, ""),
                ({"isNull": False}, "old mid new"),
                ({"gte": "mid", "ne": "new"}, "old mid"),
                ({}, "old mid new"),
            ],
        ),
        (
            "category",
            [
                ({"eq": "MATH"}, "old"),
                ({"ne": "MATH"}, "mid new"),
                ({"in": ["MATH", "VISION"]}, "old new"),
                ({"notIn": ["MATH", "VISION"]}, "mid"),
            ],
        ),
        (
            "tags",
            [
                ({"hasAny": ["a", "c"]}, "old mid"),
                ({"hasAny": []}, ""),
                ({"hasAll": ["a", "b"]}, "mid"),
                ({"hasAll": []}, "old mid new"),
                ({"hasAny": ["c", "b"], "hasAll": ["a"]}, "mid"),
            ],
        ),
        (
            "isPublic",
            [
                ({"eq": True}, "old mid"),
                ({"ne": True}, "new"),
                ({"isNull": False}, "old mid new"),
            ],
        ),
        (
            "userId",
            [
                ({"eq": id_of(User.Record, ADA)}, "old"),
                ({"ne": id_of(User.Record, ADA)}, "mid new"),
                ({"in": [id_of(User.Record, ADA), id_of(User.Record, BOB)]}, "old mid"),
                ({"notIn": [id_of(User.Record, ADA)]}, "mid new"),
                ({"isNull": True}, "new"),
                ({"isNull": False}, "old mid"),
            ],
        ),
        (
            "updatedAt",
            [
                ({"eq": "2026-02-01T12:30:00.000001Z"}, "mid"),
                ({"eq": "2026-02-01T12:30:00Z"}, ""),
                ({"ne": "2026-02-01T12:30:00.000001Z"}, "old new"),
                ({"in": ["2026-01-01T01:00:00+01:00"]}, "old"),
                ({"notIn": ["2026-01-01T01:00:00+01:00"]}, "mid new"),
                ({"lt": "2026-02-01T12:30:00.000001Z"}, "old"),
                ({"lte": "2026-02-01T12:30:00.000001Z"}, "old mid"),
                ({"gt": "2026-02-01T12:30:00.000001Z"}, "new"),
                ({"gte": "2026-02-01T12:30:00.000001Z"}, "mid new"),
                ({"isNull": True}, ""),
            ],
        ),
    ],
)
async def test_comparisons_of_dreams(
    database: Database, data: Data, column: str, examples: list[tuple[dict[str, Any], str]]
) -> None:
    for id in (ADA, BOB):
        await make_user(database, id=id)
    rows = (
        ("old", ADA, "MATH", ["a"], True),
        ("mid", BOB, "CODING", ["a", "b", "c"], True),
        ("new", None, "VISION", [], False),
    )
    for title, owner, category, tags, public in rows:
        await make_dream(
            database,
            title=title,
            user_id=owner,
            category=category,
            tags=tags,
            is_public=public,
            updated_at=UPDATED[title],
        )

    answers = [await found(data, DREAMS, {column: filter}) for filter, _ in examples]

    assert answers == [expected for _, expected in examples]


@pytest.mark.parametrize(
    ("column", "examples"),
    [
        (
            "impossibilityScore",
            [
                ({"eq": 33.33}, "low"),
                ({"eq": 33.334}, ""),
                ({"ne": 33.33}, "high none"),
                ({"in": [33.33, 80]}, "low high"),
                ({"notIn": [33.33, 80]}, "none"),
                ({"lt": 80}, "low"),
                ({"lte": 80}, "low high"),
                ({"gt": 33.329}, "low high"),
                ({"gte": 33.331}, "high"),
                ({"lt": 1e300}, "low high"),
                ({"isNull": True}, "none"),
                ({"isNull": False}, "low high"),
            ],
        ),
        (
            "cost",
            [
                ({"eq": "0.03"}, "low"),
                ({"eq": "0.0300001"}, ""),
                ({"ne": "0.030000"}, "high none"),
                ({"in": ["0.03", 1.5]}, "low high"),
                ({"notIn": ["0.03"]}, "high none"),
                ({"lt": "123456789012"}, "low high"),
                ({"lte": "0.03"}, "low"),
                ({"gt": "0.0299999"}, "low high"),
                ({"gte": "1.5"}, "high"),
                ({"isNull": True}, "none"),
            ],
        ),
        (
            "tokensUsed",
            [
                ({"eq": 5_000_000_000}, "high"),
                ({"ne": "5000000000"}, "low none"),
                ({"in": [10, "5000000000"]}, "low high"),
                ({"notIn": [10]}, "high none"),
                ({"lt": 2**63 - 1}, "low high"),
                ({"lte": 10}, "low"),
                ({"gt": 10}, "high"),
                ({"gte": 10}, "low high"),
                ({"isNull": True}, "none"),
            ],
        ),
        (
            "status",
            [({"eq": "COMPLETED"}, "low high"), ({"notIn": ["COMPLETED", "RUNNING"]}, "none")],
        ),
    ],
)
async def test_comparisons_of_tests(
    database: Database, data: Data, column: str, examples: list[tuple[dict[str, Any], str]]
) -> None:
    dream = (await make_dream(database)).id
    rows = (
        ("low", "33.33", "0.03", 10, "COMPLETED"),
        ("high", 80, "1.5", 5_000_000_000, "COMPLETED"),
        ("none", None, None, None, "PENDING"),
    )
    for model, score, cost, tokens, status in rows:
        await make_ai_test(
            database,
            dream_id=dream,
            model=model,
            impossibility_score=score,
            cost=cost,
            tokens_used=tokens,
            status=status,
        )

    answers = [await found(data, TESTS, {column: filter}) for filter, _ in examples]

    assert answers == [expected for _, expected in examples]


async def test_comparisons_of_plain_integers(database: Database, data: Data) -> None:
    dream = (await make_dream(database)).id
    for count in (1, 2, 3):
        await make_progress_log(database, dream_id=dream, test_count=count)
    examples: list[tuple[dict[str, Any], str]] = [
        ({"eq": 2}, "2"),
        ({"ne": 2}, "1 3"),
        ({"in": [1, 3]}, "1 3"),
        ({"notIn": [1, 3]}, "2"),
        ({"lt": 2}, "1"),
        ({"lte": 2}, "1 2"),
        ({"gt": 2}, "3"),
        ({"gte": 2}, "2 3"),
        ({"isNull": True}, ""),
    ]

    answers = [await found(data, LOGS, {"testCount": filter}) for filter, _ in examples]

    assert answers == [expected for _, expected in examples]
