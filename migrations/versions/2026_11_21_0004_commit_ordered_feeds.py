"""Commit-ordered feeds: in each feed the order of `seq` is the order in which rows become visible.

A transaction takes the lock of a feed before it draws a number for it, and keeps it until it has
committed. So whoever has read up to a number has seen all there will ever be up to it. Whoever
needs several of these locks takes them in the order of `FEEDS`, or two might wait for each other.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

# Name and table; the place in this order is the number of the lock. Reports take agents, then
# events, in their one statement; the importer takes them by the ranks of its kinds; changes come
# last by themselves, in the commit.
FEEDS = (("agents", "agent_history"), ("events", "system_events"), ("changes", "changes"))

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# The first half of each lock is "feed" in ASCII, so that it meets none of anybody else.

# For rows that are stored by a statement of their own. Who holds the lock and says nothing any
# more, because its host hangs, is thrown out, as others wait for it.
TAKE_TURNS = """
create function feed_take_turns() returns trigger language plpgsql as $$
begin
  perform pg_advisory_xact_lock(1717921124, tg_argv[0]::int);
  perform set_config('idle_in_transaction_session_timeout', '10s', true);
  return null;
end $$
"""

# For rows that are stored somewhere in the middle of a transaction: each gets its number when the
# transaction is over but for the commit itself, so the lock is held for no longer than that takes.
NUMBER = """
create function feed_number() returns trigger language plpgsql as $$
begin
  perform pg_advisory_xact_lock(1717921124, tg_argv[0]::int);
  update changes set seq = default where seq = new.seq;
  return null;
end $$
"""


def upgrade() -> None:
    """Waits for those who write and holds them up for a moment; nothing is rewritten.

    The changes go first: transactions under way write changes before events, and none the other
    way round. What an older version of the gateway writes is put in order as well.
    """
    feeds = op.create_table(
        "feeds",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("min_seq", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_feeds")),
    )
    op.bulk_insert(feeds, [{"name": name} for name, _ in FEEDS])
    op.execute(TAKE_TURNS)
    op.execute(NUMBER)
    op.add_column("changes", sa.Column("audit_id", sa.Uuid(), nullable=True))
    op.execute(
        "create constraint trigger feed_number after insert on changes"
        " deferrable initially deferred for each row execute function feed_number('3')"
    )
    for number, (_, table) in enumerate(FEEDS[:2], start=1):
        op.execute(
            f"create trigger feed_take_turns before insert on {table}"
            f" for each statement execute function feed_take_turns('{number}')"
        )


def downgrade() -> None:
    """Takes it all back; rows keep the numbers they have."""
    op.execute("drop trigger feed_number on changes")
    op.drop_column("changes", "audit_id")
    for _, table in FEEDS[:2]:
        op.execute(f"drop trigger feed_take_turns on {table}")
    op.execute("drop function feed_number()")
    op.execute("drop function feed_take_turns()")
    op.drop_table("feeds")
