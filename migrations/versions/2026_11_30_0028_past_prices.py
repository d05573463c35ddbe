"""Past prices: what models cost before, kept by a trigger.

An older version of the gateway changes prices without knowing of them. What models cost before this
migration is in the audit log only; their prices count as those that they always had.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0028"
down_revision: str | None = "0027"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# The clock, because transactions that wait for each other do not begin in the order of changes.
KEEP = """
create function keep_past_price() returns trigger language plpgsql as $$
begin
  insert into past_prices (ai_model_id, valid_until, cost_per_1k_tokens,
    input_cost_per_1k_tokens, output_cost_per_1k_tokens)
  values (old.id, clock_timestamp(), old.cost_per_1k_tokens, old.input_cost_per_1k_tokens,
    old.output_cost_per_1k_tokens)
  on conflict do nothing;
  return null;
end $$
"""
TRIGGER = """
create trigger keep_past_price
after update of cost_per_1k_tokens, input_cost_per_1k_tokens, output_cost_per_1k_tokens
on ai_models for each row
when ((old.cost_per_1k_tokens, old.input_cost_per_1k_tokens, old.output_cost_per_1k_tokens)
  is distinct from
  (new.cost_per_1k_tokens, new.input_cost_per_1k_tokens, new.output_cost_per_1k_tokens))
execute function keep_past_price()
"""

# Trigger functions find the tables of their schema, whatever the search path of the session is.
PATH = """
do $$ begin
  execute format('alter function keep_past_price() set search_path = %I, pg_temp',
    current_schema());
end $$
"""


def upgrade() -> None:
    """Waits for writers of models and holds them up for a moment; no row is read."""
    op.create_table(
        "past_prices",
        sa.Column("ai_model_id", sa.Uuid(), nullable=False),
        sa.Column("valid_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cost_per_1k_tokens", sa.Numeric(precision=10, scale=6), nullable=True),
        sa.Column("input_cost_per_1k_tokens", sa.Numeric(), nullable=True),
        sa.Column("output_cost_per_1k_tokens", sa.Numeric(), nullable=True),
        sa.ForeignKeyConstraint(
            ["ai_model_id"],
            ["ai_models.id"],
            name=op.f("fk_past_prices_ai_model_id_ai_models"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("ai_model_id", "valid_until", name=op.f("pk_past_prices")),
    )
    op.execute(KEEP)
    op.execute(PATH)
    op.execute(TRIGGER)


def downgrade() -> None:
    """Drops the earlier prices."""
    op.execute("drop trigger keep_past_price on ai_models")
    op.execute("drop function keep_past_price()")
    op.drop_table("past_prices")
