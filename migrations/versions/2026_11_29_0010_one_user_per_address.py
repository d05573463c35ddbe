"""One user per address: whose letters are large, and the spaces around it, make no other of it.

Users of earlier versions who share an address are all kept, with everything that is theirs. It
belongs to the one who was created first; the others are numbered from 1 in `email_copy` or
`wallet_copy`, are not signed in by that address any more, and can be given another one.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0010"
down_revision: str | None = "0009"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


users = sa.table(
    "users", *map(sa.column, ("id", "email", "wallet_address", "email_copy", "wallet_copy"))
)
EMAIL, WALLET = users.c.email, users.c.wallet_address
# By the column of an address: the column of its copies, and the spelling that is compared.
ADDRESSES = {
    EMAIL: (users.c.email_copy, sa.func.lower(sa.func.btrim(EMAIL))),
    WALLET: (users.c.wallet_copy, sa.func.lower(WALLET)),
}


def upgrade() -> None:
    """Users can be read meanwhile, but not written, so that no further copy comes in. A gateway of
    an earlier version is refused another spelling of an address from then on."""
    op.execute("lock table users in share row exclusive mode")
    for address, (copy, spelling) in ADDRESSES.items():
        place = sa.func.row_number().over(partition_by=spelling, order_by=users.c.id) - 1
        numbered = sa.select(users.c.id, place.label("copy")).where(address.is_not(None)).subquery()
        op.execute(
            sa.update(users)
            .where(users.c.id == numbered.c.id, numbered.c.copy > 0)
            .values({copy: numbered.c.copy})
        )
        op.create_index(_index(address), "users", [spelling, copy.name], unique=True)


def downgrade() -> None:
    """Takes back the indexes and the numbers."""
    for address, (copy, _) in ADDRESSES.items():
        op.drop_index(_index(address), "users")
        op.execute(sa.update(users).where(copy > 0).values({copy: 0}))


def _index(address: sa.ColumnClause[object]) -> str:
    return f"uq_users_{address.name}_spelled"
