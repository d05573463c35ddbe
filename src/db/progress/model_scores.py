"""Model scores: the scored tests of each dream, summed up by model.

The rows of a dream are written in the transaction of each score. Imports, expiry and earlier
versions do not write them. So they are used only if they count as many tests as the newest log of
the dream and its oldest test exists; otherwise they are computed again from all its tests.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from typing import Self
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    ForeignKey,
    Uuid,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Mapped, aliased, mapped_column
from sqlalchemy.sql.dml import ReturningInsert
from sqlalchemy.sql.selectable import LateralFromClause

from db import ai_tests
from db.ai_tests import AiTest
from db.core.ingest.statements import row_parameters, upsert_batch
from db.core.query.batch import key_parameters, key_values
from db.core.session.database import WriteSession
from db.core.table import AnySelect, Column, Score, Table, checked
from db.core.values import validation
from db.progress import ProgressLog

Model = tuple[str, str]  # provider and name


class ModelScore(Table):
    """The scored tests of one model at one dream: first and latest, best score, and number."""

    __tablename__ = "model_scores"

    dream_id: Mapped[UUID] = mapped_column(
        ForeignKey("dreams.id", ondelete="CASCADE"), primary_key=True
    )
    provider: Mapped[str] = checked(validation.PROVIDER, primary_key=True)
    model: Mapped[str] = checked(validation.string(), primary_key=True)
    first_test_id: Mapped[UUID]
    latest_test_id: Mapped[UUID]
    latest_score: Mapped[Score]
    best_score: Mapped[Score]
    test_count: Mapped[int]


NAMES = ModelScore.Record._fields


@dataclass(slots=True)
class State:
    """The scored tests of one dream, by model, and its newest log. `exact` is false if they were
    not as its logs say."""

    scores: dict[Model, ModelScore] = field(default_factory=dict)
    newest_log: UUID | None = None
    exact: bool = True

    @property
    def latest(self) -> dict[Model, Decimal]:
        return {model: score.latest_score for model, score in self.scores.items()}

    @property
    def best(self) -> Decimal:
        return min((score.best_score for score in self.scores.values()), default=Decimal(100))

    @property
    def test_count(self) -> int:
        return sum(score.test_count for score in self.scores.values())

    @property
    def newest_test(self) -> UUID | None:
        return max((score.latest_test_id for score in self.scores.values()), default=None)

    def with_tests(self, tests: Iterable[AiTest]) -> Self:
        """The state after more tests with a score."""
        scores = dict(self.scores)
        for test in tests:
            model = test.provider, test.model
            scores[model] = _with_test(scores.get(model), test)
        return type(self)(scores, self.newest_log, self.exact)


async def states(session: WriteSession, dreams: Collection[UUID]) -> dict[UUID, State]:
    """The states of dreams, whose locks must be held."""
    found = {id: State() for id in dreams}
    if not found:
        return found
    for id, newest_log, exact, *score in await session.rows(_stored(), key_values([*dreams], 1)):
        state = found[id]
        state.newest_log, state.exact = newest_log, exact
        if score[0] is not None:
            _add(state, ModelScore.Record._make(score))
    behind = [id for id, state in found.items() if not state.exact]
    if behind:
        await _rebuild(session, {id: found[id] for id in behind})
    return found


async def store(session: WriteSession, scores: Sequence[ModelScore]) -> None:
    rows = [{name: getattr(score, name) for name in NAMES} for score in scores]
    await session.execute(_upsert(), row_parameters(rows))


async def forget(session: WriteSession, dreams: Collection[UUID]) -> None:
    """Have the states of dreams computed again."""
    await session.execute(delete(ModelScore).where(_of(ModelScore.dream_id, dreams)))


async def _rebuild(session: WriteSession, behind: Mapping[UUID, State]) -> None:
    if any(state.scores for state in behind.values()):
        await forget(session, behind)
    for state in behind.values():
        state.scores = {}
    made = insert(ModelScore).from_select(list(NAMES), _from_tests(behind))
    for score in await session.records(ModelScore, made.returning(*ModelScore.columns())):
        _add(behind[score.dream_id], score)


def _add(state: State, score: ModelScore) -> None:
    state.scores[score.provider, score.model] = score


def _with_test(score: ModelScore | None, test: AiTest) -> ModelScore:
    id, points, of = test.id, test.impossibility_score, (test.dream_id, test.provider, test.model)
    assert points is not None  # noqa: S101  the test has a score
    if score is None:
        return _made(*of, id, id, points, points, 1)
    first, latest = min(score.first_test_id, id), max(score.latest_test_id, id)
    latest_score = points if latest == id else score.latest_score
    best = min(score.best_score, points)
    return _made(*of, first, latest, latest_score, best, score.test_count + 1)


def _made(*values: object) -> ModelScore:
    made: ModelScore = ModelScore.Record._make(values)
    return made


def _of(column: Column, dreams: Collection[UUID]) -> ColumnElement[bool]:
    among: ColumnElement[bool] = column == func.any(literal(list(dreams), ARRAY(Uuid)))
    return among


# Statements of every score are built once.


@cache
def _upsert() -> ReturningInsert[bool]:
    return upsert_batch(ModelScore, ("dream_id", "provider", "model"))


@cache
def _stored() -> AnySelect:
    """The model scores of each dream, its newest log, and whether they agree. A dream without logs
    and scores may have tests whose logs expired."""
    keys = key_parameters((ModelScore.dream_id,))
    log = _newest_log(keys.c.k0)
    exact = func.coalesce(log.c.exact, False)
    among = ModelScore.dream_id == func.any(bindparam("keys_0", type_=ARRAY(Uuid)))
    of_dream = and_(ModelScore.dream_id == keys.c.k0, among)  # an index range in any join
    return select(keys.c.k0, log.c.id, exact, *ModelScore.columns()).select_from(
        keys.outerjoin(log, true()).outerjoin(ModelScore, of_dream)
    )


def _newest_log(dream_id: ColumnElement[UUID]) -> LateralFromClause:
    score = aliased(ModelScore)
    count = select(func.sum(score.test_count)).where(score.dream_id == ProgressLog.dream_id)
    first = select(score.first_test_id).where(score.dream_id == ProgressLog.dream_id)
    oldest = first.order_by(score.first_test_id).limit(1).correlate(ProgressLog).scalar_subquery()
    exact = and_(
        count.scalar_subquery() == ProgressLog.test_count,
        exists(select(AiTest.id).where(AiTest.id == oldest)),
    )
    logs = select(ProgressLog.id, exact.label("exact")).where(ProgressLog.dream_id == dream_id)
    return logs.order_by(ProgressLog.id.desc()).limit(1).lateral("log")


def _from_tests(dreams: Collection[UUID]) -> AnySelect:
    ids = func.array_agg(aggregate_order_by(AiTest.id, AiTest.id.desc()))
    scores = func.array_agg(aggregate_order_by(AiTest.impossibility_score, AiTest.id.desc()))
    return (
        select(
            AiTest.dream_id,
            *ai_tests.MODEL,
            ids[func.count()],
            ids[1],
            scores[1],
            func.min(AiTest.impossibility_score),
            func.count(),
        )
        .where(_of(AiTest.dream_id, dreams), *ai_tests.SCORED)
        .group_by(AiTest.dream_id, *ai_tests.MODEL)
    )
