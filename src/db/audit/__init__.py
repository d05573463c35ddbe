"""Audit: who changed what, and the `changes` feed.

Writes of every noun go through `create`, `change` and `remove`. Each stores the row, an entry in
the audit log and a row of the feed in one transaction.
"""

from datetime import datetime
from functools import cache
from typing import cast
from uuid import UUID

from sqlalchemy import ColumnElement, Executable, delete, or_, update
from sqlalchemy.dialects.postgresql import insert

from db.audit.creation import creation_parameters, noted_insertion
from db.audit.entries import NOTE, Note, columns_touched, note_parameters, noted_rows
from db.audit.log import LISTING as LISTING, tables_in as tables_in
from db.audit.tables import (
    AuditEntry as AuditEntry,
    Change as Change,
    ChangeKind as ChangeKind,
    PendingChange as PendingChange,
)
from db.core.errors import NotFound
from db.core.ids import uuid7
from db.core.numeric import fitted
from db.core.session.database import WriteSession
from db.core.table import Row, Table, TableT, Values
from db.core.values import json


async def create(session: WriteSession, table: type[TableT], **values: object) -> TableT:
    """Insert a row with its audit entry; return the record. Its id and times are made from now.

    Raises Invalid, Conflict or NotFound where a constraint of the table refuses the row.
    """
    row = _new_row(table, values, session.now())
    parameters = creation_parameters(session.audit_context, table, row, session.now())
    if parameters is None:
        inserted = await _insert(session, table, _insertion(table), row)
        return cast("TableT", inserted)  # only ON CONFLICT can leave it out
    [made] = await session.records(table, noted_insertion(table), parameters)
    session.feeds.add("changes")
    return made


async def create_if_absent(
    session: WriteSession, table: type[TableT], **values: object
) -> TableT | None:
    """As `create`, but None if a row with one of its unique values exists. Waits for a concurrent
    transaction that inserts one."""
    row = _new_row(table, values, session.now())
    return await _insert(session, table, _insertion_if_absent(table), row)


async def change(
    session: WriteSession, table: type[TableT], before: TableT, **values: object
) -> TableT:
    """Update a row read in this transaction, with its audit entry; return the new record.

    Only values that differ are checked: a stored one may come from a version with other rules.
    Raises as `create` does, and NotFound if the row is gone.
    """
    sent = table.cleaned(_differing(before, fitted(table, values)))
    changed = _differing(before, sent)
    if not changed:
        return before
    statement = (
        update(table)
        .where(table.id == before.id)
        .values(**changed, **columns_touched(table, session.now()))
    )
    after = await session.record(table, statement.returning(*table.columns()))
    if after is None:
        raise NotFound
    await note(session, ChangeKind.UPDATED, table, before, after)
    return after


async def remove(session: WriteSession, table: type[TableT], before: TableT) -> None:
    await session.execute(delete(table).where(table.id == before.id))
    await note(session, ChangeKind.DELETED, table, before, None)


async def note(
    session: WriteSession,
    kind: ChangeKind,
    table: type[TableT],
    before: TableT | None,
    after: TableT | None,
) -> None:
    """Store the audit entry and the feed row of a change. Either record may be None, not both."""
    noted = Note(kind, table, before, after)
    entry, change = noted_rows(session.audit_context, noted, session.now())
    await session.execute(NOTE, note_parameters(entry, change))
    session.feeds.add("changes")


def changes_of(
    table: type[Table], parent_id: UUID | None = None
) -> tuple[ColumnElement[bool], ...]:
    """The conditions on changes of a table, and of rows of one parent if given. Changes without a
    parent match too: earlier versions did not store it."""
    of_table = Change.noun == table.__tablename__
    mine = or_(Change.parent_id == parent_id, Change.parent_id.is_(None))
    return (of_table,) if parent_id is None else (of_table, mine)


@cache
def _insertion(table: type[Table]) -> Executable:
    return insert(table).returning(*table.columns())


@cache
def _insertion_if_absent(table: type[Table]) -> Executable:
    return insert(table).on_conflict_do_nothing().returning(*table.columns())


def _new_row(table: type[Table], values: Values, now: datetime) -> Row:
    """Raises Invalid."""
    return {"id": uuid7(now), "created_at": now, **table.cleaned(values)}


async def _insert(
    session: WriteSession, table: type[TableT], insertion: Executable, row: Row
) -> TableT | None:
    for made in await session.records(table, insertion, row):
        await note(session, ChangeKind.CREATED, table, None, made)
        return made
    return None


def _differing(record: Table, values: Values) -> Row:
    return {
        name: value for name, value in values.items() if not json.same(getattr(record, name), value)
    }
