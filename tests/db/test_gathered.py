"""Gathered reads: who shares a statement, what each gets, and what happens when it fails."""

import asyncio
from collections.abc import Hashable, Sequence
from typing import Any

import pytest

from db.core.session.gathered import MAX_KEYS, GatheredReads


class Reader:
    """A table with the rows of some keys, which notes what is read."""

    def __init__(self, *keys: str) -> None:
        self.keys = keys
        self.asked: list[list[Hashable]] = []
        self.failures: list[Exception] = []
        self.sent = asyncio.Semaphore(0)
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, keys: Sequence[Hashable]) -> Sequence[Sequence[Any]]:
        self.asked.append([*keys])
        self.sent.release()
        await self.gate.wait()
        if self.failures:
            raise self.failures.pop()
        return [(f"row of {k}", n) for n, k in enumerate(keys, 1) if k in self.keys]


async def test_reads_of_one_turn_share_a_statement() -> None:
    reads, table = GatheredReads(), Reader("a", "b")

    rows = await asyncio.gather(*(reads.row("dream", key, table) for key in ("a", "b", "x", "a")))

    assert rows == [("row of a", 1), ("row of b", 2), None, ("row of a", 1)]
    assert table.asked == [["a", "b", "x"]]


async def test_reads_of_other_kinds_do_not() -> None:
    reads, table = GatheredReads(), Reader("a", "b")

    await asyncio.gather(reads.row("one viewer", "a", table), reads.row("another", "b", table))

    assert table.asked == [["a"], ["b"]]


async def test_a_read_never_joins_a_statement_that_was_sent() -> None:
    reads, table = GatheredReads(), Reader("a")
    table.gate.clear()
    first = asyncio.create_task(reads.row("dream", "a", table))
    await table.sent.acquire()
    second = asyncio.create_task(reads.row("dream", "a", table))
    await table.sent.acquire()
    table.gate.set()

    assert [await first, await second] == [("row of a", 1)] * 2


async def test_if_a_shared_statement_fails_each_reads_alone() -> None:
    reads, table = GatheredReads(), Reader("a", "b", "c")
    table.failures = [ZeroDivisionError()]

    found = await asyncio.gather(
        *(reads.row("dream", key, table) for key in "abc"), return_exceptions=True
    )

    assert isinstance(found[0], ZeroDivisionError)  # it sent the statement
    assert found[1:] == [("row of b", 1), ("row of c", 1)]
    assert table.asked == [["a", "b", "c"], ["b"], ["c"]]


@pytest.mark.parametrize("has_sent", [False, True])
async def test_others_read_alone_when_the_first_is_cancelled(has_sent: bool) -> None:
    reads, table = GatheredReads(), Reader("a", "b")
    table.gate.clear()
    first, second = (asyncio.create_task(reads.row("dream", key, table)) for key in "ab")
    await asyncio.sleep(0)
    if has_sent:
        await table.sent.acquire()
    first.cancel()
    table.gate.set()

    assert await second == ("row of b", 1)
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_one_that_is_cancelled_does_not_disturb_the_others() -> None:
    reads, table = GatheredReads(), Reader("a", "b", "c")
    table.gate.clear()
    tasks = [asyncio.create_task(reads.row("dream", key, table)) for key in "abc"]
    await table.sent.acquire()
    tasks[1].cancel()
    table.gate.set()

    assert [await tasks[0], await tasks[2]] == [("row of a", 1), ("row of c", 3)]


async def test_a_statement_has_a_bounded_number_of_keys() -> None:
    keys = [str(number) for number in range(2 * MAX_KEYS + 1)]
    reads, table = GatheredReads(), Reader(*keys)

    rows = await asyncio.gather(*(reads.row("dream", key, table) for key in keys))

    assert [row[0] for row in rows if row] == [f"row of {key}" for key in keys]
    assert list(map(len, table.asked)) == [MAX_KEYS, MAX_KEYS, 1]
