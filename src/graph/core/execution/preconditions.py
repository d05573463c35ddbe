"""Preconditions: checks before an operation starts, cheapest first.

The number of values in its inputs, its required access, its variables, and its cost.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphql import GraphQLError
from graphql.execution.values import VariableValues

from db.core.error_codes import ErrorCode
from graph.core.context import Context
from graph.core.execution.rate_limit import charge, charge_fault
from graph.core.permission import INTROSPECTION
from graph.core.principal import Principal
from graph.core.types.errors import coded

if TYPE_CHECKING:
    from graph.core.execution.operation import Operation


async def accept(
    operation: "Operation", variables: dict[str, object] | None, context: Context
) -> VariableValues | list[GraphQLError]:
    """The coerced variables of an operation that may start, or its errors. Charges the caller for
    either."""
    given = variables or {}
    context.cost, coerced = check(operation, given, context.principal)
    if isinstance(coerced, list):
        await charge_fault(context.account)
        return coerced
    return await charge(context, operation.limits.cost) or coerced


@dataclass(frozen=True, slots=True)
class Checked:
    """The cost and the variables of an operation that callers of one kind may execute."""

    cost: int
    variables: VariableValues


def checked(
    operation: "Operation", variables: dict[str, object] | None, principal: Principal
) -> Checked | None:
    """None for an operation with errors."""
    cost, coerced = check(operation, variables or {}, principal)
    return None if isinstance(coerced, list) else Checked(cost, coerced)


def check(
    operation: "Operation", given: dict[str, object], principal: Principal
) -> tuple[int, VariableValues | list[GraphQLError]]:
    """The cost of an operation, and its coerced variables or its errors."""
    cost, values = operation.cost.measured(given)
    if too_many := _too_many(operation, values, principal):
        return cost, [too_many]
    if forbidden := _forbidden(operation, given, principal):
        return cost, [forbidden]
    coerced = operation.variables.coerced(given, principal.may(INTROSPECTION))
    if isinstance(coerced, list):
        coerced = [GraphQLError(error.message, error.nodes) for error in coerced]  # not their cause
    return cost, coerced


def _too_many(operation: "Operation", values: int, principal: Principal) -> GraphQLError | None:
    most = operation.limits.values_of(operation.kind, principal.is_known)
    most = max(most, operation.cost.most_values) if most else 0
    if not most or values <= most:
        return None
    message = f"The inputs have more than {most:,} values, counting each use; send fewer at once."
    return coded(message, ErrorCode.QUERY_TOO_COMPLEX)


def _forbidden(
    operation: "Operation", variables: Mapping[str, object], principal: Principal
) -> GraphQLError | None:
    if (need := operation.required_access.refused(principal, variables)) is None:
        return None
    code = ErrorCode.FORBIDDEN if principal.is_known else ErrorCode.UNAUTHENTICATED
    return coded(principal.refusal(*need), code)
