"""Asking: what the statements of a question cost, as EXPLAIN reports it."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

import orjson
from sqlalchemy import event

from db import Database
from db.core.connections.pooler import DriverConnection
from growth.questions import Question

TIMES = 3
Plan: TypeAlias = Mapping[str, object]
Statement = tuple[str, tuple[object, ...]]


@dataclass(frozen=True, slots=True)
class Cost:
    """Milliseconds of planning and execution, rows, pages of the buffer cache, and the steps."""

    planning: float
    execution: float
    rows: int
    buffers: int
    steps: str

    @property
    def total(self) -> float:
        return self.planning + self.execution


async def cost_of(database: Database, connection: DriverConnection, question: Question) -> Cost:
    """The cost of the last statement of a question, the best of several times."""
    sent: list[Statement] = []
    with _noting(database, sent):
        async with database.scoped_to(question.visibility).read() as session:
            await question.ask(session)
    costs = [await _explained(connection, sent[-1]) for _ in range(TIMES)]
    return min(costs, key=lambda cost: cost.total)


@contextmanager
def _noting(database: Database, sent: list[Statement]) -> Iterator[None]:
    def note(
        _connection: object,
        _cursor: object,
        statement: str,
        parameters: tuple[object, ...],
        *_: object,
    ) -> None:
        sent.append((statement, parameters))

    engine = database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", note)


async def _explained(connection: DriverConnection, statement: Statement) -> Cost:
    text, parameters = statement
    explain = f"explain (analyze, buffers, timing off, format json) {text}"
    [[plan]] = await connection.fetch(explain, *parameters, timeout=600)
    [told] = orjson.loads(plan)
    root = told["Plan"]
    return Cost(
        told["Planning Time"],
        told["Execution Time"],
        int(root["Actual Rows"]),
        root["Shared Hit Blocks"] + root["Shared Read Blocks"],
        _steps(root),
    )


def _steps(root: Plan) -> str:
    counted = Counter(_types(root))
    return ", ".join(name if n == 1 else f"{n} {name}" for name, n in counted.items())


def _types(node: Plan) -> Iterator[str]:
    yield str(node["Node Type"])
    children = node.get("Plans", [])
    assert isinstance(children, list)  # noqa: S101  as EXPLAIN writes it
    for child in children:
        yield from _types(child)
