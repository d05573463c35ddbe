"""Versions of models, to detect concurrent edits.

An older version of the gateway changes a model without increasing its version, and has no edits
that compare versions.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0018"
down_revision: str | None = "0017"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """No row is rewritten."""
    op.add_column(
        "ai_models",
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
    )


def downgrade() -> None:
    op.drop_column("ai_models", "version")
