"""AI tests: mutations that write tests of dreams, and the progress that follows."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from db import Database
from db.audit import Change
from db.importer.report import Counts
from db.progress import ProgressLog
from db.progress.replay import recompute
from graph.core.principal import Principal
from graph.core.types.node import global_id
from support.factories import make_ai_test
from support.mutations import Run, outcome, stored
from support.payloads import ERRORS

Write = Callable[..., Awaitable[dict[str, Any]]]

FIELDS = """aiTest {
    status impossibilityScore confidence reasoning durationMs tokensUsed cost isCostDerived
  }"""


async def write(
    run: Run, verb: str, input: dict[str, Any], who: Principal, shown: str = FIELDS
) -> dict[str, Any]:
    """The result of a mutation."""
    return await outcome(run, verb, input, who, f"{shown} {ERRORS}")


async def started(database: Database, dream: Any, **values: Any) -> Any:
    """A test under way, which has no results yet."""
    of = dict.fromkeys(
        ("impossibility_score", "confidence", "reasoning", "duration", "tokens_used", "cost")
    )
    now = datetime.now(UTC)
    times = {"created_at": now, "status": "RUNNING"}
    return await make_ai_test(database, dream_id=dream.id, **{**of, **times, **values})


def score(points: float) -> dict[str, Any]:
    """The score fields of an input."""
    return {"impossibilityScore": points}


def recorded(dream: Any, **values: Any) -> dict[str, Any]:
    """The input of a test of a dream."""
    return {"dreamId": global_id(dream), "provider": "openai", "model": "gpt-4", **values}


async def traces(database: Database) -> list[tuple[str, str]]:
    """The changes in the feed, in order."""
    return [(change.noun, change.kind) for change in await stored(database, Change)]


async def logs(database: Database) -> list[tuple[Any, ...]]:
    """Average, best score, count and models after each test."""
    return [
        (log.average_impossibility, log.best_score, log.test_count, log.active_models)
        for log in await stored(database, ProgressLog)
    ]


async def as_imported(database: Database, *dreams: Any) -> bool:
    """Whether an import of all tests would change no log."""
    count = len(await stored(database, ProgressLog))
    async with database.write() as session:
        return await recompute(session, [dream.id for dream in dreams]) == Counts(0, 0, count)
