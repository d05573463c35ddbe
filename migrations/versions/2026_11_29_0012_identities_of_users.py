"""Identities of users: the subjects of an issuer as which they sign in.

An address is no identity: it can be given to another person. So two users may have the same one,
numbered in `email_copy`. A wallet proves nothing: several users may claim it.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0012"
down_revision: str | None = "0011"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

ADDRESSES = ("email", "wallet_address")
CLAIMED = "ix_users_wallet_address_spelled"
UNIQUE = "uq_users_wallet_address_spelled"
# Wallets that were claimed by several users since, the first of them with 0.
NUMBER = """
update users set wallet_copy = numbered.copy
from (
  select id, row_number() over (partition by lower(wallet_address) order by id) - 1 as copy
  from users where wallet_address is not null
) as numbered
where users.id = numbered.id and wallet_copy <> numbered.copy
"""


def upgrade() -> None:
    """Takes a moment: no row is changed. An older version of the gateway goes on, and signs in by
    address whoever it belongs to; the next sign-in at this version notes the identity."""
    op.create_table(
        "user_identities",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.id"],
            name=op.f("fk_user_identities_user_id_users"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_identities")),
        sa.UniqueConstraint("issuer", "subject", name=op.f("uq_user_identities_issuer_subject")),
    )
    op.create_index(op.f("ix_user_identities_user_id"), "user_identities", ["user_id"])
    for name in ADDRESSES:
        op.execute(f"alter table users drop constraint if exists uq_users_{name}")
        op.execute(f"drop index if exists uq_users_{name}")
    op.create_index(op.f("ix_users_email"), "users", ["email"])
    op.drop_index(UNIQUE, "users")
    op.create_index(CLAIMED, "users", [sa.text("lower(wallet_address)")])


def downgrade() -> None:
    """Takes it back. All users are kept: those who share an address keep its numbers."""
    op.execute("lock table users in share row exclusive mode")
    op.drop_index(CLAIMED, "users")
    op.drop_index(op.f("ix_users_email"), "users")
    op.execute(NUMBER)
    op.create_index(UNIQUE, "users", [sa.text("lower(wallet_address)"), "wallet_copy"], unique=True)
    for name, copy in zip(ADDRESSES, ("email_copy", "wallet_copy"), strict=True):
        first = sa.text(f"{copy} = 0")
        op.create_index(f"uq_users_{name}", "users", [name], unique=True, postgresql_where=first)
    op.drop_table("user_identities")
