"""Importing: lines of files as an importer reads them, and a database to import them into."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import text

from db import Database
from db.agents import Agent, AgentReport
from db.ai_models import AiModel
from db.ai_tests import AiTest
from db.core.table import Table
from db.dreams import Dream
from db.events import Event
from db.importer import Report, import_files
from db.metrics import Metric
from db.progress import ProgressLog
from db.users import User

SAMPLES = Path(__file__).parents[1] / "samples"
EVERYTHING = SAMPLES / "everything.jsonl"
TABLES = (User, AiModel, Dream, AiTest, ProgressLog, Event, Metric, Agent, AgentReport)
START = datetime(2024, 1, 5, 11, tzinfo=UTC)
Line = Mapping[str, Any]


def at(days: float) -> str:
    """A time, in days after the start."""
    return (START + timedelta(days=days)).isoformat()


def dream(key: str = "d", **changes: Any) -> Line:
    """A dream without an owner."""
    facts = {"title": "Dream", "category": "OTHER", "tags": [], "isPublic": True}
    line = {"kind": "dream", "key": key, **facts, "status": "ACTIVE", "createdAt": at(0)}
    return line | changes


def ai_test(key: str, day: float, score: str | None, model: str = "m", **changes: Any) -> Line:
    """A test of the dream `d`, completed on that day."""
    facts = {"dreamKey": "d", "provider": "p", "model": model, "impossibilityScore": score}
    line = {"kind": "test", "key": key, **facts, "status": "COMPLETED", "createdAt": at(day)}
    return line | {"testParameters": {}} | changes


def metric(minute: int, **changes: Any) -> Line:
    """A metric of that minute."""
    line = {"kind": "metric", "metricName": "cpu", "value": "1", "tags": {}}
    return line | {"timestamp": at(minute / 1440)} | changes


def report_of(key: str, day: float, status: str, error: str | None = None) -> Line:
    """A report of the agent `a` on that day."""
    line = {"kind": "agentReport", "key": key, "agentKey": "a", "status": status, "at": at(day)}
    return line | {"performanceMetrics": {"day": day}, "error": error}


def written(line: Line | bytes) -> bytes:
    """A line as it stands in a file."""
    return line if isinstance(line, bytes) else json.dumps(line).encode()


class Ground:
    """A database to import into, and a folder for files."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.folder = folder

    async def load(self, *lines: Line | bytes, **options: Any) -> Report:
        """Import lines as one file."""
        path = self.folder / "lines.jsonl"
        path.write_bytes(b"\n".join(written(line) for line in lines))
        return await self.load_file(path, **options)

    async def load_file(self, *paths: Path, **options: Any) -> Report:
        """Import files."""
        return await import_files(self.database, paths, rejects_dir=self.folder, **options)

    async def records(self, table: type[Table]) -> list[Any]:
        """All rows of a table, by id."""
        async with self.database.read() as session:
            return await session.records(table, table.select().order_by(text("id")))

    async def everything(self) -> dict[str, list[Any]]:
        """All rows of all tables that an import writes."""
        return {table.__tablename__: await self.records(table) for table in TABLES}
