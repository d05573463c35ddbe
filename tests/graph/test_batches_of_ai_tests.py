"""Tests recorded as one batch are stored as if they had been recorded one after the other."""

import asyncio
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from sqlalchemy import func, select, text

from db import Database, progress
from db.ai_tests import AiTest
from db.audit import AuditEntry, Change
from db.core.idempotency import IdempotencyKey
from db.dreams import Dream
from db.notifications import Notification
from db.progress import ProgressLog
from graph.core.context import Context
from graph.core.execution.execute import execute as execute_operation
from graph.core.execution.operation import prepare
from graph.core.execution.result import OperationResult
from graph.core.principal import Principal
from graph.schema import schema
from support.ai_tests import as_imported, recorded
from support.factories import make_ai_model, make_dream
from support.mutations import Run, mutation, outcome, stored
from support.payloads import ERRORS, outcomes_of
from support.query_count import statements
from support.stored_rows import execute

MODELS = ["gpt-4", "gpt-5", "o1"]
TEST = "{ model cost impossibilityScore }"
ONE = f"aiTest {TEST} {ERRORS}"
MANY = f"storedCount aiTests {TEST} refused {{ index {ERRORS} }}"
ITS_OWN = {"id", "dream_id", "created_at", "updated_at", "completed_at", "snapshot_data", "slug"}
PROGRESS = {"average_impossibility", "best_score", "improvement_trend", "test_count"}
DERIVED = PROGRESS | {"last_tested_at"}  # of the newest log, when a dream became ACHIEVED


async def together(run: Run, who: Principal, tests: list[Any]) -> list[Any]:
    answer = await outcome(run, "recordAiTests", {"tests": tests}, who, MANY)
    return outcomes_of(answer, "aiTests")


def codes(outcomes: list[Any]) -> list[str | None]:
    """The codes of those that were refused, by position."""
    return [each.get("code") for each in outcomes]


async def one_by_one(run: Run, who: Principal, tests: list[Any]) -> list[Any]:
    return [await outcome(run, "recordAiTest", test, who, ONE) for test in tests]


def some_tests(random: Random, dreams: list[Any], size: int) -> list[Any]:
    """Of a few dreams and models, with times in any order, or without one."""
    now = datetime.now(UTC)
    return [some_test(random, random.choice(dreams), now) for _ in range(size)]


def some_test(random: Random, dream: Any, now: datetime) -> Any:
    days = random.choice([None, None, random.uniform(0, 70), random.choice([30, 60, 0.5])])
    scored = {"impossibilityScore": round(random.choice([50, 100, 5.5]) * random.random(), 3)}
    return recorded(
        dream,
        model=random.choice(MODELS),
        parameters={"z": 1.0, "a": [random.random()]},
        **random.choice([scored, scored, scored, {}, {"status": "FAILED"}]),
        **random.choice([{}, {"tokensUsed": random.choice(["1", "77", "123", f"{10**12}"])}]),
        **({} if days is None else {"at": (now - timedelta(days=days)).isoformat()}),
    )


def of_dream(tests: list[Any], others: dict[str, str]) -> list[Any]:
    return [{**test, "dreamId": others[test["dreamId"]]} for test in tests]


def without_names(answers: list[Any]) -> list[Any]:
    """Errors name a field of a batch with the position of its test, or that position alone."""
    names = [(each.get("field") or "").split(".")[-1] for each in answers]
    fields = ["" if name.isdigit() else name for name in names]
    return [{**each, "field": field} for each, field in zip(answers, fields, strict=True)]


async def types_of_before(database: Database) -> list[str]:
    """How PostgreSQL stores that there was no row before: `null` of JSON, or no value."""
    type_ = func.jsonb_typeof(AuditEntry.before)
    tests = select(type_).where(AuditEntry.entity == "ai_tests").distinct()
    async with database.read() as session:
        return [name for (name,) in await session.rows(tests)]


