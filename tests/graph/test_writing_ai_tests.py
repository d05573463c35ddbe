"""AI tests are started and ended, each once and by who may, and cost what their tokens cost."""

from decimal import Decimal
from typing import Any

import pytest

from db import Database
from db.ai_tests import AiTest
from db.ai_tests.writes import cost_of
from db.audit import AuditEntry
from db.users import Role
from graph.core.execution.result import OperationResult
from graph.core.principal import Principal
from graph.core.types.node import global_id
from support.ai_tests import Write, logs, recorded, score, started, traces
from support.factories import make_dream
from support.mutations import Run, stored
from support.query_count import statements


def test_costs_are_rounded_half_up() -> None:
    assert cost_of(1234, Decimal("0.020000")) == Decimal("0.024680")
    assert cost_of(1, Decimal("0.000500")) == Decimal("0.000001")
    assert cost_of(1, Decimal("0.000499")) == Decimal("0.000000")


async def test_a_test_is_started_with_its_trace(
    database: Database, dream: Any, ada: Principal, write_test: Write
) -> None:
    input = {
        "dreamId": global_id(dream),
        "provider": "openai",
        "model": "gpt-4",
        "parameters": {"temperature": 0},
    }
    shown = "aiTest { id provider model testParameters dream { id } user { id } }"
    with statements(database, at_most=6):
        answer = await write_test("startAiTest", input, shown=shown)

    [test] = await stored(database, AiTest)
    [entry] = await stored(database, AuditEntry)
    assert answer == {
        "id": global_id(test),
        "provider": "openai",
        "model": "gpt-4",
        "testParameters": {"temperature": 0},
        "dream": {"id": global_id(dream)},
        "user": {"id": f"user_{ada.user_id.hex}"},
    }
    assert (test.status, test.completed_at) == ("RUNNING", None)
    assert (entry.actor, entry.operation, entry.entity_id) == (ada.user_id, "startAiTest", test.id)
    assert await traces(database) == [("ai_tests", "CREATED")]
    assert await logs(database) == []


@pytest.mark.parametrize(
    ("input", "cost", "derived"),
    [
        ({"tokensUsed": 1000, "cost": "0.5"}, "0.500000", False),
        ({"tokensUsed": 1000}, None, False),
        ({}, None, False),
    ],
)
async def test_a_cost_is_derived_only_when_it_can_be(
    database: Database, dream: Any, write_test: Write, input: Any, cost: str | None, derived: bool
) -> None:
    test = await started(database, dream)
    answer = await write_test("completeAiTest", {"id": global_id(test), **input})

    assert (answer["cost"], answer["isCostDerived"]) == (cost, derived)
    assert await logs(database) == []


@pytest.mark.parametrize(
    ("verb", "status"), [("failAiTest", "FAILED"), ("cancelAiTest", "CANCELLED")]
)
async def test_a_test_ends_once(
    database: Database, dream: Any, write_test: Write, verb: str, status: str
) -> None:
    test = {"id": global_id(await started(database, dream))}

    answer = await write_test(verb, test)
    again = await write_test("completeAiTest", test)

    assert answer["status"] == status
    assert again == {
        "code": "CONFLICT",
        "message": f"The test is already {status}.",
    }
    assert await traces(database) == [("ai_tests", "UPDATED")]


async def test_a_key_for_tests_runs_them(database: Database, run: Run, dream: Any) -> None:
    key = Principal(dream.user_id, Role.MEMBER, scopes=frozenset({"tests:write"}))
    start = """mutation ($input: StartAiTestInput!) {
        startAiTest(input: $input) { aiTest { id } }
    }"""
    complete = """mutation ($input: CompleteAiTestInput!) {
        completeAiTest(input: $input) { aiTest { id status impossibilityScore } }
    }"""
    answer = await run(start, {"input": recorded(dream)}, key)
    test: Any = answer.data and answer.data["startAiTest"]["aiTest"]
    done = await run(complete, {"input": {**test, **score(30)}}, key)

    ended = {**test, "status": "COMPLETED", "impossibilityScore": 30.0}
    assert done == OperationResult({"completeAiTest": {"aiTest": ended}}, [])


@pytest.mark.parametrize(("public", "code"), [(True, "FORBIDDEN"), (False, "NOT_FOUND")])
async def test_a_foreign_test_is_not_ended(
    database: Database, write_test: Write, public: bool, code: str
) -> None:
    dream = await make_dream(database, is_public=public)
    test = await started(database, dream)

    answer = await write_test("cancelAiTest", {"id": global_id(test)})

    assert answer["code"] == code
    assert [test.status for test in await stored(database, AiTest)] == ["RUNNING"]
