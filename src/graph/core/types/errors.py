"""Errors: expected failures are types of the schema, all others are masked top-level errors.

A mutation returns a union of its entity and the error types that it declares. The handlers below
convert domain errors of `db` and of resolvers to members of that union. In a field without such a
union, a domain error becomes a top-level error with a code. All other exceptions are logged and
reported only with the request ID.
"""

from enum import StrEnum
from typing import TypeVar
from uuid import uuid4

import strawberry
import structlog
from graphql import FieldNode, GraphQLError, GraphQLFormattedError
from strawberry import ExceptionHandler
from strawberry.exceptions import StrawberryInputCoercionError
from strawberry.types.field import StrawberryField

from db.core import errors
from db.core.error_codes import ErrorCode as Code
from graph.core.permission import VALUE
from graph.core.types.field import enum, field, names_of, value

log = structlog.get_logger()

E = TypeVar("E", bound=errors.DomainError)
INPUT = "input"  # the argument of a mutation
MAX_FAULTS = 20  # that are reported at once


class ErrorCode(StrEnum):
    """Codes of expected failures."""

    NOT_FOUND = Code.NOT_FOUND.value
    INVALID = Code.INVALID.value
    CONFLICT = Code.CONFLICT.value
    FORBIDDEN = Code.FORBIDDEN.value


enum(
    ErrorCode,
    NOT_FOUND="The object does not exist or is not visible to the viewer.",
    INVALID="A value is invalid. `field` names it.",
    CONFLICT="The object was changed or created concurrently. Read it again before retrying.",
    FORBIDDEN="The viewer lacks permission for this change.",
)


@strawberry.interface(description="An expected failure. Nothing was changed.")
class Error:
    access = VALUE
    message: str = field("Message for people: what is wrong and what to do.")
    code: ErrorCode = field("Code for programs.")


@value
class NotFound(Error):
    """The object does not exist or is not visible to the viewer."""


@value
class FieldError:
    """An error in one field of an input."""

    message: str = field("Message for people: what is wrong and what to do.")
    field: str | None = field(
        "The field as the input spells it, such as `originalPrompt`, or the path to it with "
        "positions from 0, such as `tests.3.impossibilityScore`. Null if the error is not about a "
        "single field. A later version will return the path as a list."
    )


@value
class Invalid(Error):
    """The input is invalid. `message` and `field` are those of the first error."""

    errors: list[FieldError] = field(
        f"The errors of the input, at most {MAX_FAULTS}. Errors that depend on stored data are "
        "reported only if there are no others.",
        cost=0,
    )
    field: str | None = field("Field of the first error. Null if it is not about a single field.")


@value
class Conflict(Error):
    """The object was changed or created concurrently."""


@value
class Forbidden(Error):
    """The viewer lacks permission for this operation."""


class NotFoundHandler(ExceptionHandler[errors.NotFound, NotFound]):
    def handle(
        self, exception: errors.NotFound, *, field: StrawberryField, **_: object
    ) -> NotFound:
        named = _with_input_names(exception, field)
        return NotFound(message=named.message, code=ErrorCode.NOT_FOUND)


class InvalidHandler(ExceptionHandler[errors.Invalid, Invalid]):
    def handle(self, exception: errors.Invalid, *, field: StrawberryField, **_: object) -> Invalid:
        return as_result(_with_input_names(exception, field))


class ConflictHandler(ExceptionHandler[errors.Conflict, Conflict]):
    def handle(
        self, exception: errors.Conflict, *, field: StrawberryField, **_: object
    ) -> Conflict:
        named = _with_input_names(exception, field)
        return Conflict(message=named.message, code=ErrorCode.CONFLICT)


class ForbiddenHandler(ExceptionHandler[errors.Forbidden, Forbidden]):
    def handle(self, exception: errors.Forbidden, **_: object) -> Forbidden:
        return Forbidden(message=exception.message, code=ErrorCode.FORBIDDEN)


def as_result(invalid: errors.Invalid) -> Invalid:
    faults = [FieldError(message=e.message, field=e.field) for e in invalid.errors[:MAX_FAULTS]]
    return Invalid(
        message=faults[0].message, code=ErrorCode.INVALID, field=faults[0].field, errors=faults
    )


