"""Executor: how the fields of an operation are executed, where graphql-core leaves a choice."""

from inspect import isawaitable
from typing import Any

from graphql import GraphQLObjectType
from graphql.pyutils import Path
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext


class Executor(StrawberryGraphQLCoreExecutionContext):
    """Executes each root field of a mutation with loaders of its own: what a loader has read holds
    until the next root field writes."""

    async def execute_fields_serially(
        self,
        parent_type: GraphQLObjectType,
        source_value: Any,
        path: Path | None,
        grouped_field_set: dict[str, Any],
        position_context: Any,
    ) -> dict[str, Any]:
        results: dict[str, Any] = {}
        for name, details in grouped_field_set.items():
            self.context_value.loaders = {}
            made = super().execute_fields_serially(
                parent_type, source_value, path, {name: details}, position_context
            )
            results |= await made if isawaitable(made) else made
        return results
