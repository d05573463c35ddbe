"""Draft: a new migration, written from how the tables in the code differ from the newest one."""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from alembic import command
from alembic.config import Config

from db.core import migrate
from db.core.embedded import Embedded


def draft(name: str) -> None:
    """Writes the next migration, to be read and corrected, and prints where.

    It compares with a database made for the purpose, so that a developer's own, which may hold
    anything, has no say. Raises EmbeddedFailed.
    """
    number = f"{int(migrate.HEAD or 0) + 1:04}"
    with TemporaryDirectory() as folder, Embedded(Path(folder) / "postgres") as url:
        asyncio.run(migrate.upgrade(url))
        config = Config(toml_file=migrate.ROOT / "pyproject.toml", attributes={"url": url})
        command.revision(config, name, autogenerate=True, rev_id=number)