def alike(values: dict[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (values or {}).items() if name not in ITS_OWN}


def edited(values: dict[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in alike(values).items() if name not in DERIVED}


async def of(database: Database, table: Any, dream: Any) -> list[Any]:
    return [row for row in await stored(database, table) if row.dream_id == dream.id]


async def everything(database: Database, dream: Any) -> dict[str, Any]:
    """All that is stored about a dream, without ids and times."""
    tests, logs = await of(database, AiTest, dream), await of(database, ProgressLog, dream)
    ids = {dream.id, *(test.id for test in tests)}
    changes, entries = await stored(database, Change), await stored(database, AuditEntry)
    told = await stored(database, Notification)
    return {
        "status": [row.status for row in await stored(database, Dream) if row.id == dream.id],
        "tests": sorted(str(alike(test._asdict())) for test in tests),
        "logs": [alike(log._asdict()) for log in logs],
        "entries": sorted(
            f"{entry.entity} {edited(entry.before)} {edited(entry.after)}"
            for entry in entries
            if entry.entity_id in ids and entry.entity != "progress_logs"
        ),
        "created": [
            change.noun
            for change in changes
            if change.parent_id == dream.id and change.kind == "CREATED"
        ],
        "told": [row.body for row in told if row.payload["dreamId"] == str(dream.id)],
    }


@pytest.mark.parametrize("seed", range(4))
async def test_a_batch_stores_the_same_as_its_tests_one_by_one(
    database: Database, run: Run, ada: Principal, seed: int
) -> None:
    random = Random(seed)  # noqa: S311  not for secrets
    await make_ai_model(database, name="gpt-4", cost_per_1k_tokens="0.02")
    mine = [await make_dream(database, user_id=ada.user_id, title=f"{n}") for n in range(3)]
    same = [await make_dream(database, user_id=ada.user_id, title=f"{n}") for n in range(3)]
    mine.append(await make_dream(database))  # of somebody else
    same.append(await make_dream(database))
    others = {
        recorded(a)["dreamId"]: recorded(b)["dreamId"] for a, b in zip(mine, same, strict=True)
    }

    for size in (1, 12, 12):
        tests = some_tests(random, mine, size)
        once = await one_by_one(run, ada, tests)
        assert without_names(await together(run, ada, of_dream(tests, others))) == without_names(
            once
        )

    for one, other in zip(mine, same, strict=True):
        assert await everything(database, one) == await everything(database, other)
    assert await as_imported(database, *mine, *same)
    assert len(await stored(database, ProgressLog)) > 10
    assert await types_of_before(database) == ["null"]
    logs = {log.id: log for log in await stored(database, ProgressLog)}
    entries = await stored(database, AuditEntry)
    assert {entry.entity_id for entry in entries if entry.entity == "progress_logs"} == set(logs)


async def test_later_logs_are_reported_once(
    database: Database, run: Run, ada: Principal, dream: Any
) -> None:
    now = datetime.now(UTC)
    await together(run, ada, [recorded(dream, impossibilityScore=60)] * 2)
    past = {"at": (now - timedelta(days=3)).isoformat(), "impossibilityScore": 70}
    await together(run, ada, [recorded(dream, **past), recorded(dream, **past | {"model": "o1"})])

    changes = [(each.noun, each.kind) for each in await stored(database, Change)]
    created = [("ai_tests", "CREATED"), ("progress_logs", "CREATED")]
    assert changes == created * 4 + [("progress_logs", "UPDATED")] * 2
    assert [log.test_count for log in await stored(database, ProgressLog)] == [1, 2, 3, 4]
    assert await as_imported(database, dream)


@pytest.mark.parametrize(("dreams", "size"), [(1, 1), (50, 500)])
async def test_a_batch_of_any_size_takes_as_many_statements(
    database: Database, run: Run, ada: Principal, dreams: int, size: int
) -> None:
    mine = [await make_dream(database, user_id=ada.user_id) for _ in range(dreams)]
    tests = [
        recorded(mine[n % dreams], model=f"m{n % 7}", tokensUsed="9", impossibilityScore=50)
        | {"idempotencyKey": f"{n}"}
        for n in range(size)
    ]
    with statements(database, exactly=13):
        first = await together(run, ada, tests)
    with statements(database, exactly=3):
        again = await together(run, ada, tests)

    assert codes(first) == [None] * size
    assert again == first
    assert len(await stored(database, AiTest)) == len(await stored(database, ProgressLog)) == size


async def test_a_test_that_postgresql_refuses_keeps_no_other_out(
    database: Database, run: Run, ada: Principal, dream: Any
) -> None:
    constraint = "alter table ai_tests add constraint ck_ai_tests_model check (model <> 'refused')"
    async with database.write() as session:
        await session.execute(text(constraint))
    tests = [recorded(dream, model=f"{n}", impossibilityScore=50) for n in range(10)]
    tests[6]["model"] = "refused"
    answers = await together(run, ada, [{**t, "idempotencyKey": t["model"]} for t in tests])

    refused = answers.pop(6)
    assert (refused["code"], refused["message"]) == ("INVALID", "This value is not allowed.")
    assert refused["field"].startswith("tests.6.")
    assert [each["model"] for each in answers] == ["0", "1", "2", "3", "4", "5", "7", "8", "9"]
    keys = await stored(database, IdempotencyKey)
    assert {key.key for key in keys} == {each["model"] for each in answers}
    assert await as_imported(database, dream)


async def test_a_test_of_one_model_too_many_is_rejected(
    database: Database, run: Run, ada: Principal, dream: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "MAX_MODELS", 2)
    await together(run, ada, [recorded(dream, model="a", impossibilityScore=50)])
    tests = [recorded(dream, model=model, impossibilityScore=40) for model in "bcab"]
    answers = await together(run, ada, [*tests, recorded(dream, model="c")])

    assert codes(answers) == [None, "INVALID", None, None, None]
    assert answers[1]["field"] == "tests.1.model"
    assert [log.test_count for log in await stored(database, ProgressLog)] == [1, 2, 3, 4]
    assert await as_imported(database, dream)


async def test_the_key_of_a_rejected_test_is_free(
    database: Database, run: Run, ada: Principal, dream: Any
) -> None:
    foreign = recorded(await make_dream(database), idempotencyKey="one")
    rejected, accepted = await together(run, ada, [foreign, recorded(dream, idempotencyKey="one")])
    assert rejected["code"] == "FORBIDDEN"
    assert codes([accepted, *await together(run, ada, [foreign])]) == [None, "CONFLICT"]


async def test_concurrent_batches_wait_for_each_other(
    database: Database, run: Run, ada: Principal
) -> None:
    random = Random(1)  # noqa: S311  not for secrets
    dreams = [await make_dream(database, user_id=ada.user_id) for _ in range(5)]
    batches = []
    for _ in range(6):
        tests = [
            recorded(dreams[n % 5], idempotencyKey=f"{n}", impossibilityScore=40 + n)
            for n in range(20)
        ]
        random.shuffle(tests)
        batches.append(tests)
    answers = await asyncio.gather(*(together(run, ada, tests) for tests in batches))

    assert {code for answer in answers for code in codes(answer)} == {None}
    assert len(await stored(database, AiTest)) == 20
    assert await as_imported(database, *dreams)


REFUSING = """
create function refuse() returns trigger language plpgsql as $$
begin
  if new.model = 'locked' then raise lock_not_available; end if;
  if new.model = 'wrong' then raise check_violation using constraint = 'ck_ai_tests_model'; end if;
  return new;
end $$"""
BEFORE_INSERT = "create trigger refuse before insert on ai_tests for each row execute function "


async def test_a_batch_with_a_failure_after_a_refusal_stores_nothing(
    database: Database, run: Run, ada: Principal, dream: Any
) -> None:
    """PostgreSQL refuses test 2, so halves are stored apart; then the second half fails."""
    await execute(database, text(REFUSING))
    await execute(database, text(f"{BEFORE_INSERT}refuse()"))
    tests = [
        recorded(dream, model=f"m{n}", impossibilityScore=50, idempotencyKey=f"{n}")
        for n in range(10)
    ]
    tests[2]["model"], tests[8]["model"] = "wrong", "locked"
    failed = await run(mutation("recordAiTests", MANY), {"input": {"tests": tests}}, ada)

    assert [error["extensions"]["code"] for error in failed.errors] == ["SERVICE_UNAVAILABLE"]
    for table in (AiTest, ProgressLog, IdempotencyKey):
        assert await stored(database, table) == []

    tests[8]["model"] = "m8"
    answers = await together(run, ada, tests)  # each has an outcome of its own
    assert answers.pop(2)["code"] == "INVALID"
    assert [each["model"] for each in answers] == [f"m{n}" for n in (0, 1, *range(3, 10))]
    assert len(await stored(database, AiTest)) == 9
    assert await as_imported(database, dream)


async def test_repeated_keys_are_part_of_the_same_transaction(
    database: Database, run: Run, ada: Principal, dream: Any
) -> None:
    await execute(database, text(REFUSING))
    await execute(database, text(f"{BEFORE_INSERT}refuse()"))
    once = recorded(dream, model="a", impossibilityScore=50, idempotencyKey="k")
    foreign = recorded(await make_dream(database), model="b", idempotencyKey="free")
    tests = [once, foreign, once, {**once, "model": "b"}, recorded(dream, model="wrong")]
    tests.append(recorded(dream, model="c", idempotencyKey="free"))
    tests.append(recorded(dream, model="locked", idempotencyKey="k2"))
    failed = await run(mutation("recordAiTests", MANY), {"input": {"tests": tests}}, ada)
    assert failed.errors
    assert await stored(database, AiTest) == []

    found = codes(await together(run, ada, tests[:-1]))
    assert found == [None, "FORBIDDEN", None, "CONFLICT", "INVALID", None]
    assert sorted(test.model for test in await stored(database, AiTest)) == ["a", "c"]
    keys = {key.key for key in await stored(database, IdempotencyKey)}
    assert keys == {"k", "free"}


SLOW = "create function slow() returns trigger language plpgsql as $$ begin perform pg_sleep(0.1);"
SLOW += " return null; end $$"
AFTER_INSERT = "create trigger slow after insert on ai_tests for each statement execute function "


async def test_batches_of_the_same_dreams_wait_longer_than_for_a_lock(
    database: Database, database_url: str, run: Run, ada: Principal
) -> None:
    """Each waits for all before it, the last one much longer than PostgreSQL lets it wait."""
    await execute(database, text(SLOW))
    await execute(database, text(f"{AFTER_INSERT}slow()"))
    dreams = [await make_dream(database, user_id=ada.user_id) for _ in range(3)]
    impatient = Database(database_url, pool_size=10, lock_seconds=0.2)

    async def send(number: int) -> OperationResult:
        some = [recorded(dream, model=f"{number}", impossibilityScore=50) for dream in dreams]
        context = Context(impatient, ada, "test-request")
        prepared = prepare(schema, mutation("recordAiTests", MANY))
        return await execute_operation(prepared, {"input": {"tests": some}}, context)

    answers = await asyncio.gather(*map(send, range(12)))
    await impatient.close()
    assert [answer.errors for answer in answers] == [[]] * 12
    assert len(await stored(database, AiTest)) == 36
    assert await as_imported(database, *dreams)
