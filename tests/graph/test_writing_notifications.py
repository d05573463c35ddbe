"""Notifications are marked as read by those they are for, and by nobody else."""

import pytest

from db import Database
from db.audit import AuditEntry, Change
from db.notifications import Notification
from db.users import Role
from graph.core.execution.result import OperationResult
from graph.core.principal import ANONYMOUS, DEVELOPER, Principal
from graph.core.types.node import global_id
from support.factories import START, make_notification, make_user
from support.mutations import Run, stored
from support.query_count import statements

READ = """mutation ($input: MarkNotificationReadInput!) {
  markNotificationRead(input: $input) {
    notification { title readAt }
    errors { message code field }
  }
}"""
READ_ALL = """mutation ($input: MarkAllNotificationsReadInput!) {
  markAllNotificationsRead(input: $input) { readCount }
}"""


async def test_a_notification_is_read_once(database: Database, run: Run, ada: Principal) -> None:
    id = {"id": global_id(await make_notification(database, user_id=ada.user_id))}

    with statements(database, exactly=3):
        first = await run(READ, {"input": id}, ada)
    with statements(database, exactly=1):
        again = await run(READ, {"input": id}, ada)

    [notification] = await stored(database, Notification)
    [entry] = await stored(database, AuditEntry)
    [change] = await stored(database, Change)
    read_at = notification.read_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    shown = {"title": "Tested", "readAt": read_at}
    assert (
        first
        == again
        == OperationResult({"markNotificationRead": {"notification": shown, "errors": []}}, [])
    )
    assert (entry.actor, entry.operation) == (ada.user_id, "markNotificationRead")
    assert (change.noun, change.entity_id, change.kind) == (
        "notifications",
        notification.id,
        "UPDATED",
    )


@pytest.mark.parametrize("role", [Role.MEMBER, Role.ADMIN])
async def test_a_user_cannot_mark_notifications_of_others(
    database: Database, run: Run, role: Role
) -> None:
    id = {"id": global_id(await make_notification(database))}
    who = Principal((await make_user(database)).id, role)

    answer = await run(READ, {"input": id}, who)

    assert answer.data == {
        "markNotificationRead": {
            "notification": None,
            "errors": [
                {
                    "code": "NOT_FOUND",
                    "message": "There is no such thing, or you may not see it.",
                    "field": None,
                }
            ],
        }
    }
    assert [each.read_at for each in await stored(database, Notification)] == [None]


async def test_an_id_of_something_else(run: Run, ada: Principal) -> None:
    answer = await run(READ, {"input": {"id": f"user_{'0' * 32}"}}, ada)

    assert answer.data == {
        "markNotificationRead": {
            "notification": None,
            "errors": [
                {
                    "code": "INVALID",
                    "message": "This is the ID of another type: user.",
                    "field": ["id"],
                }
            ],
        }
    }


async def test_all_are_read_up_to_a_time(database: Database, run: Run, ada: Principal) -> None:
    old = await make_notification(database, user_id=ada.user_id, created_at=START)
    await make_notification(database, user_id=ada.user_id, created_at=START, read_at=START)
    new = await make_notification(database, user_id=ada.user_id)
    foreign = await make_notification(database, created_at=START)

    some = await run(READ_ALL, {"input": {"until": START.isoformat()}}, ada)
    rest = await run(READ_ALL, {"input": {}}, ada)

    changed = [change.entity_id for change in await stored(database, Change)]
    unread = [each.id for each in await stored(database, Notification) if each.read_at is None]
    assert some == rest == OperationResult({"markAllNotificationsRead": {"readCount": 1}}, [])
    assert changed == [old.id, new.id]
    assert unread == [foreign.id]


async def test_a_key_without_user_has_none_to_read(database: Database, run: Run) -> None:
    await make_notification(database)

    answer = await run(READ_ALL, {"input": {}}, DEVELOPER)

    assert answer.data == {"markAllNotificationsRead": {"readCount": 0}}


async def test_strangers_are_asked_to_sign_in(run: Run) -> None:
    answer = await run(READ_ALL, {"input": {}}, ANONYMOUS)

    assert [error["extensions"]["code"] for error in answer.errors] == ["UNAUTHENTICATED"]
