"""Parents of changes: what a changed row belongs to, so that who follows that need not look."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Takes a moment: nothing is rewritten, and changes noted before have no parent."""
    op.add_column("changes", sa.Column("parent_id", sa.Uuid(), nullable=True))


def downgrade() -> None:
    """Takes it back."""
    op.drop_column("changes", "parent_id")
