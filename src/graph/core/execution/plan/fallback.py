"""Fallback: graphql-core continues with the results of resolvers that a plan has called.

A mutation is never executed twice, and a query does not repeat the work of its root resolvers.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NoReturn

from graphql import GraphQLResolveInfo, MiddlewareManager

from graph.core.context import Context

Resolver = Callable[..., object]


@dataclass(frozen=True, slots=True)
class RaisedLater:
    """What a resolver raised when it was awaited: after what others raised when they were
    called."""

    error: Exception


def already_resolved(resolved: Mapping[str, object]) -> MiddlewareManager | None:
    """Middleware that answers for root fields with results, or raises exceptions, by response
    name."""
    if not resolved:
        return None

    def answer(
        resolve: Resolver, root: object, info: GraphQLResolveInfo[Context], **arguments: object
    ) -> object:
        name = str(info.path.key)
        if info.path.prev is not None or name not in resolved:
            return resolve(root, info, **arguments)
        result = resolved[name]
        if isinstance(result, RaisedLater):
            return _raising(result.error)
        if isinstance(result, Exception):
            raise result
        return result

    return MiddlewareManager(answer)


async def _raising(error: Exception) -> NoReturn:
    raise error
