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
