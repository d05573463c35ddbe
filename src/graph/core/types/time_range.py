"""Spans: the `from` and `to` arguments of everything that is counted over time."""

from datetime import datetime
from typing import Annotated, Any

import strawberry

from db.core.query.time_range import Bucket as Bucket, TimeRange
from graph.core.context import Info
from graph.core.types.field import enum
from graph.core.types.unset import or_none

From = Annotated[
    datetime | None,
    strawberry.argument(name="from", description="Start of the time looked at, inclusive."),
]
To = Annotated[
    datetime | None,
    strawberry.argument(name="to", description="End of the time looked at, exclusive."),
]

Width = Annotated[
    Bucket, strawberry.argument(description="How much time each point of the series stands for.")
]

enum(
    Bucket,
    MINUTE="One minute.",
    HOUR="One hour.",
    DAY="One day, in UTC.",
    WEEK="One week from Monday to Sunday, in UTC.",
    MONTH="One calendar month, in UTC.",
)


def reveals_time(column: Any) -> dict[str, Any]:
    """What `from` and `to` reveal: the times in a column, of the rows that a field is about."""
    return {"from": column, "to": column}


async def time_range(info: Info, since: datetime | None, until: datetime | None) -> TimeRange:
    """The span between two arguments that may have been left out. Raises Invalid."""
    return TimeRange(or_none(since), or_none(until), await info.context.db.now())
