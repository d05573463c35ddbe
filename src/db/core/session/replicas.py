"""Replicas: standbys of the database, for reads that may be late.

A read by a caller who writes goes to a standby only if that has replayed all that was committed
when the read began, in this process or in another. Other reads may be late, up to a limit. What no
standby serves is read from the primary.
"""

import asyncio
import math
import random
import time
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import structlog
from sqlalchemy import ColumnElement, Select, func, literal_column, select

from db.core.errors import Unavailable
from db.core.session.coalescing import ReadCoalescer
from db.core.session.database import Database, ReadSession

ANSWER_SECONDS = 0.5
WAIT_SECONDS = 0.1  # for a standby to replay what was committed
LOOK_SECONDS = 0.01  # between two looks meanwhile
IMPATIENT_SECONDS = 1.0  # after a wait in vain, in which none waits
AWAY_SECONDS = 5.0  # until a standby that failed is asked again

log = structlog.get_logger()


class Progress(NamedTuple):
    """How far a standby has come: its position in the WAL, in bytes, and the age in seconds of the
    last commit that it replayed."""

    position: int
    age: float


class Replica:
    """A standby. It is out of rotation for a while after it failed."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.problem: str | None = None
        self._progress = ReadCoalescer(database)
        self._away_until = self._impatient_until = 0.0

    @property
    def is_in_rotation(self) -> bool:
        return time.monotonic() >= self._away_until

    async def has_replayed(self, position: int) -> bool:
        """Wait a moment until it has. Raises Unavailable."""
        began = time.monotonic()
        until = began + (WAIT_SECONDS if began >= self._impatient_until else 0)
        while (await self.progress()).position < position:
            if time.monotonic() >= until:
                self._impatient_until = time.monotonic() + IMPATIENT_SECONDS
                return False
            await asyncio.sleep(LOOK_SECONDS)
        return True

    async def is_late(self, position: int, most: float) -> bool:
        """True if it is more than `most` seconds behind a position. Raises Unavailable."""
        progress = await self.progress()
        return progress.position < position and progress.age > most

    async def progress(self) -> Progress:
        """Raises Unavailable, also for a server that is no standby."""
        return (await self._progress.of(_progress, ["now"]))["now"]

    def leave(self, reason: str) -> None:
        """Take it out of rotation for a while."""
        self._away_until = time.monotonic() + AWAY_SECONDS
        self.note(reason)

    def note(self, problem: str | None) -> None:
        if problem != self.problem:
            self.problem = problem
            name = str(self.database.url)
            if problem:
                log.warning("a replica serves no reads", replica=name, reason=problem)
            else:
                log.info("a replica serves reads", replica=name)


class Replicas:
    """The standbys of a primary. Reads that may be late are at most `most_late` seconds late."""

    def __init__(self, primary: Database, databases: Sequence[Database], most_late: float) -> None:
        self.members = [Replica(database) for database in databases]
        self.most_late = most_late
        self._primary = ReadCoalescer(primary.borrowed_by("replicas"))
        self._begun_at = 0  # a standby may lack columns that were there before

    async def begin(self) -> None:
        """Use no standby that is behind the primary of this moment. Raises Unavailable."""
        self._begun_at = await self._position()

    async def choose(self, is_current: bool) -> Replica | None:
        """A standby for one read, or None if the primary must serve it. With `is_current`, one that
        has replayed all that is committed. Raises Unavailable without the primary."""
        members = [each for each in self.members if each.is_in_rotation]
        if not members:
            return None
        position = await self._position()
        for member in random.sample(members, len(members)):
            if await self._serves(member, position, is_current):
                return member
        return None

    async def close(self) -> None:
        for each in self.members:
            await each.database.close()

    async def _serves(self, member: Replica, position: int, is_current: bool) -> bool:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                if not await self._is_fit(member, position, is_current):
                    return False
        except (Unavailable, TimeoutError) as error:
            member.leave(getattr(error, "message", "no answer in time"))
            return False
        member.note(None)
        return True

    async def _is_fit(self, member: Replica, position: int, is_current: bool) -> bool:
        if is_current:
            return await member.has_replayed(position)
        if (await member.progress()).position < self._begun_at:
            member.note("behind the start of this gateway")
        elif await member.is_late(position, self.most_late):
            member.note(f"more than {self.most_late:g} s late")
        else:
            return True
        return False

    async def _position(self) -> int:
        return (await self._primary.of(_position_of_primary, ["now"]))["now"]


def _bytes(position: ColumnElement[str]) -> ColumnElement[int]:
    return func.pg_wal_lsn_diff(position, literal_column("'0/0'::pg_lsn"))


POSITION: Select[tuple[int]] = select(_bytes(func.pg_current_wal_flush_lsn()))
PROGRESS = select(
    _bytes(func.pg_last_wal_replay_lsn()),
    func.extract("epoch", func.clock_timestamp() - func.pg_last_xact_replay_timestamp()),
).where(func.pg_is_in_recovery())


async def _position_of_primary(session: ReadSession, _: Collection[str]) -> Mapping[str, int]:
    return {"now": int(await session.scalar(POSITION))}


async def _progress(session: ReadSession, _: Collection[str]) -> Mapping[str, Progress]:
    rows = await session.rows(PROGRESS)
    if not rows:
        raise Unavailable("this is no standby")
    [(position, age)] = rows
    return {"now": Progress(int(position or 0), math.inf if age is None else float(age))}
