"""Operations: prepared from text and executed. Work that depends only on the text is cached.

A query or mutation is executed once. A subscription is opened once, which returns its source, and
is executed for each message with the message as root value.
"""

import asyncio
from collections.abc import AsyncIterable
from dataclasses import dataclass, field
from functools import cached_property
from inspect import isawaitable
from typing import Literal

from graphql import (
    DocumentNode,
    ExecutionResult,
    Executor,
    GraphQLError,
    GraphQLFormattedError,
    OperationDefinitionNode,
    create_source_event_stream,
    execute as graphql_execute,
    parse,
    separate_operations,
    validate,
)
from graphql.execution.values import VariableValues, get_variable_values
from graphql.validation.rules import overlapping_fields_can_be_merged as merging
from strawberry import Schema

from db.core.cache import Cache
from db.core.error_codes import ErrorCode
from db.core.errors import Crowded, TooLarge
from db.core.values import json
from graph.core.context import Context
from graph.core.execution import cost, limits, shareable
from graph.core.execution.bounds import Limits
from graph.core.execution.cost import Cost
from graph.core.execution.execution_context import too_large
from graph.core.execution.plan.fallback import already_resolved
from graph.core.execution.plan.plan import Planned, Plans, execute_plan, plans_of
from graph.core.execution.preconditions import accept
from graph.core.execution.rate_limit import cost_extension
from graph.core.execution.required_access import RequiredAccess, required_access
from graph.core.types.errors import coded, formatted
from graph.core.types.literals import NUL, first_string_with_nul

CACHED_BYTES = 64 * 1024 * 1024  # of all operations that are kept
TOKEN_BYTES = 512  # that are kept of an operation for each token of its document
FIXED_BYTES = 4 * 1024
MAX_ERRORS = 5
MAX_NAME = 200  # characters of the name of an operation that are logged
LIMITS = Limits()
SECONDS = 10.0
STORED = "{} The changes of the mutation are stored."
merging.MAX_COMPLEXITY_BUDGET = 20_000  # comparing fields of one name is the slowest rule by far

Kind = Literal["query", "mutation", "subscription"]


class InvalidOperation(Exception):
    """The document cannot be executed: a syntax or validation error, an exceeded limit, or an
    unknown operation."""

    def __init__(self, *errors: GraphQLError) -> None:
        super().__init__("; ".join(error.message for error in errors))
        self.errors = list(errors)


@dataclass(frozen=True, eq=False)
class Operation:
    """An operation of a valid document with its fragments, and all that executing it requires."""

    schema: Schema
    text: str
    document: DocumentNode
    node: OperationDefinitionNode
    required_access: RequiredAccess
    cost: Cost
    limits: Limits
    tokens: int

    @property
    def name(self) -> str | None:
        return self.node.name.value if self.node.name else None

    @property
    def size(self) -> int:
        """Approximate size in memory, in bytes."""
        return FIXED_BYTES + TOKEN_BYTES * self.tokens + len(self.text.encode())

    @property
    def short_name(self) -> str | None:
        return self.name and self.name[:MAX_NAME]  # for logs and records

    @property
    def kind(self) -> Kind:
        return self.node.operation.value

    @cached_property
    def variable_names(self) -> frozenset[str | None]:
        return frozenset(d.variable.name.value for d in self.node.variable_definitions or ())

    @cached_property
    def plans(self) -> Plans:
        return plans_of(self)

    @cached_property
    def is_viewer_independent(self) -> bool:
        return shareable.is_viewer_independent(self.schema._schema, self.document)

    @cached_property
    def cursor_variable(self) -> str | None:
        return shareable.cursor_variable(self.document, self.node)


