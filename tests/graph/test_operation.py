"""Operations: from text to answer, or to why there is none."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest
import strawberry
from structlog.testing import capture_logs

from db import Database
from graph.core.context import Context
from graph.core.execution import execute as execution
from graph.core.execution.execute import execute
from graph.core.execution.operation import MAX_ERRORS, InvalidOperation, prepare
from graph.core.execution.result import OperationResult
from graph.core.permission import PUBLIC
from graph.core.principal import ANONYMOUS, DEVELOPER
from graph.core.types.errors import MASKED, TIMEOUT
from graph.core.types.field import field
from graph.schema import schema
from support.query_count import statements


def never() -> Awaitable[int]:
    return asyncio.Event().wait()


def broken() -> int:
    raise ZeroDivisionError("a secret of ours")


@strawberry.type
class Thing:
    """A thing with a field that fails, and one that never answers."""

    fine: int = field("Works.", PUBLIC, lambda: 1)
    broken: int | None = field("Fails.", PUBLIC, broken)
    never: int | None = field("Hangs.", PUBLIC, never)


@strawberry.type
class Query(Thing):
    things: list[Thing] = field("Two of them.", PUBLIC, lambda: [Thing(), Thing()])


extra = strawberry.Schema(query=Query)


def failure(text: str, name: str | None = None) -> list[tuple[str, dict[str, Any]]]:
    """Why a document cannot be executed: messages and extensions."""
    with pytest.raises(InvalidOperation) as failed:
        prepare(schema, text, name)
    assert str(failed.value) == "; ".join(error.message for error in failed.value.errors)
    return [(error.message, error.extensions) for error in failed.value.errors]


async def ask(database: Database, text: str, name: str | None = None) -> OperationResult:
    """The answer of the extra schema."""
    return await execute(
        prepare(extra, text, name), None, Context(database, ANONYMOUS, "request-7")
    )


def masked(line: int, column: int, *path: str | int) -> dict[str, Any]:
    """A top-level error that says nothing of our insides."""
    return {
        "message": MASKED,
        "locations": [{"line": line, "column": column}],
        "path": [*path],
        "extensions": {"code": "INTERNAL_SERVER_ERROR", "requestId": "request-7"},
    }


# From text to an operation.


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Syntax Error: Unexpected <EOF>."),
        ("{", "Syntax Error: Expected Name, found <EOF>."),
        ("{ dreams { nodes { id } }", "Syntax Error: Expected Name, found <EOF>."),
        ('{ dreams(search: "open) }', "Syntax Error: Unterminated string."),
        ("{ \x00 }", "Syntax Error: Unexpected character: U+0000."),
    ],
)
def test_a_syntax_error_is_a_failed_parse(text: str, message: str) -> None:
    assert failure(text) == [(message, {"code": "GRAPHQL_PARSE_FAILED"})]


def test_a_document_against_the_schema_fails_validation() -> None:
    assert failure("{ dreams { nodes { id titel } } }") == [
        (
            "Cannot query field 'titel' on type 'Dream'. Did you mean 'title' or 'totals'?",
            {"code": "GRAPHQL_VALIDATION_FAILED"},
        )
    ]


def test_only_the_first_faults_are_reported() -> None:
    found = failure("{ " + " ".join(f"x{number}" for number in range(20)) + " }")

    received = [
        (f"Cannot query field 'x{number}' on type 'Query'.") for number in range(MAX_ERRORS)
    ]
    assert [message for message, _ in found[:MAX_ERRORS]] == received
    assert [message for message, _ in found[MAX_ERRORS:]] == [
        "Too many validation errors, error limit reached. Validation aborted."
    ]
    assert all(details == {"code": "GRAPHQL_VALIDATION_FAILED"} for _, details in found)


@pytest.mark.parametrize("name", ["C", "", "a"])
def test_an_operation_must_be_in_the_document(name: str) -> None:
    text = "query A { viewer { role } } query B { viewer { scopes } }"

    assert failure(text, name) == [
        ("The document has no such operation; check operationName.", {"code": "BAD_USER_INPUT"})
    ]


def test_fragments_alone_are_no_operation() -> None:
    assert failure("fragment Who on Viewer { role }") == [
        ("Fragment 'Who' is never used.", {"code": "GRAPHQL_VALIDATION_FAILED"})
    ]


def test_one_of_several_operations_must_be_named() -> None:
    assert failure("query A { viewer { role } } query B { viewer { scopes } }") == [
        ("The document has several operations; set operationName.", {"code": "BAD_USER_INPUT"})
    ]


async def test_the_operation_named_is_the_one_that_runs(database: Database) -> None:
    text = "query A { a: fine } query B { ...Fields } fragment Fields on Query { b: fine }"

    assert await ask(database, text, "A") == OperationResult({"a": 1}, [])
    assert await ask(database, text, "B") == OperationResult({"b": 1}, [])
    assert (prepare(extra, text, "B").name, prepare(extra, text, "B").kind) == ("B", "query")
    assert prepare(extra, "{ fine }").name is None


def test_a_text_is_prepared_once() -> None:
    text = "query A { viewer { role } } query B { viewer { scopes } }"

    assert prepare(schema, text, "A") is prepare(schema, text, "A")
    assert prepare(schema, text, "A") is not prepare(schema, text, "B")
    assert prepare(schema, "{ __typename }") is not prepare(extra, "{ __typename }")


# From variables to an answer.


@pytest.mark.parametrize(
    ("declared", "variables", "message"),
    [
        (
            "$id: ID!",
            None,
            "Variable '$id' has invalid value:"
            " Expected a value of non-null type 'ID!' to be provided.",
        ),
        (
            "$id: ID!",
            {"id": None},
            "Variable '$id' has invalid value:"
            " Expected value of non-null type 'ID!' not to be null.",
        ),
        (
            "$id: ID!",
            {"id": [1]},
            "Variable '$id' has invalid value: ID cannot represent value: [1]",
        ),
        (
            '$id: ID = "x", $from: DateTime',
            {"from": "noon"},
            "Variable '$from' has invalid value:"
            " DateTime must be written like 2026-11-20T09:30:00Z, with an offset or Z.",
        ),
        (
            '$id: ID = "x", $filter: AiTestFilter',
            {"filter": {"impossibilityScore": {"eq": "much"}}},
            "Variable '$filter' has invalid value at .impossibilityScore.eq:"
            ' Float cannot represent non numeric value: "much"',
        ),
        (
            '$id: ID = "x", $filter: AiTestFilter',
            {"filter": {"colour": 1}},
            "Variable '$filter' has invalid value: Expected value of type 'AiTestFilter' not to"
            " include unknown field 'colour', found: {\"colour\": 1}.",
        ),
    ],
)
async def test_variables_that_do_not_fit_stop_the_operation(
    database: Database, declared: str, variables: Any, message: str
) -> None:
    used = {
        "$from": "modelComparison(from: $from) { rows { model } }",
        "$filter": "aiTests(filter: $filter) { totalCount }",
    }
    fields = [text for name, text in used.items() if name in declared]
    text = f"query ({declared}) {{ node(id: $id) {{ id }} {' '.join(fields)} }}"
    context = Context(database, DEVELOPER, "request-7")

    with capture_logs() as logs, statements(database, exactly=0):
        answer = await execute(prepare(schema, text), variables, context)

    (error,) = answer.errors
    assert (answer.data, answer.executed, logs) == (None, False, [])
    assert error["message"] == message
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "requestId": "request-7"}


async def test_a_null_in_place_of_a_default_is_the_callers_fault(database: Database) -> None:
    text = 'query ($id: ID = "x") { node(id: $id) { id } }'
    context = Context(database, DEVELOPER, "request-7")

    with capture_logs() as logs, statements(database, exactly=0):
        answer = await execute(prepare(schema, text), {"id": None}, context)

    (error,) = answer.errors
    assert (answer.data, logs) == ({"node": None}, [])
    assert error["message"] == (
        "Argument 'id' has invalid value:"
        " Expected variable '$id' provided to non-null type 'ID!' not to be null."
    )
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "requestId": "request-7"}


# Resolvers that fail or hang.


async def test_a_failed_resolver_is_masked_and_logged_once(database: Database) -> None:
    with capture_logs() as logs:
        answer = await ask(database, "{ fine broken }")

    assert answer == OperationResult({"fine": 1, "broken": None}, [masked(1, 8, "broken")])
    (line,) = logs
    assert isinstance(line.pop("exc_info"), ZeroDivisionError)
    assert line == {
        "event": "resolver failed",
        "log_level": "error",
        "request_id": "request-7",
        "path": ["broken"],
    }


async def test_every_failed_resolver_is_reported_by_its_path(database: Database) -> None:
    with capture_logs() as logs:
        answer = await ask(database, "{ things { fine broken } }")

    assert [line["path"] for line in logs] == [[0, "broken"], [1, "broken"]]
    assert answer == OperationResult(
        {"things": [{"fine": 1, "broken": None}, {"fine": 1, "broken": None}]},
        [masked(1, 17, "things", 0, "broken"), masked(1, 17, "things", 1, "broken")],
    )


async def test_an_operation_that_takes_too_long_is_given_up(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution, "SECONDS", 0.01)

    with capture_logs() as logs:
        answer = await ask(database, "{ fine things { never } }")

    extensions = {"code": "TIMEOUT", "requestId": "request-7"}
    assert answer == OperationResult(None, [{"message": TIMEOUT, "extensions": extensions}])
    assert logs == []
