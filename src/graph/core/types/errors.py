"""Errors: expected failures are types of the schema, everything else a masked top-level error.

A mutation returns a union of its entity and the error types it may end in; whatever of them `db`
or a resolver raises becomes a member of that union by the handlers below. Where a field has no
such union, a domain error becomes a top-level error with a code; the rest says nothing but its
request id, and is logged under it.
"""

from enum import StrEnum
from typing import Any, TypeVar
from uuid import uuid4

import strawberry
import structlog
from graphql import FieldNode, GraphQLError
from strawberry import ExceptionHandler
from strawberry.exceptions import StrawberryInputCoercionError

from db.core import errors
from graph.core.permission import VALUE
from graph.core.types.field import enum, field, names_of, value

log = structlog.get_logger()

E = TypeVar("E", bound=errors.DomainError)
INPUT = "input"  # the argument of a mutation
MAX_FAULTS = 20  # that are reported at once


class ErrorCode(StrEnum):
    """Why something was not done, for programs to act on."""

    NOT_FOUND = "NOT_FOUND"
    INVALID = "INVALID"
    CONFLICT = "CONFLICT"
    FORBIDDEN = "FORBIDDEN"


enum(
    ErrorCode,
    NOT_FOUND="There is no such thing, or you may not see it.",
    INVALID="A value is not acceptable; `field` names it.",
    CONFLICT="Somebody else changed or created it first; read it again and decide.",
    FORBIDDEN="You may see it but not do this.",
)


@strawberry.interface(description="An expected failure: nothing was changed.")
class Error:
    """An expected failure."""

    access = VALUE
    message: str = field("What went wrong and what to do, for people.")
    code: ErrorCode = field("What went wrong, for programs.")


@value
class NotFound(Error):
    """There is no such thing, or you may not see it."""


@value
class FieldError:
    """What is wrong with one field of an input."""

    message: str = field("What is wrong with it and what to do, for people.")
    field: str | None = field(
        "The field as the input spells it, such as `originalPrompt`, or the path to it with "
        "positions from 0, such as `tests.3.impossibilityScore`; null when it is no single one. A "
        "later version will give the path as a list."
    )


@value
class Invalid(Error):
    """Values are not acceptable. `message` and `field` are those of the first error."""

    errors: list[FieldError] = field(
        f"All that is wrong with the input, at most {MAX_FAULTS} errors. What depends on stored "
        "data is only looked at when nothing else is wrong.",
        cost=0,
    )
    field: str | None = field("The field of the first error; null when it is no single one.")


@value
class Conflict(Error):
    """Somebody else changed or created it first."""


@value
class Forbidden(Error):
    """You may not do this."""


class NotFoundHandler(ExceptionHandler[errors.NotFound, NotFound]):
    def handle(self, exception: errors.NotFound, *, field: Any, **_: Any) -> NotFound:
        named = _named(exception, field)
        return NotFound(message=named.message, code=ErrorCode.NOT_FOUND)


class InvalidHandler(ExceptionHandler[errors.Invalid, Invalid]):
    def handle(self, exception: errors.Invalid, *, field: Any, **_: Any) -> Invalid:
        return shown(_named(exception, field))


class ConflictHandler(ExceptionHandler[errors.Conflict, Conflict]):
    def handle(self, exception: errors.Conflict, *, field: Any, **_: Any) -> Conflict:
        named = _named(exception, field)
        return Conflict(message=named.message, code=ErrorCode.CONFLICT)


class ForbiddenHandler(ExceptionHandler[errors.Forbidden, Forbidden]):
    def handle(self, exception: errors.Forbidden, **_: Any) -> Forbidden:
        return Forbidden(message=exception.message, code=ErrorCode.FORBIDDEN)


def shown(invalid: errors.Invalid) -> Invalid:
    """The member of a union that an error becomes, whose fields have the names of the input."""
    faults = [FieldError(message=e.message, field=e.field) for e in invalid.errors[:MAX_FAULTS]]
    return Invalid(
        message=faults[0].message, code=ErrorCode.INVALID, field=faults[0].field, errors=faults
    )


