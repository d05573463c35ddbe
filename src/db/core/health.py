"""Health: whether the database answers, takes writes, and has the tables this code knows."""

import asyncio
from dataclasses import dataclass

from sqlalchemy import column, func, literal, select, table
from sqlalchemy.exc import DBAPIError

from db.core import pooler
from db.core.database import STATEMENT_SECONDS, Database, ReadSession
from db.core.errors import Unavailable
from db.core.pooler import Pooler
from db.core.url import ConnectionInfo

OLDEST_SERVER = 15

_version = table("alembic_version", column("version_num"))


@dataclass(frozen=True, slots=True)
class Examination:
    """What a database is like: PostgreSQL's version as 18.4, and the revision of its tables, None
    where no migration ever ran. It is read-only when a standby, or when set so."""

    version: str
    read_only: bool
    revision: str | None
    pooler: Pooler

    @property
    def too_old(self) -> bool:
        """Whether PostgreSQL lacks what our statements use."""
        return int(self.version.split(".")[0]) < OLDEST_SERVER


async def ping(database: Database) -> None:
    """Returns when the database answers. Raises Unavailable."""
    async with database.read() as session:
        await session.scalar(select(literal(1)))


async def revision(database: Database) -> str | None:
    """The revision its migrations brought it to, None where none ever ran. Raises Unavailable."""
    async with database.read() as session:
        return await _revision(session)


async def examine(url: ConnectionInfo) -> Examination:
    """Looks at a database nobody opened yet. Raises Unavailable, whose message says why."""
    database = Database(url, pool_size=1)
    seconds = url.connect_seconds * len(url.hosts) + STATEMENT_SECONDS
    try:
        async with asyncio.timeout(seconds), database.read() as session:
            return await _examination(session, url.pooler)
    except Exception as error:  # a driver has many ways to say that it cannot connect
        raise Unavailable(_reason(error)) from error
    finally:
        await database.close()


async def _examination(session: ReadSession, told: Pooler) -> Examination:
    version = await session.scalar(select(func.current_setting("server_version")))
    read_only = await session.scalar(select(func.current_setting("transaction_read_only")))
    found = await pooler.find(session.connection) if told == Pooler.UNKNOWN else told
    return Examination(version.split()[0], read_only == "on", await _revision(session), found)


async def _revision(session: ReadSession) -> str | None:
    known = await session.scalar(select(func.to_regclass("alembic_version").is_not(None)))
    return await session.scalar(select(_version.c.version_num)) if known else None


def _reason(error: BaseException) -> str:
    """What the innermost error says, on one line."""
    while isinstance(error, Unavailable) and error.__cause__:
        error = error.__cause__
    if isinstance(error, DBAPIError) and error.orig:
        error = error.orig
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    return " ".join(str(error).split()) or type(error).__name__
