"""Progress: how impossible dreams were after each completed test."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry
from strawberry.scalars import JSON

import db
from db import Database
from graph.core.context import Info
from graph.core.permission import PUBLIC
from graph.core.subscriptions.source import Source, Update, message, rows, stream
from graph.core.subscriptions.table_source import ChildTableSource
from graph.core.types.connection import Connection, listed
from graph.core.types.field import field, related
from graph.core.types.filter import filters, orders, relation
from graph.core.types.node import IdOf, Node, load, node, with_ids
from graph.dreams import Dream, DreamById, DreamId, followed

if TYPE_CHECKING:
    from graph.dreams import DreamFilter

# Types


@node(db.progress.ProgressLog, access=PUBLIC)
class ProgressLog(Node):
    """How impossible one dream was after one completed and scored test."""

    average_impossibility: float = field(
        "Mean over models of each model's latest completed score, 0 to 100: a model counts once. "
        "The latest score is that of the test started last; of tests started at the same "
        "microsecond, of the one with the highest id."
    )
    best_score: float = field("Lowest score so far, 0 to 100.")
    test_count: int = field(
        "Number of completed tests with a score so far; those without one leave no log."
    )
    active_models: list[str] = field("The models counted, as `provider/name`.")
    improvement_trend: float | None = field(
        "Percent by which averageImpossibility fell since the newest log at least 30 days older, "
        "of logs of the same microsecond the one with the highest id; null when there is none."
    )
    snapshot_data: JSON = field(
        "The test that caused this log: its `testId`, `provider`, `model` and `score`.",
        resolver=lambda root: with_ids(root.snapshot_data, testId=db.ai_tests.AiTest),
    )
    created_at: datetime = field("When the test was started.")
    dream: Dream = related(DreamById, "dream_id", description="The dream it is about.")


@message()
class DreamProgressUpdate(Update):
    """How impossible a dream is now."""

    logs: list[ProgressLog] = rows(
        "The progress logs that were written or corrected, as they are now; the newest one in a "
        "SNAPSHOT, none before the first score."
    )


# Inputs


@filters(db.progress.LISTING)
class ProgressLogFilter:
    """Conditions on progress logs; all given must hold."""

    dream: Annotated["DreamFilter", strawberry.lazy("graph.dreams")] | None = relation(
        "The dream fulfils this."
    )


@orders(db.progress.LISTING)
class ProgressLogOrder:
    """Order of progress logs."""


# Operations


@strawberry.type
class Queries:
    progress_logs: Connection[ProgressLog] = listed(
        db.progress.LISTING, "Progress logs, newest first.", PUBLIC
    )

    @field("The progress log with that id; null if there is none.", PUBLIC)
    async def progress_log(self, info: Info, id: IdOf) -> ProgressLog | None:
        return await load(info, id, db.progress.ProgressLog)


# Streams


@dataclass(frozen=True, slots=True)
class Progress(ChildTableSource):
    """The progress of one dream, as long as it is seen."""

    table = db.progress.ProgressLog

    async def snapshot(self, database: Database) -> Sequence[Any]:
        async with database.read() as session:
            return await db.progress.newest(session, self.parent_id)


@strawberry.type
class Subscriptions:
    @stream(
        DreamProgressUpdate,
        "How impossible a dream is, and then after each score. A score that comes in late corrects "
        "the logs after it, and all of them are told again.",
        PUBLIC,
        reveals={"dreamId": db.progress.ProgressLog.dream_id},
    )
    async def dream_progress(self, info: Info, dream_id: DreamId) -> Source:
        return Progress(await followed(info, dream_id))
