"""Budgets: what users, and all of them together, may spend on tests in a calendar month of UTC."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy import func, select

from db.ai_tests import sums as of_tests
from db.budgets import sums
from db.budgets.sums import ALL_TESTS
from db.config import numbers
from db.core.numeric import rounded
from db.core.query.time_range import TimeRange
from db.core.rollup import combined
from db.core.session.database import ReadSession
from db.core.timeouts import Kind, of_kind
from db.users import User

NOTHING = Decimal(0)
PLACES = 6  # decimals of a cost
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Month:
    """The calendar month of UTC that a moment is in."""

    now: datetime

    @property
    def start(self) -> datetime:
        first = self.now.astimezone(UTC).replace(day=1)
        return first.replace(hour=0, minute=0, second=0, microsecond=0)

    @property
    def end(self) -> datetime:
        return (self.start + 31 * DAY).replace(day=1)

    @property
    def range(self) -> TimeRange:
        return TimeRange(self.start, self.end, self.now)

    def forecast(self, spent: Decimal) -> Decimal:
        """What will be spent by the end at the mean rate so far: spent · length of
        the month / time since its start, which counts as one day at least."""
        elapsed = max(self.now - self.start, DAY)
        share = Decimal((self.end - self.start) // SECOND) / Decimal(elapsed // SECOND)
        return rounded(spent * share, PLACES)


SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be spent in a month, and what was, in US dollars."""

    month: Month
    limit: Decimal
    spent: Decimal

    @property
    def is_spent(self) -> bool:
        return self.spent >= self.limit


def limit_of(user: User | None, settings: Mapping[str, Decimal]) -> Decimal:
    own = user.monthly_budget if user is not None else None
    return settings[numbers.USER_BUDGET] if own is None else own


async def of_user(session: ReadSession, user_id: UUID) -> Budget:
    """The budget of a user in the present month. The session has no row rules."""
    settings = await numbers.read_many(session, [numbers.USER_BUDGET])
    user = await session.record(User, User.select().where(User.id == user_id))
    month = Month(session.now())
    return Budget(month, limit_of(user, settings), await spent_by(session, user_id, month))


async def of_all(session: ReadSession) -> Budget:
    """The budget of all users together. The session has no row rules."""
    month, limit = Month(session.now()), await numbers.read(session, numbers.OVERALL_BUDGET)
    return Budget(month, limit, await spent_by_all(session, month))


async def spent_by(session: ReadSession, user_id: UUID, month: Month) -> Decimal:
    """Read from sums of days, and from the user's tests of the present day."""
    rows = await session.rows(of_kind(Kind.AGGREGATE, sums.of_user(user_id, month.range)))
    return next((row.total_cost for row in rows), NOTHING)


async def spent_by_all(session: ReadSession, month: Month) -> Decimal:
    """Read from sums of days, and from all tests of the present day."""
    tests = combined(of_tests.ROLLUP, month.range, ALL_TESTS)
    spent = select(func.coalesce(tests.total("any_cost"), 0))
    return Decimal(await session.scalar(of_kind(Kind.AGGREGATE, spent)))
