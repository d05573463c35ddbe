"""Factories: one function per noun that stores one row and returns its record.

Every column can be overridden by its name. Times and names not given come from one counter, so that
rows made one after the other are one second apart, in the order of their ids, and never collide.
"""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

from sqlalchemy import Table as PlainTable, insert

import db
from db import Database, WriteSession
from db.ai_tests import claims, schedules, writes
from db.ai_tests.claims import Claimed
from db.core.ids import uuid7
from db.core.schema import partition
from db.core.table import Table

START = datetime(2026, 1, 15, 12, tzinfo=UTC)

_numbers = count(1)

Target = Database | WriteSession


async def make_user(target: Target, **overrides: Any) -> Any:
    """A member with an email address."""
    return await _store(
        target,
        db.users.User,
        overrides,
        email=f"user{next(_numbers)}@example.org",
        preferences={"theme": "dark"},
    )


async def make_api_key(target: Target, **overrides: Any) -> Any:
    """A key of a new user, with an unknown secret."""
    if "user_id" not in overrides:
        overrides["user_id"] = (await make_user(target)).id
    return await _store(
        target,
        db.api_keys.ApiKey,
        overrides,
        service="worker",
        prefix=f"{next(_numbers):08}",
        hashed_key="0" * 64,
    )


async def make_dream(target: Target, **overrides: Any) -> Any:
    """A public, active dream of a new user."""
    if "user_id" not in overrides:
        overrides["user_id"] = (await make_user(target)).id
    return await _store(
        target,
        db.dreams.Dream,
        overrides,
        title=f"Dream {next(_numbers)}",
        description="Something no AI can do yet.",
        original_prompt="Do what cannot be done.",
        category="REASONING",
        tags=["hard"],
        is_public=True,
        status="ACTIVE",
    )


async def make_ai_test(target: Target, **overrides: Any) -> Any:
    """A completed and scored test of a new dream."""
    if "dream_id" not in overrides:
        overrides["dream_id"] = (await make_dream(target)).id
    return await _store(
        target,
        db.ai_tests.AiTest,
        overrides,
        provider="openai",
        model="gpt-4",
        impossibility_score=80,
        confidence=90,
        reasoning="It did not manage.",
        duration=1500,
        tokens_used=1000,
        cost="0.030000",
        status="COMPLETED",
    )


async def claimed_test(database: Database, owner_id: UUID, **overrides: Any) -> Claimed:
    """A test of the work queue that its user runs, and its claim."""
    dream = await make_dream(database, user_id=owner_id)
    async with database.write() as session:
        values = {"provider": "openai", "model": "gpt-4", **overrides}
        test = await writes.start(session, dream, owner_id, **values)
        lease = timedelta(minutes=1)
        return Claimed(await claims.hold(session, test, str(owner_id), lease), test)


async def make_queued_ai_test(target: Target, test: Any = None, **overrides: Any) -> Any:
    """A test, or a new one of a new dream, that waits in the work queue."""
    if test is None:
        if "dream_id" not in overrides:
            overrides["dream_id"] = (await make_dream(target)).id
        none = dict.fromkeys(("impossibility_score", "confidence", "cost"))
        test = await make_ai_test(target, dream_id=overrides["dream_id"], status="PENDING", **none)
    return await _store(
        target,
        db.ai_tests.queue.QueuedAiTest,
        overrides,
        id=test.id,
        dream_id=test.dream_id,
        provider=test.provider,
        model=test.model,
        available_at=START,
    )


async def make_ai_test_schedule(target: Target, **overrides: Any) -> Any:
    """Tests of a new dream every Monday."""
    if "dream_id" not in overrides:
        overrides["dream_id"] = (await make_dream(target)).id
    return await _store(
        target,
        db.ai_tests.schedules.AiTestSchedule,
        overrides,
        cron="0 6 * * MON",
        providers=["openai"],
        models=["gpt-4"],
        next_run_at=START,
    )


async def monday_schedule(database: Database, owner_id: UUID) -> Any:
    """Tests of a new dream every Monday."""
    dream = await make_dream(database, user_id=owner_id)
    async with database.write() as session:
        model = schedules.Model("openai", "gpt-4")
        return await schedules.create(session, dream, owner_id, "0 6 * * MON", [model])


async def make_attachment(target: Target, **overrides: Any) -> Any:
    """A stored file of a new dream."""
    if "dream_id" not in overrides:
        overrides["dream_id"] = (await make_dream(target)).id
    return await _store(
        target,
        db.attachments.Attachment,
        overrides,
        name="picture.png",
        content_type="image/png",
        size=8,
        sha256="0" * 64,
        stored_at=datetime.now(UTC),
    )


async def make_progress_log(target: Target, **overrides: Any) -> Any:
    """The state of a new dream after its first test."""
    if "dream_id" not in overrides:
        overrides["dream_id"] = (await make_dream(target)).id
    return await _store(
        target,
        db.progress.ProgressLog,
        overrides,
        average_impossibility=80,
        best_score=80,
        test_count=1,
        active_models=["openai/gpt-4"],
    )