def _with_input_names(error: E, field: StrawberryField) -> E:
    inputs = [argument.type for argument in field.arguments if argument.python_name == INPUT]
    return error.renamed(names_of(inputs[0])) if inputs else error


handlers = (NotFoundHandler(), InvalidHandler(), ConflictHandler(), ForbiddenHandler())
types = (NotFound, Invalid, Conflict, Forbidden)

# The codes of top-level errors that a domain error turns into.
CODES: dict[type[Exception], Code] = {
    errors.NotFound: Code.NOT_FOUND,
    errors.Invalid: Code.BAD_USER_INPUT,
    errors.Conflict: Code.CONFLICT,
    errors.Forbidden: Code.FORBIDDEN,
    errors.Unavailable: Code.SERVICE_UNAVAILABLE,
    errors.Locked: Code.SERVICE_UNAVAILABLE,
    errors.ReadOnly: Code.DATABASE_READ_ONLY,
    errors.Throttled: Code.RATE_LIMITED,
    errors.RateLimited: Code.RATE_LIMITED,
    errors.OutcomeUnknown: Code.OUTCOME_UNKNOWN,
    errors.TookTooLong: Code.TIMEOUT,
    errors.TooLarge: Code.RESPONSE_TOO_LARGE,
    errors.Crowded: Code.RATE_LIMITED,
    StrawberryInputCoercionError: Code.BAD_USER_INPUT,
    TimeoutError: Code.TIMEOUT,
}
MAX_MESSAGE = 240  # characters; it may quote the input of a client
MAX_LOCATIONS = 3
MASKED = "Something went wrong on our side. Quote the request id when you report it."
TIMEOUT = "The operation took too long; ask for less at once."


def coded(message: str, code: Code, **details: object) -> GraphQLError:
    return GraphQLError(message, extensions={"code": str(code), **details})


def formatted(error: GraphQLError, request_id: str) -> GraphQLFormattedError:
    """The error as clients see it: with a code and the request ID, without internal details."""
    cause, shown = _cause(error), error.formatted
    given = (error.extensions or {}).get("code", Code.BAD_USER_INPUT)
    code = CODES.get(type(cause)) if cause else given
    message = error.message.replace("not to be None.", "not to be null.")  # graphql-core's words
    if isinstance(cause, TimeoutError):
        message = TIMEOUT
    elif code is None:
        code, message = Code.INTERNAL_SERVER_ERROR, MASKED
        log.error("resolver failed", request_id=request_id, path=_place(error), exc_info=cause)
    extensions = {**(error.extensions or {}), "code": str(code), "requestId": request_id}
    if isinstance(cause, errors.Invalid) and cause.field is not None:
        extensions["errors"] = [_fault(fault) for fault in cause.errors[:MAX_FAULTS]]
    if isinstance(cause, errors.RateLimited | errors.Throttled):
        extensions["retryAfterMs"] = round(cause.retry_after * 1000)
    return {**_short(shown), "message": shortened(message), "extensions": extensions}


def _fault(fault: errors.FieldError) -> dict[str, str | None]:
    return {"message": fault.message, "field": fault.field}


def failure(error: Exception) -> list[GraphQLFormattedError]:
    """The errors of a failure outside any request, with an ID that is in the log."""
    return [formatted(GraphQLError("", original_error=error), uuid4().hex)]


def shortened(message: str) -> str:
    return message if len(message) <= MAX_MESSAGE else f"{message[: MAX_MESSAGE - 1]}…"


def _place(error: GraphQLError) -> list[str | int]:
    """The path of an error without aliases, which are client input: list indexes and the field
    name."""
    indexes = [key for key in error.path or () if isinstance(key, int)]
    node = error.nodes[0] if error.nodes else None
    return [*indexes, node.name.value] if isinstance(node, FieldNode) else [*indexes]


def _short(shown: GraphQLFormattedError) -> GraphQLFormattedError:
    places = shown.get("locations")
    return {**shown, "locations": places[:MAX_LOCATIONS]} if places else shown


def _cause(error: GraphQLError) -> Exception | None:
    """The exception of a resolver. None if graphql-core rejected the request itself, for example
    because of an argument: such errors have a location in the document and are the client's
    fault."""
    cause = error.original_error
    return None if isinstance(cause, GraphQLError) and cause.nodes else cause
