"""Rate limit: what operations may cost, and what callers may still spend."""

import math
from dataclasses import asdict
from datetime import datetime
from typing import Any

import strawberry
from graphql import GraphQLError

from graph.core.context import Context, Info
from graph.core.permission import PUBLIC
from graph.core.quota import Account
from graph.core.types.errors import coded
from graph.core.types.field import field, value

TOO_COSTLY = "The operation costs {} points; at most {} are allowed. Ask for smaller pages."
EXHAUSTED = "You have spent your points: this costs {}. Try again in {} seconds."
INVALID_DOCUMENT_POINTS = 25  # points of a document that is refused: finding its faults is work too
READING = 128  # bytes of a document that are read for a point, unless it was read lately


async def check_parse_budget(account: Account | None) -> list[GraphQLError]:
    """Why a document is not even read: its caller could not pay for a faulty one."""
    points = min(INVALID_DOCUMENT_POINTS, account.limit) if account else 0
    if account is None or await account.has(points):
        return []
    return [await _exhausted(account, points)]


async def read(account: Account | None, document: str) -> list[GraphQLError]:
    """Takes the points for reading a document; the errors if that cannot be."""
    points = len(document.encode()) // READING
    if account is None or await account.take(min(points, account.limit)):
        return []
    return [await _exhausted(account, points)]


async def charge_fault(account: Account | None) -> None:
    """Takes the points of a request that is refused for a fault of its own."""
    if account:
        await account.take(INVALID_DOCUMENT_POINTS)


async def charge(context: Context, maximum: int) -> list[GraphQLError]:
    """Takes the cost of an operation from its caller's account; the errors if that cannot be."""
    cost, account = context.cost, context.account
    most = min(limit for limit in (maximum, account and account.limit, math.inf) if limit)
    if cost > most:
        message = TOO_COSTLY.format(cost, most)
        return [coded(message, "QUERY_TOO_COMPLEX", cost=cost, maximum=most)]
    if account is None or await account.take(cost):
        return []
    return [await _exhausted(account, cost)]


async def _exhausted(account: Account, points: int) -> GraphQLError:
    seconds = await account.wait(points)
    message = EXHAUSTED.format(points, math.ceil(seconds))
    return coded(message, "RATE_LIMITED", retryAfterMs=math.ceil(seconds * 1000))


async def cost_extension(context: Context, maximum: int) -> dict[str, Any]:
    """What an operation cost, for the extensions of its answer; `remaining` is None for callers
    who may spend what they like."""
    remaining = (await context.account.balance()).remaining if context.account else None
    return {"cost": {"requested": context.cost, "maximum": maximum, "remaining": remaining}}


@value
class RateLimit:
    """What this operation costs in points, and how many the caller has per minute."""

    cost: int = field("Points of this operation, taken before it was executed.")
    limit: int | None = field(
        "Points that you have per minute; null when you are not limited.", default=None
    )
    remaining: int | None = field(
        "Points that you have left; null when you are not limited.", default=None
    )
    reset_at: datetime | None = field(
        "When all of them are there again if you spend none; null when you are not limited.",
        default=None,
    )


@strawberry.type
class Queries:
    @field("What this operation costs, and what you may still spend.", PUBLIC, cost=0)
    async def rate_limit(self, info: Info) -> RateLimit:
        context = info.context
        context.shows_cost = True
        left = asdict(await context.account.balance()) if context.account else {}
        return RateLimit(cost=context.cost, **left)
