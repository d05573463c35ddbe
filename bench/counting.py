"""Counting: microseconds of CPU that counting adds to a request and to a statement, and what an
observation of prometheus-client would take in their place.

Each is the least of many rounds, because other work on the machine only adds.
"""

import os
import tempfile
import time
from collections.abc import Callable

from db.core.durations import StatementDurations
from gateway.middleware.request_counts import RequestCounts
from gateway.request_record import RequestRecord

ROUNDS, CALLS = 40, 20_000


def microseconds(call: Callable[[], object]) -> float:
    def once() -> float:
        began = time.process_time()
        for _ in range(CALLS):
            call()
        return (time.process_time() - began) / CALLS * 1e6

    return min(once() for _ in range(ROUNDS))


def observation(folder: str) -> Callable[[], object]:
    """An observation as in the multiprocess mode, which is chosen when the library is imported."""
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
    from prometheus_client import CollectorRegistry, Histogram

    names = ("method", "route", "status")
    histogram = Histogram("seconds", "Seconds.", names, registry=CollectorRegistry())
    return lambda: histogram.labels("POST", "/graphql", "200").observe(0.0004)


def main(folder: str) -> None:
    record = RequestRecord("id", method="POST", path="/graphql", status=200, seconds=0.0004)
    counts, statements, empty = RequestCounts(), StatementDurations(), microseconds(lambda: None)
    for name, call in (
        ("a request", lambda: counts.add(record)),
        ("a statement", lambda: statements.add("SELECT 1", 0.0004)),
        ("an observation of prometheus-client", observation(folder)),
    ):
        print(f"{microseconds(call) - empty:6.2f} µs  {name}")  # noqa: T201  its purpose


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        main(folder)
