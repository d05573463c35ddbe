"""Progress and slugs of dreams: the columns of the newest progress log, and a name for addresses.

Triggers keep both, so what an older version of the gateway writes is kept as well, and so are
imports, expired logs and what an operator does by hand. The next migration fills them for the rows
that are there.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0019"
down_revision: str | None = "0018"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

SHOWN = {
    "slug": sa.Text(),
    "average_impossibility": sa.Numeric(5, 2),
    "best_score": sa.Numeric(5, 2),
    "improvement_trend": sa.Numeric(9, 2),
    "last_tested_at": sa.DateTime(timezone=True),
}

# Of the dreams with these ids, those that do not show their newest log are locked in the order of
# ids, as everywhere, and then read again: another transaction may have changed them.
KEEP = """
create function keep_progress_of_dreams(ids uuid[]) returns integer language plpgsql as $$
declare
  kept integer;
begin
  perform from dreams
  left join lateral (
    select * from progress_logs where dream_id = dreams.id order by id desc limit 1
  ) as log on true
  where dreams.id = any(ids) and {differs}
  order by dreams.id for no key update of dreams;
  if not found then
    return 0;
  end if;
  update dreams set
    average_impossibility = log.average_impossibility,
    best_score = log.best_score,
    improvement_trend = log.improvement_trend,
    test_count = coalesce(log.test_count, 0),
    last_tested_at = log.created_at
  from unnest(ids) as asked (id)
  left join lateral (
    select * from progress_logs where dream_id = asked.id order by progress_logs.id desc limit 1
  ) as log on true
  where dreams.id = asked.id and {differs};
  get diagnostics kept = row_count;
  return kept;
end $$
"""
DIFFERS = """(
    dreams.average_impossibility, dreams.best_score, dreams.improvement_trend,
    dreams.test_count, dreams.last_tested_at
  ) is distinct from (
    log.average_impossibility, log.best_score, log.improvement_trend,
    coalesce(log.test_count, 0), log.created_at
  )"""

KEEP_OF_LOGS = """
create function keep_progress() returns trigger language plpgsql as $$
declare
  ids uuid[];
begin
  select array_agg(distinct dream_id) into ids from changed;
  if ids is not null then
    perform keep_progress_of_dreams(ids);
  end if;
  return null;
end $$
"""
EVENTS = (
    ("insert", "new table as changed"),
    ("update", "new table as changed"),
    ("delete", "old table as changed"),
)

# The same as `slug_of` in db/dreams.py.
SLUG = """
create function slug_of_dream(title text, id uuid) returns text language sql immutable as $$
  select concat_ws(
    '-',
    nullif(
      trim(both '-' from left(
        trim(both '-' from lower(
          regexp_replace(
            regexp_replace(normalize(title, nfkd), '[\\u0300-\\u036f]', '', 'g'),
            '[^A-Za-z0-9]+', '-', 'g'
          ) collate "C"
        )),
        60
      )),
      ''
    ),
    right(cast(id as text), 12)
  )
$$
"""
NAME = """
create function name_dream() returns trigger language plpgsql as $$
begin
  new.slug := slug_of_dream(new.title, new.id);
  return new;
end $$
"""

# Functions find the tables of their schema, whatever the search path of the session is.
PATH = """
do $$ begin
  execute format('alter function {name} set search_path = %I, pg_temp', current_schema());
end $$
"""
FUNCTIONS = (
    "keep_progress_of_dreams(uuid[])",
    "keep_progress()",
    "name_dream()",
    "slug_of_dream(text, uuid)",
)


def upgrade() -> None:
    """Waits for writers of dreams and logs and holds them up for a moment; no row is read."""
    for name, type_ in SHOWN.items():
        op.add_column("dreams", sa.Column(name, type_, nullable=True))
    none = sa.text("0")
    op.add_column(
        "dreams", sa.Column("test_count", sa.Integer(), server_default=none, nullable=False)
    )
    op.execute(KEEP.replace("{differs}", DIFFERS))
    op.execute(KEEP_OF_LOGS)
    op.execute(SLUG)
    op.execute(NAME)
    for name in FUNCTIONS[:-1]:  # the last one reads no table
        op.execute(PATH.format(name=name))
    for event, changed in EVENTS:
        op.execute(
            f"create trigger keep_progress_after_{event} after {event} on progress_logs"
            f" referencing {changed} for each statement execute function keep_progress()"
        )
    op.execute(
        "create trigger name_dream before insert on dreams for each row"
        " when (new.slug is null) execute function name_dream()"
    )


def downgrade() -> None:
    """Drops the columns, which can be computed from the logs, and the slugs: addresses that
    contain one end."""
    op.execute("drop trigger name_dream on dreams")
    for event, _ in EVENTS:
        op.execute(f"drop trigger keep_progress_after_{event} on progress_logs")
    for name in FUNCTIONS:
        op.execute(f"drop function {name}")
    for name in (*SHOWN, "test_count"):
        op.drop_column("dreams", name)
