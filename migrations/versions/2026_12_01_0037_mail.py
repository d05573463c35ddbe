"""Mail: which notifications users want by e-mail, and of which keys they were notified."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0037"
down_revision: str | None = "0036"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Reads no row: a default that is a constant is not written to rows."""
    none = sa.text("'{}'")
    op.add_column(
        "users",
        sa.Column("email_notifications", sa.ARRAY(sa.Text()), server_default=none, nullable=False),
    )
    op.add_column(
        "api_keys", sa.Column("expiry_notified_at", sa.DateTime(timezone=True), nullable=True)
    )


def downgrade() -> None:
    """Drops both columns, and messages that were not sent."""
    op.execute("delete from procrastinate_jobs where queue_name = 'mail'")
    op.drop_column("api_keys", "expiry_notified_at")
    op.drop_column("users", "email_notifications")
