"""Rollups: rows changed at random, and answers with and without sums of closed periods."""

import json
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

from sqlalchemy import delete, insert, select, update

from db import Database, analytics, events, rollups
from db.agents import AgentReport, sums as of_agents
from db.ai_tests import AiTest, sums as of_tests
from db.ai_tests.spending import BUCKETS, SpendGroup, Spending, spent
from db.analytics import UserAction
from db.core.ids import uuid7
from db.core.query.time_range import Bucket, TimeRange
from db.core.rollup import RollupMark, RollupState
from db.core.schema import partition
from db.core.session.row_rules import Visibility
from db.core.table import AnySelect
from db.dreams import Dream, DreamCategory
from db.events import Event, EventGroup
from db.importer import import_files
from db.metrics import Metric, sums as of_metrics
from support.factories import make_dream, make_user
from support.imports import ai_test, dream, metric
from support.wait import until


async def roll(database: Database) -> None:
    """Roll until all periods that have ended are closed, and no mark is left. A transaction of
    another test may have to end first."""
    await until(lambda: _is_rolled(database))


async def _is_rolled(database: Database) -> bool:
    await rollups.roll(database)
    async with database.read() as session:
        states = await session.rows(select(RollupState.closing, RollupState.closed))
        marks = await session.rows(select(RollupMark.number))
    return not marks and all(closing == closed for closing, closed in states)


TABLES: list[Any] = [AiTest, Event, Metric, UserAction, AgentReport]
MODELS = [("acme", "one"), ("acme", "two"), ("zeta", "one")]
MATH = DreamCategory.MATH
GROUPS = [EventGroup.EVENT_TYPE, EventGroup.SEVERITY]


