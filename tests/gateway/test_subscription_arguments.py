"""Arguments of subscriptions: checked before anything is followed, and refused by their names."""

from typing import Any

import orjson
import pytest

from support.graphql_client import Endpoint

DIGITS = "0" * 32
USER = f"user_{DIGITS}"


@pytest.mark.parametrize(
    ("subscription", "value", "field"),
    [
        (
            "($v: DreamFilter) { dreams(filter: $v)",
            {"id": {"eq": f"user_{DIGITS}"}},
            "filter.id.eq",
        ),
        ("($v: DreamFilter) { dreams(filter: $v)", {"title": {"eq": None}}, "filter.title.eq"),
        ("($v: EventFilter) { events(filter: $v)", {"userId": {"eq": "x"}}, "filter.userId.eq"),
        ("($v: ID!) { aiTests(dreamId: $v)", USER, "dreamId"),
        ("($v: ID!) { dreamProgress(dreamId: $v)", f"ai_test_{DIGITS}", "dreamId"),
        ("($v: [String!]) { agentStatus(keys: $v)", ["a", "x" * 201], "keys.1"),
        ("($v: [String!]) { agentHistory(keys: $v)", ["a"] * 201, "keys"),
        ("($v: [String!]) { configChanges(keys: $v)", ["x" * 201], "keys.0"),
        ("($v: [String!]) { configChanges(categories: $v)", ["\0"], "categories.0"),
        ("($v: String) { agentHistory(after: $v)", "x" * 201, "after"),
        ("($v: String) { agentHistory(after: $v)", "x", "after"),
        ("($v: String) { agentHistory(after: $v)", "", "after"),
        ("($v: String) { dreams(after: $v)", "é", "after"),
    ],
)
async def test_an_argument_that_is_not_acceptable_is_refused(
    endpoint: Endpoint, subscription: str, value: Any, field: str
) -> None:
    document = f"subscription {subscription} {{ kind }} }}"

    response = await endpoint.client.post(
        "/graphql",
        json={"query": document, "variables": {"v": value}},
        headers={"accept": "text/event-stream, application/graphql-response+json"},
    )

    assert "INTERNAL_SERVER_ERROR" not in response.text
    assert '"BAD_USER_INPUT"' in response.text, response.text
    path = orjson.dumps(field.split(".")).decode()
    assert f'"field":{path}' in response.text, response.text
