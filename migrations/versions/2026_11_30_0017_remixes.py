"""Remixes: the index that finds the remixes of a dream, some at a time.

It replaces one without the id. A page of remixes is a range of it as well.
"""

from collections.abc import Sequence

from db.core.schema.indexes import NewIndex, replace_indexes

revision: str = "0017"
down_revision: str | None = "0016"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

NEW = NewIndex("ix_dreams_remixed_from_id_id", "dreams", "(remixed_from_id, id)")
OLD = NewIndex("ix_dreams_remixed_from_id", "dreams", "(remixed_from_id)")


def upgrade() -> None:
    """Takes a second per million dreams. Gateways of any version read and write meanwhile."""
    replace_indexes([NEW], [(OLD.table, OLD.name)])


def downgrade() -> None:
    """Creates the former index, and drops the new one."""
    replace_indexes([OLD], [(NEW.table, NEW.name)])