class ChangingRows:
    """Dreams, tests, events, metrics, actions and reports of the last months, changed at random."""

    def __init__(self, database: Database, seed: int) -> None:
        self.database = database
        self.random = Random(seed)  # noqa: S311  no secret
        self.users: list[UUID] = []
        self.dreams: list[UUID] = []

    async def begin(self) -> None:
        self.now = await self.database.now()
        times = [self.now - timedelta(days=days) for days in range(0, 80, 10)]
        for table in TABLES:
            async with self.database.write() as session:
                await partition.ensure(session, table, times)
        self.users = [(await make_user(self.database)).id for _ in range(2)]
        for _ in range(6):
            owner, is_public = self.random.choice(self.users), self.random.random() < 0.5
            dream = await make_dream(self.database, user_id=owner, is_public=is_public)
            self.dreams.append(dream.id)

    def time(self) -> datetime:
        days = self.random.choice([0.125, 3, 20, 70])
        ago = timedelta(days=days)
        return self.now - ago * self.random.random()

    async def insert(self, number: int) -> None:
        async with self.database.write() as session:
            for _ in range(number):
                for table, row in (
                    (AiTest, self._test()),
                    (Event, self._event()),
                    (Metric, self._metric()),
                    (UserAction, self._action()),
                    (AgentReport, self._report()),
                ):
                    await session.execute(_insertion(table, row))

    def _test(self) -> dict[str, Any]:
        provider, model = self.random.choice(MODELS)
        status = self.random.choice(["COMPLETED", "COMPLETED", "FAILED", "RUNNING"])
        is_scored = status == "COMPLETED" and self.random.random() < 0.8
        return {
            "created_at": self.time(),
            "dream_id": self.random.choice(self.dreams),
            "user_id": self.random.choice([*self.users, None]),
            "provider": provider,
            "model": model,
            "status": status,
            "impossibility_score": self.random.randrange(10_001) / 100 if is_scored else None,
            "confidence": self.random.choice([None, 12.5, 80]),
            "duration": self.random.choice([None, self.random.randrange(10_000)]),
            "tokens_used": self.random.choice([None, 7, 10**11]),
            "cost": self.random.choice([None, 0, self.random.randrange(10**6) / 10**6]),
        }

    def _event(self) -> dict[str, Any]:
        weight = self.random.choice([{}, {"weight": self.random.randrange(1, 20) / 2}])
        is_request = self.random.random() < 0.3
        return {
            "timestamp": self.time(),
            "event_type": "api_request" if is_request else self.random.choice(["a", "b"]),
            "source": "api-server" if is_request else "elsewhere",
            "severity": self.random.choice(["INFO", "ERROR"]),
            "payload": weight,
        }

    def _metric(self) -> dict[str, Any]:
        return {
            "timestamp": self.time(),
            "metric_name": self.random.choice(["x", "y"]),
            "value": self.random.choice([-1, 1]) * self.random.randrange(10**9) / 10**6,
            "unit": self.random.choice([None, "ms", "s"]),
        }

    def _action(self) -> dict[str, Any]:
        return {
            "timestamp": self.time(),
            "user_id": self.random.choice([*self.users, None]),
            "action": self.random.choice(["opened", "closed"]),
            "page": self.random.choice([None, "", "/a", "/" + "b" * 1_999]),
        }

    def _report(self) -> dict[str, Any]:
        at = self.time()
        late = timedelta(hours=self.random.choice([-30, 0, 1]))  # a clock may be ahead
        return {
            "reported_at": at,
            "received_at": self.random.choice([None, at + late]),
            "agent_key": self.random.choice(["a", "b"]),
            "status": self.random.choice(["IDLE", "RUNNING", "ERROR"]),
            "previous_status": self.random.choice([None, "IDLE", "RUNNING"]),
        }

    async def change(self) -> None:
        """One change of another kind: of old rows, of dreams, or by cascade."""
        changes: list[Callable[[], Awaitable[None]]] = [
            self._end_tests,
            self._edit_dream,
            self._delete_rows,
            self._delete_dream,
            self._import_rows,
        ]
        await self.random.choice(changes)()

    async def _end_tests(self) -> None:
        ended = update(AiTest).where(AiTest.status == "RUNNING")
        async with self.database.write() as session:
            await session.execute(ended.values(status="COMPLETED", impossibility_score=50))

    async def _edit_dream(self) -> None:
        edit = self.random.choice(
            [
                {"is_public": self.random.random() < 0.5},
                {"status": self.random.choice(["ACTIVE", "ACHIEVED"])},
                {"category": self.random.choice(["MATH", "CODING"])},
            ]
        )
        chosen = update(Dream).where(Dream.id == self.random.choice(self.dreams))
        async with self.database.write() as session:
            await session.execute(chosen.values(**edit))

    async def _delete_rows(self) -> None:
        table = self.random.choice(TABLES)
        async with self.database.write() as session:
            ids = [id for (id,) in await session.rows(select(table.id))]
            gone = self.random.sample(ids, len(ids) // 10)
            await session.execute(delete(table).where(table.id.in_(gone)))

    async def _delete_dream(self) -> None:
        gone = self.dreams.pop()
        async with self.database.write() as session:
            await session.execute(delete(Dream).where(Dream.id == gone))
        owner = self.random.choice(self.users)
        self.dreams.append((await make_dream(self.database, user_id=owner)).id)

    async def _import_rows(self) -> None:
        times = [self.time().isoformat() for _ in range(4)]
        lines = [dream(), *(metric(0, timestamp=at) for at in times)]
        lines += [ai_test(str(self.random.random()), 0, "50", createdAt=at) for at in times]
        with TemporaryDirectory() as folder:
            path = Path(folder) / "rows.jsonl"
            path.write_text("\n".join(map(json.dumps, lines)))
            report = await import_files(self.database, [path], rejects_dir=Path(folder))
        assert report.failed == 0

    def span(self) -> TimeRange:
        since = self.random.choice([None, self.time()])
        until = self.random.choice([None, self.time()])
        if since and until and until < since:
            since, until = until, since
        return TimeRange(since or self.now - timedelta(days=400), until, self.now)


def _insertion(table: Any, row: dict[str, Any]) -> Any:
    at = next(row[name] for name in ("created_at", "timestamp", "reported_at") if name in row)
    return insert(table).values(id=uuid7(at), **row)


def statements(world: ChangingRows, span: TimeRange, who: Visibility) -> list[AnySelect]:
    bucket = world.random.choice(list(Bucket))
    return [
        of_tests.compared(span, who),
        of_tests.compared(span, who, of_tests.Chosen(None, ["one"], [MATH]), bucket),
        of_tests.by_category(span, who),
        of_tests.by_category(span, who, of_tests.Chosen(["acme"], None, [MATH]), bucket),
        *(spent(asked, span, who) for asked in spendings(world, who)),
        of_agents.activity(span, who, 1_000, 0),
        analytics.counts(span, who),
        events.counts(span, bucket, world.random.sample(GROUPS, 1), who),
        of_metrics.summary(span, None, who),
        of_metrics.series("x", span, bucket, who),
        of_metrics.estimated_p95(span, None, who).order_by("metric_name"),
    ]


def spendings(world: ChangingRows, who: Visibility) -> Iterator[Spending]:
    random = world.random
    bucket = random.choice([None, *BUCKETS])
    users = random.choice([None, [random.choice(world.users)]])
    names = random.choice([(None, None), (["acme"], None), (None, ["one"]), (["zeta"], ["one"])])
    yield Spending([SpendGroup.MODEL], bucket, None, *names)
    if who.shared:
        yield Spending([SpendGroup.USER], random.choice([None, Bucket.MONTH]), users)
        yield Spending([*SpendGroup], bucket, [random.choice(world.users)], *names)
    yield Spending([], bucket, None, *names)


async def answers(world: ChangingRows, seed: int, who: Visibility) -> list[Any]:
    world.random.seed(seed)
    span = world.span()
    asked = statements(world, span, who)
    async with world.database.scoped_to(who).read() as session:
        return [list(map(tuple, await session.rows(statement))) for statement in asked]


async def raw(world: ChangingRows, seed: int, who: Visibility) -> list[Any]:
    """The answers without any closed period: all of them from the rows."""
    async with world.database.write() as session:
        before = await session.rows(select(RollupState.name, RollupState.closed))
        await session.execute(update(RollupState).values(closed=None))
    found = await answers(world, seed, who)
    async with world.database.write() as session:
        for name, closed in before:
            await session.execute(
                update(RollupState).where(RollupState.name == name).values(closed=closed)
            )
    return found
