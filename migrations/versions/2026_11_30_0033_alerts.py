"""Alerts, and the rules that open them; with two rules for the budgets of users and of all."""

from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa
from alembic import op

revision: str = "0033"
down_revision: str | None = "0032"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

BUILTIN = (
    {
        "id": "01a229c0-5400-7000-8000-000000000001",
        "name": "Monthly budget of all users",
        "spend_of": "ALL",
        "builtin": "overall_budget",
    },
    {
        "id": "01a229c0-5400-7000-8000-000000000002",
        "name": "Monthly budget of a user",
        "spend_of": "USER",
        "builtin": "user_budget",
    },
)
# Users and administrators are notified of budgets without alerts, too.
SHARED = {"kind": "SPEND", "comparison": "GT", "notifies": False}


def upgrade() -> None:
    """Adds two tables, which gateways of the last release do not use."""
    op.create_table(
        "alert_rules",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("spend_of", sa.Text(), nullable=True),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("provider", sa.Text(), nullable=True),
        sa.Column("metric_name", sa.Text(), nullable=True),
        sa.Column("aggregate", sa.Text(), nullable=True),
        sa.Column("event_type", sa.Text(), nullable=True),
        sa.Column("severity", sa.Text(), nullable=True),
        sa.Column("agents", sa.Text(), nullable=True),
        sa.Column("feed", sa.Text(), nullable=True),
        sa.Column("window_minutes", sa.Integer(), nullable=True),
        sa.Column("comparison", sa.Text(), nullable=False),
        sa.Column("threshold", sa.Numeric(precision=16, scale=6), nullable=True),
        sa.Column("cooldown_minutes", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("notifies", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("builtin", sa.Text(), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("next_evaluation_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("evaluated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
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
        sa.CheckConstraint("agents in ('STALE', 'ERROR')", name=op.f("ck_alert_rules_agents")),
        sa.CheckConstraint(
            "aggregate in ('AVERAGE', 'MINIMUM', 'MAXIMUM', 'TOTAL', 'COUNT')",
            name=op.f("ck_alert_rules_aggregate"),
        ),
        sa.CheckConstraint(
            "comparison in ('GT', 'GTE', 'LT', 'LTE')", name=op.f("ck_alert_rules_comparison")
        ),
        sa.CheckConstraint(
            "feed in ('AGENTS', 'EVENTS', 'METRICS', 'CHANGES')", name=op.f("ck_alert_rules_feed")
        ),
        sa.CheckConstraint(
            "kind in ('SPEND', 'METRIC', 'EVENTS', 'AGENTS', 'FEED_LAG')",
            name=op.f("ck_alert_rules_kind"),
        ),
        sa.CheckConstraint(
            "severity in ('DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL')",
            name=op.f("ck_alert_rules_severity"),
        ),
        sa.CheckConstraint(
            "spend_of in ('ALL', 'USER', 'PROVIDER')", name=op.f("ck_alert_rules_spend_of")
        ),
        sa.CheckConstraint(
            "threshold is not null or kind = 'SPEND'", name=op.f("ck_alert_rules_budget")
        ),
        sa.ForeignKeyConstraint(
            ["created_by"],
            ["users.id"],
            name=op.f("fk_alert_rules_created_by_users"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_alert_rules_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_rules")),
        sa.UniqueConstraint("builtin", name=op.f("uq_alert_rules_builtin")),
    )
    op.create_index(
        "ix_alert_rules_due",
        "alert_rules",
        ["next_evaluation_at", "id"],
        unique=False,
        postgresql_where=sa.text("is_active"),
    )
    op.create_table(
        "alerts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("rule_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), server_default="", nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("value", sa.Numeric(), nullable=False),
        sa.Column("threshold", sa.Numeric(precision=16, scale=6), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acknowledged_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "kind in ('SPEND', 'METRIC', 'EVENTS', 'AGENTS', 'FEED_LAG')",
            name=op.f("ck_alerts_kind"),
        ),
        sa.ForeignKeyConstraint(
            ["acknowledged_by"],
            ["users.id"],
            name=op.f("fk_alerts_acknowledged_by_users"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["rule_id"],
            ["alert_rules.id"],
            name=op.f("fk_alerts_rule_id_alert_rules"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_alerts_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
    )
    op.create_index(op.f("ix_alerts_rule_id_id"), "alerts", ["rule_id", "id"], unique=False)
    op.create_index(
        "ix_alerts_still_open",
        "alerts",
        ["id"],
        unique=False,
        postgresql_where=sa.text("closed_at is null"),
    )
    op.create_index(op.f("ix_alerts_user_id_id"), "alerts", ["user_id", "id"], unique=False)
    op.create_index(
        "uq_alerts_open",
        "alerts",
        ["rule_id", "subject"],
        unique=True,
        postgresql_where=sa.text("closed_at is null"),
    )
    rules = sa.table(
        "alert_rules",
        sa.column("id", sa.Uuid()),
        *map(sa.column, ("name", "kind", "spend_of", "comparison", "notifies", "builtin")),
        sa.column("next_evaluation_at", sa.DateTime(timezone=True)),
    )
    for rule in BUILTIN:
        row = {**rule, **SHARED, "id": UUID(rule["id"])}
        op.execute(sa.insert(rules).values(**row, next_evaluation_at=sa.func.now()))


def downgrade() -> None:
    """Drops the rules and the alerts."""
    op.drop_index(
        "uq_alerts_open", table_name="alerts", postgresql_where=sa.text("closed_at is null")
    )
    op.drop_index(op.f("ix_alerts_user_id_id"), table_name="alerts")
    op.drop_index(
        "ix_alerts_still_open", table_name="alerts", postgresql_where=sa.text("closed_at is null")
    )
    op.drop_index(op.f("ix_alerts_rule_id_id"), table_name="alerts")
    op.drop_table("alerts")
    op.drop_index(
        "ix_alert_rules_due", table_name="alert_rules", postgresql_where=sa.text("is_active")
    )
    op.drop_table("alert_rules")
