"""Setting: one value of many rows, with their audit entries and feed rows, in one statement."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import CTE, ColumnElement, Insert, Uuid, cast, func, insert, literal, select, update
from sqlalchemy.sql.dml import ReturningInsert

from db.audit.entries import columns_touched, entry_row, value_shown
from db.audit.tables import AuditEntry, ChangeKind, PendingChange
from db.core.ids import floor
from db.core.session.audit_context import AuditContext
from db.core.session.database import WriteSession
from db.core.table import Column, Row, Table

MAX_ROWS = 5_000  # of one statement
FIRST = UUID(int=0)


async def set_all(
    session: WriteSession,
    table: type[Table],
    column: Column,
    before: object,
    after: object,
    *where: ColumnElement[bool],
) -> int:
    """Change the value of a column in all rows that have the value `before` and meet conditions;
    row rules do not apply. Return the number of rows, which are locked in the order of ids."""
    unrestricted, setting = session.unrestricted(), Setting(table, column, before, after)
    now, count, last = session.now(), 0, FIRST
    while True:
        rows = setting.rows(now, table.id > last, *where)
        statement = setting.statement(rows, session.audit_context, now)
        ids = [id for (id,) in await unrestricted.rows(statement)]
        count += len(ids)
        if ids:
            session.feeds.add("changes")
        if len(ids) < MAX_ROWS:
            return count
        last = max(ids)


@dataclass(frozen=True, slots=True)
class Setting:
    """A column of a table, and its value before and after."""

    table: type[Table]
    column: Column
    before: object
    after: object

    def rows(self, now: datetime, *where: ColumnElement[bool]) -> CTE:
        """The ids of the rows, each with the id of its audit entry."""
        ids = select(self.table.id, _new_id(now).label("audit_id"))
        ids = ids.where(self.column == self.before, *where)
        return ids.order_by(self.table.id).limit(MAX_ROWS).with_for_update().cte("chosen")

    def statement(self, rows: CTE, context: AuditContext, now: datetime) -> ReturningInsert[UUID]:
        """Returns the ids of the rows."""
        table = self.table
        parent = getattr(table, table.parent) if table.parent else literal(None, Uuid)
        values = {self.column.name: self.after, **columns_touched(table, now)}
        changed = update(table).where(table.id == rows.c.id).values(values)
        own = table.id.label("id"), rows.c.audit_id, parent.label("parent_id")
        done = changed.returning(*own).cte("changed")
        noun, kind = literal(table.__tablename__), literal(ChangeKind.UPDATED.value)
        changes = select(noun, done.c.id, kind, done.c.audit_id, done.c.parent_id)
        columns = ["noun", "entity_id", "kind", "audit_id", "parent_id"]
        stored = insert(PendingChange).from_select(columns, changes.order_by(done.c.id))
        entries = _entries(done, self._entry(context, now)).cte("entry")
        return stored.add_cte(entries).returning(PendingChange.entity_id)

    def _entry(self, context: AuditContext, now: datetime) -> Row:
        name = self.column.name
        before = {name: value_shown(self.table, name, self.before)}
        after = {name: value_shown(self.table, name, self.after)}
        return entry_row(context, self.table, FIRST, now, before, after)


def _entries(changed: CTE, shared: Row) -> Insert:
    own = {"id": changed.c.audit_id, "entity_id": changed.c.id}
    columns = AuditEntry.__table__.columns
    values = [own.get(name, literal(shared[name], columns[name].type)) for name in shared]
    return insert(AuditEntry).from_select(list(shared), select(*values))


def _new_id(now: datetime) -> ColumnElement[UUID]:
    """A UUIDv7 of that time for each row, as `db.core.ids.uuid7` makes them: 8 bytes of the time,
    and 8 of a random UUID, which has the same variant."""
    time = func.substr(func.uuid_send(literal(floor(now), Uuid)), 1, 8)
    random = func.substr(func.uuid_send(func.gen_random_uuid()), 9)
    return cast(func.encode(time.op("||")(random), "hex"), Uuid)
