"""The schema: every noun, and the roots made of them."""

import strawberry
from strawberry.schema.config import StrawberryConfig
from strawberry.tools import merge_types

from graph import (
    agents,
    ai_models,
    ai_tests,
    analytics,
    config,
    dreams,
    events,
    metrics,
    notifications,
    progress,
    usage,
    users,
)
from graph.core import errors, node
from graph.core.scalars import scalars

NOUNS = (
    node,
    users,
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
)

Query = merge_types("Query", tuple(noun.Queries for noun in NOUNS))
Query.__strawberry_definition__.description = "Everything that can be read."  # type: ignore[attr-defined]  # merge_types takes no description

schema = strawberry.Schema(
    query=Query,
    types=errors.types,
    exception_handlers=errors.handlers,
    config=StrawberryConfig(scalar_map=scalars),
)
