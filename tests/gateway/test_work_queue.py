"""The work queue over HTTP, in production, with keys: from a queued test to its result."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import func, update

from db import Database
from db.ai_tests import schedules
from graph.core.types.node import global_id
from support.factories import make_dream, make_user
from support.gateways import Send, gateway, make_key, production, signed_in
from support.mutations import mutation
from support.payloads import ERRORS

CLAIM = "claimId attempt maxAttempts aiTest { id status model dream { originalPrompt } }"
STARTED = f"aiTest {{ id status queue {{ attempts claimedUntil }} }} claim {{ claimId }} {ERRORS}"


@pytest.fixture
async def owner(database: Database) -> Any:
    return await make_user(database)


@pytest.fixture
async def dream(database: Database, owner: Any) -> Any:
    return await make_dream(database, user_id=owner.id, original_prompt="Fly!")


@pytest.fixture
async def ask(database: Database, owner: Any) -> AsyncIterator[Send]:
    """Requests of the owner of the dream."""
    async with client(database, user_id=owner.id) as send:
        yield send


@pytest.fixture
async def work(database: Database) -> AsyncIterator[Send]:
    """Requests of an operator's worker, whose key has no other rights."""
    async with client(database, scopes=["tests:work", "dreams:read"]) as send:
        yield send


@asynccontextmanager
async def client(database: Database, **key: Any) -> AsyncIterator[Send]:
    settings = production()
    made = await make_key(database, settings, **key)
    async with signed_in(gateway(settings, Database(database.url)), made.text) as send:
        yield send


async def do(send: Send, verb: str, shown: str, **input: Any) -> Any:
    """What a mutation shows."""
    return (await send(mutation(verb, shown), input=input))["answer"]


async def start(send: Send, dream: Any, **more: Any) -> Any:
    named = {"dreamId": global_id(dream), "provider": "openai", "model": "gpt"}
    return await do(send, "startAiTest", STARTED, **named, **more)


async def claim(send: Send, **more: Any) -> Any:
    shown = f"claims {{ {CLAIM} }} {ERRORS}"
    return await do(send, "claimAiTests", shown, provider="openai", **more)


async def complete(send: Send, id: str, **more: Any) -> Any:
    shown = f"aiTest {{ status impossibilityScore queue {{ id }} }} {ERRORS}"
    return await do(send, "completeAiTest", shown, id=id, impossibilityScore=30, **more)


def codes(answer: Any) -> list[str]:
    return [error["code"] for error in answer["errors"]]


async def test_a_worker_finishes_a_queued_test(dream: Any, ask: Send, work: Send) -> None:
    queued = await start(ask, dream, queue=True, maxAttempts=2)
    id = queued["aiTest"]["id"]
    waiting = {"attempts": 0, "claimedUntil": None}
    assert queued == {
        "aiTest": {"id": id, "status": "PENDING", "queue": waiting},
        "claim": None,
        "errors": [],
    }

    [claimed] = (await claim(work, models=["gpt"], worker="w1"))["claims"]
    assert claimed == {
        "claimId": claimed["claimId"],
        "attempt": 1,
        "maxAttempts": 2,
        "aiTest": {
            "id": id,
            "status": "RUNNING",
            "model": "gpt",
            "dream": {"originalPrompt": "Fly!"},
        },
    }
    held = {"claimIds": [claimed["claimId"], str(uuid4())], "leaseSeconds": 90}
    extended = await do(
        work, "extendAiTestClaims", f"extendedClaimIds lostClaimIds {ERRORS}", **held
    )
    assert extended == {
        "extendedClaimIds": held["claimIds"][:1],
        "lostClaimIds": held["claimIds"][1:],
        "errors": [],
    }
    done = await complete(work, id, claimId=claimed["claimId"])
    assert done == {
        "aiTest": {"status": "COMPLETED", "impossibilityScore": 30.0, "queue": None},
        "errors": [],
    }
    assert (await claim(work))["claims"] == []


async def test_a_test_started_as_before_is_run_by_its_starter(dream: Any, ask: Send) -> None:
    started = await start(ask, dream)
    test = started["aiTest"]
    assert started == {"aiTest": {**test, "status": "RUNNING", "queue": None}, "claim": None} | {
        "errors": []
    }
    assert codes(await complete(ask, test["id"])) == []


async def test_a_starter_may_hold_a_claim_itself(dream: Any, ask: Send) -> None:
    started = await start(ask, dream, leaseSeconds=60)
    id, claim_id = started["aiTest"]["id"], started["claim"]["claimId"]
    assert started["aiTest"]["status"] == "RUNNING"
    assert codes(await complete(ask, id)) == ["CLAIM_LOST"]
    assert codes(await complete(ask, id, claimId=str(uuid4()))) == ["CLAIM_LOST"]
    assert codes(await complete(ask, id, claimId=claim_id)) == []


