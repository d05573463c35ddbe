"""Sums by user, agent and action, and sums of months: more rollups, and triggers that mark their
periods.

`test_sums` follows `model_sums` and `category_sums`, whose sums are of days alone. An older version
that runs beside keeps these up, and after it maintenance deletes their rows.
"""

from collections.abc import Collection, Mapping, Sequence

import sqlalchemy as sa
from alembic import op

Types = Mapping[str, sa.types.TypeEngine[object]]

revision: str = "0021"
down_revision: str | None = "0020"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

SOURCES = ("user_analytics", "agent_history")
EVENTS = (
    ("insert", "new table as changed"),
    ("update", "old table as changed"),
    ("delete", "old table as changed"),
)
ROLLUPS = ("test_sums", "user_sums", "action_sums", "agent_sums")


def upgrade() -> None:
    """Waits for writers of actions and reports and holds them up for a moment; no row is read. The
    sums are computed later, by maintenance, and until then all rows are read."""
    text, count, number = sa.Text(), sa.BigInteger(), sa.Numeric()
    yes, time = sa.Boolean(), sa.DateTime(timezone=True)
    used: Types = {"any_count": count, "any_tokens": number, "any_cost": number}
    _create(
        "test_sums",
        {"is_public": yes, "is_active": yes, "category": text, "provider": text, "model": text},
        {
            "test_count": count,
            "scored_count": count,
            "score": number,
            "squared_score": number,
            "confident_count": count,
            "confidence": number,
            "timed_count": count,
            "duration": number,
            "cost": number,
            **used,
        },
        (
            *("score", "squared_score", "confidence", "duration", "cost"),
            *("any_tokens", "any_cost"),
        ),
    )
    _create("user_sums", {"user_id": sa.Uuid()}, used, ("any_tokens", "any_cost"))
    op.create_index(op.f("ix_user_sums_user_id_period"), "user_sums", ["user_id", "period"])
    _create(
        "action_sums",
        {"action": text, "page_hash": text},
        {"page": text, "count": count},
        ("page",),
    )
    ends: Types = {"first_at": time, "last_at": time}
    _create(
        "agent_sums",
        {"agent_key": text, "status": text},
        {"changes": count, "seconds": number, "steps": count, **ends},
        ("seconds", *ends),
    )
    for table in SOURCES:
        for event, changed in EVENTS:
            op.execute(
                f"create trigger mark_periods_of_{event} after {event} on {table}"
                f" referencing {changed} for each statement"
                " execute function mark_periods_of_rows()"
            )


def _create(name: str, keys: Types, measures: Types, unknown: Collection[str]) -> None:
    op.create_table(
        name,
        sa.Column("width", sa.Text(), nullable=False),
        sa.Column("period", sa.DateTime(timezone=True), nullable=False),
        *(sa.Column(key, type_, nullable=False) for key, type_ in keys.items()),
        *(sa.Column(each, type_, nullable=each in unknown) for each, type_ in measures.items()),
        sa.PrimaryKeyConstraint("width", "period", *keys, name=op.f(f"pk_{name}")),
    )


def downgrade() -> None:
    """Drops the triggers and the sums; rows are untouched."""
    for table in SOURCES:
        for event, _ in EVENTS:
            op.execute(f"drop trigger mark_periods_of_{event} on {table}")
    for table, column in (("rollup_marks", "rollup"), ("rollups", "name")):
        of = sa.table(table, sa.column(column))
        op.execute(sa.delete(of).where(of.c[column].in_(ROLLUPS)))
    for name in ROLLUPS:
        op.drop_table(name)
