"""Attacks with responses that are too large: they are given up before they are built.

Large texts are stored once and shown many times, by aliases, relations, and the names of aliases.
"""

import gc
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from db import Database, audit
from db.dreams import Dream
from graph.core.execution.execution_context import Counting
from support.attack_target import RICH, Target, attacked
from support.factories import make_ai_test, make_dream
from support.gateways import make_key, production
from support.query_count import statements
from support.running_gateway import serving
from support.stream_client import listening
from support.websocket_client import dialled

MOST = 1024 * 1024
TEXT = "é" * 100_000  # 200 KB in UTF-8
SMALL = {"max_response_bytes": MOST}
MESSAGE = f"The response has more than {MOST:,} bytes: ask for fewer fields or smaller pages."
READS = f"The operation reads more than {2 * MOST:,} bytes: ask for smaller pages."
REFUSED = (MESSAGE, "RESPONSE_TOO_LARGE")
PROMPTS = "dreams(first: 3) { nodes { originalPrompt } }"
ALIASES = "{" + " ".join(f"a{number}: {PROMPTS}" for number in range(20)) + "}"
LONG_NAME = "a" * 15_000


async def dreams(database: Database, count: int, **more: Any) -> Any:
    """Public dreams with large prompts; the last of them."""
    for number in range(count):
        dream = await make_dream(
            database, title=f"dream {number}", is_public=True, original_prompt=TEXT, **more
        )
    return dream


@pytest.fixture
async def small(database: Database) -> AsyncIterator[Target]:
    async with attacked(database, **SMALL) as target:
        yield target


@pytest.fixture
async def by_core(database: Database) -> AsyncIterator[Target]:
    async with attacked(database, **SMALL, executor="core") as target:
        yield target


async def test_a_response_up_to_the_bound_is_whole(small: Target) -> None:
    await dreams(small.database, 3)
    answer = await small.post("{" + PROMPTS + "}")
    assert answer.json() == {"data": {"dreams": {"nodes": [{"originalPrompt": TEXT}] * 3}}}
    assert 600_000 < len(answer.content) < MOST


async def test_many_aliases_of_large_texts_are_refused(small: Target) -> None:
    await dreams(small.database, 3)
    assert await small.refusal(ALIASES) == REFUSED


async def test_one_row_that_is_shown_many_times_is_refused(small: Target) -> None:
    dream = await dreams(small.database, 1)
    for _ in range(10):
        await make_ai_test(small.database, dream_id=dream.id)
    key = await small.key()
    text = "{ aiTests(first: 10) { nodes { dream { originalPrompt } } } }"
    assert await small.refusal(text, key) == REFUSED


async def test_the_names_of_aliases_count(small: Target) -> None:
    for number in range(100):
        await make_dream(small.database, title=f"dream {number}", is_public=True)
    text = "{ dreams(first: 100) { nodes { %s: id } } }"
    assert await small.refusal(text % LONG_NAME) == REFUSED
    assert await small.refusal(text.replace("id }", "tags }") % LONG_NAME) == REFUSED
    assert len((await small.ask(text % "a"))["dreams"]["nodes"]) == 100


async def test_many_small_values_are_refused(database: Database) -> None:
    """And none of them is completed after the one that is too much."""
    for number in range(100):
        await make_dream(database, title=f"dream {number} ".ljust(60, "x"), is_public=True)
    titles = " ".join(f"a{number}: title" for number in range(25))
    completed: list[Any] = []
    inner = Counting.complete_leaf_value

    def noting(self: Any, return_type: Any, result: Any) -> Any:
        value = inner(self, return_type, result)
        completed.append(value)
        return value

    few = {"max_response_bytes": 64 * 1024}
    shown = f"{{ dreams(first: 100) {{ nodes {{ {titles} }} }} }}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Counting, "complete_leaf_value", noting)
        async with attacked(database, executor="core", **few) as target:
            message, code = await target.refusal(shown)
    assert (message[:27], code) == (MESSAGE[:27], REFUSED[1])
    assert 500 < len(completed) < 64 * 1024 / 60  # of 2,500
    async with attacked(database, **few) as target:
        assert await target.refusal(shown) == (message, code)


async def test_documents_and_escapes_count(small: Target) -> None:
    await dreams(small.database, 2)
    prompt = "\x01" * 100_000  # six bytes each in JSON
    for number in range(2):
        await make_dream(small.database, title=f"x{number}", is_public=True, original_prompt=prompt)
    assert await small.refusal("{ dreams(first: 2) { nodes { originalPrompt } } }") == REFUSED


async def test_rows_are_not_read_beyond_a_bound(by_core: Target) -> None:
    """Whichever of their columns are shown: graphql-core reads whole rows."""
    await dreams(by_core.database, 60)
    shown = "id decay { bucket }"
    lists = [f"a{number}: dreams(first: 60) {{ nodes {{ {shown} }} }}" for number in range(5)]
    text = f"{{ {' '.join(lists)} }}"
    await by_core.ask("{ dreams(first: 1) { nodes { id } } }")
    gc.collect()
    tracemalloc.start()
    try:
        with statements(by_core.database, at_most=5):
            assert await by_core.refusal(text) == (READS, "RESPONSE_TOO_LARGE")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 12 * MOST  # of 5 lists of 12 MB each
    assert await by_core.ask("{ dreams(first: 1) { nodes { id } } }")  # the pool has healed


