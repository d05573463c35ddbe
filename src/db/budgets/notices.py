"""Notices: users are notified once a month when a share of their budget is spent, and
administrators of that of all users."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, true
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from db.budgets import Budget, Month, spent_by_all, sums
from db.config import numbers
from db.core.session.audit_context import AuditContext
from db.core.session.database import Database, ReadSession, WriteSession
from db.core.session.row_rules import Visibility
from db.core.table import AnySelect, CreatedAt, Table
from db.core.timeouts import Kind, of_kind
from db.notifications import send_all, to
from db.users import MAX_BUDGET, Role, User

BUDGET_REACHED = "BUDGET_REACHED"
SHARES = (80, 100)  # percent
ALL_USERS = UUID(int=0)  # whose notices are of the overall budget
CONTEXT = AuditContext("notifyOfBudget")


class BudgetNotice(Table):
    """A share of a budget, in percent, that was spent in a month, and notified of."""

    __tablename__ = "budget_notices"

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    month: Mapped[datetime] = mapped_column(primary_key=True)
    percent: Mapped[int] = mapped_column(primary_key=True)
    created_at: Mapped[CreatedAt]

    @classmethod
    def visible(cls, visibility: Visibility) -> ColumnElement[bool]:
        return true() if visibility.shared else visibility.owns(cls.user_id)


@dataclass(frozen=True, slots=True)
class Reached:
    """A budget of a user, or of all, of which at least the first share is spent."""

    user_id: UUID
    budget: Budget

    @property
    def shares(self) -> list[int]:
        spent, limit = self.budget.spent, self.budget.limit
        return [share for share in SHARES if spent > 0 and 100 * spent >= share * limit]


async def notify(database: Database) -> int:
    """Send notifications of the budgets that were reached since the last call, of any process.
    Returns how many budgets. Raises as sessions do."""
    unrestricted, count = database.unrestricted(), 0
    async with unrestricted.read() as session:
        reached = [each async for each in _reached(session)]
    for each in reached:
        async with unrestricted.write(CONTEXT) as write:
            count += await _notify(write, each)
    return count


async def _reached(session: ReadSession) -> AsyncIterator[Reached]:
    """Budgets with a share that no notice is about yet."""
    month = Month(session.now())
    settings = await numbers.read_many(session, [numbers.USER_BUDGET, numbers.OVERALL_BUDGET])
    for row in await session.rows(_users(month, settings[numbers.USER_BUDGET])):
        yield Reached(row.user_id, Budget(month, row.limit, row.spent))
    overall = settings[numbers.OVERALL_BUDGET]
    if overall < MAX_BUDGET:
        yield Reached(ALL_USERS, Budget(month, overall, await spent_by_all(session, month)))


def _users(month: Month, default: Decimal) -> AnySelect:
    spent = sums.by_user(month.range).subquery("spent")
    limit = func.coalesce(User.monthly_budget, default)
    highest = func.max(BudgetNotice.percent)
    notices = select(BudgetNotice.user_id, highest.label("percent"))
    of_month = notices.where(BudgetNotice.month == month.start).group_by(BudgetNotice.user_id)
    known = of_month.subquery("known")
    is_reached = [100 * spent.c.spent >= share * limit for share in SHARES]
    is_new = [func.coalesce(known.c.percent, 0) < share for share in SHARES]
    news = [reached & new for reached, new in zip(is_reached, is_new, strict=True)]
    statement = (
        select(spent.c.user_id, spent.c.spent, limit.label("limit"))
        .join(User, User.id == spent.c.user_id)
        .outerjoin(known, known.c.user_id == spent.c.user_id)
        .where(spent.c.spent > 0, news[0] | news[1])
    )
    return of_kind(Kind.AGGREGATE, statement)


async def _notify(session: WriteSession, reached: Reached) -> bool:
    """True if this is the process that notifies."""
    new = await _note(session, reached)
    if new:
        recipients = await _recipients(session, reached.user_id)
        await send_all(session, to(recipients, _message(reached, max(new))))
    return bool(new)


async def _note(session: WriteSession, reached: Reached) -> Sequence[int]:
    """The shares that no other process noted."""
    if not reached.shares:
        return []
    of = {"user_id": reached.user_id, "month": reached.budget.month.start}
    rows = [{**of, "percent": share} for share in reached.shares]
    noted = insert(BudgetNotice).values(rows).on_conflict_do_nothing()
    return [share for (share,) in await session.rows(noted.returning(BudgetNotice.percent))]


async def _recipients(session: ReadSession, user_id: UUID) -> Sequence[UUID]:
    if user_id != ALL_USERS:
        return [user_id]
    enabled = User.role == Role.ADMIN, User.disabled_at.is_(None)
    return [id for (id,) in await session.rows(select(User.id).where(*enabled))]


def _message(reached: Reached, percent: int) -> dict[str, object]:
    budget, whose = reached.budget, "Your" if reached.user_id != ALL_USERS else "The overall"
    month = f"{budget.month.start:%B %Y}"
    verb = "is spent" if percent >= SHARES[-1] else f"is spent to {percent} %"
    return {
        "kind": BUDGET_REACHED,
        "title": f"{whose} budget for {month} {verb}",
        "body": f"{budget.spent:.2f} of {budget.limit:.2f} US dollars were spent on tests.",
        "payload": {
            "month": f"{budget.month.start:%Y-%m}",
            "percent": percent,
            "budget": f"{budget.limit:f}",
            "spent": f"{budget.spent:f}",
        },
    }
