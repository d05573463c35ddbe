"""Batch: the progress logs of new tests, of one or of many dreams.

The logs are those that the same tests would have created one by one. New tests that are newer than
the logs of their dream continue from its state; late ones correct the logs after them, of which the
newest and the next are corrected at once.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, func, literal, select

from db.ai_tests import AiTest
from db.audit import ChangeKind
from db.core.ingest.statements import Counts, insert_batch, row_parameters
from db.core.session.database import ResultRow, WriteSession
from db.core.table import AnySelect, Row
from db.dreams import Dream
from db.progress import ProgressLog, model_scores, pending
from db.progress.model_scores import ModelScore, State, states
from db.progress.replay import Averages, Replay, Start
from db.progress.starts import former_averages
from db.progress.steps import LogChange, Position, Step, compute, newest_logs, store

Tests = Mapping[UUID, Sequence[AiTest]]  # by dream, oldest first
States = Mapping[UUID, State]  # by dream

INSERT = insert_batch(ProgressLog)
AT_ONCE = 50  # logs that are corrected in the transaction of late tests
PAGE = 2_000  # logs of one step of an import


@dataclass(frozen=True, slots=True)
class Written:
    """The logs of new tests, by id, and the changes of others, to be announced after them."""

    logs: Mapping[UUID, ProgressLog]
    others: Sequence[LogChange]


NOTHING = Written({}, ())


async def append_all(session: WriteSession, tests: Sequence[AiTest], before: States) -> Written:
    """Store the logs of new tests that have a score. The locks of the dreams must be held."""
    unrestricted, new = session.unrestricted(), _by_dream(tests)
    late = {id: some for id, some in new.items() if _is_late(some, before[id])}
    newest = {id: some for id, some in new.items() if id not in late}
    after = {id: before[id].with_tests(some) for id, some in new.items()}
    await model_scores.store(
        unrestricted, [score for id in new for score in _changed(before[id], after[id])]
    )
    rows = await _append(unrestricted, newest, before)
    corrected, changes = await _correct(unrestricted, late, after)
    made = {test.id for test in tests}
    logs = [log for log in (*rows, *corrected) if log["id"] in made]
    return Written(
        {log["id"]: ProgressLog.Record(**log) for log in logs},
        [change for change in changes if change.id not in made],
    )


async def recompute_since(session: WriteSession, since: Mapping[UUID, UUID]) -> Counts:
    """Compute the logs of dreams again, each from a test on; lock the dreams."""
    await session.execute(_locked(since))
    begun, total = await pending.take(session, since), Counts()
    left = {id: Position(min(first, begun.get(id, first))) for id, first in since.items()}
    known = await states(session, since)
    while left:
        next_tests = {id: at.since for id, at in left.items()}
        steps = await compute(session, next_tests, PAGE // len(left), known)
        total.add(await _stored(session, [log for step in steps.values() for log in step.logs]))
        reached = {id: at.after(steps.get(id)) for id, at in left.items()}
        left = {id: at for id, at in reached.items() if at is not None}
    return total


async def _stored(session: WriteSession, logs: Sequence[Row]) -> Counts:
    kinds = Counter(change.kind for change in await store(session, logs))
    inserted, updated = kinds[ChangeKind.CREATED], kinds[ChangeKind.UPDATED]
    return Counts(inserted, updated, len(logs) - inserted - updated)


def _by_dream(tests: Sequence[AiTest]) -> dict[UUID, list[AiTest]]:
    found: dict[UUID, list[AiTest]] = defaultdict(list)
    for test in sorted(tests, key=lambda test: test.id):
        found[test.dream_id].append(test)
    return found


def _is_late(tests: Sequence[AiTest], before: State) -> bool:
    return before.newest_log is not None and tests[0].id < before.newest_log


def _changed(before: State, after: State) -> Iterator[ModelScore]:
    return (score for model, score in after.scores.items() if score != before.scores.get(model))


async def _append(session: WriteSession, tests: Tests, before: States) -> list[Row]:
    known = {id: [test.id for test in new] for id, new in tests.items() if before[id].newest_log}
    since = {id: new[0].id for id, new in tests.items()}
    compared = await former_averages(session, since, known)
    rows = [
        log
        for id, new in tests.items()
        for log in _continued(new, before[id], compared.get(id, ()))
    ]
    if rows:
        await session.execute(INSERT, row_parameters(rows))
    return rows


def _continued(tests: Sequence[AiTest], before: State, compared: Averages) -> Iterator[Row]:
    start = Start(before.latest, before.best, before.test_count, compared)
    current = Replay(tests[0].dream_id, start)
    return (current.log(cast("ResultRow", test)) for test in tests)  # it has the columns


async def _correct(
    session: WriteSession, late: Tests, after: States
) -> tuple[Collection[Row], list[LogChange]]:
    """Compute the logs of late tests, some of those after them, and the newest of each dream; leave
    the others to maintenance."""
    if not late:
        return [], []
    since = {id: new[0].id for id, new in late.items()}
    size = (AT_ONCE + sum(map(len, late.values()))) // len(late)
    found = await compute(session, since, size, after)
    logs = {log["id"]: log for step in found.values() for log in step.logs}
    left = {id: at for id, step in found.items() if (at := _left(since[id], step))}
    newest = await newest_logs(session, {id: after[id] for id in left})
    logs |= {log["id"]: log for log in newest}
    await pending.postpone(session, left)
    return logs.values(), await store(session, logs.values())


def _left(since: UUID, step: Step) -> UUID | None:
    """The first test whose log may be wrong still."""
    return step.following or (None if step.is_right else since)


def _locked(dreams: Collection[UUID]) -> AnySelect:
    among = Dream.id == func.any(literal(list(dreams), ARRAY(Uuid)))
    return select(Dream.id).where(among).order_by(Dream.id).with_for_update()
