"""Errors: expected failures are members of a result union, the rest is coded or masked."""

from typing import Annotated, Any

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
from graph.core.types.errors import (
    MASKED,
    TIMEOUT,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    coded,
    handlers,
    types,
)
from graph.core.types.field import field, value

FAILURES = {
    "missing": errors.NotFound(),
    "wrong": errors.Invalid("The title is empty.", "title"),
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

    title: str = field("Its title.")


Result = Annotated[
    Saved | NotFound | Invalid | Conflict | Forbidden, strawberry.union("SaveResult")
]
Narrow = Annotated[Saved | Invalid, strawberry.union("NarrowResult")]


def fail(how: str) -> Saved:
    if how in FAILURES:
        raise FAILURES[how]
    return Saved(title=how)


@strawberry.type
class Query:
    nothing: int = field("Nothing.", PUBLIC, lambda: 0)


@strawberry.type
class Mutation:
    @field("Returns all error types.", PUBLIC, reveals={"how": PUBLIC})
    def save(self, how: str) -> Result:
        return fail(how)

    @field("Returns Invalid only.", PUBLIC, reveals={"how": PUBLIC})
    async def narrow(self, how: str) -> Narrow | None:
        return fail(how)

    @field("Returns no error.", PUBLIC, reveals={"how": PUBLIC})
    async def bare(self, how: str) -> Saved | None:
        return fail(how)


schema = strawberry.Schema(query=Query, mutation=Mutation, types=types, exception_handlers=handlers)

SAVE = """mutation ($how: String!) { result: %s(how: $how) {
    __typename
    ... on Saved { title }
    ... on Error { message code }
    ... on Invalid { field }
} }"""
BARE = "mutation ($how: String!) { result: bare(how: $how) { __typename title } }"


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


@pytest.mark.parametrize(
    ("how", "result"),
    [
        ("Fly", {"__typename": "Saved", "title": "Fly"}),
        (
            "missing",
            {
                "__typename": "NotFound",
                "message": "There is no such thing, or you may not see it.",
                "code": "NOT_FOUND",
            },
        ),
        (
            "wrong",
            {
                "__typename": "Invalid",
                "message": "The title is empty.",
                "code": "INVALID",
                "field": "title",
            },
        ),
        (
            "vague",
            {
                "__typename": "Invalid",
                "message": "Something does not fit.",
                "code": "INVALID",
                "field": None,
            },
        ),
        (
            "late",
            {"__typename": "Conflict", "message": "It is at version 3.", "code": "CONFLICT"},
        ),
        (
            "not yours",
            {"__typename": "Forbidden", "message": "You may not do this.", "code": "FORBIDDEN"},
        ),
    ],
)
async def test_an_expected_failure_is_a_member_of_the_union(
    database: Database, how: str, result: dict[str, Any]
) -> None:
    with capture_logs() as logs:
        assert await ask(database, SAVE % "save", how) == OperationResult({"result": result}, [])

    assert logs == []


async def test_a_narrow_union_accepts_its_members(database: Database) -> None:
    answer = await ask(database, SAVE % "narrow", "wrong")

    assert answer.data == {
        "result": {
            "__typename": "Invalid",
            "message": "The title is empty.",
            "code": "INVALID",
            "field": "title",
        }
    }


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
@pytest.mark.parametrize("document", [SAVE % "narrow", BARE], ids=["narrow", "bare"])
async def test_a_failure_outside_the_union_is_a_coded_error(
    database: Database, document: str, how: str, message: str, code: str
) -> None:
    with capture_logs() as logs:
        answer = await ask(database, document, how)

    assert answer == OperationResult({"result": None}, [error(message, code)])
    assert logs == []


async def test_a_wrong_value_without_a_union_is_bad_user_input(database: Database) -> None:
    answer = await ask(database, BARE, "wrong")

    wrong = error("The title is empty.", "BAD_USER_INPUT")
    wrong["extensions"]["errors"] = [{"message": "The title is empty.", "field": "title"}]
    assert answer == OperationResult({"result": None}, [wrong])


async def test_a_null_in_a_non_null_field_removes_the_data(database: Database) -> None:
    answer = await ask(database, SAVE % "save", "down")

    message = "The database does not answer; try again in a moment."
    assert answer == OperationResult(None, [error(message, "SERVICE_UNAVAILABLE")])


@pytest.mark.parametrize("how", ["plain", "bug", "sql", "own"])
@pytest.mark.parametrize(("document", "path"), [(SAVE % "narrow", ["narrow"]), (BARE, ["bare"])])
async def test_everything_else_is_masked_and_logged_once(
    database: Database, document: str, path: list[str], how: str
) -> None:
    with capture_logs() as logs:
        answer = await ask(database, document, how)

    assert answer == OperationResult({"result": None}, [error(MASKED, "INTERNAL_SERVER_ERROR")])
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
