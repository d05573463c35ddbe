"""Schema: all nouns, and the root types made of them."""

import strawberry
from strawberry.schema.config import StrawberryConfig
from strawberry.tools import merge_types
from strawberry.types import get_object_definition

from graph import (
    agents,
    ai_models,
    ai_tests,
    analytics,
    api_keys,
    config,
    dreams,
    events,
    metrics,
    notifications,
    progress,
    usage,
    users,
)
from graph.core.execution import error_values, input_validation, rate_limit
from graph.core.execution.execution_context import ExecutionContext
from graph.core.types import errors, lazy_types, node
from graph.core.types.scalars import scalars

NOUNS = (
    node,
    users,
    api_keys,
    dreams,
    ai_tests,
    progress,
    ai_models,
    agents,
    events,
    metrics,
    analytics,
    config,
    notifications,
    usage,
    rate_limit,
)


def merged_root(name: str, part: str, description: str) -> type:
    parts = tuple(getattr(noun, part) for noun in NOUNS if hasattr(noun, part))
    merged: type = merge_types(name, parts)
    get_object_definition(merged, strict=True).description = description
    return merged


schema = strawberry.Schema(
    query=merged_root("Query", "Queries", "The query root: reads data."),
    subscription=merged_root(
        "Subscription", "Subscriptions", "The subscription root: follows changes to data."
    ),
    mutation=merged_root("Mutation", "Mutations", "The mutation root: changes data."),
    types=errors.types,
    exception_handlers=errors.handlers,
    execution_context_class=ExecutionContext,
    config=StrawberryConfig(scalar_map=scalars),
)
lazy_types.install(schema._schema)
input_validation.install(schema._schema)
error_values.install()
