"""Health: whether the database answers, takes writes, and has the tables this code knows."""

import asyncio
import time
from dataclasses import dataclass

import structlog
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from db.core.background import background
from db.core.connections import pooler
from db.core.connections.pooler import Pooler
from db.core.connections.url import ConnectionInfo
from db.core.errors import Unavailable
from db.core.schema.revision import stored_revision
from db.core.session.database import STATEMENT_SECONDS, Database, ReadSession

OLDEST_SERVER = 15
ANSWER_SECONDS = 1.0
FRESH_SECONDS = 1.0  # how long a state counts: load balancers of many zones ask at the same time

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a database is like: PostgreSQL's version as 18.4, and the revision of its tables, None
    where no migration ever ran. It is read-only when a standby, or when set so. `identity` is the
    same for all ways to one database of one running server."""

    version: str
    read_only: bool
    revision: str | None
    pooler: Pooler
    identity: str

    @property
    def too_old(self) -> bool:
        """Whether PostgreSQL lacks what our statements use."""
        return int(self.version.split(".")[0]) < OLDEST_SERVER


@dataclass(frozen=True, slots=True)
class DatabaseState:
    """What an open database is like at the moment; `latency` is in seconds."""

    latency: float
    read_only: bool
    revision: str | None


class Probe:
    """Looks at a database over a connection of its own, which requests cannot use up. However many
    ask, it looks once a second."""

    def __init__(self, database: Database) -> None:
        self.database = database.borrowed_by("health")
        self.own = Database(database.url, pool_size=1)
        self._looking: asyncio.Task[DatabaseState | None] | None = None
        self._began = 0.0

    async def state(self) -> DatabaseState | None:
        """The state within the last second; None when the database does not answer in time."""
        if self._looking is None or (self._looking.done() and self._age >= FRESH_SECONDS):
            self._began = time.monotonic()
            self._looking = background(self._look())
        return await asyncio.shield(self._looking)

    async def close(self) -> None:
        """Closes its connection."""
        await self.own.close()

    @property
    def _age(self) -> float:
        return time.monotonic() - self._began

    async def _look(self) -> DatabaseState | None:
        """A look that takes too long is cancelled but not awaited: to give up a connection to a
        server that hangs takes seconds more."""
        task = background(self._found())
        done, _ = await asyncio.wait({task}, timeout=ANSWER_SECONDS)
        task.cancel()
        return task.result() if done else None

    async def _found(self) -> DatabaseState | None:
        try:
            return await self._state()
        except Unavailable:
            return None
        except Exception:
            log.exception("health check failed")
            return None

    async def _state(self) -> DatabaseState:
        """A session keeps the setting that it began with: where it, or a write, has met a read-only
        database, another session tells whether that is still so."""
        if self.database.refused_writes.is_set():
            self.database.refused_writes.clear()
            await self.own.close()
        try:
            found = await _state(self.own)
            if found.read_only:
                await self.own.close()
                found = await _state(self.own)
        except Unavailable:  # there may be no connection left for this one
            found = await _state(self.database)
        return found


async def inspect(url: ConnectionInfo) -> Inspection:
    """Looks at a database nobody opened yet. Raises Unavailable, whose message says why."""
    database = Database(url.behind(Pooler.UNKNOWN), pool_size=1)
    seconds = url.connect_seconds * len(url.hosts) + STATEMENT_SECONDS
    try:
        async with asyncio.timeout(seconds), database.read() as session:
            return await _examination(session, url.pooler)
    except Exception as error:  # a driver has many ways to say that it cannot connect
        raise Unavailable(_reason(error)) from error
    finally:
        await database.close()


async def _state(database: Database) -> DatabaseState:
    async with database.read() as session:
        began = time.perf_counter()
        read_only = await _is_read_only(session)
        return DatabaseState(
            time.perf_counter() - began, read_only, (await stored_revision(session)).revision
        )


async def _examination(session: ReadSession, told: Pooler) -> Inspection:
    version = await session.scalar(select(func.current_setting("server_version")))
    read_only = await _is_read_only(session)
    found = await pooler.find(session.connection) if told == Pooler.UNKNOWN else told
    revision = (await stored_revision(session)).revision
    identity = await session.scalar(
        select(func.concat(func.pg_postmaster_start_time(), " ", func.current_database()))
    )
    return Inspection(version.split()[0], read_only, revision, found, identity)


async def _is_read_only(session: ReadSession) -> bool:
    setting = await session.scalar(select(func.current_setting("transaction_read_only")))
    return bool(setting == "on")


def _reason(error: BaseException) -> str:
    """What the innermost error says, on one line."""
    while isinstance(error, Unavailable) and error.__cause__:
        error = error.__cause__
    if isinstance(error, DBAPIError) and error.orig:
        error = error.orig
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    return " ".join(str(error).split()) or type(error).__name__
