"""Mutations: their results, and the rows that they write."""

from collections.abc import Awaitable, Callable
from typing import Any

from db import Database
from db.audit import Change
from graph.core.execution.result import OperationResult
from graph.core.principal import Principal
from support.feeds import number_changes
from support.payloads import outcome_of

Run = Callable[..., Awaitable[OperationResult]]


async def outcome(
    run: Run, verb: str, input: dict[str, Any], who: Principal, shown: str, kind: str | None = None
) -> dict[str, Any]:
    """What a mutation shows, or its first error."""
    return outcome_of(result(await run(mutation(verb, shown, kind), {"input": input}, who)))


def mutation(verb: str, shown: str, kind: str | None = None) -> str:
    """The document of a mutation. `kind` is the type of its input if that has another name."""
    kind = kind or f"{verb[0].upper()}{verb[1:]}Input"
    return f"mutation ($input: {kind}!) {{ answer: {verb}(input: $input) {{ {shown} }} }}"


def result(answer: OperationResult) -> Any:
    """The payload in the response to a mutation, which has no top-level errors."""
    assert answer.errors == []
    assert answer.data
    return answer.data["answer"]


async def stored(database: Database, table: Any) -> list[Any]:
    """All rows of a table in the order of their ids; changes in that of their feed."""
    if table is Change:
        await number_changes(database)
    async with database.read() as session:
        return await session.records(table, table.select().order_by(next(iter(table.columns()))))
