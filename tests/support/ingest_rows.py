"""Ingest rows: items as agents send them, checked for a batch writer."""

from datetime import UTC, datetime
from typing import Any

import db
from db.core.ingest.rows import IngestRow
from db.events import LOGGED

NOW = datetime.now(UTC)


def event(number: int, at: datetime = NOW, key: str | None = None, **row: Any) -> IngestRow:
    """Something that happened."""
    given = {"event_type": f"e{number}", "source": "test", "severity": "INFO", "payload": {}}
    others = {"timestamp": at, "metadata": {}, "user_id": None}
    return LOGGED.validator.ingest_row({**given, **others, **row}, at, key)


def report(number: int, at: datetime, agent: str = "a", **row: Any) -> IngestRow:
    """A report of an agent."""
    given = {"agent_key": agent, "status": "RUNNING", "current_task": {"n": number}, "error": None}
    return db.agents.reports.report({**given, **row}, at, None)
