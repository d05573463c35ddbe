"""AI tests are started, ended and recorded, and every score counts for its dream at once."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from writing import ERRORS, Run, outcome, stored

from counting import statements
from db import Database
from db.ai_tests import AiTest
from db.ai_tests.writes import cost_of
from db.audit import AuditEntry, Change
from db.core.ids import time_of
from db.dreams import Dream
from db.importer.progress import recompute
from db.importer.report import Counts
from db.notifications import Notification
from db.progress import ProgressLog
from db.users import Role
from factories import make_ai_model, make_ai_test, make_config_entry, make_dream, make_user
from graph.core.node import global_id
from graph.core.operation import Answer
from graph.core.permission import ANONYMOUS, Principal

Write = Callable[..., Awaitable[dict[str, Any]]]

FIELDS = """__typename
  ... on AiTest {
    status impossibilityScore confidence reasoning durationMs tokensUsed cost isCostDerived
  }"""
BULK = f"""mutation ($input: RecordAiTestsInput!) {{
  answer: recordAiTests(input: $input) {{
    __typename
    ... on RecordedAiTests {{
      recordedCount
      results {{ index result {{ __typename ... on AiTest {{ model }} {ERRORS} }} }}
    }}
    {ERRORS}
  }}
}}"""


def signed_in(user: Any, *scopes: str) -> Principal:
    return Principal(user_id=user.id, role=Role.MEMBER, scopes=frozenset(scopes))


@pytest.fixture
async def dream(database: Database, ada: Principal) -> Any:
    return await make_dream(database, user_id=ada.user_id, title="Fly")


@pytest.fixture
def write(run: Run, ada: Principal) -> Write:
    """`await write("startAiTest", {...})`: what a mutation comes to, for Ada if nobody is named."""

    async def write(
        verb: str, input: dict[str, Any], who: Principal = ada, shown: str = FIELDS
    ) -> dict[str, Any]:
        return await outcome(run, verb, input, who, f"{shown} {ERRORS}")

    return write


async def traces(database: Database) -> list[tuple[str, str]]:
    """What the feed says happened, in order."""
    return [(change.noun, change.kind) for change in await stored(database, Change)]


async def started(database: Database, dream: Any, **values: Any) -> Any:
    """A test under way, which has no results yet."""
    of = dict.fromkeys(
        ("impossibility_score", "confidence", "reasoning", "duration", "tokens_used", "cost")
    )
    now = datetime.now(UTC)
    times = {"created_at": now, "status": "RUNNING"}
    return await make_ai_test(database, dream_id=dream.id, **{**of, **times, **values})


async def logs(database: Database) -> list[tuple[Any, ...]]:
    """Average, best score, count and models after each test."""
    return [
        (log.average_impossibility, log.best_score, log.test_count, log.active_models)
        for log in await stored(database, ProgressLog)
    ]


async def as_imported(database: Database, *dreams: Any) -> bool:
    """Whether an import of all tests would change no log."""
    count = len(await stored(database, ProgressLog))
    async with database.write() as session:
        return await recompute(session, [dream.id for dream in dreams]) == Counts(0, 0, count)


def test_costs_are_rounded_half_up() -> None:
    assert cost_of(1234, Decimal("0.020000")) == Decimal("0.024680")
    assert cost_of(1, Decimal("0.000500")) == Decimal("0.000001")
    assert cost_of(1, Decimal("0.000499")) == Decimal("0.000000")


async def test_a_test_is_started_with_its_trace(
    database: Database, dream: Any, ada: Principal, write: Write
) -> None:
    input = {
        "dreamId": global_id(dream),
        "provider": "openai",
        "model": "gpt-4",
        "parameters": {"temperature": 0},
    }
    shown = "__typename ... on AiTest { id provider model testParameters dream { id } user { id } }"
    with statements(database, at_most=6):
        answer = await write("startAiTest", input, shown=shown)

    [test] = await stored(database, AiTest)
    [entry] = await stored(database, AuditEntry)
    assert answer == {
        "__typename": "AiTest",
        "id": global_id(test),
        "provider": "openai",
        "model": "gpt-4",
        "testParameters": {"temperature": 0},
        "dream": {"id": global_id(dream)},
        "user": {"id": f"user_{ada.user_id.hex}"},  # type: ignore[union-attr]  # she has one
    }
    assert (test.status, test.completed_at) == ("RUNNING", None)
    assert (entry.actor, entry.operation, entry.entity_id) == (ada.user_id, "startAiTest", test.id)
    assert await traces(database) == [("ai_tests", "CREATED")]
    assert await logs(database) == []


async def test_a_score_counts_for_the_dream(database: Database, dream: Any, write: Write) -> None:
    await make_ai_model(database, name="gpt-4", cost_per_1k_tokens="0.02")
    first, second = await started(database, dream), await started(database, dream, model="other")
    input = {
        "id": global_id(first),
        "impossibilityScore": 80.126,
        "confidence": 90,
        "reasoning": "Nearly.",
        "durationMs": 1500,
        "tokensUsed": 1234,
    }
    with statements(database, at_most=13):
        answer = await write("completeAiTest", input)
    await write("completeAiTest", {"id": global_id(second), "impossibilityScore": 60})

    assert answer == {
        "__typename": "AiTest",
        "status": "COMPLETED",
        "impossibilityScore": 80.13,
        "confidence": 90.0,
        "reasoning": "Nearly.",
        "durationMs": 1500,
        "tokensUsed": 1234,
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


@pytest.mark.parametrize(
    ("input", "cost", "derived"),
    [
        ({"tokensUsed": 1000, "cost": "0.5"}, "0.500000", False),
        ({"tokensUsed": 1000}, None, False),
        ({}, None, False),
    ],
)
async def test_a_cost_is_derived_only_when_it_can_be(
    database: Database, dream: Any, write: Write, input: Any, cost: str | None, derived: bool
) -> None:
    test = await started(database, dream)
    answer = await write("completeAiTest", {"id": global_id(test), **input})

    assert (answer["cost"], answer["isCostDerived"]) == (cost, derived)
    assert await logs(database) == []


@pytest.mark.parametrize(
    ("verb", "status"), [("failAiTest", "FAILED"), ("cancelAiTest", "CANCELLED")]
)
async def test_a_test_ends_once(
    database: Database, dream: Any, write: Write, verb: str, status: str
) -> None:
    test = {"id": global_id(await started(database, dream))}

    answer = await write(verb, test)
    again = await write("completeAiTest", test)

    assert answer["status"] == status
    assert again == {
        "__typename": "Conflict",
        "message": f"The test is {status} already.",
        "code": "CONFLICT",
    }
    assert await traces(database) == [("ai_tests", "UPDATED")]


@pytest.mark.parametrize(("score", "status"), [(5.01, "ACTIVE"), (5, "ACHIEVED")])
async def test_a_dream_is_achieved_at_five(
    database: Database, dream: Any, ada: Principal, write: Write, score: float, status: str
) -> None:
    test = {"id": global_id(await started(database, dream))}
    await write("completeAiTest", {**test, "impossibilityScore": score})

    [now] = await stored(database, Dream)
    told = await stored(database, Notification)
    assert now.status == status
    assert [(each.user_id, each.kind, each.title, each.payload) for each in told] == [
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
    database: Database, dream: Any, write: Write, value: Any, status: str
) -> None:
    await make_config_entry(database, key="dreams.achieved_at", value=value)
    test = {"id": global_id(await started(database, dream))}
    await write("completeAiTest", {**test, "impossibilityScore": 50})

    [now] = await stored(database, Dream)
    assert now.status == status


async def test_what_nobody_dreamt_is_achieved_quietly(database: Database, write: Write) -> None:
    dream = await make_dream(database, user_id=None)
    test = {"id": global_id(await started(database, dream))}
    key = Principal(role=Role.MEMBER, scopes=frozenset({"tests:write"}))
    await write("completeAiTest", {**test, "impossibilityScore": 0}, key)

    assert [dream.status for dream in await stored(database, Dream)] == ["ACHIEVED"]
    assert await stored(database, Notification) == []


async def test_completions_of_one_dream_are_serial(
    database: Database, dream: Any, write: Write
) -> None:
    tests = [await started(database, dream, model=f"model-{number}") for number in range(8)]
    await asyncio.gather(
        *(
            write("completeAiTest", {"id": global_id(test), "impossibilityScore": 20 + 10 * number})
            for number, test in enumerate(tests)
        )
    )

    made = await logs(database)
    assert [count for _, _, count, _ in made] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert made[-1][:2] == (Decimal("55.00"), Decimal("20.00"))
    assert await as_imported(database, dream)


async def test_a_score_from_the_past_corrects_what_came_after(
    database: Database, dream: Any, write: Write
) -> None:
    now = datetime.now(UTC)
    await write("completeAiTest", {"id": global_id(await started(database, dream)), **score(60)})
    at = now - timedelta(days=400)
    input = {**recorded(dream, at=at.isoformat()), **score(80)}
    answer = await write("recordAiTest", input, shown="__typename ... on AiTest { createdAt }")

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


async def test_a_trend_looks_back_thirty_days(database: Database, dream: Any, write: Write) -> None:
    now = datetime.now(UTC)
    for days, points in ((61, 80), (31, 40), (1, 20), (0, 10)):
        at = (now - timedelta(days=days)).isoformat()
        await write("recordAiTest", {**recorded(dream, at=at), **score(points)})

    trends = [log.improvement_trend for log in await stored(database, ProgressLog)]
    assert trends == [None, Decimal(50), Decimal(50), Decimal(75)]
    assert await as_imported(database, dream)


async def test_a_key_for_tests_runs_them(database: Database, run: Run, dream: Any) -> None:
    key = Principal(user_id=dream.user_id, scopes=frozenset({"tests:write"}))
    start = """mutation ($input: StartAiTestInput!) {
        startAiTest(input: $input) { ... on AiTest { id } }
    }"""
    complete = """mutation ($input: CompleteAiTestInput!) {
        completeAiTest(input: $input) { ... on AiTest { id status impossibilityScore } }
    }"""
    answer = await run(start, {"input": recorded(dream)}, key)
    test: Any = answer.data and answer.data["startAiTest"]
    done = await run(complete, {"input": {**test, **score(30)}}, key)

    ended = {**test, "status": "COMPLETED", "impossibilityScore": 30.0}
    assert done == Answer({"completeAiTest": ended}, [])


def score(points: float) -> dict[str, Any]:
    return {"impossibilityScore": points}


def recorded(dream: Any, **values: Any) -> dict[str, Any]:
    return {"dreamId": global_id(dream), "provider": "openai", "model": "gpt-4", **values}


@pytest.mark.parametrize(
    ("values", "field", "message"),
    [
        (
            {"provider": "OpenAI"},
            "provider",
            "A provider is written in small letters, like `openai`.",
        ),
        ({"model": ""}, "model", "This text must have 1 to 200 characters."),
        ({"impossibilityScore": 101}, "impossibilityScore", "This must be a number from 0 to 100."),
        ({"confidence": -1}, "confidence", "This must be a number from 0 to 100."),
        ({"durationMs": -1}, "durationMs", "This cannot be less than zero."),
        ({"tokensUsed": -1}, "tokensUsed", "This cannot be less than zero."),
        ({"cost": "-1"}, "cost", "This cannot be less than zero."),
        ({"parameters": [1]}, "parameters", "This must be a JSON object."),
        ({"status": "RUNNING"}, "status", "A recorded test is COMPLETED, FAILED or CANCELLED."),
        (
            {"status": "FAILED", "impossibilityScore": 5},
            "impossibilityScore",
            "Only a COMPLETED test has a score.",
        ),
        (
            {"at": "2999-01-01T00:00:00Z"},
            "at",
            "The time must lie between ten years ago and now.",
        ),
        (
            {"cost": "10000"},
            None,
            "A value is out of range, or holds characters that cannot be stored.",
        ),
    ],
)
async def test_what_is_wrong_is_said_and_nothing_is_stored(
    database: Database, dream: Any, write: Write, values: Any, field: str | None, message: str
) -> None:
    answer = await write("recordAiTest", recorded(dream, **values))

    assert answer == {
        "__typename": "Invalid",
        "message": message,
        "code": "INVALID",
        "field": field,
    }
    assert await stored(database, AiTest) == await stored(database, AuditEntry) == []


@pytest.mark.parametrize("verb", ["startAiTest", "recordAiTest"])
@pytest.mark.parametrize(
    ("public", "scopes", "typename"),
    [
        (True, (), "Forbidden"),
        (True, ("tests:write",), "AiTest"),
        (False, (), "NotFound"),
        (False, ("tests:write",), "NotFound"),
    ],
)
async def test_the_owner_or_a_key_for_it_has_a_dream_tested(
    database: Database,
    write: Write,
    verb: str,
    public: bool,
    scopes: tuple[str, ...],
    typename: str,
) -> None:
    dream = await make_dream(database, is_public=public)
    who = signed_in(await make_user(database), *scopes)

    answer = await write(verb, recorded(dream), who)

    assert answer["__typename"] == typename
    assert len(await stored(database, AiTest)) == (typename == "AiTest")


@pytest.mark.parametrize(("public", "typename"), [(True, "Forbidden"), (False, "NotFound")])
async def test_a_foreign_test_is_not_ended(
    database: Database, write: Write, public: bool, typename: str
) -> None:
    dream = await make_dream(database, is_public=public)
    test = await started(database, dream)

    answer = await write("cancelAiTest", {"id": global_id(test)})

    assert answer["__typename"] == typename
    assert [test.status for test in await stored(database, AiTest)] == ["RUNNING"]


async def test_strangers_are_asked_to_sign_in(run: Run, dream: Any) -> None:
    answer = await run(BULK, {"input": {"tests": [recorded(dream)]}}, ANONYMOUS)

    assert [error["extensions"]["code"] for error in answer.errors] == ["UNAUTHENTICATED"]


async def test_the_same_key_stores_one_test(database: Database, dream: Any, write: Write) -> None:
    input = recorded(dream, idempotencyKey="once", **score(70))

    answers = await asyncio.gather(*(write("recordAiTest", input) for _ in range(10)))
    other = await write("recordAiTest", {**input, "model": "other"})

    assert answers == [answers[0]] * 10
    assert other["__typename"] == "Conflict"
    assert len(await stored(database, AiTest)) == len(await stored(database, ProgressLog)) == 1


async def test_one_bad_test_keeps_no_other_out(
    database: Database, run: Run, dream: Any, ada: Principal
) -> None:
    private = await make_dream(database, is_public=False)
    tests = [
        recorded(dream, model="first", **score(50)),
        recorded(dream, model="nul", reasoning="\0"),
        recorded(private),
        recorded(dream, model="last", **score(40)),
    ]
    answer = await run(BULK, {"input": {"tests": tests}}, ada)

    assert answer == Answer(
        {
            "answer": {
                "__typename": "RecordedAiTests",
                "recordedCount": 2,
                "results": [
                    {"index": 0, "result": {"__typename": "AiTest", "model": "first"}},
                    {
                        "index": 1,
                        "result": {
                            "__typename": "Invalid",
                            "message": "A value is out of range, or holds characters that cannot "
                            "be stored.",
                            "code": "INVALID",
                            "field": None,
                        },
                    },
                    {
                        "index": 2,
                        "result": {
                            "__typename": "NotFound",
                            "message": "There is no such thing, or you may not see it.",
                            "code": "NOT_FOUND",
                        },
                    },
                    {"index": 3, "result": {"__typename": "AiTest", "model": "last"}},
                ],
            }
        },
        [],
    )
    assert [count for _, _, count, _ in await logs(database)] == [1, 2]


async def test_tests_are_sent_by_the_five_hundred(run: Run, dream: Any, ada: Principal) -> None:
    answer = await run(BULK, {"input": {"tests": [recorded(dream)] * 501}}, ada)

    assert answer.data == {
        "answer": {
            "__typename": "Invalid",
            "message": "Send at most 500 tests at once.",
            "code": "INVALID",
            "field": "tests",
        }
    }
