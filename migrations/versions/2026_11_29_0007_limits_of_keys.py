"""Limits of keys: the highest role of a key, the key it was made with, and disabled users."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Takes a moment: nothing is rewritten. Gateways of the version before go on working; they do
    not know of disabled users and of the new limits until they are replaced."""
    op.add_column("users", sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("api_keys", sa.Column("max_role", sa.Text(), nullable=True))
    op.create_check_constraint(
        op.f("ck_api_keys_max_role"), "api_keys", "max_role in ('MEMBER', 'OPERATOR', 'ADMIN')"
    )
    op.add_column("api_keys", sa.Column("created_by_key_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(
        op.f("fk_api_keys_created_by_key_id_api_keys"),
        "api_keys",
        "api_keys",
        ["created_by_key_id"],
        ["id"],
        ondelete="SET NULL",
    )
    op.create_index(op.f("ix_api_keys_created_by_key_id"), "api_keys", ["created_by_key_id"])


def downgrade() -> None:
    """Takes it back: disabled users may sign in again."""
    op.drop_column("api_keys", "created_by_key_id")
    op.drop_column("api_keys", "max_role")
    op.drop_column("users", "disabled_at")
