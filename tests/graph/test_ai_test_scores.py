"""Every score counts for its dream at once: averages, trends, and whether it is achieved."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from db import Database
from db.core.ids import time_of
from db.dreams import Dream
from db.notifications import Notification
from db.progress import ProgressLog
from db.users import Role
from graph.core.principal import Principal
from graph.core.types.node import global_id
from support.ai_tests import Write, as_imported, logs, recorded, score, started, traces
from support.factories import make_ai_model, make_config_entry, make_dream
from support.mutations import stored
from support.query_count import statements


async def test_a_score_counts_for_the_dream(
    database: Database, dream: Any, write_test: Write
) -> None:
    await make_ai_model(database, name="gpt-4", cost_per_1k_tokens="0.02")
    first, second = await started(database, dream), await started(database, dream, model="other")
    input = {
        "id": global_id(first),
        "impossibilityScore": 80.126,
        "confidence": 90,
        "reasoning": "Nearly.",
        "durationMs": "1500",
        "tokensUsed": "1234",
    }
    with statements(database, at_most=12):
        answer = await write_test("completeAiTest", input)
    await write_test("completeAiTest", {"id": global_id(second), "impossibilityScore": 60})

    assert answer == {
        "status": "COMPLETED",
        "impossibilityScore": 80.13,
        "confidence": 90.0,
        "reasoning": "Nearly.",
        "durationMs": "1500",
        "tokensUsed": "1234",
        "cost": "0.024680",
        "isCostDerived": True,
    }
    assert await logs(database) == [
        (Decimal("80.13"), Decimal("80.13"), 1, ["openai/gpt-4"]),
        (Decimal("70.07"), Decimal("60.00"), 2, ["openai/gpt-4", "openai/other"]),
    ]
    assert [log.id for log in await stored(database, ProgressLog)] == [first.id, second.id]
    assert await traces(database) == [
        ("ai_tests", "UPDATED"),
        ("progress_logs", "CREATED"),
        ("ai_tests", "UPDATED"),
        ("progress_logs", "CREATED"),
    ]
    assert await as_imported(database, dream)


@pytest.mark.parametrize(("score", "status"), [(5.01, "ACTIVE"), (5, "ACHIEVED")])
async def test_a_dream_is_achieved_at_five(
    database: Database, dream: Any, ada: Principal, write_test: Write, score: float, status: str
) -> None:
    test = {"id": global_id(await started(database, dream))}
    await write_test("completeAiTest", {**test, "impossibilityScore": score})

    [now] = await stored(database, Dream)
    received = await stored(database, Notification)
    assert now.status == status
    assert [(each.user_id, each.kind, each.title, each.payload) for each in received] == [
        (
            ada.user_id,
            "DREAM_ACHIEVED",
            "“Fly” is no longer impossible",
            {"dreamId": str(dream.id), "bestScore": 5.0},
        )
    ] * (status == "ACHIEVED")


@pytest.mark.parametrize(
    ("value", "status"), [(50, "ACHIEVED"), (49.99, "ACTIVE"), ("much", "ACTIVE")]
)
async def test_the_threshold_is_a_setting(
    database: Database, dream: Any, write_test: Write, value: Any, status: str
) -> None:
    await make_config_entry(database, key="dreams.achieved_at", value=value)
    test = {"id": global_id(await started(database, dream))}
    await write_test("completeAiTest", {**test, "impossibilityScore": 50})

    [now] = await stored(database, Dream)
    assert now.status == status


async def test_achieving_a_dream_without_owner_sends_no_notification(
    database: Database, write_test: Write
) -> None:
    dream = await make_dream(database, user_id=None)
    test = {"id": global_id(await started(database, dream))}
    key = Principal(role=Role.ADMIN, scopes=frozenset({"tests:write"}))
    await write_test("completeAiTest", {**test, "impossibilityScore": 0}, who=key)

    assert [dream.status for dream in await stored(database, Dream)] == ["ACHIEVED"]
    assert await stored(database, Notification) == []


async def test_completions_of_one_dream_are_serial(
    database: Database, dream: Any, write_test: Write
) -> None:
    tests = [await started(database, dream, model=f"model-{number}") for number in range(8)]
    await asyncio.gather(
        *(
            write_test(
                "completeAiTest", {"id": global_id(test), "impossibilityScore": 20 + 10 * number}
            )
            for number, test in enumerate(tests)
        )
    )

    made = await logs(database)
    assert [count for _, _, count, _ in made] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert made[-1][:2] == (Decimal("55.00"), Decimal("20.00"))
    assert await as_imported(database, dream)


async def test_a_score_from_the_past_corrects_later_logs(
    database: Database, dream: Any, write_test: Write
) -> None:
    now = datetime.now(UTC)
    await write_test(
        "completeAiTest", {"id": global_id(await started(database, dream)), **score(60)}
    )
    at = now - timedelta(days=400)
    input = {**recorded(dream, at=at.isoformat()), **score(80)}
    answer = await write_test("recordAiTest", input, shown="aiTest { createdAt }")

    [old, new] = await stored(database, ProgressLog)
    assert answer["createdAt"] == at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert time_of(old.id) == old.created_at == at
    assert (old.average_impossibility, old.improvement_trend) == (Decimal("80.00"), None)
    assert (new.average_impossibility, new.improvement_trend) == (Decimal("60.00"), Decimal(25))
    assert (new.best_score, new.test_count) == (Decimal("60.00"), 2)
    assert await traces(database) == [
        ("ai_tests", "UPDATED"),
        ("progress_logs", "CREATED"),
        ("ai_tests", "CREATED"),
        ("progress_logs", "CREATED"),
        ("progress_logs", "UPDATED"),
    ]
    assert await as_imported(database, dream)


async def test_a_trend_looks_back_thirty_days(
    database: Database, dream: Any, write_test: Write
) -> None:
    now = datetime.now(UTC)
    for days, points in ((61, 80), (31, 40), (1, 20), (0, 10)):
        at = (now - timedelta(days=days)).isoformat()
        await write_test("recordAiTest", {**recorded(dream, at=at), **score(points)})

    trends = [log.improvement_trend for log in await stored(database, ProgressLog)]
    assert trends == [None, Decimal(50), Decimal(50), Decimal(75)]
    assert await as_imported(database, dream)


@pytest.mark.parametrize(("before", "trend"), [(0.01, Decimal("-999900.00")), (0, None)])
async def test_the_steepest_trend_is_stored(
    database: Database, dream: Any, write_test: Write, before: float, trend: Decimal | None
) -> None:
    """A fall since an average of zero is no percentage of it."""
    for days, points in ((31, before), (0, 100)):
        at = (datetime.now(UTC) - timedelta(days=days)).isoformat()
        await write_test("recordAiTest", {**recorded(dream, at=at), **score(points)})

    trends = [log.improvement_trend for log in await stored(database, ProgressLog)]
    assert trends == [None, trend]
