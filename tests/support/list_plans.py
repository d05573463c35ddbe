"""List plans: how PostgreSQL would read the pages of lists if it never read a whole table."""

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

import asyncpg
import orjson

import db
from db import Database
from db.core.query.filter import Condition
from db.core.query.keyset import PageArgs
from db.core.query.listing import ListArgs, ListSpec
from support.sent_statements import noting

Node = dict[str, Any]
SCANS = ("Index Scan", "Index Only Scan", "Bitmap Heap Scan", "Seq Scan")
SETTINGS = (
    "set enable_seqscan = off; set enable_sort = off; set max_parallel_workers_per_gather = 0"
)


def listings() -> dict[str, ListSpec]:
    """All lists, by the name of their table, but those that show one parent's rows alone and have
    no filters."""
    found = {}
    for module in pkgutil.walk_packages(db.__path__, "db."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, ListSpec) and value.filters:
                found[str(value.table.__tablename__)] = value
    return dict(sorted(found.items()))


async def plan_of(
    database: Database, connection: Any, listing: ListSpec, asked: ListArgs
) -> tuple[Node, list[Any]]:
    """The plan of the statement of a page, and the rows of the page."""
    sent: list[tuple[str, Any]] = []
    with noting(database, lambda *statement: sent.append(statement)):
        async with database.read() as session:
            page = await listing.page(session, asked)
    return await _explained(connection, sent), page.records


async def plan_of_filter(
    database: Database, connection: Any, listing: ListSpec, where: Condition
) -> Node:
    """The plan of finding all rows that match a filter, in any order."""
    sent: list[tuple[str, Any]] = []
    with noting(database, lambda *statement: sent.append(statement)):
        async with database.read() as session:
            statement = listing.table.select().where(*listing.conditions(ListArgs(where)))
            await session.rows(statement)
    return await _explained(connection, sent)


async def _explained(connection: Any, sent: list[tuple[str, Any]]) -> Node:
    [(statement, values)] = sent
    [[plan]] = await connection.fetch(f"explain (verbose, format json) {statement}", *values)
    root: Node = orjson.loads(plan)[0]["Plan"]
    return root


async def connected(url: str) -> Any:
    connection = await asyncpg.connect(url)
    await connection.execute(SETTINGS)
    return connection


def nodes(root: Node) -> Iterator[Node]:
    yield root
    for child in root.get("Plans", []):
        yield from nodes(child)


def scans(root: Node) -> list[Node]:
    return [node for node in nodes(root) if node["Node Type"] in SCANS]


def sorts(root: Node) -> list[Node]:
    """The sorts of more rows than pages have: those of the ranges of a page are sorted again."""
    found = [node for node in nodes(root) if node["Node Type"] == "Sort"]
    return [node for node in found if not _is_limited(node["Plans"][0])]


def _is_limited(node: Node) -> bool:
    if node["Node Type"] in ("Append", "Merge Append", "Subquery Scan"):
        return all(map(_is_limited, node["Plans"]))
    return bool(node["Node Type"] == "Limit")


def condition(node: Node) -> str:
    """The condition by which a scan finds its part of the index; empty if it reads all of it."""
    own = node.get("Index Cond", "")
    return str(own) + "".join(map(condition, node.get("Plans", [])))


def window(backward: bool, cursor: str | None = None, size: int = 20) -> PageArgs:
    return PageArgs(last=size, before=cursor) if backward else PageArgs(first=size, after=cursor)
