"""Errors: expected failures of mutations are in their payloads, the rest is coded or masked."""

from typing import Any

import pytest
import strawberry
from sqlalchemy.exc import DBAPIError
from structlog.testing import capture_logs

from db import Database
from db.core import errors
from graph.core.context import Context
from graph.core.execution.execute import execute
from graph.core.execution.operation import prepare
from graph.core.execution.result import OperationResult
from graph.core.permission import PUBLIC
from graph.core.principal import ANONYMOUS
from graph.core.types.errors import MASKED, TIMEOUT, coded
from graph.core.types.field import field, value
from graph.core.types.mutation import Input, input_type, mutation

FAILURES = {
    "missing": errors.NotFound(),
    "wrong": errors.Invalid("The title is empty.", "title"),
    "deep": errors.Invalid("The tag is empty.", "tags.3"),
    "vague": errors.Invalid("Something does not fit."),
    "late": errors.Conflict("It is at version 3."),
    "not yours": errors.Forbidden(),
    "down": errors.Unavailable(),
    "slow": TimeoutError(),
    "plain": errors.DomainError("secret"),
    "bug": KeyError("secret"),
    "sql": DBAPIError("select secret", None, Exception("secret")),
    "own": coded("secret", "MADE_UP"),
}


@value
class Saved:
    """It was done."""

    title: str | None = field("Its title.", default=None)


@input_type
class SaveInput:
    """How to fail."""

    how: str = field("One of FAILURES, or anything else.")


def fail(how: str) -> Saved:
    if how in FAILURES:
        raise FAILURES[how]
    return Saved(title=how)


@strawberry.type
class Query:
    nothing: int = field("Nothing.", PUBLIC, lambda: 0)


@strawberry.type
class Mutation:
    @mutation("Shows a payload.", PUBLIC, Saved)
    async def save(self, input: Input[SaveInput]) -> Saved:
        return fail(input.how)

    @field("Shows no payload.", PUBLIC, reveals={"how": PUBLIC})
    async def bare(self, how: str) -> Saved | None:
        return fail(how)


schema = strawberry.Schema(query=Query, mutation=Mutation)

SAVE = """mutation ($how: String!) { result: save(input: {how: $how}) {
    title
    errors { code message field }
} }"""
BARE = "mutation ($how: String!) { result: bare(how: $how) { title } }"


async def ask(database: Database, document: str, how: str) -> OperationResult:
    context = Context(database, ANONYMOUS, "request-7")
    return await execute(prepare(schema, document), {"how": how}, context)


def error(message: str, code: str, **more: Any) -> dict[str, Any]:
    """A top-level error of the field `result`."""
    return {
        "message": message,
        "locations": [{"line": 1, "column": 28}],
        "path": ["result"],
        "extensions": {"code": code, "requestId": "request-7"},
        **more,
    }


async def test_a_payload_without_errors_shows_what_was_done(database: Database) -> None:
    answer = await ask(database, SAVE, "Fly")

    assert answer == OperationResult({"result": {"title": "Fly", "errors": []}}, [])


@pytest.mark.parametrize(
    ("how", "code", "message", "path"),
    [
        ("missing", "NOT_FOUND", "There is no such thing, or you may not see it.", None),
        ("wrong", "INVALID", "The title is empty.", ["title"]),
        ("deep", "INVALID", "The tag is empty.", ["tags", "3"]),
        ("vague", "INVALID", "Something does not fit.", None),
        ("late", "CONFLICT", "It is at version 3.", None),
        ("not yours", "FORBIDDEN", "You may not do this.", None),
    ],
)
async def test_an_expected_failure_is_in_the_payload(
    database: Database, how: str, code: str, message: str, path: list[str] | None
) -> None:
    with capture_logs() as logs:
        answer = await ask(database, SAVE, how)

    failed = {"code": code, "message": message, "field": path}
    assert answer == OperationResult({"result": {"title": None, "errors": [failed]}}, [])
    assert logs == []


@pytest.mark.parametrize(
    ("how", "message", "code"),
    [
        ("missing", "There is no such thing, or you may not see it.", "NOT_FOUND"),
        ("late", "It is at version 3.", "CONFLICT"),
        ("not yours", "You may not do this.", "FORBIDDEN"),
        ("down", "The database does not answer; try again in a moment.", "SERVICE_UNAVAILABLE"),
        ("slow", TIMEOUT, "TIMEOUT"),
    ],
)
async def test_a_failure_without_a_payload_is_a_coded_error(
    database: Database, how: str, message: str, code: str
) -> None:
    with capture_logs() as logs:
        answer = await ask(database, BARE, how)

    assert answer == OperationResult({"result": None}, [error(message, code)])
    assert logs == []


async def test_a_wrong_value_without_a_payload_is_bad_user_input(database: Database) -> None:
    answer = await ask(database, BARE, "wrong")

    wrong = error("The title is empty.", "BAD_USER_INPUT")
    wrong["extensions"]["errors"] = [{"message": "The title is empty.", "field": ["title"]}]
    assert answer == OperationResult({"result": None}, [wrong])


async def test_a_null_in_a_non_null_field_removes_the_data(database: Database) -> None:
    answer = await ask(database, SAVE, "down")

    message = "The database does not answer; try again in a moment."
    assert answer == OperationResult(None, [error(message, "SERVICE_UNAVAILABLE")])


@pytest.mark.parametrize("how", ["plain", "bug", "sql", "own"])
@pytest.mark.parametrize(
    ("document", "path", "data"), [(SAVE, ["save"], None), (BARE, ["bare"], {"result": None})]
)
async def test_everything_else_is_masked_and_logged_once(
    database: Database, document: str, path: list[str], data: Any, how: str
) -> None:
    with capture_logs() as logs:
        answer = await ask(database, document, how)

    assert answer == OperationResult(data, [error(MASKED, "INTERNAL_SERVER_ERROR")])
    assert logs == [
        {
            "event": "resolver failed",
            "log_level": "error",
            "request_id": "request-7",
            "path": path,
            "exc_info": FAILURES[how],
        }
    ]


def test_every_domain_error_has_a_default_message() -> None:
    kinds = (errors.NotFound, errors.Invalid, errors.Conflict, errors.Forbidden, errors.Unavailable)

    assert [kind().message for kind in kinds] == [
        "There is no such thing, or you may not see it.",
        "The value is invalid.",
        "The row was changed or created by another request.",
        "You may not do this.",
        "The database does not answer; try again in a moment.",
    ]
