"""Execute: operations by their plans, and by graphql-core what a plan cannot do.

A query or mutation is executed once. A subscription is opened once, which returns its source, and
is executed for each message with the message as root value.
"""

import asyncio
from collections.abc import AsyncIterable, Mapping
from functools import partial
from inspect import isawaitable

from graphql import (
    ExecutionResult,
    Executor,
    GraphQLError,
    create_source_event_stream,
    execute as graphql_execute,
)
from graphql.execution.values import VariableValues, get_variable_values

from db.core.errors import Crowded, TooLarge, Unavailable
from graph.core.context import Context
from graph.core.execution.answers import Answers, key_of
from graph.core.execution.operation import Operation
from graph.core.execution.plan.fallback import already_resolved
from graph.core.execution.plan.plan import Planned, execute_plan
from graph.core.execution.preconditions import accept
from graph.core.execution.result import OperationResult, answer, too_large

SECONDS = 10.0


async def execute(
    operation: Operation,
    variables: dict[str, object] | None,
    context: Context,
    answers: Answers | None = None,
) -> OperationResult:
    """Execute a query or a mutation. Exceptions of resolvers are errors in the result. `answers`
    are results that are kept."""
    accepted = await accept(operation, variables, context)
    if isinstance(accepted, list):
        return await answer(None, accepted, operation, context, executed=False)
    rule, is_bare = operation.kept_as, context.recorder is None and not context.shows_cost
    if answers is None or rule is None or not is_bare:
        return await _read(operation, variables, context, accepted, context.principal.may_write)
    context.detach()
    execute = partial(_read, operation, variables, context, accepted, is_current=True)
    return await answers.get(key_of(operation, variables, context), rule, execute)


async def _read(
    operation: Operation,
    variables: dict[str, object] | None,
    context: Context,
    accepted: VariableValues,
    is_current: bool,
) -> OperationResult:
    """The result of an accepted operation, from a replica if one may serve it."""
    if operation.may_be_stale:
        result = await _on_replica(operation, variables, context, accepted, is_current)
        if result is not None:
            return result
    return await run(operation, variables, context, accepted=accepted)


async def _on_replica(
    operation: Operation,
    variables: dict[str, object] | None,
    context: Context,
    accepted: VariableValues,
    is_current: bool,
) -> OperationResult | None:
    """The result that a replica gives; None if the primary must."""
    try:
        replica = await context.replica(is_current)
    except Unavailable:
        return None
    if replica is None:
        return None
    result = await run(operation, variables, context.reading_from(replica), accepted=accepted)
    if result.is_unavailable:
        replica.leave("a read failed")
        return None
    return result


async def report(
    operation: Operation,
    variables: dict[str, object] | None,
    context: Context,
    resolved: Mapping[str, object],
) -> OperationResult:
    """The result of a mutation whose root fields have results or exceptions, by response name."""
    executed = await _by_core(operation, variables, context, None, resolved)
    return await answer(executed.data, executed.errors or [], operation, context)


async def open_stream(
    operation: Operation, variables: dict[str, object] | None, context: Context
) -> AsyncIterable[object] | OperationResult:
    accepted = await accept(operation, variables, context)
    if isinstance(accepted, list):
        return await answer(None, accepted, operation, context, executed=False)
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
        return await answer(None, errors, operation, context, executed=False)
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
            resolved: Mapping[str, object] = {}
            if context.executor == "plan":
                coerced = accepted or _coerced(operation, variables)
                planned = await execute_plan(operation, coerced, context, root)
                if isinstance(planned, Planned):
                    return await answer(planned.data, planned.errors, operation, context)
                context, resolved = context.executed_by_core(planned.reason), planned.resolved
            executed = await _by_core(operation, variables, context, root, resolved)
    except TimeoutError as error:
        return await answer(None, [GraphQLError("", original_error=error)], operation, context)
    except (TooLarge, Crowded) as refused:
        return await too_large(refused, operation, context)
    errors = executed.errors or []
    for cause in (error.original_error for error in errors):
        if isinstance(cause, TooLarge | Crowded):
            return await too_large(cause, operation, context)
    return await answer(executed.data, errors, operation, context)


async def _by_core(
    operation: Operation,
    variables: dict[str, object] | None,
    context: Context,
    root: object,
    resolved: Mapping[str, object],
) -> ExecutionResult:
    """Execute by graphql-core. `resolved` are results of root resolvers that were called."""
    result = graphql_execute(
        operation.schema._schema,
        operation.document,
        root_value=root,
        variable_values=variables,
        operation_name=operation.name,
        context_value=context,
        executor_class=operation.schema.execution_context_class,
        middleware=already_resolved(resolved),
    )
    return await result if isawaitable(result) else result


def _coerced(operation: Operation, variables: dict[str, object] | None) -> VariableValues:
    """The variables of a subscription for one of its messages, which were accepted at its start."""
    declared = operation.node.variable_definitions or ()
    coerced = get_variable_values(operation.schema._schema, declared, variables or {})
    if isinstance(coerced, list):
        raise coerced[0]
    return coerced
