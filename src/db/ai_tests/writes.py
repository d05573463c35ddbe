"""Writes: start, end and record tests, and update the progress of their dream.

Every write locks the dream first. So scores of a dream are applied one after the other, and each
progress log includes all earlier ones.
"""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from db import audit, dreams, progress
from db.ai_models.prices import Model, price
from db.ai_tests import MAX_COST, AiTest, AiTestStatus, failures, queue
from db.ai_tests.queue import Claim
from db.audit import ChangeKind
from db.budgets.allowance import allowance
from db.config import numbers
from db.core.errors import Conflict, FieldError, Invalid, NotFound
from db.core.ids import uuid7
from db.core.numeric import rounded
from db.core.schema import partition
from db.core.session.clock import check_time
from db.core.session.database import Database, WriteSession
from db.core.table import Values
from db.core.values import validation
from db.dreams import Dream, DreamStatus
from db.notifications import send_all
from db.progress import ProgressLog
from db.progress.batch import States, append_all
from db.progress.model_scores import states
from db.progress.steps import announce

OPEN = (AiTestStatus.PENDING, AiTestStatus.RUNNING)
DREAM_ACHIEVED = "DREAM_ACHIEVED"
COST_PLACES = 6  # decimals of a cost


async def dream_of(session: WriteSession, test_id: UUID) -> Dream:
    """The dream of a test, locked. Raises NotFound."""
    joined = Dream.select().join(AiTest, AiTest.dream_id == Dream.id).where(AiTest.id == test_id)
    dream = await session.record(Dream, joined.with_for_update(of=Dream))
    if dream is None:
        raise NotFound
    return dream


async def start(
    session: WriteSession,
    dream: Dream,
    user_id: UUID | None,
    status: AiTestStatus = AiTestStatus.RUNNING,
    **values: object,
) -> AiTest:
    """Create a RUNNING test, or a PENDING one. Raises Invalid, BudgetExceeded."""
    (await allowance(session, user_id)).take(None)
    started = {"dream_id": dream.id, "user_id": user_id, "status": status}
    return await audit.create(session, AiTest, **started, **values)


async def end(
    session: WriteSession,
    dream: Dream,
    test: AiTest,
    status: AiTestStatus,
    claim: Claim | None = None,
    **values: object,
) -> AiTest:
    """End a test and apply its score. Raises Invalid, Conflict if it has already ended, and
    ClaimLost for a test of the queue unless it is claimed so, or cancelled."""
    if test.status not in OPEN:
        raise Conflict(f"The test is already {test.status}.")
    if status == AiTestStatus.CANCELLED:
        await queue.remove(session, test)
    else:
        await queue.leave(session, test, claim)
    values |= await _derived_cost(session, (test.provider, test.model), test.created_at, values)
    before = await _before(
        session,
        dream,
        {"impossibility_score": test.impossibility_score, **values, "status": status},
    )
    now = session.now()
    ended = await audit.change(session, AiTest, test, status=status, completed_at=now, **values)
    await _apply_score(session, dream, ended, before)
    await failures.notify(session, {dream.id: dream}, [ended])
    return ended


async def record(
    session: WriteSession,
    dream: Dream,
    user_id: UUID | None,
    status: AiTestStatus,
    at: datetime | None = None,
    *,
    provider: str,
    model: str,
    **values: object,
) -> AiTest:
    """Create a test that has already ended and apply its score. Raises Invalid, BudgetExceeded."""
    validation.raise_if_invalid(recording_errors({"status": status, **values}))
    at = session.now() if at is None else at
    values |= await _derived_cost(session, (provider, model), at, values)
    values |= {"provider": provider, "model": model, "dream_id": dream.id, "user_id": user_id}
    values |= {"id": uuid7(at), "created_at": at, "completed_at": at, "status": status}
    (await allowance(session, user_id)).take(cost_known(values), at)
    before = await _before(session, dream, values)
    made = await audit.create(session, AiTest, **values)
    await _apply_score(session, dream, made, before)
    await failures.notify(session, {dream.id: dream}, [made])
    return made


async def ensure_partition(database: Database, at: datetime) -> None:
    """Create the partition for tests of that time, if missing. Raises Invalid for a time that is
    out of range."""
    check_time(at, await database.now(), "at")
    await ensure_partitions(database, [at])


