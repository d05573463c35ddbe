"""Notifications are marked as read by those they are for, and by nobody else."""

from typing import Any

import pytest

from db import Database
from db.audit import AuditEntry, Change
from db.notifications import Notification
from db.users import Role
from graph.core.execution.result import OperationResult
from graph.core.principal import ANONYMOUS, DEVELOPER, Principal
from graph.core.types.node import global_id
from support.factories import START, make_notification, make_user
from support.mutations import Run, result, stored
from support.principals import with_scopes
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


SEND = """mutation ($input: SendNotificationInput!) {
  answer: sendNotification(input: $input) { notificationId errors { message code field } }
}"""
SENDER = with_scopes("notifications:send")


async def send(run: Run, who: Principal = SENDER, **input: Any) -> Any:
    message = {"kind": "MAINTENANCE", "title": "At ten"}
    return result(await run(SEND, {"input": {**message, **input}}, who))


async def test_a_sent_notification_is_readable_by_its_user_alone(
    database: Database, run: Run
) -> None:
    user = await make_user(database)
    other = Principal((await make_user(database)).id, Role.ADMIN)

    with statements(database, exactly=3):
        sent = await send(run, userId=global_id(user), body="For an hour.", payload={"minutes": 60})

    id, read = {"id": sent["notificationId"]}, "query ($id: ID!) { node(id: $id) { id } }"
    [notification] = await stored(database, Notification)
    [entry] = await stored(database, AuditEntry)
    assert sent == {"notificationId": global_id(notification), "errors": []}
    assert notification.user_id == user.id
    assert (notification.kind, notification.title) == ("MAINTENANCE", "At ten")
    assert (notification.body, notification.payload) == ("For an hour.", {"minutes": 60})
    assert entry.operation == "sendNotification"
    mine, theirs = await run(read, id, Principal(user.id, Role.MEMBER)), await run(read, id, other)
    assert (mine.data, theirs.data) == ({"node": id}, {"node": None})


async def test_a_notification_is_sent_once_for_each_idempotency_key(
    database: Database, run: Run
) -> None:
    to = {"userId": global_id(await make_user(database)), "idempotencyKey": "once"}
    who = Principal((await make_user(database, role=Role.OPERATOR)).id, Role.OPERATOR)

    first, again = await send(run, who, **to), await send(run, who, **to)
    other = await send(run, who, **to, body="Changed.")

    assert first == again
    assert first["errors"] == []
    assert [error["code"] for error in other["errors"]] == ["CONFLICT"]
    assert len(await stored(database, Notification)) == 1


async def test_faults_of_a_notification_are_named(database: Database, run: Run) -> None:
    to = {"userId": global_id(await make_user(database))}
    unknown = await send(run, userId=f"user_{'0' * 32}")
    wrong = await send(run, userId="dream_1", kind="", title="x" * 301, body="x" * 2_001)
    no_object = await send(run, **to, payload=[1])
    null = await send(run, **to, payload=None)

    assert [error["code"] for error in unknown["errors"]] == ["NOT_FOUND"]
    named = [e["field"] for answer in (wrong, no_object, null) for e in answer["errors"]]
    assert named == [["userId"], ["kind"], ["title"], ["body"], ["payload"], ["payload"]]
    assert await stored(database, Notification) == []


@pytest.mark.parametrize(
    "who", [ANONYMOUS, Principal(role=Role.MEMBER), with_scopes("users:write")]
)
async def test_members_send_no_notifications(run: Run, who: Principal) -> None:
    input = {"userId": f"user_{'0' * 32}", "kind": "K", "title": "T"}

    answer = await run(SEND, {"input": input}, who)

    assert answer.data is None
