"""Starts: what the tests before one were, from logs and scores of models, without reading them."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from uuid import UUID

from sqlalchemy import func, select, true

from db.ai_tests import MODEL, SCORED, AiTest
from db.core.ids import floor, time_of
from db.core.query.batch import key_parameters, key_values, parts_of, requested_keys, within
from db.core.session.database import ReadSession
from db.core.table import AnySelect
from db.progress import TREND_WINDOW, ProgressLog
from db.progress.model_scores import Model, State
from db.progress.replay import Averages, Start

MICROSECOND = timedelta(microseconds=1)


Tests = Mapping[UUID, Sequence[UUID]]  # the ids of some tests of each dream, oldest first


async def starts(
    session: ReadSession, since: Mapping[UUID, UUID], tests: Tests, states: Mapping[UUID, State]
) -> dict[UUID, Start]:
    """Where to start so that the logs of tests, from the test `since` of their dream on, are
    computed. The states include all tests."""
    first = {id: since[id] for id in tests}
    compared = await former_averages(session, since, tests)
    latest = await _latest(session, first, states)
    return {
        log.k0: Start(latest[log.k0], log.best_score, log.test_count, compared[log.k0])
        for log in await session.rows(_before(first))
    }


async def former_averages(
    session: ReadSession, since: Mapping[UUID, UUID], tests: Tests
) -> dict[UUID, Averages]:
    """The averages that trends of tests compare with, of logs before the test `since`: for each
    test that of the newest log before its trend window."""
    found: dict[UUID, list[tuple[datetime, Decimal]]] = defaultdict(list)
    wanted = [(id, min(_window(test), since[id])) for id, some in tests.items() for test in some]
    if wanted:
        for dream_id, _, at, average in await session.rows(_compared(), key_values(wanted, 2)):
            found[dream_id].append((at, average))
    return {id: found[id] for id in tests}


def _window(test: UUID) -> UUID:
    """The bound above the ids of logs that are older than the trend window."""
    return floor(time_of(test) - TREND_WINDOW + MICROSECOND)


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
    """In the order of the index on models: by another one, PostgreSQL would read the tests of all
    models until it finds one."""
    model = AiTest.dream_id, *MODEL
    keys = requested_keys((*model, AiTest.id), list(wanted))
    of_model = within(model, parts_of(keys, len(model)))
    scores = select(AiTest.impossibility_score).where(*of_model, AiTest.id < keys.c.k3, *SCORED)
    latest = scores.order_by(*model, AiTest.id.desc()).limit(1).lateral("latest")
    return select(keys.c.k0, keys.c.k1, keys.c.k2, latest.c.impossibility_score).select_from(
        keys.join(latest, true())
    )
