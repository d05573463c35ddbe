"""Squares: sums of squares of metrics, for confidence intervals.

An older version of the gateway computes sums without them. They are null then, and so is the
interval of a mean with such a part, until the period is computed again.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0024"
down_revision: str | None = "0023"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

MARK = """
insert into rollup_marks (rollup, period)
select distinct rollups.name, period from metric_sums as sums
join rollups on rollups.name = 'metric_sums' and rollups.width = sums.width
"""


def upgrade() -> None:
    """Takes a moment. Maintenance computes all periods again; until then their rows are read."""
    op.add_column("metric_sums", sa.Column("squares", sa.Numeric(), nullable=True))
    op.execute(MARK)


def downgrade() -> None:
    """Drops the sums of squares."""
    op.drop_column("metric_sums", "squares")
