"""Legacy: convert the old `generations` table to lines of the import format.

Rows of type ANALYSIS become dreams as in the SQL of the optimization guide: the prompt is both
description and original prompt, and the category is OTHER. They are private to their author if the
address is known, and have no owner if not.
"""

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import orjson

from db.core.connections.connect import connect
from db.core.connections.url import ConnectionInfo
from db.importer.csv_rows import CsvReader, CsvRow
from db.importer.lines import DAMAGE, Line, Source

TYPE = "ANALYSIS"
TITLE = "Migrated Dream"
NO_DESCRIPTION = "No description"
AS_PRINTED = "set local timezone to 'UTC'; set local datestyle to 'ISO'"
ROWS = """
    select g.id::text as id, g.type::text as type, g.prompt, u.email,
        g.created_at::text as created_at
    from generations g left join users u on u.id::text = g.user_id::text
    order by g.created_at, g.id
"""
COLUMNS = ("id", "type", "prompt", "created_at")
SEPARATORS = ",;\t"
NOT_A_TIME = "must be a time such as 2024-01-31 12:00:00, UTC unless it has a zone"

# Columns of generations by field of the import format.
NAMES = {"createdAt": "created_at", "ownerEmail": "email", "originalPrompt": "prompt", "key": "id"}

# Times of PostgreSQL, JavaScript and RFC 3339: a date, an optional time and an optional zone.
_TIME = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)"
    r"(?:[ Tt](?P<time>\d\d:\d\d)(?P<seconds>:\d\d(?:\.\d+)?)?)?"
    r"\s?(?:[Zz]|UTC|(?P<hours>[+-]\d\d)(?::?(?P<minutes>\d\d))?)?",
    re.ASCII,
)


class NotLegacy(Exception):
    """The source has no generations; the message says what is missing."""


@dataclass(slots=True, frozen=True)
class Generation(Line):
    """A row of a CSV file, and the dream that it becomes."""

    dream: bytes = b""

    @property
    def record(self) -> bytes:
        return self.dream

    def renamed(self, reason: str) -> str:
        for name, column in NAMES.items():
            reason = re.sub(rf"\b{name}\b", column, reason)
        return reason


class Generations(Source):
    """A CSV file in UTF-8 with a header. It has the columns id, type, prompt, created_at and, if
    known, email, separated by commas, semicolons or tabs; other columns do not matter. Raises
    OSError when it cannot be opened, and NotLegacy when it has no such header."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        if not path.is_file():
            raise NotLegacy(f"{path} is a pipe, which cannot be read twice: write it to a file.")
        try:
            with self.opened() as stream:
                lines = self.numbered(stream)
                first = next((line for line in lines if line.text.strip()), None)
        except DAMAGE as error:
            raise NotLegacy(f"{path.name} is compressed and damaged: {error}.") from error
        if first is None:
            raise NotLegacy(f"{path.name} is empty.")
        self.header = first.number
        self.separator, self.columns = _header(path.name, first)

    def read(self, lines: Iterator[Line]) -> Iterator[Line]:
        for row in CsvReader(lines, self.separator):
            if row.number > self.header and (line := self._line(row)) is not None:
                yield line

    def _line(self, row: CsvRow) -> Line | None:
        text = row.text.rstrip(b"\r\n")
        if row.problem:
            return Line(row.number, text, row.problem)
        if len(row.fields) != len(self.columns):
            found, due = len(row.fields), len(self.columns)
            return Line(row.number, text, f"the row has {found} fields and the header has {due}")
        values = dict(zip(self.columns, row.fields, strict=True))
        if values["type"] != TYPE:
            return None
        if not values["id"]:
            return Line(row.number, text, "id must not be empty")
        if (at := _time(values["created_at"])) is None:
            return Line(row.number, text, f"created_at {NOT_A_TIME}")
        return Generation(row.number, text, dream=orjson.dumps(_dream(values, at)))


async def write_lines(source: ConnectionInfo, to: Path) -> int:
    """Write the dreams of an old database as lines; return their number. Times without a zone are
    in UTC. Raises NotLegacy."""
    count = 0
    with to.open("wb") as file:
        async for row in _from_database(source):
            if row["type"] == TYPE:
                dream = _dream(row, _time(row["created_at"] or "") or row["created_at"])
                file.write(orjson.dumps(dream, option=orjson.OPT_APPEND_NEWLINE))
                count += 1
    return count


def _header(name: str, line: Line) -> tuple[str, tuple[str, ...]]:
    """The separator of a header and the names of its columns. Raises NotLegacy."""
    missing: set[str] = set(COLUMNS)
    for separator in SEPARATORS:
        for row in CsvReader(iter([line]), separator):
            columns = tuple(field.strip() for field in row.fields)
            if twice := {column for column in columns if columns.count(column) > 1}:
                raise NotLegacy(f"{name} has the column {min(twice)} twice.")
            lacking = set(COLUMNS).difference(columns)
            if not lacking:
                return separator, columns
            missing = min(missing, lacking, key=len)
    raise NotLegacy(f"{name} has no column {', '.join(sorted(missing))}.")


def _dream(row: Mapping[str, str | None], created_at: str | None) -> dict[str, object]:
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
        "createdAt": created_at,
    }


def _time(text: str) -> str | None:
    found = _TIME.fullmatch(text.strip())
    if found is None or (found["time"] is None and found["hours"]):
        return None
    zone = f"{found['hours']}:{found['minutes'] or '00'}" if found["hours"] else "Z"
    return f"{found['date']}T{found['time'] or '00:00'}{found['seconds'] or ':00'}{zone}"


async def _from_database(info: ConnectionInfo) -> AsyncIterator[Mapping[str, str | None]]:
    try:
        connection = await connect(info)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise NotLegacy(f"The database cannot be reached: {error}") from error
    try:
        async with connection.transaction(readonly=True):
            await connection.execute(AS_PRINTED)
            async for row in connection.cursor(ROWS):
                yield dict(row)
    except asyncpg.UndefinedTableError as error:
        [name] = re.findall(r'"(.+)"', str(error))
        raise NotLegacy(f"The database has no table {name}.") from error
    except (asyncpg.PostgresError, UnicodeDecodeError) as error:
        raise NotLegacy(f"The database denies access to them: {error}.") from error
    finally:
        await connection.close()
