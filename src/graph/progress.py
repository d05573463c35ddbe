"""Progress: the impossibility of dreams after each completed test."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry.scalars import JSON

import db
from db import Database
from db.core.table import tables_in
from graph.core.context import Info
from graph.core.permission import PUBLIC
from graph.core.subscriptions.source import Update, message, rows, stream
from graph.core.subscriptions.table_source import ChildTableSource
from graph.core.types.connection import Connection, listed
from graph.core.types.field import field, related
from graph.core.types.filter import filters, orders, relation
from graph.core.types.node import Node, identified, node, with_ids
from graph.dreams import Dream, DreamById, DreamId, followed

if TYPE_CHECKING:
    from graph.dreams import DreamFilter

SNAPSHOT_IDS = tables_in(db.progress.ProgressLog.snapshot_data)

# Types


@node(db.progress.ProgressLog, access=PUBLIC)
class ProgressLog(Node):
    """The impossibility of a dream after a completed and scored test.

    A test that is older than others corrects the logs after it: the newest at once, the others
    within seconds, each of which is then sent to subscribers of the dream's progress.
    """

    average_impossibility: float = field(
        "Mean over models of each model's latest completed score, 0 to 100. The latest score is "
        "that of the test started last; among tests started in the same microsecond, that of the "
        "test with the highest ID."
    )
    best_score: float = field("Lowest score so far, 0 to 100.")
    test_count: int = field(
        "Number of completed tests with a score so far. Tests without a score have no log."
    )
    active_models: list[str] = field("Models with a score, as `provider/name`.")
    improvement_trend: float | None = field(
        "Percentage by which `averageImpossibility` decreased since the newest log that is at "
        "least 30 days older; among logs of the same microsecond, the one with the highest ID. "
        "Null if there is none."
    )
    snapshot_data: JSON = field(
        "The test that created this log: its `testId`, `provider`, `model` and `score`.",
        resolver=lambda root: with_ids(root.snapshot_data, **SNAPSHOT_IDS),
        columns=("snapshot_data",),
        reads=("snapshot_data",),
    )
    created_at: datetime = field("When the test was started.")
    dream: Dream = related(DreamById, "dream_id", description="The dream of this log.")


@message()
class DreamProgressUpdate(Update):
    """Changes to the progress of a dream."""

    logs: list[ProgressLog] = rows(
        "The logs that were created or corrected, in their current state. The newest log in a "
        "SNAPSHOT; empty before the first score."
    )


# Inputs


@filters(db.progress.LISTING)
class ProgressLogFilter:
    """Filter conditions on progress logs. All given conditions must hold."""

    dream: Annotated["DreamFilter", strawberry.lazy("graph.dreams")] | None = relation(
        "The dream of the log matches this filter."
    )


@orders(db.progress.LISTING)
class ProgressLogOrder:
    """Sort order for progress logs."""


# Operations


@strawberry.type
class Queries:
    progress_logs: Connection[ProgressLog] = listed(
        db.progress.LISTING, "Progress logs, newest first.", PUBLIC, stale_ok=True
    )

    progress_log: ProgressLog | None = identified(
        db.progress.ProgressLog,
        "The progress log with this ID, or null if it does not exist.",
        PUBLIC,
    )


# Streams


@dataclass(frozen=True, slots=True)
class Progress(ChildTableSource[db.progress.ProgressLog]):
    """The progress of one dream, while the subscriber can see it."""

    table = db.progress.ProgressLog

    async def snapshot(self, database: Database) -> Sequence[db.progress.ProgressLog]:
        async with database.read() as session:
            return await db.progress.newest(session, self.parent_id)


@strawberry.type
class Subscriptions:
    @stream(
        DreamProgressUpdate,
        "Progress of a dream: the current log, then an update after each score. A score that "
        "arrives late corrects later logs within seconds, which are all sent again.",
        PUBLIC,
        reveals={"dreamId": db.progress.ProgressLog.dream_id},
    )
    async def dream_progress(self, info: Info, dream_id: DreamId) -> Progress:
        return Progress(await followed(info, dream_id))
