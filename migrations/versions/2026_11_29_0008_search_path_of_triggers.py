"""Trigger functions find the tables of their schema, whatever the search path of the session is."""

from collections.abc import Sequence

from alembic import op

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

FUNCTIONS = ("feed_take_turns", "feed_number")

# pg_restore and other tools work with an empty search path.
SET = """
do $$ begin
  execute format('alter function {name}() set search_path = %I, pg_temp', current_schema());
end $$
"""


def upgrade() -> None:
    """Changes the functions in place; nothing waits."""
    for name in FUNCTIONS:
        op.execute(SET.format(name=name))


def downgrade() -> None:
    """Takes it back."""
    for name in FUNCTIONS:
        op.execute(f"alter function {name}() reset search_path")
