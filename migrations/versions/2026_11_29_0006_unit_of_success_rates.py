"""Unit of success rates: `percentage`, as DreamNet's own tracker calls it, and no longer `percent`.

One series has one unit, or its summary would have none; so rows stored before get it too. A gateway
of the version before goes on storing `percent` until it is stopped.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

METRICS = sa.table(
    "performance_metrics",
    sa.column("metric_name", sa.Text),
    sa.column("unit", sa.Text),
    sa.column("tags", JSONB),
)


def rename(unit: str, name: str) -> None:
    """Gives another unit to what the gateway itself measured of success rates; series of the same
    unit that callers record stay as they were sent."""
    agent = METRICS.c.tags["agent_key"].astext
    ours = METRICS.c.metric_name == sa.literal("agent_").concat(agent).concat("_success_rate")
    op.execute(METRICS.update().where(METRICS.c.unit == unit, ours).values(unit=name))


def upgrade() -> None:
    """Reads all metrics once; locks nothing but the rows that it changes, which nobody writes."""
    rename("percent", "percentage")


def downgrade() -> None:
    """Takes it back."""
    rename("percentage", "percent")
