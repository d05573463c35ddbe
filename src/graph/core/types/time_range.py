"""Time ranges: the `from` and `to` arguments of statistics over time."""

from datetime import datetime, timedelta
from typing import Annotated

import strawberry

from db.core.query.batch import Column
from db.core.query.time_range import Bucket as Bucket, TimeRange
from graph.core.context import Info
from graph.core.types.field import Revealed, enum
from graph.core.types.unset import or_none

From = Annotated[
    datetime | None,
    strawberry.argument(name="from", description="Start of the time range, inclusive."),
]
To = Annotated[
    datetime | None,
    strawberry.argument(name="to", description="End of the time range, exclusive."),
]

Width = Annotated[Bucket, strawberry.argument(description="Width of each bucket of the series.")]
MaybeWidth = Annotated[
    Bucket | None,
    strawberry.argument(description="Width of each bucket of a series; no series if omitted."),
]

enum(
    Bucket,
    MINUTE="One minute.",
    HOUR="One hour.",
    DAY="One day, in UTC.",
    WEEK="One week from Monday to Sunday, in UTC.",
    MONTH="One calendar month, in UTC.",
)


def reveals_time(column: Column) -> dict[str, Revealed]:
    return {"from": column, "to": column}


async def time_range(info: Info, since: datetime | None, until: datetime | None) -> TimeRange:
    """The time range between two optional arguments. Raises Invalid."""
    return TimeRange(or_none(since), or_none(until), await info.context.db.now())


async def window(
    info: Info, since: datetime | None, until: datetime | None, default: timedelta
) -> TimeRange:
    """`time_range`, or the last `default` without arguments."""
    return (await time_range(info, since, until)).or_last(default)
