"""Commits: changes stored per second by many writers, where a flush to the disk takes its time.

It starts a PostgreSQL with fsync and a `commit_delay`, which stands for a slow disk. Writers on
connections of their own create users, in one statement or in a transaction, with nothing but the
driver between. A reader follows the feed of changes: `python bench/commits.py --writers 64`.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import quantiles
from typing import cast
from uuid import UUID, uuid4

from db import Database
from db.audit import Change
from db.audit.creation import creation_parameters, noted_insertion
from db.core.connections.connect import connect
from db.core.connections.pooler import DriverConnection
from db.core.embedded import Embedded
from db.core.feed import Reader
from db.core.ids import uuid7
from db.core.schema import migrate
from db.core.session.audit_context import SYSTEM
from db.core.session.compiled import CompiledStatement
from db.core.session.direct_writes import compile_write
from db.feeds import Feeds
from db.users import User

PATIENCE_SECONDS = 60

Write = Callable[[DriverConnection, CompiledStatement], Awaitable[UUID]]


async def alone(connection: DriverConnection, statement: CompiledStatement) -> UUID:
    """A new user, its audit entry and its change, as `createDream` stores a dream."""
    now = datetime.now(UTC)
    row = {"id": uuid7(now), "created_at": now, "email": f"{uuid4().hex}@example.org"}
    parameters = creation_parameters(SYSTEM, User, row, now)
    await connection.fetch(statement.sql, *statement.arguments(parameters or {}))
    return cast("UUID", row["id"])


async def within(connection: DriverConnection, statement: CompiledStatement) -> UUID:
    async with connection.transaction():
        return await alone(connection, statement)


@dataclass
class Course:
    """What writers have stored, and when the reader of this process has read it."""

    took: list[float] = field(default_factory=list)
    stored: dict[UUID, float] = field(default_factory=dict)
    read: set[UUID] = field(default_factory=set)  # before the writer learned of its commit
    delays: list[float] = field(default_factory=list)

    async def write(self, database: Database, write: Write, until: float) -> None:
        connection = await connect(database.url)
        statement = compile_write(database, noted_insertion(User))
        while (began := time.monotonic()) < until:
            id = await write(connection, statement)
            database.wakeups.notify("changes")
            now = time.monotonic()
            self.took.append(now - began)
            if id in self.read:
                self.read.remove(id)
                self.delays.append(0)
            else:
                self.stored[id] = now
        await connection.close()

    async def follow(self, reader: Reader) -> None:
        seq = reader.position.seq
        while True:
            await reader.changed(0, seq, 1)
            for row in reader.since(seq) or ():
                id = cast("Change", row).entity_id
                if id in self.stored:
                    self.delays.append(time.monotonic() - self.stored.pop(id))
                else:
                    self.read.add(id)
            seq = reader.position.seq


async def measure(url: str, name: str, write: Write, writers: int, seconds: float) -> str:
    """A line of figures."""
    database, course = Database(url), Course()
    feeds = Feeds(database)
    async with feeds.running(), feeds["changes"].following():
        following = asyncio.create_task(course.follow(feeds["changes"]))
        until = time.monotonic() + seconds
        await asyncio.gather(*(course.write(database, write, until) for _ in range(writers)))
        async with asyncio.timeout(PATIENCE_SECONDS):
            while course.stored:
                await feeds["changes"].changed(0, feeds["changes"].position.seq, 0.1)
        following.cancel()
    await database.close()
    took, delays = (quantiles(each, n=100) for each in (course.took, course.delays))
    return (
        f"{name:14} {writers:3} writers {len(course.took) / seconds:7,.0f}/s   "
        f"p50 {1000 * took[49]:6.1f} ms  p99 {1000 * took[98]:6.1f} ms   "
        f"read after p50 {1000 * delays[49]:6.1f} ms  p99 {1000 * delays[98]:6.1f} ms"
    )


def main(options: argparse.Namespace) -> None:
    settings = {"commit_delay": str(options.commit_delay), "max_connections": "200"}
    with tempfile.TemporaryDirectory() as folder:
        embedded = Embedded(Path(folder) / "postgres", settings)
        url = embedded.start()
        try:
            asyncio.run(migrate.upgrade(url))
            for name, write in (("one statement", alone), ("transaction", within)):
                line = asyncio.run(measure(url, name, write, options.writers, options.seconds))
                print(line)  # noqa: T201  its purpose
        finally:
            embedded.stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--writers", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--commit-delay", type=int, default=2000, help="microseconds")
    main(parser.parse_args())
