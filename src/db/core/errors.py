"""Errors: what can go wrong in a way the caller should know about.

The docstring of each class is its default message.
"""

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field: its name, or a path such as `tags.3`; None for the whole."""

    message: str
    field: str | None = None

    def under(self, name: str) -> "FieldError":
        return FieldError(self.message, name if self.field is None else f"{name}.{self.field}")

    def renamed(self, names: Mapping[str, str]) -> "FieldError":
        if self.field is None:
            return self
        first, dot, rest = self.field.partition(".")
        return FieldError(self.message, f"{names.get(first, first)}{dot}{rest}")


class DomainError(Exception):
    """The request could not be carried out."""

    def __init__(self, message: str | None = None, *columns: str) -> None:
        """The names of columns take the place of `{}` in the message, if there are any."""
        self.template = message or (self.__doc__ or "").strip()
        self.columns = columns
        self.message = self.template
        if columns:
            self.message = self.template.format(" and ".join(columns))
        self.errors: tuple[FieldError, ...] = (FieldError(self.message),)
        super().__init__(self.message)

    def renamed(self, names: Mapping[str, str]) -> Self:
        """With names for columns. An error about one column of them is that of its field."""
        if not self.columns:
            return self._with([error.renamed(names) for error in self.errors])
        renamed = type(self)(self.template, *(names.get(name, name) for name in self.columns))
        field = names.get(self.columns[0]) if len(self.columns) == 1 else None
        return renamed._with([FieldError(renamed.message, field)])

    def under(self, name: str) -> Self:
        return self._with([error.under(name) for error in self.errors])

    def _with(self, errors: Sequence[FieldError]) -> Self:
        changed = copy(self)
        changed.errors = tuple(errors)
        return changed


class NotFound(DomainError):
    """There is no such thing, or you may not see it."""


class Invalid(DomainError):
    """The value is invalid."""

    def __init__(self, message: str | None = None, field: str | None = None) -> None:
        super().__init__(message)
        self.errors = (FieldError(self.message, field),)

    @classmethod
    def of(cls, errors: Sequence[FieldError]) -> Self:
        return cls(errors[0].message)._with(errors)

    @property
    def field(self) -> str | None:
        return self.errors[0].field


class Conflict(DomainError):
    """The row was changed or created by another request."""


class ClaimLost(DomainError):
    """The claim does not hold any more."""


class Forbidden(DomainError):
    """You may not do this."""


class BudgetExceeded(DomainError):
    """The budget of the month is spent."""


class Unavailable(DomainError):
    """The database does not answer; try again in a moment."""


class ReadOnly(Unavailable):
    """The database is read-only at the moment; nothing was stored, try again later."""


class Locked(Unavailable):
    """Another transaction holds a lock that this needs; retry in a moment."""


class Throttled(Unavailable):
    """You are at your limit of simultaneous database requests; retry in a moment."""

    retry_after = 1.0


class TookTooLong(DomainError):
    """This takes the database too long; ask for less at once, or by fewer conditions."""


class RateLimited(DomainError):
    """There is more to do than can be done; try again later."""

    def __init__(self, message: str | None = None, retry_after: float = 0.0) -> None:
        """`retry_after` is in seconds, and kept between a twentieth of one and five."""
        super().__init__(message)
        self.retry_after = min(max(retry_after, 0.05), 5.0)


class OutcomeUnknown(DomainError):
    """It may be stored or not; send it again with the same idempotency key."""


class TooLarge(DomainError):
    """The response is too large: ask for fewer fields or smaller pages."""


class Crowded(RateLimited):
    """Your responses take up all the room that you have: read them, and try again."""