@dataclass(frozen=True)
class OperationResult:
    """The result of an operation. `executed` is False if its variables were invalid."""

    data: dict[str, object] | None
    errors: list[GraphQLFormattedError]
    executed: bool = True
    extensions: dict[str, object] = field(default_factory=dict)

    @property
    def content(self) -> dict[str, object]:
        """The GraphQL response, without `data` if it was not executed."""
        content: dict[str, object] = {"errors": self.errors} if self.errors else {}
        if self.executed:
            content["data"] = self.data
        return content | ({"extensions": self.extensions} if self.extensions else {})

    @cached_property
    def body(self) -> bytes:
        """The response as JSON. Raises TypeError for a value that JSON cannot represent."""
        return json.dumps(self.content)


def prepare(
    schema: Schema,
    text: str,
    operation_name: str | None = None,
    limits: Limits = LIMITS,
    suggestions: bool = True,
) -> Operation:
    """Prepare the operation of that name in a document. `suggestions`: whether errors may suggest
    names in the schema. Raises InvalidOperation."""
    if (operation := cached_operation(schema, text, operation_name, limits)) is None:
        operation = _prepare(schema, text, operation_name, limits, suggestions)
        _operations[schema, text, operation_name, limits] = operation
    return operation


def cached_operation(
    schema: Schema, text: str, operation_name: str | None = None, limits: Limits = LIMITS
) -> Operation | None:
    return _operations.get((schema, text, operation_name, limits))


def _prepare(
    schema: Schema, text: str, operation_name: str | None, limits: Limits, suggestions: bool
) -> Operation:
    try:
        whole = _document(schema, text, limits, suggestions)
        node = _named(whole, operation_name)
        alone = separate_operations(whole)[node.name.value if node.name else ""]
        wanted = required_access(schema._schema, alone)
        price = cost.compile_cost(schema._schema, alone, node)
        return Operation(schema, text, alone, node, wanted, price, limits, whole.token_count)
    except RecursionError as error:
        message = "The document is nested too deeply."
        raise InvalidOperation(coded(message, ErrorCode.QUERY_TOO_COMPLEX)) from error


def _size(operation: Operation) -> int:
    return operation.size


_operations: Cache[tuple[Schema, str, str | None, Limits], Operation] = Cache(CACHED_BYTES, _size)


def _document(schema: Schema, text: str, most: Limits, suggestions: bool) -> DocumentNode:
    try:
        document = parse(text, max_tokens=most.tokens or None, allow_empty_selection_sets=False)
    except GraphQLError as error:
        raise InvalidOperation(_with_code(error, ErrorCode.GRAPHQL_PARSE_FAILED)) from error
    if too_much := limits.check(document, most):
        raise InvalidOperation(*too_much[:MAX_ERRORS])
    if nul := first_string_with_nul(text, document):
        raise InvalidOperation(
            GraphQLError(NUL, nul, extensions={"code": str(ErrorCode.BAD_USER_INPUT)})
        )
    errors = validate(
        schema._schema, document, max_errors=MAX_ERRORS, hide_suggestions=not suggestions
    )
    if errors:
        raise InvalidOperation(
            *(_with_code(error, ErrorCode.GRAPHQL_VALIDATION_FAILED) for error in errors)
        )
    return document


