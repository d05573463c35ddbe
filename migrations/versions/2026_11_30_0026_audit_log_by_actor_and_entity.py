"""Audit log by actor and entity: indexes for lists of the audit log.

Without them, the changes that one user made, or those of one row, are found by reading all entries.
"""

from collections.abc import Sequence

from db.core.schema.indexes import NewIndex, replace_indexes

revision: str = "0026"
down_revision: str | None = "0025"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

COLUMNS = ("actor", "operation", "entity", "entity_id", "request_id")
NEW = [NewIndex(f"ix_audit_log_{name}_id", "audit_log", f"({name}, id)") for name in COLUMNS]


def upgrade() -> None:
    """Reads the audit log five times. Gateways of any version read and write meanwhile."""
    replace_indexes(NEW, [])


def downgrade() -> None:
    """Drops the indexes."""
    replace_indexes([], [(index.table, index.name) for index in NEW])
