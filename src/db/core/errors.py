"""Errors: what can go wrong in a way the caller should know about.

The docstring of each class is its default message.
"""


class DomainError(Exception):
    """The request could not be carried out."""

    def __init__(self, message: str | None = None) -> None:
        self.message = message or (self.__doc__ or "").strip()
        super().__init__(self.message)


class NotFound(DomainError):
    """There is no such thing, or you may not see it."""


class Invalid(DomainError):
    """The value is not acceptable."""

    def __init__(self, message: str | None = None, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class Conflict(DomainError):
    """Somebody else changed or created it first."""


class Forbidden(DomainError):
    """You may not do this."""


class Unavailable(DomainError):
    """The database does not answer; try again in a moment."""


class ReadOnly(Unavailable):
    """The database is read-only at the moment; nothing was stored, try again later."""


class Locked(Unavailable):
    """Other work holds a lock on what this needs; try again in a moment."""


class Throttled(Unavailable):
    """You have as many requests at the database as you may have at once; try again in a moment."""

    retry_after = 1.0


class RateLimited(DomainError):
    """There is more to do than can be done; try again later."""

    def __init__(self, message: str | None = None, retry_after: float = 0.0) -> None:
        """`retry_after` is in seconds, and kept between a twentieth of one and five."""
        super().__init__(message)
        self.retry_after = min(max(retry_after, 0.05), 5.0)


class OutcomeUnknown(DomainError):
    """It may be stored or not; send it again with the same idempotency key."""
