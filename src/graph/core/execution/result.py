"""Results: what an operation answers, as GraphQL and as JSON."""

from dataclasses import dataclass, field
from functools import cached_property

from graphql import GraphQLError, GraphQLFormattedError

from db.core.error_codes import ErrorCode
from db.core.errors import Crowded, TooLarge
from db.core.values import json
from graph.core.context import Context
from graph.core.execution.execution_context import too_large as too_large_error
from graph.core.execution.explain import explain_extension
from graph.core.execution.operation import Operation
from graph.core.execution.rate_limit import cost_extension
from graph.core.types.errors import formatted

STORED = "{} The changes of the mutation are stored."


@dataclass(frozen=True)
class OperationResult:
    """The result of an operation. `executed` is False if its variables were invalid."""

    data: dict[str, object] | None
    errors: list[GraphQLFormattedError]
    executed: bool = True
    extensions: dict[str, object] = field(default_factory=dict)

    @property
    def is_unavailable(self) -> bool:
        """True if the database did not serve a part."""
        codes = (error["extensions"]["code"] for error in self.errors)
        return ErrorCode.SERVICE_UNAVAILABLE in codes

    @property
    def content(self) -> dict[str, object]:
        content: dict[str, object] = {"errors": self.errors} if self.errors else {}
        if self.executed:
            content["data"] = self.data
        return content | ({"extensions": self.extensions} if self.extensions else {})

    @cached_property
    def body(self) -> bytes:
        """The response as JSON. Raises TypeError for a value that JSON cannot represent."""
        return json.dumps(self.content)


async def answer(
    data: dict[str, object] | None,
    errors: list[GraphQLError],
    operation: Operation,
    context: Context,
    executed: bool = True,
) -> OperationResult:
    formatted_errors = [formatted(error, context.request_id) for error in errors]
    extensions = await cost_extension(context, operation.limits.cost) if context.shows_cost else {}
    extensions |= explain_extension(context)
    result = OperationResult(data, formatted_errors, executed, extensions)
    try:
        result.body  # noqa: B018  encoded while a failure can still be reported as an error
    except TypeError as error:  # logged without its traceback, whose frames hold the whole answer
        cause = TypeError(f"The response cannot be encoded: {error}")
        failure = formatted(GraphQLError("", original_error=cause), context.request_id)
        return OperationResult(None, [failure], executed, extensions)
    if len(result.body) > context.max_response_bytes and data is not None:
        return await too_large(too_large_error(context.max_response_bytes), operation, context)
    return result


async def too_large(
    refused: TooLarge | Crowded, operation: Operation, context: Context
) -> OperationResult:
    """The result that replaces a response that is too large. It states that a mutation was
    executed, so that it is not sent again."""
    if operation.kind == "mutation":
        refused = TooLarge(STORED.format(refused.message))
    error = GraphQLError(refused.message, original_error=refused)
    return await answer(None, [error], operation, context)
