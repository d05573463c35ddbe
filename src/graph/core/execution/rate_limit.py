"""Rate limit: charges operations to their callers' accounts.

Charging returns the error of a caller that lacks the points.
"""

import math
from dataclasses import asdict
from datetime import datetime

import strawberry
from graphql import GraphQLError

from db.core.error_codes import ErrorCode
from graph.core.context import Context, Info
from graph.core.permission import PUBLIC
from graph.core.quota import Account
from graph.core.types.errors import coded
from graph.core.types.field import field, value

TOO_COSTLY = "The operation costs {} points; at most {} are allowed. Ask for smaller pages."
EXHAUSTED = "You have too few points left: this costs {}. Retry in {} seconds."
INVALID_DOCUMENT_POINTS = 25  # points of a document that is refused: finding its faults is work too
BYTES_PER_POINT = 128  # bytes of a document that are read for a point, unless it was read lately


async def check_parse_budget(account: Account | None) -> list[GraphQLError]:
    """The error if the caller could not pay for an invalid document; then it is not parsed."""
    points = min(INVALID_DOCUMENT_POINTS, account.limit) if account else 0
    if account is None or await account.has(points):
        return []
    return [await _exhausted(account, points)]


async def charge_parsing(account: Account | None, document: str) -> list[GraphQLError]:
    points = len(document.encode()) // BYTES_PER_POINT
    if account is None or await account.take(min(points, account.limit)):
        return []
    return [await _exhausted(account, points)]


def charge_leased(account: Account | None, cost: int, maximum: int) -> bool:
    """Charge an operation to the points that its caller has leased. False, with none charged, if
    they do not suffice, or the operation is too costly."""
    if maximum and cost > maximum:
        return False
    return account is None or account.take_leased(cost, min(INVALID_DOCUMENT_POINTS, account.limit))


def give_back(account: Account | None, cost: int) -> None:
    if account:
        account.give_back(cost)


async def charge_fault(account: Account | None) -> None:
    if account:
        await account.take(INVALID_DOCUMENT_POINTS)


async def charge(context: Context, maximum: int) -> list[GraphQLError]:
    cost, account = context.cost, context.account
    most = min(limit for limit in (maximum, account and account.limit, math.inf) if limit)
    if cost > most:
        message = TOO_COSTLY.format(cost, most)
        return [coded(message, ErrorCode.QUERY_TOO_COMPLEX, cost=cost, maximum=most)]
    if account is None or await account.take(cost):
        return []
    return [await _exhausted(account, cost)]


async def _exhausted(account: Account, points: int) -> GraphQLError:
    account.budget.refused += 1
    seconds = await account.wait(points)
    message = EXHAUSTED.format(points, math.ceil(seconds))
    return coded(message, ErrorCode.RATE_LIMITED, retryAfterMs=math.ceil(seconds * 1000))


async def cost_extension(context: Context, maximum: int) -> dict[str, object]:
    """The cost of an operation, for the extensions of its response. `remaining` is None for callers
    without a limit."""
    remaining = (await context.account.balance()).remaining if context.account else None
    return {"cost": {"requested": context.cost, "maximum": maximum, "remaining": remaining}}


@value
class RateLimit:
    """The cost of the current operation and the caller's points."""

    cost: int = field("Points of the current operation, charged before its execution.")
    limit: int | None = field("Points per minute. Null without a limit.", default=None)
    remaining: int | None = field("Remaining points. Null without a limit.", default=None)
    reset_at: datetime | None = field(
        "When all points are available again, without further spending. Null without a limit.",
        default=None,
    )


@strawberry.type
class Queries:
    @field("The cost of the current operation and the viewer's remaining points.", PUBLIC, cost=0)
    async def rate_limit(self, info: Info) -> RateLimit:
        context = info.context
        context.shows_cost = True
        left = asdict(await context.account.balance()) if context.account else {}
        return RateLimit(cost=context.cost, **left)
