"""Error codes: every code that a client can meet, with its HTTP status and whether to retry.

docs/errors.md is generated from this list.
"""

from enum import StrEnum
from typing import Self


class ErrorCode(StrEnum):
    """A code with the status of a request that failed by it before it was executed, whether the
    same request may succeed later, and its meaning for clients."""

    http_status: int
    retryable: bool
    meaning: str

    def __new__(cls, code: str, http_status: int, retryable: bool, meaning: str) -> Self:
        member = str.__new__(cls, code)
        member._value_ = code
        member.http_status, member.retryable, member.meaning = http_status, retryable, meaning
        return member

    BAD_USER_INPUT = "BAD_USER_INPUT", 400, False, "An argument or the request is invalid."
    INVALID = "INVALID", 400, False, "A field of a mutation's input is invalid."
    GRAPHQL_PARSE_FAILED = "GRAPHQL_PARSE_FAILED", 400, False, "The document has a syntax error."
    GRAPHQL_VALIDATION_FAILED = (
        *("GRAPHQL_VALIDATION_FAILED", 400, False),
        "The document does not match the schema.",
    )
    PERSISTED_QUERY_NOT_FOUND = (
        *("PERSISTED_QUERY_NOT_FOUND", 400, False),
        "No document is known by this hash or identifier; send its text, too.",
    )
    QUERY_TOO_COMPLEX = (
        *("QUERY_TOO_COMPLEX", 400, False),
        "The operation exceeds a limit of [limits](limits.md); ask for less at once.",
    )
    RESPONSE_TOO_LARGE = (
        *("RESPONSE_TOO_LARGE", 400, False),
        "The response is too large; a mutation was carried out nevertheless.",
    )
    TIMEOUT = "TIMEOUT", 400, False, "The operation took too long; ask for less at once."
    CONFLICT = (
        "CONFLICT",
        400,
        False,
        "The row was changed or created by another request.",
    )
    CLAIM_LOST = (
        *("CLAIM_LOST", 400, False),
        "The claim of the test does not hold any more; claim another test.",
    )
    OUTCOME_UNKNOWN = (
        *("OUTCOME_UNKNOWN", 400, False),
        "The write may be stored or not; send it again with the same idempotency key.",
    )
    UNAUTHENTICATED = "UNAUTHENTICATED", 401, False, "A valid credential is needed."
    FORBIDDEN = "FORBIDDEN", 403, False, "The credential does not permit this."
    BUDGET_EXCEEDED = (
        *("BUDGET_EXCEEDED", 403, False),
        "The [budget](budgets.md) of the month is spent; new tests are refused until the next.",
    )
    NOT_FOUND = "NOT_FOUND", 404, False, "It does not exist, or you may not see it."
    RATE_LIMITED = (
        *("RATE_LIMITED", 429, True),
        "A limit of [limits](limits.md) is reached; retry after `retryAfterMs`.",
    )
    INTERNAL_SERVER_ERROR = (
        *("INTERNAL_SERVER_ERROR", 500, False),
        "The gateway failed; report the request id.",
    )
    SERVICE_UNAVAILABLE = (
        *("SERVICE_UNAVAILABLE", 503, True),
        "The database or the gateway is unavailable; retry later.",
    )
    DATABASE_READ_ONLY = (
        *("DATABASE_READ_ONLY", 503, True),
        "The database accepts no writes; nothing was stored, retry later.",
    )

    @classmethod
    def of_name(cls, name: str) -> "ErrorCode":
        return cls.__members__.get(name, cls.BAD_USER_INPUT)

    @classmethod
    def of_status(cls, status: int) -> "ErrorCode":
        return next((code for code in cls if code.http_status == status), cls.BAD_USER_INPUT)
