"""Feeds: rows in feeds, readers that have read them, and the positions after them."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from db import Database, audit
from db.audit import Change, PendingChange
from db.core.feed import FeedState, Position, Reader
from db.core.feed.numbering import Numbering
from db.core.session.database import WriteSession
from db.feeds import EVENTS
from db.users import User
from support.factories import make_event
from support.wait import until


async def happen(target: Database | WriteSession, **columns: Any) -> Any:
    """An event of now, in an existing partition."""
    return await make_event(target, timestamp=datetime.now(UTC), **columns)


async def number_changes(database: Database) -> None:
    """Move the pending changes of transactions that have committed to the feed."""
    await Numbering(PendingChange, Change, database).run()


async def make_user_with_trace(database: Database, email: str = "user@example.org") -> Any:
    """A user with an entry in the audit log and in the feed of changes."""
    async with database.write() as session:
        return await audit.create(session, User, email=email)


async def read_up_to(database: Database, reader: Reader, count: int = 3) -> list[Any]:
    """Some events, and a reader that has read them."""
    made = [await make_event(database) for _ in range(count)]
    await until(lambda: reader.position.seq == made[-1].seq)
    return made


async def positions(database: Database, *records: Any) -> list[Position]:
    """Those after each event."""
    async with database.read() as session:
        epoch = await session.scalar(select(FeedState.epoch).where(FeedState.name == "events"))
    low = epoch.int & 0xFFFF_FFFF
    return [Position("events", low, each.seq, EVENTS.check(each)) for each in records]
