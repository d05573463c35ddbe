"""Model scores: the scored tests of each dream, summed up by model; and an index for the trigger
that numbers changes.

The table is empty at first. The scores of a dream are computed with its next test, and computed
again whenever its newest log counts another number of tests: an older version writes logs alone.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0015"
down_revision: str | None = "0014"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# The plan is made once per connection. Made while the table was small, it read the whole table for
# each change of a transaction with many.
NUMBER = "alter function feed_number() {} enable_seqscan"


def upgrade() -> None:
    """Takes a moment: no row is read. Gateways of any version read and write meanwhile."""
    op.create_table(
        "model_scores",
        sa.Column("dream_id", sa.Uuid(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("first_test_id", sa.Uuid(), nullable=False),
        sa.Column("latest_test_id", sa.Uuid(), nullable=False),
        sa.Column("latest_score", sa.Numeric(5, 2), nullable=False),
        sa.Column("best_score", sa.Numeric(5, 2), nullable=False),
        sa.Column("test_count", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["dream_id"],
            ["dreams.id"],
            name=op.f("fk_model_scores_dream_id_dreams"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("dream_id", "provider", "model", name=op.f("pk_model_scores")),
    )
    op.execute(NUMBER.format("set") + " = off")


def downgrade() -> None:
    """Drops the scores, which can be computed from the tests."""
    op.execute(NUMBER.format("reset"))
    op.drop_table("model_scores")
