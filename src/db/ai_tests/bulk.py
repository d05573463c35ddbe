"""Bulk: all tests of one request in one transaction, whichever of them PostgreSQL refuses.

So either each test has an outcome of its own, or the request has failed and nothing is stored.

Requests that have dreams in common follow one another: within a process they wait here, because
waiting for locks in PostgreSQL takes a connection and ends after three seconds.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from uuid import UUID
from weakref import WeakValueDictionary

from db.ai_tests import batch
from db.ai_tests.batch import Recordings, Result
from db.core import idempotency
from db.core.errors import Conflict, Forbidden, Invalid, NotFound
from db.core.idempotency import Claim
from db.core.session.audit_context import AuditContext
from db.core.session.database import Database, WriteSession
from db.core.session.pg_errors import domain_errors
from db.dreams import Dream

REFUSALS = (NotFound, Forbidden, Invalid, Conflict)  # of PostgreSQL, because of a row


@dataclass(frozen=True, slots=True)
class Recorder:
    """Records tests of one user. `check` raises Forbidden for a dream that the user may not
    test."""

    user_id: UUID | None
    check: Callable[[Dream], object]

    async def record(
        self, database: Database, context: AuditContext, recordings: Recordings
    ) -> dict[int, Result]:
        """Record tests; return each, or the error that rejected it, by position. Tests that repeat
        a key follow after the others. Raises as `Database.write`, and then nothing is stored."""
        if not recordings:
            return {}
        async with _in_turn({recording.dream_id for recording in recordings.values()}):
            try:
                async with database.write(context) as session:
                    return await self._together(session, recordings)
            except REFUSALS:  # of one test; the others are stored without it
                async with database.write(context) as session:
                    return await self._apart(session, recordings)

    async def _together(self, session: WriteSession, recordings: Recordings) -> dict[int, Result]:
        rounds = list(_rounds(recordings))
        if len(rounds) > 1:
            await _lock(session, recordings)
        results: dict[int, Result] = {}
        for each in rounds:
            results |= await batch.record(session, self.user_id, each, self.check)
        return results

    async def _apart(self, session: WriteSession, recordings: Recordings) -> dict[int, Result]:
        await _lock(session, recordings)
        results: dict[int, Result] = {}
        for each in _rounds(recordings):
            results |= await self._by_halves(session, each)
        return results

    async def _by_halves(self, session: WriteSession, recordings: Recordings) -> dict[int, Result]:
        """Record tests whose keys all differ. If PostgreSQL refuses one, record each half apart."""
        try:
            async with _savepoint(session):
                return await batch.record(session, self.user_id, recordings, self.check)
        except REFUSALS as error:
            if len(recordings) == 1:
                await _release(session, recordings)
                return dict.fromkeys(recordings, error)
        results: dict[int, Result] = {}
        for half in _halves(recordings):
            results |= await self._by_halves(session, half)
        return results


async def _lock(session: WriteSession, recordings: Recordings) -> None:
    """Lock all keys and then all dreams, in the order in which other transactions do."""
    await idempotency.claim_all(session, list(_claims(recordings).values()))
    await batch.locked_dreams(session, {recording.dream_id for recording in recordings.values()})


async def _release(session: WriteSession, recordings: Recordings) -> None:
    for claim in _claims(recordings).values():
        await idempotency.release_all(session, claim.caller, [claim.key])


def _claims(recordings: Recordings) -> dict[str, Claim]:
    """The first claim of each key."""
    claims: dict[str, Claim] = {}
    for recording in recordings.values():
        if recording.claim:
            claims.setdefault(recording.claim.key, recording.claim)
    return claims


@asynccontextmanager
async def _savepoint(session: WriteSession) -> AsyncIterator[None]:
    """Undo what is written in the context if it raises, and continue the transaction."""
    with domain_errors():
        async with session.connection.begin_nested():
            yield


def _rounds(recordings: Recordings) -> Iterator[Recordings]:
    """Each key at most once in a round."""
    uses: Counter[str] = Counter()
    rounds: list[dict[int, batch.Recording]] = [{}]
    for n, recording in recordings.items():
        number = uses[recording.claim.key] if recording.claim else 0
        if recording.claim:
            uses[recording.claim.key] += 1
        if number == len(rounds):
            rounds.append({})
        rounds[number][n] = recording
    yield from rounds


def _halves(recordings: Recordings) -> Iterator[Recordings]:
    items = list(recordings.items())
    middle = len(items) // 2
    yield dict(items[:middle])
    yield dict(items[middle:])


_turns: WeakValueDictionary[UUID, asyncio.Lock] = WeakValueDictionary()


@asynccontextmanager
async def _in_turn(dreams: Collection[UUID]) -> AsyncIterator[None]:
    locks = [_turns.setdefault(id, asyncio.Lock()) for id in sorted(dreams)]
    async with AsyncExitStack() as held:
        for lock in locks:
            await held.enter_async_context(lock)
        yield
