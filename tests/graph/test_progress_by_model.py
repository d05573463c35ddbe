"""Progress is what all tests of a dream make it, in whatever order and way they are stored, and a
score reads as few rows of a dream with many tests as of one with some."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import text

from db import Database, WriteSession, retention
from db.ai_tests import AiTest, AiTestStatus, writes
from db.ai_tests.batch import locked_dreams
from db.dreams import Dream
from db.progress import ProgressLog, batch, pending
from db.progress.model_scores import ModelScore, states
from db.progress.of_dreams import OF_LOG
from db.progress.replay import recompute
from db.users import Role
from graph.core.principal import Principal
from graph.core.types.node import global_id
from support import imports
from support.ai_tests import as_imported, recorded, score, started
from support.effort import SEEDS
from support.factories import make_ai_test
from support.imports import Ground
from support.many_tests import READ, STEP, UNTIL, dream_with_tests
from support.mutations import Run, outcome, stored
from support.query_count import statements
from support.tested_dreams import assert_counted

MODELS = ("gpt-4", "gpt-5", "o1")
OF_TEST = "aiTest { status }"
OF_BATCH = "storedCount"
DELETED = "deletedTestCount"


class Undone(Exception):
    """Rolls a transaction back."""


class World:
    """Some dreams, and all ways in which tests of them are stored."""

    def __init__(self, run: Run, database: Database, folder: Path, random: Random) -> None:
        self.run, self.database, self.random = run, database, random
        self.ground = Ground(database, folder)
        self.who = Principal(role=Role.ADMIN)
        self.dreams: list[Any] = []

    async def begin(self) -> None:
        await self.ground.load(*(imports.dream(key) for key in "abc"))
        self.dreams = await stored(self.database, Dream)

    async def act(self) -> None:
        actions = (self.one, self.one, self.batch, self.slow, self.load, self.older_version)
        await self.random.choice(actions)()
        if self.random.random() < 0.5:
            await pending.correct_some(self.database)

    async def one(self) -> None:
        await outcome(self.run, "recordAiTest", self.test(), self.who, OF_TEST)

    async def batch(self) -> None:
        tests = [self.test() for _ in range(self.random.randint(1, 8))]
        answer = await outcome(self.run, "recordAiTests", {"tests": tests}, self.who, OF_BATCH)
        assert answer["storedCount"] == len(tests)

    async def slow(self) -> None:
        """A test that ends after one that started later."""
        dream = self.random.choice(self.dreams)
        test = await started(self.database, dream, model=self.random.choice(MODELS))
        for _ in range(self.random.randint(0, 2)):
            await self.one()
        ended = {"id": global_id(test), **self.points()}
        await outcome(self.run, "completeAiTest", ended, self.who, OF_TEST)

    async def load(self) -> None:
        number = self.random.randint(0, 30)  # some of them again
        lines = [
            imports.ai_test(
                f"{n}",
                n / 3,
                f"{n * 7919 % 10_000 / 100:.2f}",
                MODELS[n % 3],
                dreamKey="abc"[n % 2],
            )
            for n in range(number, number + self.random.randint(1, 5))
        ]
        await self.ground.load(*lines)

    async def older_version(self) -> None:
        """One that knows no scores of models, and computes all logs anew."""
        dream = self.random.choice(self.dreams)
        points = self.random.randint(0, 100)
        await make_ai_test(
            self.database,
            dream_id=dream.id,
            model=self.random.choice(MODELS),
            impossibility_score=points,
            created_at=datetime.now(UTC) - timedelta(days=self.random.choice([0, 0, 1])),
        )
        async with self.database.write() as session:
            await recompute(session, [dream.id])

    def points(self) -> dict[str, Any]:
        return score(round(self.random.choice([5, 50, 100]) * self.random.random(), 2))

    def test(self) -> dict[str, Any]:
        days = self.random.choice([None, None, self.random.uniform(0, 80), 30, 0.5])
        at = {} if days is None else {"at": (datetime.now(UTC) - timedelta(days=days)).isoformat()}
        made = self.random.choice([self.points(), self.points(), self.points(), {}])
        dream, model = self.random.choice(self.dreams), self.random.choice(MODELS)
        return recorded(dream, model=model, **at, **made)


def summed(tests: Iterable[AiTest]) -> dict[Any, tuple[Any, ...]]:
    """First and latest test, latest and best score and number, by model."""
    found: dict[Any, tuple[Any, ...]] = {}
    for test in sorted(tests, key=lambda test: test.id):
        points = test.impossibility_score
        if test.status == AiTestStatus.COMPLETED and points is not None:
            key = test.provider, test.model
            first, _, _, best, count = found.get(key, (test.id, None, None, points, 0))
            found[key] = first, test.id, points, min(best, points), count + 1
    return found


async def seen_by_the_next_score(database: Database, dreams: list[Any]) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    try:
        async with database.write() as session:
            for id, state in (await states(session, [dream.id for dream in dreams])).items():
                found[id] = {model: tuple(score)[3:] for model, score in state.scores.items()}
            raise Undone
    except Undone:
        return found


async def shown_progress(database: Database) -> dict[Any, tuple[Any, ...]]:
    return {
        dream.id: tuple(getattr(dream, name) for name in OF_LOG)
        for dream in await stored(database, Dream)
    }


def computed_progress(tests: dict[Any, tuple[Any, ...]]) -> tuple[Any, ...]:
    """Average, best score and number of tests, of what `summed` found."""
    if not tests:
        return None, None, 0
    mean = sum(latest for _, _, latest, _, _ in tests.values()) / len(tests)
    best = min(best for *_, best, _ in tests.values())
    cents = Decimal("0.01")
    return mean.quantize(cents, ROUND_HALF_UP), best, sum(count for *_, count in tests.values())


async def newest_progress(database: Database) -> dict[Any, tuple[Any, ...]]:
    found: dict[Any, tuple[Any, ...]] = {
        dream.id: (None, None, None, 0, None) for dream in await stored(database, Dream)
    }
    for log in await stored(database, ProgressLog):
        found[log.dream_id] = tuple(getattr(log, column.key) for column in OF_LOG.values())
    return found


@pytest.mark.parametrize("seed", SEEDS)
async def test_progress_is_that_of_a_full_computation(
    run: Run, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(pending, "LOGS", 5)
    world = World(run, database, tmp_path, Random(seed))  # noqa: S311  not for secrets
    await world.begin()
    for step in range(20):
        monkeypatch.setattr(batch, "AT_ONCE", step % 4)  # logs that maintenance does not correct
        await world.act()
        tests = await stored(database, AiTest)
        expected = {
            dream.id: summed(test for test in tests if test.dream_id == dream.id)
            for dream in world.dreams
        }
        assert await seen_by_the_next_score(database, world.dreams) == expected
        shown = await shown_progress(database)
        assert {
            id: (average, best, count) for id, (average, best, _, count, _) in shown.items()
        } == {id: computed_progress(of_dream) for id, of_dream in expected.items()}
        assert shown == await newest_progress(database)
        if world.random.random() < 0.5:
            await pending.work_off(database)
            assert await as_imported(database, *world.dreams)
        await assert_counted(database, await database.now())
    await pending.work_off(database)
    assert await as_imported(database, *world.dreams)
    assert any(progress[0] for progress in (await shown_progress(database)).values())
    gone = world.dreams.pop()
    await outcome(run, "deleteDream", {"id": global_id(gone)}, world.who, DELETED, "DreamInput")
    of_gone = [row for row in await stored(database, ModelScore) if row.dream_id == gone.id]
    assert of_gone == []
    assert {row.dream_id for row in await stored(database, ModelScore)} <= {
        dream.id for dream in world.dreams
    }


async def test_expired_tests_no_longer_count(
    run: Run, database: Database, dream: Any, ada: Principal
) -> None:
    now = datetime.now(UTC)
    for days, model, points in ((800, "o1", 1), (790, "gpt-4", 2), (3, "gpt-4", 70)):
        test = recorded(dream, model=model, at=(now - timedelta(days=days)).isoformat())
        await outcome(run, "recordAiTest", test | score(points), ada, OF_TEST)
    await retention.expire(database, {"tests": timedelta(days=365)})

    late = recorded(dream, model="gpt-5", at=(now - timedelta(days=5)).isoformat())
    for test in (recorded(dream, model="gpt-5"), late):
        await outcome(run, "recordAiTest", test | score(80), ada, OF_TEST)

    await pending.work_off(database)
    logs = [log for log in await stored(database, ProgressLog) if log.created_at.year == now.year]
    assert [(log.test_count, log.best_score, log.active_models) for log in logs[-3:]] == [
        (1, Decimal(80), ["openai/gpt-5"]),
        (2, Decimal(70), ["openai/gpt-4", "openai/gpt-5"]),
        (3, Decimal(70), ["openai/gpt-4", "openai/gpt-5"]),
    ]


async def rows_read(session: WriteSession, dream: Any, at: datetime | None) -> int:
    for way in ("seqscan", "bitmapscan"):  # ways through small tables
        await session.execute(text(f"set local enable_{way} = off"))
    before = await session.scalar(READ)
    locked = (await locked_dreams(session, [dream.id]))[dream.id]
    of = {"provider": "openai", "model": "model-7", "impossibility_score": Decimal(50)}
    await writes.record(session, locked, None, AiTestStatus.COMPLETED, at, **of)
    return int(await session.scalar(READ) - before)


@pytest.mark.parametrize("late", [None, STEP * 5.5])
async def test_a_score_reads_as_many_rows_whatever_the_number_of_tests(
    database: Database, late: timedelta | None
) -> None:
    read, sent = [], []
    for count in (1_200, 2_400):
        dream = await dream_with_tests(database, count)
        async with database.write() as session:
            await rows_read(session, dream, None)  # sums the scores of its models up
        async with database.write() as session:
            await session.execute(text("analyze"))
        async with database.write() as session:
            with statements(database) as seen:
                read.append(await rows_read(session, dream, late and UNTIL - late))
        sent.append(len(seen))
        assert await as_imported_dream(database, dream)
    assert read[0] == pytest.approx(read[1], abs=5)
    assert max(read) < 40 * 6
    assert sent[0] == sent[1]


async def as_imported_dream(database: Database, dream: Any) -> bool:
    async with database.write() as session:
        counts = await recompute(session, [dream.id])
    return (counts.inserted, counts.updated) == (0, 0)
