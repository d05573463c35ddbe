"""Ends: where the replay of late tests can end.

A test no longer counts for the average once its model has a later test, nor for trends from a trend
window after that. So the logs from there on differ only in their number of tests and best score.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import cast
from uuid import UUID

from sqlalchemy import Update, func, select, true, update

from db.ai_tests import SCORED, AiTest
from db.core.ids import floor, time_of
from db.core.query.batch import requested_keys
from db.core.session.database import ReadSession, WriteSession
from db.core.table import AnySelect
from db.progress import TREND_WINDOW, ProgressLog
from db.progress.replay import LAST

Tests = Mapping[UUID, Sequence[AiTest]]  # by dream


async def ends(session: ReadSession, late: Tests) -> dict[UUID, UUID]:
    """The bound above the last log of each dream that has to be computed."""
    following: dict[UUID, list[UUID | None]] = {id: [] for id in late}
    for dream_id, next_id in await session.rows(_next_of_model(late)):
        following[dream_id].append(next_id)
    return {id: _end(some) for id, some in following.items()}


async def count_after(session: WriteSession, late: Tests, ends: Mapping[UUID, UUID]) -> None:
    """Count late tests in the logs from the ends on."""
    changes = [
        (id, ends[id], len(some), min(cast("Decimal", test.impossibility_score) for test in some))
        for id, some in late.items()
        if ends[id] != LAST
    ]
    if changes:
        await session.execute(_counted(changes))


def _end(following: Sequence[UUID | None]) -> UUID:
    known = [id for id in following if id is not None]
    return floor(time_of(max(known)) + TREND_WINDOW) if len(known) == len(following) else LAST


def _next_of_model(late: Tests) -> AnySelect:
    wanted = [
        (id, test.provider, test.model, test.id) for id, some in late.items() for test in some
    ]
    keys = requested_keys((AiTest.dream_id, AiTest.provider, AiTest.model, AiTest.id), wanted)
    of_model = AiTest.dream_id == keys.c.k0, AiTest.provider == keys.c.k1, AiTest.model == keys.c.k2
    later = select(AiTest.id).where(*of_model, AiTest.id > keys.c.k3, *SCORED)
    following = later.order_by(AiTest.id).limit(1).lateral("following")
    return select(keys.c.k0, following.c.id).select_from(keys.outerjoin(following, true()))


def _counted(changes: Sequence[tuple[UUID, UUID, int, Decimal]]) -> Update:
    log = ProgressLog
    keys = requested_keys((log.dream_id, log.id, log.test_count, log.best_score), changes)
    counted = {
        "test_count": log.test_count + keys.c.k2,
        "best_score": func.least(log.best_score, keys.c.k3),
    }
    return update(log).where(log.dream_id == keys.c.k0, log.id >= keys.c.k1).values(counted)
