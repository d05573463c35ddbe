"""Coalesced reads: never older than the request, and unaffected by cancelled ones."""

import asyncio
from collections.abc import Collection
from typing import Any

import pytest

from db import Database, ReadSession
from db.core.session.coalescing import ReadCoalescer
from support.wait import until


class Shelf:
    """Where things are found; it notes what it was asked for, and waits to be let go on."""

    def __init__(self) -> None:
        self.asked: list[set[Any]] = []
        self.open = asyncio.Event()
        self.open.set()

    async def find(self, _session: ReadSession, keys: Collection[Any]) -> dict[Any, str]:
        self.asked.append(set(keys))
        await self.open.wait()
        if "bad" in keys:
            raise LookupError
        return {key: f"{key} {len(self.asked)}" for key in keys if key != "none"}


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


async def test_concurrent_reads_share_one_statement(database: Database, shelf: Shelf) -> None:
    shared = ReadCoalescer(database)
    found = await asyncio.gather(*(shared.of(shelf.find, [key, "all"]) for key in "abc"))
    assert found == [{key: f"{key} 1", "all": "all 1"} for key in "abc"]
    assert shelf.asked == [{"a", "b", "c", "all"}]


async def test_later_reads_wait_for_the_next_statement(database: Database, shelf: Shelf) -> None:
    shared = ReadCoalescer(database)
    shelf.open.clear()
    first = asyncio.create_task(shared.of(shelf.find, ["a"]))
    await until(lambda: shelf.asked)
    later = [asyncio.create_task(shared.of(shelf.find, [key])) for key in "ab"]
    await asyncio.sleep(0)
    shelf.open.set()
    assert await first == {"a": "a 1"}
    assert await asyncio.gather(*later) == [{"a": "a 2"}, {"b": "b 2"}]


async def test_a_slow_statement_does_not_hold_up_the_next(database: Database, shelf: Shelf) -> None:
    shared = ReadCoalescer(database, patience=0.01)
    shelf.open.clear()
    asking = [asyncio.create_task(shared.of(shelf.find, ["a"]))]
    await until(lambda: len(shelf.asked) == 1)
    asking.append(asyncio.create_task(shared.of(shelf.find, ["b"])))
    await until(lambda: len(shelf.asked) == 2)
    assert not asking[0].done()
    shelf.open.set()
    assert await asyncio.gather(*asking) == [{"a": "a 2"}, {"b": "b 2"}]


async def test_missing_rows_are_omitted(database: Database, shelf: Shelf) -> None:
    shared = ReadCoalescer(database)
    assert await shared.of(shelf.find, ["none", "a"]) == {"a": "a 1"}
    assert await shared.of(shelf.find, []) == {}
    assert len(shelf.asked) == 1


async def test_a_failure_is_everybodys_and_passes(database: Database, shelf: Shelf) -> None:
    shared = ReadCoalescer(database)
    results = await asyncio.gather(
        *(shared.of(shelf.find, [key]) for key in ("a", "bad")), return_exceptions=True
    )
    assert [type(result) for result in results] == [LookupError, LookupError]
    assert await shared.of(shelf.find, ["a"]) == {"a": "a 2"}


async def test_a_cancelled_read_does_not_affect_others(database: Database, shelf: Shelf) -> None:
    shared = ReadCoalescer(database)
    shelf.open.clear()
    leaving, staying = [asyncio.create_task(shared.of(shelf.find, [key])) for key in "ab"]
    await until(lambda: shelf.asked)
    leaving.cancel()
    shelf.open.set()
    assert await staying == {"b": "b 1"}
    with pytest.raises(asyncio.CancelledError):
        await leaving


async def test_work_under_way_is_shared_by_its_key(database: Database) -> None:
    reads, begun, open = ReadCoalescer(database), list[str](), asyncio.Event()

    def work(name: str) -> Any:
        async def run() -> str:
            begun.append(name)
            await open.wait()
            return name

        return run

    asking = [asyncio.create_task(reads.shared(key, work(key))) for key in ("a", "b", "a")]
    await until(lambda: len(begun) == 2)
    open.set()
    assert await asyncio.gather(*asking) == ["a", "b", "a"]
    assert await reads.shared("a", work("again")) == "again"
