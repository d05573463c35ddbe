"""Mutations: one audited transaction each, executed once for each idempotency key."""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import fields, replace
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Protocol, TypeVar, cast, dataclass_transform
from uuid import UUID

import strawberry
from strawberry import UNSET, Some
from strawberry.types.field import StrawberryField

from db import WriteSession
from db.core import idempotency
from db.core.errors import Conflict, NotFound
from db.core.idempotency import Claim
from db.core.session.audit_context import AuditContext
from db.core.session.direct_writes import lone_write
from db.core.table import Row, Table, TableT
from graph.core.context import Info
from graph.core.fingerprint import fingerprint
from graph.core.permission import VALUE, Access
from graph.core.types.declared import IngestField
from graph.core.types.field import Resolver, argument, column_of, described, field
from graph.core.types.node import parse_id
from graph.core.types.payload import ShowPayload
from graph.core.types.unset import or_none

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    class IdempotentInput(DataclassInstance, Protocol):
        idempotency_key: str | None


T = TypeVar("T", bound=type)
InputType = TypeVar("InputType")

Input = Annotated[InputType, argument("The arguments of the mutation.")]


@dataclass_transform(kw_only_default=True, field_specifiers=(field,))
def input_type(cls: T) -> T:
    cls.access = VALUE  # type: ignore[attr-defined]  # read by graph.core.execution.input_access
    return strawberry.input(cls, description=described(cls))


@dataclass_transform(kw_only_default=True, field_specifiers=(field,))
def one_of_input(cls: T) -> T:
    """An input of which exactly one field is given."""
    cls.access = VALUE  # type: ignore[attr-defined]  # as for `input_type`
    return strawberry.input(cls, description=described(cls), one_of=True)


def idempotency_key() -> Any:  # as `field`
    return field(
        "Idempotency key: any string. The same input with the same key is executed only once "
        "within 48 hours, and later calls return the object created by the first, or NotFound if "
        "it was deleted since. A different input with the same key is a Conflict; the spelling of "
        "numbers and times and the order of object keys do not matter.",
        default=UNSET,
        check=idempotency.KEY,
    )


def mutation(
    description: str,
    access: Access,
    result: type,
    resolver: Resolver | None = None,
    shows: IngestField | None = None,
) -> StrawberryField:
    """A root field that changes data. `result`: the node or the value that its resolver returns."""
    made: StrawberryField = field(
        description, access, resolver, extensions=[ShowPayload(result)], shows=shows
    )
    return made


def audit_context(info: Info) -> AuditContext:
    return info.context.principal.audit_context(info.field_name, info.context.request_id)


def provided_fields(input: "DataclassInstance", *but: str) -> Row:
    """The provided fields of an input, by column. Omitted fields are left out, nulls are kept."""
    apart = {"id", "idempotency_key", "expected_version", *but}
    return dict(_sent(input, apart))


def _sent(input: "DataclassInstance", apart: set[str]) -> Iterator[tuple[str, object]]:
    for name, column, is_maybe in _columns(type(input)):
        sent = getattr(input, name)
        left_out = sent is UNSET or (sent is None and is_maybe)
        if name not in apart and not left_out:
            yield column, sent.value if isinstance(sent, Some) else sent


@cache
def _columns(input_type: "type[DataclassInstance]") -> list[tuple[str, str, bool]]:
    """The fields of an input, their columns, and whether None means that they are not given."""
    return [
        (item.name, column_of(item), item.default is None)  # type: ignore[arg-type]  # the fields are Strawberry's
        for item in fields(input_type)
    ]


async def create_idempotently(
    info: Info,
    table: type[TableT],
    input: "IdempotentInput",
    make: Callable[[WriteSession], Awaitable[TableT]],
    *,
    in_one_statement: bool = False,
) -> TableT:
    """Create a record in its own transaction, or return the one created with the same idempotency
    key. `in_one_statement`: `make` executes only one, which needs no BEGIN and COMMIT.

    Raises NotFound if that record was deleted, Conflict if the key was used with another input.
    """
    context, key = audit_context(info), or_none(input.idempotency_key)
    if key is None and in_one_statement:
        async with lone_write(info.context.db, context) as session:
            return await make(session)
    async with info.context.db.write(context) as session:
        made = await _made_once(session, info, key, input, make)
        return await _made_before(session, table, made) if isinstance(made, UUID) else made


async def create_unseen_idempotently(
    info: Info, input: "IdempotentInput", make: Callable[[WriteSession], Awaitable[Table]]
) -> UUID:
    """As `create_idempotently`, for a record that its creator cannot read; return its ID."""
    async with info.context.db.write(audit_context(info)) as session:
        made = await _made_once(session, info, or_none(input.idempotency_key), input, make)
        return made if isinstance(made, UUID) else made.id


async def _made_once(
    session: WriteSession,
    info: Info,
    key: str | None,
    input: "IdempotentInput",
    make: Callable[[WriteSession], Awaitable[TableT]],
) -> TableT | UUID:
    """A new record, or the ID of the one created with the same key before. Raises Conflict."""
    if key is None:
        return await make(session)
    claim = claim_of(info, key, input)
    if (known := await idempotency.claim(session, claim)) is not None:
        return known
    made = await make(session)
    await idempotency.settle(session, claim, made.id)
    return made


@asynccontextmanager
async def locked_row(
    info: Info, table: type[TableT], id: str, expected_version: int | None = None
) -> AsyncIterator[tuple[WriteSession, TableT]]:
    """Open a transaction that locks one row.

    Raises NotFound if the caller does not see the row, Conflict if its version differs.
    """
    async with info.context.db.write(audit_context(info)) as session:
        record = await get_for_update(session, table, id_of_table(id, table))
        if expected_version is not None:
            _check_version(cast("Versioned", record), expected_version)
        yield session, record


class Versioned(Protocol):
    version: int


def _check_version(record: Versioned, expected: int) -> None:
    """Raises Conflict."""
    if record.version != expected:
        raise Conflict(f"The current version is {record.version}. Read it again before retrying.")


async def get_for_update(session: WriteSession, table: type[TableT], id: UUID) -> TableT:
    """Lock the row with this ID. Raises NotFound."""
    statement = table.select().where(table.id == id).with_for_update(of=table)
    record = await session.record(table, statement)
    if record is None:
        raise NotFound
    return record


def id_of_table(text: str, table: type[Table]) -> UUID:
    """The key in a global ID. Raises Invalid unless it is an ID of this table."""
    return parse_id(text, table)[1]


async def _made_before(session: WriteSession, table: type[TableT], id: UUID) -> TableT:
    """The row that was created with an idempotency key. Raises NotFound."""
    record = await session.record(table, table.select().where(table.id == id))
    if record is None:
        raise NotFound(idempotency.GONE)
    return record


def claim_of(info: Info, key: str, input: "IdempotentInput") -> Claim:
    earlier = f"{info.field_name} {replace(input, idempotency_key=None)!r}"
    return Claim(
        info.context.principal.owner,
        key,
        fingerprint(input, "idempotency_key"),
        hashlib.sha256(earlier.encode()).hexdigest(),
        info.context.keep_keys,
    )
