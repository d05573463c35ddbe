"""Commits: changes stored per second by many writers, where a flush to the disk takes its time.

It starts a PostgreSQL with fsync and a `commit_delay`, which stands for a slow disk: writers on
connections of their own create users in one statement, and change them in transactions, while a
reader follows the feed of changes: `PYTHONPATH=bench python bench/commits.py --writers 64`.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from typing import cast
from uuid import UUID, uuid4

from db import Database, audit
from db.audit import Change
from db.core.embedded import Embedded
from db.core.feed import Reader
from db.core.schema import migrate
from db.core.session.audit_context import SYSTEM
from db.core.session.direct_writes import lone_write
from db.feeds import Feeds
from db.users import User

PATIENCE_SECONDS = 60

Write = Callable[[Database], Awaitable[UUID]]


async def create(database: Database) -> UUID:
    async with lone_write(database, SYSTEM) as session:
        user = await audit.create(session, User, email=f"{uuid4().hex}@example.org")
    return user.id


def change() -> Write:
    """Changes one user again and again, in transactions of two statements and a commit."""
    user: User | None = None

    async def write(database: Database) -> UUID:
        nonlocal user
        async with database.write() as session:
            if user is None:
                user = await audit.create(session, User, email=f"{uuid4().hex}@example.org")
            role = "OPERATOR" if user.role == "VIEWER" else "VIEWER"
            user = await audit.change(session, User, user, role=role)
        return user.id

    return write


@dataclass
class Course:
    """What writers have stored, and when the reader of this process has read it."""

    took: list[float] = field(default_factory=list)
    stored: dict[UUID, float] = field(default_factory=dict)
    delays: list[float] = field(default_factory=list)

    async def write(self, database: Database, write: Write, until: float) -> None:
        while (began := time.monotonic()) < until:
            id = await write(database)
            self.stored[id] = time.monotonic()
            self.took.append(self.stored[id] - began)

    async def follow(self, reader: Reader) -> None:
        seq = reader.position.seq
        while True:
            await reader.changed(0, seq, 1)
            for row in reader.since(seq) or ():
                stored = self.stored.pop(cast("Change", row).entity_id, None)
                if stored:
                    self.delays.append(time.monotonic() - stored)
            seq = reader.position.seq


async def measure(url: str, name: str, writers: list[Write], seconds: float) -> str:
    """A line of figures."""
    database, course = Database(url, pool_size=len(writers)), Course()
    feeds = Feeds(database)
    async with feeds.running(), feeds["changes"].following():
        following = asyncio.create_task(course.follow(feeds["changes"]))
        until = time.monotonic() + seconds
        await asyncio.gather(*(course.write(database, write, until) for write in writers))
        async with asyncio.timeout(PATIENCE_SECONDS):
            while course.stored:
                await feeds["changes"].changed(0, feeds["changes"].position.seq, 0.1)
        following.cancel()
    await database.close()
    took, delays = (quantiles(each, n=100) for each in (course.took, course.delays))
    return (
        f"{name:8} {len(writers):3} writers {len(course.took) / seconds:7,.0f}/s   "
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
            for name, write in (("create", lambda: create), ("change", change)):
                writers = [write() for _ in range(options.writers)]
                print(asyncio.run(measure(url, name, writers, options.seconds)))  # noqa: T201  its purpose
        finally:
            embedded.stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--writers", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--commit-delay", type=int, default=2000, help="microseconds")
    main(parser.parse_args())
