"""Attachments of dreams and tests, and the files to delete."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0035"
down_revision: str | None = "0034"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

NOTE = """
create function note_deleted_attachments() returns trigger language plpgsql as $$
begin
  insert into deleted_attachments (id) select id from deleted on conflict do nothing;
  return null;
end $$
"""
SEARCH_PATH = """
do $$ begin
  execute format(
    'alter function note_deleted_attachments() set search_path = %I, pg_temp', current_schema()
  );
end $$
"""


def upgrade() -> None:
    """Adds two tables, which gateways of the last release do not use."""
    op.create_table(
        "deleted_attachments",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "deleted_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deleted_attachments")),
    )
    op.create_table(
        "attachments",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("dream_id", sa.Uuid(), nullable=False),
        sa.Column("ai_test_id", sa.Uuid(), nullable=True),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("stored_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["dream_id"],
            ["dreams.id"],
            name=op.f("fk_attachments_dream_id_dreams"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.id"],
            name=op.f("fk_attachments_user_id_users"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attachments")),
    )
    op.create_index(
        op.f("ix_attachments_ai_test_id_id"), "attachments", ["ai_test_id", "id"], unique=False
    )
    op.create_index(
        op.f("ix_attachments_dream_id_id"), "attachments", ["dream_id", "id"], unique=False
    )
    op.create_index(
        "ix_attachments_pending",
        "attachments",
        ["created_at"],
        unique=False,
        postgresql_where=sa.text("stored_at is null"),
    )
    op.create_index(
        op.f("ix_attachments_user_id_id"), "attachments", ["user_id", "id"], unique=False
    )
    op.execute(NOTE)
    op.execute(SEARCH_PATH)
    op.execute(
        "create trigger note_deleted after delete on attachments referencing old table as deleted "
        "for each statement execute function note_deleted_attachments()"
    )


def downgrade() -> None:
    """Drops all attachments; their files stay in the store."""
    op.drop_index(op.f("ix_attachments_user_id_id"), table_name="attachments")
    op.drop_index(
        "ix_attachments_pending",
        table_name="attachments",
        postgresql_where=sa.text("stored_at is null"),
    )
    op.drop_index(op.f("ix_attachments_dream_id_id"), table_name="attachments")
    op.drop_index(op.f("ix_attachments_ai_test_id_id"), table_name="attachments")
    op.drop_table("attachments")
    op.drop_table("deleted_attachments")
    op.execute("drop function note_deleted_attachments()")
