"""Operations: from text to answer. What depends on the text alone is done once and remembered."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from inspect import isawaitable
from typing import Any, Literal

from graphql import (
    DocumentNode,
    GraphQLError,
    OperationDefinitionNode,
    parse,
    separate_operations,
    validate,
)
from graphql import (
    execute as graphql_execute,
)
from graphql.execution.values import get_variable_values
from strawberry import Schema

from graph.core import limits, permission
from graph.core.context import Context
from graph.core.errors import coded, formatted
from graph.core.permission import Access, Principal

REMEMBERED = 1_000
MAX_ERRORS = 5
SECONDS = 10.0

Kind = Literal["query", "mutation", "subscription"]


class RequestFailed(Exception):
    """The document cannot be executed: syntax, validation, limits, no such operation."""

    def __init__(self, *errors: GraphQLError) -> None:
        super().__init__("; ".join(error.message for error in errors))
        self.errors = list(errors)


@dataclass(frozen=True, eq=False)
class Operation:
    """One operation of a valid document with the fragments it uses, and what running it needs."""

    schema: Schema
    document: DocumentNode
    node: OperationDefinitionNode
    needs: Mapping[Access, str]

    @property
    def name(self) -> str | None:
        return self.node.name.value if self.node.name else None

    @property
    def kind(self) -> Kind:
        return self.node.operation.value


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of an operation; `executed` is False when its variables were not acceptable."""

    data: dict[str, Any] | None
    errors: list[dict[str, Any]]
    executed: bool = True


@lru_cache(maxsize=REMEMBERED)
def prepare(schema: Schema, text: str, operation_name: str | None = None) -> Operation:
    """The operation of that name in a document. Raises RequestFailed."""
    node = _named(whole := _document(schema, text), operation_name)
    alone = separate_operations(whole)[node.name.value if node.name else ""]
    return Operation(schema, alone, node, permission.needs(schema._schema, alone))


@lru_cache(maxsize=REMEMBERED)
def _document(schema: Schema, text: str) -> DocumentNode:
    try:
        document = parse(text, max_tokens=limits.MAX_TOKENS)
        too_much = limits.check(document)
    except GraphQLError as error:
        raise RequestFailed(_with_code(error, "GRAPHQL_PARSE_FAILED")) from error
    except RecursionError as error:
        raise RequestFailed(
            coded("The document is nested too deeply.", "QUERY_TOO_COMPLEX")
        ) from error
    if too_much:
        raise RequestFailed(*too_much)
    if errors := validate(schema._schema, document, max_errors=MAX_ERRORS):
        raise RequestFailed(*(_with_code(error, "GRAPHQL_VALIDATION_FAILED") for error in errors))
    return document


def _named(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    nodes = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    if name is None and len(nodes) > 1:
        raise RequestFailed(
            coded("The document has several operations; name one.", "BAD_USER_INPUT")
        )
    found = [node for node in nodes if name is None or (node.name and node.name.value == name)]
    if not found:
        raise RequestFailed(coded("There is no such operation in the document.", "BAD_USER_INPUT"))
    return found[0]


def _with_code(error: GraphQLError, code: str) -> GraphQLError:
    error.extensions = {**(error.extensions or {}), "code": code}
    return error


async def execute(
    operation: Operation, variables: dict[str, Any] | None, context: Context
) -> Answer:
    """Runs a query or a mutation. Never raises what a resolver raised: it is in the answer."""
    if refused := _refused(operation, variables, context.principal):
        return _answer(None, refused, context, executed=False)
    try:
        async with asyncio.timeout(SECONDS):
            result = graphql_execute(
                operation.schema._schema,
                operation.document,
                variable_values=variables,
                operation_name=operation.name,
                context_value=context,
                executor_class=operation.schema.execution_context_class,
            )
            answer = await result if isawaitable(result) else result
    except TimeoutError as error:
        return _answer(None, [GraphQLError("", original_error=error)], context)
    return _answer(answer.data, answer.errors or [], context)


def _refused(
    operation: Operation, variables: dict[str, Any] | None, principal: Principal
) -> list[GraphQLError]:
    """Why an operation does not even start: permission, or its variables."""
    for access, field in operation.needs.items():
        if not principal.may(access):
            code = "FORBIDDEN" if principal.role or principal.scopes else "UNAUTHENTICATED"
            return [coded(f"{field} needs {access}.", code)]
    declared = operation.node.variable_definitions or ()
    coerced = get_variable_values(operation.schema._schema, declared, variables or {})
    refused = coerced if isinstance(coerced, list) else []
    return [GraphQLError(error.message, error.nodes) for error in refused]  # not their cause


def _answer(
    data: dict[str, Any] | None,
    errors: list[GraphQLError],
    context: Context,
    executed: bool = True,
) -> Answer:
    shown = [formatted(error, context.request_id) for error in errors]
    return Answer(data, shown, executed)
