"""Replay: compute the progress logs of dreams from their tests.

The logs are those that live writes would have created. So a late or imported test corrects the logs
after it, and a second run changes nothing.
"""

from bisect import insort
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, func, literal, select

from db.ai_tests import SCORED, AiTest
from db.core.ingest.statements import (
    Counts,
    core_table,
    row_parameters,
    upsert_batch,
    upsert_counts,
)
from db.core.session.database import ResultRow, WriteSession
from db.core.table import AnySelect, Row
from db.progress import TREND_WINDOW, ProgressLog, average, trend
from db.progress.model_scores import Model

TEST = ("id", "dream_id", "provider", "model", "impossibility_score", "created_at")
PAGE = 1_000
FIRST = UUID(int=0)
UPSERT = upsert_batch(ProgressLog, ("id",))

Averages = Sequence[tuple[datetime, Decimal]]  # of logs, oldest first


@dataclass(frozen=True, slots=True)
class Start:
    """The scored tests of a dream before a test. `averages` are those that trends compare with."""

    latest: Mapping[Model, Decimal] = field(default_factory=dict)
    best: Decimal = Decimal(100)
    test_count: int = 0
    averages: Averages = ()


class Replay:
    """One dream, test by test, in the order of ids."""

    def __init__(self, dream_id: UUID, start: Start) -> None:
        self.dream_id = dream_id
        self._latest = dict(start.latest)
        self._total = sum(start.latest.values(), Decimal(0))
        self._names = sorted(map("/".join, start.latest))
        self._best, self._count = start.best, start.test_count
        self._recent = deque(start.averages)  # within the trend window
        self._former: Decimal | None = None  # the newest average before it

    def log(self, test: ResultRow) -> Row:
        self._apply((test.provider, test.model), test.impossibility_score)
        mean = average(self._total, len(self._latest))
        self._age(test.created_at)
        self._recent.append((test.created_at, mean))
        return {
            "id": test.id,
            "dream_id": self.dream_id,
            "average_impossibility": mean,
            "best_score": self._best,
            "test_count": self._count,
            "active_models": list(self._names),
            "improvement_trend": trend(self._former, mean),
            "snapshot_data": {
                "testId": str(test.id),
                "provider": test.provider,
                "model": test.model,
                "score": float(test.impossibility_score),
            },
            "created_at": test.created_at,
        }

    def _apply(self, model: Model, score: Decimal) -> None:
        if model not in self._latest:
            insort(self._names, "/".join(model))
        self._total += score - self._latest.get(model, 0)
        self._latest[model] = score
        self._best = min(self._best, score)
        self._count += 1

    def _age(self, now: datetime) -> None:
        while self._recent and self._recent[0][0] <= now - TREND_WINDOW:
            self._former = self._recent.popleft()[1]

    @property
    def test_count(self) -> int:
        return self._count


async def recompute(session: WriteSession, dreams: Collection[UUID]) -> Counts:
    """Compute all logs of dreams from all of their tests, and store them where they differ."""
    total, current = Counts(), Replay(FIRST, Start())
    async with session.connection.stream(_scored_tests(dreams)) as tests:
        async for page in tests.partitions(PAGE):
            logs: list[Row] = []
            for test in page:
                if current.dream_id != test.dream_id:
                    current = Replay(test.dream_id, Start())
                logs.append(current.log(test))
            changes = await session.rows(UPSERT, row_parameters(logs))
            total.add(upsert_counts(len(logs), changes))
    return total


def _scored_tests(dreams: Collection[UUID]) -> AnySelect:
    of_dreams = AiTest.dream_id == func.any(literal(list(dreams), ARRAY(Uuid)))
    tests = select(*(core_table(AiTest).c[name] for name in TEST)).where(of_dreams, *SCORED)
    return tests.order_by(AiTest.dream_id, AiTest.id)
