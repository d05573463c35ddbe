"""All tables of the first release, without partitions: those are made as time goes on."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateSequence, DropSequence

SEQUENCES = ("agent_history_seq", "system_events_seq")
TABLES = (  # in the order in which they can be dropped
    "progress_logs",
    "ai_tests",
    "system_config",
    "notifications",
    "dreams",
    "api_keys",
    "users",
    "user_analytics",
    "system_events",
    "performance_metrics",
    "feature_flags",
    "changes",
    "audit_log",
    "ai_models",
    "agent_states",
    "agent_history",
)
AGENT_STATUS = "('IDLE', 'STARTING', 'RUNNING', 'WAITING', 'PAUSED', 'ERROR', 'OFFLINE')"
DREAM_CATEGORY = (
    "('CODING', 'REASONING', 'SCIENCE', 'MATH', "
    "'CREATIVE', 'LANGUAGE', 'VISION', 'AGENTIC', 'OTHER')"
)
SEARCH = (
    "setweight(to_tsvector('english', title), 'A')"
    " || setweight(to_tsvector('english', coalesce(description, '')), 'B')"
    " || setweight(to_tsvector('english', coalesce(original_prompt, '')), 'C')"
)

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def document(name: str) -> sa.Column[object]:
    return sa.Column(name, postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False)


def stamp(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False)


def upgrade() -> None:
    """Runs in a transaction of its own; env.py has set lock_timeout."""
    for sequence in SEQUENCES:
        op.execute(CreateSequence(sa.Sequence(sequence)))
    op.create_table(
        "agent_history",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "seq",
            sa.BigInteger(),
            server_default=sa.text("nextval('agent_history_seq')"),
            nullable=False,
        ),
        sa.Column("agent_key", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("previous_status", sa.Text()),
        sa.Column("current_task", postgresql.JSONB()),
        document("performance_metrics"),
        sa.Column("error", sa.Text()),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            f"previous_status in {AGENT_STATUS}", name=op.f("ck_agent_history_previous_status")
        ),
        sa.CheckConstraint(f"status in {AGENT_STATUS}", name=op.f("ck_agent_history_status")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agent_history")),
        postgresql_partition_by="RANGE (id)",
    )
    op.create_index(op.f("ix_agent_history_agent_key_id"), "agent_history", ["agent_key", "id"])
    op.create_index(op.f("ix_agent_history_seq"), "agent_history", ["seq"])
    op.create_table(
        "agent_states",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agent_key", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), server_default="IDLE", nullable=False),
        sa.Column("last_active", sa.DateTime(timezone=True), nullable=False),
        sa.Column("current_task", postgresql.JSONB()),
        document("performance_metrics"),
        sa.Column("error_log", postgresql.JSONB(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        stamp("created_at"),
        stamp("updated_at"),
        sa.CheckConstraint(f"status in {AGENT_STATUS}", name=op.f("ck_agent_states_status")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agent_states")),
        sa.UniqueConstraint("agent_key", name=op.f("uq_agent_states_agent_key")),
    )
    op.create_index(op.f("ix_agent_states_status"), "agent_states", ["status"])
    op.create_table(
        "ai_models",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("max_tokens", sa.BigInteger()),
        sa.Column("cost_per_1k_tokens", sa.Numeric(precision=10, scale=6)),
        sa.Column("input_cost_per_1k_tokens", sa.Numeric()),
        sa.Column("output_cost_per_1k_tokens", sa.Numeric()),
        sa.Column("is_active", sa.Boolean()),
        sa.Column(
            "capabilities",
            postgresql.ARRAY(sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        stamp("created_at"),
        stamp("updated_at"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ai_models")),
        sa.UniqueConstraint("provider", "name", name=op.f("uq_ai_models_provider_name")),
    )
    op.create_index(
        "ix_ai_models_active",
        "ai_models",
        ["provider", "name"],
        postgresql_where=sa.text("is_active"),
    )
    op.create_index(
        op.f("ix_ai_models_capabilities"), "ai_models", ["capabilities"], postgresql_using="gin"
    )
    op.create_table(
        "audit_log",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("actor", sa.Uuid()),
        sa.Column("key_id", sa.Uuid()),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("entity_id", sa.Uuid(), nullable=False),
        sa.Column("before", postgresql.JSONB()),
        sa.Column("after", postgresql.JSONB()),
        sa.Column("request_id", sa.Text()),
        stamp("created_at"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
    )
    op.create_index(op.f("ix_audit_log_actor_id"), "audit_log", ["actor", "id"])
    op.create_index(
        op.f("ix_audit_log_entity_entity_id_id"), "audit_log", ["entity", "entity_id", "id"]
    )
    op.create_table(
        "changes",
        sa.Column("seq", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("noun", sa.Text(), nullable=False),
        sa.Column("entity_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column(
            "at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "kind in ('CREATED', 'UPDATED', 'DELETED')", name=op.f("ck_changes_kind")
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_changes")),
    )
    op.create_table(
        "feature_flags",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("rollout_percent", sa.Integer(), server_default=sa.text("100"), nullable=False),
        sa.Column("description", sa.Text()),
        stamp("created_at"),
        stamp("updated_at"),
        sa.CheckConstraint(
            "rollout_percent between 0 and 100", name=op.f("ck_feature_flags_rollout_percent")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feature_flags")),
        sa.UniqueConstraint("key", name=op.f("uq_feature_flags_key")),
    )
    op.create_table(
        "performance_metrics",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("metric_name", sa.Text(), nullable=False),
        sa.Column("value", sa.Numeric(precision=15, scale=6), nullable=False),
        sa.Column("unit", sa.Text()),
        document("tags"),
        sa.Column("timestamp", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_performance_metrics")),
        postgresql_partition_by="RANGE (id)",
    )
    op.create_index(
        op.f("ix_performance_metrics_metric_name_id"), "performance_metrics", ["metric_name", "id"]
    )
    op.create_table(
        "system_events",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "seq",
            sa.BigInteger(),
            server_default=sa.text("nextval('system_events_seq')"),
            nullable=False,
        ),
        sa.Column("event_type", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), server_default="INFO", nullable=False),
        document("payload"),
        sa.Column("timestamp", sa.DateTime(timezone=True), nullable=False),
        document("metadata"),
        sa.Column("user_id", sa.Uuid()),
        sa.CheckConstraint(
            "severity in ('DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL')",
            name=op.f("ck_system_events_severity"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_system_events")),
        postgresql_partition_by="RANGE (id)",
    )
    op.create_index(op.f("ix_system_events_event_type_id"), "system_events", ["event_type", "id"])
    op.create_index(op.f("ix_system_events_seq"), "system_events", ["seq"])
    op.create_index(op.f("ix_system_events_source_id"), "system_events", ["source", "id"])
    op.create_table(
        "user_analytics",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid()),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("page", sa.Text()),
        sa.Column("session_id", sa.Text()),
        sa.Column("timestamp", sa.DateTime(timezone=True), nullable=False),
        document("metadata"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_analytics")),
        postgresql_partition_by="RANGE (id)",
    )
    op.create_index(op.f("ix_user_analytics_action_id"), "user_analytics", ["action", "id"])
    op.create_index(op.f("ix_user_analytics_user_id_id"), "user_analytics", ["user_id", "id"])
    op.create_table(
        "users",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.Text()),
        sa.Column("wallet_address", sa.Text()),
        sa.Column("passport_tier", sa.Text(), server_default="visitor", nullable=False),
        sa.Column("role", sa.Text(), server_default="MEMBER", nullable=False),
        document("metadata"),
        document("preferences"),
        stamp("created_at"),
        stamp("updated_at"),
        sa.CheckConstraint("role in ('MEMBER', 'OPERATOR', 'ADMIN')", name=op.f("ck_users_role")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("email", name=op.f("uq_users_email")),
        sa.UniqueConstraint("wallet_address", name=op.f("uq_users_wallet_address")),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("hashed_key", sa.Text(), nullable=False),
        sa.Column(
            "scopes", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column("last_used_at", sa.DateTime(timezone=True)),
        sa.Column("expires_at", sa.DateTime(timezone=True)),
        sa.Column("revoked_at", sa.DateTime(timezone=True)),
        stamp("created_at"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_api_keys_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("prefix", name=op.f("uq_api_keys_prefix")),
    )
    op.create_index(op.f("ix_api_keys_user_id"), "api_keys", ["user_id"])
    op.create_table(
        "dreams",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid()),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text()),
        sa.Column("original_prompt", sa.Text()),
        sa.Column("category", sa.Text(), server_default="OTHER", nullable=False),
        sa.Column(
            "tags", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column("is_public", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("status", sa.Text(), server_default="ACTIVE", nullable=False),
        sa.Column("remixed_from_id", sa.Uuid()),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("import_key", sa.Text()),
        sa.Column(
            "search",
            postgresql.TSVECTOR(),
            sa.Computed(
                SEARCH,
                persisted=True,
            ),
            nullable=False,
        ),
        stamp("created_at"),
        stamp("updated_at"),
        sa.CheckConstraint(
            f"category in {DREAM_CATEGORY}",
            name=op.f("ck_dreams_category"),
        ),
        sa.CheckConstraint(
            "status in ('DRAFT', 'ACTIVE', 'ACHIEVED', 'ARCHIVED')", name=op.f("ck_dreams_status")
        ),
        sa.ForeignKeyConstraint(
            ["remixed_from_id"],
            ["dreams.id"],
            name=op.f("fk_dreams_remixed_from_id_dreams"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_dreams_user_id_users"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dreams")),
        sa.UniqueConstraint("import_key", name=op.f("uq_dreams_import_key")),
    )
    op.create_index(
        "ix_dreams_active", "dreams", ["id"], postgresql_where=sa.text("status = 'ACTIVE'")
    )
    op.create_index(op.f("ix_dreams_category"), "dreams", ["category"])
    op.create_index("ix_dreams_public", "dreams", ["id"], postgresql_where=sa.text("is_public"))
    op.create_index(op.f("ix_dreams_remixed_from_id"), "dreams", ["remixed_from_id"])
    op.create_index(op.f("ix_dreams_search"), "dreams", ["search"], postgresql_using="gin")
    op.create_index(op.f("ix_dreams_tags"), "dreams", ["tags"], postgresql_using="gin")
    op.create_index(op.f("ix_dreams_user_id_id"), "dreams", ["user_id", "id"])
    op.create_table(
        "notifications",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("body", sa.Text()),
        document("payload"),
        sa.Column("read_at", sa.DateTime(timezone=True)),
        stamp("created_at"),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.id"],
            name=op.f("fk_notifications_user_id_users"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notifications")),
    )
    op.create_index(
        "ix_notifications_unread",
        "notifications",
        ["user_id", "id"],
        postgresql_where=sa.text("read_at is null"),
    )
    op.create_index(op.f("ix_notifications_user_id_id"), "notifications", ["user_id", "id"])
    op.create_table(
        "system_config",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", postgresql.JSONB(), nullable=False),
        sa.Column("description", sa.Text()),
        sa.Column("category", sa.Text()),
        sa.Column("kind", sa.Text(), server_default="PLAIN", nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("updated_by", sa.Uuid()),
        stamp("created_at"),
        stamp("updated_at"),
        sa.CheckConstraint(
            "kind in ('PLAIN', 'SECRET_REFERENCE')", name=op.f("ck_system_config_kind")
        ),
        sa.ForeignKeyConstraint(
            ["updated_by"],
            ["users.id"],
            name=op.f("fk_system_config_updated_by_users"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_system_config")),
        sa.UniqueConstraint("key", name=op.f("uq_system_config_key")),
    )
    op.create_index(op.f("ix_system_config_category"), "system_config", ["category"])
    op.create_table(
        "ai_tests",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("dream_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid()),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("impossibility_score", sa.Numeric(precision=5, scale=2)),
        sa.Column("confidence", sa.Numeric(precision=5, scale=2)),
        sa.Column("reasoning", sa.Text()),
        sa.Column("duration", sa.BigInteger()),
        sa.Column("tokens_used", sa.BigInteger()),
        sa.Column("cost", sa.Numeric(precision=10, scale=6)),
        sa.Column("status", sa.Text(), server_default="PENDING", nullable=False),
        document("test_parameters"),
        sa.Column("completed_at", sa.DateTime(timezone=True)),
        stamp("created_at"),
        sa.CheckConstraint(
            "status in ('PENDING', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED')",
            name=op.f("ck_ai_tests_status"),
        ),
        sa.CheckConstraint("confidence between 0 and 100", name=op.f("ck_ai_tests_confidence")),
        sa.CheckConstraint(
            "impossibility_score between 0 and 100", name=op.f("ck_ai_tests_impossibility_score")
        ),
        sa.ForeignKeyConstraint(
            ["dream_id"],
            ["dreams.id"],
            name=op.f("fk_ai_tests_dream_id_dreams"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_ai_tests_user_id_users"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ai_tests")),
        postgresql_partition_by="RANGE (id)",
    )
    op.create_index(op.f("ix_ai_tests_dream_id_id"), "ai_tests", ["dream_id", "id"])
    op.create_index(op.f("ix_ai_tests_impossibility_score"), "ai_tests", ["impossibility_score"])
    op.create_index(op.f("ix_ai_tests_provider_model_id"), "ai_tests", ["provider", "model", "id"])
    op.create_index(op.f("ix_ai_tests_user_id_id"), "ai_tests", ["user_id", "id"])
    op.create_table(
        "progress_logs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("dream_id", sa.Uuid(), nullable=False),
        sa.Column("average_impossibility", sa.Numeric(precision=5, scale=2), nullable=False),
        sa.Column("best_score", sa.Numeric(precision=5, scale=2), nullable=False),
        sa.Column("test_count", sa.Integer(), nullable=False),
        sa.Column(
            "active_models",
            postgresql.ARRAY(sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column("improvement_trend", sa.Numeric(precision=9, scale=2)),
        document("snapshot_data"),
        stamp("created_at"),
        sa.CheckConstraint(
            "average_impossibility between 0 and 100",
            name=op.f("ck_progress_logs_average_impossibility"),
        ),
        sa.CheckConstraint(
            "best_score between 0 and 100", name=op.f("ck_progress_logs_best_score")
        ),
        sa.ForeignKeyConstraint(
            ["dream_id"],
            ["dreams.id"],
            name=op.f("fk_progress_logs_dream_id_dreams"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_progress_logs")),
    )
    op.create_index(
        op.f("ix_progress_logs_average_impossibility"), "progress_logs", ["average_impossibility"]
    )
    op.create_index(op.f("ix_progress_logs_dream_id_id"), "progress_logs", ["dream_id", "id"])


def downgrade() -> None:
    """Takes back all that `upgrade` did; indexes and partitions go with their tables."""
    for table in TABLES:
        op.drop_table(table)
    for sequence in SEQUENCES:
        op.execute(DropSequence(sa.Sequence(sequence)))
