"""Attacks on caches: ever new documents and statements take no more memory than is set aside.

The first reading of a document costs points by its size, also when it fails.
"""

import gc
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from db import Database
from db.core.cache import Cache
from db.core.connections import connect, unnamed
from db.core.session import compiled as compiled_statements
from graph.core.execution import operation
from graph.core.execution.plan import run
from support.attack_target import Target, attacked
from support.http_client import post

MIB = 1024 * 1024
KEPT = 2 * MIB
TITLES = "".join(f'{{title: {{eq: "{number}"}}}}' for number in range(90))
LARGE = "query q%d { dreams(first: 1, filter: {or: [" + TITLES + "]}) { nodes { id } } }"
COUNT = 24  # of documents of which each takes 300 KiB
SPENT = "{ rateLimit { limit remaining } }"


class Growth:
    """Bytes that Python took and did not give back."""

    bytes = 0


@contextmanager
def growing() -> Iterator[Growth]:
    growth = Growth()
    gc.collect()
    tracemalloc.start()
    try:
        yield growth
        gc.collect()
        growth.bytes = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


def shaped(number: int) -> dict[str, Any]:
    """A filter whose statement is another one for each number."""
    names = [("eq", "ne")[number >> bit & 1] for bit in range(5)]
    conditions = [{"title": {names[n % 5]: "x"}} for n in range(90)]
    return {"or": conditions}


async def test_documents_are_kept_up_to_a_number_of_bytes(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    await target.ask(LARGE % 0)
    cache: Any = Cache(KEPT, operation._size)
    monkeypatch.setattr(operation, "_operations", cache)
    with growing() as growth:
        for number in range(COUNT):
            await target.ask(LARGE % number)

    assert 1 < len(cache) < COUNT / 2
    assert cache.currsize <= KEPT
    assert growth.bytes < 2 * KEPT
    assert growth.bytes < 1.5 * cache.currsize + MIB  # each is counted as what it takes


async def test_a_document_is_cached_once_for_all_clients(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache: Any = Cache(KEPT, operation._size)
    monkeypatch.setattr(operation, "_operations", cache)
    for credential in (None, await target.key(), await target.key_of("ADMIN")):
        await target.ask("{ dreams { totalCount } }", credential)
    for broken in ("{", "{ nothing }", "{ dreams { nodes { id } } } # \0"):
        await target.refusal(broken)
    assert len(cache) == 1


async def test_statements_are_kept_up_to_a_number_of_bytes(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "query ($filter: DreamFilter) { dreams(filter: $filter) { totalCount } }"
    monkeypatch.setattr(connect, "COMPILED_BYTES", KEPT)
    monkeypatch.setattr(unnamed, "PREPARED_BYTES", 30_000)
    monkeypatch.setattr(compiled_statements, "_compiled", Cache(KEPT, connect.compiled_size))
    monkeypatch.setattr(run, "_compiled", Cache(KEPT, run._size))
    own = Database(database.url, pool_size=2)
    try:
        async with attacked(own) as target:
            await target.ask(text, filter=shaped(0))
            with growing() as growth:
                for number in range(COUNT):
                    await target.ask(text, filter=shaped(number))
            async with own.engine.connect() as connection:
                options: Any = connection.sync_connection.get_execution_options()
                raw: Any = await connection.get_raw_connection()
                prepared = raw.dbapi_connection._prepared_statement_cache
    finally:
        await own.close()

    compiled = options["compiled_cache"]
    assert 0 < compiled.currsize <= KEPT
    assert 0 < prepared.currsize <= 30_000
    assert len(compiled) < COUNT / 2
    assert growth.bytes < 4 * KEPT  # three caches


@pytest.mark.parametrize("shown", ["totalCount", "nodes { id }"])
async def test_the_values_of_statements_count(
    shown: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their texts are few, and each holds 50 KB of its client."""
    text = f"query ($filter: DreamFilter) {{ dreams(filter: $filter) {{ {shown} }} }}"
    monkeypatch.setattr(connect, "COMPILED_BYTES", KEPT)
    monkeypatch.setattr(compiled_statements, "_compiled", Cache(KEPT, connect.compiled_size))
    monkeypatch.setattr(run, "_compiled", Cache(KEPT, run._size))
    own = Database(database.url, pool_size=2)
    try:
        async with attacked(own) as target:
            await target.ask(text, filter=holding("x"))
            with growing() as growth:
                for number in range(COUNT * 8):
                    await target.ask(text, filter=holding(f"{number}"))
    finally:
        await own.close()
    assert growth.bytes < 2 * KEPT  # of 10 MB


def holding(name: str) -> dict[str, Any]:
    return {"title": {"in": [f"{name} {number} ".ljust(1_000, "x") for number in range(50)]}}


def spending(limit: int) -> dict[str, Any]:
    return {"budget_points_per_minute_anonymous": limit}


async def remaining(target: Target) -> int:
    left: int = (await target.ask(SPENT))["rateLimit"]["remaining"] + 1
    return left


@pytest.mark.parametrize("fault", ["", "{", " nothing"])
async def test_reading_a_document_costs_by_its_size(database: Database, fault: str) -> None:
    document = "{ __typename }" + " " * 10_000 + fault
    faulty = 25 if fault else 1
    async with attacked(database, **spending(1_000)) as target:
        before = await remaining(target)
        await target.post(document)
        first = await remaining(target)
        await target.post(document)
        second = await remaining(target)

    reading = len(document) // 128
    assert before - first == reading + faulty + 1
    assert first - second == (reading if fault else 0) + faulty + 1


async def test_a_document_that_cannot_be_paid_for_is_not_read(database: Database) -> None:
    async with attacked(database, **spending(100)) as target:
        answers = [
            await post(target.client, {"query": f"{{ a{number}: __typename }}" + " " * 5_000})
            for number in range(4)
        ]
    assert [answer.status_code for answer in answers] == [200, 200, 429, 429]
    assert answers[-1].json()["errors"][0]["extensions"]["code"] == "RATE_LIMITED"
