"""Writes of many rows take as many statements as those of a few, and each row has its trace."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text

from db import Database
from db.ai_tests import AiTest
from db.api_keys import ApiKey
from db.audit import AuditEntry, Change, setting
from db.core import query
from db.core.ids import time_of
from db.dreams import Dream
from db.notifications import Notification
from db.progress import ProgressLog
from db.progress.model_scores import ModelScore
from db.users import Role, User
from graph.core.principal import Principal
from graph.core.types.node import global_id
from support.ai_tests import recorded, score
from support.factories import (
    START,
    make_ai_test,
    make_api_key,
    make_config_entry,
    make_dream,
    make_notification,
    make_user,
)
from support.mutations import Run, outcome, result, stored
from support.query_count import statements
from support.stored_rows import execute
from support.subscriptions import Follow

READ_ALL = """mutation ($input: MarkAllNotificationsReadInput!) {
  answer: markAllNotificationsRead(input: $input) { readCount }
}"""
NOTIFICATIONS = "subscription { notifications { kind notifications { id readAt } } }"
DELETED_DREAM = "deletedTestCount"
DELETED_USER = "keptDreamCount"
REVOKED = "apiKey { revokedAt }"
ADMIN = Principal(role=Role.ADMIN)


async def read_all(run: Run, who: Principal) -> int:
    answer = result(await run(READ_ALL, {"input": {}}, who))
    return int(answer["readCount"])


async def test_notifications_are_read_in_one_statement(
    database: Database, run: Run, ada: Principal
) -> None:
    async with database.write() as session:
        made = [await make_notification(session, user_id=ada.user_id) for _ in range(300)]
        await make_notification(session, user_id=ada.user_id, read_at=START)
        foreign = await make_notification(session)

    with statements(database, exactly=1):
        assert await read_all(run, ada) == 300
    assert await read_all(run, ada) == 0

    rows = {each.id: each for each in await stored(database, Notification)}
    entries = {each.id: each for each in await stored(database, AuditEntry)}
    changes = await stored(database, Change)
    read_at = {rows[each.id].read_at for each in made}
    assert len(read_at) == 1
    assert rows[foreign.id].read_at is None
    assert [change.entity_id for change in changes] == [each.id for each in made]
    assert {(each.noun, each.kind, each.parent_id) for each in changes} == {
        ("notifications", "UPDATED", ada.user_id)
    }
    assert len(entries) == 300
    for change in changes:
        entry = entries[change.audit_id]
        shown = entry.before["read_at"], datetime.fromisoformat(entry.after["read_at"])
        assert shown == (None, *read_at)
        assert (entry.entity, entry.entity_id) == ("notifications", change.entity_id)
        assert (entry.actor, entry.operation) == (ada.user_id, "markAllNotificationsRead")
        assert (entry.id.version, entry.id.variant) == (7, made[0].id.variant)
        assert time_of(entry.id) == entry.created_at


async def test_very_many_are_read_some_at_a_time(
    database: Database, run: Run, ada: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setting, "MAX_ROWS", 10)
    async with database.write() as session:
        for _ in range(25):
            await make_notification(session, user_id=ada.user_id)
    with statements(database, exactly=3):
        assert await read_all(run, ada) == 25
    assert len({change.entity_id for change in await stored(database, Change)}) == 25


async def test_subscribers_receive_each_notification_that_was_read(
    database: Database, run: Run, ada: Principal, follow: Follow
) -> None:
    made = {global_id(await make_notification(database, user_id=ada.user_id)) for _ in range(30)}
    follower = await follow(NOTIFICATIONS, who=ada)
    await follower.number(1)
    assert await read_all(run, ada) == 30

    def read(messages: list[Any]) -> set[str]:
        updates = [each["notifications"] for each in messages[1:]]
        return {row["id"] for rows in updates for row in rows if row["readAt"]}

    assert read(await follower.until(lambda messages: read(messages) == made)) == made


async def with_tests(database: Database, run: Run, tests: int) -> Any:
    """A dream with scored tests, and one without a score."""
    dream = await make_dream(database)
    some = [recorded(dream, **score(50)) for _ in range(tests - 1)]
    answer = await outcome(
        run,
        "recordAiTests",
        {"tests": [*some, recorded(dream)]},
        ADMIN,
        "storedCount",
    )
    assert answer["storedCount"] == tests
    return dream


OF_DREAM = (AiTest, ProgressLog, ModelScore)


async def test_a_dream_is_deleted_in_bounded_statements(
    database: Database, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query.id_ranges, "MAX_ROWS", 10)
    kept = await with_tests(database, run, 3)
    for tests, sent in ((5, 8), (10, 8), (35, 8 + 12)):
        dream = await with_tests(database, run, tests)
        with statements(database, exactly=sent) as seen:
            answer = await outcome(
                run, "deleteDream", {"id": global_id(dream)}, ADMIN, DELETED_DREAM, "DreamInput"
            )
        assert answer["deletedTestCount"] == tests
        assert sum(each.startswith("DELETE FROM ai_tests") for each in seen) == -(-tests // 10)
    assert [dream.id for dream in await stored(database, Dream)] == [kept.id]
    for table in OF_DREAM:
        assert {row.dream_id for row in await stored(database, table)} == {kept.id}


async def test_remixes_of_a_deleted_dream_are_changed_some_at_a_time(
    database: Database, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setting, "MAX_ROWS", 10)
    dream, other = await make_dream(database), await make_dream(database)
    remixes = [await make_dream(database, remixed_from_id=dream.id) for _ in range(25)]
    foreign = await make_dream(database, remixed_from_id=other.id)

    with statements(database) as seen:
        await outcome(
            run, "deleteDream", {"id": global_id(dream)}, ADMIN, DELETED_DREAM, "DreamInput"
        )

    assert sum("UPDATE dreams SET remixed_from_id" in each for each in seen) == 3
    origins = {each.id: each.remixed_from_id for each in await stored(database, Dream)}
    assert origins == {each.id: None for each in (other, *remixes)} | {foreign.id: other.id}
    changed = [each for each in await stored(database, Change) if each.kind == "UPDATED"]
    assert {each.entity_id for each in changed} == {each.id for each in remixes}
    entries = {each.id: each for each in await stored(database, AuditEntry)}
    assert {entries[each.audit_id].before["remixed_from_id"] for each in changed} == {str(dream.id)}


async def test_a_dream_is_deleted_as_a_whole_or_not_at_all(
    database: Database, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query.id_ranges, "MAX_ROWS", 2)
    dream = await with_tests(database, run, 7)
    before = [await stored(database, table) for table in (Dream, *OF_DREAM)]
    await execute(
        database,
        text(
            "create function refuse() returns trigger language plpgsql as"
            " $$ begin raise exception using errcode = '55P03'; end $$"
        ),
    )
    await execute(
        database,
        text(
            "create trigger refuse before delete on dreams for each row execute function refuse()"
        ),
    )
    answer = await run(
        "mutation ($id: ID!) { deleteDream(input: {id: $id}) { __typename } }",
        {"id": global_id(dream)},
        ADMIN,
    )
    assert [error["extensions"]["code"] for error in answer.errors] == ["SERVICE_UNAVAILABLE"]
    assert [await stored(database, table) for table in (Dream, *OF_DREAM)] == before


async def test_a_user_is_deleted_in_as_many_statements_whatever_they_own(
    database: Database, run: Run
) -> None:
    counts = []
    for number in (2, 20):
        user, other = await make_user(database), await make_user(database)
        for _ in range(number):
            await make_dream(database, user_id=user.id)
            await make_ai_test(database, user_id=user.id)
            await make_notification(database, user_id=user.id)
            key = await make_api_key(database, user_id=user.id)
            await make_api_key(database, user_id=other.id, created_by_key_id=key.id)
            await make_config_entry(database, key=f"{user.id}.{key.prefix}", updated_by=user.id)
        with statements(database) as seen:
            answer = await outcome(
                run, "deleteUser", {"id": global_id(user)}, ADMIN, DELETED_USER, "UserInput"
            )
        counts.append(len(seen))

        assert answer["keptDreamCount"] == number
        assert user.id not in {row.id for row in await stored(database, User)}
        keys = await stored(database, ApiKey)
        assert {key.user_id for key in keys} == {key.user_id for key in keys if key.revoked_at}
        assert await stored(database, Notification) == []
        entries = [(each.entity, each.after is None) for each in await stored(database, AuditEntry)]
        assert entries.count(("api_keys", True)) == sum((2, 20)[: len(counts)])
        assert entries.count(("api_keys", False)) == 2 * sum((2, 20)[: len(counts)])
    assert counts[0] == counts[1]


async def test_a_key_is_revoked_in_as_many_statements_whatever_was_made_with_it(
    database: Database, run: Run, ada: Principal
) -> None:
    counts = []
    for number in (1, 20):
        key = await make_api_key(database, user_id=ada.user_id)
        others = [
            await make_api_key(database, user_id=ada.user_id, created_by_key_id=key.id)
            for _ in range(number)
        ]
        with statements(database) as seen:
            await outcome(run, "revokeApiKey", {"id": global_id(key)}, ada, REVOKED)
        counts.append(len(seen))
        revoked = {row.id for row in await stored(database, ApiKey) if row.revoked_at}
        assert {key.id, *(other.id for other in others)} <= revoked
    assert counts[0] == counts[1]


async def test_rows_that_have_the_value_are_left_alone(
    database: Database, run: Run, ada: Principal
) -> None:
    now = datetime.now(UTC)
    key = await make_api_key(database, user_id=ada.user_id)
    await make_api_key(database, user_id=ada.user_id, created_by_key_id=key.id, revoked_at=now)
    await outcome(run, "revokeApiKey", {"id": global_id(key)}, ada, REVOKED)
    assert [change.entity_id for change in await stored(database, Change)] == [key.id]
