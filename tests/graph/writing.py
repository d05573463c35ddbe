"""Writing: what a mutation comes to, and what it leaves in the database."""

from collections.abc import Awaitable, Callable
from typing import Any

from db import Database
from graph.core.operation import Answer
from graph.core.permission import Principal

Run = Callable[..., Awaitable[Answer]]

ERRORS = "... on Error { message code } ... on Invalid { field }"


async def outcome(
    run: Run, verb: str, input: dict[str, Any], who: Principal, shown: str, kind: str | None = None
) -> dict[str, Any]:
    """What a mutation without top-level errors comes to. `kind` is the type of its input, for one
    that is not named after the mutation."""
    kind = kind or f"{verb[0].upper()}{verb[1:]}Input"
    document = f"mutation ($input: {kind}!) {{ answer: {verb}(input: $input) {{ {shown} }} }}"
    answer = await run(document, {"input": input}, who)
    assert answer.errors == []
    assert answer.data
    return answer.data["answer"]


async def stored(database: Database, table: Any) -> list[Any]:
    """All rows of a table in the order of their ids; changes in that of their feed."""
    async with database.read() as session:
        return await session.records(table, table.select().order_by(next(iter(table.columns()))))
