"""Budgets: of users, in US dollars a month; what each user spent, by model and day; and which
shares of budgets were notified of.

The triggers that mark periods of tests serve every rollup, so the new one needs none.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0031"
down_revision: str | None = "0030"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

ROLLUP = "user_model_sums"


def upgrade() -> None:
    """Reads no row. The sums are computed later, by maintenance, and until then tests are read."""
    op.add_column("users", sa.Column("monthly_budget", sa.Numeric(16, 6), nullable=True))
    op.create_table(
        ROLLUP,
        sa.Column("width", sa.Text(), nullable=False),
        sa.Column("period", sa.DateTime(timezone=True), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("any_count", sa.BigInteger(), nullable=False),
        sa.Column("any_tokens", sa.Numeric(), nullable=True),
        sa.Column("any_cost", sa.Numeric(), nullable=True),
        sa.PrimaryKeyConstraint(
            *("width", "period", "user_id", "provider", "model"), name=op.f("pk_user_model_sums")
        ),
    )
    op.create_index(
        op.f("ix_user_model_sums_user_id_period"), ROLLUP, ["user_id", "period"], unique=False
    )
    op.create_table(
        "budget_notices",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("month", sa.DateTime(timezone=True), nullable=False),
        sa.Column("percent", sa.Integer(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.PrimaryKeyConstraint("user_id", "month", "percent", name=op.f("pk_budget_notices")),
    )


def downgrade() -> None:
    """Drops the budgets of users, and the sums; tests are untouched."""
    for table, column in (("rollup_marks", "rollup"), ("rollups", "name")):
        of = sa.table(table, sa.column(column))
        op.execute(sa.delete(of).where(of.c[column] == ROLLUP))
    op.drop_table("budget_notices")
    op.drop_table(ROLLUP)
    op.drop_column("users", "monthly_budget")
