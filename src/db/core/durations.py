"""Durations: how often something took how long, counted in buckets."""

from bisect import bisect_left

# Seconds: those of OpenTelemetry for HTTP and databases, and shorter ones.
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

SELECT, WITH, OTHER = "SELECT", "WITH", "OTHER"
_OPERATIONS = {SELECT: SELECT, "INSERT": "INSERT", "UPDATE": "UPDATE", "DELETE": "DELETE"}


class Durations:
    """The counts of durations by the bucket in which they are, the last one without an upper bound,
    and their sum in seconds."""

    __slots__ = ("counts", "seconds")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.seconds = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.seconds += seconds

    def copy(self) -> "Durations":
        copy = Durations()
        copy.merge(self)
        return copy

    def merge(self, other: "Durations") -> None:
        self.counts = [one + more for one, more in zip(self.counts, other.counts, strict=True)]
        self.seconds += other.seconds


class StatementDurations(dict[str, Durations]):
    """The durations of statements by the first word of their text."""

    def add(self, sql: str, seconds: float) -> None:
        name = operation_of(sql)
        if (durations := self.get(name)) is None:
            durations = self[name] = Durations()
        durations.add(seconds)


def operation_of(sql: str) -> str:
    """SELECT, INSERT, UPDATE, DELETE, WITH or OTHER."""
    start = sql[:6].upper()
    return _OPERATIONS.get(start) or (WITH if start[:5] == "WITH " else OTHER)
