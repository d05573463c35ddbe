"""Pending replays: the progress logs that late tests leave to maintenance."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0036"
down_revision: str | None = "0035"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Adds a table. Gateways of the last release correct all logs in the transaction of a test,
    and count again those that wait."""
    op.create_table(
        "pending_replays",
        sa.Column("dream_id", sa.Uuid(), nullable=False),
        sa.Column("since", sa.Uuid(), nullable=False),
        sa.Column("is_whole", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["dream_id"],
            ["dreams.id"],
            name=op.f("fk_pending_replays_dream_id_dreams"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("dream_id", name=op.f("pk_pending_replays")),
    )


def downgrade() -> None:
    """Logs that wait for their correction stay wrong: run `dreamnet doctor --rebuild` before."""
    op.drop_table("pending_replays")
