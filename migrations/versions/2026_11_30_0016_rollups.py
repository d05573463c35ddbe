"""Rollups: sums of closed periods, the state of each rollup, and the marks of changed periods.

Triggers mark a period in the transaction that writes to it. So what an older version of the gateway
writes is marked as well, and so are cascades, imports and what an operator does by hand.
"""

from collections.abc import Collection, Mapping, Sequence

import sqlalchemy as sa
from alembic import op

Types = Mapping[str, sa.types.TypeEngine[object]]

revision: str = "0016"
down_revision: str | None = "0015"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

ROLLUPS = ("model_sums", "category_sums", "event_sums", "metric_sums", "metric_values")
SOURCES = ("ai_tests", "system_events", "performance_metrics")
EVENTS = (
    ("insert", "new table as changed"),
    ("update", "old table as changed"),
    ("delete", "old table as changed"),
)

# The time in an id, and the period of that time.
PERIOD = """date_trunc(rollup.width, to_timestamp(
      cast(cast('x' || substr(replace(cast({id} as text), '-', ''), 1, 12) as bit(48)) as bigint)
      / 1000.0), 'UTC')"""

MARK_ROWS = """
create function mark_periods_of_rows() returns trigger language plpgsql as $$
begin
  insert into rollup_marks (rollup, period)
  select distinct rollup.name, {period}
  from rollups as rollup join changed on changed.id < rollup.bound
  where rollup.source = tg_table_name;
  return null;
end $$
"""

# The sums of tests are by properties of their dreams.
MARK_DREAM = """
create function mark_periods_of_dream() returns trigger language plpgsql as $$
begin
  insert into rollup_marks (rollup, period)
  select distinct rollup.name, {period}
  from rollups as rollup join ai_tests as test on test.id < rollup.bound
  where rollup.source = 'ai_tests' and test.dream_id = new.id;
  return null;
end $$
"""
DREAM_TRIGGER = """
create trigger mark_periods after update of is_public, status, category on dreams for each row
when ((old.is_public, old.status, old.category) is distinct from
  (new.is_public, new.status, new.category))
execute function mark_periods_of_dream()
"""

# Trigger functions find the tables of their schema, whatever the search path of the session is.
PATH = """
do $$ begin
  execute format('alter function {name}() set search_path = %I, pg_temp', current_schema());
end $$
"""
FUNCTIONS = ("mark_periods_of_rows", "mark_periods_of_dream")


def upgrade() -> None:
    """Waits for writers of the tables and holds them up for a moment; no row is read. The sums are
    computed later, by maintenance, and until then all rows are read."""
    _create_state()
    _create_sums()
    op.execute(MARK_ROWS.replace("{period}", PERIOD.format(id="changed.id")))
    op.execute(MARK_DREAM.replace("{period}", PERIOD.format(id="test.id")))
    for name in FUNCTIONS:
        op.execute(PATH.format(name=name))
    for table in SOURCES:
        for event, changed in EVENTS:
            op.execute(
                f"create trigger mark_periods_of_{event} after {event} on {table}"
                f" referencing {changed} for each statement"
                " execute function mark_periods_of_rows()"
            )
    op.execute(DREAM_TRIGGER)


def _create_state() -> None:
    time = sa.DateTime(timezone=True)
    op.create_table(
        "rollups",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("width", sa.Text(), nullable=False),
        sa.Column("bound", sa.Uuid(), nullable=False),
        sa.Column("closing", time, nullable=True),
        sa.Column("horizon", sa.BigInteger(), nullable=True),
        sa.Column("closed", time, nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_rollups")),
    )
    op.create_table(
        "rollup_marks",
        sa.Column("number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("rollup", sa.Text(), nullable=False),
        sa.Column("period", time, nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_rollup_marks")),
    )
    op.create_index(
        op.f("ix_rollup_marks_rollup_period"), "rollup_marks", ["rollup", "period"], unique=False
    )


def _create_sums() -> None:
    text, count, number = sa.Text(), sa.BigInteger(), sa.Numeric()
    time = sa.DateTime(timezone=True)
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
        ("score", "confidence", "duration", "cost", "any_tokens", "any_cost"),
    )
    _create(
        "category_sums",
        {"is_public": sa.Boolean(), "category": text},
        {"test_count": count, "scored_count": count, "score": number},
        ("score",),
    )
    _create(
        "event_sums", {"event_type": text, "source": text, "severity": text}, {"weight": number}
    )
    _create(
        "metric_sums",
        {"metric_name": text},
        {
            "count": count,
            "total": number,
            "minimum": number,
            "maximum": number,
            "least_unit": text,
            "greatest_unit": text,
            "first_timestamp": time,
            "last_timestamp": time,
        },
        ("least_unit", "greatest_unit"),
    )
    _create("metric_values", {"metric_name": text, "step": sa.Integer()}, {"count": count})


def _create(name: str, keys: Types, measures: Types, unknown: Collection[str] = ()) -> None:
    op.create_table(
        name,
        sa.Column("width", sa.Text(), nullable=False),
        sa.Column("period", sa.DateTime(timezone=True), nullable=False),
        *(sa.Column(key, type_, nullable=False) for key, type_ in keys.items()),
        *(sa.Column(each, type_, nullable=each in unknown) for each, type_ in measures.items()),
        sa.PrimaryKeyConstraint("width", "period", *keys, name=op.f(f"pk_{name}")),
    )


def downgrade() -> None:
    """Drops the triggers and all sums; rows are untouched."""
    op.execute("drop trigger mark_periods on dreams")
    for table in SOURCES:
        for event, _ in EVENTS:
            op.execute(f"drop trigger mark_periods_of_{event} on {table}")
    for name in FUNCTIONS:
        op.execute(f"drop function {name}()")
    for name in ROLLUPS:
        op.drop_table(name)
    op.drop_table("rollup_marks")
    op.drop_table("rollups")
