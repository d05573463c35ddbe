"""Introspection: what tools ask for is answered whole, and says what the schema says."""

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from graphql import (
    build_client_schema,
    get_introspection_query,
    lexicographic_sort_schema,
    print_schema,
)

from graph.core.execution.result import OperationResult
from graph.schema import schema

WHOLE = get_introspection_query(
    specified_by_url=True,
    directive_is_repeatable=True,
    schema_description=True,
    input_value_deprecation=True,
    one_of=True,
)


async def test_tools_learn_the_whole_schema(run: Callable[..., Awaitable[OperationResult]]) -> None:
    answer = orjson.loads((await run(WHOLE)).body)
    learnt = build_client_schema(answer["data"])

    assert printed(learnt) == printed(schema._schema)


def printed(whole: Any) -> str:
    return print_schema(lexicographic_sort_schema(whole))
