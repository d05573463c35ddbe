"""Tested dreams: an index that counts them by category and last scored test, and one of the tests
without a score, which are not among these.
"""

from collections.abc import Sequence

from db.core.schema.indexes import NewIndex, replace_indexes

revision: str = "0023"
down_revision: str | None = "0022"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

NEW = (
    NewIndex("ix_dreams_tested", "dreams", "(status, category, last_tested_at, id)"),
    NewIndex(
        "ix_ai_tests_unscored",
        "ai_tests",
        "(id) include (dream_id) where status = 'COMPLETED' and impossibility_score is null",
    ),
)


def upgrade() -> None:
    """Reads all tests once. Gateways of any version read and write meanwhile."""
    replace_indexes(NEW, [])


def downgrade() -> None:
    """Drops the index."""
    replace_indexes([], [(index.table, index.name) for index in NEW])
