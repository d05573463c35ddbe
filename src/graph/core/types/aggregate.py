"""Aggregates: statistics within a window of time, and where there is data."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Generic, TypeVar

from db import ReadSession
from db.core.numeric import confidence_interval
from db.core.query.time_range import Bucket, TimeRange, group_sums, series_points
from db.core.session.database import ResultRow
from db.core.table import AnySelect
from db.core.timeouts import Kind, of_kind
from graph.core.context import Info, as_source
from graph.core.types.field import field, value

T = TypeVar("T")

Read = Callable[[ReadSession, AnySelect], Awaitable[Sequence[ResultRow]]]


@value
class TimeWindow:
    """A range of time."""

    from_: datetime | None = field(
        "Start of the window, inclusive. Null if it has no start.",
        name="from",
        resolver=lambda root: root.since,
    )
    to: datetime | None = field(
        "End of the window, exclusive. Null if it has no end.", resolver=lambda root: root.until
    )


@value
class DataRange:
    """The range of time in which there is data."""

    from_: datetime = field(
        "Time of the first item.", name="from", resolver=lambda root: root.first
    )
    to: datetime = field("Time of the last item.", resolver=lambda root: root.last)


@dataclass(frozen=True, slots=True)
class AggregateSource:
    """The source of an aggregate. `ends` selects the times of the first and the last item."""

    window: TimeRange
    rows: Sequence[object]
    ends: AnySelect


async def _data_range(root: AggregateSource, info: Info) -> DataRange | None:
    async with info.context.db.read() as session:
        [row] = await session.rows(of_kind(Kind.AGGREGATE, root.ends))
    return None if row.first is None else as_source(row)


@value
class Aggregate(Generic[T]):
    """Statistics of the items within a window of time."""

    window: TimeWindow = field(
        "The window that the statistics are of: that of the arguments, or else the default one.",
        cost=0,
    )
    data_range: DataRange | None = field(
        "The times of the first and the last item that the viewer may see and that match the "
        "filters, in any window. Null if there is none. Read only if selected.",
        resolver=_data_range,
        cost=5,
    )
    rows: list[T] = field("The statistics.", cost=0)


async def page_of_rows(session: ReadSession, statement: AnySelect) -> Sequence[ResultRow]:
    """The rows of a statement that has a limit of its own."""
    return await session.rows(of_kind(Kind.AGGREGATE, statement))


def reading(bucket: Bucket | None) -> Read:
    return group_sums if bucket is None else series_points


async def aggregate(
    info: Info, window: TimeRange, statement: AnySelect, ends: AnySelect, read: Read = group_sums
) -> AggregateSource:
    """Raises Invalid for too many rows."""
    async with info.context.db.read() as session:
        return AggregateSource(window, await read(session, statement), ends)


@value
class ConfidenceInterval:
    """The interval that has the mean of a population with a confidence of 95 %, by Student's
    t-distribution: mean ± t · s / √n."""

    low: float = field("Lower bound.")
    high: float = field("Upper bound.")


def interval(
    of: str, count: str, total: str, squares: str, least: float, most: float
) -> ConfidenceInterval | None:
    """A field with the confidence interval of a mean between bounds, from the columns with the
    number of values, their sum and the sum of their squares."""

    def resolve(root: object) -> ConfidenceInterval | None:
        sums: tuple[Decimal | None, Decimal | None] = getattr(root, total), getattr(root, squares)
        found = confidence_interval(getattr(root, count), *sums)
        if found is None:
            return None
        low, high = found
        return ConfidenceInterval(low=max(low, least), high=min(high, most))

    shown: ConfidenceInterval | None = field(
        f"95 % confidence interval of `{of}`. Null below two values.", resolver=resolve, cost=0
    )
    return shown
