"""Copies of addresses: columns that number users who have the same one in another spelling."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Takes a moment: nothing is rewritten."""
    for name in ("email_copy", "wallet_copy"):
        column = sa.Column(name, sa.Integer(), server_default=sa.text("0"), nullable=False)
        op.add_column("users", column)


def downgrade() -> None:
    """Takes both back."""
    op.drop_column("users", "wallet_copy")
    op.drop_column("users", "email_copy")
