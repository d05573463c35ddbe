"""Budgets: what a user spent on tests, and may spend in a month."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

import strawberry
from strawberry import UNSET

import db
from db.ai_tests.spending import SPENT as SPENT_LATELY
from db.budgets import sums
from db.core.errors import Conflict
from db.core.query.time_range import TimeRange, series_points
from db.core.session.database import ResultRow
from graph.ai_tests.types import READ
from graph.core.context import Info, as_source
from graph.core.permission import ADMIN, scope
from graph.core.types.aggregate import TimeWindow, page_of_rows
from graph.core.types.field import checked, field, value
from graph.core.types.groups import MAX_GROUPS
from graph.core.types.mutation import Input, input_type, locked_row, mutation
from graph.core.types.scalars import BigInt
from graph.core.types.time_range import Bucket, From, To, reveals_time, window
from graph.users import USER, User

ALL = scope("tests:read")

# Types


@value
class Budget:
    """What may be spent on tests in the present calendar month of UTC, in US dollars."""

    month: datetime = field("Start of the month.", resolver=lambda root: root.month.start)
    limit: Decimal = field("What may be spent.")
    spent: Decimal = field("What was spent so far, by tests with a known cost.")
    remaining: Decimal = field(
        "What is left; 0 if more was spent.", resolver=lambda root: max(root.limit - root.spent, 0)
    )
    is_spent: bool = field(
        "Whether the limit is reached. New tests are then refused with `BUDGET_EXCEEDED` if the "
        "setting `budgets.exceeded` is `REFUSE`; by default it is `WARN`."
    )
    forecast: Decimal = field(
        "What will be spent by the end of the month at the mean rate so far: spent · seconds of "
        "the month / seconds since its start, of which there is one day at least.",
        resolver=lambda root: root.month.forecast(root.spent),
    )


@value
class UsagePart:
    """Tests, tokens and cost of one model, day or month."""

    bucket: datetime | None = field("Start of the day or month, in UTC. Null for a model.")
    provider: str | None = field("Provider of the model. Null for a day or month.")
    model: str | None = field("Name of the model. Null for a day or month.")
    test_count: int = field("Number of tests in any status.")
    total_tokens: BigInt = field("Total tokens used, over tests that reported them.")
    total_cost: Decimal = field("Total cost in US dollars, over tests that reported it.")


@dataclass(frozen=True, slots=True)
class UsageSource:
    """The source of `MyUsage`."""

    user_id: UUID
    window: TimeRange


async def _budget(root: UsageSource, info: Info) -> Budget:
    async with info.context.db.unrestricted().read() as session:
        return as_source(await db.budgets.of_user(session, root.user_id))


async def _by_model(root: UsageSource, info: Info) -> list[UsagePart]:
    models = sums.of_user(root.user_id, root.window, by_model=True).limit(MAX_GROUPS)
    async with info.context.db.unrestricted().read() as session:
        return as_source(await page_of_rows(session, models))


async def _series(root: UsageSource, info: Info, bucket: Bucket) -> list[ResultRow]:
    async with info.context.db.unrestricted().read() as session:
        return await series_points(session, sums.of_user(root.user_id, root.window, bucket))


async def _by_day(root: UsageSource, info: Info) -> list[UsagePart]:
    return as_source(await _series(root, info, Bucket.DAY))


async def _by_month(root: UsageSource, info: Info) -> list[UsagePart]:
    return as_source(await _series(root, info, Bucket.MONTH))


@value
class MyUsage:
    """What the viewer spent on tests within a window of time, and the viewer's budget."""

    window: TimeWindow = field("The window: that of the arguments, or the last 30 days.", cost=0)
    budget: Budget = field("The viewer's budget of the present month.", resolver=_budget, cost=10)
    by_model: list[UsagePart] = field(
        f"Each model, highest cost first, at most {MAX_GROUPS:,}.", resolver=_by_model, cost=50
    )
    by_day: list[UsagePart] = field(
        "Each day with tests, oldest first. At most 10,000.", resolver=_by_day, cost=50
    )
    by_month: list[UsagePart] = field(
        "Each month with tests, oldest first.", resolver=_by_month, cost=50
    )


# Inputs


@checked(db.users.User)
@input_type
class SetMonthlyBudgetInput:
    """The input fields to set the budget of a user."""

    id: strawberry.ID = field("ID of the user.", check=USER)
    monthly_budget: Decimal | None = field(
        "What the user may spend on tests in a calendar month, in US dollars; null for the "
        "setting `budgets.user_monthly_usd`."
    )
    expected_monthly_budget: Decimal | None = field(
        "Budget that the user must have before, null for none. Not compared if omitted.",
        default=UNSET,
        check=db.users.User.checks["monthly_budget"],
    )


# Operations


@strawberry.type
class Queries:
    @field(
        "What the viewer spent on tests, against the viewer's budget. Null for callers without a "
        "user. The last 30 days by default.",
        READ,
        reveals=reveals_time(db.ai_tests.AiTest.created_at),
    )
    async def my_usage(self, info: Info, from_: From = UNSET, to: To = UNSET) -> MyUsage | None:
        span, user_id = await window(info, from_, to, SPENT_LATELY), info.context.principal.user_id
        return None if user_id is None else as_source(UsageSource(user_id, span))

    @field(
        "The budget of all users together, which is the setting `budgets.monthly_usd`. Without it "
        "the limit is 1,000,000,000.",
        ALL,
        cost=50,
    )
    async def overall_budget(self, info: Info) -> Budget:
        async with info.context.db.unrestricted().read() as session:
            return as_source(await db.budgets.of_all(session))


@strawberry.type
class Mutations:
    @mutation("Set what a user may spend on tests in a calendar month.", ADMIN, User)
    async def set_monthly_budget(
        self, info: Info, input: Input[SetMonthlyBudgetInput]
    ) -> db.users.User:
        async with locked_row(info, db.users.User, input.id) as (session, user):
            if input.expected_monthly_budget not in (UNSET, user.monthly_budget):
                raise Conflict("The budget was changed. Read it again before retrying.")
            return await db.users.edit(session, user, monthly_budget=input.monthly_budget)
