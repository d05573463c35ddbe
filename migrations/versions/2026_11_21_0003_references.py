"""A reference to a secret is a name: nothing else can be stored as one."""

from collections.abc import Sequence

from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Adds a constraint to a small table."""
    op.create_check_constraint(
        op.f("ck_system_config_reference"),
        "system_config",
        "kind <> 'SECRET_REFERENCE' or jsonb_typeof(value) = 'string'",
    )


def downgrade() -> None:
    """Takes it back."""
    op.drop_constraint(op.f("ck_system_config_reference"), "system_config", type_="check")
