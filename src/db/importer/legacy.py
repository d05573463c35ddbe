"""Legacy: the old `generations` table as lines of the import format.

Rows of type ANALYSIS become dreams as the optimization guide's SQL makes them: the prompt is kept
twice, as what was asked and as what it is about, and the category is OTHER. They are private to
their author where an address is known, and nobody's where it is not.
"""

import csv
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import orjson

from db.core.connect import connect
from db.core.url import ConnectionInfo

TYPE = "ANALYSIS"
TITLE = "Migrated Dream"
NO_DESCRIPTION = "No description"
ROWS = """
    select g.id::text as id, g.type::text as type, g.prompt, u.email,
        g.created_at::timestamptz as created_at
    from generations g left join users u on u.id::text = g.user_id::text
    order by g.created_at, g.id
"""
COLUMNS = ("id", "type", "prompt", "created_at")


class NotLegacy(Exception):
    """The source does not hold generations; the message says what is missing."""


async def write_lines(source: Path | ConnectionInfo, to: Path) -> int:
    """Writes the dreams of a source, a CSV file or a PostgreSQL, as lines; returns how many.

    A CSV file has the columns id, type, prompt, created_at and, if known, email. Times without a
    zone are taken as UTC. Raises NotLegacy.
    """
    rows = _from_file(source) if isinstance(source, Path) else _from_database(source)
    count = 0
    with to.open("wb") as file:
        async for row in rows:
            if row["type"] == TYPE:
                file.write(orjson.dumps(_dream(row), option=orjson.OPT_APPEND_NEWLINE))
                count += 1
    return count


def _dream(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "kind": "dream",
        "key": f"generations:{row['id']}",
        "title": TITLE,
        "description": row["prompt"] or NO_DESCRIPTION,
        "originalPrompt": row["prompt"] or None,
        "category": "OTHER",
        "tags": [],
        "isPublic": False,
        "status": "ACTIVE",
        "ownerEmail": row.get("email") or None,
        "createdAt": _time(row["created_at"]).isoformat(),
    }


def _time(value: datetime | str) -> datetime:
    try:
        time = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError as error:
        raise NotLegacy("created_at holds no time in one of the rows.") from error
    return time if time.tzinfo else time.replace(tzinfo=UTC)


async def _from_file(path: Path) -> AsyncIterator[Mapping[str, Any]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = csv.DictReader(file)
            missing = set(COLUMNS) - set(rows.fieldnames or ())
            if missing:
                raise NotLegacy(f"{path.name} has no column {', '.join(sorted(missing))}.")
            for row in rows:
                yield row
    except (UnicodeDecodeError, csv.Error) as error:
        raise NotLegacy(f"{path.name} is no CSV file in UTF-8: {error}") from error


async def _from_database(info: ConnectionInfo) -> AsyncIterator[Mapping[str, Any]]:
    try:
        connection = await connect(info)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise NotLegacy(f"The database cannot be reached: {error}") from error
    try:
        async with connection.transaction(readonly=True):
            async for row in connection.cursor(ROWS):
                yield dict(row)
    except asyncpg.UndefinedTableError as error:
        raise NotLegacy("The database has no table generations.") from error
    finally:
        await connection.close()
