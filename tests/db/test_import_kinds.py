"""Lines of each kind, and the rows that an import stores for them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import text

from db.agents import Agent, AgentReport
from db.ai_models import AiModel
from db.ai_tests import AiTest
from db.core.ids import uuid7
from db.dreams import Dream
from db.events import Event
from db.importer import Counts
from db.metrics import Metric
from db.users import User
from support.factories import make_user
from support.imports import EVERYTHING, Ground, at, dream, report_of


async def test_every_kind_arrives(ground: Ground) -> None:
    report = await ground.load_file(EVERYTHING)
    [file] = report.files
    assert file.kinds == {
        "model": Counts(2),
        "dream": Counts(2),
        "test": Counts(4),
        "event": Counts(1),
        "metric": Counts(3),
        "agentReport": Counts(3),
    }
    assert (report.failed, report.users_created, report.progress_logs) == (0, 1, Counts(3))
    assert report.changed
    rows = await ground.everything()
    assert {name: len(records) for name, records in rows.items()} == {
        "users": 1,
        "ai_models": 2,
        "dreams": 2,
        "ai_tests": 4,
        "progress_logs": 3,
        "system_events": 1,
        "performance_metrics": 3,
        "agent_states": 1,
        "agent_history": 3,
    }


async def test_the_type_of_an_event_decides_where_it_has_no_severity(ground: Ground) -> None:
    line = {"kind": "event", "source": "a", "payload": {}, "metadata": {}, "timestamp": at(0)}
    await ground.load(
        line | {"key": "1", "eventType": "sync_failed"},
        line | {"key": "2", "eventType": "sync_failed", "severity": "DEBUG"},
    )
    assert sorted(event.severity for event in await ground.records(Event)) == ["DEBUG", "ERROR"]


async def test_a_model_keeps_every_digit_of_its_prices(ground: Ground) -> None:
    await ground.load_file(EVERYTHING)
    gpt, grok = sorted(await ground.records(AiModel), key=lambda model: str(model.name))
    assert gpt.output_cost_per_1k_tokens == Decimal("0.0600000000000000001")
    assert (gpt.display_name, gpt.max_tokens, gpt.is_active) == ("GPT-4", 8192, True)
    assert gpt.capabilities == ["FUNCTION_CALLING", "VISION"]
    assert (grok.max_tokens, grok.cost_per_1k_tokens, grok.is_active) == (None, None, None)


async def test_a_dream_keeps_its_key_its_time_and_its_owner(ground: Ground) -> None:
    await ground.load_file(EVERYTHING)
    [ada] = await ground.records(User)
    proof, song = await ground.records(Dream)
    created_at = datetime(2024, 1, 1, 8, tzinfo=UTC)
    assert proof == Dream.Record(
        id=uuid7(created_at, key="dream:sample:proof"),
        user_id=ada.id,
        title="Prove it",
        description="A proof nobody has found.",
        original_prompt="Prove the conjecture.",
        category="MATH",
        tags=["proof", "hard"],
        is_public=True,
        status="ACTIVE",
        remixed_from_id=None,
        version=1,
        created_at=created_at,
        updated_at=created_at,
        slug=f"prove-it-{proof.id.hex[-12:]}",
        average_impossibility=proof.average_impossibility,
        best_score=proof.best_score,
        improvement_trend=proof.improvement_trend,
        test_count=proof.test_count,
        last_tested_at=proof.last_tested_at,
    )
    assert (ada.email, ada.role) == ("ada@example.org", "MEMBER")
    assert (song.user_id, song.description) == (None, None)
    assert song.created_at == datetime(2024, 1, 2, 8, 30, tzinfo=UTC)


async def test_a_test_keeps_its_stored_columns(ground: Ground) -> None:
    await ground.load_file(EVERYTHING)
    first, second, failed, _ = await ground.records(AiTest)
    created_at = datetime(2024, 1, 5, 10, tzinfo=UTC)
    assert first == AiTest.Record(
        id=uuid7(created_at, key="test:sample:1"),
        dream_id=(await ground.records(Dream))[0].id,
        user_id=None,
        provider="openai",
        model="gpt-4",
        impossibility_score=Decimal("90.00"),
        confidence=Decimal("75.50"),
        reasoning='A gap in "lemma" 2.',
        duration=1500,
        tokens_used=1200,
        cost=Decimal("0.048000"),
        status="COMPLETED",
        test_parameters=first.test_parameters,
        completed_at=created_at + timedelta(milliseconds=1500),
        created_at=created_at,
        cost_derived=False,
    )
    assert second.completed_at is None  # nobody knows how long it took
    assert failed.completed_at == failed.created_at + timedelta(milliseconds=900)
    async with ground.database.read() as session:
        big = await session.scalar(text("select max(test_parameters ->> 'big') from ai_tests"))
    assert big == "123456789012345678901234567890"


async def test_metrics_are_rounded_half_up_and_all_counted(
    ground: Ground,
) -> None:
    await ground.load_file(EVERYTHING)
    values = sorted(metric.value for metric in await ground.records(Metric))
    assert values == [Decimal("-0.000001"), Decimal("51.846000"), Decimal("51.846000")]


async def test_an_agent_is_in_the_state_of_its_newest_report(ground: Ground) -> None:
    await ground.load_file(EVERYTHING)
    [agent] = await ground.records(Agent)
    reports = await ground.records(AgentReport)
    assert [(report.previous_status, report.status) for report in reports] == [
        (None, "RUNNING"),
        ("RUNNING", "ERROR"),
        ("ERROR", "IDLE"),
    ]
    assert sorted(report.seq for report in reports) == [report.seq for report in reports]
    assert (agent.agent_key, agent.status, agent.current_task) == ("prover", "IDLE", None)
    assert (agent.last_active, agent.last_seq) == (reports[2].reported_at, reports[2].seq)
    assert agent.performance_metrics == {"testsPassed": 1}
    assert agent.error_log == [{"at": "2024-01-05T10:00:01.000000Z", "error": "out of memory"}]


async def test_reports_that_come_late_find_their_place(ground: Ground) -> None:
    await ground.load(report_of("c", 3, "IDLE"), report_of("a", 1, "RUNNING"))
    await ground.load(
        report_of("b", 2, "ERROR", error="late"), report_of("b", 2, "ERROR", error="late")
    )
    reports = await ground.records(AgentReport)
    assert [(report.previous_status, report.status) for report in reports] == [
        (None, "RUNNING"),
        ("RUNNING", "ERROR"),
        ("ERROR", "IDLE"),
    ]
    [agent] = await ground.records(Agent)
    assert (agent.status, agent.performance_metrics) == ("IDLE", {"day": 3})
    assert agent.last_seq == reports[2].seq
    assert [error["error"] for error in agent.error_log] == ["late"]


async def test_an_agent_remembers_its_twenty_newest_errors(ground: Ground) -> None:
    await ground.load(*(report_of(f"new{n}", 100 + n, "ERROR", str(n)) for n in range(15)))
    await ground.load(*(report_of(f"old{n}", n, "ERROR", f"old {n}") for n in range(10)))
    [agent] = await ground.records(Agent)
    errors = [error["error"] for error in agent.error_log]
    assert errors == [f"old {n}" for n in range(5, 10)] + [str(n) for n in range(15)]


async def test_owners_are_made_once(ground: Ground) -> None:
    first = await ground.load(dream("a", ownerEmail="o@example.org"))
    second = await ground.load(*(dream(key, ownerEmail="o@example.org") for key in "bc"))
    assert (first.users_created, second.users_created) == (1, 0)
    [owner] = await ground.records(User)
    assert {dream.user_id for dream in await ground.records(Dream)} == {owner.id}


async def test_owners_are_the_same_in_any_spelling(ground: Ground) -> None:
    ada = await make_user(ground.database, email="Ada@Example.org")

    report = await ground.load(
        dream("a", ownerEmail="ADA@example.org"),
        dream("b", ownerEmail=" ada@example.org"),
        dream("c", ownerEmail="Bob@example.org"),
        dream("d", ownerEmail="bob@EXAMPLE.org"),
    )

    [_, bob] = await ground.records(User)
    owners = [row.user_id for row in await ground.records(Dream)]
    assert (report.failed, report.users_created, bob.email) == (0, 1, "bob@example.org")
    assert sorted(owners) == sorted([ada.id, ada.id, bob.id, bob.id])


@pytest.mark.parametrize(
    "address", ["root", "a@", "a b@c.de", "", "a@b\ud83d", "x" * 260 + "@a.de"]
)
async def test_an_owner_without_the_form_of_an_address_is_refused(
    ground: Ground, address: str
) -> None:
    report = await ground.load(dream("a", ownerEmail=address))

    assert report.failed == 1
    assert await ground.records(User) == []
