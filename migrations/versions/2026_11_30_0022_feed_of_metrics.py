"""The feed of metrics: a number for each stored value, in the order of commits, as in other feeds.

Values that were stored before have no number, and no subscriber can ask for them.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.schema import CreateSequence, DropSequence

from db.core.schema.indexes import NewIndex, replace_indexes

revision: str = "0022"
down_revision: str | None = "0021"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

TABLE, SEQUENCE, FEED = "performance_metrics", "performance_metrics_seq", "metrics"
FEEDS = sa.table("feeds", sa.column("name", sa.Text()))
INDEX = NewIndex("ix_performance_metrics_seq", TABLE, "(seq)")
# Of the locks of migration 0004. A transaction takes it after that of events and before that of
# changes, which is taken in the commit.
LOCK = 4


def upgrade() -> None:
    """Waits for writers of metrics and holds them up for a moment; no row is rewritten. What an
    older version of the gateway stores has a number, too."""
    op.execute(CreateSequence(sa.Sequence(SEQUENCE)))
    op.add_column(TABLE, sa.Column("seq", sa.BigInteger(), nullable=True))
    op.execute(f"alter table {TABLE} alter column seq set default nextval('{SEQUENCE}')")
    op.execute(
        f"create trigger feed_take_turns before insert on {TABLE}"
        f" for each statement execute function feed_take_turns('{LOCK}')"
    )
    op.execute(sa.insert(FEEDS).values(name=FEED))
    replace_indexes([INDEX], [])


def downgrade() -> None:
    op.execute(sa.delete(FEEDS).where(FEEDS.c.name == FEED))
    op.execute(f"drop trigger feed_take_turns on {TABLE}")
    op.drop_column(TABLE, "seq")
    op.execute(DropSequence(sa.Sequence(SEQUENCE)))
