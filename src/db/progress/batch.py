"""Batch: the progress logs of new tests, of one or of many dreams.

The logs are those that the same tests would have created one by one. New tests that are newer than
the logs of their dream continue from its state; for others the later logs are computed again.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import cast
from uuid import UUID

from sqlalchemy import ARRAY, Insert, Uuid, func, insert, literal, select

from db.ai_tests import AiTest
from db.audit import Change, ChangeKind
from db.core.ingest.statements import Counts, insert_batch, row_parameters
from db.core.query.batch import requested_keys
from db.core.session.database import ResultRow, WriteSession
from db.core.table import AnySelect, Row
from db.dreams import Dream
from db.progress import ProgressLog
from db.progress.ends import count_after, ends
from db.progress.model_scores import ModelScore, State, states, store
from db.progress.replay import FIRST, LAST, Averages, Replay, Start, replay
from db.progress.starts import averages, starts

Tests = Mapping[UUID, Sequence[AiTest]]  # by dream, oldest first
States = Mapping[UUID, State]  # by dream

INSERT = insert_batch(ProgressLog)


async def append_all(
    session: WriteSession, tests: Sequence[AiTest], before: States
) -> dict[UUID, ProgressLog]:
    """Store the logs of new tests that have a score, and return them by id. The locks of the
    dreams must be held."""
    unrestricted, new = session.unrestricted(), _by_dream(tests)
    late = {id: some for id, some in new.items() if _is_late(some, before[id])}
    newest = {id: some for id, some in new.items() if id not in late}
    after = {id: before[id].with_tests(some) for id, some in new.items()}
    await store(unrestricted, [score for id in new for score in _changed(before[id], after[id])])
    logs = await _append(unrestricted, newest, before) + await _insert(unrestricted, late, after)
    return {row["id"]: ProgressLog.Record(**row) for row in logs}


async def correct_later(session: WriteSession, tests: Sequence[AiTest], before: States) -> None:
    """Store the changes of earlier logs after the first new test of each dream: all differ now."""
    since = {id: new[0].id for id, new in _by_dream(tests).items() if _is_late(new, before[id])}
    if since:
        made = [test.id for test in tests]
        await session.unrestricted().execute(_changes_of_later(since, made))


async def recompute_since(session: WriteSession, since: Mapping[UUID, UUID]) -> Counts:
    """Compute the logs of dreams again, each from a test on; lock the dreams."""
    await session.execute(_locked(since))
    total = Counts()
    found = await starts(session, since, await states(session, since))
    async for _, counts in replay(session, found):
        total.add(counts)
    return total


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
    ranges = {id: (new[0].id, new[-1].id) for id, new in tests.items() if before[id].newest_log}
    compared = await averages(session, ranges)
    rows = [
        log
        for id, new in tests.items()
        for log in _continued(new, before[id], compared.get(id, ()))
    ]
    if rows:
        await session.execute(INSERT, row_parameters(rows))
    return rows


def _continued(tests: Sequence[AiTest], before: State, compared: Averages) -> Iterator[Row]:
    start = Start(tests[0].id, LAST, before.latest, before.best, before.test_count, compared)
    current = Replay(tests[0].dream_id, start)
    return (current.log(cast("ResultRow", test)) for test in tests)  # it has the columns


async def _insert(session: WriteSession, late: Tests, after: States) -> list[Row]:
    if not late:
        return []
    since = {id: new[0].id for id, new in late.items()}
    ranges = await starts(session, since, after)
    trusted = {id: new for id, new in late.items() if after[id].exact and ranges[id].since != FIRST}
    until = await ends(session, trusted) if trusted else {}
    for id, end in until.items():
        ranges[id] = replace(ranges[id], until=end)
    made = {test.id for new in late.values() for test in new}
    found: list[Row] = []
    async for logs, _ in replay(session, ranges):
        found += [log for log in logs if log["id"] in made]
    await count_after(session, trusted, until)
    return found


def _locked(dreams: Collection[UUID]) -> AnySelect:
    among = Dream.id == func.any(literal(list(dreams), ARRAY(Uuid)))
    return select(Dream.id).where(among).order_by(Dream.id).with_for_update()


def _changes_of_later(since: Mapping[UUID, UUID], made: Sequence[UUID]) -> Insert:
    keys = requested_keys((ProgressLog.dream_id, ProgressLog.id), list(since.items()))
    noun, kind = literal(ProgressLog.__tablename__), literal(ChangeKind.UPDATED.value)
    logs = (
        select(noun, ProgressLog.id, kind, ProgressLog.dream_id)
        .join(keys, keys.c.k0 == ProgressLog.dream_id)
        .where(ProgressLog.id > keys.c.k1, ProgressLog.id != func.all(literal(made, ARRAY(Uuid))))
    )
    columns = ["noun", "entity_id", "kind", "parent_id"]
    return insert(Change).from_select(columns, logs.order_by(ProgressLog.dream_id, ProgressLog.id))
