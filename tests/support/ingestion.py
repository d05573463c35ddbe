"""Ingestion: mutations that store rows in batches, and the times they return."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from db import Database
from db.core.ingest.writer import Ingestion
from graph.core.context import Context
from graph.core.execution.execute import execute
from graph.core.execution.operation import prepare
from graph.core.execution.result import OperationResult
from graph.core.principal import DEVELOPER, Principal
from graph.schema import schema
from support.mutations import mutation
from support.payloads import ERRORS

Send = Callable[..., Awaitable[OperationResult]]

NOW = datetime.now(UTC).replace(microsecond=0)
ONE = f"storedId {ERRORS}"
BATCH = f"storedCount storedIds refused {{ index errors {{ code field }} }} {ERRORS}"
BATCHES = ("logEvents", "recordMetrics", "reportAgentStatuses", "trackUserActions")
SHOWN = dict.fromkeys(BATCHES, BATCH)


@asynccontextmanager
async def reporting(database: Database) -> AsyncIterator[Send]:
    """`await send("logEvent", input, who)`: the response to a mutation, within the context."""
    ingestion = Ingestion(database)

    async def send(verb: str, input: dict[str, Any], who: Principal = DEVELOPER) -> OperationResult:
        text = mutation(verb, SHOWN.get(verb, ONE))
        context = Context(database, who, "test-request", ingestion)
        return await execute(prepare(schema, text), {"input": input}, context)

    yield send
    await ingestion.close()


def at(seconds: float = 0) -> str:
    """So long after the tests were begun, as answers show it."""
    return (NOW + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
