"""Replay: compute the progress logs of dreams from all their tests.

The logs are those that live writes would have created. So an imported test corrects the logs after
it, and a second run changes nothing.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Uuid, cast, func, select
from sqlalchemy.dialects.postgresql import ARRAY

from db.ai_tests import SCORED, AiTest
from db.core.ingest.statements import Counts, core_table, literal_rows, upsert, upsert_counts
from db.core.session.database import ResultRow, WriteSession
from db.core.table import AnySelect, Row
from db.progress import TREND_WINDOW, ProgressLog, average, trend

LOG = (
    *("id", "dream_id", "average_impossibility", "best_score", "test_count", "active_models"),
    *("improvement_trend", "snapshot_data", "created_at"),
)
TEST = ("id", "dream_id", "provider", "model", "impossibility_score", "created_at")
PAGE = 1_000

Model = tuple[str, str]  # provider and name


class Replay:
    """One dream, test by test, in the order of ids."""

    def __init__(self, dream_id: UUID) -> None:
        self.dream_id = dream_id
        self._latest: dict[Model, Decimal] = {}
        self._best = Decimal(100)
        self._count = 0
        self._recent: deque[tuple[datetime, Decimal]] = deque()  # within the trend window
        self._former: Decimal | None = None  # the newest average before it

    def resume(
        self,
        latest: Mapping[Model, Decimal],
        best: Decimal,
        test_count: int,
        averages: Iterable[tuple[datetime, Decimal]],
    ) -> None:
        """Continue from the state before some tests, with the averages their trends compare to,
        oldest first."""
        self._latest, self._best, self._count = dict(latest), best, test_count
        self._recent.extend(averages)

    def log(self, test: ResultRow) -> Row:
        self._latest[test.provider, test.model] = test.impossibility_score
        self._best = min(self._best, test.impossibility_score)
        self._count += 1
        mean = average(self._latest.values())
        self._age(test.created_at)
        self._recent.append((test.created_at, mean))
        return {
            "id": test.id,
            "dream_id": self.dream_id,
            "average_impossibility": mean,
            "best_score": self._best,
            "test_count": self._count,
            "active_models": sorted("/".join(model) for model in self._latest),
            "improvement_trend": trend(self._former, mean),
            "snapshot_data": {
                "testId": test.id,
                "provider": test.provider,
                "model": test.model,
                "score": float(test.impossibility_score),
            },
            "created_at": test.created_at,
        }

    def _age(self, now: datetime) -> None:
        while self._recent and self._recent[0][0] <= now - TREND_WINDOW:
            self._former = self._recent.popleft()[1]


async def recompute(session: WriteSession, dreams: Sequence[UUID]) -> Counts:
    total = Counts()
    replay: Replay | None = None
    async with session.connection.stream(_scored_tests(dreams)) as tests:
        async for page in tests.partitions(PAGE):
            logs = []
            for test in page:
                if replay is None or replay.dream_id != test.dream_id:
                    replay = Replay(test.dream_id)
                logs.append(replay.log(test))
            chosen = select(*literal_rows(ProgressLog, LOG, logs).c)
            changes = await session.rows(upsert(ProgressLog, LOG, chosen, key=("id",)))
            total.add(upsert_counts(len(logs), changes))
    return total


def _scored_tests(dreams: Sequence[UUID]) -> AnySelect:
    return (
        select(*(core_table(AiTest).c[name] for name in TEST))
        .where(AiTest.dream_id == func.any(cast(list(dreams), ARRAY(Uuid))), *SCORED)
        .order_by(AiTest.dream_id, AiTest.id)
    )
