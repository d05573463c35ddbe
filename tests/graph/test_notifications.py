"""Notifications: everybody reads only their own, by whatever way they ask."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from db import Database
from db.users import Role
from graph.core.execution.result import OperationResult
from graph.core.principal import ANONYMOUS, DEVELOPER, Principal
from graph.core.types.node import global_id
from support.factories import START, make_notification, make_user
from support.query_count import statements

Run = Callable[..., Awaitable[OperationResult]]

NOBODY = Principal(role=Role.MEMBER)


async def viewer(database: Database, role: Role = Role.MEMBER) -> Principal:
    return Principal((await make_user(database)).id, role)


@pytest.mark.parametrize("others", [0, 5])
async def test_the_viewer_reads_his_own(database: Database, run: Run, others: int) -> None:
    who = await viewer(database)
    read = await make_notification(
        database,
        user_id=who.user_id,
        kind="DREAM_TESTED",
        title="Your dream was tested",
        body="Twice.",
        payload={"tests": 2},
        read_at=START,
        created_at=START,
    )
    unread = await make_notification(database, user_id=who.user_id)
    for _ in range(others):
        await make_notification(database)
    document = """{
        notifications(orderBy: [{field: CREATED_AT}], first: 1) {
            totalCount
            nodes { id kind title body payload readAt createdAt }
        }
        unread: notifications(filter: {readAt: {isNull: true}}) { totalCount nodes { id } }
        unreadNotificationCount
    }"""
    with statements(database, exactly=5):
        answer = await run(document, who=who)

    assert answer == OperationResult(
        {
            "notifications": {
                "totalCount": 2,
                "nodes": [
                    {
                        "id": global_id(read),
                        "kind": "DREAM_TESTED",
                        "title": "Your dream was tested",
                        "body": "Twice.",
                        "payload": {"tests": 2},
                        "readAt": "2026-01-15T12:00:00.000000Z",
                        "createdAt": "2026-01-15T12:00:00.000000Z",
                    }
                ],
            },
            "unread": {"totalCount": 1, "nodes": [{"id": global_id(unread)}]},
            "unreadNotificationCount": 1,
        },
        [],
    )


@pytest.mark.parametrize("role", [Role.MEMBER, Role.ADMIN])
async def test_no_filter_reaches_those_of_others(database: Database, run: Run, role: Role) -> None:
    await make_notification(database, kind="SECRET")
    document = """{
        notifications(filter: {or: [{kind: {eq: "SECRET"}}, {not: {kind: {eq: "SECRET"}}}]}) {
            totalCount
            nodes { id }
        }
    }"""
    answer = await run(document, who=await viewer(database, role))

    assert answer == OperationResult({"notifications": {"totalCount": 0, "nodes": []}}, [])


async def test_an_id_finds_only_ones_own(database: Database, run: Run) -> None:
    who = await viewer(database)
    own = global_id(await make_notification(database, user_id=who.user_id))
    foreign = global_id(await make_notification(database))
    document = """query ($own: ID!, $foreign: ID!) {
        own: node(id: $own) { id }
        foreign: node(id: $foreign) { id }
        nodes(ids: [$foreign, $own]) { id ... on UserNotification { title } }
    }"""
    with statements(database, exactly=1):
        answer = await run(document, {"own": own, "foreign": foreign}, who=who)

    assert answer == OperationResult(
        {"own": {"id": own}, "foreign": None, "nodes": [None, {"id": own, "title": "Tested"}]}, []
    )


@pytest.mark.parametrize("who", [NOBODY, DEVELOPER])
async def test_a_key_without_user_has_none(database: Database, run: Run, who: Principal) -> None:
    id = global_id(await make_notification(database))
    document = """query ($id: ID!) {
        node(id: $id) { id }
        notifications { totalCount nodes { id } }
        unreadNotificationCount
    }"""
    answer = await run(document, {"id": id}, who=who)

    nothing: dict[str, Any] = {"totalCount": 0, "nodes": []}
    assert answer == OperationResult(
        {"node": None, "notifications": nothing, "unreadNotificationCount": 0}, []
    )


async def test_strangers_are_asked_to_sign_in(run: Run) -> None:
    answer = await run("{ unreadNotificationCount }", who=ANONYMOUS)

    assert [error["extensions"]["code"] for error in answer.errors] == ["UNAUTHENTICATED"]
