"""KPIs: the first times of dreams, kept by a trigger, and sums of the actions and tests of users.

The triggers that mark periods serve every rollup, so the new ones need none.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0032"
down_revision: str | None = "0031"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

MILESTONES = "dream_milestones"
INDEXED = ("written_at", "published_at", "achieved_at")
ROLLUPS = ("user_action_sums", "user_test_sums")

# A dream stored as ACHIEVED has no known time of that. A change has the time of its row.
_FUNCTION = """
create function keep_milestones() returns trigger language plpgsql as $$
declare
  at timestamptz := new.created_at;
begin
  if tg_op = 'INSERT' then
    insert into dream_milestones
      (dream_id, is_remix, is_tested, written_at, activated_at, published_at)
    values (
      new.id, new.remixed_from_id is not null, new.last_tested_at is not null, at,
      case when new.status = 'ACTIVE' then at end, case when new.is_public then at end)
    on conflict do nothing;
    return null;
  end if;
  at := case when new.updated_at is distinct from old.updated_at then new.updated_at else now() end;
  update dream_milestones set
    is_tested = is_tested or new.last_tested_at is not null,
    activated_at = coalesce(activated_at, case when new.status = 'ACTIVE' then at end),
    published_at = coalesce(published_at, case when new.is_public then at end),
    achieved_at = coalesce(achieved_at, case
      when new.status = 'ACHIEVED' and old.status <> 'ACHIEVED' then at end)
  where dream_id = new.id;
  return null;
end $$
"""
_TRIGGERS = (
    "create trigger keep_milestones_of_insert after insert on dreams for each row"
    " execute function keep_milestones()",
    "create trigger keep_milestones_of_update after update on dreams for each row when ("
    " old.status is distinct from new.status or old.is_public is distinct from new.is_public"
    " or (old.last_tested_at is null and new.last_tested_at is not null))"
    " execute function keep_milestones()",
)
_SEARCH_PATH = """
do $$ begin
  execute format(
    'alter function keep_milestones() set search_path = %I, pg_temp', current_schema());
end $$
"""
# The first times of stored dreams are in the audit log, as far as it reaches. Others became what
# they are when they were written.
_FILL = """
insert into dream_milestones
  (dream_id, is_remix, is_tested, written_at, activated_at, published_at, achieved_at)
select
  dreams.id, remixed_from_id is not null, last_tested_at is not null, dreams.created_at,
  coalesce(noted.activated_at, case when status = 'ACTIVE' then dreams.created_at end),
  coalesce(noted.published_at, case when is_public then dreams.created_at end),
  noted.achieved_at
from dreams left join (
  select
    entity_id,
    min(created_at) filter (where after ->> 'status' = 'ACTIVE') as activated_at,
    min(created_at) filter (where after ->> 'is_public' = 'true') as published_at,
    min(created_at) filter (where after ->> 'status' = 'ACHIEVED') as achieved_at
  from audit_log
  where entity = 'dreams' and jsonb_typeof(after) = 'object'
  group by entity_id
) as noted on noted.entity_id = dreams.id
on conflict do nothing
"""


def upgrade() -> None:
    """Reads the dreams and their audit entries once, and holds up writers of dreams meanwhile. The
    sums are computed later, by maintenance, and until then rows are read."""
    time = sa.DateTime(timezone=True)
    op.create_table(
        MILESTONES,
        sa.Column("dream_id", sa.Uuid(), nullable=False),
        sa.Column("is_remix", sa.Boolean(), nullable=False),
        sa.Column("is_tested", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("written_at", time, nullable=False),
        sa.Column("activated_at", time, nullable=True),
        sa.Column("published_at", time, nullable=True),
        sa.Column("achieved_at", time, nullable=True),
        sa.ForeignKeyConstraint(
            ["dream_id"],
            ["dreams.id"],
            name=op.f("fk_dream_milestones_dream_id_dreams"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("dream_id", name=op.f("pk_dream_milestones")),
    )
    op.execute(_FUNCTION)
    op.execute(_SEARCH_PATH)
    for trigger in _TRIGGERS:
        op.execute(trigger)
    op.execute(_FILL)
    for column in INDEXED:
        op.create_index(op.f(f"ix_dream_milestones_{column}"), MILESTONES, [column], unique=False)
    for name in ROLLUPS:
        op.create_table(
            name,
            sa.Column("width", sa.Text(), nullable=False),
            sa.Column("period", time, nullable=False),
            sa.Column("user_id", sa.Uuid(), nullable=False),
            sa.Column("count", sa.BigInteger(), nullable=False),
            sa.PrimaryKeyConstraint("width", "period", "user_id", name=op.f(f"pk_{name}")),
        )


def downgrade() -> None:
    """Drops the first times and the sums; dreams, actions and tests are untouched."""
    for event in ("insert", "update"):
        op.execute(f"drop trigger keep_milestones_of_{event} on dreams")
    op.execute("drop function keep_milestones()")
    op.drop_table(MILESTONES)
    for table, column in (("rollup_marks", "rollup"), ("rollups", "name")):
        of = sa.table(table, sa.column(column))
        op.execute(sa.delete(of).where(of.c[column].in_(ROLLUPS)))
    for name in ROLLUPS:
        op.drop_table(name)
