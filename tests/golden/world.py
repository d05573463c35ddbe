"""A small world in which every noun occurs: the same ids and times in every run."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from db import Database
from db.core.ids import uuid7
from support import factories as make
from support.databases import create_database

START = datetime(2026, 1, 5, 9, tzinfo=UTC)


def at(day: int, hour: int = 0) -> datetime:
    return START + timedelta(days=day, hours=hour)


def when(time: datetime, key: str, column: str = "created_at") -> dict[str, Any]:
    """An id and a time that are the same in every run."""
    return {"id": uuid7(time, key), column: time}


async def stored(server_url: str, template_url: str) -> str:
    """A new database that holds the world."""
    url = await create_database(server_url, template_url)
    database = Database(url)
    await build(database)
    await database.close()
    return url


async def build(database: Database) -> None:
    """Stores the world."""
    async with database.write() as session:
        ada = await make.make_user(
            session,
            **when(at(0), "ada"),
            updated_at=at(0),
            email="ada@example.org",
            wallet_address="0x00000000000000000000000000000000000000ad",
            preferences={"theme": "dark"},
        )
        grace = await make.make_user(
            session,
            **when(at(1), "grace"),
            updated_at=at(1),
            email="grace@example.org",
            passport_tier="explorer",
            role="OPERATOR",
        )
        admin = await make.make_user(
            session,
            **when(at(-1), "admin"),
            updated_at=at(-1),
            email="admin@localhost",
            role="ADMIN",
        )
        await _models(session)
        await _dreams(session, ada, grace)
        await _agents(session)
        await _events(session, ada)
        await _metrics(session)
        await _config(session, ada)
        await _alerts(session, grace)
        for user in (ada, admin):
            await make.make_notification(
                session, **when(at(5), user.email), user_id=user.id, payload={"dream": "proof"}
            )


async def _alerts(session: Any, grace: Any) -> None:
    rule = await make.make_alert_rule(
        session,
        **when(at(2), "deployments"),
        updated_at=at(2),
        name="Deployments",
        created_by=grace.id,
        next_evaluation_at=at(10_000),  # not while tests run
    )
    await make.make_alert(
        session,
        **when(at(3), "alert"),
        rule_id=rule.id,
        title="Deployments: 3 events",
        value=3,
        acknowledged_at=at(3, 1),
        acknowledged_by=grace.id,
    )

    webhook = await make.make_webhook(
        session, **when(at(2), "hook"), updated_at=at(2), name="Pager", created_by=grace.id
    )
    for hour, more in enumerate(
        ({"delivered_at": at(3)}, {"last_error": "The receiver answered with the status 503."})
    ):
        await make.make_webhook_delivery(
            session,
            **when(at(3, hour), f"delivery {hour}"),
            webhook_id=webhook.id,
            payload={"type": "alert_opened", "data": {"value": "3"}},
            attempts=1,
            **more,
        )


async def _models(session: Any) -> None:
    for day, name in enumerate(["gpt-4", "gpt-5"]):
        await make.make_ai_model(
            session, **when(at(day), name), updated_at=at(day), name=name, display_name=name.upper()
        )


async def _dreams(session: Any, ada: Any, grace: Any) -> None:
    proof = await _dream(session, 0, "proof", ada, "Prove a new theorem", category="MATH")
    poem = await _dream(session, 1, "poem", ada, "Write a poem that lasts", category="CREATIVE")
    novel = await _dream(
        session, 2, "novel", grace, "Write a novel", category="CREATIVE", status="DRAFT"
    )
    await _queue(session, novel, grace)
    await _dream(session, 3, "remix", grace, "Prove it twice", remixed_from_id=proof.id)
    await _tests(session, proof, ada, ("gpt-4", 90), ("gpt-4", 80), ("gpt-5", 40))
    await _tests(session, poem, ada, ("gpt-5", 60), ("gpt-5", None))
    await make.make_ai_test(
        session,
        **when(at(9), "failed"),
        dream_id=proof.id,
        user_id=ada.id,
        status="FAILED",
        impossibility_score=None,
        confidence=None,
        reasoning=None,
        cost=None,
        duration=None,
        tokens_used=None,
    )
    await make.make_attachment(
        session,
        **when(at(3), "sketch"),
        dream_id=proof.id,
        user_id=ada.id,
        name="sketch.png",
        stored_at=at(3),
    )
    times = (0, "createDream", None, True), (1, "publishDream", False, True)
    for day, operation, before, after in times:
        await make.make_audit_entry(
            session,
            **when(at(day), operation),
            actor=ada.id,
            operation=operation,
            entity_id=proof.id,
            before=None if before is None else {"is_public": before},
            after={"is_public": after, "user_id": str(ada.id)},
            request_id=f"request-{day}",
        )
    for day, average, trend in ((4, 90, None), (5, 80, None), (6, 60, "33.33")):
        await make.make_progress_log(
            session,
            **when(at(day), f"progress {day}"),
            dream_id=proof.id,
            average_impossibility=average,
            best_score=min(average, 40 if day == 6 else average),
            test_count=day - 3,
            active_models=["openai/gpt-4", *(["openai/gpt-5"] if day == 6 else [])],
            improvement_trend=trend,
        )


async def _queue(session: Any, dream: Any, owner: Any) -> None:
    """A test that failed once, and waits for another attempt; and a schedule."""
    schedule = await make.make_ai_test_schedule(
        session,
        **when(at(2), "schedule"),
        updated_at=at(2),
        dream_id=dream.id,
        user_id=owner.id,
        is_active=False,  # not while tests run
        last_run_at=at(7),
    )
    unfinished = (
        "impossibility_score",
        "confidence",
        "reasoning",
        "cost",
        "duration",
        "tokens_used",
    )
    test = await make.make_ai_test(
        session,
        **when(at(10), "queued"),
        dream_id=dream.id,
        user_id=owner.id,
        status="PENDING",
        **dict.fromkeys(unfinished),
    )
    await make.make_queued_ai_test(
        session,
        test,
        created_at=at(10),
        available_at=at(10, 1),
        schedule_id=schedule.id,
        attempts=1,
        last_error="The model did not answer.",
    )


async def _dream(session: Any, day: int, key: str, owner: Any, title: str, **more: Any) -> Any:
    times = when(at(day), key)
    return await make.make_dream(
        session, **times, updated_at=at(day), user_id=owner.id, title=title, **more
    )


async def _tests(session: Any, dream: Any, user: Any, *scores: tuple[str, int | None]) -> None:
    for day, (model, score) in enumerate(scores, 4):
        time = at(day)
        await make.make_ai_test(
            session,
            **when(time, f"{dream.title} {day}"),
            dream_id=dream.id,
            user_id=user.id,
            model=model,
            impossibility_score=score,
            confidence=None if score is None else 90,
            completed_at=time + timedelta(seconds=1.5),
        )


async def _agents(session: Any) -> None:
    await make.make_agent(
        session, **when(at(0), "scout"), updated_at=at(1), agent_key="scout", status="RUNNING"
    )
    await make.make_agent(
        session, **when(at(0, 1), "judge"), updated_at=at(1), agent_key="judge", status="OFFLINE"
    )
    statuses = (None, "IDLE", "RUNNING", "RUNNING", "IDLE")
    for hour, (before, now) in enumerate(pairwise(statuses)):
        await make.make_agent_report(
            session,
            **when(at(1, hour), f"report {hour}", "reported_at"),
            agent_key="scout",
            seq=hour + 1,
            previous_status=before,
            status=now,
            current_task={"dream": "proof"} if now == "RUNNING" else None,
        )


async def _events(session: Any, ada: Any) -> None:
    for hour, (kind, severity) in enumerate(
        (("deployed", "INFO"), ("test_failed", "ERROR"), ("test_failed", "ERROR"))
    ):
        await make.make_event(
            session,
            **when(at(2, hour // 2), f"event {hour}", "timestamp"),
            seq=hour + 1,
            event_type=kind,
            severity=severity,
            user_id=ada.id if hour else None,
        )


async def _metrics(session: Any) -> None:
    for hour, value in enumerate((10, 20, 60)):
        await make.make_metric(
            session,
            **when(at(3, hour), f"metric {hour}", "timestamp"),
            value=value,
            tags={"host": f"gateway-{hour}"},
        )
    await make.make_user_action(session, **when(at(3), "action", "timestamp"))


async def _config(session: Any, ada: Any) -> None:
    await make.make_config_entry(
        session,
        **when(at(0), "entry"),
        updated_at=at(0),
        key="dreams.achieved_at",
        value=5,
        description="Best score at which a dream counts as achieved.",
        category="dreams",
        updated_by=ada.id,
    )
    await make.make_config_entry(
        session,
        **when(at(0, 1), "secret"),
        updated_at=at(0),
        key="mail.password",
        value="DREAMNET_TEST_UNSET_SECRET",
        description=None,
        category="mail",
        kind="SECRET_REFERENCE",
    )
    await make.make_feature_flag(
        session, **when(at(0), "flag"), updated_at=at(0), key="remixes", rollout_percent=25
    )
