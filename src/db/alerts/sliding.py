"""Sliding: the value within a window of time, as the window moves on."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from heapq import heappop, heappush
from typing import NamedTuple, Protocol

from db.alerts import MetricAggregate
from db.alerts.minutes import Part

NOTHING = Decimal(0)


class Window(Protocol):
    """A value of the parts that were added and not dropped since; None if they have none."""

    def add(self, part: Part) -> None: ...

    def drop(self, part: Part) -> None: ...

    def value(self, at: datetime) -> Decimal | None: ...


class Total:
    def __init__(self) -> None:
        self.total, self.count = NOTHING, 0

    def add(self, part: Part) -> None:
        self.total += part.value
        self.count += part.count

    def drop(self, part: Part) -> None:
        self.total -= part.value
        self.count -= part.count

    def value(self, _at: datetime) -> Decimal | None:
        return self.total


class Mean(Total):
    def value(self, _at: datetime) -> Decimal | None:
        return self.total / self.count if self.count else None


class Extreme:
    """The lowest value, or the highest with a `sign` of -1: a heap, from whose top what has left
    is removed."""

    def __init__(self, sign: int) -> None:
        self.sign = sign
        self.heap: list[tuple[Decimal, datetime]] = []

    def add(self, part: Part) -> None:
        heappush(self.heap, (self.sign * part.value, part.leaves))

    def drop(self, part: Part) -> None: ...

    def value(self, at: datetime) -> Decimal | None:
        while self.heap and self.heap[0][1] <= at:
            heappop(self.heap)
        return self.sign * self.heap[0][0] if self.heap else None


WINDOWS: Mapping[str | None, Callable[[], Window]] = {
    None: Total,
    MetricAggregate.TOTAL: Total,
    MetricAggregate.COUNT: Total,
    MetricAggregate.AVERAGE: Mean,
    MetricAggregate.MINIMUM: lambda: Extreme(1),
    MetricAggregate.MAXIMUM: lambda: Extreme(-1),
}


class Value(NamedTuple):
    """The value from a time until the next one; `parts` is the number of parts within."""

    at: datetime
    value: Decimal | None
    parts: int


def values(
    parts: Sequence[Part], window: Window, start: datetime, end: datetime
) -> Iterator[Value]:
    """The value at `start`, and each time until `end` that it may change."""
    steps: defaultdict[datetime, list[tuple[bool, Part]]] = defaultdict(list, {start: []})
    for part in parts:
        if part.leaves > start:
            steps[max(part.enters, start)].append((True, part))
            steps[part.leaves].append((False, part))
    count = 0
    for at in sorted(steps):
        if at > end:
            return
        for enters, part in steps[at]:
            (window.add if enters else window.drop)(part)
            count += 1 if enters else -1
        yield Value(at, window.value(at), count)