def _named(error: E, field: Any) -> E:
    """An error with columns under the names that the input of a mutation has for them."""
    inputs = [argument.type for argument in field.arguments if argument.python_name == INPUT]
    return error.renamed(names_of(inputs[0])) if inputs else error


handlers = (NotFoundHandler(), InvalidHandler(), ConflictHandler(), ForbiddenHandler())
types = (NotFound, Invalid, Conflict, Forbidden)

# The codes of top-level errors that a domain error turns into.
CODES: dict[type[Exception], str] = {
    errors.NotFound: "NOT_FOUND",
    errors.Invalid: "BAD_USER_INPUT",
    errors.Conflict: "CONFLICT",
    errors.Forbidden: "FORBIDDEN",
    errors.Unavailable: "SERVICE_UNAVAILABLE",
    errors.Locked: "SERVICE_UNAVAILABLE",
    errors.ReadOnly: "DATABASE_READ_ONLY",
    errors.Throttled: "RATE_LIMITED",
    errors.RateLimited: "RATE_LIMITED",
    errors.OutcomeUnknown: "OUTCOME_UNKNOWN",
    errors.TookTooLong: "TIMEOUT",
    errors.TooLarge: "RESPONSE_TOO_LARGE",
    errors.Crowded: "RATE_LIMITED",
    StrawberryInputCoercionError: "BAD_USER_INPUT",
    TimeoutError: "TIMEOUT",
}
MAX_MESSAGE = 240  # characters
MAX_LOCATIONS = 3
MASKED = "Something went wrong on our side. Quote the request id when you report it."
TIMEOUT = "The operation took too long; ask for less at once."


def coded(message: str, code: str, **details: Any) -> GraphQLError:
    """A top-level error with its code."""
    return GraphQLError(message, extensions={"code": code, **details})


def formatted(error: GraphQLError, request_id: str) -> dict[str, Any]:
    """An error as clients see it: with a code and the request id, and nothing of our insides."""
    cause, shown = _cause(error), error.formatted
    code = (
        CODES.get(type(cause)) if cause else (error.extensions or {}).get("code", "BAD_USER_INPUT")
    )
    message = error.message.replace("not to be None.", "not to be null.")  # graphql-core's words
    if isinstance(cause, TimeoutError):
        message = TIMEOUT
    elif code is None:
        code, message = "INTERNAL_SERVER_ERROR", MASKED
        log.error("resolver failed", request_id=request_id, path=_place(error), exc_info=cause)
    extensions = {**(error.extensions or {}), "code": code, "requestId": request_id}
    if isinstance(cause, errors.Invalid) and cause.field is not None:
        extensions["errors"] = [_fault(fault) for fault in cause.errors[:MAX_FAULTS]]
    if isinstance(cause, errors.RateLimited | errors.Throttled):
        extensions["retryAfterMs"] = round(cause.retry_after * 1000)
    return {**_short(shown), "message": shortened(message), "extensions": extensions}


def _fault(fault: errors.FieldError) -> dict[str, Any]:
    return {"message": fault.message, "field": fault.field}


def failure(error: Exception) -> list[dict[str, Any]]:
    """The errors of what belongs to no request, with an id to find them in the log."""
    return [formatted(GraphQLError("", original_error=error), uuid4().hex)]


def shortened(message: str) -> str:
    """A message that may quote what callers sent, at a bounded length."""
    return message if len(message) <= MAX_MESSAGE else f"{message[: MAX_MESSAGE - 1]}…"


def _place(error: GraphQLError) -> list[str | int]:
    """The path of an error without aliases, which are the caller's words: the indexes in lists, and
    the name of the field."""
    indexes = [key for key in error.path or () if isinstance(key, int)]
    node = error.nodes[0] if error.nodes else None
    return [*indexes, node.name.value] if isinstance(node, FieldNode) else [*indexes]


def _short(shown: Any) -> dict[str, Any]:
    places = shown.get("locations")
    return {**shown, "locations": places[:MAX_LOCATIONS]} if places else {**shown}


def _cause(error: GraphQLError) -> Exception | None:
    """What a resolver raised. What graphql-core itself refuses, an argument for example, names its
    place in the document and is the caller's fault."""
    cause = error.original_error
    return None if isinstance(cause, GraphQLError) and cause.nodes else cause
