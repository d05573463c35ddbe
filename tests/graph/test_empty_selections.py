"""Empty selections: a pair of braces with nothing in it is a syntax error, as the grammar says."""

import pytest

from graph.core.execution.operation import InvalidOperation, prepare
from graph.schema import schema

EMPTY = [
    "{}",
    "query {}",
    "mutation {}",
    "subscription {}",
    "{ viewer {} }",
    "{ viewer { user {} role } }",
    "{ ... {} }",
    "{ ... on Query {} }",
    "{ ... @include(if: true) {} }",
    "query { ...f } fragment f on Query {}",
    "query a { __typename } query b {}",
]


@pytest.mark.parametrize("text", EMPTY)
def test_an_empty_selection_set_is_a_syntax_error(text: str) -> None:
    with pytest.raises(InvalidOperation) as failed:
        prepare(schema, text)

    [error] = failed.value.errors
    assert error.message == "Syntax Error: Expected Name, found '}'."
    assert error.extensions == {"code": "GRAPHQL_PARSE_FAILED"}