async def make_ai_model(target: Target, **overrides: Any) -> Any:
    """An active model with prices."""
    name = overrides.get("name", f"model-{next(_numbers)}")
    return await _store(
        target,
        db.ai_models.AiModel,
        overrides,
        provider="openai",
        name=name,
        display_name=name,
        max_tokens=4096,
        cost_per_1k_tokens="0.020000",
        input_cost_per_1k_tokens="0.01",
        output_cost_per_1k_tokens="0.03",
        is_active=True,
        capabilities=["FUNCTION_CALLING"],
    )


async def make_agent(target: Target, **overrides: Any) -> Any:
    """An idle agent that was active when it was made."""
    overrides.setdefault("created_at", _time())
    return await _store(
        target,
        db.agents.Agent,
        overrides,
        agent_key=f"agent-{next(_numbers)}",
        status="IDLE",
        last_active=overrides["created_at"],
    )


async def make_agent_report(target: Target, **overrides: Any) -> Any:
    """A report of a running agent; its present state is not touched."""
    return await _store(
        target,
        db.agents.AgentReport,
        overrides,
        time="reported_at",
        agent_key=f"agent-{next(_numbers)}",
        status="RUNNING",
        previous_status="IDLE",
    )


async def make_event(target: Target, **overrides: Any) -> Any:
    """An event of severity INFO."""
    return await _store(
        target,
        db.events.Event,
        overrides,
        time="timestamp",
        event_type="deployed",
        source="gateway",
        severity="INFO",
        payload={"version": "1.0"},
    )


async def make_metric(target: Target, **overrides: Any) -> Any:
    """One measured value of a series."""
    return await _store(
        target,
        db.metrics.Metric,
        overrides,
        time="timestamp",
        metric_name="cpu",
        value="12.5",
        unit="percent",
    )


async def make_user_action(target: Target, **overrides: Any) -> Any:
    """A page view without a user."""
    return await _store(
        target,
        db.analytics.UserAction,
        overrides,
        time="timestamp",
        action="page_viewed",
        page="/dreams",
        session_id="session-1",
    )


async def make_config_entry(target: Target, **overrides: Any) -> Any:
    """A plain setting."""
    return await _store(
        target,
        db.config.ConfigEntry,
        overrides,
        key=f"setting.{next(_numbers)}",
        value={"limit": 10},
        description="A limit.",
        category="limits",
    )


async def make_feature_flag(target: Target, **overrides: Any) -> Any:
    """A feature that is on for all users."""
    return await _store(
        target, db.config.FeatureFlag, overrides, key=f"feature-{next(_numbers)}", enabled=True
    )


async def make_notification(target: Target, **overrides: Any) -> Any:
    """An unread message to a new user."""
    if "user_id" not in overrides:
        overrides["user_id"] = (await make_user(target)).id
    return await _store(
        target, db.notifications.Notification, overrides, kind="DREAM_TESTED", title="Tested"
    )


async def make_alert_rule(target: Target, **overrides: Any) -> Any:
    """A rule about deployments within an hour, which is due."""
    return await _store(
        target,
        db.alerts.AlertRule,
        overrides,
        name=f"Rule {next(_numbers)}",
        kind="EVENTS",
        event_type="deployed",
        window_minutes=60,
        comparison="GT",
        threshold=0,
        next_evaluation_at=START,
    )


async def make_alert(target: Target, **overrides: Any) -> Any:
    """An open alert of a new rule."""
    if "rule_id" not in overrides:
        overrides["rule_id"] = (await make_alert_rule(target)).id
    return await _store(
        target, db.alerts.Alert, overrides, kind="EVENTS", title="Many", value=1, threshold=0
    )


async def make_webhook(target: Target, **overrides: Any) -> Any:
    """An address that messages are sent to."""
    url = "https://example.org/hook"
    return await _store(target, db.webhooks.Webhook, overrides, name="Hook", url=url)


async def make_webhook_delivery(target: Target, **overrides: Any) -> Any:
    """A message to a new webhook that was not delivered yet."""
    if "webhook_id" not in overrides:
        overrides["webhook_id"] = (await make_webhook(target)).id
    return await _store(
        target, db.webhooks.WebhookDelivery, overrides, event_type="alert_opened", payload={}
    )


async def make_audit_entry(target: Target, **overrides: Any) -> Any:
    """The creation of a dream that was deleted since, by the gateway itself."""
    return await _store(
        target,
        db.audit.AuditEntry,
        overrides,
        operation="createDream",
        entity="dreams",
        entity_id=UUID(int=next(_numbers)),
        after={"title": "Fly"},
        request_id=f"request-{next(_numbers)}",
    )


def _time() -> datetime:
    return START + timedelta(seconds=next(_numbers))


async def _store(
    target: Target,
    table: type[Table],
    overrides: dict[str, Any],
    time: str = "created_at",
    **defaults: Any,
) -> Any:
    if isinstance(target, Database):
        async with target.write() as session:
            return await _store(session, table, overrides, time, **defaults)
    at = overrides.get(time) or _time()
    if _plain(table) in partition.partitioned():
        await partition.ensure(target, table, [at])
    row = {"id": uuid7(at), time: at, **defaults, **overrides}
    statement = insert(_plain(table)).values(row).returning(*table.columns())
    return await target.record(table, statement)


def _plain(table: type[Table]) -> PlainTable:
    assert isinstance(table.__table__, PlainTable)
    return table.__table__
