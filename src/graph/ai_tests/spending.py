"""Spending: the result and the arguments of `spend`."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

import strawberry

import db
from db.ai_tests.spending import SpendGroup as SpendGroup
from db.core.values import validation
from graph.core.types.field import argument, enum, field, related, value
from graph.core.types.node import parse_id
from graph.core.types.scalars import BigInt
from graph.core.types.time_range import Bucket
from graph.users import USER, User, UserById

MAX_VALUES = 1_000  # of one argument

enum(
    SpendGroup,
    USER="Group by the user who ran the tests.",
    MODEL="Group by provider and model.",
)


@value
class Spend:
    """Tokens and cost of the tests of one group within a time range."""

    bucket: datetime | None = field("Start of the bucket. Null if no `bucket` was asked for.")
    user: User | None = related(
        UserById,
        "user_id",
        description="The user who ran the tests. Null for imported tests, or if not grouped by "
        "user.",
    )
    provider: str | None = field("Provider of the model. Null if not grouped by model.")
    model: str | None = field("Name of the model. Null if not grouped by model.")
    test_count: int = field("Number of tests in any status.")
    total_tokens: BigInt = field("Total tokens used, over tests that reported them.")
    total_cost: Decimal = field("Total cost in US dollars, over tests that reported it.")


GroupBy = Annotated[
    list[SpendGroup],
    argument("What to group by. An empty list sums up all tests.", validation.items(10)),
]
OptionalBucket = Annotated[
    Bucket | None,
    argument("Width of each bucket of a series, DAY, WEEK or MONTH; one sum if omitted."),
]
UserIds = Annotated[
    list[strawberry.ID] | None,
    argument("Count only tests of these users.", validation.each(MAX_VALUES, USER)),
]
Providers = Annotated[
    list[str] | None,
    argument(
        "Count only tests of models of these providers.",
        validation.each(MAX_VALUES, validation.PROVIDER),
    ),
]
Models = Annotated[
    list[str] | None,
    argument(
        "Count only tests of models with these names.",
        validation.each(MAX_VALUES, validation.string()),
    ),
]
BY_USER_AND_MODEL = [SpendGroup.USER, SpendGroup.MODEL]


def user_ids(ids: list[strawberry.ID] | None) -> list[UUID] | None:
    """Raises Invalid."""
    if ids is None:
        return None
    return [parse_id(id, db.users.User, "userIds")[1] for id in ids]
