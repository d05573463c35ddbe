"""Declared operations: documents of the gateway itself, run for a client with its rights, points
and limits."""

from contextlib import closing

from db.core.values.json import JsonObject
from gateway.request_record import RequestRecord
from gateway.transport import responses
from gateway.transport.executor import Executor
from gateway.transport.params import GraphQLParams
from graph.core.execution.operation import InvalidOperation
from graph.core.execution.result import OperationResult


async def run(
    executor: Executor, record: RequestRecord, document: str, variables: JsonObject
) -> OperationResult:
    """Execute a query or a mutation. Raises HttpError."""
    try:
        execution = await executor.start_declared(GraphQLParams(document, None, variables), record)
    except InvalidOperation as invalid:
        return responses.invalid(invalid, record)
    with closing(execution):
        return await execution.execute()