async def _peak(target: Target, text: str, key: str | None = None) -> int:
    """The memory that refusing an operation takes at most, in bytes."""
    _, code = await target.refusal(text, key)
    assert code == REFUSED[1]
    gc.collect()
    tracemalloc.start()
    try:
        await target.refusal(text, key)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


TESTS = "tests { nodes { %s } }"


def aliased(field: str) -> str:
    return " ".join(f"a{number}: {field}" for number in range(25))


@pytest.mark.parametrize(
    "shown",
    [
        f"aiTests(first: 40) {{ nodes {{ dream {{ {aliased('originalPrompt')} }} }} }}",
        f"aiTests(first: 20) {{ nodes {{ dream {{ {TESTS % aliased('reasoning')} }} }} }}",
        f"aiTests(first: 40) {{ nodes {{ {aliased('testParameters')} }} }}",
        f"aiTests(first: 40) {{ {aliased('nodes { testParameters }')} }}",
        f"dreams {{ nodes {{ {TESTS % (LONG_NAME + ': id')} }} }}",
        f"dreams {{ nodes {{ tests {{ edges {{ {LONG_NAME}: node {{ id }} }} }} }} }}",
        f"dreams {{ nodes {{ {TESTS % (LONG_NAME + ': dream { id }')} }} }}",
    ],
    ids=[
        *("a repeated row", "rows of a repeated row", "a document", "documents of a page"),
        *("a name", "a name of edges", "a name of a relation"),
    ],
)
async def test_what_is_shown_many_times_is_not_built(small: Target, shown: str) -> None:
    async with small.database.write() as session:
        dreams = [
            await make_dream(session, is_public=True, original_prompt="p" * 20_000)
            for _ in range(20)
        ]
        for number in range(400):
            await make_ai_test(
                session,
                dream_id=dreams[number % 20].id,
                reasoning="r" * 2_000,
                test_parameters={"a": "b" * 3_000},
            )
    assert await _peak(small, f"{{ {shown} }}", await small.key()) < 8 * MOST


async def test_memory_is_that_of_the_bound(small: Target) -> None:
    await dreams(small.database, 3)
    await small.refusal(ALIASES)
    gc.collect()
    tracemalloc.start()
    try:
        await small.refusal(ALIASES)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 12 * MOST  # of 12 MB of JSON, and as much in Python


async def test_a_mutation_with_a_large_result_reports_its_commit(small: Target) -> None:
    key = await small.key()
    shown = " ".join(f"{LONG_NAME[:150]}{number}: originalPrompt" for number in range(20))
    text = (
        "mutation ($input: CreateDreamInput!)"
        f" {{ createDream(input: $input) {{ dream {{ {shown} }} }} }}"
    )
    given = {"title": "large", "description": "x", "originalPrompt": TEXT, "category": "OTHER"}
    message, code = await small.refusal(text, key, input=given)
    assert (message, code) == (f"{MESSAGE} The changes of the mutation are stored.", REFUSED[1])
    stored = await small.ask("{ dreams { nodes { title } } }", key)
    assert stored == {"dreams": {"nodes": [{"title": "large"}]}}


# Every transport


@asynccontextmanager
async def served(database: Database) -> AsyncIterator[tuple[str, str]]:
    """The address of a gateway, and a member's key."""
    settings = production(drain_seconds=0, spread_seconds=0, **RICH, **SMALL)
    key = (await make_key(database, settings)).text
    async with serving(settings, database) as gateway:
        yield gateway.address, key


@pytest.mark.parametrize(
    "accept",
    [
        "application/json",
        "application/graphql-response+json",
        "text/event-stream",
        "multipart/mixed",
    ],
)
async def test_every_form_of_http_refuses(database: Database, accept: str) -> None:
    await dreams(database, 3)
    async with served(database) as (address, key), httpx2.AsyncClient(timeout=30) as client:
        headers = {"accept": accept, "authorization": f"Bearer {key}"}
        url = f"{address}/graphql"
        posted = await client.post(url, json={"query": ALIASES}, headers=headers)
        got = await client.get(url, params={"query": ALIASES}, headers=headers)
    for answer in (posted, got):
        assert answer.status_code == 200
        assert MESSAGE in answer.text
        assert len(answer.content) < 1_000


async def create(database: Database) -> None:
    """A dream that is in the messages of subscribers."""
    async with database.write() as session:
        await audit.create(session, Dream, title="new", is_public=True, original_prompt=TEXT)


async def test_web_sockets_and_subscriptions_refuse(database: Database) -> None:
    await dreams(database, 3)
    shown = " ".join(f"a{number}: originalPrompt" for number in range(6))
    following = f"subscription {{ dreams {{ kind dreams {{ {shown} }} }} }}"
    async with served(database) as (address, key):
        authorization = f"Bearer {key}"
        async with dialled(address) as client:
            await client.greet(authorization=authorization)
            answer = await client.answer("1", ALIASES)
            assert answer["errors"][0]["extensions"]["code"] == REFUSED[1]
            await client.ask("2", following)
            assert (await client.hear())["payload"]["data"]["dreams"]["kind"] == "SNAPSHOT"
            await create(database)
            error = await client.hear()
            assert (error["type"], error["id"]) == ("error", "2")
            assert error["payload"][0]["extensions"]["code"] == REFUSED[1]
            assert await client.answer("3", "{ __typename }") == {"data": {"__typename": "Query"}}
        async with listening(address, following, authorization=authorization) as stream:
            while b"SNAPSHOT" not in await stream.chunk():
                pass
            await create(database)
            received = await stream.chunk()
            assert REFUSED[1].encode() in received
            assert received.endswith(b"event: complete\ndata:\n\n")
