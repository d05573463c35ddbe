"""Confidence and tokens: indexes of tests for filters that few rows meet.

Without them, a page reads the newest tests until it is full: all of them for a value that none has.
"""

from collections.abc import Sequence

from db.core.schema.indexes import NewIndex, replace_indexes

revision: str = "0025"
down_revision: str | None = "0024"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

NEW = (
    NewIndex("ix_ai_tests_confidence_id", "ai_tests", "(confidence, id)"),
    NewIndex("ix_ai_tests_tokens_used_id", "ai_tests", "(tokens_used, id)"),
)


def upgrade() -> None:
    """Reads all tests twice. Gateways of any version read and write meanwhile."""
    replace_indexes(NEW, [])


def downgrade() -> None:
    """Drops the indexes."""
    replace_indexes([], [(index.table, index.name) for index in NEW])
