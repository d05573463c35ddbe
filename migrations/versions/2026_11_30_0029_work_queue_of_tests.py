"""The work queue of tests: tests that wait or are claimed, and schedules that create them."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0029"
down_revision: str | None = "0028"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Adds two tables. Gateways of the last release do not use them: the tests they start are in
    no queue."""
    op.create_table(
        "ai_test_schedules",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("dream_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("cron", sa.Text(), nullable=False),
        sa.Column(
            "providers", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column(
            "models", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column(
            "test_parameters",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column("max_attempts", sa.Integer(), server_default=sa.text("3"), nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("next_run_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_run_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["dream_id"],
            ["dreams.id"],
            name=op.f("fk_ai_test_schedules_dream_id_dreams"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.id"],
            name=op.f("fk_ai_test_schedules_user_id_users"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ai_test_schedules")),
    )
    op.create_index(
        op.f("ix_ai_test_schedules_dream_id_id"),
        "ai_test_schedules",
        ["dream_id", "id"],
        unique=False,
    )
    op.create_index(
        "ix_ai_test_schedules_due",
        "ai_test_schedules",
        ["next_run_at", "id"],
        unique=False,
        postgresql_where=sa.text("is_active"),
    )
    op.create_index(
        op.f("ix_ai_test_schedules_user_id_id"),
        "ai_test_schedules",
        ["user_id", "id"],
        unique=False,
    )
    op.create_table(
        "ai_test_queue",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("dream_id", sa.Uuid(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("available_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("max_attempts", sa.Integer(), server_default=sa.text("3"), nullable=False),
        sa.Column("claim_id", sa.Uuid(), nullable=True),
        sa.Column("claimed_by", sa.Text(), nullable=True),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("worker", sa.Text(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("schedule_id", sa.Uuid(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["dream_id"],
            ["dreams.id"],
            name=op.f("fk_ai_test_queue_dream_id_dreams"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["schedule_id"],
            ["ai_test_schedules.id"],
            name=op.f("fk_ai_test_queue_schedule_id_ai_test_schedules"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ai_test_queue")),
    )
    op.create_index(op.f("ix_ai_test_queue_claim_id"), "ai_test_queue", ["claim_id"], unique=True)
    op.create_index(
        "ix_ai_test_queue_claimed",
        "ai_test_queue",
        ["claimed_until"],
        unique=False,
        postgresql_where=sa.text("claim_id is not null"),
    )
    op.create_index(
        op.f("ix_ai_test_queue_dream_id_id"), "ai_test_queue", ["dream_id", "id"], unique=False
    )
    op.create_index(
        op.f("ix_ai_test_queue_schedule_id_id"),
        "ai_test_queue",
        ["schedule_id", "id"],
        unique=False,
    )
    op.create_index(
        "ix_ai_test_queue_waiting",
        "ai_test_queue",
        ["provider", "available_at", "id"],
        unique=False,
        postgresql_where=sa.text("claim_id is null"),
    )


def downgrade() -> None:
    """Drops the queue: tests that waited stay PENDING."""
    op.drop_index(
        "ix_ai_test_queue_waiting",
        table_name="ai_test_queue",
        postgresql_where=sa.text("claim_id is null"),
    )
    op.drop_index(op.f("ix_ai_test_queue_schedule_id_id"), table_name="ai_test_queue")
    op.drop_index(op.f("ix_ai_test_queue_dream_id_id"), table_name="ai_test_queue")
    op.drop_index(
        "ix_ai_test_queue_claimed",
        table_name="ai_test_queue",
        postgresql_where=sa.text("claim_id is not null"),
    )
    op.drop_index(op.f("ix_ai_test_queue_claim_id"), table_name="ai_test_queue")
    op.drop_table("ai_test_queue")
    op.drop_index(op.f("ix_ai_test_schedules_user_id_id"), table_name="ai_test_schedules")
    op.drop_index(
        "ix_ai_test_schedules_due",
        table_name="ai_test_schedules",
        postgresql_where=sa.text("is_active"),
    )
    op.drop_index(op.f("ix_ai_test_schedules_dream_id_id"), table_name="ai_test_schedules")
    op.drop_table("ai_test_schedules")
