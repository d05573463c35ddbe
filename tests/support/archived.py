"""Archived rows: a month with unusual values in every table that is archived, and its rows."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import text

from db import Database
from db.archive import NOUNS
from db.core.schema import partition
from gateway.archive.store import FolderFiles
from support.factories import (
    make_agent_report,
    make_ai_test,
    make_dream,
    make_event,
    make_metric,
    make_user,
    make_user_action,
)
from support.rollups import roll

MONTH = partition.next_month(datetime.now(UTC), -2)
LONG_AGO = MONTH + timedelta(days=9, hours=12, microseconds=123_457)
AFTER = dict.fromkeys(NOUNS, timedelta(days=7))

TEXTS = [
    "",
    " ",
    "ä\u2028\u00a0\U0001f9ea",
    'quote " and \\ and \n\t',
    "null",
    "\x01\x7f",
    "x" * 70_000,
]
DOCUMENTS: list[Any] = [
    {},
    {"a": [1, 2.50, None, True, "ä\u2028"], "nested": {"\U0001f9ea": [[], {}]}},
    {"number": 12345678901234567890.5, "text": "null"},
]


async def fill(database: Database) -> Any:
    """Rows of one month, two months ago, and of now, in each table; the dream of the tests."""
    user = await make_user(database)
    dream = await make_dream(database, user_id=user.id)
    for number in range(12):
        at = LONG_AGO + timedelta(microseconds=number, days=number)
        of, document = TEXTS[number % len(TEXTS)], DOCUMENTS[number % len(DOCUMENTS)]
        await make_ai_test(
            database,
            dream_id=dream.id,
            user_id=user.id if number % 2 else None,
            reasoning=of,
            test_parameters=document,
            created_at=at,
            completed_at=None if number % 3 else at,
            **_scores(number),
        )
        await make_event(database, timestamp=at, payload=document, metadata={"text": of})
        await make_metric(database, timestamp=at, value="-0.000001", unit=of[:100], tags=document)
        await make_user_action(database, timestamp=at, page=of[:2_000] if number % 2 else None)
        await make_agent_report(database, reported_at=at, error=of if number % 2 else None)
    await make_ai_test(database, dream_id=dream.id, created_at=datetime.now(UTC))
    await make_event(database, timestamp=datetime.now(UTC))
    await roll(database)
    return dream


def _scores(number: int) -> dict[str, Any]:
    if number % 2:
        return {"impossibility_score": None, "cost": None, "tokens_used": None, "status": "FAILED"}
    return {"impossibility_score": "99.50", "cost": "0.000001", "tokens_used": number}


async def stored(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of each table as the texts that PostgreSQL prints, by name of noun."""
    async with database.read() as session:
        return {
            noun.name: [
                tuple(row)
                for row in await session.rows(
                    text(f"select t::text, t.id from {noun.source} t order by t.id")  # noqa: S608  names
                )
            ]
            for noun in NOUNS.values()
        }


def folder(path: Path) -> FolderFiles:
    return FolderFiles(path / "archive")
