"""Pending: replays that a late test leaves to maintenance.

The transaction of a late test corrects some logs, and stores where the others begin. Each step
corrects the next ones and stores their changes and how far it came, in one transaction. Decision
60.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    ForeignKey,
    Uuid,
    delete,
    exists,
    false,
    func,
    literal,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from db.core.query.batch import requested_keys
from db.core.session.database import Database, WriteSession
from db.core.session.row_rules import without_row_rules
from db.core.table import CreatedAt, Table
from db.dreams import Dream
from db.progress.model_scores import states
from db.progress.steps import Position, announce, compute, store

LOCK = 0x7265706C6179  # "replay", the key of this advisory lock
LOGS = 500  # of one step, which locks its dreams for about 0.1 s
OVERDUE = timedelta(minutes=10)
DREAMS = 20  # of one step, those that have waited longest


class PendingReplay(Table):
    """A dream whose logs are to be computed again from the test `since` on."""

    __tablename__ = "pending_replays"

    dream_id: Mapped[UUID] = mapped_column(
        ForeignKey("dreams.id", ondelete="CASCADE"), primary_key=True
    )
    since: Mapped[UUID]
    is_whole: Mapped[bool] = mapped_column(server_default=false())  # it began at the first test
    created_at: Mapped[CreatedAt]


@dataclass(frozen=True, slots=True)
class Waiting:
    """The number of dreams whose logs are to be corrected, and of those that wait too long."""

    dreams: int
    overdue: int


async def postpone(session: WriteSession, since: Mapping[UUID, UUID]) -> None:
    """Leave the logs of dreams, which are locked, from a test on to maintenance."""
    if since:
        rows = [{"dream_id": id, "since": first} for id, first in since.items()]
        added = insert(PendingReplay).values(rows)
        earlier = func.least(PendingReplay.since, added.excluded.since)
        await session.execute(
            added.on_conflict_do_update(index_elements=["dream_id"], set_={"since": earlier})
        )


async def take(session: WriteSession, dreams: Collection[UUID]) -> dict[UUID, UUID]:
    """Remove the pending replays of dreams, which are locked; return where they begin."""
    taken = delete(PendingReplay).where(_of(dreams))
    rows = await session.rows(taken.returning(PendingReplay.dream_id, PendingReplay.since))
    return {row.dream_id: row.since for row in rows}


async def waiting(database: Database) -> Waiting:
    """Raises as sessions do."""
    is_overdue = PendingReplay.created_at < func.now() - OVERDUE
    counts = select(func.count(), func.count().filter(is_overdue)).select_from(PendingReplay)
    async with database.unrestricted().read() as session:
        [row] = await session.rows(counts)
        return Waiting(*row)


async def work_off(database: Database) -> int:
    """Correct logs until none is left to correct, or another process does so. Returns how many
    were corrected. Raises as sessions do."""
    count = 0
    while (corrected := await correct_some(database)) is not None:
        count += corrected
    return count


async def correct_some(database: Database) -> int | None:
    """One step. None if no log is to be corrected, or another process does so."""
    async with database.unrestricted().read() as session:
        if not await session.scalar(select(exists().select_from(PendingReplay))):
            return None
    async with database.unrestricted().write() as session:
        if not await session.scalar(
            without_row_rules(select(func.pg_try_advisory_xact_lock(LOCK)))
        ):
            return None
        return await correct(session)


async def correct(session: WriteSession) -> int:
    """Correct some logs in a transaction; return how many."""
    positions = await _locked(session)
    size = LOGS // max(len(positions), 1)
    since = {id: at.since for id, at in positions.items()}
    steps = await compute(session, since, size, await states(session, positions))
    changes = await store(session, [log for step in steps.values() for log in step.logs])
    await announce(session, changes)
    await _move(session, {id: at.after(steps.get(id)) for id, at in positions.items()})
    return len(changes)


async def _locked(session: WriteSession) -> dict[UUID, Position]:
    """Some pending replays, with the locks of their dreams, in the order of all writers."""
    oldest = select(PendingReplay.dream_id).order_by(PendingReplay.created_at).limit(DREAMS)
    among = Dream.id.in_(oldest)
    locked = select(Dream.id).where(among).order_by(Dream.id).with_for_update()
    ids = [id for (id,) in await session.rows(locked)]
    rows = await session.records(PendingReplay, PendingReplay.select().where(_of(ids)))
    return {row.dream_id: Position(row.since, row.is_whole) for row in rows}


async def _move(session: WriteSession, reached: Mapping[UUID, Position | None]) -> None:
    await session.execute(
        delete(PendingReplay).where(_of([id for id, at in reached.items() if at is None]))
    )
    left = [(id, at.since, at.is_whole) for id, at in reached.items() if at is not None]
    if left:
        columns = PendingReplay.dream_id, PendingReplay.since, PendingReplay.is_whole
        keys = requested_keys(columns, left)
        moved = update(PendingReplay).where(PendingReplay.dream_id == keys.c.k0)
        await session.execute(moved.values(since=keys.c.k1, is_whole=keys.c.k2))


def _of(dreams: Collection[UUID]) -> ColumnElement[bool]:
    among: ColumnElement[bool] = PendingReplay.dream_id == func.any(
        literal(list(dreams), ARRAY(Uuid))
    )
    return among
