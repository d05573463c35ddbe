"""Health: whether the database answers, accepts writes, and has the expected revision."""

import asyncio
import time
from dataclasses import dataclass, replace

import structlog
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from db.core.background import background
from db.core.connections import pooler
from db.core.connections.pooler import Pooler
from db.core.connections.url import ConnectionInfo
from db.core.error_facts import summary
from db.core.errors import Unavailable
from db.core.schema.kept_statements import are_kept_at
from db.core.schema.revision import stored_revision
from db.core.session.database import STATEMENT_SECONDS, Database, ReadSession

OLDEST_SERVER = 15
ANSWER_SECONDS = 1.0
PROVED_SECONDS = 60.0  # a proof that statements are kept is repeated after so long
FRESH_SECONDS = 1.0  # a state is reused for so long: load balancers probe at the same time

LOSES = (
    "its connection pooler loses prepared statements, which DREAMNET_POOLER says it keeps: "
    "unset it, or set it to `transaction`"
)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Inspection:
    """The properties of a database. `version` is like 18.4; `revision` is None if no migration has
    run; `read_only` is set for a standby too. `identity` is the same for all URLs of one database
    of a running server."""

    version: str
    read_only: bool
    revision: str | None
    pooler: Pooler
    identity: str

    @property
    def too_old(self) -> bool:
        return int(self.version.split(".")[0]) < OLDEST_SERVER


@dataclass(frozen=True, slots=True)
class DatabaseState:
    """The present state of a database; `latency` is in seconds. `keeps_statements` is false behind
    a pooler that loses prepared statements."""

    latency: float
    read_only: bool
    revision: str | None
    keeps_statements: bool = True


class Probe:
    """Checks a database on a connection of its own, apart from those of requests, at most once a
    second."""

    def __init__(self, database: Database) -> None:
        self.database = database.borrowed_by("health")
        self.own = Database(database.url, pool_size=1)
        self._looking: asyncio.Task[DatabaseState | None] | None = None
        self._began = 0.0
        self._is_kept = True  # proved at the start
        self._proved_at = time.monotonic()
        self._proving: asyncio.Task[None] | None = None

    async def state(self) -> DatabaseState | None:
        """The state within the last second; None if the database does not answer in time."""
        if self._looking is None or (self._looking.done() and self._age >= FRESH_SECONDS):
            self._began = time.monotonic()
            self._looking = background(self._look())
        return await asyncio.shield(self._looking)

    async def close(self) -> None:
        if self._proving:
            self._proving.cancel()
            await asyncio.wait({self._proving}, timeout=ANSWER_SECONDS)
        await self.own.close()

    @property
    def _age(self) -> float:
        return time.monotonic() - self._began

    async def _look(self) -> DatabaseState | None:
        """A check that takes too long is cancelled but not awaited: closing a connection to a
        server that hangs takes seconds."""
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
        """Check in a new session if this one, or a write, has found the database read-only: a
        session keeps the setting it began with."""
        if self.database.refused_writes.is_set():
            self.database.refused_writes.clear()
            await self.own.close()
        try:
            found = await _state(self.own)
            if found.read_only:
                await self.own.close()
                found = await _state(self.own)
        except Unavailable:  # the server may have no connection left for `own`
            found = await _state(self.database)
        return replace(found, keeps_statements=self._keeps_statements())

    def _keeps_statements(self) -> bool:
        """By the last proof. It is repeated once a minute, beside the check, which may not take as
        long, and at each check while it fails."""
        is_due = not self._is_kept or time.monotonic() - self._proved_at > PROVED_SECONDS
        if is_due and (self._proving is None or self._proving.done()):
            self._proving = background(self._prove())
        return self._is_kept

    async def _prove(self) -> None:
        self._proved_at = time.monotonic()
        try:
            self._is_kept = await are_kept_at(self.database.url)
        except Exception as error:  # the check itself tells whether the database answers
            log.debug("statements not proved", error=summary(error))


async def inspect(url: ConnectionInfo) -> Inspection:
    """Inspect a database before it is opened. Raises Unavailable with the reason."""
    database = Database(url.behind(Pooler.UNKNOWN), pool_size=1)
    seconds = url.connect_seconds * len(url.hosts) + STATEMENT_SECONDS
    try:
        async with asyncio.timeout(seconds), database.read() as session:
            return await _examination(session, url)
    except Exception as error:  # drivers raise many types if they cannot connect
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


async def _examination(session: ReadSession, url: ConnectionInfo) -> Inspection:
    version = await session.scalar(select(func.current_setting("server_version")))
    read_only = await _is_read_only(session)
    found = await _proved_pooler(session, url)
    revision = (await stored_revision(session)).revision
    identity = await session.scalar(
        select(func.concat(func.pg_postmaster_start_time(), " ", func.current_database()))
    )
    return Inspection(version.split()[0], read_only, revision, found, identity)


async def _proved_pooler(session: ReadSession, url: ConnectionInfo) -> Pooler:
    """The kind of the pooler as it is set, or else found. Raises Unavailable if it is set to one
    that keeps statements, and this one loses them."""
    is_set = url.pooler != Pooler.UNKNOWN
    kind = url.pooler if is_set else await pooler.find(session.connection)
    if await are_kept_at(url.behind(kind)):
        return kind
    if is_set:
        raise Unavailable(LOSES)
    return Pooler.TRANSACTION


async def _is_read_only(session: ReadSession) -> bool:
    setting = await session.scalar(select(func.current_setting("transaction_read_only")))
    return bool(setting == "on")


def _reason(error: BaseException) -> str:
    while isinstance(error, Unavailable) and error.__cause__:
        error = error.__cause__
    if isinstance(error, DBAPIError) and error.orig:
        error = error.orig
    if isinstance(error, TimeoutError):
        return "it did not respond in time"
    return " ".join(str(error).split()) or type(error).__name__
