"""Batch: many rows, with their audit entries and feed rows, in as many statements as for one."""

from collections.abc import Sequence

from sqlalchemy import ARRAY, JSON, Uuid, delete, func, literal
from sqlalchemy.dialects.postgresql import JSONB, Insert

from db.audit.entries import Note, noted_rows
from db.audit.tables import AuditEntry, ChangeKind, PendingChange
from db.core.ingest.statements import core_table, insert_from, literal_rows
from db.core.session.database import WriteSession
from db.core.table import Expression, Row, Table

SHARED = {"actor", "key_id", "operation", "request_id", "created_at"}  # by entries of one session


async def note_all(session: WriteSession, notes: Sequence[Note]) -> None:
    if notes:
        now = session.now()
        rows = [noted_rows(session.audit_context, note, now) for note in notes]
        unrestricted = session.unrestricted()
        await unrestricted.execute(_insert_all(AuditEntry, [entry for entry, _ in rows]))
        await unrestricted.execute(_insert_all(PendingChange, [change for _, change in rows]))
        session.feeds.add("changes")


async def remove_all(session: WriteSession, table: type[Table], records: Sequence[Table]) -> None:
    ids = literal([record.id for record in records], ARRAY(Uuid))
    await session.execute(delete(table).where(table.id == func.any(ids)))
    await note_all(session, [Note(ChangeKind.DELETED, table, record, None) for record in records])


def _insert_all(table: type[Table], rows: Sequence[Row]) -> Insert:
    """Values that all entries share are sent once."""
    columns = core_table(table).c
    first = rows[0]
    names = [name for name in first if name not in SHARED]
    shared = {name: literal(first[name], columns[name].type) for name in first if name in SHARED}
    items = literal_rows(table, names, [{name: row[name] for name in names} for row in rows])
    own = {column.name: _json_null(column) for column in items.c}
    return insert_from(table, {**own, **shared}, items)


def _json_null(column: Expression) -> Expression:
    """A missing document is the `null` of JSON, as in rows that are inserted one by one."""
    return func.coalesce(column, literal(None, JSONB)) if isinstance(column.type, JSON) else column
