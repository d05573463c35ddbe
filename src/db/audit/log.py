"""Log: the audit log as a list."""

from collections.abc import Mapping

from db.audit.tables import AuditEntry
from db.core.query.listing import ListSpec, columns_by_name
from db.core.table import Table, tables_referred

LISTING = ListSpec(
    AuditEntry,
    filters=columns_by_name(
        AuditEntry.actor,
        AuditEntry.key_id,
        AuditEntry.operation,
        AuditEntry.entity,
        AuditEntry.entity_id,
        AuditEntry.request_id,
        AuditEntry.created_at,
    ),
    orders={"CREATED_AT": AuditEntry.id},
    time=AuditEntry.created_at,
)


def tables_in(entity: str) -> Mapping[str, type[Table]]:
    """The tables whose ids an entry about a row of `entity` holds, by column; none for a table of
    another version."""
    return tables_referred().get(entity, {})
