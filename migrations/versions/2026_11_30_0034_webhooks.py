"""Webhooks, the messages to them, and the tables and functions of procrastinate, whose jobs deliver
the messages."""

from collections.abc import Iterator, Sequence
from importlib.resources import files

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0034"
down_revision: str | None = "0033"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

NOW = sa.text("now()")
# The schema of the pinned version; tests/db/test_jobs.py fails if an upgrade changes it, which then
# needs a migration.
SCHEMA = files("procrastinate") / "sql" / "schema.sql"
# Its functions find its tables, whatever the search path of the session is.
SET_PATH = """
do $$ declare function regprocedure; begin
  for function in
    select oid from pg_proc
    where starts_with(proname, 'procrastinate_')
    and pronamespace = (select oid from pg_namespace where nspname = current_schema())
  loop
    execute format('alter function %s set search_path = %I, pg_temp', function, current_schema());
  end loop;
end $$
"""
DROP = """
do $$ declare dropped text; begin
  for dropped in
    select format('drop function %s cascade', oid::regprocedure) from pg_proc
    where starts_with(proname, 'procrastinate_')
    and pronamespace = (select oid from pg_namespace where nspname = current_schema())
  loop
    execute dropped;
  end loop;
end $$
"""
TABLES = ("periodic_defers", "events", "jobs", "workers")
TYPES = ("job_to_defer_v1", "job_event_type", "job_status")


def upgrade() -> None:
    """Adds tables and a column, which gateways of the last release do not use."""
    op.create_table(
        "webhooks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("secret_version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("rotated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.ForeignKeyConstraint(
            ["created_by"],
            ["users.id"],
            name=op.f("fk_webhooks_created_by_users"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
    )
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("webhook_id", sa.Uuid(), nullable=False),
        sa.Column("alert_id", sa.Uuid(), nullable=True),
        sa.Column("event_type", sa.Text(), nullable=False),
        sa.Column(
            "payload",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.ForeignKeyConstraint(
            ["alert_id"],
            ["alerts.id"],
            name=op.f("fk_webhook_deliveries_alert_id_alerts"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["webhook_id"],
            ["webhooks.id"],
            name=op.f("fk_webhook_deliveries_webhook_id_webhooks"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_deliveries")),
    )
    for column in ("alert_id", "webhook_id"):
        op.create_index(
            op.f(f"ix_webhook_deliveries_{column}_id"), "webhook_deliveries", [column, "id"]
        )
    op.add_column("alert_rules", sa.Column("webhook_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(
        op.f("fk_alert_rules_webhook_id_webhooks"),
        *("alert_rules", "webhooks"),
        *(["webhook_id"], ["id"]),
        ondelete="SET NULL",
    )
    for statement in statements(SCHEMA.read_text()):
        op.execute(statement)
    op.execute(SET_PATH)


def statements(script: str) -> Iterator[str]:
    """The statements of a script, which end with `;` outside of the bodies of functions."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line.partition("--")[0] + "\n" if "$$" not in line else line
        if line.partition("--")[0].rstrip().endswith(";") and statement.count("$$") % 2 == 0:
            yield statement
            statement = ""


def downgrade() -> None:
    """Drops the webhooks, and messages that were not delivered."""
    op.execute(DROP)
    for name in TABLES:
        op.drop_table(f"procrastinate_{name}")
    for name in TYPES:
        op.execute(f"drop type procrastinate_{name}")
    op.drop_column("alert_rules", "webhook_id")
    op.drop_table("webhook_deliveries")
    op.drop_table("webhooks")
