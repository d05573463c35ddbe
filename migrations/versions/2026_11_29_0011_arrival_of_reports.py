"""Arrival of reports: when they came in by the database's clock, beside the agents' own times."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0011"
down_revision: str | None = "0010"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# Reports of running gateways leave an event of the same id, imported ones do not. Only agents that
# were heard can fall silent.
HEARD = """
update agent_states as state set received_at = last_active
where exists (
  select from system_events as event where event.id = (
    select line.id from agent_history as line
    where line.agent_key >= state.agent_key and line.agent_key <= state.agent_key
    order by line.agent_key desc, line.id desc limit 1
  )
)
"""


def upgrade() -> None:
    """Takes a moment: no history is rewritten, and earlier reports have no time of arrival.

    An older version of the gateway goes on: what it stores is dated by the defaults. Agents whose
    clock was ahead take part in the present again.
    """
    time = sa.DateTime(timezone=True)
    op.add_column("agent_history", sa.Column("received_at", time))
    op.alter_column("agent_history", "received_at", server_default=sa.text("clock_timestamp()"))
    op.add_column("agent_states", sa.Column("reported_at", time))
    op.add_column("agent_states", sa.Column("received_at", time))
    op.alter_column("agent_states", "received_at", server_default=sa.text("now()"))
    op.execute("update agent_states set last_active = now() where last_active > now()")
    op.execute("update agent_states set reported_at = last_active")
    op.execute(HEARD)


def downgrade() -> None:
    """Takes it back."""
    op.drop_column("agent_states", "received_at")
    op.drop_column("agent_states", "reported_at")
    op.drop_column("agent_history", "received_at")
