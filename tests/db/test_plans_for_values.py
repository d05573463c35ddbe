"""Filters and searches are planned for their values; readers of feeds plan once."""

from typing import Any

import pytest
from sqlalchemy import Text, bindparam, literal, select, text

from db import Database
from db.core.query import looking
from db.core.query.filter import Compare
from db.core.query.keyset import PageArgs
from db.core.query.listing import ListArgs
from db.core.query.projection import Projection
from db.core.session.compiled import compile_statement
from db.core.session.direct import fetch
from db.core.session.row_rules import UNRESTRICTED
from db.core.timeouts import for_values
from db.dreams import LISTING, Dream
from support.databases import rows_of
from support.factories import make_dream

TIMES = 8  # PostgreSQL may keep a plan after five


@pytest.fixture
async def single(database_url: str, database: Database) -> Any:
    """A database with one connection, and two dreams."""
    await make_dream(database, title="Fold a shirt")
    await make_dream(database, title="Fold a protein")
    own = Database(database_url, pool_size=1)
    yield own
    await own.close()


async def prepared(database: Database) -> list[str]:
    """The statements about dreams that the connection of a database keeps by name."""
    async with database.read() as session:
        raw = await session.connection.get_raw_connection()
        driver: Any = raw.driver_connection
        rows = await driver.fetch("select statement from pg_prepared_statements")
    return [row[0] for row in rows if "FROM dreams" in row[0]]


@pytest.mark.parametrize(
    "asked",
    [
        ListArgs(search="fold"),
        ListArgs(search="fold -shirt"),
        ListArgs(Compare("title", "eq", "Fold a shirt")),
    ],
)
async def test_searches_and_filters_keep_no_plan(single: Database, asked: ListArgs) -> None:
    compiled = compile_statement(LISTING.select_page(_titles(), asked), UNRESTRICTED)
    assert compiled.for_values
    for _ in range(TIMES):
        rows = await fetch(single, compiled, {})
        async with single.read() as session:
            page = await LISTING.page(session, asked)
            counted = await looking.count(session, LISTING, asked)
        assert [row[0] for row in rows] == [dream.title for dream in page.records]
        assert len(rows) == counted.rows > 0
    assert await prepared(single) == []


async def test_a_list_without_values_is_kept(single: Database) -> None:
    compiled = compile_statement(LISTING.select_page(_titles(), ListArgs()), UNRESTRICTED)
    assert not compiled.for_values
    for _ in range(TIMES):
        assert len(await fetch(single, compiled, {})) == 2
    assert len(await prepared(single)) == 1


async def test_unnamed_statements_do_not_take_the_place_of_each_other(single: Database) -> None:
    """On one connection, by turns, through both ways of reading."""
    shirt, protein = (
        ListArgs(Compare("title", "eq", title), window=PageArgs(first=size))
        for size, title in ((1, "Fold a shirt"), (2, "Fold a protein"))
    )
    texts = {
        asked: compile_statement(LISTING.select_page(_titles(), asked), UNRESTRICTED)
        for asked in (shirt, protein, ListArgs(search="protein"))
    }
    for _ in range(3):
        for asked, compiled in texts.items():
            [direct] = await fetch(single, compiled, {})
            async with single.read() as session:
                [record] = (await LISTING.page(session, asked)).records
                [other] = await session.rows(
                    for_values(select(literal("other", Text)).where(Dream.id == record.id))
                )
            assert direct[0] == record.title
            assert other == ("other",)


async def test_statements_of_a_reader_have_one_plan(database_url: str) -> None:
    reader = Database(database_url, pool_size=1, one_plan=True)
    statement = select(Dream.title).where(Dream.title == bindparam("title", type_=Text))
    async with reader.read() as session:
        for title in ("a", "b", "c"):
            await session.rows(statement, {"title": title})
        raw = await session.connection.get_raw_connection()
        driver: Any = raw.driver_connection
        plans = await driver.fetch(
            "select generic_plans, custom_plans from pg_prepared_statements"
            " where statement like 'SELECT dreams%'"
        )
    await reader.close()
    assert [tuple(row) for row in plans] == [(3, 0)]


async def test_words_that_no_dream_has_are_estimated_as_few(database_url: str) -> None:
    target = text("""
        select attstattarget from pg_attribute
        where attrelid = 'dreams'::regclass and attname = 'search'
    """)
    assert await rows_of(database_url, target) == [(1_000,)]


def _titles() -> Projection:
    projection = Projection(Dream)
    projection.index("title")
    return projection