async def ensure_partitions(database: Database, times: Collection[datetime]) -> None:
    if times:
        async with database.unrestricted().write() as session:
            await partition.ensure(session, AiTest, times)


def cost_of(tokens: int, per_1k_tokens: Decimal) -> Decimal:
    """The cost of `tokens` in US dollars, rounded half up to six decimals."""
    return rounded(per_1k_tokens * tokens / 1000, COST_PLACES)


def cost_known(values: Values) -> Decimal | None:
    cost = values.get("cost")
    return cost if isinstance(cost, Decimal) else None


async def _derived_cost(
    session: WriteSession, model: Model, at: datetime, values: Mapping[str, object]
) -> dict[str, object]:
    if not has_derived_cost(values):
        return {}
    return derived_cost(values, await price(session, model, at))


def has_derived_cost(values: Mapping[str, object]) -> bool:
    return isinstance(values.get("tokens_used"), int) and values.get("cost") is None


def derived_cost(values: Mapping[str, object], price: Decimal | None) -> dict[str, object]:
    """The columns of a cost that the tokens make, if the price is known. Raises Invalid."""
    tokens = values.get("tokens_used")
    if price is None or not isinstance(tokens, int):
        return {}
    cost = cost_of(tokens, price)
    if cost > MAX_COST:
        message = f"These tokens cost {cost:f} US dollars; a test may cost at most {MAX_COST}."
        raise Invalid(message, "tokens_used")
    return {"cost": cost, "cost_derived": True}


async def _before(session: WriteSession, dream: Dream, values: Values) -> States:
    """The state of the dream before a test with these values, if they have a score."""
    scored = is_score(values.get("status"), values.get("impossibility_score"))
    return await states(session.unrestricted(), [dream.id] if scored else [])


async def _apply_score(session: WriteSession, dream: Dream, test: AiTest, before: States) -> None:
    """Write the progress log of a scored test, and mark its dream ACHIEVED if it is. Raises
    Invalid."""
    if not is_scored(test):
        return
    after = before[dream.id].with_tests([test])
    check_models(len(after.scores))
    written = await append_all(session, [test], before)
    await audit.note(session, ChangeKind.CREATED, ProgressLog, None, written.logs[test.id])
    await announce(session, written.others)
    if dream.status == DreamStatus.ACTIVE:
        await _achieve_if_solved(session, dream, after.best)


def is_scored(test: AiTest) -> bool:
    return is_score(test.status, test.impossibility_score)


def is_score(status: object, score: object) -> bool:
    return status == AiTestStatus.COMPLETED and score is not None


def check_models(number: int) -> None:
    """Raises Invalid if a dream has scores of too many models."""
    if number > progress.MAX_MODELS:
        raise Invalid(
            f"At most {progress.MAX_MODELS:,} models can be scored for one dream.", "model"
        )


async def _achieve_if_solved(session: WriteSession, dream: Dream, best: Decimal) -> None:
    if best <= await numbers.read(session, numbers.ACHIEVED_AT):
        await achieve(session, dream, best)


async def achieve(session: WriteSession, dream: Dream, best: Decimal) -> None:
    """Mark an ACTIVE dream ACHIEVED, and notify its owner."""
    await dreams.move(session, dream, DreamStatus.ACHIEVED, DreamStatus.ACTIVE)
    if dream.user_id is not None:
        message = {
            "user_id": dream.user_id,
            "kind": DREAM_ACHIEVED,
            "title": f"“{dream.title}” is no longer impossible",
            "body": f"Its best score is {best} of 100.",
            "payload": {"dreamId": str(dream.id), "bestScore": float(best)},
        }
        await send_all(session, [message])


def recording_errors(values: Mapping[str, object]) -> Iterator[FieldError]:
    status = values.get("status", AiTestStatus.COMPLETED)
    if status in OPEN:
        yield FieldError(
            "The status of a recorded test must be COMPLETED, FAILED or CANCELLED.", "status"
        )
    elif status != AiTestStatus.COMPLETED and values.get("impossibility_score") is not None:
        yield FieldError("Only a COMPLETED test can have a score.", "impossibility_score")
