"""Query plans: the cost of the statements of an operation, as EXPLAIN reports it."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import orjson

from db import Database
from support.sent_statements import noting


@dataclass(frozen=True, slots=True)
class Plan:
    """A statement and how PostgreSQL carried it out."""

    statement: str
    root: dict[str, Any]

    @property
    def buffers(self) -> int:
        """Pages looked at, wherever they were."""
        return int(self.root["Shared Hit Blocks"] + self.root["Shared Read Blocks"])

    def nodes(self) -> Iterator[dict[str, Any]]:
        """Every step that was carried out."""
        waiting = [self.root]
        while waiting:
            node = waiting.pop()
            waiting += node.get("Plans", [])
            if node["Actual Loops"]:
                yield node

    @property
    def discarded(self) -> float:
        """Rows that were read only to be found not to match."""
        return sum(
            node.get("Rows Removed by Filter", 0) * node["Actual Loops"] for node in self.nodes()
        )


@asynccontextmanager
async def explained(database: Database, url: str, having: str) -> AsyncIterator[list[Plan]]:
    """The plans of the statements sent within the context that hold a text, once it is left."""
    sent: list[tuple[str, Any]] = []
    plans: list[Plan] = []

    def note(statement: str, parameters: Any) -> None:
        if having in statement:
            sent.append((statement, parameters))

    with noting(database, note):
        yield plans
    connection = await asyncpg.connect(url)
    for statement, parameters in sent:
        explain = f"explain (analyze, buffers, format json) {statement}"
        [[plan]] = await connection.fetch(explain, *parameters)
        plans.append(Plan(statement, orjson.loads(plan)[0]["Plan"]))
    await connection.close()
