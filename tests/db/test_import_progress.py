"""Progress logs that an import computes, and the progress that it reports."""

import random
from collections.abc import Iterable
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from sqlalchemy import select

from db.ai_tests import AiTest
from db.importer import Counts, Progress
from db.progress import ProgressLog
from support.imports import EVERYTHING, Ground, ai_test, dream


async def test_the_progress_of_a_dream_follows_its_tests(ground: Ground) -> None:
    await ground.load_file(EVERYTHING)
    logs = await ground.records(ProgressLog)
    tests = [test for test in await ground.records(AiTest) if test.impossibility_score is not None]
    assert [(log.id, log.created_at) for log in logs] == [
        (test.id, test.created_at) for test in tests
    ]
    assert [tuple(log)[2:7] for log in logs] == [
        (Decimal("90.00"), Decimal("90.00"), 1, ["openai/gpt-4"], None),
        (Decimal("80.00"), Decimal("70.00"), 2, ["openai/gpt-4", "xai/grok"], None),
        # (55.55 + 70) / 2 = 62.775; of the log of 6 January, 80.00, that is 21.525 percent less
        (Decimal("62.78"), Decimal("55.55"), 3, ["openai/gpt-4", "xai/grok"], Decimal("21.53")),
    ]
    assert logs[2].snapshot_data == {
        "testId": str(tests[2].id),
        "provider": "openai",
        "model": "gpt-4",
        "score": 55.55,
    }


@pytest.mark.parametrize("seed", range(3))
async def test_progress_is_the_same_in_whatever_order_tests_come(ground: Ground, seed: int) -> None:
    """Against a computation that looks at all tests anew for each log."""
    chance = random.Random(seed)  # noqa: S311  not for secrets
    tests = [
        ai_test(
            f"t{n}",
            chance.choice([n / 2, chance.uniform(0, 100), 40]),
            chance.choice(["0.00", "33.33", "66.67", f"{chance.uniform(0, 100):.2f}", None]),
            model=chance.choice("xyz"),
        )
        for n in range(60)
    ]
    chance.shuffle(tests)
    await ground.load(dream(), *tests[:20])
    await ground.load(*tests[20:])
    stored = [tuple(log)[2:7] for log in await ground.records(ProgressLog)]
    assert stored == expected_logs(await ground.records(AiTest))


def expected_logs(tests: Iterable[Any]) -> list[tuple[Any, ...]]:
    scored = [test for test in tests if test.impossibility_score is not None]
    logs: list[tuple[Any, ...]] = []
    for place, test in enumerate(scored):
        so_far = scored[: place + 1]
        latest = {f"{one.provider}/{one.model}": one.impossibility_score for one in so_far}
        mean = cents(sum(latest.values()) / len(latest))
        old = [
            log[0]
            for log, one in zip(logs, scored, strict=False)
            if test.created_at - one.created_at >= timedelta(days=30)
        ]
        trend = cents((old[-1] - mean) * 100 / old[-1]) if old and old[-1] else None
        best = min(one.impossibility_score for one in so_far)
        logs.append((mean, best, place + 1, sorted(latest), trend))
    return logs


def cents(value: Decimal) -> Decimal:
    return value.quantize(Decimal("0.01"), ROUND_HALF_UP)


async def test_tests_of_many_dreams_do_not_mix(ground: Ground) -> None:
    keys = [f"dream{n}" for n in range(130)]
    tests = [ai_test(f"{key}/{n}", n, f"{n}.00", dreamKey=key) for n in range(3) for key in keys]
    report = await ground.load(*map(dream, keys), *tests)
    assert report.progress_logs == Counts(inserted=3 * 130)
    statement = select(ProgressLog.dream_id, ProgressLog.test_count).order_by(
        ProgressLog.dream_id, ProgressLog.id
    )
    async with ground.database.read() as session:
        rows = await session.rows(statement)
    assert [row.test_count for row in rows] == [1, 2, 3] * 130


async def test_logs_are_computed_from_the_first_imported_test_on(ground: Ground) -> None:
    await ground.load(dream(), *(ai_test(f"t{n}", n, "50.00", "xyz"[n % 3]) for n in range(9)))
    late, new = ai_test("late", 6.5, "10.00"), ai_test("new", 20, "20.00")
    assert (await ground.load(new)).progress_logs == Counts(inserted=1)
    assert (await ground.load(late)).progress_logs == Counts(inserted=1, updated=3)
    stored = [tuple(log)[2:7] for log in await ground.records(ProgressLog)]
    assert stored == expected_logs(await ground.records(AiTest))


async def test_progress_is_shown_in_bytes_and_then_in_dreams(ground: Ground) -> None:
    received: list[Progress] = []
    await ground.load(dream(), ai_test("t", 1, "50.00"), progress=received.append)
    size = (ground.folder / "lines.jsonl").stat().st_size
    assert [(step.path is None, step.done, step.total, step.rows) for step in received] == [
        (False, size, size, 2),
        (True, 1, 1, 1),
    ]
