"""Execution context: customises graphql-core's execution of fields."""

from copy import copy
from inspect import isawaitable
from typing import cast

import orjson
from graphql import GraphQLError, GraphQLLeafType, GraphQLObjectType
from graphql.execution.collect_fields import FieldDetailsList, GroupedFieldSet
from graphql.execution.executor import CollectedErrors
from graphql.execution.incremental.incremental_executor import DeliveryGroupMap
from graphql.pyutils import AwaitableOrValue, Path, gather_with_cancel
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from db.core.connections.meter import Meter
from db.core.errors import Crowded, TooLarge
from db.core.values import json
from graph.core.execution import introspection

TOO_LARGE = "The response has more than {:,} bytes: ask for fewer fields or smaller pages."
SHORT = 64  # characters of a string whose escapes are not counted
NUMBER_BYTES = 8
COUNTED_AT_ONCE = 16 * 1024
FIELD_BYTES = 8  # around the name of a field: quotes, colon, comma, and braces or null


class Counting(StrawberryGraphQLCoreExecutionContext):
    """Counts the bytes of the response while values are completed, to abort a response that is too
    large before it is built."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        context = self.context_value
        self.meter = Meter(context.max_response_bytes, TOO_LARGE, context.claim)
        self.uncounted = 0

    def execute_fields(
        self,
        parent_type: GraphQLObjectType,
        source_value: object,
        path: Path | None,
        grouped_field_set: GroupedFieldSet,
        position_context: DeliveryGroupMap | None,
    ) -> AwaitableOrValue[dict[str, object]]:
        self.uncounted += sum(map(len, grouped_field_set)) + FIELD_BYTES * len(grouped_field_set)
        if self.uncounted > COUNTED_AT_ONCE:
            self.count(0)
        return super().execute_fields(
            parent_type, source_value, path, grouped_field_set, position_context
        )

    def complete_leaf_value(self, return_type: GraphQLLeafType, result: object) -> object:  # type: ignore[override]  # static there
        completed = super().complete_leaf_value(return_type, result)
        if isinstance(completed, str) and len(completed) < SHORT and completed.isascii():
            self.uncounted += len(completed)
        else:
            self.uncounted += _size(completed)
        if self.uncounted > COUNTED_AT_ONCE:
            self.count(0)
        return completed

    def count(self, size: int) -> None:
        """Raises TooLarge or Crowded."""
        self.meter.add(size + self.uncounted)
        self.uncounted = COUNTED_AT_ONCE if self.meter.is_over else 0  # so that all others fail
        self.meter.check()


class ExecutionContext(Counting):
    """Executes introspection in a thread, and each root field of a mutation with its own loaders,
    because rows that a loader has read are valid only until the next write."""

    def execute_fields(
        self,
        parent_type: GraphQLObjectType,
        source_value: object,
        path: Path | None,
        grouped_field_set: GroupedFieldSet,
        position_context: DeliveryGroupMap | None,
    ) -> AwaitableOrValue[dict[str, object]]:
        if path is None and any(map(_introspects, grouped_field_set.values())):
            return self._with_introspection(parent_type, source_value, grouped_field_set)
        return super().execute_fields(
            parent_type, source_value, path, grouped_field_set, position_context
        )

    async def _with_introspection(
        self, parent_type: GraphQLObjectType, source_value: object, fields: GroupedFieldSet
    ) -> dict[str, object]:
        others = {name: nodes for name, nodes in fields.items() if not _introspects(nodes)}
        introspected = [name for name in fields if name not in others]
        made = super().execute_fields(parent_type, source_value, None, others, None)
        work = [self._introspected(parent_type, {name: fields[name]}) for name in introspected]
        if isawaitable(made):
            *values, made = await gather_with_cancel(*work, made)
        else:
            values = await gather_with_cancel(*work)
        results = {**made, **dict(zip(introspected, values, strict=True))}
        return {name: results[name] for name in fields}

    async def _introspected(
        self, parent_type: GraphQLObjectType, fields: GroupedFieldSet
    ) -> orjson.Fragment:
        ((name, details),) = fields.items()
        apart = self._separate_copy()

        def execute() -> object:
            made = Counting.execute_fields(apart, parent_type, None, None, fields, None)
            value = cast("dict[str, object]", made)[name]  # introspection does not wait
            if errors := apart.collected_errors.errors:
                raise errors[0]
            return value

        nodes = [each.node for each in details]
        key = introspection.cache_key(self.schema, nodes, self.variable_values.coerced)
        text = await introspection.result(key, execute)
        try:
            self.count(len(text))
        except (TooLarge, Crowded) as refused:
            raise GraphQLError("", original_error=refused) from refused
        return orjson.Fragment(text)

    def _separate_copy(self) -> "ExecutionContext":
        apart = copy(self)
        apart.collected_errors = CollectedErrors()
        apart._relevant_sub_fields = {}
        apart.uncounted = 0
        apart.meter = Meter(self.meter.most, TOO_LARGE)  # another thread claims nothing
        return apart

    async def execute_fields_serially(
        self,
        parent_type: GraphQLObjectType,
        source_value: object,
        path: Path | None,
        grouped_field_set: GroupedFieldSet,
        position_context: DeliveryGroupMap | None,
    ) -> dict[str, object]:
        results: dict[str, object] = {}
        for name, details in grouped_field_set.items():
            self.context_value.loaders = {}
            made = super().execute_fields_serially(
                parent_type, source_value, path, {name: details}, position_context
            )
            results |= await made if isawaitable(made) else made
        return results


def _introspects(details: FieldDetailsList) -> bool:
    return details[0].node.name.value in introspection.FIELDS


def too_large(most: int) -> TooLarge:
    return TooLarge(TOO_LARGE.format(most))


def _size(value: object) -> int:
    """The size of a value as JSON in bytes; 0 for values that JSON cannot represent, which fail
    later."""
    if isinstance(value, int | float):
        return NUMBER_BYTES
    try:
        return len(orjson.dumps(value) if isinstance(value, str) else json.dumps(value))
    except TypeError:
        return 0
