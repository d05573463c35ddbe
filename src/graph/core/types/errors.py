"""Errors: expected failures of mutations are values of the schema, all others top-level errors.

A mutation shows expected failures in its payload (graph.core.types.payload). Elsewhere, a domain
error becomes a top-level error with a code. All other exceptions are logged and reported only with
the request ID.
"""

from enum import StrEnum
from uuid import uuid4

import structlog
from graphql import FieldNode, GraphQLError, GraphQLFormattedError
from strawberry.exceptions import StrawberryInputCoercionError

from db.core import errors
from db.core.error_codes import ErrorCode as Code
from graph.core.types.field import enum, field, value

log = structlog.get_logger()

INPUT = "input"  # the argument of a mutation
MAX_FAULTS = 20  # that are reported at once


class ErrorCode(StrEnum):
    """Codes of expected failures."""

    NOT_FOUND = Code.NOT_FOUND.value
    INVALID = Code.INVALID.value
    CONFLICT = Code.CONFLICT.value
    CLAIM_LOST = Code.CLAIM_LOST.value
    FORBIDDEN = Code.FORBIDDEN.value
    BUDGET_EXCEEDED = Code.BUDGET_EXCEEDED.value
    SERVICE_UNAVAILABLE = Code.SERVICE_UNAVAILABLE.value
    DATABASE_READ_ONLY = Code.DATABASE_READ_ONLY.value
    OUTCOME_UNKNOWN = Code.OUTCOME_UNKNOWN.value


enum(
    ErrorCode,
    NOT_FOUND="The object does not exist or is not visible to the viewer.",
    INVALID="A value is invalid. `field` names it. Do not retry without changing it.",
    CONFLICT="The object was changed or created concurrently. Read it again before retrying.",
    CLAIM_LOST="The claim of the test does not hold: its lease expired, it was given back, or the "
    "test ended. Do not send the result again.",
    FORBIDDEN="The viewer lacks permission for this change.",
    BUDGET_EXCEEDED="The budget of the month is spent. New tests are refused until the next month.",
    SERVICE_UNAVAILABLE="Only of items in a batch: not stored, because the database was "
    "unavailable. Retry.",
    DATABASE_READ_ONLY="Only of items in a batch: not stored, because the database is read-only. "
    "Retry later.",
    OUTCOME_UNKNOWN="Only of items in a batch: possibly stored, because the connection to the "
    "database was lost before it answered. Retry with the same time and key.",
)


@value
class UserError:
    """An expected failure of a mutation, or of one item in a batch. What failed changed nothing."""

    code: ErrorCode = field("Code for programs.")
    message: str = field("Message for people: what is wrong and what to do.")
    field: list[str] | None = field(
        'Path to the field of `input` as the client wrote it, such as `["originalPrompt"]` or '
        '`["tests", "3", "impossibilityScore"]`, with positions from 0. Null if the error is '
        "not about a single field."
    )


EXPECTED = (
    errors.NotFound,
    errors.Invalid,
    errors.Conflict,
    errors.ClaimLost,
    errors.Forbidden,
    errors.BudgetExceeded,
)

# The codes of user errors. Subclasses precede their bases.
USER_CODES: dict[type[errors.DomainError], ErrorCode] = {
    errors.NotFound: ErrorCode.NOT_FOUND,
    errors.Invalid: ErrorCode.INVALID,
    errors.Conflict: ErrorCode.CONFLICT,
    errors.ClaimLost: ErrorCode.CLAIM_LOST,
    errors.Forbidden: ErrorCode.FORBIDDEN,
    errors.BudgetExceeded: ErrorCode.BUDGET_EXCEEDED,
    errors.OutcomeUnknown: ErrorCode.OUTCOME_UNKNOWN,
    errors.ReadOnly: ErrorCode.DATABASE_READ_ONLY,
    errors.Unavailable: ErrorCode.SERVICE_UNAVAILABLE,
}


def user_errors(error: errors.DomainError) -> list[UserError]:
    """An error with its fields, at most MAX_FAULTS of them."""
    code = next(code for kind, code in USER_CODES.items() if isinstance(error, kind))
    return [
        UserError(code=code, message=fault.message, field=path(fault.field))
        for fault in error.errors[:MAX_FAULTS]
    ]


def path(field: str | None) -> list[str] | None:
    return None if field is None else field.split(".")


# The codes of top-level errors that a domain error turns into.
CODES: dict[type[Exception], Code] = {
    errors.NotFound: Code.NOT_FOUND,
    errors.Invalid: Code.BAD_USER_INPUT,
    errors.Conflict: Code.CONFLICT,
    errors.ClaimLost: Code.CLAIM_LOST,
    errors.Forbidden: Code.FORBIDDEN,
    errors.BudgetExceeded: Code.BUDGET_EXCEEDED,
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


def _fault(fault: errors.FieldError) -> dict[str, object]:
    return {"message": fault.message, "field": path(fault.field)}


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