async def test_a_claim_of_another_is_of_no_use(
    database: Database, dream: Any, ask: Send, work: Send
) -> None:
    id = (await start(ask, dream, queue=True))["aiTest"]["id"]
    [claimed] = (await claim(work))["claims"]
    shown = f"aiTest {{ status queue {{ lastError }} }} {ERRORS}"
    stolen = {"id": id, "claimId": claimed["claimId"]}

    assert codes(await complete(ask, **stolen)) == ["CLAIM_LOST"]
    assert codes(await do(ask, "releaseAiTest", shown, **stolen)) == ["CLAIM_LOST"]
    released = await do(work, "releaseAiTest", shown, **stolen, reason="Overloaded.")
    assert released["aiTest"] == {"status": "PENDING", "queue": {"lastError": "Overloaded."}}
    assert codes(await complete(work, **stolen)) == ["CLAIM_LOST"]


async def test_members_work_on_their_own_dreams(database: Database, dream: Any, ask: Send) -> None:
    """Also on those that all see."""
    await start(ask, dream, queue=True)
    async with client(database, user_id=(await make_user(database)).id) as other:
        assert (await claim(other))["claims"] == []
    assert len((await claim(ask))["claims"]) == 1


async def test_a_key_needs_the_scope_to_work(database: Database, dream: Any, ask: Send) -> None:
    await start(ask, dream, queue=True)
    shown = f"claims {{ claimId }} {ERRORS}"
    async with client(database, scopes=["tests:read", "tests:write"]) as send:
        with pytest.raises(AssertionError, match="tests:work"):
            await do(send, "claimAiTests", shown, provider="openai")


async def test_a_key_for_work_alone_does_not_end_other_tests(
    dream: Any, ask: Send, work: Send
) -> None:
    id = (await start(ask, dream))["aiTest"]["id"]
    assert codes(await complete(work, id)) == ["FORBIDDEN"]


@pytest.mark.parametrize(
    ("input", "field"),
    [
        ({"queue": True, "leaseSeconds": 60}, "leaseSeconds"),
        ({"leaseSeconds": 4}, "leaseSeconds"),
        ({"queue": True, "maxAttempts": 0}, "maxAttempts"),
    ],
)
async def test_wrong_inputs_are_named(dream: Any, ask: Send, input: Any, field: str) -> None:
    refused = await start(ask, dream, **input)
    shown = [(error["code"], error.get("field")) for error in refused["errors"]]
    assert shown == [("INVALID", [field])]


async def test_a_schedule_puts_tests_into_the_queue(
    database: Database, dream: Any, ask: Send, work: Send
) -> None:
    input = {
        "dreamId": global_id(dream),
        "cron": "0 6 * * MON",
        "models": [{"provider": "openai", "model": "gpt"}],
        "parameters": {"temperature": 0},
    }
    shown = f"aiTestSchedule {{ id cron models {{ provider model }} isActive }} {ERRORS}"
    made = await do(ask, "createAiTestSchedule", shown, **input)
    id = made["aiTestSchedule"]["id"]
    assert made == {
        "aiTestSchedule": {
            "id": id,
            "cron": input["cron"],
            "models": input["models"],
            "isActive": True,
        },
        "errors": [],
    }
    wrong = await do(ask, "createAiTestSchedule", shown, **input | {"cron": "weekly"})
    assert [(e["code"], e["field"]) for e in wrong["errors"]] == [("INVALID", ["cron"])]
    await make_due(database)
    assert await schedules.run_due(database) == 1

    queued = "{ queuedAiTests { nodes { model schedule { id } aiTest { testParameters } } } }"
    assert await ask(queued) == {
        "queuedAiTests": {
            "nodes": [
                {
                    "model": "gpt",
                    "schedule": {"id": id},
                    "aiTest": {"testParameters": {"temperature": 0}},
                }
            ]
        }
    }
    paused = await do(ask, "pauseAiTestSchedule", "aiTestSchedule { isActive }", id=id)
    resumed = await do(ask, "resumeAiTestSchedule", "aiTestSchedule { isActive }", id=id)
    assert (paused, resumed) == (
        {"aiTestSchedule": {"isActive": False}},
        {"aiTestSchedule": {"isActive": True}},
    )
    deleted = f"deletedAiTestScheduleId {ERRORS}"
    assert await do(ask, "deleteAiTestSchedule", deleted, id=id) == {
        "deletedAiTestScheduleId": id,
        "errors": [],
    }
    assert len((await claim(work))["claims"]) == 1


async def test_schedules_are_those_of_ones_dreams(database: Database, dream: Any) -> None:
    async with client(database, user_id=(await make_user(database)).id) as other:
        input = {"dreamId": global_id(dream), "cron": "0 6 * * *", "models": []}
        refused = await do(
            other, "createAiTestSchedule", f"aiTestSchedule {{ id }} {ERRORS}", **input
        )
    assert codes(refused) == ["FORBIDDEN"]


async def make_due(database: Database) -> None:
    async with database.write() as session:
        await session.execute(update(schedules.AiTestSchedule).values(next_run_at=func.now()))
