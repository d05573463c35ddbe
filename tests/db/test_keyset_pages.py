"""Pages of every order, direction and cursor are those of the whole table, sorted in Python.

The rows tie in every column of the order, and many are null.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import permutations, product
from typing import Any

import pytest

from db import Database
from db.ai_tests import LISTING
from db.core.query.keyset import PageArgs, encode
from db.core.query.listing import ListArgs
from db.core.query.order import Order
from support.factories import START, make_ai_test, make_dream

SIZE = 3
VALUES = ((None, None), (None, 10), (None, 20), (5, None), (5, 10), (5, 20), (7, 10), (7, None))
NULLABLE = ("IMPOSSIBILITY_SCORE", "DURATION_MS", "COST")


def requests() -> Iterator[tuple[tuple[str, bool], ...]]:
    """Every order of up to two nullable columns, some of three, and those with the id between."""
    for count in (1, 2):
        for names in permutations(NULLABLE, count):
            for directions in product((False, True), repeat=count):
                yield tuple(zip(names, directions, strict=True))
    for directions in product((False, True), repeat=3):
        yield tuple(zip(NULLABLE, directions, strict=True))
    for descending in (False, True):
        yield (("CREATED_AT", descending),)
        yield (("IMPOSSIBILITY_SCORE", descending), ("CREATED_AT", not descending))


@pytest.fixture
async def rows(database: Database) -> list[Any]:
    dream = (await make_dream(database)).id
    return [
        await make_ai_test(
            database,
            dream_id=dream,
            impossibility_score=score,
            duration=duration,
            cost=duration,
            created_at=START + timedelta(seconds=17 * n % 40),
        )
        for n, (score, duration) in enumerate(VALUES * 2)
    ]


def in_order(rows: Sequence[Any], order: Order) -> list[Any]:
    ordered = list(rows)
    for by in reversed(order):
        present = [row for row in ordered if getattr(row, by.name) is not None]
        missing = [row for row in ordered if getattr(row, by.name) is None]
        present.sort(key=lambda row: getattr(row, by.name), reverse=by.descending)
        ordered = present + missing
    return ordered


async def test_each_cursor_of_each_order_has_the_rows_beside_it(
    database: Database, rows: list[Any]
) -> None:
    async with database.read() as session:
        for requested in requests():
            order = LISTING.order(requested)
            ordered = in_order(rows, order)
            for place, row in enumerate(ordered):
                cursor = encode(order, row)
                ahead = ListArgs(order=requested, window=PageArgs(first=SIZE, after=cursor))
                behind = ListArgs(order=requested, window=PageArgs(last=SIZE, before=cursor))

                after = await LISTING.page(session, ahead)
                before = await LISTING.page(session, behind)

                assert after.records == ordered[place + 1 :][:SIZE], requested
                assert before.records == ordered[:place][-SIZE:], requested
                assert after.has_next == (place + 1 + SIZE < len(ordered))
                assert before.has_previous == (place > SIZE)


@pytest.mark.parametrize("requested", list(requests()))
async def test_the_first_and_last_page_of_each_order(
    database: Database, rows: list[Any], requested: tuple[tuple[str, bool], ...]
) -> None:
    ordered = in_order(rows, LISTING.order(requested))
    async with database.read() as session:
        first = await LISTING.page(session, ListArgs(order=requested, window=PageArgs(first=SIZE)))
        last = await LISTING.page(session, ListArgs(order=requested, window=PageArgs(last=SIZE)))
    assert first.records == ordered[:SIZE]
    assert last.records == ordered[-SIZE:]


async def test_rows_between_two_cursors(database: Database, rows: list[Any]) -> None:
    async with database.read() as session:
        for requested in requests():
            order = LISTING.order(requested)
            ordered = in_order(rows, order)
            for low, high in product(range(0, len(ordered), 3), repeat=2):
                after, before = encode(order, ordered[low]), encode(order, ordered[high])
                window = PageArgs(first=100, after=after, before=before)

                page = await LISTING.page(session, ListArgs(order=requested, window=window))

                assert page.records == ordered[low + 1 : high], requested
