"""Indexes of lists: one for each order and for filters that find few rows.

Each replaces one of a single column, or has a condition that most rows do not meet. The two of
`audit_log` were read by no statement.
"""

from collections.abc import Sequence

from db.core.schema.indexes import NewIndex, replace_indexes

revision: str = "0013"
down_revision: str | None = "0012"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

SCORED = "status = 'COMPLETED' and impossibility_score is not null"
NEW = (
    NewIndex("ix_dreams_updated_at_id", "dreams", "(updated_at, id)"),
    NewIndex("ix_dreams_title_id", "dreams", "(title, id)"),
    NewIndex("ix_dreams_status_id", "dreams", "(status, id)"),
    NewIndex("ix_dreams_category_id", "dreams", "(category, id)"),
    NewIndex("ix_users_email_id", "users", "(email, id)"),
    NewIndex(
        "ix_progress_logs_average_impossibility_id",
        "progress_logs",
        "(average_impossibility, id)",
    ),
    NewIndex("ix_ai_tests_impossibility_score_id", "ai_tests", "(impossibility_score, id)"),
    NewIndex("ix_ai_tests_duration_id", "ai_tests", "(duration, id)"),
    NewIndex("ix_ai_tests_cost_id", "ai_tests", "(cost, id)"),
    NewIndex("ix_ai_tests_uncompleted", "ai_tests", "(status, id) where status <> 'COMPLETED'"),
    NewIndex(
        "ix_ai_tests_scores_of_models",
        "ai_tests",
        f"(dream_id, provider, model, id desc) include (impossibility_score) where {SCORED}",
    ),
    NewIndex(
        "ix_system_events_of_users", "system_events", "(user_id, id) where user_id is not null"
    ),
    NewIndex(
        "ix_system_events_severe",
        "system_events",
        "(severity, id) where severity in ('WARNING', 'ERROR', 'CRITICAL')",
    ),
    NewIndex(
        "ix_agent_history_unusual",
        "agent_history",
        "(status, id) where status in ('STARTING', 'PAUSED', 'ERROR', 'OFFLINE')",
    ),
    NewIndex("ix_user_analytics_session_id_id", "user_analytics", "(session_id, id)"),
)
OLD = (
    NewIndex("ix_dreams_active", "dreams", "(id) where status = 'ACTIVE'"),
    NewIndex("ix_dreams_category", "dreams", "(category)"),
    NewIndex("ix_users_email", "users", "(email)"),
    NewIndex("ix_progress_logs_average_impossibility", "progress_logs", "(average_impossibility)"),
    NewIndex("ix_ai_tests_impossibility_score", "ai_tests", "(impossibility_score)"),
    NewIndex("ix_audit_log_entity_entity_id_id", "audit_log", "(entity, entity_id, id)"),
    NewIndex("ix_audit_log_actor_id", "audit_log", "(actor, id)"),
)


def upgrade() -> None:
    """Takes about a minute for 10 GB. Gateways of any version read and write meanwhile: no
    statement needs an index to be correct."""
    replace_indexes(NEW, [(index.table, index.name) for index in OLD])


def downgrade() -> None:
    """Creates the former indexes, and drops the new ones."""
    replace_indexes(OLD, [(index.table, index.name) for index in NEW])
