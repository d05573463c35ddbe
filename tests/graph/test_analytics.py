"""Analytics: what users did, one by one and counted."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from db import Database
from db.users import Role
from graph.core.execution.result import OperationResult
from graph.core.principal import Principal
from graph.core.types.node import global_id
from support.factories import START, make_user, make_user_action
from support.query_count import statements

Data = Callable[..., Awaitable[Any]]
Run = Callable[..., Awaitable[OperationResult]]


@pytest.mark.parametrize("actions", [1, 5])
async def test_actions_with_their_users_are_at_most_two_statements(
    database: Database, data: Data, actions: int
) -> None:
    made = []
    for second in range(actions):
        user, at = await make_user(database), START + timedelta(seconds=second)
        facts = {"metadata": {"row": second}, "timestamp": at}
        made.append((second, await make_user_action(database, user_id=user.id, **facts), user))
    document = """{
        userActions { nodes { id action page sessionId timestamp metadata user { id } } }
    }"""
    with statements(database, at_most=2):
        answer = await data(document)

    assert answer["userActions"]["nodes"] == [
        {
            "id": global_id(action),
            "action": "page_viewed",
            "page": "/dreams",
            "sessionId": "session-1",
            "timestamp": f"2026-01-15T12:00:0{second}.000000Z",
            "metadata": {"row": second},
            "user": {"id": global_id(user)},
        }
        for second, action, user in reversed(made)
    ]


async def test_actions_are_filtered_and_found_by_id(database: Database, data: Data) -> None:
    user = await make_user(database)
    await make_user_action(database, timestamp=START)
    clicked = await make_user_action(
        database,
        action="clicked",
        user_id=user.id,
        page=None,
        session_id=None,
        timestamp=START + timedelta(seconds=1),
    )
    document = """query ($id: ID!, $user: ID!, $from: DateTime!) {
        byUser: userActions(filter: {userId: {eq: $user}}) { totalCount nodes { action } }
        later: userActions(
            filter: {timestamp: {gt: $from}, page: {isNull: true}}, orderBy: [{field: TIMESTAMP}]
        ) { nodes { action } }
        userAction(id: $id) { action page sessionId }
    }"""
    variables = {"user": global_id(user), "from": "2026-01-15T12:00:00Z"}
    with statements(database, exactly=5):  # with the end of a look: no index has pages
        answer = await data(document, {"id": global_id(clicked), **variables})

    assert answer == {
        "byUser": {"totalCount": 1, "nodes": [{"action": "clicked"}]},
        "later": {"nodes": [{"action": "clicked"}]},
        "userAction": {"action": "clicked", "page": None, "sessionId": None},
    }


COUNTS = """query ($from: DateTime, $to: DateTime) {
    userActionCounts(from: $from, to: $to) { rows { action page count userCount } }
}"""


async def test_actions_are_counted_by_page(database: Database, data: Data) -> None:
    user, other = await make_user(database), await make_user(database)
    for second, user_id in enumerate((user.id, user.id, other.id, None)):
        at = START + timedelta(seconds=second)
        await make_user_action(database, user_id=user_id, timestamp=at)
    await make_user_action(database, action="clicked", page=None, timestamp=START)
    await make_user_action(database, action="left", timestamp=START + timedelta(hours=1))
    times = {"from": "2026-01-15T12:00:00Z", "to": "2026-01-15T13:00:00Z"}
    with statements(database, exactly=2):
        answer = await data(COUNTS, times)

    assert answer["userActionCounts"]["rows"] == [
        {"action": "page_viewed", "page": "/dreams", "count": "4", "userCount": 2},
        {"action": "clicked", "page": None, "count": "1", "userCount": 0},
    ]


async def test_actions_are_counted_of_the_last_day_by_default(
    database: Database, data: Data
) -> None:
    now = datetime.now(UTC)
    for hours in (25, 23):
        await make_user_action(database, page=f"/{hours}", timestamp=now - timedelta(hours=hours))

    answer = await data(COUNTS)

    assert answer["userActionCounts"]["rows"] == [
        {"action": "page_viewed", "page": "/23", "count": "1", "userCount": 0}
    ]


@pytest.mark.parametrize(("role", "codes"), [(Role.MEMBER, ["FORBIDDEN"]), (Role.OPERATOR, [])])
async def test_actions_are_for_operators(run: Run, role: Role, codes: list[str]) -> None:
    document = "{ userActions { nodes { action } } userActionCounts { rows { count } } }"
    answer = await run(document, who=Principal(role=role))

    assert [error["extensions"]["code"] for error in answer.errors] == codes
