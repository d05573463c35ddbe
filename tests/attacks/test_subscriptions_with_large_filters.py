"""Attack: anonymous clients subscribe with large filters, and each edit of a dream evaluates them.

Each subscription is paid for once, and its filter is asked for each change: what a filter may be is
limited, and subscriptions that may see the same rows share what is read for them.
"""

from typing import Any

import httpx2
import pytest

import db
from db import Database
from support.attack_target import RICH
from support.factories import make_dream
from support.gateways import production
from support.query_count import statements
from support.websocket_client import greeted, serving

SUBSCRIPTION = "subscription ($f: DreamFilter) { dreams(filter: $f) { kind dreams { title } } }"
SOCKET = 20  # operations at once
ROUNDS = 3  # of reading, where some were told something else at that moment
TITLED = {"title": {"eq": "a"}}

TOO_LARGE: dict[str, tuple[Any, str, str]] = {
    "conditions": (
        {"or": [TITLED] * 21},
        "BAD_USER_INPUT",
        "The filter of a subscription has at most 20 conditions.",
    ),
    "empty conditions": (
        {"or": [{}] * 21},
        "BAD_USER_INPUT",
        "The filter of a subscription has at most 20 conditions.",
    ),
    "related rows": (
        {"or": [{"tests": {}}] * 3},
        "UNAUTHENTICATED",
        "DreamFilter.tests requires the role MEMBER. Send an API key or a token.",
    ),
    "values": (
        {"title": {"in": ["a"] * 300}},
        "QUERY_TOO_COMPLEX",
        "The inputs have more than 250 values, counting each use; send fewer at once.",
    ),
    "empty values": (
        {"or": [{"or": [{}] * 90}] * 5},
        "QUERY_TOO_COMPLEX",
        "The inputs have more than 250 values, counting each use; send fewer at once.",
    ),
}


async def test_filters_of_subscriptions_are_small(database: Database) -> None:
    async with (
        serving(production(public_read=True, **RICH), database) as address,
        greeted(address) as client,
        httpx2.AsyncClient() as http,
    ):
        for name, (filter, code, message) in TOO_LARGE.items():
            asked = {"query": SUBSCRIPTION, "variables": {"f": filter}}
            (error,) = await client.refusal(name, **asked)
            assert (error["extensions"]["code"], error["message"]) == (code, message)
            for accept in ("text/event-stream", "multipart/mixed"):
                headers = {"accept": accept}
                answer = await http.post(f"{address}/graphql", json=asked, headers=headers)
                assert message in answer.text


# Filters that one dream fulfils, and what they cost PostgreSQL for all subscriptions together.
FILTERS: dict[str, tuple[Any, int]] = {
    "known without PostgreSQL": ({"or": [{"category": {"eq": "MATH"}}] * 20}, 0),
    "known to PostgreSQL alone": ({"and": [{"title": {"gte": ""}}] * 20}, 1),
}


@pytest.mark.parametrize("kind", FILTERS)
async def test_subscriptions_with_equal_visibility_and_filter_share_one_evaluation(
    database: Database, kind: str
) -> None:
    filter, asked = FILTERS[kind]
    dream = await make_dream(database, title="a", category="MATH")
    async with (
        serving(production(public_read=True, **RICH), database) as address,
        greeted(address) as client,
    ):
        for number in range(SOCKET):  # no two are the same to a gateway that compares texts
            text = SUBSCRIPTION.replace("subscription", f"subscription S{number}")
            await client.ask(str(number), text, variables={"f": filter, "other": number})
        assert await updates(client, SOCKET, "SNAPSHOT") == [[]] * SOCKET
        with statements(database) as sent:
            async with database.write() as session:
                await db.dreams.edit(session, dream, title="b")
            assert await updates(client, SOCKET, "UPDATE") == [[{"title": "b"}]] * SOCKET

    reads = [text for text in sent if "unnest" in text and "dreams.title" in text]
    evaluations = [text for text in sent if text.startswith("SELECT dreams.id \nFROM dreams")]
    assert 1 <= len(reads) <= ROUNDS
    assert asked <= len(evaluations) <= ROUNDS * asked


async def test_different_filters_share_the_rows(database: Database) -> None:
    dream = await make_dream(database, title="a", category="MATH")
    async with (
        serving(production(public_read=True, **RICH), database) as address,
        greeted(address) as client,
    ):
        for number in range(SOCKET):
            filter = {"title": {"ne": str(number)}}
            await client.ask(str(number), SUBSCRIPTION, variables={"f": filter})
        await updates(client, SOCKET, "SNAPSHOT")
        with statements(database) as sent:
            async with database.write() as session:
                await db.dreams.edit(session, dream, title="1")  # one of them does not match
            await updates(client, SOCKET - 1, "UPDATE")

    audited = [text for text in sent if "FROM audit_log" in text]
    reads = [text for text in sent if "unnest" in text and "dreams.title" in text]
    assert 1 <= len(reads) <= ROUNDS
    assert 1 <= len(audited) <= ROUNDS


async def updates(client: Any, count: int, kind: str) -> list[Any]:
    """The dreams in the next messages of a kind, so many of them."""
    found: list[Any] = []
    while len(found) < count:
        message = await client.hear()
        assert message["type"] == "next", message
        update = message["payload"]["data"]["dreams"]
        found += [update["dreams"]] if update["kind"] == kind else []
    return found
