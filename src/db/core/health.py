"""Health: whether the database answers, takes writes, and has the tables this code knows."""

from sqlalchemy import column, func, literal, select, table

from db.core.database import Database

_version = table("alembic_version", column("version_num"))


async def ping(database: Database) -> None:
    """Returns when the database answers. Raises Unavailable."""
    async with database.read() as session:
        await session.scalar(select(literal(1)))


async def server_version(database: Database) -> str:
    """PostgreSQL's version, as 18.4."""
    async with database.read() as session:
        return str(await session.scalar(select(func.current_setting("server_version"))))


async def read_only(database: Database) -> bool:
    """Whether it refuses writes: a standby, or a server or user set so."""
    async with database.read() as session:
        setting = select(func.current_setting("transaction_read_only"))
        return bool(await session.scalar(setting) == "on")


async def revision(database: Database) -> str | None:
    """The revision its migrations brought it to, None where none ever ran."""
    async with database.read() as session:
        known = await session.scalar(select(func.to_regclass("alembic_version").is_not(None)))
        return await session.scalar(select(_version.c.version_num)) if known else None
