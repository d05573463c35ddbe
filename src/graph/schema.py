"""Schema: all nouns, and the root types made of them."""

from functools import cache

import strawberry
from strawberry.schema.config import StrawberryConfig
from strawberry.tools import merge_types
from strawberry.types import get_object_definition

from graph import (
    agents,
    ai_models,
    ai_tests,
    alerts,
    analytics,
    api_keys,
    archive,
    attachments,
    audit,
    budgets,
    config,
    dreams,
    events,
    journeys,
    kpis,
    metrics,
    notifications,
    progress,
    search,
    usage,
    users,
    webhooks,
)
from graph.ai_tests import queue, schedules, waiting
from graph.core.execution import error_values, input_validation, rate_limit
from graph.core.execution.execution_context import ExecutionContext
from graph.core.types import federation, lazy_types, node, one_of
from graph.core.types.scalars import scalars

NOUNS = (
    node,
    users,
    api_keys,
    dreams,
    ai_tests,
    queue,
    schedules,
    waiting,
    attachments,
    progress,
    ai_models,
    agents,
    events,
    metrics,
    analytics,
    config,
    notifications,
    audit,
    budgets,
    journeys,
    kpis,
    alerts,
    webhooks,
    search,
    archive,
    usage,
    rate_limit,
)


def _merged_root(name: str, part: str, description: str, *more: type) -> type:
    parts = (*(getattr(noun, part) for noun in NOUNS if hasattr(noun, part)), *more)
    merged: type = merge_types(name, parts)
    get_object_definition(merged, strict=True).description = description
    return merged


def _built(*queries: type) -> strawberry.Schema:
    """A schema of all nouns, and of further queries."""
    built = strawberry.Schema(
        query=_merged_root("Query", "Queries", "The query root: reads data.", *queries),
        subscription=_merged_root(
            "Subscription", "Subscriptions", "The subscription root: follows changes to data."
        ),
        mutation=_merged_root("Mutation", "Mutations", "The mutation root: changes data."),
        execution_context_class=ExecutionContext,
        config=StrawberryConfig(scalar_map=scalars),
    )
    lazy_types.install(built._schema)
    one_of.install(built._schema)
    input_validation.install(built._schema)
    return built


schema = _built()
error_values.install()


@cache
def federated_schema() -> strawberry.Schema:
    """The schema as a subgraph of a federated API."""
    return _built(federation.queries_of(schema))
