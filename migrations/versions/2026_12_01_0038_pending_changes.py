"""Pending changes: transactions commit without the lock of the feed of changes.

The gateway inserts changes here, and moves those that are committed to `changes`, where they get
their number. Gateways of the last release insert into `changes`, and have the number drawn in the
commit, as before: both hold the same lock, so numbers follow the order of commits for readers of
either release. A reader of the last release gets changes of the new one when a gateway of the new
one has moved them, which it does after each commit.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0038"
down_revision: str | None = "0037"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

NUMBER = (
    "create constraint trigger feed_number after insert on changes"
    " deferrable initially deferred for each row {when} execute function feed_number('3')"
)
# A transaction that has changed something, and then hangs, holds locks of rows.
END_IDLE = """
create function end_idle() returns trigger language plpgsql as $$
begin
  perform set_config('idle_in_transaction_session_timeout', '10s', true);
  return null;
end $$
"""
SEARCH_PATH = """
do $$ begin
  execute format('alter function end_idle() set search_path = %I, pg_temp', current_schema());
end $$
"""
BACK = """
insert into changes (noun, entity_id, kind, at, audit_id, parent_id)
select noun, entity_id, kind, at, audit_id, parent_id from pending_changes order by number
"""


def upgrade() -> None:
    """Waits for those who write and holds them up for a moment; nothing is rewritten."""
    op.create_table(
        "pending_changes",
        sa.Column(
            "xid",
            sa.BigInteger(),
            server_default=sa.text("(pg_current_xact_id()::text)::bigint"),
            nullable=False,
        ),
        sa.Column("number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("noun", sa.Text(), nullable=False),
        sa.Column("entity_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column(
            "at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("audit_id", sa.Uuid(), nullable=True),
        sa.Column("parent_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "kind in ('CREATED', 'UPDATED', 'DELETED')", name=op.f("ck_pending_changes_kind")
        ),
        sa.PrimaryKeyConstraint("xid", "number", name=op.f("pk_pending_changes")),
    )
    op.execute(END_IDLE)
    op.execute(SEARCH_PATH)
    op.execute(
        "create trigger end_idle before insert on pending_changes"
        " for each statement execute function end_idle()"
    )
    op.add_column("changes", sa.Column("pending_number", sa.BigInteger(), nullable=True))
    op.execute("drop trigger feed_number on changes")
    op.execute(NUMBER.format(when="when (new.pending_number is null)"))


def downgrade() -> None:
    """Pending changes get their numbers now. Stop the gateways before: they insert pending ones."""
    op.execute("lock table pending_changes in access exclusive mode")
    op.execute("drop trigger feed_number on changes")  # waits for those who have inserted changes
    op.execute(BACK)
    op.drop_column("changes", "pending_number")
    op.execute(NUMBER.format(when=""))
    op.drop_table("pending_changes")
    op.execute("drop function end_idle()")
