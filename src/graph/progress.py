"""Progress: how impossible dreams were after each completed test."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry.scalars import JSON

import db
from graph.core.connection import Connection, listed
from graph.core.context import Info
from graph.core.field import field, related
from graph.core.filter import filters, orders, relation
from graph.core.node import IdOf, Node, load, node
from graph.core.permission import PUBLIC
from graph.dreams import Dream, DreamById

if TYPE_CHECKING:
    from graph.dreams import DreamFilter

# Types


@node(db.progress.ProgressLog, access=PUBLIC)
class ProgressLog(Node):
    """How impossible one dream was after one completed and scored test."""

    average_impossibility: float = field(
        "Mean over models of each model's latest completed score, 0 to 100: a model counts once."
    )
    best_score: float = field("Lowest score so far, 0 to 100.")
    test_count: int = field("Number of completed and scored tests so far.")
    active_models: list[str] = field("The models counted, as `provider/name`.")
    improvement_trend: float | None = field(
        "Percent by which averageImpossibility fell since the newest log at least 30 days older; "
        "null when there is none."
    )
    snapshot_data: JSON = field("The test that caused this log.")
    created_at: datetime = field("When the test was started.")
    dream: Dream = related(DreamById, "dream_id", description="The dream it is about.")


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
