"""Batch: record many tests in one transaction, with one statement for each table.

The rows are those that `writes.record` would have stored for one test after the other: tests, their
progress logs, audit entries and changes. A log that was stored and corrected within one batch has
one entry, with its final values.

Locks are acquired in one order, as everywhere: idempotency keys by key, then dreams by id.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import cast
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, func, literal

from db.ai_models.prices import Model, Prices, prices
from db.ai_tests import AiTest, AiTestStatus, failures
from db.ai_tests.writes import (
    achieve,
    check_models,
    cost_known,
    derived_cost,
    has_derived_cost,
    is_scored,
)
from db.audit import ChangeKind
from db.audit.batch import note_all
from db.audit.entries import Note
from db.budgets.allowance import Allowance, allowance
from db.config import numbers
from db.core import idempotency
from db.core.errors import Conflict, DomainError, NotFound
from db.core.idempotency import Claim
from db.core.ids import uuid7
from db.core.ingest.statements import core_table, insert_from, recordset, row_parameters
from db.core.query.batch import rows_by_key
from db.core.session.database import WriteSession
from db.core.table import Row, Values
from db.dreams import Dream, DreamStatus
from db.progress import ProgressLog
from db.progress.batch import NOTHING, append_all
from db.progress.model_scores import State, states
from db.progress.steps import announce

MICROSECOND = timedelta(microseconds=1)
ACTIVE = DreamStatus.ACTIVE
DEFAULTS: Values = {"test_parameters": {}, "cost_derived": False}  # of the table

ITEMS = recordset(*AiTest.columns())
INSERT = insert_from(AiTest, dict(ITEMS.c.items()), ITEMS, ITEMS.c.id).returning(
    *core_table(AiTest).c
)

Result = AiTest | DomainError


@dataclass(frozen=True, slots=True)
class Recording:
    """A test to record: its dream, its columns, which are valid, and its idempotency key."""

    dream_id: UUID
    values: Row
    claim: Claim | None = None

    @property
    def model(self) -> Model:
        return self.values["provider"], self.values["model"]

    @property
    def is_scored(self) -> bool:
        is_completed = self.values["status"] == AiTestStatus.COMPLETED
        return is_completed and self.values.get("impossibility_score") is not None


Recordings = Mapping[int, Recording]  # by position


async def record(
    session: WriteSession,
    user_id: UUID | None,
    recordings: Recordings,
    check: Callable[[Dream], object],
) -> dict[int, Result]:
    """Record tests of one user, whose keys all differ. Returns each test, or the error that
    rejected it, by position. `check` raises Forbidden for a dream that the user may not test."""
    results = await _recorded_before(session, recordings)
    new = {n: recording for n, recording in recordings.items() if n not in results}
    return results | await _record_new(session, user_id, new, check) if new else results


async def _record_new(
    session: WriteSession, user_id: UUID | None, new: Recordings, check: Callable[[Dream], object]
) -> dict[int, Result]:
    dreams = await locked_dreams(session, {recording.dream_id for recording in new.values()})
    scored = {recording.dream_id for recording in new.values() if recording.is_scored}
    before = await states(session.unrestricted(), scored.intersection(dreams))
    now = session.now()
    found, allowed = await _prices(session, new, now), await allowance(session, user_id)
    batch = Batch(user_id, now, dreams, before, found, allowed, check)
    rows = batch.rows(new)
    tests = await _insert(session, rows)
    await _apply_scores(session, tests.values(), batch)
    await failures.notify(session, dreams, tests.values())
    results = batch.refused | tests
    await _settle(session, new, results)
    return results


@dataclass(slots=True)
class Batch:
    """What the rows of new tests depend on: dreams and their progress before, prices, budgets."""

    user_id: UUID | None
    now: datetime
    dreams: Mapping[UUID, Dream]
    before: Mapping[UUID, State]
    prices: Prices
    allowance: Allowance
    check: Callable[[Dream], object]
    refused: dict[int, Result] = field(default_factory=dict)

    def rows(self, recordings: Recordings) -> dict[int, Row]:
        models = {id: set(state.latest) for id, state in self.before.items()}
        rows: dict[int, Row] = {}
        for n, recording in recordings.items():
            try:
                rows[n] = self._row(n, recording)
                _add_model(models, recording)
                self.allowance.take(cost_known(rows[n]), rows[n]["created_at"])
            except DomainError as error:
                rows.pop(n, None)
                self.refused[n] = error
        return rows

    def _row(self, n: int, recording: Recording) -> Row:
        if recording.dream_id not in self.dreams:
            raise NotFound
        self.check(self.dreams[recording.dream_id])
        values = recording.values
        at = _time(n, recording, self.now)
        cost = derived_cost(values, self.prices.at(recording.model, at))
        times = {"id": uuid7(at), "created_at": at, "completed_at": at}
        of = {"dream_id": recording.dream_id, "user_id": self.user_id}
        return {**DEFAULTS, **values, **cost, **times, **of}


def _time(n: int, recording: Recording, now: datetime) -> datetime:
    """The given time, or now; apart from others, so that ids keep their order."""
    at: datetime | None = recording.values.get("at")
    return now + n * MICROSECOND if at is None else at


def _add_model(models: Mapping[UUID, set[Model]], recording: Recording) -> None:
    """Raises Invalid if its dream has scores of too many models."""
    if recording.is_scored:
        known = models[recording.dream_id]
        check_models(len(known | {recording.model}))
        known.add(recording.model)


async def _recorded_before(session: WriteSession, recordings: Recordings) -> dict[int, Result]:
    """The tests recorded under the same keys before, and conflicts."""
    claims = {r.claim.key: r.claim for r in recordings.values() if r.claim}
    known = await idempotency.claim_all(session, list(claims.values()))
    ids = [id for id in known.values() if isinstance(id, UUID)]
    tests = await rows_by_key(session, AiTest, (AiTest.id,), ids) if ids else {}
    return {
        n: found if isinstance(found, Conflict) else tests.get(found, NotFound(idempotency.GONE))
        for n, recording in recordings.items()
        if recording.claim and (found := known.get(recording.claim.key)) is not None
    }


async def locked_dreams(session: WriteSession, ids: Collection[UUID]) -> dict[UUID, Dream]:
    among = Dream.id == func.any(literal(list(ids), ARRAY(Uuid)))
    ordered = Dream.select().where(among).order_by(Dream.id).with_for_update(of=Dream)
    return {dream.id: dream for dream in await session.records(Dream, ordered)}


async def _prices(session: WriteSession, recordings: Recordings, now: datetime) -> Prices:
    derived = {n: each for n, each in recordings.items() if has_derived_cost(each.values)}
    since = min((_time(n, each, now) for n, each in derived.items()), default=now)
    return await prices(session, {each.model for each in derived.values()}, since)


async def _insert(session: WriteSession, rows: Mapping[int, Row]) -> dict[int, AiTest]:
    if not rows:
        return {}
    items = row_parameters(list(rows.values()))
    stored = await session.unrestricted().records(AiTest, INSERT, items)
    tests = {test.id: test for test in stored}
    return {n: tests[row["id"]] for n, row in rows.items()}


async def _apply_scores(session: WriteSession, tests: Collection[AiTest], batch: Batch) -> None:
    """Store the progress logs of the tests, all audit entries, and which dreams are ACHIEVED."""
    scored = [test for test in tests if is_scored(test)]
    written = await append_all(session, scored, batch.before) if scored else NOTHING
    await note_all(session, list(_notes(tests, written.logs)))
    await announce(session, written.others)
    await _achieve_solved(session, scored, batch)


def _notes(tests: Collection[AiTest], logs: Mapping[UUID, ProgressLog]) -> Iterator[Note]:
    for test in tests:
        yield Note(ChangeKind.CREATED, AiTest, None, test)
        if test.id in logs:
            yield Note(ChangeKind.CREATED, ProgressLog, None, logs[test.id])


async def _achieve_solved(session: WriteSession, tests: Collection[AiTest], batch: Batch) -> None:
    active = {test.dream_id for test in tests if batch.dreams[test.dream_id].status == ACTIVE}
    if not active:
        return
    threshold = await numbers.read(session, numbers.ACHIEVED_AT)
    best = {id: batch.before[id].best for id in active}
    for test in tests:
        if test.dream_id in active:
            best[test.dream_id] = min(
                best[test.dream_id], cast("Decimal", test.impossibility_score)
            )
            if best[test.dream_id] <= threshold:
                active.remove(test.dream_id)
                await achieve(session, batch.dreams[test.dream_id], best[test.dream_id])


async def _settle(
    session: WriteSession, recordings: Recordings, results: Mapping[int, Result]
) -> None:
    """Store the ids of new tests with their keys; the keys of rejected tests are free again."""
    claimed = {n: recording.claim for n, recording in recordings.items() if recording.claim}
    if not claimed:
        return
    caller = next(iter(claimed.values())).caller
    ids = {claim.key: _id(results[n]) for n, claim in claimed.items()}
    await idempotency.settle_all(session, caller, {key: id for key, id in ids.items() if id})
    await idempotency.release_all(session, caller, [key for key, id in ids.items() if not id])


def _id(result: Result) -> UUID | None:
    return None if isinstance(result, DomainError) else result.id
