"""Claims: a worker's exclusive right to run a test of the queue, until its lease expires.

Claims are compared by the clock of the database. Rows are locked in the order dream, test, queue;
where many are taken at once, rows that others have locked are skipped instead.
"""

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Executable,
    Text,
    Uuid,
    func,
    literal,
    select,
    update,
)

from db.ai_tests import AiTest, AiTestStatus, queue, writes
from db.ai_tests.queue import LOST, Claim, QueuedAiTest, holds
from db.audit import ChangeKind
from db.audit.batch import note_all
from db.audit.entries import Note
from db.core.errors import ClaimLost, NotFound
from db.core.session.database import Database, WriteSession
from db.core.table import AnySelect, Column, Expression, Row
from db.dreams import Dream

MAX_CLAIMS = 100  # of one request
LEASES = (5, 3_600)  # the shortest and the longest, in seconds
RETRY_SECONDS = 10  # after the first failed attempt; doubled after each further one
MOST_RETRY_SECONDS = 3_600
SWEPT = 200  # expired leases of one transaction
EXPIRED = "The lease expired: the worker stopped, or lost its connection."


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a worker asks for. `holder` is the owner of its principal, and `owner_id` limits it to
    dreams of one user."""

    holder: str
    provider: str
    limit: int
    lease: timedelta
    models: Sequence[str] | None = None
    worker: str | None = None
    owner_id: UUID | None = None

    def matching(self) -> list[ColumnElement[bool]]:
        conditions = [QueuedAiTest.provider == self.provider]
        if self.models is not None:
            conditions.append(
                QueuedAiTest.model == func.any(literal(list(self.models), ARRAY(Text)))
            )
        if self.owner_id is not None:
            own = select(Dream.id).where(Dream.user_id == self.owner_id)
            conditions.append(QueuedAiTest.dream_id.in_(own))
        return conditions


@dataclass(frozen=True, slots=True)
class Claimed:
    """A test, and the row of its claim."""

    entry: QueuedAiTest
    test: AiTest


async def claim(session: WriteSession, wanted: Wanted) -> list[Claimed]:
    """Claim the tests that have waited longest, among those visible to the session."""
    free = QueuedAiTest.claim_id.is_(None), QueuedAiTest.available_at <= func.now()
    found = await _locked(
        session,
        AiTest.status == AiTestStatus.PENDING,
        *free,
        *wanted.matching(),
        order=(QueuedAiTest.available_at, QueuedAiTest.id),
        limit=wanted.limit,
    )
    held = {
        "claim_id": func.gen_random_uuid(),
        "claimed_by": wanted.holder,
        "claimed_until": func.now() + wanted.lease,
        "worker": wanted.worker,
        "attempts": QueuedAiTest.attempts + 1,
    }
    entries = await _change(session, found, held)
    running = await _turn(session, found, AiTestStatus.RUNNING)
    return [Claimed(entries[test.id], test) for test in running]


async def hold(
    session: WriteSession, test: AiTest, holder: str, lease: timedelta, **values: object
) -> QueuedAiTest:
    """Put a test that is RUNNING into the queue, claimed by who started it. Raises Invalid."""
    await queue.add(session, test, **values)
    held = {
        "claim_id": func.gen_random_uuid(),
        "claimed_by": holder,
        "claimed_until": func.now() + lease,
        "attempts": 1,
    }
    return (await _change(session, [test], held))[test.id]


async def extend(
    session: WriteSession, holder: str, ids: Collection[UUID], lease: timedelta
) -> dict[UUID, QueuedAiTest]:
    """Extend leases from now; return the claims that still hold, by ID."""
    mine = QueuedAiTest.claim_id == func.any(_ids(ids)), QueuedAiTest.claimed_by == holder
    chosen = select(QueuedAiTest.id).where(*mine).order_by(QueuedAiTest.id).with_for_update()
    statement = (
        update(QueuedAiTest)
        .where(QueuedAiTest.id.in_(chosen))
        .values(claimed_until=func.now() + lease)
        .returning(*QueuedAiTest.columns())
    )
    entries = await session.unrestricted().records(QueuedAiTest, statement)
    return {entry.claim_id: entry for entry in entries if entry.claim_id is not None}


async def release(
    session: WriteSession, dream: Dream, test: AiTest, claim: Claim, reason: str | None
) -> AiTest:
    """Give a claimed test back, whose dream and row are locked. With a reason, the attempt has
    failed: the test waits before the next one, or is FAILED after the last. Without, the attempt
    does not count. Raises ClaimLost."""
    same = QueuedAiTest.select().where(QueuedAiTest.id == test.id).with_for_update()
    entry = await session.unrestricted().record(QueuedAiTest, same)
    if entry is None or not holds(entry, claim):
        raise ClaimLost(LOST)
    if reason is not None and entry.attempts >= entry.max_attempts:
        return await _fail(session, dream, test, reason)
    back = {"attempts": QueuedAiTest.attempts - 1, "available_at": func.now()}
    again = {"last_error": reason, "available_at": func.now() + retry_delay()}
    await _change(session, [test], FREE | (back if reason is None else again))
    [waiting] = await _turn(session, [test], AiTestStatus.PENDING)
    return waiting


async def end_expired(database: Database) -> int:
    """Give back the tests whose leases expired; those without attempts left are FAILED. Return how
    many. Several processes may do so at once: each takes other tests. Raises as sessions do."""
    expired = QueuedAiTest.claim_id.is_not(None), QueuedAiTest.claimed_until < func.now()
    has_attempts = QueuedAiTest.attempts < QueuedAiTest.max_attempts
    async with database.write() as session:
        found = await _locked(session, *expired, has_attempts, limit=SWEPT)
        again = {"last_error": EXPIRED, "available_at": func.now() + retry_delay()}
        await _change(session, found, FREE | again)
        await _turn(session, found, AiTestStatus.PENDING)
    async with database.read() as session:
        last = select(QueuedAiTest.id).where(*expired, ~has_attempts).limit(SWEPT)
        ids = [id for (id,) in await session.rows(last)]
    return len(found) + sum([await _fail_if_expired(database, id, *expired) for id in ids])


def retry_delay() -> Expression:
    """The time until the next attempt, doubled after each failed one."""
    doubled = RETRY_SECONDS * func.power(2, QueuedAiTest.attempts - 1)
    seconds = func.least(MOST_RETRY_SECONDS, doubled)
    return func.make_interval(0, 0, 0, 0, 0, 0, seconds)


async def _fail(session: WriteSession, dream: Dream, test: AiTest, reason: str) -> AiTest:
    await queue.remove(session, test)
    return await writes.end(session, dream, test, AiTestStatus.FAILED, reasoning=reason)


FREE: Row = {"claim_id": None, "claimed_by": None, "claimed_until": None, "worker": None}


async def _fail_if_expired(database: Database, id: UUID, *expired: ColumnElement[bool]) -> bool:
    async with database.write() as session:
        with suppress(NotFound):
            dream = await writes.dream_of(session, id)
            for test in await _locked(session, QueuedAiTest.id == id, *expired, limit=1):
                await _fail(session, dream, test, EXPIRED)
                return True
        return False


async def _locked(
    session: WriteSession,
    *where: ColumnElement[bool],
    order: Sequence[Column] = (),
    limit: int,
) -> list[AiTest]:
    """Tests of the queue, locked with their rows of it; those that others have locked are left
    out."""
    statement: AnySelect = (
        AiTest.select()
        .join(QueuedAiTest, QueuedAiTest.id == AiTest.id)
        .where(*where)
        .order_by(*order)
        .limit(limit)
        .with_for_update(of=[AiTest, QueuedAiTest], skip_locked=True)
    )
    return await session.records(AiTest, statement)


async def _change(
    session: WriteSession, tests: Collection[AiTest], values: Row
) -> dict[UUID, QueuedAiTest]:
    """Change the rows of locked tests in the queue; return them by ID."""
    if not tests:
        return {}
    among = QueuedAiTest.id == func.any(_ids([test.id for test in tests]))
    statement = update(QueuedAiTest).where(among).values(values).returning(*QueuedAiTest.columns())
    entries = await session.unrestricted().records(QueuedAiTest, statement)
    return {entry.id: entry for entry in entries}


async def _turn(
    session: WriteSession, tests: Sequence[AiTest], status: AiTestStatus
) -> list[AiTest]:
    """Set the status of locked tests, with their audit entries; return the new records."""
    if not tests:
        return []
    changed = await session.unrestricted().records(AiTest, _status_update(tests, status))
    by_id = {test.id: test for test in changed}
    after = [by_id[test.id] for test in tests]
    pairs = zip(tests, after, strict=True)
    await note_all(session, [Note(ChangeKind.UPDATED, AiTest, *pair) for pair in pairs])
    return after


def _status_update(tests: Collection[AiTest], status: AiTestStatus) -> Executable:
    ids = sorted(test.id for test in tests)
    bounds = AiTest.id >= ids[0], AiTest.id <= ids[-1]  # leaves out other partitions
    among = update(AiTest).where(AiTest.id == func.any(_ids(ids)), *bounds)
    return among.values(status=status).returning(*AiTest.columns())


def _ids(ids: Collection[UUID]) -> Expression:
    return literal(list(ids), ARRAY(Uuid))
