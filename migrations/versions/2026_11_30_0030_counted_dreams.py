"""An index of dreams by status, category and last test that has what the rule on rows of dreams
reads: members and visitors count tested dreams without reading the dreams.
"""

from collections.abc import Sequence

from db.core.schema.indexes import NewIndex, replace_indexes

revision: str = "0030"
down_revision: str | None = "0029"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

COLUMNS = "(status, category, last_tested_at, id)"
BEFORE = NewIndex("ix_dreams_tested", "dreams", COLUMNS)
AFTER = NewIndex("ix_dreams_counted", "dreams", f"{COLUMNS} include (is_public, user_id)")


def upgrade() -> None:
    """Reads all dreams once. Gateways of any version read and write meanwhile."""
    replace_indexes([AFTER], [(BEFORE.table, BEFORE.name)])


def downgrade() -> None:
    """Reads all dreams once."""
    replace_indexes([BEFORE], [(AFTER.table, AFTER.name)])
