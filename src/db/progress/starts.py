"""Starts: what the tests before one were, from logs and scores of models, without reading them."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from uuid import UUID

from sqlalchemy import func, select, true

from db.ai_tests import SCORED, AiTest
from db.core.ids import floor, time_of
from db.core.query.batch import key_parameters, key_values, requested_keys
from db.core.session.database import ReadSession
from db.core.table import AnySelect
from db.progress import TREND_WINDOW, ProgressLog
from db.progress.model_scores import Model, ModelScore, State
from db.progress.replay import Averages, Start

MICROSECOND = timedelta(microseconds=1)


async def starts(
    session: ReadSession, tests: Mapping[UUID, Sequence[UUID]], states: Mapping[UUID, State]
) -> dict[UUID, Start]:
    """Where to start so that the logs of some tests of each dream, which follow one another, are
    computed. The states include all tests."""
    since = {id: some[0] for id, some in tests.items()}
    compared = await former_averages(session, tests)
    latest = await _latest(session, since, states)
    return {
        log.k0: Start(latest[log.k0], log.best_score, log.test_count, compared[log.k0])
        for log in await session.rows(_before(since))
    }


async def former_averages(
    session: ReadSession, tests: Mapping[UUID, Sequence[UUID]]
) -> dict[UUID, Averages]:
    """The averages that trends of tests compare with, of logs before the first of them: for each
    test that of the newest log before its trend window."""
    found: dict[UUID, list[tuple[datetime, Decimal]]] = defaultdict(list)
    wanted = [key for id, some in tests.items() for key in _windows(id, some)]
    if wanted:
        for dream_id, _, at, average in await session.rows(_compared(), key_values(wanted, 2)):
            found[dream_id].append((at, average))
    return {id: found[id] for id in tests}


def _windows(dream_id: UUID, tests: Sequence[UUID]) -> Iterator[tuple[UUID, UUID]]:
    """The bounds above the ids of logs that are older than the trend window of a test."""
    for test in tests:
        window = floor(time_of(test) - TREND_WINDOW + MICROSECOND)
        yield dream_id, min(window, tests[0])


@cache
def _compared() -> AnySelect:
    keys = key_parameters((ProgressLog.dream_id, ProgressLog.id))
    logs = select(ProgressLog.id, ProgressLog.created_at, ProgressLog.average_impossibility)
    former = logs.where(ProgressLog.dream_id == keys.c.k0, ProgressLog.id < keys.c.k1)
    log = former.order_by(ProgressLog.id.desc()).limit(1).lateral("log")
    joined = select(keys.c.k0, *log.c).select_from(keys.join(log, true()))
    return joined.distinct().order_by(keys.c.k0, log.c.id)


def _before(since: Mapping[UUID, UUID]) -> AnySelect:
    """The log before each test."""
    keys = requested_keys((ProgressLog.dream_id, ProgressLog.id), list(since.items()))
    earlier = ProgressLog.dream_id == keys.c.k0, ProgressLog.id < keys.c.k1
    logs = select(ProgressLog.best_score, ProgressLog.test_count).where(*earlier)
    log = logs.order_by(ProgressLog.id.desc()).limit(1).lateral("log")
    return select(
        keys.c.k0,
        func.coalesce(log.c.best_score, 100).label("best_score"),
        func.coalesce(log.c.test_count, 0).label("test_count"),
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


def _latest_before(wanted: Collection[tuple[UUID, str, str, UUID]]) -> AnySelect:
    columns = ModelScore.dream_id, ModelScore.provider, ModelScore.model, AiTest.id
    keys = requested_keys(columns, list(wanted))
    of_model = AiTest.dream_id == keys.c.k0, AiTest.provider == keys.c.k1, AiTest.model == keys.c.k2
    scores = select(AiTest.impossibility_score).where(*of_model, AiTest.id < keys.c.k3, *SCORED)
    latest = scores.order_by(AiTest.id.desc()).limit(1).lateral("latest")
    return select(keys.c.k0, keys.c.k1, keys.c.k2, latest.c.impossibility_score).select_from(
        keys.join(latest, true())
    )
