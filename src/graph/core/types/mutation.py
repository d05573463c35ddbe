"""Mutations: one transaction each, with who does it, and once for each idempotency key."""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import fields, replace
from typing import Annotated, Any, TypeVar, dataclass_transform
from uuid import UUID

import strawberry
from strawberry import UNSET, Some

from db import WriteSession
from db.core import idempotency
from db.core.errors import Conflict, NotFound
from db.core.idempotency import Claim
from db.core.session.audit_context import AuditContext
from db.core.table import Table, TableT
from graph.core.context import Info
from graph.core.fingerprint import fingerprint
from graph.core.permission import VALUE
from graph.core.types.field import argument, column_of, described, field
from graph.core.types.node import parse_id
from graph.core.types.unset import or_none

T = TypeVar("T", bound=type)
InputType = TypeVar("InputType")

Input = Annotated[InputType, argument("What is asked for.")]


@dataclass_transform(kw_only_default=True, field_specifiers=(field,))
def input_type(cls: T) -> T:
    """An input type; the class docstring describes it. It reveals what the mutation answers."""
    cls.access = VALUE  # type: ignore[attr-defined]  # read by graph.core.execution.input_access
    return strawberry.input(cls, description=described(cls))


def idempotency_key() -> Any:
    """The field of an input that makes it safe to send again."""
    return field(
        "Any text of your own: the same input under the same key is carried "
        "out once within 48 hours, and each time answered with what was made; with NotFound when "
        "that was deleted since. Another input under the key is a Conflict; how numbers, times and "
        "keys of objects are written makes no difference.",
        default=UNSET,
        check=idempotency.KEY,
    )


def result(name: str, *types: Any) -> Any:
    """The union of what a mutation may come to."""
    verb = name.removesuffix("Result")
    said = f"What `{verb[0].lower()}{verb[1:]}` comes to."
    union: Any = types[0]
    for type_ in types[1:]:
        union = union | type_
    return Annotated[union, strawberry.union(name, description=said)]


def audit_context(info: Info) -> AuditContext:
    """What is being done, and by whom."""
    who = info.context.principal
    return AuditContext(info.field_name, info.context.request_id, who.user_id, who.key_id)


def provided_fields(input: Any, *but: str) -> dict[str, Any]:
    """What an input gives, by column. What was left out is left out; a null is a null."""
    apart = {"id", "idempotency_key", "expected_version", *but}
    return dict(_sent(input, apart))


def _sent(input: Any, apart: set[str]) -> Iterator[tuple[str, Any]]:
    for item in fields(input):
        sent = getattr(input, item.name)
        left_out = sent is UNSET or (sent is None and item.default is None)  # a Maybe not given
        if item.name not in apart and not left_out:
            column = column_of(item)  # type: ignore[arg-type]  # the fields are Strawberry's
            yield column, sent.value if isinstance(sent, Some) else sent


async def create_idempotently(
    info: Info,
    table: type[TableT],
    input: Any,
    make: Callable[[WriteSession], Awaitable[TableT]],
) -> TableT:
    """Makes a record in a transaction of its own, or finds the one made before under the key.

    Raises NotFound where that was deleted since, Conflict for another input under the key.
    """
    async with info.context.db.write(audit_context(info)) as session:
        if or_none(input.idempotency_key) is None:
            return await make(session)
        claim = _claim(info, input)
        if (known := await idempotency.claim(session, claim)) is not None:
            return await _made_before(session, table, known)
        made = await make(session)
        await idempotency.settle(session, claim, made.id)
        return made


@asynccontextmanager
async def locked_row(
    info: Info, table: type[TableT], id: str, expected_version: int | None = None
) -> AsyncIterator[tuple[WriteSession, TableT]]:
    """A transaction on one row that nobody else can change meanwhile.

    Raises NotFound for a row that is not there or not seen, Conflict for another version of it.
    """
    async with info.context.db.write(audit_context(info)) as session:
        record = await get_for_update(session, table, id_of_table(id, table))
        if expected_version is not None:
            _check_version(record, expected_version)
        yield session, record


def _check_version(record: Any, expected: int) -> None:
    """`record` is of a table with a `version`. Raises Conflict."""
    if record.version != expected:
        raise Conflict(f"It is at version {record.version} now; read it again and decide.")


async def get_for_update(session: WriteSession, table: type[TableT], id: UUID) -> TableT:
    """The row with that id, locked. Raises NotFound."""
    statement = table.select().where(table.id == id).with_for_update(of=table)
    record = await session.record(table, statement)
    if record is None:
        raise NotFound
    return record


def id_of_table(text: str, table: type[Table]) -> UUID:
    """The key of a row, out of its printed id. Raises Invalid for what is no id of that table."""
    return parse_id(text, table)[1]


async def _made_before(session: WriteSession, table: type[TableT], id: UUID) -> TableT:
    """The row that was made under an idempotency key. Raises NotFound."""
    record = await session.record(table, table.select().where(table.id == id))
    if record is None:
        raise NotFound(
            "What was made under this idempotency key was deleted since, or you may not see it any "
            "more; take another key to make it again."
        )
    return record


def _claim(info: Info, input: Any) -> Claim:
    who = info.context.principal
    earlier = f"{info.field_name} {replace(input, idempotency_key=None)!r}"
    return Claim(
        str(who.user_id or who.key_id),
        input.idempotency_key,
        fingerprint(input, "idempotency_key"),
        hashlib.sha256(earlier.encode()).hexdigest(),
    )
