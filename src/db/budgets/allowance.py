"""Allowance: refuses new tests once a budget is spent, if the setting `budgets.exceeded` says so.

A test is stored only if less than the budget was spent by the tests committed before it. Tests of
one user follow one another: each transaction locks its user until it commits, after the dreams that
it locks. The overall budget is checked without a lock, so tests of several users may pass it
together. A test costs nothing until it has ended, so started tests may exceed a budget.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from db.budgets import Budget, Month, limit_of, spent_by, spent_by_all
from db.config import choices, numbers
from db.core.errors import BudgetExceeded
from db.core.session.database import WriteSession
from db.users import MAX_BUDGET, User

YOURS = "Your budget of {limit:f} US dollars for {month:%B %Y} is spent. Ask an administrator."
OVERALL = "The budget of all users for {month:%B %Y} is spent. Ask an administrator."


@dataclass(slots=True)
class Allowance:
    """The budgets that limit new tests, by the message when one is spent; none if tests are not
    refused."""

    budgets: dict[str, Budget]

    def take(self, cost: Decimal | None, at: datetime | None = None) -> None:
        """Count a test, of that time or of now. Tests of past months are always allowed. Raises
        BudgetExceeded."""
        for message, budget in self.budgets.items():
            if at is not None and at < budget.month.start:
                continue
            if budget.is_spent:
                raise BudgetExceeded(message.format(limit=budget.limit, month=budget.month.start))
            self.budgets[message] = replace(budget, spent=budget.spent + (cost or 0))


async def allowance(session: WriteSession, user_id: UUID | None) -> Allowance:
    """What a user may still spend, locked until the transaction ends."""
    unrestricted = session.unrestricted()
    if await choices.read(unrestricted, choices.BUDGET_EXCEEDED) != choices.REFUSE:
        return Allowance({})
    return Allowance({message: each async for message, each in _budgets(unrestricted, user_id)})


async def _budgets(
    session: WriteSession, user_id: UUID | None
) -> AsyncIterator[tuple[str, Budget]]:
    settings = await numbers.read_many(session, [numbers.USER_BUDGET, numbers.OVERALL_BUDGET])
    month = Month(session.now())
    if user_id is not None:
        locked = User.select().where(User.id == user_id).with_for_update(key_share=True)
        user = await session.record(User, locked)
        yield (
            YOURS,
            Budget(month, limit_of(user, settings), await spent_by(session, user_id, month)),
        )
    overall = settings[numbers.OVERALL_BUDGET]
    if overall < MAX_BUDGET:
        yield OVERALL, Budget(month, overall, await spent_by_all(session, month))
