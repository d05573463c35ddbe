"""Operations: prepared from text. Work that depends only on the text is done once, and cached."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from graphql import (
    DocumentNode,
    GraphQLError,
    OperationDefinitionNode,
    parse,
    separate_operations,
    validate,
)
from graphql.validation.rules import overlapping_fields_can_be_merged as merging
from strawberry import Schema

from db.core.cache import Cache
from db.core.error_codes import ErrorCode
from graph.core.execution import cost, limits as limits_of_document, shareable
from graph.core.execution.bounds import Limits
from graph.core.execution.cost import Cost
from graph.core.execution.plan.plan import Plans, plans_of
from graph.core.execution.required_access import RequiredAccess, required_access
from graph.core.execution.variables import Variables, variables_of
from graph.core.types.errors import coded
from graph.core.types.field import Kept
from graph.core.types.literals import NUL, first_string_with_nul

CACHED_BYTES = 64 * 1024 * 1024  # of all operations that are kept
TOKEN_BYTES = 512  # that are kept of an operation for each token of its document
SELECTION_BYTES = 512  # of its plan for each field
FIXED_BYTES = 4 * 1024
MAX_ERRORS = 5
MAX_NAME = 200  # characters of the name of an operation that are logged
LIMITS = Limits()
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
    selections: int  # with its fragments expanded

    @property
    def name(self) -> str | None:
        return self.node.name.value if self.node.name else None

    @property
    def size(self) -> int:
        """Approximate size in memory, in bytes."""
        planned = SELECTION_BYTES * self.selections * self.plans.most
        return FIXED_BYTES + TOKEN_BYTES * self.tokens + planned + len(self.text.encode())

    @property
    def short_name(self) -> str | None:
        return self.name and self.name[:MAX_NAME]  # for logs and records

    @cached_property
    def kind(self) -> Kind:
        return self.node.operation.value

    @cached_property
    def variables(self) -> Variables:
        return variables_of(self.schema._schema, self.node.variable_definitions or ())

    @cached_property
    def variable_names(self) -> frozenset[str | None]:
        return frozenset(d.variable.name.value for d in self.node.variable_definitions or ())

    @cached_property
    def kept(self) -> list[object]:
        """What others keep for as long as this operation is kept."""
        return []

    @cached_property
    def plans(self) -> Plans:
        return plans_of(self)

    @cached_property
    def is_viewer_independent(self) -> bool:
        return shareable.is_viewer_independent(self.schema._schema, self.document)

    @cached_property
    def is_same_for_all(self) -> bool:
        """True if every viewer who may run this query gets the same result."""
        return self.kind == "query" and shareable.is_same_for_all(
            self.schema._schema, self.document
        )

    @cached_property
    def may_be_stale(self) -> bool:
        """True if a replica may serve this query."""
        return self.kind == "query" and shareable.may_be_stale(self.schema._schema, self.document)

    @cached_property
    def kept_as(self) -> Kept | None:
        """How results of this query are kept; None if they are not."""
        if self.kind != "query":
            return None
        return shareable.kept_as(self.schema._schema, self.document)

    @cached_property
    def cursor_variable(self) -> str | None:
        return shareable.cursor_variable(self.document, self.node)


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
    return _operations.known((schema, text, operation_name, limits))


def _prepare(
    schema: Schema, text: str, operation_name: str | None, limits: Limits, suggestions: bool
) -> Operation:
    try:
        whole = _document(schema, text, limits, suggestions)
        node = _named(whole, operation_name)
        alone = separate_operations(whole)[node.name.value if node.name else ""]
        wanted = required_access(schema._schema, alone)
        price = cost.compile_cost(schema._schema, alone, node)
        selections = limits_of_document.Measure(alone).of(node.selection_set).selections
        return Operation(
            schema, text, alone, node, wanted, price, limits, whole.token_count, selections
        )
    except RecursionError as error:
        message = "The document is nested too deeply."
        raise InvalidOperation(coded(message, ErrorCode.QUERY_TOO_COMPLEX)) from error


def _size(operation: Operation) -> int:
    return operation.size


_operations: Cache[tuple[Schema, str, str | None, Limits], Operation] = Cache(CACHED_BYTES, _size)


def operation_cache() -> Cache[tuple[Schema, str, str | None, Limits], Operation]:
    return _operations


def _document(schema: Schema, text: str, most: Limits, suggestions: bool) -> DocumentNode:
    try:
        document = parse(text, max_tokens=most.tokens or None, allow_empty_selection_sets=False)
    except GraphQLError as error:
        raise InvalidOperation(_with_code(error, ErrorCode.GRAPHQL_PARSE_FAILED)) from error
    if too_much := limits_of_document.check(document, most):
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
    return GraphQLError(
        error.message, error.nodes, error.source, error.positions, extensions={"code": str(code)}
    )
