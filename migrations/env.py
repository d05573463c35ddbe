"""The environment of alembic, run by `db.core.schema.migrate`.

It uses the open connection of the command, or none to print statements as text.
"""

from alembic import context
from sqlalchemy import MetaData

import db as db  # registers every table on the metadata
from db.core.schema.revision import VERSIONS
from db.core.table import Table


def run() -> None:
    """Runs what alembic was asked to run; each migration is a transaction."""
    if context.is_offline_mode():
        context.configure(dialect_name="postgresql", version_table=VERSIONS)
    else:
        context.configure(
            connection=context.config.attributes["connection"],
            version_table=VERSIONS,
            target_metadata=tables(),
            transaction_per_migration=True,
            compare_type=True,
            compare_server_default=True,
            include_name=is_ours,
        )
    with context.begin_transaction():
        context.run_migrations()


def is_ours(name: str | None, kind: str, _: object) -> bool:
    """Whether to compare it: other tables are partitions, or those of other applications. In a
    database made for the purpose a table that the code does not declare is one to drop."""
    if kind != "table" or name in Table.metadata.tables:
        return True
    is_of_library = name is not None and name.startswith("procrastinate_")
    return bool(context.config.attributes.get("is_alone")) and not is_of_library


def tables() -> MetaData:
    """All tables, with the constraints of a column moved to its table: alembic sees no others."""
    for table in Table.metadata.tables.values():
        for column in table.columns:
            while column.constraints:
                table.append_constraint(column.constraints.pop())
    return Table.metadata


run()
