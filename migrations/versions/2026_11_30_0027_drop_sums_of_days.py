"""Drop `model_sums` and `category_sums`, which `test_sums` follows since revision 0021.

No release has read them.
"""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from alembic import op

Types = Mapping[str, sa.types.TypeEngine[object]]

revision: str = "0027"
down_revision: str | None = "0026"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

NAMES = ("model_sums", "category_sums")


def upgrade() -> None:
    """Reads no row of other tables."""
    for table, column in (("rollup_marks", "rollup"), ("rollups", "name")):
        of = sa.table(table, sa.column(column))
        op.execute(sa.delete(of).where(of.c[column].in_(NAMES)))
    for name in NAMES:
        op.drop_table(name)


def downgrade() -> None:
    """The tables are empty: without a state, earlier versions read all rows and compute them."""
    text, count, number = sa.Text(), sa.BigInteger(), sa.Numeric()
    _create(
        "model_sums",
        {"is_public": sa.Boolean(), "provider": text, "model": text},
        {
            "test_count": count,
            "scored_count": count,
            "score": number,
            "confident_count": count,
            "confidence": number,
            "timed_count": count,
            "duration": number,
            "cost": number,
            "any_count": count,
            "any_tokens": number,
            "any_cost": number,
        },
    )
    _create(
        "category_sums",
        {"is_public": sa.Boolean(), "category": text},
        {"test_count": count, "scored_count": count, "score": number},
    )


def _create(name: str, keys: Types, measures: Types) -> None:
    op.create_table(
        name,
        sa.Column("width", sa.Text(), nullable=False),
        sa.Column("period", sa.DateTime(timezone=True), nullable=False),
        *(sa.Column(key, type_, nullable=False) for key, type_ in keys.items()),
        *(
            sa.Column(each, type_, nullable=isinstance(type_, sa.Numeric))
            for each, type_ in measures.items()
        ),
        sa.PrimaryKeyConstraint("width", "period", *keys, name=op.f(f"pk_{name}")),
    )
