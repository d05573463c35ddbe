"""Writes: tests are started, ended and recorded, with what a score means for their dream.

Whoever writes a test holds the lock of its dream first. So the scores of a dream are taken into
account one after the other, and each log of its progress knows all before it.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from db import ai_models, audit, config, dreams, progress
from db.ai_tests import MAX_COST, AiTest, AiTestStatus
from db.core.errors import Conflict, FieldError, Invalid, NotFound
from db.core.ids import uuid7
from db.core.numeric import rounded
from db.core.schema import partition
from db.core.session.clock import check_time
from db.core.session.database import Database, WriteSession
from db.core.session.row_rules import UNRESTRICTED
from db.core.values import validation
from db.dreams import Dream, DreamStatus
from db.notifications import Notification
from db.progress.replay import recompute

OPEN = (AiTestStatus.PENDING, AiTestStatus.RUNNING)
DREAM_ACHIEVED = "DREAM_ACHIEVED"
COST_PLACES = 6  # decimals of a cost


async def dream_of(session: WriteSession, test_id: UUID) -> Any:
    """The dream of a test, locked. Raises NotFound."""
    joined = Dream.select().join(AiTest, AiTest.dream_id == Dream.id).where(AiTest.id == test_id)
    dream = await session.record(Dream, joined.with_for_update(of=Dream))
    if dream is None:
        raise NotFound
    return dream


async def start(session: WriteSession, dream: Any, user_id: UUID | None, **values: Any) -> Any:
    """Starts a test of a dream. Raises Invalid."""
    of = {"dream_id": dream.id, "user_id": user_id, "status": AiTestStatus.RUNNING}
    return await audit.create(session, AiTest, **of, **values)


async def end(
    session: WriteSession, dream: Any, test: Any, status: AiTestStatus, **values: Any
) -> Any:
    """Ends a test of a dream. Raises Invalid, and Conflict if it has ended before."""
    if test.status not in OPEN:
        raise Conflict(f"The test is {test.status} already.")
    values |= await _derived(session, test.provider, test.model, values)
    now = session.now()
    ended = await audit.change(session, AiTest, test, status=status, completed_at=now, **values)
    await _weigh(session, dream, ended)
    return ended


async def record(
    session: WriteSession,
    dream: Any,
    user_id: UUID | None,
    status: AiTestStatus,
    at: datetime | None = None,
    **values: Any,
) -> Any:
    """Stores a test of a dream that has ended elsewhere. Raises Invalid."""
    validation.raise_if_invalid(ended({"status": status, **values}))
    at = session.now() if at is None else at
    values |= await _derived(session, values["provider"], values["model"], values)
    values |= {"id": uuid7(at), "created_at": at, "completed_at": at, "status": status}
    made = await audit.create(session, AiTest, dream_id=dream.id, user_id=user_id, **values)
    await _weigh(session, dream, made)
    return made


async def make_room(database: Database, at: datetime) -> None:
    """Makes the partition of a test of that time, if it is missing. Raises Invalid for a time at
    which it cannot have been run."""
    check_time(at, await database.now(), "at")
    async with database.scoped_to(UNRESTRICTED).write() as session:
        await partition.ensure(session, AiTest, [at])


def cost_of(tokens: int, per_1k_tokens: Decimal) -> Decimal:
    """What so many tokens cost in US dollars: six decimals, half up."""
    return rounded(per_1k_tokens * tokens / 1000, COST_PLACES)


async def _derived(
    session: WriteSession, provider: str, model: str, values: Mapping[str, Any]
) -> dict[str, Any]:
    """The cost by the price of the model, where only the tokens are told."""
    tokens = values.get("tokens_used")
    if tokens is None or values.get("cost") is not None:
        return {}
    price = await ai_models.price(session, provider, model)
    if price is None:
        return {}
    cost = cost_of(tokens, price)
    if cost > MAX_COST:
        message = f"So many tokens cost {cost:f} US dollars, and a test at most {MAX_COST}."
        raise Invalid(message, "tokens_used")
    return {"cost": cost, "cost_derived": True}


async def _weigh(session: WriteSession, dream: Any, test: Any) -> None:
    """Writes what the score of a test means: the progress of its dream, and maybe its end. Raises
    Invalid."""
    if test.status != AiTestStatus.COMPLETED or test.impossibility_score is None:
        return
    if await progress.is_newest(session, test):
        log = await progress.append(session, test)
    else:
        log = await _correct(session, test)
    if len(log.active_models) > progress.MAX_MODELS:
        raise Invalid(
            f"At most {progress.MAX_MODELS:,} models can be scored for one dream.", "model"
        )
    if dream.status == DreamStatus.ACTIVE:
        await _achieve(session, dream, log.best_score)


async def _correct(session: WriteSession, test: Any) -> Any:
    """Writes the log of a test that is older than others, and corrects the logs after it; returns
    the newest."""
    whole = session.unrestricted()
    await recompute(whole, [test.dream_id])
    return await progress.note_from(session, test)


async def _achieve(session: WriteSession, dream: Any, best: Decimal) -> None:
    """Ends a dream that is no longer impossible, and tells its owner."""
    if best > await config.number(session, config.ACHIEVED_AT):
        return
    await dreams.move(session, dream, DreamStatus.ACHIEVED, DreamStatus.ACTIVE)
    if dream.user_id is not None:
        await audit.create(
            session,
            Notification,
            user_id=dream.user_id,
            kind=DREAM_ACHIEVED,
            title=f"“{dream.title}” is no longer impossible",
            body=f"Its best score is {best} of 100.",
            payload={"dreamId": str(dream.id), "bestScore": float(best)},
        )


def ended(values: Mapping[str, Any]) -> Iterator[FieldError]:
    """What is wrong with a test that is recorded after its end."""
    status = values.get("status", AiTestStatus.COMPLETED)
    if status in OPEN:
        yield FieldError("A recorded test is COMPLETED, FAILED or CANCELLED.", "status")
    elif status != AiTestStatus.COMPLETED and values.get("impossibility_score") is not None:
        yield FieldError("Only a COMPLETED test has a score.", "impossibility_score")
