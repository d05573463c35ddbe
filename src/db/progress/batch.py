"""Batch: the progress logs of many new tests, in one pass.

The logs are those that the same tests would have created one by one. A dream whose new tests are
all newer than its logs continues from its present state; for others all logs are computed again.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import cast
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Insert,
    ScalarSelect,
    Uuid,
    func,
    insert,
    literal,
    select,
)
from sqlalchemy.orm import aliased

from db.ai_tests import AiTest
from db.audit import Change, ChangeKind
from db.core.ids import floor
from db.core.ingest.statements import insert_rows
from db.core.query.batch import requested_keys
from db.core.session.database import ReadSession, ResultRow, WriteSession
from db.core.table import AnySelect, Row
from db.progress import TREND_WINDOW, ProgressLog, by_model
from db.progress.replay import LOG, Model, Replay, recompute

Averages = Sequence[tuple[datetime, Decimal]]  # of logs, oldest first
Tests = Mapping[UUID, Sequence[AiTest]]  # by dream, oldest first


@dataclass(slots=True)
class State:
    """The scored tests of one dream before the batch, and its newest log."""

    latest: dict[Model, Decimal] = field(default_factory=dict)
    best: Decimal = Decimal(100)
    test_count: int = 0
    newest: UUID | None = None


async def states(session: ReadSession, dreams: Collection[UUID]) -> dict[UUID, State]:
    found = {id: State() for id in dreams}
    if not found:
        return found
    for row in await session.rows(by_model(dreams)):
        state = found[row.dream_id]
        state.latest[row.provider, row.model] = row.latest
        state.best = min(state.best, row.best)
        state.test_count += row.test_count
    for dream_id, newest in await session.rows(_newest_logs(dreams)):
        found[dream_id].newest = newest
    return found


async def append_all(
    session: WriteSession, tests: Sequence[AiTest], before: Mapping[UUID, State]
) -> dict[UUID, ProgressLog]:
    """Store the logs of new tests that have a score, and return them by id. The locks of the
    dreams must be held."""
    unrestricted, of_dreams = session.unrestricted(), _by_dream(tests)
    late = {id for id, new in of_dreams.items() if _is_late(new, before[id])}
    newest = {id: new for id, new in of_dreams.items() if id not in late}
    logs = await _append(unrestricted, newest, before) if newest else []
    return {log.id: log for log in logs + (await _insert(unrestricted, late, tests))}


async def correct_later(
    session: WriteSession, tests: Sequence[AiTest], before: Mapping[UUID, State]
) -> None:
    """Store the changes of earlier logs after the first new test of each dream: all differ now."""
    since = {id: new[0].id for id, new in _by_dream(tests).items() if _is_late(new, before[id])}
    if since:
        await session.unrestricted().execute(_changed_after(since, [test.id for test in tests]))


def _by_dream(tests: Sequence[AiTest]) -> dict[UUID, list[AiTest]]:
    found: dict[UUID, list[AiTest]] = defaultdict(list)
    for test in sorted(tests, key=lambda test: test.id):
        found[test.dream_id].append(test)
    return found


def _is_late(tests: Sequence[AiTest], before: State) -> bool:
    return before.newest is not None and tests[0].id < before.newest


async def _append(
    session: WriteSession, tests: Tests, before: Mapping[UUID, State]
) -> list[ProgressLog]:
    averages = await _averages(session, tests)
    rows = [log for id, new in tests.items() for log in _continued(new, before[id], averages[id])]
    await session.execute(insert_rows(ProgressLog, LOG, rows))
    return [ProgressLog.Record(**row) for row in rows]


def _continued(tests: Sequence[AiTest], before: State, averages: Averages) -> Iterator[Row]:
    replay = Replay(tests[0].dream_id)
    replay.resume(before.latest, before.best, before.test_count, averages)
    return (replay.log(cast("ResultRow", test)) for test in tests)  # it has the columns


async def _averages(
    session: WriteSession, tests: Tests
) -> dict[UUID, list[tuple[datetime, Decimal]]]:
    """The averages that trends of new tests compare with: from the newest log before the window of
    the first test to that before the window of the last."""
    found: dict[UUID, list[tuple[datetime, Decimal]]] = defaultdict(list)
    for dream_id, at, average in await session.rows(_compared(tests)):
        found[dream_id].append((at, average))
    return found


async def _insert(
    session: WriteSession, dreams: Collection[UUID], tests: Sequence[AiTest]
) -> list[ProgressLog]:
    if not dreams:
        return []
    await recompute(session, sorted(dreams))
    ids = [test.id for test in tests if test.dream_id in dreams]
    keys = requested_keys((ProgressLog.id,), ids)
    joined = ProgressLog.select().join(keys, keys.c.k0 == ProgressLog.id)
    return await session.records(ProgressLog, joined)


def _newest_logs(dreams: Collection[UUID]) -> AnySelect:
    keys = requested_keys((ProgressLog.dream_id,), list(dreams))
    return select(keys.c.k0, _newest_id(ProgressLog, ProgressLog.dream_id == keys.c.k0))


def _newest_id(log: type[ProgressLog], *conditions: ColumnElement[bool]) -> ScalarSelect[UUID]:
    ids = select(log.id).where(*conditions).order_by(log.id.desc()).limit(1)
    return ids.scalar_subquery()


def _compared(tests: Tests) -> AnySelect:
    wanted = [(id, _window(new[0]), _window(new[-1])) for id, new in tests.items()]
    keys = requested_keys((ProgressLog.dream_id, ProgressLog.id, ProgressLog.id), wanted)
    former = aliased(ProgressLog)
    first = _newest_id(former, former.dream_id == keys.c.k0, former.id < keys.c.k1)
    return (
        select(ProgressLog.dream_id, ProgressLog.created_at, ProgressLog.average_impossibility)
        .join(keys, keys.c.k0 == ProgressLog.dream_id)
        .where(ProgressLog.id >= func.coalesce(first, keys.c.k1), ProgressLog.id < keys.c.k2)
        .order_by(ProgressLog.dream_id, ProgressLog.id)
    )


def _window(test: AiTest) -> UUID:
    """The bound below the ids of the trend window of a test."""
    return floor(test.created_at - TREND_WINDOW + timedelta(microseconds=1))


def _changed_after(since: Mapping[UUID, UUID], made: Sequence[UUID]) -> Insert:
    keys = requested_keys((ProgressLog.dream_id, ProgressLog.id), list(since.items()))
    noun, kind = literal(ProgressLog.__tablename__), literal(ChangeKind.UPDATED.value)
    logs = (
        select(noun, ProgressLog.id, kind, ProgressLog.dream_id)
        .join(keys, keys.c.k0 == ProgressLog.dream_id)
        .where(ProgressLog.id > keys.c.k1, ProgressLog.id != func.all(literal(made, ARRAY(Uuid))))
    )
    columns = ["noun", "entity_id", "kind", "parent_id"]
    return insert(Change).from_select(columns, logs.order_by(ProgressLog.dream_id, ProgressLog.id))
