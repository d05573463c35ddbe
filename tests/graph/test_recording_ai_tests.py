"""Tests that are over are recorded, one by one or in bulk, by who may and once for each key."""

import asyncio
from typing import Any

import pytest

from db import Database
from db.ai_tests import AiTest
from db.audit import AuditEntry
from db.progress import ProgressLog
from db.users import Role
from graph.core.execution.result import OperationResult
from graph.core.principal import ANONYMOUS, Principal
from support.ai_tests import Write, logs, recorded, score
from support.factories import make_dream, make_user
from support.mutations import Run, stored
from support.payloads import ERRORS

BULK = f"""mutation ($input: RecordAiTestsInput!) {{
  answer: recordAiTests(input: $input) {{
    storedCount aiTests {{ model }} refused {{ index {ERRORS} }} {ERRORS}
  }}
}}"""


TOKENS = "This must be a number from 0 to 1,000,000,000,000."
DURATION = "This must be a number from 0 to 10,000,000,000,000."
COST = "This must be a number from 0 to 9,999.999999."


@pytest.mark.parametrize(
    ("values", "field", "message"),
    [
        (
            {"provider": "OpenAI"},
            "provider",
            "A provider must be in lower case, like `openai`.",
        ),
        ({"model": ""}, "model", "This text must have 1 to 200 characters."),
        ({"impossibilityScore": 101}, "impossibilityScore", "This must be a number from 0 to 100."),
        ({"confidence": -1}, "confidence", "This must be a number from 0 to 100."),
        ({"durationMs": -1}, "durationMs", DURATION),
        ({"durationMs": 10**13 + 1}, "durationMs", DURATION),
        ({"tokensUsed": -1}, "tokensUsed", TOKENS),
        ({"tokensUsed": 2**63 - 1}, "tokensUsed", TOKENS),
        ({"cost": "-1"}, "cost", COST),
        ({"cost": "9999.9999995"}, "cost", COST),
        ({"cost": "1e300"}, "cost", COST),
        ({"parameters": [1]}, "parameters", "This must be a JSON object."),
        (
            {"status": "RUNNING"},
            "status",
            "The status of a recorded test must be COMPLETED, FAILED or CANCELLED.",
        ),
        (
            {"status": "FAILED", "impossibilityScore": 5},
            "impossibilityScore",
            "Only a COMPLETED test can have a score.",
        ),
        (
            {"at": "2999-01-01T00:00:00Z"},
            "at",
            "The time must be between ten years ago and five minutes from now.",
        ),
        ({"cost": "10000"}, "cost", COST),
        ({"dreamId": "user_" + "0" * 32}, "dreamId", "This is the ID of another type: user."),
    ],
)
async def test_faults_are_named_and_nothing_is_stored(
    database: Database, dream: Any, write_test: Write, values: Any, field: str | None, message: str
) -> None:
    answer = await write_test("recordAiTest", recorded(dream, **values))

    assert answer == {
        "code": "INVALID",
        "message": message,
        "field": field,
    }
    assert await stored(database, AiTest) == await stored(database, AuditEntry) == []


@pytest.mark.parametrize("verb", ["startAiTest", "recordAiTest"])
@pytest.mark.parametrize(
    ("public", "role", "scopes", "code"),
    [
        (True, Role.MEMBER, (), "FORBIDDEN"),
        (True, Role.MEMBER, ("tests:write",), "FORBIDDEN"),
        (True, Role.OPERATOR, ("tests:write",), "FORBIDDEN"),
        (True, Role.ADMIN, ("tests:write",), None),
        (False, Role.MEMBER, (), "NOT_FOUND"),
        (False, Role.OPERATOR, (), "FORBIDDEN"),
        (False, Role.ADMIN, (), None),
        (False, Role.ADMIN, ("tests:write",), "NOT_FOUND"),
        (False, Role.ADMIN, ("tests:write", "dreams:read"), None),
    ],
)
async def test_dreams_of_others_are_tested_by_administrators(
    database: Database,
    write_test: Write,
    verb: str,
    public: bool,
    role: Role,
    scopes: tuple[str, ...],
    code: str | None,
) -> None:
    dream = await make_dream(database, is_public=public)
    user = await make_user(database)
    who = Principal(user_id=user.id, role=role, scopes=frozenset(scopes))

    answer = await write_test(verb, recorded(dream), who=who)

    assert answer.get("code") == code
    assert len(await stored(database, AiTest)) == (code is None)


async def test_strangers_are_asked_to_sign_in(run: Run, dream: Any) -> None:
    answer = await run(BULK, {"input": {"tests": [recorded(dream)]}}, ANONYMOUS)

    assert [error["extensions"]["code"] for error in answer.errors] == ["UNAUTHENTICATED"]


async def test_the_same_key_stores_one_test(
    database: Database, dream: Any, write_test: Write
) -> None:
    input = recorded(dream, idempotencyKey="once", **score(70))

    answers = await asyncio.gather(*(write_test("recordAiTest", input) for _ in range(10)))
    other = await write_test("recordAiTest", {**input, "model": "other"})

    assert answers == [answers[0]] * 10
    assert other["code"] == "CONFLICT"
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

    assert answer == OperationResult(
        {
            "answer": {
                "storedCount": 2,
                "aiTests": [{"model": "first"}, None, None, {"model": "last"}],
                "refused": [
                    {
                        "index": 1,
                        "errors": [
                            {
                                "code": "INVALID",
                                "message": "This text contains a character that cannot be stored.",
                                "field": ["tests", "1", "reasoning"],
                            }
                        ],
                    },
                    {
                        "index": 2,
                        "errors": [
                            {
                                "code": "NOT_FOUND",
                                "message": "There is no such thing, or you may not see it.",
                                "field": ["tests", "2"],
                            }
                        ],
                    },
                ],
                "errors": [],
            }
        },
        [],
    )
    assert [count for _, _, count, _ in await logs(database)] == [1, 2]


async def test_tests_are_sent_by_the_five_hundred(run: Run, dream: Any, ada: Principal) -> None:
    answer = await run(BULK, {"input": {"tests": [recorded(dream)] * 501}}, ada)

    assert answer.data == {
        "answer": {
            "storedCount": 0,
            "aiTests": [],
            "refused": [],
            "errors": [
                {"code": "INVALID", "message": "At most 500 are allowed.", "field": ["tests"]}
            ],
        }
    }
