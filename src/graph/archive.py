"""Archive: until when rows of a time range are in the archive, and not in answers."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

import strawberry
from strawberry import UNSET

from db import archive
from graph.core.context import Info
from graph.core.permission import VALUE, scope
from graph.core.types.field import enum, field
from graph.core.types.time_range import From, To, time_range

READ = scope("tests:read", "events:read", "metrics:read", "agents:read", "actions:read")


class ArchivableRows(StrEnum):
    """Rows whose old months can be moved to the archive."""

    AGENT_REPORTS = "agents"
    EVENTS = "events"
    METRICS = "metrics"
    USER_ACTIONS = "actions"
    AI_TESTS = "tests"


enum(
    ArchivableRows,
    AGENT_REPORTS="Reports of agents.",
    EVENTS="System events.",
    METRICS="Metrics.",
    USER_ACTIONS="Actions of users.",
    AI_TESTS="AI tests.",
)
Of = Annotated[ArchivableRows, strawberry.argument(description="Which rows.")]


@strawberry.type
class Queries:
    @field(
        "Until when rows of a time range are in the archive: the end of the newest such month. "
        "Null if none are, so that lists and aggregates over this range are complete. Lists leave "
        "out archived rows; aggregates contain their sums over whole hours, days and months.",
        READ,
        reveals=dict.fromkeys(("of", "from", "to"), VALUE),
    )
    async def archived_until(
        self, info: Info, of: Of, from_: From = UNSET, to: To = UNSET
    ) -> datetime | None:
        span = await time_range(info, from_, to)
        async with info.context.db.read() as session:
            return await archive.archived_until(session, archive.NOUNS[of], span)
