"""Autogenerate: write a migration from the difference between the tables and the newest one."""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from db.core.connections.url import connection_info
from db.core.embedded import Embedded
from db.core.schema import migrate, revisions
from db.core.schema.migration_lock import lock_session


class NoCheckout(Exception):
    """The project is installed, not checked out, so there is no folder for migrations."""


def new_migration(name: str) -> None:
    """Write the next migration, to be reviewed and corrected, and print its path.

    It compares with a new, temporary database. Raises NoCheckout, EmbeddedFailed.
    """
    if revisions.PACKAGED.is_dir():
        raise NoCheckout
    number = f"{int(revisions.head()) + 1:04}"
    with TemporaryDirectory() as folder, Embedded(Path(folder) / "postgres") as url:
        asyncio.run(_write(url, name, number))


async def _write(url: str, name: str, number: str) -> None:
    await migrate.upgrade(url)
    async with lock_session(connection_info(url)) as connection:
        await connection.run_sync(_compare, name, number)


def _compare(connection: Connection, name: str, number: str) -> None:
    attributes = {"connection": connection, "is_alone": True}
    config = Config(toml_file=revisions.CHECKOUT / "pyproject.toml", attributes=attributes)
    command.revision(config, name, autogenerate=True, rev_id=number)
