"""Archived months: the months of partitioned tables whose rows are in files."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0042"
down_revision: str | None = "0038"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    time = sa.DateTime(timezone=True)
    op.create_table(
        "archived_months",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("month", time, nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=True),
        sa.Column("bytes", sa.BigInteger(), nullable=True),
        sa.Column("sha256", sa.Text(), nullable=True),
        sa.Column("archived_at", time, nullable=True),
        sa.Column("restored_at", time, nullable=True),
        sa.PrimaryKeyConstraint("source", "month", name=op.f("pk_archived_months")),
    )


def downgrade() -> None:
    """Forgets where the archived months are; their files stay."""
    op.drop_table("archived_months")