def _named(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    nodes = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    if name is None and len(nodes) > 1:
        raise InvalidOperation(
            coded(
                "The document has several operations; set operationName.", ErrorCode.BAD_USER_INPUT
            )
        )
    found = [node for node in nodes if name is None or (node.name and node.name.value == name)]
    if not found:
        raise InvalidOperation(
            coded(
                "The document has no such operation; check operationName.", ErrorCode.BAD_USER_INPUT
            )
        )
    return found[0]


def _with_code(error: GraphQLError, code: ErrorCode) -> GraphQLError:
    """The error without its cause, which is always the client's."""
    return GraphQLError(
        error.message, error.nodes, error.source, error.positions, extensions={"code": str(code)}
    )


async def execute(
    operation: Operation, variables: dict[str, object] | None, context: Context
) -> OperationResult:
    """Execute a query or a mutation. Exceptions of resolvers are errors in the result."""
    accepted = await accept(operation, variables, context)
    if isinstance(accepted, list):
        return await _answer(None, accepted, operation, context, executed=False)
    return await run(operation, variables, context, accepted=accepted)


async def open_stream(
    operation: Operation, variables: dict[str, object] | None, context: Context
) -> AsyncIterable[object] | OperationResult:
    accepted = await accept(operation, variables, context)
    if isinstance(accepted, list):
        return await _answer(None, accepted, operation, context, executed=False)
    executor = Executor.build(
        operation.schema._schema,
        operation.document,
        context_value=context,
        raw_variable_values=variables,
        operation_name=operation.name,
    )
    made = executor if isinstance(executor, list) else create_source_event_stream(executor)
    opened = await made if isawaitable(made) else made
    if isinstance(opened, ExecutionResult | list):
        errors = opened if isinstance(opened, list) else opened.errors or []
        return await _answer(None, errors, operation, context, executed=False)
    return opened


async def run(
    operation: Operation,
    variables: dict[str, object] | None,
    context: Context,
    root: object = None,
    accepted: VariableValues | None = None,
) -> OperationResult:
    """Execute an accepted operation, or one message of a subscription with its payload as root
    value. `accepted` are its coerced variables."""
    try:
        async with asyncio.timeout(SECONDS):
            middleware = None
            if context.executor == "plan":
                coerced = accepted or _coerced(operation, variables)
                planned = await execute_plan(operation, coerced, context, root)
                if isinstance(planned, Planned):
                    return await _answer(planned.data, planned.errors, operation, context)
                context = context.executed_by_core(planned.reason)
                middleware = already_resolved(planned.resolved)
            result = graphql_execute(
                operation.schema._schema,
                operation.document,
                root_value=root,
                variable_values=variables,
                operation_name=operation.name,
                context_value=context,
                executor_class=operation.schema.execution_context_class,
                middleware=middleware,
            )
            answer = await result if isawaitable(result) else result
    except TimeoutError as error:
        return await _answer(None, [GraphQLError("", original_error=error)], operation, context)
    except (TooLarge, Crowded) as refused:
        return await _too_large(refused, operation, context)
    errors = answer.errors or []
    for cause in (error.original_error for error in errors):
        if isinstance(cause, TooLarge | Crowded):
            return await _too_large(cause, operation, context)
    return await _answer(answer.data, errors, operation, context)


def _coerced(operation: Operation, variables: dict[str, object] | None) -> VariableValues:
    """The variables of a subscription for one of its messages, which were accepted at its start."""
    declared = operation.node.variable_definitions or ()
    coerced = get_variable_values(operation.schema._schema, declared, variables or {})
    if isinstance(coerced, list):
        raise coerced[0]
    return coerced


async def _answer(
    data: dict[str, object] | None,
    errors: list[GraphQLError],
    operation: Operation,
    context: Context,
    executed: bool = True,
) -> OperationResult:
    formatted_errors = [formatted(error, context.request_id) for error in errors]
    extensions = await cost_extension(context, operation.limits.cost) if context.shows_cost else {}
    answer = OperationResult(data, formatted_errors, executed, extensions)
    try:
        answer.body  # noqa: B018  encoded while a failure can still be reported as an error
    except TypeError as error:  # logged without its traceback, whose frames hold the whole answer
        cause = TypeError(f"The response cannot be encoded: {error}")
        failure = formatted(GraphQLError("", original_error=cause), context.request_id)
        return OperationResult(None, [failure], executed, extensions)
    if len(answer.body) > context.max_response_bytes and data is not None:
        return await _too_large(too_large(context.max_response_bytes), operation, context)
    return answer


async def _too_large(
    refused: TooLarge | Crowded, operation: Operation, context: Context
) -> OperationResult:
    """The result that replaces a response that is too large. It states that a mutation was
    executed, so that it is not sent again."""
    if operation.kind == "mutation":
        refused = TooLarge(STORED.format(refused.message))
    error = GraphQLError(refused.message, original_error=refused)
    return await _answer(None, [error], operation, context)
