"""Executor: how the fields of an operation are executed, where graphql-core leaves a choice."""

from inspect import isawaitable
from typing import Any

import orjson
from graphql import GraphQLLeafType, GraphQLObjectType
from graphql.pyutils import Path
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from db.core import json
from db.core.errors import TooLarge

TOO_LARGE = "The response has more than {:,} bytes: ask for fewer fields or smaller pages."
FIELD_BYTES = 8  # around the name of a field: quotes, colon, comma, and braces or null


class Executor(StrawberryGraphQLCoreExecutionContext):
    """Executes each root field of a mutation with loaders of its own: what a loader has read holds
    until the next root field writes.

    Counts the bytes of the response as its values are completed, so that a response that is too
    large is given up before it is built.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.response_bytes = 0

    def execute_fields(
        self,
        parent_type: GraphQLObjectType,
        source_value: Any,
        path: Path | None,
        grouped_field_set: dict[str, Any],
        position_context: Any,
    ) -> Any:
        self._count(sum(map(len, grouped_field_set)) + FIELD_BYTES * len(grouped_field_set))
        return super().execute_fields(
            parent_type, source_value, path, grouped_field_set, position_context
        )

    def complete_leaf_value(self, return_type: GraphQLLeafType, result: Any) -> Any:  # type: ignore[override]  # static there
        completed = super().complete_leaf_value(return_type, result)
        self._count(_size(completed))
        return completed

    def _count(self, size: int) -> None:
        """Raises TooLarge."""
        self.response_bytes += size
        if self.response_bytes > (most := self.context_value.max_response_bytes):
            raise too_large(most)

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


def too_large(most: int) -> TooLarge:
    """The refusal of a response of more than so many bytes."""
    return TooLarge(TOO_LARGE.format(most))


def _size(value: Any) -> int:
    """The bytes of a value in JSON; 0 for what JSON does not have, which is refused as a whole."""
    if isinstance(value, str) and len(value) < 100 and value.isalnum() and value.isascii():
        return len(value) + 2
    try:
        return len(orjson.dumps(value) if isinstance(value, str) else json.dumps(value))
    except TypeError:
        return 0
