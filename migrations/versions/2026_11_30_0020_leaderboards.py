"""Leaderboards: fill the progress and slugs of dreams, and index them; and indexes of documents.

The rows of each step are committed before the next ones are locked, and an interrupted run is
continued: what is filled is not filled again.
"""

from collections.abc import Sequence

from alembic import op
from sqlalchemy import text

from db.core.schema.indexes import NewIndex, outside_transaction, replace_indexes

revision: str = "0020"
down_revision: str | None = "0019"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

AT_ONCE = 1_000  # dreams

NEW = (
    NewIndex("ix_dreams_average_impossibility_id", "dreams", "(average_impossibility, id)"),
    NewIndex("ix_dreams_best_score_id", "dreams", "(best_score, id)"),
    NewIndex("ix_dreams_improvement_trend_id", "dreams", "(improvement_trend, id)"),
    NewIndex("ix_dreams_test_count_id", "dreams", "(test_count, id)"),
    NewIndex("ix_dreams_last_tested_at_id", "dreams", "(last_tested_at, id)"),
    NewIndex("ix_dreams_slug", "dreams", "(slug)", unique=True),
    NewIndex(
        "ix_ai_tests_test_parameters", "ai_tests", "using gin (test_parameters jsonb_path_ops)"
    ),
    NewIndex(
        "ix_progress_logs_snapshot_data",
        "progress_logs",
        "using gin (snapshot_data jsonb_path_ops)",
    ),
    NewIndex(
        "ix_performance_metrics_tags", "performance_metrics", "using gin (tags jsonb_path_ops)"
    ),
)

NEXT = text("""
    select (array_agg(id order by id desc))[1], array_agg(id)
    from (select id from dreams where id > :after order by id limit :most) as dream
""")
FILL = (
    text("select keep_progress_of_dreams(:ids)"),
    text("update dreams set slug = slug_of_dream(title, id) where id = any(:ids) and slug is null"),
)


def upgrade() -> None:
    """Takes a minute per million dreams, and about as long for the indexes as 0013. Gateways of
    any version read and write meanwhile."""
    _fill()
    op.execute("alter table dreams add constraint ck_slug check (slug is not null) not valid")
    op.execute("alter table dreams validate constraint ck_slug")
    op.alter_column("dreams", "slug", nullable=False)
    op.execute("alter table dreams drop constraint ck_slug")
    replace_indexes(NEW, ())


def _fill() -> None:
    if op.get_context().as_sql:
        for statement in FILL:
            op.execute(str(statement).replace(":ids", "array(select id from dreams)"))
        return
    with outside_transaction() as connection:
        last = "00000000-0000-0000-0000-000000000000"
        while True:
            last, ids = connection.execute(NEXT, {"after": last, "most": AT_ONCE}).one()
            if ids is None:
                return
            for statement in FILL:
                connection.execute(statement, {"ids": ids})


def downgrade() -> None:
    """Drops the indexes. Older versions store dreams without a slug; the trigger names them."""
    replace_indexes((), [(index.table, index.name) for index in NEW])
    op.alter_column("dreams", "slug", nullable=True)
