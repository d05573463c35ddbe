"""Starts: where the replay of a dream can start, so that no earlier test is read.

What the tests before were is known from the log before, the scores of models and the averages of
the logs within the trend window. If the log before does not count as many tests as there are, the
replay starts at the first test.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from uuid import UUID

from sqlalchemy import ColumnElement, ScalarSelect, func, select, true
from sqlalchemy.orm import aliased

from db.ai_tests import SCORED, AiTest
from db.core.ids import floor, time_of
from db.core.query.batch import key_parameters, key_values, requested_keys
from db.core.session.database import ReadSession, ResultRow
from db.core.table import AnySelect
from db.progress import TREND_WINDOW, ProgressLog
from db.progress.model_scores import Model, ModelScore, State
from db.progress.replay import LAST, Averages, Start

MICROSECOND = timedelta(microseconds=1)


async def starts(
    session: ReadSession, since: Mapping[UUID, UUID], states: Mapping[UUID, State]
) -> dict[UUID, Start]:
    """Where to start so that logs from the test `since` of each dream on are computed. The states
    include all tests."""
    before = {log.k0: log for log in await session.rows(_before(since))}
    known = {id: since[id] for id, log in before.items() if _is_complete(log, states[id])}
    latest = await _latest(session, known, states)
    ranges = {id: (first, states[id].newest_test or first) for id, first in known.items()}
    compared = await averages(session, ranges)
    found = {id: Start() for id in since}
    for id, first in known.items():
        log = before[id]
        found[id] = Start(first, LAST, latest[id], log.best_score, log.test_count, compared[id])
    return found


async def averages(
    session: ReadSession, ranges: Mapping[UUID, tuple[UUID, UUID]]
) -> dict[UUID, Averages]:
    """The averages that trends of the tests in each range compare with, of logs before it: from the
    newest before the window of the first test to that before the window of the last."""
    found: dict[UUID, list[tuple[datetime, Decimal]]] = defaultdict(list)
    if ranges:
        wanted = [(id, *_windows(first, last)) for id, (first, last) in ranges.items()]
        for dream_id, at, average in await session.rows(_compared(), key_values(wanted, 3)):
            found[dream_id].append((at, average))
    return {id: found[id] for id in ranges}


def _is_complete(before: ResultRow, state: State) -> bool:
    return bool(before.test_count + before.later == state.test_count)


def _before(since: Mapping[UUID, UUID]) -> AnySelect:
    """The log before, and the number of scored tests from there on."""
    keys = requested_keys((ProgressLog.dream_id, ProgressLog.id), list(since.items()))
    earlier = ProgressLog.dream_id == keys.c.k0, ProgressLog.id < keys.c.k1
    logs = select(ProgressLog.best_score, ProgressLog.test_count).where(*earlier)
    log = logs.order_by(ProgressLog.id.desc()).limit(1).lateral("log")
    later = AiTest.dream_id == keys.c.k0, AiTest.id >= keys.c.k1
    count = select(func.count()).select_from(AiTest).where(*later, *SCORED)
    return select(
        keys.c.k0,
        func.coalesce(log.c.best_score, 100).label("best_score"),
        func.coalesce(log.c.test_count, 0).label("test_count"),
        count.scalar_subquery().label("later"),
    ).select_from(keys.outerjoin(log, true()))


async def _latest(
    session: ReadSession, since: Mapping[UUID, UUID], states: Mapping[UUID, State]
) -> dict[UUID, dict[Model, Decimal]]:
    """The latest score of each model before a test, by dream."""
    found: dict[UUID, dict[Model, Decimal]] = {id: {} for id in since}
    earlier: list[tuple[UUID, str, str, UUID]] = []
    for id, first in since.items():
        for model, score in states[id].scores.items():
            if score.latest_test_id < first:
                found[id][model] = score.latest_score
            elif score.first_test_id < first:
                earlier.append((id, *model, first))
    if earlier:
        for dream_id, provider, name, points in await session.rows(_latest_before(earlier)):
            found[dream_id][provider, name] = points
    return found


def _latest_before(wanted: Sequence[tuple[UUID, str, str, UUID]]) -> AnySelect:
    columns = ModelScore.dream_id, ModelScore.provider, ModelScore.model, AiTest.id
    keys = requested_keys(columns, wanted)
    of_model = AiTest.dream_id == keys.c.k0, AiTest.provider == keys.c.k1, AiTest.model == keys.c.k2
    scores = select(AiTest.impossibility_score).where(*of_model, AiTest.id < keys.c.k3, *SCORED)
    latest = scores.order_by(AiTest.id.desc()).limit(1).lateral("latest")
    return select(keys.c.k0, keys.c.k1, keys.c.k2, latest.c.impossibility_score).select_from(
        keys.join(latest, true())
    )


@cache
def _compared() -> AnySelect:
    keys = key_parameters((ProgressLog.dream_id, ProgressLog.id, ProgressLog.id))
    former = aliased(ProgressLog)
    first = _newest_id(former, former.dream_id == keys.c.k0, former.id < keys.c.k1)
    return (
        select(ProgressLog.dream_id, ProgressLog.created_at, ProgressLog.average_impossibility)
        .join(keys, keys.c.k0 == ProgressLog.dream_id)
        .where(ProgressLog.id >= func.coalesce(first, keys.c.k1), ProgressLog.id < keys.c.k2)
        .order_by(ProgressLog.dream_id, ProgressLog.id)
    )


def _windows(first: UUID, last: UUID) -> Iterator[UUID]:
    """The bounds below the ids of the trend windows of two tests, at most the first test."""
    yield _window(first)
    yield min(_window(last), first)


def _window(test: UUID) -> UUID:
    return floor(time_of(test) - TREND_WINDOW + MICROSECOND)


def _newest_id(log: type[ProgressLog], *conditions: ColumnElement[bool]) -> ScalarSelect[UUID]:
    ids = select(log.id).where(*conditions).order_by(log.id.desc()).limit(1)
    return ids.scalar_subquery()
